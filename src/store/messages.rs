//! Messages, each stored once: (origin, external id) is the deduplication key.

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use sqlx::FromRow;

use super::daily_stats::{self, Tally};
use super::{Reads, Store, Tx, new_id};
use crate::vocabulary::Origin;
use crate::vocabulary::{ConversationId, MessageId};

/// A message to store.
#[derive(Debug)]
pub(crate) struct NewMessage<'a> {
    pub(crate) conversation_id: &'a ConversationId,
    pub(crate) origin: Origin,
    pub(crate) external_id: &'a str,
    /// The author: the caller's number or the Slack user.
    pub(crate) author: &'a str,
    pub(crate) body: &'a str,
    /// The channel of the dispatcher's message, which gets the marks; empty for texts.
    pub(crate) channel: &'a str,
    pub(crate) ts: &'a str,
    /// Whether it is a note or a remark to a colleague, which is never sent.
    pub(crate) internal: bool,
}

/// A stored message.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Message {
    pub(crate) id: MessageId,
    pub(crate) conversation_id: ConversationId,
    pub(crate) external_id: String,
    /// The author: the caller's number or the Slack user.
    pub(crate) author: String,
    pub(crate) body: String,
    pub(crate) channel: String,
    pub(crate) ts: String,
    /// The `ts` of its last edit; empty if it was never edited.
    pub(crate) edited_ts: String,
    deleted: i64,
    internal: i64,
    /// The mark that Slack shows on it; empty for none.
    pub(crate) mark: String,
}

impl Message {
    /// Whether its writer has deleted it.
    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted != 0
    }

    /// Whether it is internal and must not reach the caller.
    pub(crate) fn is_internal(&self) -> bool {
        self.internal != 0
    }
}

/// How old another person's answer may be to count as crossing with a new one.
const LATELY: SignedDuration = SignedDuration::from_mins(5);

/// Stores a message. Returns its id; `None` if it was stored before.
pub(crate) async fn insert(tx: &mut Tx, new: &NewMessage<'_>) -> anyhow::Result<Option<MessageId>> {
    let now = tx.now_ms();
    let kept: Option<MessageId> = sqlx::query_scalar(
        "insert into message (id, conversation_id, origin, external_id, author, body, channel, ts, internal, mark,
                              created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', $10)
         on conflict (origin, external_id) do nothing returning id",
    )
    .bind(new_id())
    .bind(new.conversation_id)
    .bind(new.origin.as_str())
    .bind(new.external_id)
    .bind(new.author)
    .bind(new.body)
    .bind(new.channel)
    .bind(new.ts)
    .bind(i64::from(new.internal))
    .bind(now)
    .fetch_optional(&mut *tx.inner)
    .await
    .context("keeping a message")?;
    if kept.is_some() {
        let more = Tally {
            texts: i64::from(new.origin == Origin::Twilio),
            replies: i64::from(new.origin == Origin::Slack && !new.internal),
            ..Tally::default()
        };
        daily_stats::add_to(tx, new.conversation_id, now, more).await?;
    }
    Ok(kept)
}

/// When a text was stored, and when it arrived at Twilio if it is marked as late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub(crate) struct KeptText {
    pub(crate) created_at: i64,
    pub(crate) came_at: Option<i64>,
}

/// Returns a text's times; `None` if it is not stored.
pub(crate) async fn kept_text(store: &Store, sid: &str) -> anyhow::Result<Option<KeptText>> {
    sqlx::query_as(
        "select created_at, came_at from message where origin = 'twilio' and external_id = $1",
    )
    .bind(sid)
    .fetch_optional(store.reader())
    .await
    .context("looking for a text")
}

/// Records when a text arrived by Twilio's clock, which means that it is marked as late.
pub(crate) async fn set_came_at(tx: &mut Tx, id: &MessageId, at: Timestamp) -> anyhow::Result<()> {
    sqlx::query("update message set came_at = $1 where id = $2")
        .bind(at.as_millisecond())
        .bind(id)
        .execute(&mut *tx.inner)
        .await
        .context("keeping when a text came")?;
    Ok(())
}

/// Returns the `ts` of a message's last edit, empty if it was never edited; `None` if it is not stored.
pub(crate) async fn known_edit(
    store: &Store,
    origin: Origin,
    external_id: &str,
) -> anyhow::Result<Option<String>> {
    sqlx::query_scalar("select edited_ts from message where origin = $1 and external_id = $2")
        .bind(origin.as_str())
        .bind(external_id)
        .fetch_optional(store.reader())
        .await
        .context("looking for a message")
}

/// Returns the message with this external id.
pub(crate) async fn by_external_id(
    tx: &mut Tx,
    origin: Origin,
    external_id: &str,
) -> anyhow::Result<Option<Message>> {
    let sql = format!("select {COLUMNS} from message where origin = $1 and external_id = $2");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(origin.as_str())
        .bind(external_id)
        .fetch_optional(&mut *tx.inner)
        .await
        .context("looking for a message")
}

