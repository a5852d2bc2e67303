//! Lanes: queues in which nothing overtakes, leased to one worker at a time.
//!
//! A lane is asked for by its gate, the one door (a Slack channel, a Twilio number) its requests leave by. Among the
//! lanes that are due, the one served longest ago comes first: a flood in one conversation holds no other up.

use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use sqlx::FromRow;

use super::outbox::{self, Attempt, Row};
use super::{Dialect, Store, Tx};
use crate::clock::BootInstant;
use crate::vocabulary::DeliveryState;

/// A lane's name and its gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lane {
    pub(crate) id: String,
    pub(crate) gate: String,
}

/// How the lanes are named that are served before all others at their gate: they always count as the ones that were served
/// longest ago. There are few of them, since only people's own acts put anything in.
pub(crate) const FIRST_SERVED: &str = "question:";

/// When a lane that is served `now` counts as served.
fn served_at(lane: &str, now: i64) -> i64 {
    match lane.starts_with(FIRST_SERVED) {
        true => 0,
        false => now,
    }
}

/// The next place in the lane, which is now due.
pub(super) async fn next_seq(tx: &mut Tx, lane: &Lane) -> anyhow::Result<i64> {
    let now = tx.now_ms();
    tx.gates.push(lane.gate.clone());
    sqlx::query_scalar(
        "insert into lane (id, throttle, next_seq, due, served_at, lease_owner, lease_until) values ($1, $2, 2, $3, $4, '', 0)
         on conflict (id) do update set next_seq = lane.next_seq + 1, due = coalesce(lane.due, excluded.due)
         returning next_seq - 1",
    )
    .bind(&lane.id)
    .bind(&lane.gate)
    .bind(now)
    .bind(served_at(&lane.id, now))
    .fetch_one(&mut *tx.inner)
    .await
    .context("taking a place in a lane")
}

/// Makes the lane due now, whatever it waited for.
pub(crate) async fn rouse(tx: &mut Tx, lane: &Lane) -> anyhow::Result<()> {
    let now = tx.now_ms();
    tx.gates.push(lane.gate.clone());
    sqlx::query("update lane set due = $1 where id = $2 and (due is null or due > $1)")
        .bind(now)
        .bind(&lane.id)
        .execute(&mut *tx.inner)
        .await
        .context("rousing a lane")?;
    Ok(())
}

/// Whether anything stands in the lane.
pub(crate) async fn is_waiting(tx: &mut Tx, lane: &str) -> anyhow::Result<bool> {
    let found: Option<String> =
        sqlx::query_scalar("select id from outbox where lane = $1 and pending = 1 limit 1")
            .bind(lane)
            .fetch_optional(&mut *tx.inner)
            .await
            .context("looking into a lane")?;
    Ok(found.is_some())
}

/// Lets the lane come behind every other that is served, or begins to wait, within so many milliseconds.
pub(crate) async fn put_behind(tx: &mut Tx, lane: &str, milliseconds: i64) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query("update lane set served_at = $1 where id = $2 and served_at <= $3")
        .bind(now + milliseconds)
        .bind(lane)
        .bind(now)
        .execute(&mut *tx.inner)
        .await
        .context("putting a lane behind others")?;
    Ok(())
}

/// What a worker has to do with a row it was given.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// Send it: this attempt is written down already.
    Attempt(Attempt),
    /// Find out what became of this attempt.
    Settle(Attempt),
}

/// A row given to one worker until its lease ends.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub(crate) row: Row,
    pub(crate) work: Work,
    /// Whether this claim found an attempt that a dead process left without an outcome.
    pub(crate) orphaned: bool,
    /// When it was given out, by the database's clock.
    pub(crate) at: Timestamp,
    /// How long before that its attempt began; by whichever clock knows it better.
    pub(crate) waited: Duration,
    pub(crate) lease_until: Timestamp,
    /// The end of the lease by this machine's own clock, which no one sets and which counts suspensions.
    pub(crate) deadline: BootInstant,
}

/// How leases are made.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    /// Who holds it: one process, one life.
    pub(crate) owner: String,
    pub(crate) duration: jiff::SignedDuration,
    /// The time by Twilio's clock, if it has said it.
    pub(crate) remote_now: Option<Timestamp>,
}

#[derive(FromRow)]
struct LaneId {
    id: String,
}

/// Gives out the heads of up to `limit` lanes of `gate` that are due, each with its attempt written down.
pub(crate) async fn claim(
    store: &Store,
    gate: &str,
    lease: &Lease,
    limit: i64,
) -> anyhow::Result<Vec<Claimed>> {
    if !has_due(store, gate).await? {
        return Ok(Vec::new());
    }
    let mut tx = store.begin().await?;
    let now = tx.now_ms();
    let sql = match tx.dialect {
        Dialect::Sqlite => DUE.to_owned(),
        Dialect::Postgres => format!("{DUE} for update skip locked"),
    };
    let lanes: Vec<LaneId> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(gate)
        .bind(now)
        .bind(now)
        .bind(limit)
        .fetch_all(&mut *tx.inner)
        .await
        .context("looking for due lanes")?;
    let mut claimed = Vec::with_capacity(lanes.len());
    for LaneId { id } in lanes {
        if let Some(head) = due_head(&mut tx, &id).await? {
            let lease_until = now + lease.duration.as_millis() as i64;
            sqlx::query(
                "update lane set served_at = $1, lease_owner = $2, lease_until = $3 where id = $4",
            )
            .bind(served_at(&id, now))
            .bind(&lease.owner)
            .bind(lease_until)
            .bind(&id)
            .execute(&mut *tx.inner)
            .await
            .context("leasing a lane")?;
            claimed.push(take(&mut tx, head, lease, lease_until).await?);
        }
    }
    crate::faultpoints::point("claim.before_commit");
    tx.commit().await?;
    crate::faultpoints::point("claim.committed");
    Ok(claimed)
}

