//! Conversations, one for each caller on each line, and their threads.

use anyhow::Context;
use jiff::Timestamp;
use sqlx::FromRow;

use super::{Reads, Store, Tx, new_id, timestamp};
use crate::vocabulary::ConversationId;

/// The conversation of a caller on a line.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Conversation {
    pub(crate) id: ConversationId,
    /// Our number, in E.164.
    pub(crate) line: String,
    /// The caller's address as Twilio writes it.
    pub(crate) caller: String,
    /// The caller's place as Twilio last reported it, such as "San Diego, CA"; may be empty.
    pub(crate) place: String,
    /// The channel of the current thread; empty before the first post.
    pub(crate) channel: String,
    /// The `ts` of the current thread; empty while there is none.
    pub(crate) thread_ts: String,
    last_at: i64,
}

impl Conversation {
    /// When the last text or call, in either direction, was.
    pub(crate) fn last_at(&self) -> Timestamp {
        timestamp(self.last_at)
    }
}

/// Returns the conversation of `caller` on `line` and updates its last activity. Creates it if there is none. The returned
/// `last_at` is the one before the update.
pub(crate) async fn open(
    tx: &mut Tx,
    line: &str,
    caller: &str,
    place: &str,
) -> anyhow::Result<Conversation> {
    let now = tx.now_ms();
    // The caller needs the old last_at, which tells how long the conversation was idle.
    let before: Option<i64> =
        sqlx::query_scalar("select last_at from conversation where line = $1 and caller = $2")
            .bind(line)
            .bind(caller)
            .fetch_optional(&mut *tx.inner)
            .await
            .context("looking for a conversation")?;
    let mut conversation: Conversation = sqlx::query_as(
        "insert into conversation (id, line, caller, place, channel, thread_ts, opened_at, last_at)
         values ($1, $2, $3, $4, '', '', $5, $5)
         on conflict (line, caller) do update set last_at = excluded.last_at,
             place = case when excluded.place = '' then conversation.place else excluded.place end
         returning id, line, caller, place, channel, thread_ts, last_at",
    )
    .bind(new_id())
    .bind(line)
    .bind(caller)
    .bind(place)
    .bind(now)
    .fetch_one(&mut *tx.inner)
    .await
    .context("opening a conversation")?;
    conversation.last_at = before.unwrap_or(now);
    Ok(conversation)
}

/// Returns the conversation of `caller` on `line` without updating its last activity, for texts of the desk itself. Creates
/// it without a thread if there is none.
pub(crate) async fn begin_unnoticed(
    tx: &mut Tx,
    line: &str,
    caller: &str,
) -> anyhow::Result<Conversation> {
    let now = tx.now_ms();
    sqlx::query_as(
        "insert into conversation (id, line, caller, place, channel, thread_ts, opened_at, last_at)
         values ($1, $2, $3, '', '', '', $4, $4)
         on conflict (line, caller) do update set last_at = conversation.last_at
         returning id, line, caller, place, channel, thread_ts, last_at",
    )
    .bind(new_id())
    .bind(line)
    .bind(caller)
    .bind(now)
    .fetch_one(&mut *tx.inner)
    .await
    .context("beginning a conversation of the desk's own")
}

const BY_ID: &str =
    "select id, line, caller, place, channel, thread_ts, last_at from conversation where id = $1";

/// Returns the conversation with this id; an error if there is none.
pub(crate) async fn by_id(
    reads: impl Into<Reads<'_>>,
    id: &ConversationId,
) -> anyhow::Result<Conversation> {
    sqlx::query_as(BY_ID)
        .bind(id)
        .fetch_one(&mut *reads.into().connection().await?)
        .await
        .context("reading a conversation")
}

/// Returns the conversation of this thread, current or old.
pub(crate) async fn by_thread(
    tx: &mut Tx,
    channel: &str,
    root: &str,
) -> anyhow::Result<Option<Conversation>> {
    sqlx::query_as(
        "select c.id, c.line, c.caller, c.place, c.channel, c.thread_ts, c.last_at
         from conversation c join thread t on t.conversation_id = c.id where t.channel = $1 and t.ts = $2",
    )
    .bind(channel)
    .bind(root)
    .fetch_optional(&mut *tx.inner)
    .await
    .context("looking for a thread's conversation")
}

/// Records that this thread belongs to the conversation.
pub(crate) async fn add_thread(
    tx: &mut Tx,
    id: &ConversationId,
    channel: &str,
    root: &str,
) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query(
        "insert into thread (channel, ts, conversation_id, opened_at) values ($1, $2, $3, $4)
         on conflict (channel, ts) do nothing",
    )
    .bind(channel)
    .bind(root)
    .bind(id)
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("keeping a thread")?;
    Ok(())
}

/// Makes this thread the conversation's current one.
pub(crate) async fn bind_thread(
    tx: &mut Tx,
    id: &ConversationId,
    channel: &str,
    root: &str,
) -> anyhow::Result<()> {
    add_thread(tx, id, channel, root).await?;
    sqlx::query("update conversation set channel = $1, thread_ts = $2 where id = $3")
        .bind(channel)
        .bind(root)
        .bind(id)
        .execute(&mut *tx.inner)
        .await
        .context("moving a conversation to its new thread")?;
    Ok(())
}

/// Returns the conversations of a number that have a thread.
pub(crate) async fn of_caller(tx: &mut Tx, caller: &str) -> anyhow::Result<Vec<Conversation>> {
    sqlx::query_as(
        "select id, line, caller, place, channel, thread_ts, last_at from conversation
         where caller = $1 and thread_ts <> ''",
    )
    .bind(caller)
    .fetch_all(&mut *tx.inner)
    .await
    .context("listing the conversations of a number")
}

/// Returns all conversations of a number.
pub(crate) async fn all_of_caller(tx: &mut Tx, caller: &str) -> anyhow::Result<Vec<Conversation>> {
    sqlx::query_as(
        "select id, line, caller, place, channel, thread_ts, last_at from conversation where caller = $1",
    )
    .bind(caller)
    .fetch_all(&mut *tx.inner)
    .await
    .context("listing all conversations of a number")
}

/// Returns the conversation with this id, if it still exists.
pub(crate) async fn find(tx: &mut Tx, id: &ConversationId) -> anyhow::Result<Option<Conversation>> {
    sqlx::query_as(BY_ID)
        .bind(id)
        .fetch_optional(&mut *tx.inner)
        .await
        .context("looking for a conversation")
}

/// Whether this message is the parent of one of our threads.
pub(crate) async fn is_root(store: &Store, channel: &str, ts: &str) -> anyhow::Result<bool> {
    let found: Option<String> =
        sqlx::query_scalar("select conversation_id from thread where channel = $1 and ts = $2")
            .bind(channel)
            .bind(ts)
            .fetch_optional(store.reader())
            .await
            .context("looking for a root")?;
    Ok(found.is_some())
}

/// Updates the conversation's last activity.
pub(crate) async fn touch(tx: &mut Tx, id: &ConversationId) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query("update conversation set last_at = $1 where id = $2")
        .bind(now)
        .bind(id)
        .execute(&mut *tx.inner)
        .await
        .context("touching a conversation")?;
    Ok(())
}
