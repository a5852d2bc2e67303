//! Who may decide: only members of a line's channel.

use crate::app::App;
use crate::bridge::wording;
use crate::config::Line;
use crate::slack::{ChannelId, UserId};
use crate::store::conversations::Conversation;

/// Whether the person is in the line's channel; otherwise what to tell them.
pub(crate) async fn may_act(app: &App, line: &Line, user: &UserId) -> Result<(), String> {
    let unknown = || wording::membership_unknown(&line.channel);
    let channel = match app.directory.channel_id(&line.channel).await {
        Ok(Some(channel)) => channel,
        Ok(None) | Err(_) => return Err(unknown()),
    };
    match app.directory.is_member(&channel, user).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(wording::members_only(&line.channel)),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "membership is not known");
            Err(unknown())
        }
    }
}

/// Whether the person is in the channel of this conversation: its line's, or where it stands if its line is no longer in the
/// configuration.
pub(crate) async fn may_act_in(
    app: &App,
    conversation: &Conversation,
    user: &UserId,
) -> Result<(), String> {
    if let Some(line) = app.config.line_of(&conversation.line) {
        return may_act(app, line, user).await;
    }
    let channel = ChannelId::new(&conversation.channel);
    match app.directory.is_member(&channel, user).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(wording::unknown_button()),
        Err(_) => Err(wording::membership_unknown(&conversation.channel)),
    }
}

/// The same for the line that has this number; everybody may act where the configuration no longer has it.
pub(crate) async fn may_act_on(app: &App, number: &str, user: &UserId) -> Result<(), String> {
    match app.config.line_of(number) {
        Some(line) => may_act(app, line, user).await,
        None => Ok(()),
    }
}