const DUE: &str = "select id from lane where throttle = $1 and due <= $2 and lease_until <= $3 order by served_at limit $4";

/// A look that takes no lock, so that an idle gate costs the writer nothing.
async fn has_due(store: &Store, gate: &str) -> anyhow::Result<bool> {
    let found: Option<String> = sqlx::query_scalar(
        "select id from lane where throttle = $1 and due <= $2 and lease_until <= $2 limit 1",
    )
    .bind(gate)
    .bind(store.now().as_millisecond())
    .fetch_optional(store.reader())
    .await
    .context("looking for due lanes")?;
    Ok(found.is_some())
}

/// The head of a lane if its time has come; otherwise the lane is put right.
async fn due_head(tx: &mut Tx, lane: &str) -> anyhow::Result<Option<Row>> {
    let sql = format!(
        "select {} from outbox where lane = $1 and pending = 1 order by seq, part limit 1",
        outbox::COLUMNS
    );
    let head: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(lane)
        .fetch_optional(&mut *tx.inner)
        .await
        .context("reading the head of a lane")?;
    match head {
        Some(row) if row.next_at <= tx.now_ms() => Ok(Some(row)),
        _ => {
            advance(tx, lane).await?;
            Ok(None)
        }
    }
}

async fn take(
    tx: &mut Tx,
    mut row: Row,
    lease: &Lease,
    lease_until: i64,
) -> anyhow::Result<Claimed> {
    let found_sending = row.state == DeliveryState::Sending;
    let work = if found_sending || row.state == DeliveryState::Unknown {
        outbox::date_attempt(tx, &row.id, row.attempts, lease.remote_now).await?;
        Work::Settle(outbox::attempt(tx, &row.id, row.attempts).await?)
    } else {
        row.attempts += 1;
        outbox::begin_attempt(tx, &row.id, row.attempts, lease).await?;
        crate::faultpoints::point("claim.attempt_kept");
        Work::Attempt(outbox::attempt(tx, &row.id, row.attempts).await?)
    };
    let (Work::Attempt(tried) | Work::Settle(tried)) = &work;
    let waited = tried.waited(tx.now(), lease.remote_now);
    Ok(Claimed {
        row,
        work,
        orphaned: found_sending,
        at: tx.now(),
        waited,
        lease_until: super::timestamp(lease_until),
        // From before the time was asked for that the lease counts from.
        deadline: tx.began + Duration::try_from(lease.duration)?,
    })
}

/// Sets when the lane is next due, from its head.
pub(crate) async fn advance(tx: &mut Tx, lane: &str) -> anyhow::Result<()> {
    let gate: Option<String> = sqlx::query_scalar(
        "update lane set due = (select next_at from outbox where lane = $1 and pending = 1 order by seq, part limit 1)
         where id = $1 returning throttle",
    )
    .bind(lane)
    .fetch_optional(&mut *tx.inner)
    .await
    .context("advancing a lane")?;
    tx.gates.extend(gate);
    Ok(())
}

/// Gives the lane back, if this claim still holds it, and sets when it is next due.
pub(crate) async fn release(tx: &mut Tx, claimed: &Claimed, lease: &Lease) -> anyhow::Result<()> {
    sqlx::query(
        "update lane set lease_owner = '', lease_until = 0 where id = $1 and lease_owner = $2 and lease_until = $3",
    )
    .bind(&claimed.row.lane)
    .bind(&lease.owner)
    .bind(claimed.lease_until.as_millisecond())
    .execute(&mut *tx.inner)
    .await
    .context("giving a lane back")?;
    advance(tx, &claimed.row.lane).await
}

/// The clock was set back by `step`: what waits for a time to come would wait that much longer. Replicas go by their
/// database's clock, which is not ours to judge.
pub(crate) async fn set_back(store: &Store, step: jiff::SignedDuration) -> anyhow::Result<()> {
    let step = i64::try_from(step.as_millis())?;
    let mut tx = store.begin().await?;
    if tx.dialect == Dialect::Postgres {
        return Ok(());
    }
    let now = tx.now_ms();
    for sql in [
        "update outbox set next_at = next_at - $1 where pending = 1 and next_at > $2",
        "update lane set due = due - $1 where due > $2",
    ] {
        sqlx::query(sql)
            .bind(step)
            .bind(now)
            .execute(&mut *tx.inner)
            .await
            .context("setting back what waits")?;
    }
    tx.commit().await
}

/// Ends every lease: nobody lives who could hold one.
pub(super) async fn end_all_leases(store: &Store) -> anyhow::Result<()> {
    let mut tx = store.begin().await?;
    sqlx::query("update lane set lease_owner = '', lease_until = 0 where lease_until > 0")
        .execute(&mut *tx.inner)
        .await
        .context("ending the leases of the dead")?;
    tx.commit().await
}

/// When a lane of this gate next becomes due. One that is due already is leased, and its release rings the bell.
pub(crate) async fn next_due(store: &Store, gate: &str) -> anyhow::Result<Option<Timestamp>> {
    let next: Option<i64> = sqlx::query_scalar(
        "select due from lane where throttle = $1 and due > $2 order by due limit 1",
    )
    .bind(gate)
    .bind(store.now().as_millisecond())
    .fetch_optional(store.reader())
    .await
    .context("looking for the next due lane")?;
    Ok(next.map(super::timestamp))
}
