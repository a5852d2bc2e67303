//! Removes what people wrote: that of one number on request, everybody's after a time.
//!
//! The rows in `message` stay without their text: otherwise the backfill would find the text in Twilio's log and show it
//! again. The audit trail contains no words and stays complete.

use anyhow::Context;
use jiff::Timestamp;
use serde_json::json;

use super::audit::NewEntry;
use super::{Store, Tx, lanes, scrub, taken};
use crate::vocabulary::ConversationId;
use crate::vocabulary::Decision;

/// The most rows of a table that one transaction of [`older_than`] changes. A caller's text must not wait long for it.
const AT_ONCE: i64 = 500;

/// The counts of what was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// The texts and replies.
    pub messages: u64,
    /// The deliveries that were dropped because they had not been made.
    pub given_up: u64,
}

/// Selects a conversation's rows in outbox and message: its own, and those of texts to colleagues about it.
const OF_CONVERSATION: &str = "(conversation_id = $1 or message_id in (select message_id from escalation where conversation_id = $1))";

/// Selects the outbox rows of lists that contain texts of the conversation, and of their edits.
const OF_LISTS: &str = "id in (select list_id from listed where conversation_id = $1) \
                        or lane in (select 'listing:' || list_id from listed where conversation_id = $1)";

/// Returns the number of a conversation's deliveries in progress, which still need their words.
pub(crate) async fn under_way(
    tx: &mut Tx,
    conversation_id: &ConversationId,
) -> anyhow::Result<i64> {
    let sql = format!(
        "select count(*) from outbox where state in ('sending', 'unknown') and ({OF_CONVERSATION} or {OF_LISTS})"
    );
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(conversation_id)
        .fetch_one(&mut *tx.inner)
        .await
        .context("looking what is under way")
}

/// Removes everything that was written in a conversation, and its caller's name and place.
pub(crate) async fn conversation(
    tx: &mut Tx,
    conversation_id: &ConversationId,
) -> anyhow::Result<Forgotten> {
    let now = tx.now_ms();
    let given_up = format!(
        "update outbox set state = 'dropped', pending = 0, last_error = 'erased', updated_at = $2
         where {OF_CONVERSATION} and (pending = 1 or state in ('asked', 'undecided')) returning lane"
    );
    let lanes: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(given_up))
        .bind(conversation_id)
        .bind(now)
        .fetch_all(&mut *tx.inner)
        .await
        .context("giving up what was to be delivered")?;
    for lane in &lanes {
        lanes::advance(tx, lane).await?;
    }
    let messages = "update message set body = '' where (conversation_id = $1
             or id in (select message_id from escalation where conversation_id = $1)) and body <> ''";
    let messages = run(tx, messages, conversation_id).await?;
    for sql in [
        &format!("update outbox set payload = '{{}}' where {OF_CONVERSATION}"),
        // An announcement about several callers refers to no conversation. Once it is posted, its words are not needed.
        "update outbox set payload = '{}' where conversation_id = '' and kind in ('announce', 'update') and pending = 0
            and payload <> '{}' and exists (select 1 from conversation where id = $1)",
        "delete from deferred_reply where exists (select 1 from thread
            where channel = deferred_reply.channel and ts = deferred_reply.root and conversation_id = $1)",
        "delete from edit where conversation_id = $1",
        "delete from confirmation where conversation_id = $1",
        "delete from listed where conversation_id = $1",
        "delete from outbound_media where conversation_id = $1",
        "delete from conversation_status where conversation_id = $1",
        "update call set recording = '' where conversation_id = $1",
        "delete from caller_name where number = (select caller from conversation where id = $1)",
        // The next text starts a new thread, since the old one's parent message cannot be rendered any more.
        "update conversation set place = '', thread_ts = '' where id = $1",
    ] {
        run(tx, sql, conversation_id).await?;
    }
    taken::forget_answers(tx).await?;
    scrub::want(tx).await?;
    Ok(Forgotten {
        messages,
        given_up: lanes.len() as u64,
    })
}

async fn run(tx: &mut Tx, sql: &str, conversation_id: &ConversationId) -> anyhow::Result<u64> {
    let done = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()))
        .bind(conversation_id)
        .execute(&mut *tx.inner)
        .await
        .context("taking words away")?;
    Ok(done.rows_affected())
}

/// Removes some of the words from before `before` whose delivery is over. Returns the number of changed rows.
pub(crate) async fn older_than(store: &Store, before: Timestamp) -> anyhow::Result<u64> {
    let mut tx = store.begin().await?;
    let mut changed = 0;
    for sql in [
        "update message set body = '' where id in (
             select id from message where created_at < $1 and body <> '' and not exists (
                 select 1 from outbox where outbox.message_id = message.id
                 and (outbox.pending = 1 or outbox.state in ('asked', 'undecided')))
             limit $2)",
        "update outbox set payload = '{}' where id in (
             select id from outbox where created_at < $1 and pending = 0
             and state in ('delivered', 'refused', 'dropped') and payload <> '{}' limit $2)",
        "delete from edit where id in (select id from edit where created_at < $1 limit $2)",
        // Callers who have had no thread for so long were at least shown in a list.
        "delete from listed where message_id in (
             select l.message_id from listed l where l.came_at < $1 and (l.opened_by <> '' or (
                 exists (select 1 from outbox o where o.id = l.list_id and o.state = 'delivered')
                 and not exists (select 1 from outbox p where p.conversation_id = l.conversation_id
                                 and p.kind = 'post' and p.pending = 1)))
             limit $2)",
    ] {
        let done = sqlx::query(sql)
            .bind(before.as_millisecond())
            .bind(AT_ONCE)
            .execute(&mut *tx.inner)
            .await
            .context("taking old words away")?;
        changed += done.rows_affected();
    }
    if changed > 0 {
        scrub::want(&mut tx).await?;
        tx.audit(NewEntry {
            subject: "texts".into(),
            reason: "they are older than desk.keep_texts".into(),
            detail: json!({ "rows": changed, "before": before.to_string() }),
            ..NewEntry::of(Decision::OldTextsRemoved)
        });
    }
    tx.commit().await?;
    Ok(changed)
}
