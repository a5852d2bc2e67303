//! Opens a form for whoever asked for it.

use jiff::SignedDuration;
use serde_json::Value;

use super::{Sending, done};
use crate::delivery::Outcome;
use crate::remote::Failure;

/// How long a form can still be shown: a `trigger_id` is good for 3 seconds.
const IN_TIME: SignedDuration = SignedDuration::from_secs(3);

pub(super) async fn send(
    sending: Sending<'_>,
    trigger_id: &str,
    view: &Value,
) -> Result<Outcome, Failure> {
    let age = sending
        .app
        .store
        .now()
        .duration_since(sending.row.created());
    if age >= IN_TIME {
        return Err(Failure::Refused {
            code: "expired_trigger_id".into(),
            message: "it would come too late".into(),
        });
    }
    let opened = sending.clients.slack.open_view(trigger_id, view).await;
    opened.map(|()| done(String::new(), None))
}
