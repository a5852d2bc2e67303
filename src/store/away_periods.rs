//! Since when everybody on a line is away, and which callers got the away text.

use anyhow::Context;
use jiff::Timestamp;

use super::{Store, Tx};

/// Records whether everybody on the line is away. Returns since when, in milliseconds; `None` if somebody is available.
pub(crate) async fn note(tx: &mut Tx, line: &str, is_away: bool) -> anyhow::Result<Option<i64>> {
    let now = tx.now_ms();
    if !is_away {
        sqlx::query("delete from away_period where line = $1")
            .bind(line)
            .execute(&mut *tx.inner)
            .await
            .context("ending a time when everybody is away")?;
        return Ok(None);
    }
    let since = sqlx::query_scalar(
        "insert into away_period (line, since) values ($1, $2)
         on conflict (line) do update set since = away_period.since returning since",
    )
    .bind(line)
    .bind(now)
    .fetch_one(&mut *tx.inner)
    .await
    .context("noting that everybody is away")?;
    Ok(Some(since))
}

/// Whether everybody on the line is recorded as away.
pub(crate) async fn is_noted(store: &Store, line: &str) -> anyhow::Result<bool> {
    let found: Option<i64> = sqlx::query_scalar("select since from away_period where line = $1")
        .bind(line)
        .fetch_optional(store.reader())
        .await
        .context("looking whether everybody is away")?;
    Ok(found.is_some())
}

/// Records that the caller gets the away text. Returns `false` if they already got it since `since`.
pub(crate) async fn tell(
    tx: &mut Tx,
    line: &str,
    caller: &str,
    since: i64,
) -> anyhow::Result<bool> {
    let now = tx.now_ms();
    let told = sqlx::query(
        "insert into away_told (line, caller, told_at) values ($1, $2, $3)
         on conflict (line, caller) do update set told_at = excluded.told_at where away_told.told_at < $4",
    )
    .bind(line)
    .bind(caller)
    .bind(now)
    .bind(since)
    .execute(&mut *tx.inner)
    .await
    .context("noting that a caller was told that everybody is away")?;
    Ok(told.rows_affected() == 1)
}

/// Returns the number of automatic texts to a caller after `since`.
pub(crate) async fn automatic_texts(
    tx: &mut Tx,
    caller: &str,
    since: Timestamp,
) -> anyhow::Result<i64> {
    sqlx::query_scalar(
        "select count(*) from message m join conversation c on c.id = m.conversation_id
         where c.caller = $1 and m.origin = 'desk' and m.created_at > $2
           and (m.external_id like 'away:%' or m.external_id like 'missed:%')",
    )
    .bind(caller)
    .bind(since.as_millisecond())
    .fetch_one(&mut *tx.inner)
    .await
    .context("counting automatic texts")
}
