//! Turns a dispatcher's reply into texts, with names in place of mentions.

use crate::app::App;
use crate::bridge::replies::as_texts;
use crate::delivery::Outcome;
use crate::remote::Failure;
use crate::slack::mrkdwn;

pub(super) async fn to_texts(app: &App, slack_text: &str) -> Result<Outcome, Failure> {
    let names = app.directory.names(&mrkdwn::mentions(slack_text)).await?;
    Ok(Outcome::Resolved(as_texts::to_texts(
        app, slack_text, &names,
    )))
}
