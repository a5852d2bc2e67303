//! A delivery that this version of the program cannot read: a person decides, and what stands behind it goes on.
//!
//! It comes from a later version that was taken back, or from a hand in the database. A version that can read it delivers it
//! with `qdn-relay outbox retry`.

use super::row::{Tried, audit, trouble_changed};
use crate::bridge::desk::{escalation, status};
use crate::bridge::wording;
use crate::delivery::{self, Unreadable};
use crate::store::lanes::Work;
use crate::store::{Tx, outbox};
use crate::vocabulary::{AttemptResult, Decision, DeliveryState, Kind};

/// Puts the row before a person: in the thread that it is about, in the log and in `qdn-relay outbox list`.
pub(super) async fn set_aside(
    tx: &mut Tx,
    tried: Tried<'_>,
    flaw: &Unreadable,
) -> anyhow::Result<()> {
    let Tried {
        app,
        row,
        attempt,
        claimed,
    } = tried;
    let why = flaw.to_string();
    outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::Undecided, &why).await?;
    outbox::set_state(tx, &row.id, DeliveryState::Undecided, 0, &why).await?;
    trouble_changed(tx, row).await?;
    audit(tx, tried, Decision::Undecided, &why).await?;
    metrics::counter!("qdn_undecided_total").increment(1);
    tracing::error!(
        outbox = %row.id,
        kind = %row.kind,
        why,
        "a delivery cannot be read and is set aside: see qdn-relay outbox list"
    );
    // What is said about a mark would ask for the next one, which meets the same flaw.
    if row.conversation_id.is_empty() || row.kind == Kind::Mark {
        return Ok(());
    }
    escalation::notice(tx, row, wording::delivery::unreadable(&row.id).into()).await?;
    if row.message_id.is_empty() {
        return Ok(());
    }
    // It has never left: its caller still waits for an answer.
    if matches!(claimed.work, Work::Attempt(_)) && attempt.n == 1 {
        status::text_lost(tx, &app.config.desk, row).await?;
    }
    delivery::enqueue_mark(tx, &row.conversation_id, &row.message_id).await
}
