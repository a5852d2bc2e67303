//! Answers at the `response_url` of whoever pressed a button.
//!
//! A URL is good for half an hour. One that has expired counts as done: nobody is left to tell.

use serde_json::json;

use super::{Sending, done};
use crate::delivery::Outcome;
use crate::remote::Failure;

/// Tells one person what a button did not do.
pub(super) async fn send(
    sending: Sending<'_>,
    response_url: &str,
    text: &str,
) -> Result<Outcome, Failure> {
    let message = json!({ "response_type": "ephemeral", "replace_original": false, "text": text });
    match sending.clients.slack.respond(response_url, &message).await {
        Err(failure @ Failure::Refused { .. }) => {
            tracing::warn!(outbox = %sending.row.id, %failure, "nobody could be told what a button did not do");
            Ok(done(String::new(), None))
        }
        other => other.map(|()| done(String::new(), None)),
    }
}

/// Replaces the message with the button. What it would have said is known to who pressed.
pub(super) async fn replace(
    sending: Sending<'_>,
    response_url: &str,
    text: &str,
) -> Result<Outcome, Failure> {
    let replace = json!({ "replace_original": true, "text": text });
    match sending.clients.slack.respond(response_url, &replace).await {
        Err(Failure::Refused { .. }) => Ok(done(String::new(), None)),
        other => other.map(|()| done(String::new(), None)),
    }
}
