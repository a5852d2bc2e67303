//! What people sent within the last hour: what the limits are measured by.

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};

use super::{Tx, new_id};

/// How far back is counted.
pub(crate) const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// Whose texts are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of<'a> {
    /// Those that one person sent.
    Author(&'a str),
    /// Those to one caller.
    Caller(&'a str),
    /// Those from one line, by its number.
    Line(&'a str),
}

/// Counts one more, and forgets what is older than an hour.
pub(crate) async fn add(tx: &mut Tx, line: &str, caller: &str, author: &str) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query("delete from text_count where at < $1")
        .bind(now - i64::try_from(WINDOW.as_millis())?)
        .execute(&mut *tx.inner)
        .await
        .context("forgetting old counts")?;
    sqlx::query(
        "insert into text_count (id, line, caller, author, at) values ($1, $2, $3, $4, $5)",
    )
    .bind(new_id())
    .bind(line)
    .bind(caller)
    .bind(author)
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("counting a text")?;
    Ok(())
}

/// When each of the last hour's texts was sent, oldest first.
pub(crate) async fn within_the_hour(tx: &mut Tx, of: Of<'_>) -> anyhow::Result<Vec<Timestamp>> {
    let (column, value) = match of {
        Of::Author(author) => ("author", author),
        Of::Caller(caller) => ("caller", caller),
        Of::Line(line) => ("line", line),
    };
    let since = tx.now_ms() - i64::try_from(WINDOW.as_millis())?;
    let sql = format!("select at from text_count where {column} = $1 and at > $2 order by at");
    let times: Vec<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(value)
        .bind(since)
        .fetch_all(&mut *tx.inner)
        .await
        .context("counting texts")?;
    Ok(times.into_iter().map(super::timestamp).collect())
}