/// Stores the edited text of a message.
pub(crate) async fn set_edited(
    tx: &mut Tx,
    id: &MessageId,
    body: &str,
    edited_ts: &str,
) -> anyhow::Result<()> {
    sqlx::query("update message set body = $1, edited_ts = $2 where id = $3")
        .bind(body)
        .bind(edited_ts)
        .bind(id)
        .execute(&mut *tx.inner)
        .await
        .context("keeping an edit")?;
    Ok(())
}

/// Stores the channel and the `ts` of a text that somebody sent first, where its mark goes. Returns `false` for any other
/// message.
pub(crate) async fn set_place(
    tx: &mut Tx,
    id: &MessageId,
    channel: &str,
    ts: &str,
) -> anyhow::Result<bool> {
    let placed = sqlx::query(
        "update message set channel = $1, ts = $2 where id = $3 and origin = 'desk' and external_id like 'first:%'",
    )
    .bind(channel)
    .bind(ts)
    .bind(id)
    .execute(&mut *tx.inner)
    .await
    .context("keeping where a text stands")?;
    Ok(placed.rows_affected() == 1)
}

/// Records that its writer has deleted a message.
pub(crate) async fn set_deleted(tx: &mut Tx, id: &MessageId) -> anyhow::Result<()> {
    sqlx::query("update message set deleted = 1 where id = $1")
        .bind(id)
        .execute(&mut *tx.inner)
        .await
        .context("keeping that a message was deleted")?;
    Ok(())
}

const COLUMNS: &str = "id, conversation_id, external_id, author, body, channel, ts, edited_ts, deleted, internal, mark";

/// Returns the message with this id; an error if there is none.
pub(crate) async fn by_id(reads: impl Into<Reads<'_>>, id: &MessageId) -> anyhow::Result<Message> {
    let sql = format!("select {COLUMNS} from message where id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(id)
        .fetch_one(&mut *reads.into().connection().await?)
        .await
        .context("reading a message")
}

/// Returns recent replies in a conversation by others than `author`: author and `ts`. Leaves out replies that were not sent.
pub(crate) async fn answers_by_others(
    tx: &mut Tx,
    conversation_id: &ConversationId,
    author: &str,
) -> anyhow::Result<Vec<(String, String)>> {
    let since = tx.now_ms() - i64::try_from(LATELY.as_millis())?;
    sqlx::query_as(
        "select author, ts from message m where conversation_id = $1 and created_at >= $2 and origin = 'slack'
             and internal = 0 and author <> $3
             and not exists (select 1 from confirmation where confirmation.message_id = m.id and confirmation.state <> 'sent')",
    )
    .bind(conversation_id)
    .bind(since)
    .bind(author)
    .fetch_all(&mut *tx.inner)
    .await
    .context("looking for the answers of others")
}

/// Records that the message is internal and must not reach the caller.
pub(crate) async fn set_internal(tx: &mut Tx, id: &MessageId) -> anyhow::Result<()> {
    let kept: Option<(ConversationId, String, i64)> = sqlx::query_as(
        "update message set internal = 1 where id = $1 and internal = 0
         returning conversation_id, origin, created_at",
    )
    .bind(id)
    .fetch_optional(&mut *tx.inner)
    .await
    .context("keeping a message inside")?;
    if let Some((conversation_id, origin, created_at)) = kept
        && origin == Origin::Slack.as_str()
    {
        let less = Tally {
            replies: -1,
            ..Tally::default()
        };
        daily_stats::add_to(tx, &conversation_id, created_at, less).await?;
    }
    Ok(())
}

/// Whether the message exists in Slack.
pub(crate) async fn is_in_slack(tx: &mut Tx, id: &MessageId) -> anyhow::Result<bool> {
    let found: Option<String> =
        sqlx::query_scalar("select id from message where id = $1 and ts <> ''")
            .bind(id)
            .fetch_optional(&mut *tx.inner)
            .await
            .context("looking for a message in Slack")?;
    Ok(found.is_some())
}

/// Whether a caller wrote the message.
pub(crate) async fn is_from_caller(tx: &mut Tx, id: &MessageId) -> anyhow::Result<bool> {
    let found: Option<String> =
        sqlx::query_scalar("select id from message where id = $1 and origin = 'twilio'")
            .bind(id)
            .fetch_optional(&mut *tx.inner)
            .await
            .context("looking for who wrote a message")?;
    Ok(found.is_some())
}

/// Returns the caller's last text in a conversation; empty if there is none.
pub(crate) async fn last_text(
    tx: &mut Tx,
    conversation_id: &ConversationId,
) -> anyhow::Result<String> {
    let found: Option<String> = sqlx::query_scalar(
        "select body from message where conversation_id = $1 and origin = 'twilio'
         order by created_at desc, id desc limit 1",
    )
    .bind(conversation_id)
    .fetch_optional(&mut *tx.inner)
    .await
    .context("looking for a caller's last text")?;
    Ok(found.unwrap_or_default())
}

/// Records the mark that Slack shows.
pub(crate) async fn set_mark(tx: &mut Tx, id: &MessageId, mark: &str) -> anyhow::Result<()> {
    sqlx::query("update message set mark = $1 where id = $2")
        .bind(mark)
        .bind(id)
        .execute(&mut *tx.inner)
        .await
        .context("keeping a mark")?;
    Ok(())
}
