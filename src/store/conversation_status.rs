//! The status of each conversation at the desk: who has claimed it, whether the caller waits, and the reminder clock.

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use sqlx::FromRow;

use super::{Reads, Store, Tx, timestamp};
use crate::vocabulary::Kind;
use crate::vocabulary::{ConversationId, MessageId};

/// The status that the thread's parent message shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Nobody has asked for anything yet, as while a call rings.
    New,
    /// The caller waits, and nobody has claimed the conversation.
    Waiting,
    /// The caller waits, and somebody has claimed the conversation.
    Claimed,
    Answered,
    Closed,
}

/// A conversation's status at the desk.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub(crate) struct ConversationStatus {
    pub(crate) conversation_id: ConversationId,
    /// The Slack user who has claimed it; empty for nobody.
    pub(crate) claimed_by: String,
    /// The person who answered last, in Slack's markup.
    pub(crate) answered_by: String,
    /// The person who closed it, in Slack's markup; empty while it is open.
    pub(crate) closed_by: String,
    /// Since when the caller waits for an answer, in milliseconds since the Unix epoch.
    pub(crate) waiting_since: Option<i64>,
    /// When the unanswered text arrived that started the reminder clock.
    pub(crate) clock_since: Option<i64>,
    pub(crate) remind_at: Option<i64>,
    pub(crate) page_at: Option<i64>,
    changed_at: i64,
}

impl ConversationStatus {
    /// Returns the status to show.
    pub(crate) fn status(&self) -> Status {
        if !self.closed_by.is_empty() {
            Status::Closed
        } else if self.waiting_since.is_some() && self.claimed_by.is_empty() {
            Status::Waiting
        } else if self.waiting_since.is_some() {
            Status::Claimed
        } else if self.answered_by.is_empty() {
            Status::New
        } else {
            Status::Answered
        }
    }

    /// Returns how long ago the text arrived that started the reminder clock; zero if nobody waits.
    pub(crate) fn unanswered_for(&self, now: Timestamp) -> SignedDuration {
        let since = self.clock_since.or(self.waiting_since).map(timestamp);
        since.map_or(SignedDuration::ZERO, |since| now.duration_since(since))
    }

    /// Returns when it last changed.
    pub(crate) fn changed(&self) -> Timestamp {
        timestamp(self.changed_at)
    }
}

const COLUMNS: &str = "conversation_id, claimed_by, answered_by, closed_by, waiting_since, clock_since, remind_at, \
                       page_at, changed_at";

/// Returns the status of a conversation without a row.
pub(crate) fn fresh(conversation_id: &ConversationId) -> ConversationStatus {
    ConversationStatus {
        conversation_id: conversation_id.to_owned(),
        ..ConversationStatus::default()
    }
}

/// Returns a conversation's status.
pub(crate) async fn of(
    reads: impl Into<Reads<'_>>,
    conversation_id: &ConversationId,
) -> anyhow::Result<ConversationStatus> {
    let sql = format!("select {COLUMNS} from conversation_status where conversation_id = $1");
    let found: Option<ConversationStatus> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(conversation_id)
        .fetch_optional(&mut *reads.into().connection().await?)
        .await
        .context("reading where a conversation stands")?;
    Ok(found.unwrap_or_else(|| fresh(conversation_id)))
}

/// Stores a conversation's status.
pub(crate) async fn save(tx: &mut Tx, status: &ConversationStatus) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query(
        "insert into conversation_status (conversation_id, claimed_by, answered_by, closed_by, waiting_since, clock_since,
                             remind_at, page_at, changed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (conversation_id) do update set claimed_by = excluded.claimed_by,
             answered_by = excluded.answered_by, closed_by = excluded.closed_by,
             waiting_since = excluded.waiting_since, clock_since = excluded.clock_since,
             remind_at = excluded.remind_at, page_at = excluded.page_at, changed_at = excluded.changed_at",
    )
    .bind(&status.conversation_id)
    .bind(&status.claimed_by)
    .bind(&status.answered_by)
    .bind(&status.closed_by)
    .bind(status.waiting_since)
    .bind(status.clock_since)
    .bind(status.remind_at)
    .bind(status.page_at)
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("keeping where a conversation stands")?;
    Ok(())
}

