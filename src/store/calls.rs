//! Calls, the turns of the people they rang, and everything Twilio told of them, each once.

use anyhow::Context;
use jiff::Timestamp;
use sqlx::FromRow;

use super::{Store, Tx, timestamp};

/// Where a call stands. A later one never goes back to an earlier one, however late a callback comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// Telephones ring.
    Ringing,
    /// Somebody talks with the caller.
    Talking,
    /// The caller hung up before anybody took the call.
    HungUp,
    /// Nobody took it.
    Missed,
    /// Somebody has talked with the caller.
    Answered,
}

impl State {
    const ALL: [State; 5] = [
        State::Ringing,
        State::Talking,
        State::HungUp,
        State::Missed,
        State::Answered,
    ];

    fn as_str(self) -> &'static str {
        match self {
            State::Ringing => "ringing",
            State::HungUp => "hung_up",
            State::Missed => "missed",
            State::Talking => "talking",
            State::Answered => "answered",
        }
    }

    fn rank(self) -> i64 {
        self as i64
    }
}

/// A call.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Call {
    pub(crate) sid: String,
    pub(crate) conversation_id: String,
    /// Our number.
    pub(crate) line: String,
    /// The other end as Twilio writes it.
    pub(crate) caller: String,
    started_at: i64,
    state: String,
    /// How long they talked.
    pub(crate) seconds: i64,
    texted: i64,
    /// The recording's SID, empty without one.
    pub(crate) recording: String,
    pub(crate) recording_seconds: i64,
    /// The outbox row that put it into its thread, empty while there is none.
    pub(crate) post_id: String,
}

impl Call {
    /// When it came in.
    pub(crate) fn started(&self) -> Timestamp {
        timestamp(self.started_at)
    }

    /// Where it stands.
    pub(crate) fn state(&self) -> State {
        State::ALL
            .into_iter()
            .find(|state| state.as_str() == self.state)
            .unwrap_or(State::Ringing)
    }

    /// Whether the caller was sent the text for missed calls.
    pub(crate) fn is_texted(&self) -> bool {
        self.texted != 0
    }
}

const COLUMNS: &str = "sid, conversation_id, line, caller, started_at, state, seconds, texted, recording, \
                       recording_seconds, post_id";

/// A call about to be kept.
#[derive(Debug, Clone)]
pub(crate) struct NewCall<'a> {
    pub(crate) sid: &'a str,
    pub(crate) conversation_id: &'a str,
    pub(crate) line: &'a str,
    pub(crate) caller: &'a str,
    pub(crate) started: Timestamp,
}

/// Keeps a call that is not kept yet.
pub(crate) async fn insert(tx: &mut Tx, new: &NewCall<'_>) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query(
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
    Ok(())
}

/// The call with this SID.
pub(crate) async fn by_sid(tx: &mut Tx, sid: &str) -> anyhow::Result<Option<Call>> {
    let sql = format!("select {COLUMNS} from call where sid = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(sid)
        .fetch_optional(&mut *tx.inner)
        .await
        .context("looking for a call")
}

/// The same outside a transaction.
pub(crate) async fn read(store: &Store, sid: &str) -> anyhow::Result<Option<Call>> {
    let sql = format!("select {COLUMNS} from call where sid = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(sid)
        .fetch_optional(store.reader())
        .await
        .context("looking for a call")
}

/// The last call on one of these lines whose number ends with `digits`.
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

/// Moves a call on; `false` if it has got at least as far already.
pub(crate) async fn advance(
    tx: &mut Tx,
    sid: &str,
    state: State,
    taken_by: &str,
    seconds: i64,
) -> anyhow::Result<bool> {
    let now = tx.now_ms();
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
    Ok(moved.rows_affected() == 1)
}

/// Notes that nobody talks in this call any longer, or that `person` does not; what came of it is told apart from this.
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

/// Keeps which outbox row put the call into its thread.
pub(crate) async fn set_post(tx: &mut Tx, sid: &str, post_id: &str) -> anyhow::Result<()> {
    sqlx::query("update call set post_id = $1 where sid = $2")
        .bind(post_id)
        .bind(sid)
        .execute(&mut *tx.inner)
        .await
        .context("keeping a call's post")?;
    Ok(())
}

/// Notes that the caller is texted for a missed call.
pub(crate) async fn set_texted(tx: &mut Tx, sid: &str) -> anyhow::Result<()> {
    sqlx::query("update call set texted = 1 where sid = $1")
        .bind(sid)
        .execute(&mut *tx.inner)
        .await
        .context("noting that a caller is texted")?;
    Ok(())
}

/// Whether this conversation's caller was sent the text for missed calls for a call that came after `since`.
pub(crate) async fn texted_since(
    tx: &mut Tx,
    conversation_id: &str,
    since: Timestamp,
) -> anyhow::Result<bool> {
    let found: Option<i64> = sqlx::query_scalar(
        "select 1 from call where conversation_id = $1 and texted = 1 and started_at > $2 limit 1",
    )
    .bind(conversation_id)
    .bind(since.as_millisecond())
    .fetch_optional(&mut *tx.inner)
    .await
    .context("looking when a caller was texted")?;
    Ok(found.is_some())
}

/// Keeps a call's recording.
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

/// What came of somebody's turn in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Passed over: away.
    Away,
    /// Passed over: not to be disturbed.
    Dnd,
    /// Passed over: on the phone with another caller.
    OnThePhone,
    /// The telephone rings.
    Rings,
    /// Somebody or something has picked up.
    PickedUp,
    /// It was picked up, and nobody pressed 1.
    NotTaken,
    /// A key other than 1 was pressed.
    Refused,
    /// It rang to its end.
    NoAnswer,
    /// Busy, or pressed away.
    Busy,
    /// It could not be reached.
    Failed,
    /// Cut off because another telephone was picked up, or the caller hung up.
    CutOff,
    /// Took the call.
    Took,
}

impl Turn {
    const ALL: [Turn; 12] = [
        Turn::Away,
        Turn::Dnd,
        Turn::OnThePhone,
        Turn::Rings,
        Turn::PickedUp,
        Turn::NotTaken,
        Turn::Refused,
        Turn::NoAnswer,
        Turn::Busy,
        Turn::Failed,
        Turn::CutOff,
        Turn::Took,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Turn::Away => "away",
            Turn::Dnd => "dnd",
            Turn::OnThePhone => "on_the_phone",
            Turn::Rings => "rings",
            Turn::PickedUp => "picked_up",
            Turn::NotTaken => "not_taken",
            Turn::Refused => "refused",
            Turn::NoAnswer => "no_answer",
            Turn::Busy => "busy",
            Turn::Failed => "failed",
            Turn::CutOff => "cut_off",
            Turn::Took => "took",
        }
    }
}

