//! Who may act: only members of a line's channel. Whatever needs to know it asks here.

use futures_util::future::join_all;

use crate::app::App;
use crate::bridge::wording;
use crate::config::Line;
use crate::slack::{ChannelId, UserId};
use crate::store::conversations::Conversation;

/// Whether the person is in the line's channel; otherwise the sentence to tell them.
pub(crate) async fn may_act(app: &App, line: &Line, user: &UserId) -> Result<(), String> {
    let Ok(Some(channel)) = app.directory.channel_id(&line.channel).await else {
        return Err(wording::membership_unknown(&line.channel));
    };
    let outsider = || wording::members_only(&line.channel);
    is_in(app, &channel, user, &line.channel, outsider).await
}

/// Whether the person is in the channel of one of these lines; otherwise the sentence to tell them.
pub(crate) async fn may_act_on_one(
    app: &App,
    lines: &[&Line],
    user: &UserId,
) -> Result<(), String> {
    let mut refusal = wording::not_saved();
    for line in lines {
        match may_act(app, line, user).await {
            Ok(()) => return Ok(()),
            Err(why) => refusal = why,
        }
    }
    Err(refusal)
}

/// Those of these lines in whose channel the person is; the sentence to tell them where there is none.
pub(crate) async fn own_lines<'a>(
    app: &App,
    lines: &[&'a Line],
    user: &UserId,
) -> Result<Vec<&'a Line>, String> {
    let (mut own, mut refusal) = (Vec::new(), wording::not_saved());
    // All at once: several lines take no longer than one.
    let asked = lines
        .iter()
        .map(async |line| may_act(app, line, user).await);
    for (line, may) in lines.iter().zip(join_all(asked).await) {
        match may {
            Ok(()) => own.push(*line),
            Err(why) => refusal = why,
        }
    }
    if own.is_empty() {
        Err(refusal)
    } else {
        Ok(own)
    }
}

/// Every line in whose channel the person is; an error where Slack does not say.
pub(crate) async fn lines_of<'a>(app: &'a App, user: &UserId) -> anyhow::Result<Vec<&'a Line>> {
    let mut lines = Vec::new();
    for line in &app.config.lines {
        if let Some(channel) = app.directory.channel_id(&line.channel).await?
            && app.directory.is_member(&channel, user).await?
        {
            lines.push(line);
        }
    }
    Ok(lines)
}

/// Whether the person is in the channel of this conversation: its line's, or the one it stands in if the configuration no
/// longer has its line.
pub(crate) async fn may_act_in(
    app: &App,
    conversation: &Conversation,
    user: &UserId,
) -> Result<(), String> {
    if let Some(line) = app.config.line_of(&conversation.line) {
        return may_act(app, line, user).await;
    }
    let channel = ChannelId::new(&conversation.channel);
    let outsider = wording::unknown_button;
    is_in(app, &channel, user, &conversation.channel, outsider).await
}

/// Whether the person is in the channel where they pressed a button that is about no conversation.
pub(crate) async fn may_press_in(
    app: &App,
    channel: &ChannelId,
    user: &UserId,
) -> Result<(), String> {
    let mut lines = app.config.lines.iter();
    let line =
        lines.rfind(|line| app.directory.known_channel_id(&line.channel).as_ref() == Some(channel));
    let name = line.map_or("", |line| line.channel.as_str());
    is_in(app, channel, user, name, || match line {
        Some(line) => wording::members_only(&line.channel),
        None => wording::unknown_button(),
    })
    .await
}

/// Asks Slack. `name` is what people call the channel, `outsider` the sentence for somebody who is not in it.
async fn is_in(
    app: &App,
    channel: &ChannelId,
    user: &UserId,
    name: &str,
    outsider: impl FnOnce() -> String,
) -> Result<(), String> {
    match app.directory.is_member(channel, user).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(outsider()),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "membership is not known");
            Err(wording::membership_unknown(name))
        }
    }
}
