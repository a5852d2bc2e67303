//! Calls and their states.

use anyhow::Context;
use jiff::Timestamp;
use sqlx::FromRow;

use super::daily_stats::{self, Tally};
use super::{Reads, Store, Tx, timestamp};
use crate::vocabulary::CallState;
use crate::vocabulary::{ConversationId, OutboxId};

/// A call.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Call {
    pub(crate) sid: String,
    pub(crate) conversation_id: ConversationId,
    /// Our number.
    pub(crate) line: String,
    /// The caller's address as Twilio writes it.
    pub(crate) caller: String,
    started_at: i64,
    state: CallState,
    /// How long they talked, in seconds.
    pub(crate) seconds: i64,
    texted: i64,
    /// The voicemail recording's SID; empty without one.
    pub(crate) recording: String,
    pub(crate) recording_seconds: i64,
    /// The outbox row of its message in the thread; empty while there is none.
    pub(crate) post_id: OutboxId,
}

impl Call {
    /// When the call came in.
    pub(crate) fn started(&self) -> Timestamp {
        timestamp(self.started_at)
    }

    /// The call's state.
    pub(crate) fn state(&self) -> CallState {
        self.state
    }

    /// Whether the caller was sent the missed-call text.
    pub(crate) fn is_texted(&self) -> bool {
        self.texted != 0
    }
}

const COLUMNS: &str = "sid, conversation_id, line, caller, started_at, state, seconds, texted, recording, \
                       recording_seconds, post_id";

/// A call to store.
#[derive(Debug, Clone)]
pub(crate) struct NewCall<'a> {
    pub(crate) sid: &'a str,
    pub(crate) conversation_id: &'a ConversationId,
    pub(crate) line: &'a str,
    pub(crate) caller: &'a str,
    pub(crate) started: Timestamp,
}

/// Stores a call, unless it is stored already.
pub(crate) async fn insert(tx: &mut Tx, new: &NewCall<'_>) -> anyhow::Result<()> {
    let now = tx.now_ms();
    let kept = sqlx::query(
        "insert into call (sid, conversation_id, line, caller, started_at, state, rank, taken_by, seconds, texted, recording,
                           recording_seconds, post_id, updated_at)
         values ($1, $2, $3, $4, $5, 'ringing', 0, '', 0, 0, '', 0, '', $6)
         on conflict (sid) do nothing",
    )
    .bind(new.sid)
    .bind(new.conversation_id)
    .bind(new.line)
    .bind(new.caller)
    .bind(new.started.as_millisecond())
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("keeping a call")?;
    if kept.rows_affected() == 1 {
        let more = Tally {
            calls: 1,
            ..Tally::default()
        };
        daily_stats::add(tx, new.line, new.started.as_millisecond(), more).await?;
    }
    Ok(())
}

/// Returns the call with this SID.
pub(crate) async fn by_sid(reads: impl Into<Reads<'_>>, sid: &str) -> anyhow::Result<Option<Call>> {
    let sql = format!("select {COLUMNS} from call where sid = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(sid)
        .fetch_optional(&mut *reads.into().connection().await?)
        .await
        .context("looking for a call")
}

/// Returns the last call on one of these lines whose caller's number ends with `digits`.
pub(crate) async fn last(
    store: &Store,
    lines: &[&str],
    digits: &str,
) -> anyhow::Result<Option<Call>> {
    let places: Vec<String> = (2..lines.len() + 2).map(|n| format!("${n}")).collect();
    let sql = format!(
        "select {COLUMNS} from call where caller like $1 and line in ({}) order by started_at desc, sid desc limit 1",
        places.join(", ")
    );
    let mut query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(format!("%{digits}"));
    for line in lines {
        query = query.bind(*line);
    }
    query
        .fetch_optional(store.reader())
        .await
        .context("looking for the last call")
}

/// Returns when the first call on this line after `since` came in that is not over.
pub(crate) async fn first_open(
    store: &Store,
    line: &str,
    since: Timestamp,
) -> anyhow::Result<Option<Timestamp>> {
    let started: Option<i64> = sqlx::query_scalar(
        "select min(started_at) from call where line = $1 and state in ('ringing', 'talking') and started_at > $2",
    )
    .bind(line)
    .bind(since.as_millisecond())
    .fetch_one(store.reader())
    .await
    .context("looking for calls that are not over")?;
    Ok(started.map(timestamp))
}

/// Raises a call's state. Returns `false` if it already has this state or a later one.
pub(crate) async fn advance(
    tx: &mut Tx,
    sid: &str,
    state: CallState,
    taken_by: &str,
    seconds: i64,
) -> anyhow::Result<bool> {
    let now = tx.now_ms();
    let before = by_sid(&mut *tx, sid).await?;
    let moved = sqlx::query(
        "update call set state = $1, rank = $2, taken_by = case when $3 = '' then taken_by else $3 end, seconds = $4, updated_at = $5
         where sid = $6 and rank < $2",
    )
    .bind(state.as_str())
    .bind(state.rank())
    .bind(taken_by)
    .bind(seconds)
    .bind(now)
    .bind(sid)
    .execute(&mut *tx.inner)
    .await
    .context("moving a call on")?;
    let has_moved = moved.rows_affected() == 1;
    if let Some(before) = before.filter(|_| has_moved) {
        let more = Tally {
            missed: i64::from(state.is_missed()) - i64::from(before.state().is_missed()),
            ..Tally::default()
        };
        daily_stats::add(tx, &before.line, before.started_at, more).await?;
    }
    Ok(has_moved)
}

/// Records that nobody talks in this call any more, or that `person` does not. The outcome is recorded separately.
pub(crate) async fn talk_over(tx: &mut Tx, sid: &str, person: &str) -> anyhow::Result<()> {
    sqlx::query(
        "update call set state = 'ringing', rank = 0, taken_by = ''
         where sid = $1 and state = 'talking' and ($2 = '' or taken_by = $2)",
    )
    .bind(sid)
    .bind(person)
    .execute(&mut *tx.inner)
    .await
    .context("noting that a talk is over")?;
    Ok(())
}

/// Records the outbox row of the call's message in its thread.
pub(crate) async fn set_post(tx: &mut Tx, sid: &str, post_id: &OutboxId) -> anyhow::Result<()> {
    sqlx::query("update call set post_id = $1 where sid = $2")
        .bind(post_id)
        .bind(sid)
        .execute(&mut *tx.inner)
        .await
        .context("keeping a call's post")?;
    Ok(())
}

/// Records a call's voicemail.
pub(crate) async fn set_recording(
    tx: &mut Tx,
    sid: &str,
    recording: &str,
    seconds: i64,
) -> anyhow::Result<()> {
    sqlx::query("update call set recording = $1, recording_seconds = $2 where sid = $3")
        .bind(recording)
        .bind(seconds)
        .bind(sid)
        .execute(&mut *tx.inner)
        .await
        .context("keeping a call's recording")?;
    Ok(())
}

/// Returns who is talking with a caller: names, CallSids, and when that was written, of calls that changed after `since`.
pub(crate) async fn talking(
    store: &Store,
    since: Timestamp,
) -> anyhow::Result<Vec<(String, String, i64)>> {
    sqlx::query_as(
        "select taken_by, sid, updated_at from call where state = 'talking' and updated_at > $1",
    )
    .bind(since.as_millisecond())
    .fetch_all(store.reader())
    .await
    .context("looking who is on the phone")
}
