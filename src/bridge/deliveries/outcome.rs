//! An attempt or a look ended: records the outcome and what follows from it in one transaction.

use std::time::Duration;

use jiff::Timestamp;

use crate::app::App;
use crate::bridge::deliveries::row::{Tried, audit, give_up, is_taken_away, trouble_changed};
use crate::bridge::deliveries::{
    copies, delivered, not_taken, refused, resolved, settlement, unreadable,
};
use crate::bridge::replies::files;
use crate::bridge::texts::inbound_media;
use crate::delivery::{self, Delivery, Outcome, ReplyWithFiles};
use crate::store::lanes::{self, Claimed, Lease, Work};
use crate::store::outbox::{Attempt, Row};
use crate::store::{Tx, messages, outbox};
use crate::vocabulary::{AttemptResult, Decision, DeliveryState, Kind};

/// Records how an attempt or a look ended and releases the lane, in one transaction.
pub(crate) async fn receive(
    app: &App,
    claimed: &Claimed,
    outcome: &Outcome,
    lease: &Lease,
) -> anyhow::Result<()> {
    crate::faultpoints::point("outcome.begun");
    let mut tx = app.store.begin().await?;
    let (Work::Attempt(tried) | Work::Settle(tried)) = &claimed.work;
    if let Some(row) = outbox::by_id(&mut tx, &claimed.row.id).await? {
        if matches!(outcome, Outcome::Resolved(_) | Outcome::Prepared(_))
            && row.payload != claimed.row.payload
        {
            again_as_edited(&mut tx, &row, tried).await?;
        } else {
            let tried = Tried {
                app,
                row: &row,
                attempt: tried,
                claimed,
            };
            apply(&mut tx, tried, outcome).await?;
        }
    }
    crate::faultpoints::point("outcome.bound");
    lanes::release(&mut tx, claimed, lease).await?;
    crate::faultpoints::point("outcome.before_commit");
    tx.commit().await?;
    crate::faultpoints::point("outcome.committed");
    Ok(())
}

/// Keeps a delivery that nothing can be done about but by a person: it is tried again and again.
async fn blocked(tx: &mut Tx, tried: Tried<'_>, why: &str) -> anyhow::Result<()> {
    let Tried {
        app, row, attempt, ..
    } = tried;
    outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::Blocked, why).await?;
    let again = tx.after(blocked_again(app));
    outbox::set_state(tx, &row.id, DeliveryState::Blocked, again, why).await?;
    metrics::counter!("qdn_held_total", "kind" => row.kind.to_string()).increment(1);
    // It is tried again and again; only what is new about that is worth an alarm.
    if row.last_error == *why {
        return Ok(());
    }
    tracing::error!(
        outbox = %row.id,
        kind = %row.kind,
        why,
        "deliveries are held until this is mended"
    );
    trouble_changed(tx, row).await?;
    audit(tx, tried, Decision::Blocked, why).await
}

/// A file of a reply is ready, or will not be sent; the next one follows.
async fn prepared(tx: &mut Tx, tried: Tried<'_>, reply: &ReplyWithFiles) -> anyhow::Result<()> {
    let Tried { row, attempt, .. } = tried;
    outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::Prepared, "").await?;
    files::save(tx, row, reply).await?;
    let next = Delivery::ReplyWithFiles(reply.clone());
    outbox::set_payload(tx, &row.id, next.kind(), &next.payload()).await?;
    let now = tx.after(Duration::ZERO);
    outbox::set_state(tx, &row.id, DeliveryState::Waiting, now, "").await
}

