//! Taking away what people wrote: one number's at once, everybody's after a time.
//!
//! That something was written stays: without its row in `message` the same text would be found in Twilio's log and
//! shown once more. The audit trail holds no words, and stays whole.

use anyhow::Context;
use jiff::Timestamp;
use serde_json::json;

use super::audit::NewEntry;
use super::{Store, Tx, lanes, scrub, taken};
use crate::vocabulary::Decision;

/// How many rows of a table one transaction of [`older_than`] changes: a caller's text must not wait long for it.
const AT_ONCE: i64 = 500;

/// What became of one conversation's words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// How many texts and replies there were.
    pub messages: u64,
    /// How many deliveries were given up because they had not been made yet.
    pub given_up: u64,
}

/// What leads to a conversation's rows in outbox and message: its own, and those of texts to colleagues about it.
const OF_CONVERSATION: &str = "(conversation_id = $1 or message_id in (select message_id from escalation where conversation_id = $1))";

/// The lists in which a conversation's texts stand, and their edits.
const OF_LISTS: &str = "id in (select list_id from listed where conversation_id = $1) \
                        or lane in (select 'listing:' || list_id from listed where conversation_id = $1)";

/// How many deliveries of a conversation are under way: their words are still needed.
pub(crate) async fn under_way(tx: &mut Tx, conversation_id: &str) -> anyhow::Result<i64> {
    let sql = format!(
        "select count(*) from outbox where state in ('sending', 'unknown') and ({OF_CONVERSATION} or {OF_LISTS})"
    );
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(conversation_id)
        .fetch_one(&mut *tx.inner)
        .await
        .context("looking what is under way")
}

/// Takes away everything that was written in a conversation, and its caller's name and place.
pub(crate) async fn conversation(tx: &mut Tx, conversation_id: &str) -> anyhow::Result<Forgotten> {
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
        // What was announced of several callers at once names no conversation. Once it is posted nothing needs its words.
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
        // What comes next begins a thread of its own: the old one's root cannot be written anew.
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

async fn run(tx: &mut Tx, sql: &str, conversation_id: &str) -> anyhow::Result<u64> {
    let done = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()))
        .bind(conversation_id)
        .execute(&mut *tx.inner)
        .await
        .context("taking words away")?;
    Ok(done.rows_affected())
}

/// Takes away some of the words from before `before` whose delivery is over; how many rows that changed.
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
        // Who has had no thread for so long was shown in a list at least.
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
