//! Where each conversation stands at the desk: who has it, who waits, and the clock of what nobody answers.

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use sqlx::FromRow;

use super::{Store, Tx, timestamp};
use crate::vocabulary::Kind;

/// What the root of its thread shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Nobody has asked for anything yet: a call that still rings.
    New,
    /// The caller waits, and nobody has said that they see to it.
    Waiting,
    /// The caller waits for somebody who has it.
    Claimed,
    Answered,
    Closed,
}

/// One conversation at the desk.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub(crate) struct ConversationStatus {
    pub(crate) conversation_id: String,
    /// The Slack user who has it; empty while nobody does.
    pub(crate) claimed_by: String,
    /// Who answered last, in Slack's markup.
    pub(crate) answered_by: String,
    /// Who closed it, in Slack's markup; empty while it is open.
    pub(crate) closed_by: String,
    /// Since when the caller waits for an answer, in milliseconds.
    pub(crate) waiting_since: Option<i64>,
    /// When the unanswered text came that runs towards a reminder.
    pub(crate) clock_since: Option<i64>,
    pub(crate) remind_at: Option<i64>,
    pub(crate) page_at: Option<i64>,
    changed_at: i64,
}

impl ConversationStatus {
    /// Where it stands.
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

    /// How long ago the unanswered text came that runs towards a reminder.
    pub(crate) fn unanswered_for(&self, now: Timestamp) -> SignedDuration {
        let since = self.clock_since.or(self.waiting_since).map(timestamp);
        since.map_or(SignedDuration::ZERO, |since| now.duration_since(since))
    }

    /// When anything of it last changed.
    pub(crate) fn changed(&self) -> Timestamp {
        timestamp(self.changed_at)
    }
}

const COLUMNS: &str = "conversation_id, claimed_by, answered_by, closed_by, waiting_since, clock_since, remind_at, \
                       page_at, changed_at";

/// A conversation of which nothing is known yet.
pub(crate) fn fresh(conversation_id: &str) -> ConversationStatus {
    ConversationStatus {
        conversation_id: conversation_id.to_owned(),
        ..ConversationStatus::default()
    }
}

/// Where a conversation stands.
pub(crate) async fn of(tx: &mut Tx, conversation_id: &str) -> anyhow::Result<ConversationStatus> {
    let sql = format!("select {COLUMNS} from conversation_status where conversation_id = $1");
    let found: Option<ConversationStatus> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(conversation_id)
        .fetch_optional(&mut *tx.inner)
        .await
        .context("reading where a conversation stands")?;
    Ok(found.unwrap_or_else(|| fresh(conversation_id)))
}

/// The same outside a transaction.
pub(crate) async fn read(
    store: &Store,
    conversation_id: &str,
) -> anyhow::Result<ConversationStatus> {
    let sql = format!("select {COLUMNS} from conversation_status where conversation_id = $1");
    let found: Option<ConversationStatus> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(conversation_id)
        .fetch_optional(store.reader())
        .await
        .context("reading where a conversation stands")?;
    Ok(found.unwrap_or_else(|| fresh(conversation_id)))
}

/// Keeps where a conversation stands.
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

/// Whether a message is a dispatcher's answer, and none was sent after it that a caller may have got in its place.
pub(crate) async fn is_last_answer(tx: &mut Tx, message_id: &str) -> anyhow::Result<bool> {
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

/// A conversation whose caller waits.
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
    /// Since when.
    pub(crate) fn since(&self) -> Timestamp {
        timestamp(self.waiting_since)
    }
}

/// Lists and counts those who wait. SQLite keeps to the order of a cross join: it would begin with all the conversations
/// of a line otherwise, where few of them wait. To Postgres it is the same join.
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

/// Those who wait on these lines, longest first; and how many they are in all.
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

/// Which of its two alarms a clock has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alarm {
    Remind,
    Page,
}

/// A cross join for the sake of SQLite, as above.
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

/// The conversations of a line whose clock has reached this alarm, those first that did so longest ago.
pub(crate) async fn due(
    store: &Store,
    line: &str,
    alarm: Alarm,
    limit: i64,
) -> anyhow::Result<Vec<String>> {
    sqlx::query_scalar(due_sql(alarm))
        .bind(store.now().as_millisecond())
        .bind(line)
        .bind(limit)
        .fetch_all(store.reader())
        .await
        .context("looking for what nobody answers")
}
