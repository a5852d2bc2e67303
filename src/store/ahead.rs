//! Corrects due times that are too far in the future to be intended: the clock was ahead when they were written and was
//! corrected while the service was stopped.

use std::time::Duration;

use anyhow::Context;
use jiff::SignedDuration;

use super::Store;

/// The longest intended delay of a delivery. If a vendor asked for a longer one, it is tried once more.
const PUT_OFF: SignedDuration = SignedDuration::from_mins(5);

/// The longest intended delays of other times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Farthest {
    pub(crate) lease: Duration,
    pub(crate) remind: Duration,
    pub(crate) page: Duration,
}

/// Corrects all due times that are farther off, by the database's clock. Returns the number of changed rows. Run it at the
/// start, since it scans the tables.
pub(crate) async fn bring_near(store: &Store, farthest: Farthest) -> anyhow::Result<u64> {
    let mut tx = store.begin().await?;
    let now = tx.now_ms();
    let millis = |far: Duration| i64::try_from(far.as_millis()).unwrap_or(i64::MAX);
    let put_off = i64::try_from(PUT_OFF.as_millis())?;
    let mut changed = 0;
    for (sql, to, beyond) in [
        (
            "update outbox set next_at = $1 where pending = 1 and next_at > $2",
            now,
            now.saturating_add(put_off),
        ),
        (
            "update lane set due = $1 where due > $2",
            now,
            now.saturating_add(put_off),
        ),
        clamp(
            "update lane set lease_until = $1 where lease_until > $2",
            now.saturating_add(millis(farthest.lease)),
        ),
        clamp(
            "update conversation_status set remind_at = $1 where remind_at > $2",
            now.saturating_add(millis(farthest.remind)),
        ),
        clamp(
            "update conversation_status set page_at = $1 where page_at > $2",
            now.saturating_add(millis(farthest.page)),
        ),
        clamp(
            "update home_view set published_at = $1 where published_at > $2",
            now,
        ),
        // Otherwise an opt-out or opt-in from now on would count as older than the stored one.
        clamp("update opt_out set as_of = $1 where as_of > $2", now),
    ] {
        let done = sqlx::query(sql)
            .bind(to)
            .bind(beyond)
            .execute(&mut *tx.inner)
            .await
            .context("bringing near what is too far off")?;
        changed += done.rows_affected();
    }
    tx.commit().await?;
    Ok(changed)
}

fn clamp(sql: &'static str, to: i64) -> (&'static str, i64, i64) {
    (sql, to, to)
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

    use crate::clock::Clock;
    use crate::store::Store;

    /// While another replica holds the lock, a writer waits. It must read the time after the wait, or leases would begin before
    /// they were granted.
    #[tokio::test]
    async fn the_time_is_told_after_the_wait_for_another_writer() {
        let Some((mut maintenance, url, name)) = crate::store::plans::postgres("qdn_waits").await
        else {
            return;
        };
        let store = Store::open(&url, Clock::System).await.unwrap();
        let mut other = PgConnection::connect(&url).await.unwrap();
        for sql in [
            "begin",
            "select seq from audit_head where id = 1 for update",
        ] {
            other.execute(sql).await.unwrap();
        }
        let waiting = store.clone();
        let writer = tokio::spawn(async move {
            let tx = waiting.begin().await.unwrap();
            (tx.now(), tx.began)
        });
        let waits = format!(
            "select count(*) from pg_stat_activity where datname = '{name}' and wait_event_type = 'Lock'"
        );
        while count(&mut maintenance, &waits).await == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        // It is waiting now, so any time from here on is after the begin of its wait.
        let now = "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint)";
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let waited = count(&mut maintenance, now).await;
        other.execute("commit").await.unwrap();
        let (told, _) = writer.await.unwrap();
        assert!(told.as_millisecond() >= waited, "{told} before {waited}");
        other.close().await.unwrap();
        store.close().await;
        let drop = AssertSqlSafe(format!("drop database {name} with (force)"));
        maintenance.execute(drop).await.unwrap();
    }

    async fn count(connection: &mut PgConnection, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(connection)
            .await
            .unwrap()
    }
}
