//! The roots of threads: which post each is, and which came before and after it.

use anyhow::Context;
use sqlx::FromRow;

use super::{Store, Tx};

/// A thread of ours.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Thread {
    pub(crate) channel: String,
    /// The outbox row whose words the root shows; empty for roots of earlier versions.
    pub(crate) post_id: String,
    /// The root of the thread before it in its channel, empty without one.
    pub(crate) previous_ts: String,
    /// The root of the thread after it.
    pub(crate) next_ts: String,
}

/// The thread with this root.
pub(crate) async fn read(store: &Store, channel: &str, ts: &str) -> anyhow::Result<Option<Thread>> {
    sqlx::query_as(
        "select channel, post_id, previous_ts, next_ts from thread where channel = $1 and ts = $2",
    )
    .bind(channel)
    .bind(ts)
    .fetch_optional(store.reader())
    .await
    .context("reading a thread")
}

/// Keeps which outbox row posted a root.
pub(crate) async fn set_post(
    tx: &mut Tx,
    channel: &str,
    ts: &str,
    post_id: &str,
) -> anyhow::Result<()> {
    sqlx::query("update thread set post_id = $1 where channel = $2 and ts = $3")
        .bind(post_id)
        .bind(channel)
        .bind(ts)
        .execute(&mut *tx.inner)
        .await
        .context("keeping what a root shows")?;
    Ok(())
}

/// Keeps that one thread goes on in another.
pub(crate) async fn link(
    tx: &mut Tx,
    channel: &str,
    previous: &str,
    next: &str,
) -> anyhow::Result<()> {
    sqlx::query("update thread set next_ts = $1 where channel = $2 and ts = $3")
        .bind(next)
        .bind(channel)
        .bind(previous)
        .execute(&mut *tx.inner)
        .await
        .context("linking a thread to the next")?;
    sqlx::query("update thread set previous_ts = $1 where channel = $2 and ts = $3")
        .bind(previous)
        .bind(channel)
        .bind(next)
        .execute(&mut *tx.inner)
        .await
        .context("linking a thread to the one before")?;
    Ok(())
}
