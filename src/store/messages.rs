//! What people wrote, each once: (origin, external id) is the dedupe key.

use anyhow::Context;
use jiff::SignedDuration;
use sqlx::FromRow;

use super::{Store, Tx, new_id};

/// Where a message was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// By a caller; the external id is the MessageSid.
    Twilio,
    /// By the desk itself, such as the text for a missed call; the external id says what for.
    Desk,
    /// By a dispatcher; the external id is `channel:ts`. Slack's event ids are no key: one message was seen under eleven.
    Slack,
}

impl Origin {
    fn as_str(self) -> &'static str {
        match self {
            Origin::Twilio => "twilio",
            Origin::Desk => "desk",
            Origin::Slack => "slack",
        }
    }
}

/// A message about to be kept.
#[derive(Debug)]
pub(crate) struct NewMessage<'a> {
    pub(crate) conversation_id: &'a str,
    pub(crate) origin: Origin,
    pub(crate) external_id: &'a str,
    /// Who wrote it: the caller's number or the Slack user.
    pub(crate) author: &'a str,
    pub(crate) body: &'a str,
    /// The dispatcher's own message, where the marks go; empty for texts.
    pub(crate) channel: &'a str,
    pub(crate) ts: &'a str,
    /// A note, or a remark to a colleague: never sent.
    pub(crate) kept_inside: bool,
}

/// A kept message.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) external_id: String,
    /// Who wrote it: the caller's number or the Slack user.
    pub(crate) author: String,
    pub(crate) body: String,
    pub(crate) channel: String,
    pub(crate) ts: String,
    kept_inside: i64,
    /// The mark that Slack shows on it, empty for none.
    pub(crate) mark: String,
}

impl Message {
    /// Whether it must not reach the caller.
    pub(crate) fn is_kept_inside(&self) -> bool {
        self.kept_inside != 0
    }
}

/// How far back answers are looked for that may have crossed with another's.
const LATELY: SignedDuration = SignedDuration::from_mins(5);

/// Keeps the message; `None` if it was kept before.
pub(crate) async fn insert(tx: &mut Tx, new: &NewMessage<'_>) -> anyhow::Result<Option<String>> {
    let now = tx.now_ms();
    sqlx::query_scalar(
        "insert into message (id, conversation_id, origin, external_id, author, body, channel, ts, kept_inside, mark,
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
    .bind(i64::from(new.kept_inside))
    .bind(now)
    .fetch_optional(&mut *tx.inner)
    .await
    .context("keeping a message")
}

/// Whether the message is kept already.
pub(crate) async fn is_known(
    store: &Store,
    origin: Origin,
    external_id: &str,
) -> anyhow::Result<bool> {
    let found: Option<i64> =
        sqlx::query_scalar("select created_at from message where origin = $1 and external_id = $2")
            .bind(origin.as_str())
            .bind(external_id)
            .fetch_optional(store.reader())
            .await
            .context("looking for a message")?;
    Ok(found.is_some())
}

const BY_ID: &str = "select id, external_id, author, body, channel, ts, kept_inside, mark from message where id = $1";

/// The message with this id.
pub(crate) async fn by_id(store: &Store, id: &str) -> anyhow::Result<Message> {
    sqlx::query_as(BY_ID)
        .bind(id)
        .fetch_one(store.reader())
        .await
        .context("reading a message")
}

/// The same inside a transaction.
pub(crate) async fn by_id_in(tx: &mut Tx, id: &str) -> anyhow::Result<Message> {
    sqlx::query_as(BY_ID)
        .bind(id)
        .fetch_one(&mut *tx.inner)
        .await
        .context("reading a message")
}

/// What others than `author` have lately answered in a conversation: who, and the ts. What was held back is no answer.
pub(crate) async fn answers_by_others(
    tx: &mut Tx,
    conversation_id: &str,
    author: &str,
) -> anyhow::Result<Vec<(String, String)>> {
    let since = tx.now_ms() - i64::try_from(LATELY.as_millis())?;
    sqlx::query_as(
        "select author, ts from message m where conversation_id = $1 and created_at >= $2 and origin = 'slack'
             and kept_inside = 0 and author <> $3
             and not exists (select 1 from held where held.message_id = m.id and held.state <> 'sent')",
    )
    .bind(conversation_id)
    .bind(since)
    .bind(author)
    .fetch_all(&mut *tx.inner)
    .await
    .context("looking for the answers of others")
}

/// Keeps that the message must not reach the caller.
pub(crate) async fn keep_inside(tx: &mut Tx, id: &str) -> anyhow::Result<()> {
    sqlx::query("update message set kept_inside = 1 where id = $1")
        .bind(id)
        .execute(&mut *tx.inner)
        .await
        .context("keeping a message inside")?;
    Ok(())
}

/// Whether this is a message that stands in Slack.
pub(crate) async fn is_in_slack(tx: &mut Tx, id: &str) -> anyhow::Result<bool> {
    let found: Option<String> =
        sqlx::query_scalar("select id from message where id = $1 and ts <> ''")
            .bind(id)
            .fetch_optional(&mut *tx.inner)
            .await
            .context("looking for a message in Slack")?;
    Ok(found.is_some())
}

/// Whether a caller wrote this message.
pub(crate) async fn is_from_caller(tx: &mut Tx, id: &str) -> anyhow::Result<bool> {
    let found: Option<String> =
        sqlx::query_scalar("select id from message where id = $1 and origin = 'twilio'")
            .bind(id)
            .fetch_optional(&mut *tx.inner)
            .await
            .context("looking for who wrote a message")?;
    Ok(found.is_some())
}

/// What a caller wrote last in a conversation; empty if nothing.
pub(crate) async fn last_text(tx: &mut Tx, conversation_id: &str) -> anyhow::Result<String> {
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

/// Keeps which mark Slack shows.
pub(crate) async fn set_mark(tx: &mut Tx, id: &str, mark: &str) -> anyhow::Result<()> {
    sqlx::query("update message set mark = $1 where id = $2")
        .bind(mark)
        .bind(id)
        .execute(&mut *tx.inner)
        .await
        .context("keeping a mark")?;
    Ok(())
}
