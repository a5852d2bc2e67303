//! What follows from a look that did not find an attempt whose answer was lost.
//!
//! An SMS is sent again only on proof: two complete looks some time apart, the last not before `settle_after`, when
//! the validity period has made sure that what Twilio still queued can no longer leave. Without proof a person
//! decides. A Slack post can be deleted, so for it two complete looks are enough.

use std::time::Duration;

use jiff::Timestamp;

use super::not_taken;
use super::row::{Tried, audit, give_up, is_taken_away, trouble_changed};
use crate::bridge::desk::post_form;
use crate::bridge::desk::{escalation, status};
use crate::bridge::wording;
use crate::delivery;
use crate::store::{Tx, outbox};
use crate::vocabulary::{AttemptResult, Decision, DeliveryState, Kind};

/// When Twilio's log is read, in parts of `settle_after`: 2, 5, 10, 20, 40, 60 and 95 s of 95.
const SMS_LOOKS: [f64; 7] = [
    2.0 / 95.0,
    5.0 / 95.0,
    10.0 / 95.0,
    20.0 / 95.0,
    40.0 / 95.0,
    60.0 / 95.0,
    1.0,
];

/// When Slack's history is read, likewise: 1, 3, 8 and 10 s.
const POST_LOOKS: [f64; 4] = [1.0 / 95.0, 3.0 / 95.0, 8.0 / 95.0, 10.0 / 95.0];

/// From when on an absent post may be posted again.
const POST_AGAIN: f64 = 10.0 / 95.0;

/// How far apart the looks after the last of those are.
const LATER_LOOKS: f64 = 20.0 / 95.0;

/// When an SMS that cannot be settled is put before a person: 180 s of 95.
const UNDECIDED: f64 = 180.0 / 95.0;

/// How often an SMS may be proved never to have left before a person decides.
const ABSENT_ONCE: i64 = 1;

/// How far apart the two looks must be that prove an absence.
const APART: f64 = 3.0 / 95.0;

/// A complete look, begun when it was claimed, found nothing.
pub(crate) async fn absent(tx: &mut Tx, tried: Tried<'_>) -> anyhow::Result<()> {
    let Tried {
        app,
        row,
        attempt,
        claimed,
    } = tried;
    let looked_at = claimed.at;
    let settle_after = app.config.delivery.settle_after;
    let is_sms = row.kind == Kind::Sms;
    let proof_from = if is_sms {
        settle_after
    } else {
        settle_after.mul_f64(POST_AGAIN)
    };
    // What was seen counts from when it was looked for, however long the answer took.
    let elapsed = match claimed.waited {
        // Twilio's silence must not hold up what goes to Slack, where a copy too many can be deleted.
        Duration::ZERO if !is_sms => between(attempt.started(), looked_at),
        waited => waited,
    };
    let first = outbox::first_absent_look(tx, &row.id, attempt.n, looked_at).await?;
    if elapsed < proof_from || between(first, looked_at) < settle_after.mul_f64(APART) {
        return look_again(tx, tried, &row.last_error, Duration::ZERO).await;
    }
    let age = Duration::try_from(tx.now().duration_since(row.created())).unwrap_or_default();
    let is_too_late = outbox::absences(tx, &row.id).await? >= ABSENT_ONCE
        || age >= app.config.delivery.stale_reply;
    let looked = post_form::absent_because(row, attempt);
    outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::Absent, &looked).await?;
    if is_sms && is_too_late {
        return did_not_leave(tx, tried).await;
    }
    if is_taken_away(tx, row).await? {
        return give_up(tx, tried).await;
    }
    outbox::set_state(
        tx,
        &row.id,
        DeliveryState::Waiting,
        tx.after(Duration::ZERO),
        "",
    )
    .await?;
    audit(
        tx,
        tried,
        Decision::SettledAbsent,
        "two complete looks found nothing: it is sent again",
    )
    .await?;
    if is_sms {
        return delivery::enqueue_mark(tx, &row.conversation_id, &row.message_id).await;
    }
    not_taken::warn(tx, tried, &attempt.detail).await
}

