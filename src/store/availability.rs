//! The availability overrides that people set with the slash command.

use anyhow::Context;
use jiff::Timestamp;
use sqlx::FromRow;

use super::{Store, Tx, timestamp};
use crate::vocabulary::{AvailabilityState, Stored};

/// A person's override.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Row {
    pub(crate) person: String,
    pub(crate) state: Stored<AvailabilityState>,
    until: Option<i64>,
    pub(crate) reason: String,
    pub(crate) said_by: String,
    said_at: i64,
}

impl Row {
    /// When it expires; `None` means that it holds until it is changed.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.until.map(timestamp)
    }

    /// When it was set.
    pub(crate) fn said_at(&self) -> Timestamp {
        timestamp(self.said_at)
    }
}

/// Returns all overrides, including expired ones.
pub(crate) async fn all(store: &Store) -> anyhow::Result<Vec<Row>> {
    sqlx::query_as("select person, state, until, reason, said_by, said_at from presence_override")
        .fetch_all(store.reader())
        .await
        .context("reading what people said of their availability")
}

/// Returns a person's override, which may have expired.
pub(crate) async fn of(tx: &mut Tx, person: &str) -> anyhow::Result<Option<Row>> {
    sqlx::query_as(
        "select person, state, until, reason, said_by, said_at from presence_override where person = $1",
    )
    .bind(person)
    .fetch_optional(&mut *tx.inner)
    .await
    .context("reading what was said of an availability")
}

/// Sets a person's override.
pub(crate) async fn set(
    tx: &mut Tx,
    person: &str,
    state: AvailabilityState,
    until: Option<Timestamp>,
    reason: &str,
    said_by: &str,
) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query(
        "insert into presence_override (person, state, until, reason, said_by, said_at) values ($1, $2, $3, $4, $5, $6)
         on conflict (person) do update set state = excluded.state, until = excluded.until,
             reason = excluded.reason, said_by = excluded.said_by, said_at = excluded.said_at",
    )
    .bind(person)
    .bind(state.as_str())
    .bind(until.map(|at| at.as_millisecond()))
    .bind(reason)
    .bind(said_by)
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("keeping what was said of an availability")?;
    Ok(())
}
