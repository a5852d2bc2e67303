//! Only members of a line's channel may use what changes anything, or tells of callers.

use futures_util::future::join_all;

use crate::app::App;
use crate::bridge::wording;
use crate::config::Line;
use crate::slack::UserId;

/// Those of these lines in whose channel somebody is; what to tell them where there is none.
pub(crate) async fn own<'a>(
    app: &App,
    user: &UserId,
    lines: &[&'a Line],
) -> Result<Vec<&'a Line>, String> {
    let (mut own, mut refusal) = (Vec::new(), wording::not_saved());
    // All at once: whoever typed the command waits no longer for several lines than for one.
    let asked = lines
        .iter()
        .map(async |line| check(app, user, &[line]).await);
    for (line, may) in lines.iter().zip(join_all(asked).await) {
        match may {
            Ok(()) => own.push(*line),
            Err(why) => refusal = why,
        }
    }
    match own.is_empty() {
        true => Err(refusal),
        false => Ok(own),
    }
}

/// Whether somebody is in the channel of one of these lines; otherwise what to tell them.
pub(crate) async fn check(app: &App, user: &UserId, lines: &[&Line]) -> Result<(), String> {
    let mut refusal = wording::not_saved();
    for line in lines {
        let channel = match app.directory.channel_id(&line.channel).await {
            Ok(Some(channel)) => channel,
            Ok(None) | Err(_) => {
                refusal = wording::membership_unknown(&line.channel);
                continue;
            }
        };
        match app.directory.is_member(&channel, user).await {
            Ok(true) => return Ok(()),
            Ok(false) => refusal = wording::members_only(&line.channel),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "membership is not known");
                refusal = wording::membership_unknown(&line.channel);
            }
        }
    }
    Err(refusal)
}
