//! Texts of new callers that are shown in a list until their callers have threads.

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::outbox::{self, Row};
use super::{Reads, Store, Tx, timestamp};
use crate::slack::Content;
use crate::vocabulary::{ConversationId, DeliveryState, MessageId, OutboxId};

/// The stored content of a listed text.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    content: Content,
    /// Notices about it that are posted once its caller has a thread.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notices: Vec<Content>,
}

impl Kept {
    fn read(kept: &str) -> anyhow::Result<Kept> {
        serde_json::from_str(kept).context("reading a listed text")
    }
}

/// A listed text.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Listed {
    pub(crate) conversation_id: ConversationId,
    list_id: OutboxId,
    content: String,
    came_at: i64,
    opened_by: OutboxId,
}

impl Listed {
    /// Returns what the list shows.
    pub(crate) fn content(&self) -> anyhow::Result<Content> {
        Ok(Kept::read(&self.content)?.content)
    }

    pub(crate) fn came(&self) -> Timestamp {
        timestamp(self.came_at)
    }

    /// Returns the outbox row of its list.
    pub(crate) fn list(&self) -> &OutboxId {
        &self.list_id
    }

    /// Returns the outbox row of the parent message that shows it; empty while there is none.
    pub(crate) fn opened_by(&self) -> &OutboxId {
        &self.opened_by
    }

    /// Whether its caller has a thread that shows it.
    pub(crate) fn is_opened(&self) -> bool {
        !self.opened_by.is_empty()
    }
}

const COLUMNS: &str = "conversation_id, list_id, content, came_at, opened_by";

/// Appends a text to a list.
pub(crate) async fn put(
    tx: &mut Tx,
    list: &str,
    conversation_id: &ConversationId,
    message_id: &MessageId,
    content: &Content,
) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query(
        "insert into listed (message_id, conversation_id, list_id, n, content, came_at, opened_by)
         select $1, $2, $3, count(*), $4, $5, '' from listed where list_id = $3",
    )
    .bind(message_id)
    .bind(conversation_id)
    .bind(list)
    .bind(serde_json::to_string(&Kept {
        content: content.clone(),
        notices: Vec::new(),
    })?)
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("listing a text")?;
    Ok(())
}

/// Returns the texts of a list, in order.
pub(crate) async fn of_list(
    reads: impl Into<Reads<'_>>,
    list: &str,
) -> anyhow::Result<Vec<Listed>> {
    let sql = format!("select {COLUMNS} from listed where list_id = $1 order by n");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(list)
        .fetch_all(&mut *reads.into().connection().await?)
        .await
        .context("reading a list")
}

/// Returns the texts of a conversation that no thread shows yet, in order.
pub(crate) async fn waiting(
    store: &Store,
    conversation_id: &ConversationId,
) -> anyhow::Result<Vec<Listed>> {
    let sql = format!(
        "select {COLUMNS} from listed where conversation_id = $1 and opened_by = '' order by came_at, list_id, n"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(conversation_id)
        .fetch_all(store.reader())
        .await
        .context("reading a caller's listed texts")
}

/// Returns the texts that a parent message shows, in order.
pub(crate) async fn opened_by(store: &Store, post: &OutboxId) -> anyhow::Result<Vec<Listed>> {
    if post.is_empty() {
        return Ok(Vec::new());
    }
    let sql =
        format!("select {COLUMNS} from listed where opened_by = $1 order by came_at, list_id, n");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(post)
        .fetch_all(store.reader())
        .await
        .context("reading what was listed before")
}

/// Returns how many texts of a conversation no thread shows yet, and how many of these are in lists that are not posted yet.
pub(crate) async fn count_waiting(
    tx: &mut Tx,
    conversation_id: &ConversationId,
) -> anyhow::Result<(i64, i64)> {
    sqlx::query_as(
        "select count(*), count(case when o.pending = 1 then 1 end) from listed l join outbox o on o.id = l.list_id
         where l.conversation_id = $1 and l.opened_by = ''",
    )
    .bind(conversation_id)
    .fetch_one(&mut *tx.inner)
    .await
    .context("counting a caller's listed texts")
}

/// The consequences of a new thread for the listed texts of its conversation.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    pub(crate) lists: Vec<OutboxId>,
    /// The notices to post in the thread, in order.
    pub(crate) notices: Vec<Content>,
}

/// Records that a parent message shows the listed texts of its conversation. Returns the affected lists and the notices.
pub(crate) async fn open(
    tx: &mut Tx,
    conversation_id: &ConversationId,
    post: &OutboxId,
) -> anyhow::Result<Opened> {
    let mut texts: Vec<(i64, OutboxId, i64, String)> = sqlx::query_as(
        "update listed set opened_by = $1 where conversation_id = $2 and opened_by = ''
         returning came_at, list_id, n, content",
    )
    .bind(post)
    .bind(conversation_id)
    .fetch_all(&mut *tx.inner)
    .await
    .context("keeping that listed texts have a thread")?;
    texts.sort();
    let mut opened = Opened::default();
    for (_, list, _, kept) in texts {
        opened.lists.push(list);
        opened.notices.extend(Kept::read(&kept)?.notices);
    }
    opened.lists.sort();
    opened.lists.dedup();
    Ok(opened)
}

