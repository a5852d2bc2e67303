//! Outbox rows: what must happen outside, in what state it is, and each attempt at it.

use std::time::Duration;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sqlx::FromRow;

use super::{Store, Tx, lanes, new_id};

/// Where a delivery stands. A row is pending in the first four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// To be tried when its time comes and it is first in its lane.
    Waiting,
    /// An attempt is under way, or was when the process died.
    Sending,
    /// The request may have been acted on; being settled.
    Unknown,
    /// Refused for a reason that lies with the channel or the account; tried again until that is mended.
    Held,
    /// Done.
    Delivered,
    /// The remote said no for good.
    Refused,
    /// Could not be settled; a person decides.
    Undecided,
    /// Given up by a person, or no longer needed.
    Dropped,
    /// Not tried before its writer says so.
    Asked,
}

impl State {
    /// As the database keeps it and the command line shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Sending => "sending",
            State::Unknown => "unknown",
            State::Held => "held",
            State::Delivered => "delivered",
            State::Refused => "refused",
            State::Undecided => "undecided",
            State::Dropped => "dropped",
            State::Asked => "asked",
        }
    }

    /// The state of this name.
    pub fn parse(text: &str) -> Option<State> {
        use State::{
            Asked, Delivered, Dropped, Held, Refused, Sending, Undecided, Unknown, Waiting,
        };
        [
            Waiting, Sending, Unknown, Held, Delivered, Refused, Undecided, Dropped, Asked,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
    }

    pub(crate) fn is_pending(self) -> bool {
        matches!(
            self,
            State::Waiting | State::Sending | State::Unknown | State::Held
        )
    }
}

/// A delivery.
#[derive(Debug, Clone, FromRow, Serialize)]
pub struct Row {
    /// What `qdn-relay outbox show` takes.
    pub id: String,
    /// The queue it stands in.
    pub lane: String,
    pub(crate) seq: i64,
    pub(crate) part: i64,
    pub(crate) conversation_id: String,
    pub(crate) message_id: String,
    /// What it is.
    pub kind: String,
    #[serde(skip)]
    pub(crate) payload: String,
    /// Where it stands.
    pub state: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is next looked at, milliseconds since the Unix epoch.
    pub next_at: i64,
    /// What went wrong last.
    pub why: String,
    pub(crate) told: i64,
    /// What the remote calls it: a MessageSid or a ts.
    pub external_id: String,
    /// When it was put in, milliseconds since the Unix epoch.
    pub created_at: i64,
}

impl Row {
    /// When it was put in.
    pub(crate) fn created(&self) -> Timestamp {
        super::timestamp(self.created_at)
    }

    /// The words of an SMS, for the person who has to decide about it.
    pub(crate) fn words(&self) -> String {
        let payload: serde_json::Value = serde_json::from_str(&self.payload).unwrap_or_default();
        payload["body"].as_str().unwrap_or_default().to_owned()
    }
}

pub(super) const COLUMNS: &str = "id, lane, seq, part, conversation_id, message_id, kind, payload, state, attempts, \
                                  next_at, why, told, external_id, created_at";

/// A delivery about to be put in.
#[derive(Debug, Clone)]
pub(crate) struct NewRow<'a> {
    pub(crate) lane: &'a lanes::Lane,
    pub(crate) conversation_id: &'a str,
    pub(crate) message_id: &'a str,
    pub(crate) kind: &'static str,
    pub(crate) payload: String,
}

/// Puts a delivery at the end of its lane.
pub(crate) async fn enqueue(tx: &mut Tx, new: &NewRow<'_>) -> anyhow::Result<String> {
    let seq = lanes::next_seq(tx, new.lane).await?;
    insert(tx, new, seq, 0).await
}

/// Puts the later parts of a delivery right behind its first: nothing that came after may pass between them.
pub(crate) async fn enqueue_part(
    tx: &mut Tx,
    new: &NewRow<'_>,
    first: &Row,
    part: i64,
) -> anyhow::Result<String> {
    insert(tx, new, first.seq, part).await
}

