//! Deletes old finished rows, a few at a time. The audit trail stays complete.

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};

use super::{Store, Tx};
use crate::vocabulary::Kind;

/// How long finished deliveries are kept for `qdn-relay outbox show`. Longer than any late callback of Twilio's or Slack's.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How long parked events are kept. What they wait for has long arrived by then.
const PARKED: SignedDuration = SignedDuration::from_hours(24);

/// How long Slack's requests are remembered. Their signatures are valid for five minutes before and after their timestamp.
const TAKEN: SignedDuration = SignedDuration::from_mins(15);

/// The most rows that one statement deletes. A caller's text must not wait long for it.
const AT_ONCE: i64 = 200;

/// Which deliveries are done and old: what was said to anybody is kept.
fn done_deliveries() -> String {
    format!(
        "select id from outbox where pending = 0 and state in ('delivered', 'dropped') and updated_at < $1
             and kind not in ({})
             and not exists (select 1 from listed where listed.list_id = outbox.id and listed.opened_by = '')
             order by updated_at limit $2",
        Kind::sql_list(|policy| policy.is_kept)
    )
}

/// What else is taken away: each with the time from which on it is kept and how many at once.
const SWEEPS: [(&str, SignedDuration); 6] = [
    (
        // A parent message that may still be edited is rendered from these.
        "delete from listed where message_id in
             (select l.message_id from listed l where l.opened_by <> '' and l.came_at < $1
              and not exists (select 1 from thread t where t.conversation_id = l.conversation_id
                              and t.post_id = l.opened_by and t.next_ts = '') limit $2)",
        KEPT,
    ),
    (
        "delete from lane where id in
             (select id from lane where due is null and served_at < $1 and lease_until = 0
              and not exists (select 1 from outbox where outbox.lane = lane.id) order by served_at limit $2)",
        KEPT,
    ),
    (
        "delete from deferred_reply where ts in (select ts from deferred_reply where received_at < $1 limit $2)
             and received_at < $1",
        PARKED,
    ),
    (
        "delete from taken_request where key in
             (select key from taken_request where taken_at < $1 order by taken_at limit $2) and taken_at < $1",
        TAKEN,
    ),
    (
        "delete from deferred_status where sid in (select sid from deferred_status where received_at < $1 limit $2)
             and received_at < $1",
        PARKED,
    ),
    (
        "delete from call_event where call_sid in
             (select call_sid from call_event where received_at < $1 order by received_at limit $2) and received_at < $1",
        KEPT,
    ),
];

/// Deletes some old finished rows. Returns their number.
pub(crate) async fn sweep(store: &Store) -> anyhow::Result<u64> {
    let mut swept = 0;
    let mut tx = store.begin().await?;
    let done = done_deliveries();
    let before = tx.now().checked_sub(KEPT)?;
    for sql in [
        format!("delete from attempt where outbox_id in ({done})"),
        format!("delete from outbox where id in ({done})"),
    ] {
        swept += run(&mut tx, &sql, before).await?;
    }
    for (sql, kept) in SWEEPS {
        let before = tx.now().checked_sub(kept)?;
        swept += run(&mut tx, sql, before).await?;
    }
    tx.commit().await?;
    Ok(swept)
}

async fn run(tx: &mut Tx, sql: &str, before: Timestamp) -> anyhow::Result<u64> {
    let done = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()))
        .bind(before.as_millisecond())
        .bind(AT_ONCE)
        .execute(&mut *tx.inner)
        .await
        .context("taking away what is done and old")?;
    Ok(done.rows_affected())
}

/// Returns the number of waiting deliveries for each throttle.
pub(crate) async fn waiting_by_throttle(store: &Store) -> anyhow::Result<Vec<(String, i64)>> {
    sqlx::query_as(
        "select lane.throttle, count(*) from outbox join lane on lane.id = outbox.lane where outbox.pending = 1 group by lane.throttle",
    )
    .fetch_all(store.reader())
    .await
    .context("looking what waits where")
}
