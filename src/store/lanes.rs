//! Lanes: strictly ordered queues of deliveries, each leased to one worker at a time.
//!
//! Each lane belongs to a throttle: the Slack channel or the Twilio number to which its requests go. Among the due lanes of a
//! throttle, the one served longest ago comes first, so that a flood in one conversation does not hold up the others.

use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use sqlx::FromRow;

use super::outbox::{self, Attempt, Row};
use super::{Dialect, Store, Tx};
use crate::clock::BootInstant;
use crate::vocabulary::DeliveryState;

/// A lane's id and its throttle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lane {
    pub(crate) id: String,
    pub(crate) throttle: String,
}

/// The prefix of lanes that come before all others of their throttle: they always count as served longest ago. They are few,
/// since only actions of people put deliveries into them.
pub(crate) const FIRST_SERVED: &str = "question:";

/// Returns the time at which a lane that is served `now` counts as served.
fn served_at(lane: &str, now: i64) -> i64 {
    match lane.starts_with(FIRST_SERVED) {
        true => 0,
        false => now,
    }
}

/// Returns the next place in the lane and makes the lane due. Creates the lane if there is none.
pub(super) async fn next_seq(tx: &mut Tx, lane: &Lane) -> anyhow::Result<i64> {
    let now = tx.now_ms();
    tx.throttles.push(lane.throttle.clone());
    sqlx::query_scalar(
        "insert into lane (id, throttle, next_seq, due, served_at, lease_owner, lease_until) values ($1, $2, 2, $3, $4, '', 0)
         on conflict (id) do update set next_seq = lane.next_seq + 1, due = coalesce(lane.due, excluded.due)
         returning next_seq - 1",
    )
    .bind(&lane.id)
    .bind(&lane.throttle)
    .bind(now)
    .bind(served_at(&lane.id, now))
    .fetch_one(&mut *tx.inner)
    .await
    .context("taking a place in a lane")
}

/// Makes the lane due now.
pub(crate) async fn rouse(tx: &mut Tx, lane: &Lane) -> anyhow::Result<()> {
    let now = tx.now_ms();
    tx.throttles.push(lane.throttle.clone());
    sqlx::query("update lane set due = $1 where id = $2 and (due is null or due > $1)")
        .bind(now)
        .bind(&lane.id)
        .execute(&mut *tx.inner)
        .await
        .context("rousing a lane")?;
    Ok(())
}

/// Whether the lane has a pending delivery.
pub(crate) async fn is_waiting(tx: &mut Tx, lane: &str) -> anyhow::Result<bool> {
    let found: Option<String> =
        sqlx::query_scalar("select id from outbox where lane = $1 and pending = 1 limit 1")
            .bind(lane)
            .fetch_optional(&mut *tx.inner)
            .await
            .context("looking into a lane")?;
    Ok(found.is_some())
}

/// Puts the lane behind every lane that is served, or becomes due, within the next `milliseconds`.
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

/// What a worker has to do with a claimed row.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// Send it. This attempt is already recorded.
    Attempt(Attempt),
    /// Find out the outcome of this attempt.
    Settle(Attempt),
}

/// A row that a worker has leased.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub(crate) row: Row,
    pub(crate) work: Work,
    /// Whether a dead process left the row's attempt without an outcome.
    pub(crate) orphaned: bool,
    /// When it was claimed, by the database's clock.
    pub(crate) at: Timestamp,
    /// How long before that its attempt began; see [`Attempt::waited`].
    pub(crate) waited: Duration,
    pub(crate) lease_until: Timestamp,
    /// The end of the lease by this machine's boot clock, which nobody can set and which counts suspensions.
    pub(crate) deadline: BootInstant,
}

/// The parameters of a lease.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    /// The owner: one run of one process.
    pub(crate) owner: String,
    pub(crate) duration: jiff::SignedDuration,
    /// The time by Twilio's clock, if it is known.
    pub(crate) remote_now: Option<Timestamp>,
}

#[derive(FromRow)]
struct LaneId {
    id: String,
}

/// Claims the heads of up to `limit` due lanes of `throttle` and records their attempts. They are committed before this returns.
pub(crate) async fn claim(
    store: &Store,
    throttle: &str,
    lease: &Lease,
    limit: i64,
) -> anyhow::Result<Vec<Claimed>> {
    if !has_due(store, throttle).await? {
        return Ok(Vec::new());
    }
    let mut tx = store.begin().await?;
    let now = tx.now_ms();
    let sql = match tx.dialect {
        Dialect::Sqlite => DUE.to_owned(),
        Dialect::Postgres => format!("{DUE} for update skip locked"),
    };
    let lanes: Vec<LaneId> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(throttle)
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

/// Checks for due lanes without a lock, so that an idle throttle does not need the writer.
async fn has_due(store: &Store, throttle: &str) -> anyhow::Result<bool> {
    let found: Option<String> = sqlx::query_scalar(
        "select id from lane where throttle = $1 and due <= $2 and lease_until <= $2 limit 1",
    )
    .bind(throttle)
    .bind(store.now().as_millisecond())
    .fetch_optional(store.reader())
    .await
    .context("looking for due lanes")?;
    Ok(found.is_some())
}

/// Returns the head of a lane if it is due; otherwise corrects the lane's due time.
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
        // The boot clock was read before the database's time, so the deadline is never after the end of the lease.
        deadline: tx.began + Duration::try_from(lease.duration)?,
    })
}

/// Sets the lane's due time from its head, and wakes its throttle.
pub(crate) async fn advance(tx: &mut Tx, lane: &str) -> anyhow::Result<()> {
    let throttle: Option<String> = sqlx::query_scalar(
        "update lane set due = (select next_at from outbox where lane = $1 and pending = 1 order by seq, part limit 1)
         where id = $1 returning throttle",
    )
    .bind(lane)
    .fetch_optional(&mut *tx.inner)
    .await
    .context("advancing a lane")?;
    tx.throttles.extend(throttle);
    Ok(())
}

/// Ends the lease if this claim still holds it, and sets the lane's due time.
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

/// Moves due times back by `step` after the clock was set back; otherwise deliveries would wait that much longer. Does nothing
/// for Postgres, where the database's clock counts.
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

/// Ends all leases. Call it only if no other process can hold one.
pub(super) async fn end_all_leases(store: &Store) -> anyhow::Result<()> {
    let mut tx = store.begin().await?;
    sqlx::query("update lane set lease_owner = '', lease_until = 0 where lease_until > 0")
        .execute(&mut *tx.inner)
        .await
        .context("ending the leases of the dead")?;
    tx.commit().await
}

/// Returns when a lane of this throttle next becomes due. A lane that is due already is leased; its release rings the bell.
pub(crate) async fn next_due(store: &Store, throttle: &str) -> anyhow::Result<Option<Timestamp>> {
    let next: Option<i64> = sqlx::query_scalar(
        "select due from lane where throttle = $1 and due > $2 order by due limit 1",
    )
    .bind(throttle)
    .bind(store.now().as_millisecond())
    .fetch_optional(store.reader())
    .await
    .context("looking for the next due lane")?;
    Ok(next.map(super::timestamp))
}
