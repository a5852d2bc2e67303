//! Callers who do not want the texts of a line: for each line its own.

use anyhow::Context;
use jiff::Timestamp;

use super::Tx;

/// Keeps what was said as of some time, unless something later is known; whether it changes anything.
pub(crate) async fn say(
    tx: &mut Tx,
    line: &str,
    caller: &str,
    is_out: bool,
    said_by: &str,
    as_of: Timestamp,
) -> anyhow::Result<bool> {
    let before = read(tx, line, caller).await?;
    let as_of = as_of.as_millisecond();
    if before.as_ref().is_some_and(|(_, known)| *known > as_of) {
        return Ok(false);
    }
    sqlx::query(
        "insert into opt_out (line, caller, state, said_by, as_of) values ($1, $2, $3, $4, $5)
         on conflict (line, caller) do update set state = excluded.state, said_by = excluded.said_by,
             as_of = excluded.as_of",
    )
    .bind(line)
    .bind(caller)
    .bind(if is_out { "out" } else { "in" })
    .bind(said_by)
    .bind(as_of)
    .execute(&mut *tx.inner)
    .await
    .context("keeping who wants no texts")?;
    Ok(before.is_some_and(|(state, _)| state == "out") != is_out)
}

/// Whether the caller wants no texts of this line.
pub(crate) async fn is_out(tx: &mut Tx, line: &str, caller: &str) -> anyhow::Result<bool> {
    let known = read(tx, line, caller).await?;
    Ok(known.is_some_and(|(state, _)| state == "out"))
}

async fn read(tx: &mut Tx, line: &str, caller: &str) -> anyhow::Result<Option<(String, i64)>> {
    sqlx::query_as("select state, as_of from opt_out where line = $1 and caller = $2")
        .bind(line)
        .bind(caller)
        .fetch_optional(&mut *tx.inner)
        .await
        .context("looking whether a caller wants texts")
}
