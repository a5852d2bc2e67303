//! What came of each person in each round of a call.

use anyhow::Context;
use sqlx::FromRow;

use super::{Store, Tx};

/// What came of somebody's turn in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Passed over: away.
    Away,
    /// Passed over: not to be disturbed.
    Dnd,
    /// Passed over: on the phone with another caller.
    OnThePhone,
    /// The telephone rings.
    Rings,
    /// Somebody or something has picked up.
    PickedUp,
    /// It was picked up, and nobody pressed 1.
    NotTaken,
    /// A key other than 1 was pressed.
    Refused,
    /// It rang to its end.
    NoAnswer,
    /// Busy, or pressed away.
    Busy,
    /// It could not be reached.
    Failed,
    /// Cut off because another telephone was picked up, or the caller hung up.
    CutOff,
    /// Took the call.
    Took,
}

impl Turn {
    const ALL: [Turn; 12] = [
        Turn::Away,
        Turn::Dnd,
        Turn::OnThePhone,
        Turn::Rings,
        Turn::PickedUp,
        Turn::NotTaken,
        Turn::Refused,
        Turn::NoAnswer,
        Turn::Busy,
        Turn::Failed,
        Turn::CutOff,
        Turn::Took,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Turn::Away => "away",
            Turn::Dnd => "dnd",
            Turn::OnThePhone => "on_the_phone",
            Turn::Rings => "rings",
            Turn::PickedUp => "picked_up",
            Turn::NotTaken => "not_taken",
            Turn::Refused => "refused",
            Turn::NoAnswer => "no_answer",
            Turn::Busy => "busy",
            Turn::Failed => "failed",
            Turn::CutOff => "cut_off",
            Turn::Took => "took",
        }
    }
}

/// Somebody's turn in one round of a call.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct TurnRow {
    /// Counts the times that telephones were rung, from 1.
    pub(crate) round: i64,
    pub(crate) person: String,
    /// The CallSid of the leg to their telephone, empty while it is not known.
    pub(crate) leg_sid: String,
    /// What was pressed when asked, empty for nothing.
    pub(crate) keys: String,
    outcome: String,
}

impl TurnRow {
    /// What came of it so far.
    pub(crate) fn outcome(&self) -> Turn {
        Turn::ALL
            .into_iter()
            .find(|turn| turn.as_str() == self.outcome)
            .unwrap_or(Turn::Rings)
    }
}

/// Keeps a turn, or what is newly known of one.
pub(crate) async fn put(
    tx: &mut Tx,
    call: &str,
    round: i64,
    person: &str,
    leg_sid: &str,
    keys: &str,
    outcome: Turn,
) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query(
        "insert into call_turn (call_sid, round, position, person, leg_sid, keys, outcome, updated_at)
         values ($1, $2, (select count(*) from call_turn where call_sid = $1), $3, $4, $5, $6, $7)
         on conflict (call_sid, round, person) do update set outcome = excluded.outcome, updated_at = excluded.updated_at,
             leg_sid = case when excluded.leg_sid = '' then call_turn.leg_sid else excluded.leg_sid end,
             keys = case when excluded.keys = '' then call_turn.keys else excluded.keys end",
    )
    .bind(call)
    .bind(round)
    .bind(person)
    .bind(leg_sid)
    .bind(keys)
    .bind(outcome.as_str())
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("keeping a turn")?;
    Ok(())
}

const TURNS: &str = "select round, person, leg_sid, keys, outcome from call_turn where call_sid = $1 order by round, position";

/// A call's turns, in order.
pub(crate) async fn of_call(tx: &mut Tx, call: &str) -> anyhow::Result<Vec<TurnRow>> {
    sqlx::query_as(TURNS)
        .bind(call)
        .fetch_all(&mut *tx.inner)
        .await
        .context("reading a call's turns")
}

/// The same outside a transaction.
pub(crate) async fn read(store: &Store, call: &str) -> anyhow::Result<Vec<TurnRow>> {
    sqlx::query_as(TURNS)
        .bind(call)
        .fetch_all(store.reader())
        .await
        .context("reading a call's turns")
}