async fn insert(tx: &mut Tx, new: &NewRow<'_>, seq: i64, part: i64) -> anyhow::Result<String> {
    let id = new_id();
    let now = tx.now_ms();
    sqlx::query(
        "insert into outbox (id, lane, seq, part, conversation_id, message_id, kind, payload, state, pending, attempts,
                             next_at, why, told, external_id, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', 1, 0, $9, '', 0, '', $9, $9)",
    )
    .bind(&id)
    .bind(&new.lane.id)
    .bind(seq)
    .bind(part)
    .bind(new.conversation_id)
    .bind(new.message_id)
    .bind(new.kind)
    .bind(&new.payload)
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("putting a delivery in the outbox")?;
    Ok(id)
}

/// Moves a row to `state`, to be looked at again at `next_at` while it is pending.
pub(crate) async fn set_state(
    tx: &mut Tx,
    id: &str,
    state: State,
    next_at: i64,
    why: &str,
) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query("update outbox set state = $1, pending = $2, next_at = $3, why = $4, updated_at = $5 where id = $6")
        .bind(state.as_str())
        .bind(i64::from(state.is_pending()))
        .bind(next_at)
        .bind(why)
        .bind(now)
        .bind(id)
        .execute(&mut *tx.inner)
        .await
        .context("moving an outbox row")?;
    Ok(())
}

/// Takes a row up again as if it had just been put in: at the end of its lane.
pub(crate) async fn move_to_end(tx: &mut Tx, lane: &lanes::Lane, id: &str) -> anyhow::Result<()> {
    let seq = lanes::next_seq(tx, lane).await?;
    let now = tx.now_ms();
    sqlx::query(
        "update outbox set seq = $1, part = 0, state = 'waiting', pending = 1, next_at = $2, why = '', told = 0,
             created_at = $2, updated_at = $2 where id = $3",
    )
    .bind(seq)
    .bind(now)
    .bind(id)
    .execute(&mut *tx.inner)
    .await
    .context("moving a row to the end of its lane")?;
    Ok(())
}

/// Notes that the thread has heard of a delivery being stuck.
pub(crate) async fn set_told(tx: &mut Tx, id: &str) -> anyhow::Result<()> {
    sqlx::query("update outbox set told = 1 where id = $1")
        .bind(id)
        .execute(&mut *tx.inner)
        .await
        .context("noting that a delivery was told to be stuck")?;
    Ok(())
}

/// Keeps what the remote calls it.
pub(crate) async fn set_external_id(
    tx: &mut Tx,
    id: &str,
    external_id: &str,
) -> anyhow::Result<()> {
    sqlx::query("update outbox set external_id = $1 where id = $2")
        .bind(external_id)
        .bind(id)
        .execute(&mut *tx.inner)
        .await
        .context("keeping a delivery's external id")?;
    Ok(())
}

/// Makes what waits in a lane due now; `false` if nothing does.
pub(crate) async fn rouse_waiting(tx: &mut Tx, lane: &str) -> anyhow::Result<bool> {
    let now = tx.now_ms();
    let roused =
        sqlx::query("update outbox set next_at = $1 where lane = $2 and state = 'waiting'")
            .bind(now)
            .bind(lane)
            .execute(&mut *tx.inner)
            .await
            .context("rousing what waits in a lane")?;
    Ok(roused.rows_affected() > 0)
}

/// Makes a conversation's files due now; the lanes they wait in.
pub(crate) async fn rouse_pictures(
    tx: &mut Tx,
    conversation_id: &str,
) -> anyhow::Result<Vec<String>> {
    let now = tx.now_ms();
    sqlx::query_scalar(
        "update outbox set next_at = $1 where conversation_id = $2 and pending = 1 and kind = 'picture'
             and state = 'waiting' returning lane",
    )
    .bind(now)
    .bind(conversation_id)
    .fetch_all(&mut *tx.inner)
    .await
    .context("rousing a conversation's files")
}

