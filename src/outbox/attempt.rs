//! Runs one attempt: sends the request and turns its answer, or the lack of one, into an outcome.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::failed::{back_off, outcome_of};
use super::kinds::{self, Answer, Sending, post};
use super::settle;
use crate::app::App;
use crate::bridge::desk::post_form;
use crate::clients::Clients;
use crate::clock::BootInstant;
use crate::delivery::{Outcome, Unreadable};
use crate::remote::Failure;
use crate::store::lanes::Claimed;
use crate::store::outbox::{self, Attempt, Row};
use crate::vocabulary::{Settle, UnknownWord};

/// The most requests of one attempt: a post whose thread is gone looks it up, posts again and edits.
pub(super) const REQUESTS: u32 = 3;

/// How long a throttle rests after a 429 without Retry-After.
const REST: Duration = Duration::from_secs(1);

/// Runs the attempt that `claimed` recorded. Returns its outcome, and how long the vendor asked the whole throttle to rest.
pub(super) async fn run(
    app: &App,
    clients: &Clients,
    claimed: &Claimed,
    attempt: &Attempt,
) -> (Outcome, Option<Duration>) {
    // A process that was stopped between claim and request must not send what another has taken over, and what is
    // sent must end before anybody can take it over.
    let request_timeout = app.config.delivery.request_timeout;
    let allowed = request_timeout * REQUESTS;
    if BootInstant::now() + allowed + request_timeout > claimed.deadline {
        let why = "the lease was running out before the request left".to_owned();
        return (
            Outcome::Again {
                after: Duration::ZERO,
                why: why.into(),
            },
            None,
        );
    }
    crate::faultpoints::point("attempt.before_request");
    let answered = deliver_once(app, clients, claimed, attempt).await;
    crate::faultpoints::point("attempt.answered");
    match answered {
        Ok(Ok(outcome)) => (outcome, None),
        Ok(Err(failure)) => {
            post::forget_channel(app, &claimed.row, &failure);
            let rest = match &failure {
                // It was said by another endpoint than the throttle's: names are asked of Slack, recordings of Twilio.
                Failure::RateLimited { .. } if !limits_throttle(&claimed.row) => None,
                Failure::RateLimited { retry_after } => Some(retry_after.unwrap_or(REST)),
                _ => None,
            };
            (outcome_of(app, &claimed.row, attempt, failure), rest)
        }
        // What a later version wrote stays unknown however often it is tried.
        Err(error) if error.chain().any(|cause| cause.is::<UnknownWord>()) => {
            (Outcome::Unreadable(Unreadable::Fact), None)
        }
        Err(error) => {
            tracing::warn!(
                outbox = %claimed.row.id,
                error = format!("{error:#}"),
                "a delivery could not be prepared; trying again"
            );
            (
                Outcome::Again {
                    after: back_off(app, attempt.n),
                    why: format!("{error:#}").into(),
                },
                None,
            )
        }
    }
}

/// Whether a 429 for this row limits its whole throttle.
fn limits_throttle(row: &Row) -> bool {
    let kind = row.kind.known();
    kind.is_none_or(|kind| kind.policy().limits_throttle)
}

/// Whether the row is a message in a channel, which Slack's history can show to be there.
fn is_post(row: &Row) -> bool {
    let kind = row.kind.known();
    kind.is_some_and(|kind| kind.policy().settle == Settle::SlackHistory)
}

/// Delivers the row. A post that seemed absent and was posted again may turn up: then one of the two is deleted.
async fn deliver_once(
    app: &App,
    clients: &Clients,
    claimed: &Claimed,
    attempt: &Attempt,
) -> Answer {
    let row = &claimed.row;
    let is_post = is_post(row);
    let request_timeout = app.config.delivery.request_timeout;
    let ends = Instant::now() + request_timeout * REQUESTS;
    // Read before the request leaves: nothing that goes wrong afterwards may make it leave again.
    let before = if is_post && attempt.n > 1 {
        timeout_at(ends, outbox::attempts(&app.store, &row.id)).await??
    } else {
        Vec::new()
    };
    let sending = Sending {
        app,
        clients,
        row,
        attempt,
        form: post_form::form(&before, attempt.n),
    };
    let answered = match timeout_at(ends, kinds::send(sending)).await {
        Ok(answered) => answered?,
        Err(_) => Err(Failure::Unknown {
            why: "it took too long".into(),
        }),
    };
    let absent = before.iter().find(|before| before.is_in_vain());
    let (Some(absent), Ok(Outcome::Delivered { .. })) = (absent, &answered) else {
        return Ok(answered);
    };
    // The answer is known: a look that takes long must not make it unknown, nor outlast the lease.
    let left = claimed.deadline.ahead().saturating_sub(request_timeout);
    let look = settle::look_for_post(app, clients, row, absent);
    match timeout(left.min(request_timeout * REQUESTS), look).await {
        Ok(Ok(Ok(found @ Outcome::Delivered { .. }))) => Ok(Ok(found)),
        _ => Ok(answered),
    }
}
