//! Attempts: written down before their request leaves, and finished when its answer is known.

use std::time::Duration;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sqlx::FromRow;

use crate::store::{Reads, Tx, lanes, timestamp};
use crate::vocabulary::OutboxId;
use crate::vocabulary::{AttemptResult, Reason, ReasonCode, Stored};

/// Every attempt at a delivery.
pub(crate) async fn attempts(
    reads: impl Into<Reads<'_>>,
    outbox_id: &OutboxId,
) -> anyhow::Result<Vec<Attempt>> {
    sqlx::query_as(
        "select n, started_at, finished_at, outcome, detail, code, remote_at from attempt where outbox_id = $1 order by n",
    )
        .bind(outbox_id)
        .fetch_all(&mut *reads.into().connection().await?)
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
    pub outcome: Stored<AttemptResult>,
    /// More of it, in words.
    pub detail: String,
    /// A `ReasonCode` or the vendor's code, where the program acts on it; empty otherwise.
    #[serde(skip)]
    pub(crate) code: String,
    /// When it began by Twilio's clock, where that was known.
    pub(crate) remote_at: Option<i64>,
}

/// How far two clocks may differ over one attempt without one of them having been set: Twilio tells whole seconds.
const CLOCKS_AGREE: SignedDuration = SignedDuration::from_secs(5);

impl Attempt {
    /// Whether it ended as it did for this reason.
    pub(crate) fn is_because(&self, code: ReasonCode) -> bool {
        self.code == code.as_str()
    }

    /// Whether the row was tried again though this may have been acted on: nothing of it was to be seen.
    pub(crate) fn is_in_vain(&self) -> bool {
        matches!(
            self.outcome.known(),
            Some(AttemptResult::Absent | AttemptResult::NotRead)
        )
    }

    /// One that ended so.
    #[cfg(test)]
    pub(crate) fn for_a_test(n: i64, outcome: AttemptResult, detail: &str) -> Attempt {
        Attempt {
            n,
            started_at: 0,
            finished_at: None,
            outcome: outcome.into(),
            detail: detail.to_owned(),
            code: String::new(),
            remote_at: None,
        }
    }

    /// Since when its fate is known to be unknown: for what a dead process left, since it was found.
    pub(crate) fn doubted_since(&self) -> Timestamp {
        timestamp(self.finished_at.unwrap_or(self.started_at))
    }

    /// When it was committed.
    pub(crate) fn started(&self) -> Timestamp {
        timestamp(self.started_at)
    }

    /// When the attempt began by Twilio's clock, if that was known. Timestamps of the vendors are compared with it.
    pub(crate) fn started_outside(&self) -> Option<Timestamp> {
        self.remote_at.map(timestamp)
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
    outbox_id: &OutboxId,
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
    outbox_id: &OutboxId,
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
    outbox_id: &OutboxId,
    n: i64,
    outcome: AttemptResult,
    detail: impl Into<Reason>,
) -> anyhow::Result<()> {
    let (now, detail) = (tx.now_ms(), detail.into());
    sqlx::query("update attempt set finished_at = $1, outcome = $2, detail = $3, code = $4 where outbox_id = $5 and n = $6")
        .bind(now)
        .bind(outcome.as_str())
        .bind(detail.words)
        .bind(detail.code)
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
    outbox_id: &OutboxId,
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
    Ok(timestamp(first))
}

/// How many attempts at a delivery were proved never to have happened.
pub(crate) async fn absences(tx: &mut Tx, outbox_id: &OutboxId) -> anyhow::Result<i64> {
    sqlx::query_scalar("select count(*) from attempt where outbox_id = $1 and outcome = 'absent'")
        .bind(outbox_id)
        .fetch_one(&mut *tx.inner)
        .await
        .context("counting absences")
}

/// One attempt.
pub(crate) async fn attempt(tx: &mut Tx, outbox_id: &OutboxId, n: i64) -> anyhow::Result<Attempt> {
    sqlx::query_as(
        "select n, started_at, finished_at, outcome, detail, code, remote_at from attempt where outbox_id = $1 and n = $2",
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
                outcome: AttemptResult::UnderWay.into(),
                detail: String::new(),
                code: String::new(),
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