/// Somebody's turn in one round of a call.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct TurnRow {
    /// Counts the times that telephones were rung, from 1.
    pub(crate) round: i64,
    pub(crate) person: String,
    /// The CallSid of the leg to their telephone, empty while it is not known.
    pub(crate) leg_sid: String,
    /// What was pressed when asked, empty for nothing.
    pub(crate) keys: String,
    outcome: String,
}

impl TurnRow {
    /// What came of it so far.
    pub(crate) fn outcome(&self) -> Turn {
        Turn::ALL
            .into_iter()
            .find(|turn| turn.as_str() == self.outcome)
            .unwrap_or(Turn::Rings)
    }
}

/// Keeps a turn, or what is newly known of one.
pub(crate) async fn put_turn(
    tx: &mut Tx,
    call: &str,
    round: i64,
    person: &str,
    leg_sid: &str,
    keys: &str,
    outcome: Turn,
) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query(
        "insert into call_turn (call_sid, round, position, person, leg_sid, keys, outcome, updated_at)
         values ($1, $2, (select count(*) from call_turn where call_sid = $1), $3, $4, $5, $6, $7)
         on conflict (call_sid, round, person) do update set outcome = excluded.outcome, updated_at = excluded.updated_at,
             leg_sid = case when excluded.leg_sid = '' then call_turn.leg_sid else excluded.leg_sid end,
             keys = case when excluded.keys = '' then call_turn.keys else excluded.keys end",
    )
    .bind(call)
    .bind(round)
    .bind(person)
    .bind(leg_sid)
    .bind(keys)
    .bind(outcome.as_str())
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("keeping a turn")?;
    Ok(())
}

const TURNS: &str = "select round, person, leg_sid, keys, outcome from call_turn where call_sid = $1 order by round, position";

/// A call's turns, in order.
pub(crate) async fn turns(tx: &mut Tx, call: &str) -> anyhow::Result<Vec<TurnRow>> {
    sqlx::query_as(TURNS)
        .bind(call)
        .fetch_all(&mut *tx.inner)
        .await
        .context("reading a call's turns")
}

/// The same outside a transaction.
pub(crate) async fn read_turns(store: &Store, call: &str) -> anyhow::Result<Vec<TurnRow>> {
    sqlx::query_as(TURNS)
        .bind(call)
        .fetch_all(store.reader())
        .await
        .context("reading a call's turns")
}

/// Keeps that Twilio told this of a call, and what it was answered; `false` if it did before.
pub(crate) async fn keep_event(
    tx: &mut Tx,
    call: &str,
    event: &str,
    answer: &str,
) -> anyhow::Result<bool> {
    let now = tx.now_ms();
    let kept = sqlx::query(
        "insert into call_event (call_sid, event, answer, received_at) values ($1, $2, $3, $4)
         on conflict (call_sid, event) do nothing",
    )
    .bind(call)
    .bind(event)
    .bind(answer)
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("keeping what Twilio told of a call")?;
    Ok(kept.rows_affected() == 1)
}

/// What Twilio was answered when it told this before.
pub(crate) async fn answer(
    store: &Store,
    call: &str,
    event: &str,
) -> anyhow::Result<Option<String>> {
    sqlx::query_scalar("select answer from call_event where call_sid = $1 and event = $2")
        .bind(call)
        .bind(event)
        .fetch_optional(store.reader())
        .await
        .context("looking for an earlier answer")
}

/// Who talks with a caller: names and CallSids, of calls that moved on after `since`.
pub(crate) async fn talking(
    store: &Store,
    since: Timestamp,
) -> anyhow::Result<Vec<(String, String)>> {
    sqlx::query_as("select taken_by, sid from call where state = 'talking' and updated_at > $1")
        .bind(since.as_millisecond())
        .fetch_all(store.reader())
        .await
        .context("looking who is on the phone")
}

/// Whether this conversation's number was found not to take texts, or not to want ours.
pub(crate) async fn refuses_texts(
    tx: &mut Tx,
    conversation_id: &str,
    codes: &[i64],
) -> anyhow::Result<bool> {
    for code in codes {
        let found: Option<i64> = sqlx::query_scalar(
            "select 1 from outbox o left join sms s on s.outbox_id = o.id
             where o.conversation_id = $1 and o.kind = 'sms'
               and (s.error_code = $2 or (o.state = 'refused' and o.why like $3)) limit 1",
        )
        .bind(conversation_id)
        .bind(code)
        .bind(format!("{code}:%"))
        .fetch_optional(&mut *tx.inner)
        .await
        .context("looking whether a number takes texts")?;
        if found.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