/// Whether a message is a dispatcher's reply and no later reply was or may have been sent.
pub(crate) async fn is_last_answer(tx: &mut Tx, message_id: &MessageId) -> anyhow::Result<bool> {
    let sql = format!(
        "select m.id from message m where m.id = $1 and m.origin = 'slack' and not exists (
             select 1 from message later where later.conversation_id = m.conversation_id and later.origin = 'slack'
                 and later.internal = 0 and later.deleted = 0 and later.created_at > m.created_at
                 and exists (select 1 from outbox o where o.message_id = later.id and o.kind in ({})
                             and o.state not in ('refused', 'dropped', 'asked', 'undecided')))",
        Kind::sql_texts()
    );
    let found: Option<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(message_id)
        .fetch_optional(&mut *tx.inner)
        .await
        .context("looking for the last answer")?;
    Ok(found.is_some())
}

/// A conversation whose caller waits for an answer.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Waiting {
    pub(crate) line: String,
    pub(crate) caller: String,
    pub(crate) channel: String,
    pub(crate) thread_ts: String,
    pub(crate) claimed_by: String,
    waiting_since: i64,
}

impl Waiting {
    /// Returns since when the caller waits.
    pub(crate) fn since(&self) -> Timestamp {
        timestamp(self.waiting_since)
    }
}

/// Returns the statements that list and count waiting callers. SQLite keeps the order of a cross join; otherwise it would
/// start with all conversations of a line, of which few wait. For Postgres the order does not matter.
pub(super) fn waiting_sql(lines: usize) -> [String; 2] {
    let places: Vec<String> = (1..=lines).map(|n| format!("${n}")).collect();
    let from = format!(
        "from conversation_status m cross join conversation c
         where c.id = m.conversation_id and m.waiting_since is not null and m.closed_by = '' and c.line in ({})",
        places.join(", ")
    );
    [
        format!(
            "select c.line, c.caller, c.channel, c.thread_ts, m.claimed_by, m.waiting_since {from}
             order by m.waiting_since, m.conversation_id limit ${}",
            lines + 1
        ),
        format!("select count(*) {from}"),
    ]
}

/// Returns the callers who wait on these lines, the longest waiting first, and their total number.
pub(crate) async fn waiting(
    store: &Store,
    lines: &[&str],
    limit: i64,
) -> anyhow::Result<(Vec<Waiting>, i64)> {
    let [sql, count_sql] = waiting_sql(lines.len());
    let mut query = sqlx::query_as(sqlx::AssertSqlSafe(sql));
    for line in lines {
        query = query.bind(*line);
    }
    let listed = query
        .bind(limit)
        .fetch_all(store.reader())
        .await
        .context("listing who waits")?;
    let mut count = sqlx::query_scalar(sqlx::AssertSqlSafe(count_sql));
    for line in lines {
        count = count.bind(*line);
    }
    let count = count
        .fetch_one(store.reader())
        .await
        .context("counting who waits")?;
    Ok((listed, count))
}

/// The two alarms of the reminder clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alarm {
    Remind,
    Page,
}

/// Returns the statement that lists due alarms. For the cross join see [`waiting_sql`].
pub(super) fn due_sql(alarm: Alarm) -> &'static str {
    match alarm {
        Alarm::Remind => {
            "select m.conversation_id from conversation_status m cross join conversation c
             where c.id = m.conversation_id and m.remind_at <= $1 and c.line = $2 order by m.remind_at limit $3"
        }
        Alarm::Page => {
            "select m.conversation_id from conversation_status m cross join conversation c
             where c.id = m.conversation_id and m.page_at <= $1 and c.line = $2 order by m.page_at limit $3"
        }
    }
}

/// Returns the conversations of a line for which this alarm is due, the longest due first.
pub(crate) async fn due(
    store: &Store,
    line: &str,
    alarm: Alarm,
    limit: i64,
) -> anyhow::Result<Vec<ConversationId>> {
    sqlx::query_scalar(due_sql(alarm))
        .bind(store.now().as_millisecond())
        .bind(line)
        .bind(limit)
        .fetch_all(store.reader())
        .await
        .context("looking for what nobody answers")
}