async fn apply(tx: &mut Tx, tried: Tried<'_>, outcome: &Outcome) -> anyhow::Result<()> {
    let Tried { row, attempt, .. } = tried;
    let id = &row.id;
    let is_open = row.state == DeliveryState::Sending || row.state == DeliveryState::Unknown;
    match outcome {
        Outcome::Delivered {
            external_id,
            posted_in,
            proof,
        } => delivered::delivered(tx, tried, external_id, posted_in.as_ref(), proof).await,
        // A callback, a person or another process has taken it further meanwhile: this says less.
        _ if !is_open || row.attempts != attempt.n => Ok(()),
        Outcome::Marked { shown, again, .. } => marked(tx, tried, shown, *again).await,
        Outcome::Resolved(bodies) => resolved::resolved(tx, tried, bodies).await,
        Outcome::Prepared(reply) => prepared(tx, tried, reply).await,
        Outcome::Cleared { answered } => copies::cleared(tx, tried, answered).await,
        Outcome::Uploaded(file) => inbound_media::uploaded(tx, row, attempt, file.as_deref()).await,
        Outcome::Again { after, why } => {
            outbox::finish_attempt(tx, id, attempt.n, AttemptResult::NotSent, why).await?;
            if is_taken_away(tx, row).await? {
                return give_up(tx, tried).await;
            }
            outbox::set_state(tx, id, DeliveryState::Waiting, tx.after(*after), why).await?;
            metrics::counter!("qdn_retries_total", "kind" => row.kind.to_string()).increment(1);
            Ok(())
        }
        Outcome::Blocked { why, .. } => blocked(tx, tried, why).await,
        Outcome::NotTaken {
            after,
            why,
            was_plain,
        } => {
            outbox::set_state(tx, id, DeliveryState::Waiting, tx.after(*after), why).await?;
            not_taken::receive(tx, tried, why, *was_plain).await
        }
        Outcome::Refused { code, why } => refused::refused(tx, tried, code, why).await,
        Outcome::Unknown { why } => unknown(tx, tried, why).await,
        Outcome::Absent => settlement::absent(tx, tried).await,
        Outcome::NotRead {
            why,
            is_forbidden,
            rest,
        } => settlement::not_read(tx, tried, why, *is_forbidden, *rest).await,
        Outcome::Unreadable(flaw) => unreadable::set_aside(tx, tried, flaw).await,
        Outcome::Several { candidates } => {
            settlement::undecided(tx, tried, &format!("{candidates} messages could be it")).await
        }
    }
}

/// The reply was edited while its names were looked up: discards the result and looks up the new words.
async fn again_as_edited(tx: &mut Tx, row: &Row, tried: &Attempt) -> anyhow::Result<()> {
    if row.state == DeliveryState::Sending && row.attempts == tried.n {
        outbox::finish_attempt(
            tx,
            &row.id,
            tried.n,
            AttemptResult::NotSent,
            "edited meanwhile",
        )
        .await?;
        let now = tx.after(Duration::ZERO);
        outbox::set_state(tx, &row.id, DeliveryState::Waiting, now, "").await?;
    }
    Ok(())
}

/// How many seconds until a delivery is tried again that is blocked because of the channel or the account.
const BLOCKED_AGAIN: f64 = 15.0;

/// How long until a blocked delivery is tried again, scaled with `settle_after`.
pub(crate) fn blocked_again(app: &App) -> Duration {
    delivery::scaled(app.config.delivery.settle_after, BLOCKED_AGAIN)
}

/// Keeps which mark is shown, and when to look again if the carrier stays silent.
async fn marked(
    tx: &mut Tx,
    tried: Tried<'_>,
    shown: &str,
    again: Option<Timestamp>,
) -> anyhow::Result<()> {
    let Tried { row, attempt, .. } = tried;
    messages::set_mark(tx, &row.message_id, shown).await?;
    match again {
        // Whoever has asked for another look meanwhile must not wait behind this one.
        Some(at) if !outbox::others_wait(tx, row).await? => {
            outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::NotYet, "").await?;
            let at = at.as_millisecond();
            outbox::set_state(tx, &row.id, DeliveryState::Waiting, at, &row.last_error).await
        }
        _ => {
            outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::Delivered, shown).await?;
            outbox::set_state(tx, &row.id, DeliveryState::Delivered, 0, "").await?;
            delivered::at_last(tx, tried).await
        }
    }
}

async fn unknown(tx: &mut Tx, tried: Tried<'_>, why: &str) -> anyhow::Result<()> {
    let Tried { row, attempt, .. } = tried;
    outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::Unknown, why).await?;
    outbox::set_state(
        tx,
        &row.id,
        DeliveryState::Unknown,
        tx.after(Duration::ZERO),
        why,
    )
    .await?;
    audit(tx, tried, Decision::Unknown, why).await?;
    metrics::counter!("qdn_unknown_total", "kind" => row.kind.to_string()).increment(1);
    if row.kind == Kind::Sms {
        delivery::enqueue_mark(tx, &row.conversation_id, &row.message_id).await?;
    }
    Ok(())
}
