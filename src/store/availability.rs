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

/// An override to set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewOverride<'a> {
    pub(crate) person: &'a str,
    pub(crate) state: AvailabilityState,
    /// When it expires; `None` means that it holds until it is changed.
    pub(crate) until: Option<Timestamp>,
    pub(crate) reason: &'a str,
    /// The Slack user who set it.
    pub(crate) said_by: &'a str,
}

/// Sets a person's override.
pub(crate) async fn set(tx: &mut Tx, new: &NewOverride<'_>) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query(
        "insert into presence_override (person, state, until, reason, said_by, said_at) values ($1, $2, $3, $4, $5, $6)
         on conflict (person) do update set state = excluded.state, until = excluded.until,
             reason = excluded.reason, said_by = excluded.said_by, said_at = excluded.said_at",
    )
    .bind(new.person)
    .bind(new.state.as_str())
    .bind(new.until.map(|at| at.as_millisecond()))
    .bind(new.reason)
    .bind(new.said_by)
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("keeping what was said of an availability")?;
    Ok(())
}
