//! What was texted within the last hour: what the limits are measured by.
//!
//! What nobody wrote, such as the text for a missed call, has no author and counts apart from what people write.

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
    /// Those that people sent to one caller.
    Caller(&'a str),
    /// Those that people sent from one line, by its number.
    Line(&'a str),
    /// Those that a line sent by itself.
    Machine(&'a str),
}

/// A text about to leave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    /// Our number.
    pub(crate) line: &'a str,
    pub(crate) caller: &'a str,
    /// Who wrote it; empty for what nobody wrote.
    pub(crate) author: &'a str,
    /// In how many parts it is billed.
    pub(crate) parts: usize,
}

/// A text that was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) at: Timestamp,
    pub(crate) parts: usize,
}

/// Counts one more, and forgets what is older than an hour.
pub(crate) async fn add(tx: &mut Tx, text: &Text<'_>) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query("delete from text_count where at < $1")
        .bind(now - i64::try_from(WINDOW.as_millis())?)
        .execute(&mut *tx.inner)
        .await
        .context("forgetting old counts")?;
    sqlx::query(
        "insert into text_count (id, line, caller, author, at, parts) values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(new_id())
    .bind(text.line)
    .bind(text.caller)
    .bind(text.author)
    .bind(now)
    .bind(i64::try_from(text.parts)?)
    .execute(&mut *tx.inner)
    .await
    .context("counting a text")?;
    Ok(())
}

/// The texts of the last hour, oldest first.
pub(crate) async fn within_the_hour(tx: &mut Tx, of: Of<'_>) -> anyhow::Result<Vec<Counted>> {
    let (whose, value) = match of {
        Of::Author(author) => ("author = $1", author),
        Of::Caller(caller) => ("caller = $1 and author <> ''", caller),
        Of::Line(line) => ("line = $1 and author <> ''", line),
        Of::Machine(line) => ("line = $1 and author = ''", line),
    };
    let since = tx.now_ms() - i64::try_from(WINDOW.as_millis())?;
    let sql = format!("select at, parts from text_count where {whose} and at > $2 order by at");
    let found: Vec<(i64, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(value)
        .bind(since)
        .fetch_all(&mut *tx.inner)
        .await
        .context("counting texts")?;
    let counted = |(at, parts)| Counted {
        at: super::timestamp(at),
        parts: usize::try_from(parts).unwrap_or(1),
    };
    Ok(found.into_iter().map(counted).collect())
}