/// A look failed or broke off: it proves nothing.
pub(crate) async fn not_read(
    tx: &mut Tx,
    tried: Tried<'_>,
    why: &str,
    is_forbidden: bool,
    rest: Option<Duration>,
) -> anyhow::Result<()> {
    let Tried {
        app, row, attempt, ..
    } = tried;
    let limit = app.config.delivery.settle_after.mul_f64(UNDECIDED);
    // A process that starts after a long time has not looked yet: one failed look is no reason to ask anybody.
    let looked_for = between(attempt.doubted_since(), tx.now());
    if row.kind == Kind::Sms && looked_for >= limit {
        return undecided(tx, tried, "Twilio's log cannot be read").await;
    }
    if row.kind != Kind::Sms && is_forbidden && between(attempt.started(), tx.now()) >= limit {
        // Towards Slack a copy too many can be deleted; a caller's text that nobody sees cannot be made good.
        tracing::error!(
            outbox = %row.id,
            why,
            "Slack's history cannot be read: a post is made again"
        );
        outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::NotRead, why).await?;
        outbox::set_state(
            tx,
            &row.id,
            DeliveryState::Waiting,
            tx.after(Duration::ZERO),
            why,
        )
        .await?;
        return audit(tx, tried, Decision::SettledUnread, why).await;
    }
    if row.kind == Kind::Sms && row.notified == 0 {
        outbox::set_notified(tx, &row.id).await?;
        escalation::notice(tx, row, wording::being_looked_for().into()).await?;
    }
    look_again(tx, tried, why, rest.unwrap_or_default()).await
}

/// A person has to decide. The lane goes on: what is written now must not wait for an answer about what was.
pub(crate) async fn undecided(tx: &mut Tx, tried: Tried<'_>, why: &str) -> anyhow::Result<()> {
    let Tried { row, attempt, .. } = tried;
    outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::Undecided, why).await?;
    outbox::set_state(tx, &row.id, DeliveryState::Undecided, 0, why).await?;
    trouble_changed(tx, row).await?;
    audit(tx, tried, Decision::Undecided, why).await?;
    metrics::counter!("qdn_undecided_total").increment(1);
    let question = wording::undecided(&row.id, &row.words());
    escalation::ask(tx, row, question).await?;
    delivery::enqueue_mark(tx, &row.conversation_id, &row.message_id).await
}

/// It is known that the text did not leave, and it is not sent again unasked: its caller waits on.
async fn did_not_leave(tx: &mut Tx, tried: Tried<'_>) -> anyhow::Result<()> {
    let Tried { app, row, .. } = tried;
    let why = "it did not leave, and is not sent again unasked";
    outbox::set_state(tx, &row.id, DeliveryState::Undecided, 0, why).await?;
    trouble_changed(tx, row).await?;
    audit(tx, tried, Decision::Undecided, why).await?;
    metrics::counter!("qdn_undecided_total").increment(1);
    status::text_lost(tx, &app.config.desk, row).await?;
    escalation::ask(tx, row, wording::did_not_leave(&row.id, &row.words())).await?;
    delivery::enqueue_mark(tx, &row.conversation_id, &row.message_id).await
}

async fn look_again(
    tx: &mut Tx,
    tried: Tried<'_>,
    why: &str,
    rest: Duration,
) -> anyhow::Result<()> {
    let Tried {
        app, row, claimed, ..
    } = tried;
    let looks: &[f64] = if row.kind == Kind::Sms {
        &SMS_LOOKS
    } else {
        &POST_LOOKS
    };
    let took = between(claimed.at, tx.now());
    let next = next_look(
        claimed.waited + took,
        app.config.delivery.settle_after,
        looks,
    )
    // As long as the remote asked for, if it did.
    .max(rest);
    outbox::set_state(tx, &row.id, DeliveryState::Unknown, tx.after(next), why).await
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// How long until the next look.
fn next_look(elapsed: Duration, settle_after: Duration, looks: &[f64]) -> Duration {
    looks
        .iter()
        .map(|part| settle_after.mul_f64(*part))
        .find(|at| *at > elapsed)
        .map_or_else(|| settle_after.mul_f64(LATER_LOOKS), |at| at - elapsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_at_their_times_and_then_regularly() {
        let settle_after = Duration::from_secs(95);
        for (elapsed, next) in [
            (0, 2),
            (2, 3),
            (6, 4),
            (59, 1),
            (60, 35),
            (95, 20),
            (150, 20),
        ] {
            let found = next_look(Duration::from_secs(elapsed), settle_after, &SMS_LOOKS);
            assert_eq!(
                found.as_secs_f64().round(),
                f64::from(next),
                "after {elapsed} s"
            );
        }
    }
}
