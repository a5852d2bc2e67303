//! Only members of a line's channel may use what changes anything, or tells of callers.

use crate::app::App;
use crate::bridge::wording;
use crate::config::Line;
use crate::slack::UserId;

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
