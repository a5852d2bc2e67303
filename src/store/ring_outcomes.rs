//! The outcome of each person's ring in each round of a call.

use anyhow::Context;
use sqlx::FromRow;

use super::{Reads, Tx};
use crate::vocabulary::RingOutcome;

/// A person's ring in one round of a call.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct RingOutcomeRow {
    /// The number of the `Dial` in this call, from 1.
    pub(crate) round: i64,
    pub(crate) person: String,
    /// The CallSid of the leg to their phone; empty while it is not known.
    pub(crate) leg_sid: String,
    /// The keys pressed at the prompt; empty for none.
    pub(crate) keys: String,
    outcome: RingOutcome,
}

impl RingOutcomeRow {
    /// The outcome so far.
    pub(crate) fn outcome(&self) -> RingOutcome {
        self.outcome
    }
}

/// What is newly known of a person's ring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RingUpdate<'a> {
    pub(crate) round: i64,
    pub(crate) person: &'a str,
    /// The CallSid of the leg to their phone, if this says it.
    pub(crate) leg_sid: Option<&'a str>,
    /// The keys pressed at the prompt; empty for none.
    pub(crate) keys: &'a str,
    pub(crate) outcome: RingOutcome,
}

impl<'a> RingUpdate<'a> {
    /// An update that says nothing of the leg and the keys.
    pub(crate) fn outcome(round: i64, person: &'a str, outcome: RingOutcome) -> RingUpdate<'a> {
        RingUpdate {
            round,
            person,
            leg_sid: None,
            keys: "",
            outcome,
        }
    }
}

/// Stores a person's ring, or updates it. What an update does not say stays.
pub(crate) async fn put(tx: &mut Tx, call: &str, update: &RingUpdate<'_>) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query(
        "insert into ring_outcome (call_sid, round, position, person, leg_sid, keys, outcome, updated_at)
         values ($1, $2, (select count(*) from ring_outcome where call_sid = $1), $3, $4, $5, $6, $7)
         on conflict (call_sid, round, person) do update set outcome = excluded.outcome, updated_at = excluded.updated_at,
             leg_sid = case when excluded.leg_sid = '' then ring_outcome.leg_sid else excluded.leg_sid end,
             keys = case when excluded.keys = '' then ring_outcome.keys else excluded.keys end",
    )
    .bind(call)
    .bind(update.round)
    .bind(update.person)
    .bind(update.leg_sid.unwrap_or_default())
    .bind(update.keys)
    .bind(update.outcome.as_str())
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("keeping a turn")?;
    Ok(())
}

/// Returns the rings of a call, in order.
pub(crate) async fn of_call(
    reads: impl Into<Reads<'_>>,
    call: &str,
) -> anyhow::Result<Vec<RingOutcomeRow>> {
    sqlx::query_as(
        "select round, person, leg_sid, keys, outcome from ring_outcome where call_sid = $1 order by round, position",
    )
        .bind(call)
        .fetch_all(&mut *reads.into().connection().await?)
        .await
        .context("reading a call's turns")
}