/// Whether a delivery in this lane has yet to be begun: it will be made of what is known then.
pub(crate) async fn is_to_come(tx: &mut Tx, lane: &str) -> anyhow::Result<bool> {
    let found: Option<String> = sqlx::query_scalar(
        "select id from outbox where lane = $1 and pending = 1 and state in ('waiting', 'held') limit 1",
    )
    .bind(lane)
    .fetch_optional(&mut *tx.inner)
    .await
    .context("looking for a delivery to come")?;
    Ok(found.is_some())
}

/// The last delivery of a lane in which at least `many` wait that were never tried.
pub(crate) async fn last_of_many(
    tx: &mut Tx,
    lane: &str,
    many: i64,
) -> anyhow::Result<Option<Row>> {
    let waiting: i64 = sqlx::query_scalar(
        "select count(*) from outbox where lane = $1 and pending = 1 and state = 'waiting' and attempts = 0",
    )
    .bind(lane)
    .fetch_one(&mut *tx.inner)
    .await
    .context("counting what waits in a lane")?;
    if waiting < many {
        return Ok(None);
    }
    let sql = format!(
        "select {COLUMNS} from outbox where lane = $1 and pending = 1 order by seq desc, part desc limit 1"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(lane)
        .fetch_optional(&mut *tx.inner)
        .await
        .context("reading the end of a lane")
}

/// The row with this id, outside a transaction.
pub(crate) async fn read(store: &Store, id: &str) -> anyhow::Result<Option<Row>> {
    let sql = format!("select {COLUMNS} from outbox where id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(id)
        .fetch_optional(store.reader())
        .await
        .context("reading an outbox row")
}

/// Whether anything waits behind this row in its lane.
pub(crate) async fn others_wait(tx: &mut Tx, row: &Row) -> anyhow::Result<bool> {
    let found: Option<String> = sqlx::query_scalar(
        "select id from outbox where lane = $1 and pending = 1 and id <> $2 limit 1",
    )
    .bind(&row.lane)
    .bind(&row.id)
    .fetch_optional(&mut *tx.inner)
    .await
    .context("looking behind a row")?;
    Ok(found.is_some())
}

/// Whether a delivery of this kind waits to be begun for this message or call.
pub(crate) async fn waits(tx: &mut Tx, message_id: &str, kind: &str) -> anyhow::Result<bool> {
    let found: Option<String> = sqlx::query_scalar(
        "select id from outbox where message_id = $1 and kind = $2 and state = 'waiting' limit 1",
    )
    .bind(message_id)
    .bind(kind)
    .fetch_optional(&mut *tx.inner)
    .await
    .context("looking for a delivery that waits")?;
    Ok(found.is_some())
}

/// Replaces what is to be sent: a reply whose names were looked up.
pub(crate) async fn set_payload(
    tx: &mut Tx,
    id: &str,
    kind: &str,
    payload: &str,
) -> anyhow::Result<()> {
    sqlx::query("update outbox set kind = $1, payload = $2 where id = $3")
        .bind(kind)
        .bind(payload)
        .bind(id)
        .execute(&mut *tx.inner)
        .await
        .context("replacing a delivery's payload")?;
    Ok(())
}

/// The row with this id.
pub(crate) async fn by_id(tx: &mut Tx, id: &str) -> anyhow::Result<Option<Row>> {
    let sql = format!("select {COLUMNS} from outbox where id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(id)
        .fetch_optional(&mut *tx.inner)
        .await
        .context("reading an outbox row")
}

/// What the remote calls what a row led to; empty while there is nothing.
pub(crate) async fn external_id(store: &Store, id: &str) -> anyhow::Result<String> {
    let found: Option<String> = sqlx::query_scalar("select external_id from outbox where id = $1")
        .bind(id)
        .fetch_optional(store.reader())
        .await
        .context("reading what a delivery led to")?;
    Ok(found.unwrap_or_default())
}

/// Where a delivery stands; `None` if there is no such row.
pub(crate) async fn state(store: &Store, id: &str) -> anyhow::Result<Option<State>> {
    let found: Option<String> = sqlx::query_scalar("select state from outbox where id = $1")
        .bind(id)
        .fetch_optional(store.reader())
        .await
        .context("reading where a delivery stands")?;
    Ok(found.as_deref().and_then(State::parse))
}

const OF_MESSAGE: &str = "where message_id = $1 order by seq, part";

/// The deliveries of one message: what its mark is made of.
pub(crate) async fn of_message(store: &Store, message_id: &str) -> anyhow::Result<Vec<Row>> {
    let sql = format!("select {COLUMNS} from outbox {OF_MESSAGE}");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(message_id)
        .fetch_all(store.reader())
        .await
        .context("listing a message's deliveries")
}

/// The same inside a transaction.
pub(crate) async fn of_message_in(tx: &mut Tx, message_id: &str) -> anyhow::Result<Vec<Row>> {
    let sql = format!("select {COLUMNS} from outbox {OF_MESSAGE}");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(message_id)
        .fetch_all(&mut *tx.inner)
        .await
        .context("listing a message's deliveries")
}

/// How many deliveries are in a state, and since when the oldest has been there.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Depth {
    pub(crate) state: String,
    pub(crate) deliveries: i64,
    pub(crate) oldest: i64,
}

/// What is not done, by state.
pub(crate) async fn depths(store: &Store) -> anyhow::Result<Vec<Depth>> {
    sqlx::query_as(
        "select state, count(*) as deliveries, min(created_at) as oldest from outbox
         where state not in ('delivered', 'dropped') group by state",
    )
    .fetch_all(store.reader())
    .await
    .context("measuring the outbox")
}

/// What a person may have to look at: everything that is not done, or was refused or left undecided; oldest first.
pub(crate) async fn unsettled(
    store: &Store,
    after: (i64, &str),
    limit: i64,
) -> anyhow::Result<Vec<Row>> {
    let sql = format!(
        "select {COLUMNS} from outbox where state not in ('delivered', 'dropped') and created_at >= $1
             and (created_at > $1 or id > $2)
         order by created_at, id limit $3"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(after.0)
        .bind(after.1)
        .bind(limit)
        .fetch_all(store.reader())
        .await
        .context("listing the outbox")
}

/// The replies put in before `since` that are first in their lane and have not been told to be stuck. One that has only
/// just come first is not stuck: it was tried without success, or the lane has not been served since then.
pub(crate) async fn stuck(store: &Store, since: Timestamp) -> anyhow::Result<Vec<Row>> {
    let sql = format!(
        "select {COLUMNS} from outbox o where pending = 1 and kind in ('sms', 'reply') and told = 0 and created_at < $1
         and not exists (select 1 from outbox before where before.lane = o.lane and before.pending = 1
                         and (before.seq < o.seq or (before.seq = o.seq and before.part < o.part)))
         and ((attempts > 0 and (state <> 'sending' or attempts > 1))
              or exists (select 1 from lane where lane.id = o.lane and lane.served_at < $1))"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(since.as_millisecond())
        .fetch_all(store.reader())
        .await
        .context("looking for stuck replies")
}

const ATTEMPTS: &str = "select n, started_at, finished_at, outcome, detail, remote_at from attempt where outbox_id = $1 order by n";

/// Every attempt at a delivery, inside a transaction.
pub(crate) async fn attempts_in(tx: &mut Tx, outbox_id: &str) -> anyhow::Result<Vec<Attempt>> {
    sqlx::query_as(ATTEMPTS)
        .bind(outbox_id)
        .fetch_all(&mut *tx.inner)
        .await
        .context("listing attempts")
}

/// Every attempt at a delivery.
pub(crate) async fn attempts(store: &Store, outbox_id: &str) -> anyhow::Result<Vec<Attempt>> {
    sqlx::query_as(ATTEMPTS)
        .bind(outbox_id)
        .fetch_all(store.reader())
        .await
        .context("listing attempts")
}

/// One try at a delivery.
#[derive(Debug, Clone, FromRow, Serialize)]
pub struct Attempt {
    /// Counts from 1.
    pub n: i64,
    /// When it was committed, before its request left; milliseconds since the Unix epoch.
    pub started_at: i64,
    /// When its outcome was kept.
    pub finished_at: Option<i64>,
    /// Empty while there is none.
    pub outcome: String,
    /// More of it.
    pub detail: String,
    /// When it began by Twilio's clock, where that was known.
    pub(crate) remote_at: Option<i64>,
}

/// How far two clocks may differ over one attempt without one of them having been set: Twilio tells whole seconds.
const CLOCKS_AGREE: SignedDuration = SignedDuration::from_secs(5);

impl Attempt {
    /// Whether the row was tried again though this may have been acted on: nothing of it was to be seen.
    pub(crate) fn is_in_vain(&self) -> bool {
        matches!(self.outcome.as_str(), "absent" | "not read")
    }

    /// One that ended so.
    #[cfg(test)]
    pub(crate) fn for_a_test(n: i64, outcome: &str, detail: &str) -> Attempt {
        Attempt {
            n,
            started_at: 0,
            finished_at: None,
            outcome: outcome.to_owned(),
            detail: detail.to_owned(),
            remote_at: None,
        }
    }

    /// Since when its fate is known to be unknown: for what a dead process left, since it was found.
    pub(crate) fn doubted_since(&self) -> Timestamp {
        super::timestamp(self.finished_at.unwrap_or(self.started_at))
    }

    /// When it was committed.
    pub(crate) fn started(&self) -> Timestamp {
        super::timestamp(self.started_at)
    }

    /// The same by Twilio's clock, where that was known: what the vendors date is compared with this.
    pub(crate) fn started_outside(&self) -> Option<Timestamp> {
        self.remote_at.map(super::timestamp)
    }

    /// For how long it has been waited for. Ours may be set while it waits, so where the two differ Twilio's clock
    /// counts, and otherwise the one that says less.
    pub(crate) fn waited(&self, now: Timestamp, remote_now: Option<Timestamp>) -> Duration {
        let ours = now.duration_since(self.started());
        let theirs = match (self.started_outside(), remote_now) {
            (Some(started), Some(now)) => now.duration_since(started),
            // Nobody can say yet: nothing is proved by waiting.
            (Some(_), None) => SignedDuration::ZERO,
            (None, _) => ours,
        };
        let waited = match (theirs - ours).abs() <= CLOCKS_AGREE {
            true => ours.min(theirs),
            false => theirs,
        };
        Duration::try_from(waited).unwrap_or_default()
    }
}

/// Writes down an attempt before its request leaves.
pub(crate) async fn begin_attempt(
    tx: &mut Tx,
    outbox_id: &str,
    n: i64,
    lease: &lanes::Lease,
) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query(
        "insert into attempt (outbox_id, n, owner, started_at, outcome, detail, absent_reads, remote_at)
         values ($1, $2, $3, $4, '', '', 0, $5)",
    )
    .bind(outbox_id)
    .bind(n)
    .bind(&lease.owner)
    .bind(now)
    .bind(lease.remote_now.map(Timestamp::as_millisecond))
    .execute(&mut *tx.inner)
    .await
    .context("writing down an attempt")?;
    sqlx::query(
        "update outbox set state = 'sending', attempts = $1, updated_at = $2 where id = $3",
    )
    .bind(n)
    .bind(now)
    .bind(outbox_id)
    .execute(&mut *tx.inner)
    .await
    .context("marking a row as being sent")?;
    Ok(())
}

/// Dates an attempt by Twilio's clock if that was not known when it began: it began then or earlier.
pub(crate) async fn date_attempt(
    tx: &mut Tx,
    outbox_id: &str,
    n: i64,
    remote_now: Option<Timestamp>,
) -> anyhow::Result<()> {
    let Some(remote_now) = remote_now else {
        return Ok(());
    };
    sqlx::query(
        "update attempt set remote_at = $1 where outbox_id = $2 and n = $3 and remote_at is null",
    )
    .bind(remote_now.as_millisecond())
    .bind(outbox_id)
    .bind(n)
    .execute(&mut *tx.inner)
    .await
    .context("dating an attempt")?;
    Ok(())
}

/// Keeps how an attempt ended; a later word replaces an earlier one.
pub(crate) async fn finish_attempt(
    tx: &mut Tx,
    outbox_id: &str,
    n: i64,
    outcome: &str,
    detail: &str,
) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query("update attempt set finished_at = $1, outcome = $2, detail = $3 where outbox_id = $4 and n = $5")
        .bind(now)
        .bind(outcome)
        .bind(detail)
        .bind(outbox_id)
        .bind(n)
        .execute(&mut *tx.inner)
        .await
        .context("keeping an attempt's outcome")?;
    Ok(())
}

/// When an attempt was first looked for in vain: at `looked_at`, if that is now.
pub(crate) async fn first_absent_look(
    tx: &mut Tx,
    outbox_id: &str,
    n: i64,
    looked_at: Timestamp,
) -> anyhow::Result<Timestamp> {
    let first: i64 = sqlx::query_scalar(
        "update attempt set absent_reads = absent_reads + 1, absent_since = coalesce(absent_since, $1)
         where outbox_id = $2 and n = $3 returning absent_since",
    )
    .bind(looked_at.as_millisecond())
    .bind(outbox_id)
    .bind(n)
    .fetch_one(&mut *tx.inner)
    .await
    .context("noting a look in vain")?;
    Ok(super::timestamp(first))
}

/// How many attempts at a delivery were proved never to have happened.
pub(crate) async fn absences(tx: &mut Tx, outbox_id: &str) -> anyhow::Result<i64> {
    sqlx::query_scalar("select count(*) from attempt where outbox_id = $1 and outcome = 'absent'")
        .bind(outbox_id)
        .fetch_one(&mut *tx.inner)
        .await
        .context("counting absences")
}

/// One attempt.
pub(crate) async fn attempt(tx: &mut Tx, outbox_id: &str, n: i64) -> anyhow::Result<Attempt> {
    sqlx::query_as(
        "select n, started_at, finished_at, outcome, detail, remote_at from attempt where outbox_id = $1 and n = $2",
    )
    .bind(outbox_id)
    .bind(n)
    .fetch_one(&mut *tx.inner)
    .await
    .context("reading an attempt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_makes_no_wait_longer_or_shorter() {
        let at = |seconds: i64| Timestamp::from_second(1_000_000 + seconds).unwrap();
        for (ours, remote_at, remote_now, waited) in [
            (95, Some(0), Some(95), 95),
            // Whole seconds.
            (95, Some(0), Some(96), 95),
            (95, Some(0), Some(94), 94),
            // Our clock was set forward, and back.
            (3_610, Some(0), Some(10), 10),
            (-3_590, Some(0), Some(10), 10),
            // Twilio's time was never known, or is not known any more.
            (95, None, Some(95), 95),
            (95, Some(0), None, 0),
        ] {
            let attempt = Attempt {
                n: 1,
                started_at: at(0).as_millisecond(),
                finished_at: None,
                outcome: String::new(),
                detail: String::new(),
                remote_at: remote_at.map(|seconds| at(seconds).as_millisecond()),
            };
            let found = attempt.waited(at(ours), remote_now.map(at));
            assert_eq!(
                found.as_secs(),
                waited,
                "{ours} {remote_at:?} {remote_now:?}"
            );
        }
    }
}
