//! Counts the texts of the last hour for the rate limits.
//!
//! Automatic texts, such as the missed-call text, have no author and count separately from what people write.

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};

use super::{Tx, new_id};

/// The period of the rate limits.
pub(crate) const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// Selects the texts to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of<'a> {
    /// The texts of one person.
    Author(&'a str),
    /// The texts of people to one caller.
    Caller(&'a str),
    /// The texts of people from one line, by its number.
    Line(&'a str),
    /// The automatic texts of one line, by its number.
    Machine(&'a str),
}

/// A text to count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    /// Our number.
    pub(crate) line: &'a str,
    pub(crate) caller: &'a str,
    /// The author; empty for an automatic text.
    pub(crate) author: &'a str,
    /// The number of billed segments.
    pub(crate) parts: usize,
}

/// A counted text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) at: Timestamp,
    pub(crate) parts: usize,
}

/// Counts a text, and deletes counts that are older than an hour.
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

/// Returns the texts of the last hour, oldest first.
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
