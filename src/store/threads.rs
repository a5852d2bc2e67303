//! Threads: the post that began each, the links between them, and when each was last compared with Slack.

use anyhow::Context;
use sqlx::FromRow;

use super::{Store, Tx};
use crate::vocabulary::{ConversationId, OutboxId};

/// One of our threads.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Thread {
    pub(crate) channel: String,
    /// The outbox row that posted the parent message; empty for threads of earlier versions.
    pub(crate) post_id: OutboxId,
    /// The `ts` of the conversation's previous thread in this channel; empty without one.
    pub(crate) previous_ts: String,
    /// The `ts` of the conversation's next thread; empty without one.
    pub(crate) next_ts: String,
}

/// Returns this thread.
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

/// Returns the channel and the `ts` of the conversation's thread that contains our post, or that it began: the last one that
/// began no later than the post.
pub(crate) async fn holding(
    tx: &mut Tx,
    conversation_id: &ConversationId,
    ts: &str,
) -> anyhow::Result<Option<(String, String)>> {
    // A ts has ten digits before its dot and six after it, so text order is time order.
    sqlx::query_as(
        "select channel, ts from thread where conversation_id = $1 and ts <= $2 order by ts desc limit 1",
    )
    .bind(conversation_id)
    .bind(ts)
    .fetch_optional(&mut *tx.inner)
    .await
    .context("looking for the thread of a post")
}

/// Records the outbox row that posted the parent message.
pub(crate) async fn set_post(
    tx: &mut Tx,
    channel: &str,
    ts: &str,
    post_id: &OutboxId,
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

/// Records that one thread continues in another.
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

/// A thread to compare with Slack.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Compared {
    pub(crate) channel: String,
    /// The `ts` of its parent message.
    pub(crate) ts: String,
    pub(crate) conversation_id: ConversationId,
    /// Our number.
    pub(crate) line: String,
    /// When it was last compared, in milliseconds since the Unix epoch; 0 for never.
    pub(crate) compared_at: i64,
    /// The `ts` of the newest message at that time; empty if it was never compared.
    pub(crate) compared_ts: String,
    /// When the conversation was last active.
    pub(crate) last_at: i64,
}

const COMPARED: &str = "select t.channel, t.ts, t.conversation_id, c.line, t.compared_at, t.compared_ts, c.last_at \
                        from thread t join conversation c on c.id = t.conversation_id";

/// Returns the current threads of a line, the last active first.
pub(crate) async fn lively(store: &Store, line: &str, limit: i64) -> anyhow::Result<Vec<Compared>> {
    let sql = format!(
        "{COMPARED} where c.line = $1 and t.channel = c.channel and t.ts = c.thread_ts order by c.last_at desc limit $2"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(line)
        .bind(limit)
        .fetch_all(store.reader())
        .await
        .context("listing lively threads")
}

/// Returns the threads of a line, of any age, the longest not compared first.
pub(crate) async fn longest_unread(
    store: &Store,
    line: &str,
    limit: i64,
) -> anyhow::Result<Vec<Compared>> {
    let sql = format!("{COMPARED} where c.line = $1 order by t.compared_at limit $2");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(line)
        .bind(limit)
        .fetch_all(store.reader())
        .await
        .context("listing threads that were not compared for long")
}

/// Returns this thread.
pub(crate) async fn to_compare(
    store: &Store,
    channel: &str,
    ts: &str,
) -> anyhow::Result<Option<Compared>> {
    let sql = format!("{COMPARED} where t.channel = $1 and t.ts = $2");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(channel)
        .bind(ts)
        .fetch_optional(store.reader())
        .await
        .context("looking for a thread")
}

/// Returns the channel and the `ts` of the conversation's latest threads.
pub(crate) async fn latest(
    store: &Store,
    conversation_id: &ConversationId,
    limit: i64,
) -> anyhow::Result<Vec<(String, String)>> {
    sqlx::query_as(
        "select channel, ts from thread where conversation_id = $1 order by opened_at desc limit $2",
    )
    .bind(conversation_id)
    .bind(limit)
    .fetch_all(store.reader())
    .await
    .context("listing a conversation's threads")
}

/// Records that a thread was compared, or that it was tried, with the `ts` of its newest message; empty if not known.
pub(crate) async fn set_compared(
    tx: &mut Tx,
    channel: &str,
    ts: &str,
    newest: &str,
) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query(
        "update thread set compared_at = $1, compared_ts = case when $2 > compared_ts then $2 else compared_ts end
         where channel = $3 and ts = $4",
    )
    .bind(now)
    .bind(newest)
    .bind(channel)
    .bind(ts)
    .execute(&mut *tx.inner)
    .await
    .context("keeping that a thread was compared")?;
    Ok(())
}
