//! Replies in a thread whose parent message we posted but do not know yet.

use anyhow::Context;
use jiff::SignedDuration;

use super::Tx;

/// How long a reply waits. If its parent is not known by then, the thread is not ours.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// Stores a reply's event until its thread is known.
pub(crate) async fn park(
    tx: &mut Tx,
    channel: &str,
    root: &str,
    ts: &str,
    event: &str,
) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query("delete from deferred_reply where received_at < $1")
        .bind(now - i64::try_from(KEPT.as_millis())?)
        .execute(&mut *tx.inner)
        .await
        .context("forgetting parked replies")?;
    sqlx::query(
        "insert into deferred_reply (channel, root, ts, event, received_at) values ($1, $2, $3, $4, $5)
         on conflict (channel, ts) do nothing",
    )
    .bind(channel)
    .bind(root)
    .bind(ts)
    .bind(event)
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("parking a reply")?;
    Ok(())
}

/// Removes and returns the events that waited for this thread, oldest first.
pub(crate) async fn unpark(tx: &mut Tx, channel: &str, root: &str) -> anyhow::Result<Vec<String>> {
    let mut replies: Vec<(String, String)> = sqlx::query_as(
        "delete from deferred_reply where channel = $1 and root = $2 returning ts, event",
    )
    .bind(channel)
    .bind(root)
    .fetch_all(&mut *tx.inner)
    .await
    .context("taking parked replies")?;
    // A ts has ten digits before its dot and six after it, so text order is time order.
    replies.sort();
    Ok(replies.into_iter().map(|(_, event)| event).collect())
}

/// Removes a waiting reply that was edited or deleted. Returns whether there was one.
pub(crate) async fn forget(tx: &mut Tx, channel: &str, ts: &str) -> anyhow::Result<bool> {
    let forgotten = sqlx::query("delete from deferred_reply where channel = $1 and ts = $2")
        .bind(channel)
        .bind(ts)
        .execute(&mut *tx.inner)
        .await
        .context("forgetting a parked reply")?;
    Ok(forgotten.rows_affected() > 0)
}