/// Stores a notice about a caller who has no thread yet, since a notice must not begin one. Returns `false` if the caller has
/// no listed text without a thread.
pub(crate) async fn say_later(
    tx: &mut Tx,
    conversation_id: &ConversationId,
    notice: &Content,
) -> anyhow::Result<bool> {
    let last: Option<(MessageId, String)> = sqlx::query_as(
        "select l.message_id, l.content from listed l join conversation c on c.id = l.conversation_id
         where l.conversation_id = $1 and l.opened_by = '' and c.thread_ts = ''
         order by l.came_at desc, l.list_id desc, l.n desc limit 1",
    )
    .bind(conversation_id)
    .fetch_optional(&mut *tx.inner)
    .await
    .context("looking for a caller's last listed text")?;
    let Some((message_id, kept)) = last else {
        return Ok(false);
    };
    let mut kept = Kept::read(&kept)?;
    kept.notices.push(notice.clone());
    save(tx, &message_id, &kept).await?;
    Ok(true)
}

/// Returns the listed text of this message.
pub(crate) async fn of_message(
    tx: &mut Tx,
    message_id: &MessageId,
) -> anyhow::Result<Option<Listed>> {
    let sql = format!("select {COLUMNS} from listed where message_id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(message_id)
        .fetch_optional(&mut *tx.inner)
        .await
        .context("looking for a listed text")
}

/// Replaces the content of a listed text.
pub(crate) async fn change(
    tx: &mut Tx,
    message_id: &MessageId,
    content: Content,
) -> anyhow::Result<()> {
    let Some(text) = of_message(tx, message_id).await? else {
        return Ok(());
    };
    let kept = Kept {
        content,
        ..Kept::read(&text.content)?
    };
    save(tx, message_id, &kept).await
}

async fn save(tx: &mut Tx, message_id: &MessageId, kept: &Kept) -> anyhow::Result<()> {
    sqlx::query("update listed set content = $1 where message_id = $2")
        .bind(serde_json::to_string(kept)?)
        .bind(message_id)
        .execute(&mut *tx.inner)
        .await
        .context("changing a listed text")?;
    Ok(())
}

/// Whether a thread shows a listed text; `None` if the text was not listed.
pub(crate) async fn is_opened(
    store: &Store,
    message_id: &MessageId,
) -> anyhow::Result<Option<bool>> {
    let opened_by: Option<String> =
        sqlx::query_scalar("select opened_by from listed where message_id = $1")
            .bind(message_id)
            .fetch_optional(store.reader())
            .await
            .context("looking whether a text is listed")?;
    Ok(opened_by.map(|post| !post.is_empty()))
}

/// Returns the list at the end of this lane, if it was never tried.
pub(crate) async fn last(tx: &mut Tx, lane: &str) -> anyhow::Result<Option<Row>> {
    let sql = format!(
        "select {} from outbox where lane = $1 and pending = 1 order by seq desc limit 1",
        outbox::COLUMNS
    );
    let last: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(lane)
        .fetch_optional(&mut *tx.inner)
        .await
        .context("reading the last list")?;
    Ok(last.filter(|row| row.attempts == 0 && row.state == DeliveryState::Waiting))
}

/// Returns how many callers of a throttle wait for the first post of their thread, counting to at most `most`.
pub(crate) async fn newcomers(tx: &mut Tx, throttle: &str, most: i64) -> anyhow::Result<i64> {
    sqlx::query_scalar(
        "select count(*) from (
             select c.id from lane l join conversation c on c.id = substr(l.id, 8)
             where l.throttle = $1 and l.due is not null and l.id like 'thread:%' and c.thread_ts = '' limit $2) waiting",
    )
    .bind(throttle)
    .bind(most)
    .fetch_one(&mut *tx.inner)
    .await
    .context("counting new callers")
}

/// Whether a delivery of this throttle is due or in progress.
pub(crate) async fn is_busy(store: &Store, throttle: &str) -> anyhow::Result<bool> {
    let found: Option<String> =
        sqlx::query_scalar("select id from lane where throttle = $1 and due <= $2 limit 1")
            .bind(throttle)
            .bind(store.now().as_millisecond())
            .fetch_optional(store.reader())
            .await
            .context("looking whether a throttle has room")?;
    Ok(found.is_some())
}

/// Returns the conversation of a line that has been in a posted list without a thread for longest.
pub(crate) async fn oldest(store: &Store, line: &str) -> anyhow::Result<Option<ConversationId>> {
    sqlx::query_scalar(
        "select l.conversation_id from listed l join conversation c on c.id = l.conversation_id
             join outbox o on o.id = l.list_id
         where l.opened_by = '' and c.line = $1 and o.pending = 0 order by l.came_at, l.n limit 1",
    )
    .bind(line)
    .fetch_optional(store.reader())
    .await
    .context("looking for a listed caller")
}

/// Whether one of our messages is a list.
pub(crate) async fn is_one(tx: &mut Tx, ts: &str) -> anyhow::Result<bool> {
    let found: Option<String> =
        sqlx::query_scalar("select id from outbox where external_id = $1 and kind = 'list'")
            .bind(ts)
            .fetch_optional(&mut *tx.inner)
            .await
            .context("looking for a list")?;
    Ok(found.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the column `content` holds, as each released version wrote it.
    #[test]
    fn a_listed_text_is_read_as_it_was_kept() {
        let section = r#"{"text":{"text":"Help","type":"mrkdwn"},"type":"section"}"#;
        for (stored, blocks, notices) in [
            (r#"{"text":"Help"}"#.to_owned(), false, 0),
            (
                format!(r#"{{"text":"Help","blocks":[{section}]}}"#),
                true,
                0,
            ),
            (
                r#"{"text":"Help","notices":[{"text":"It was not sent."}]}"#.to_owned(),
                false,
                1,
            ),
        ] {
            let kept = Kept::read(&stored).unwrap();
            assert_eq!(kept.content.text, "Help");
            assert_eq!(kept.content.blocks.is_some(), blocks, "{stored}");
            assert_eq!(kept.notices.len(), notices, "{stored}");
            assert_eq!(serde_json::to_string(&kept).unwrap(), stored);
        }
        assert!(Kept::read("{}").is_err());
    }
}
