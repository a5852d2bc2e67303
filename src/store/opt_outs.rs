//! Opt-outs of callers, for each line separately.

use anyhow::Context;
use jiff::Timestamp;

use super::{Store, Tx};
use crate::vocabulary::{KeptBy, OptOutState};

/// An opt-out or opt-in of a caller for a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) line: &'a str,
    pub(crate) caller: &'a str,
    /// Who enforces the opt-out; `None` for an opt-in.
    pub(crate) out: Option<KeptBy>,
    pub(crate) said_by: &'a str,
    pub(crate) as_of: Timestamp,
}

/// Stores an opt-out or opt-in, unless a later one is known. Returns whether it changes anything. An opt-out of ours does not
/// replace one that Twilio enforces.
pub(crate) async fn set(tx: &mut Tx, said: &Said<'_>) -> anyhow::Result<bool> {
    let before = read(tx, said.line, said.caller).await?;
    let as_of = said.as_of.as_millisecond();
    if before.as_ref().is_some_and(|(_, _, known)| *known > as_of) {
        return Ok(false);
    }
    let before = before.and_then(|(state, kept_by, _)| out(state, kept_by));
    if before == Some(KeptBy::Twilio) && said.out == Some(KeptBy::Us) {
        return Ok(false);
    }
    let state = if said.out.is_some() {
        OptOutState::Out
    } else {
        OptOutState::In
    };
    sqlx::query(
        "insert into opt_out (line, caller, state, said_by, as_of, kept_by) values ($1, $2, $3, $4, $5, $6)
         on conflict (line, caller) do update set state = excluded.state, said_by = excluded.said_by,
             as_of = excluded.as_of, kept_by = excluded.kept_by",
    )
    .bind(said.line)
    .bind(said.caller)
    .bind(state.as_str())
    .bind(said.said_by)
    .bind(as_of)
    .bind(said.out.unwrap_or(KeptBy::Twilio).as_str())
    .execute(&mut *tx.inner)
    .await
    .context("keeping who wants no texts")?;
    Ok(before != said.out)
}

/// Returns who enforces the caller's opt-out; `None` if they can be texted.
pub(crate) async fn kept_by(
    tx: &mut Tx,
    line: &str,
    caller: &str,
) -> anyhow::Result<Option<KeptBy>> {
    let known = read(tx, line, caller).await?;
    Ok(known.and_then(|(state, kept_by, _)| out(state, kept_by)))
}

/// Whether the caller has opted out and only we enforce it.
pub(crate) async fn is_ours(store: &Store, line: &str, caller: &str) -> anyhow::Result<bool> {
    let known: Option<(OptOutState, KeptBy)> =
        sqlx::query_as("select state, kept_by from opt_out where line = $1 and caller = $2")
            .bind(line)
            .bind(caller)
            .fetch_optional(store.reader())
            .await
            .context("looking whether a caller wants texts")?;
    Ok(known.is_some_and(|(state, kept_by)| out(state, kept_by) == Some(KeptBy::Us)))
}

fn out(state: OptOutState, kept_by: KeptBy) -> Option<KeptBy> {
    (state == OptOutState::Out).then_some(kept_by)
}

async fn read(
    tx: &mut Tx,
    line: &str,
    caller: &str,
) -> anyhow::Result<Option<(OptOutState, KeptBy, i64)>> {
    sqlx::query_as("select state, kept_by, as_of from opt_out where line = $1 and caller = $2")
        .bind(line)
        .bind(caller)
        .fetch_optional(&mut *tx.inner)
        .await
        .context("looking whether a caller wants texts")
}
