//! Outbound SMS with a SID and their highest reported status.

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use sqlx::FromRow;

use super::{Store, Tx};
use crate::vocabulary::{MessageId, OutboxId};

/// An SMS and the outbox row that it belongs to.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Sms {
    pub(crate) sid: String,
    pub(crate) outbox_id: OutboxId,
    pub(crate) message_id: MessageId,
    pub(crate) status: String,
    pub(crate) rank: i64,
    updated_at: i64,
}

impl Sms {
    /// Returns when its status was received.
    pub(crate) fn heard_at(&self) -> Timestamp {
        super::timestamp(self.updated_at)
    }
}

/// How long a status waits for its SMS to become known. An SMS that another program sent never does.
const PARKED_FOR: SignedDuration = SignedDuration::from_hours(24);

const COLUMNS: &str = "sid, outbox_id, message_id, status, rank, updated_at";

/// Records a SID with its outbox row. Returns `false` if it was recorded before.
pub(crate) async fn bind(
    tx: &mut Tx,
    sid: &str,
    outbox_id: &OutboxId,
    message_id: &MessageId,
    attempt: i64,
) -> anyhow::Result<bool> {
    let now = tx.now_ms();
    let bound = sqlx::query(
        "insert into sms (sid, outbox_id, message_id, attempt, status, rank, error_code, updated_at,
                          bound_at, asked_at)
         values ($1, $2, $3, $4, 'queued', 0, 0, $5, $5, $5) on conflict (sid) do nothing",
    )
    .bind(sid)
    .bind(outbox_id)
    .bind(message_id)
    .bind(attempt)
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("binding an SMS to its row")?;
    Ok(bound.rows_affected() == 1)
}

/// Raises the status of an SMS. Returns `false` if its rank was as high already; a late callback never lowers it.
pub(crate) async fn raise(
    tx: &mut Tx,
    sid: &str,
    status: &str,
    rank: i64,
    error_code: i64,
) -> anyhow::Result<bool> {
    let now = tx.now_ms();
    let raised = sqlx::query(
        "update sms set status = $1, rank = $2, error_code = $3, updated_at = $4
         where sid = $5 and rank < $2",
    )
    .bind(status)
    .bind(rank)
    .bind(error_code)
    .bind(now)
    .bind(sid)
    .execute(&mut *tx.inner)
    .await
    .context("raising the status of an SMS")?;
    Ok(raised.rows_affected() == 1)
}

/// Returns the SMS with this SID.
pub(crate) async fn by_sid(tx: &mut Tx, sid: &str) -> anyhow::Result<Option<Sms>> {
    let sql = format!("select {COLUMNS} from sms where sid = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(sid)
        .fetch_optional(&mut *tx.inner)
        .await
        .context("looking for an SMS")
}

/// Returns all SMS of an outbox row. More than one means that the text was sent twice.
pub(crate) async fn of_row(tx: &mut Tx, outbox_id: &OutboxId) -> anyhow::Result<Vec<Sms>> {
    let sql = format!("select {COLUMNS} from sms where outbox_id = $1 order by attempt");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(outbox_id)
        .fetch_all(&mut *tx.inner)
        .await
        .context("listing the SMS of a row")
}

/// Returns all SMS of a dispatcher's message.
pub(crate) async fn of_message(store: &Store, message_id: &MessageId) -> anyhow::Result<Vec<Sms>> {
    let sql = format!("select {COLUMNS} from sms where message_id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(message_id)
        .fetch_all(store.reader())
        .await
        .context("listing the SMS of a message")
}

/// Whether a SID is recorded with an outbox row.
pub(crate) async fn is_bound(store: &Store, sid: &str) -> anyhow::Result<bool> {
    let found: Option<String> = sqlx::query_scalar("select outbox_id from sms where sid = $1")
        .bind(sid)
        .fetch_optional(store.reader())
        .await
        .context("looking for an SMS")?;
    Ok(found.is_some())
}

/// Returns the SMS since `since` that have no final status and were not polled for `patience`, and records the poll. The
/// longest not polled come first.
pub(crate) async fn take_unfinished(
    store: &Store,
    since: Timestamp,
    patience: SignedDuration,
    limit: i64,
) -> anyhow::Result<Vec<String>> {
    let now = store.now();
    let asked_before = now.checked_sub(patience)?.as_millisecond();
    let sids: Vec<String> = sqlx::query_scalar(
        "select sid from sms where rank < 3 and bound_at >= $1 and asked_at <= $2 order by asked_at limit $3",
    )
    .bind(since.as_millisecond())
    .bind(asked_before)
    .bind(limit)
    .fetch_all(store.reader())
    .await
    .context("listing unfinished SMS")?;
    if sids.is_empty() {
        return Ok(sids);
    }
    let mut tx = store.begin().await?;
    for sid in &sids {
        sqlx::query("update sms set asked_at = $1 where sid = $2")
            .bind(now.as_millisecond())
            .bind(sid)
            .execute(&mut *tx.inner)
            .await
            .context("noting that an SMS was asked about")?;
    }
    tx.commit().await?;
    Ok(sids)
}

/// Stores a status of an unknown SID.
pub(crate) async fn park(
    tx: &mut Tx,
    sid: &str,
    status: &str,
    error_code: i64,
) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query("delete from deferred_status where received_at < $1")
        .bind(now - i64::try_from(PARKED_FOR.as_millis())?)
        .execute(&mut *tx.inner)
        .await
        .context("forgetting parked statuses")?;
    sqlx::query(
        "insert into deferred_status (sid, status, error_code, received_at) values ($1, $2, $3, $4)
         on conflict (sid, status) do nothing",
    )
    .bind(sid)
    .bind(status)
    .bind(error_code)
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("parking a status")?;
    Ok(())
}

/// Removes and returns the stored statuses of a SID: (status, error code).
pub(crate) async fn unpark(tx: &mut Tx, sid: &str) -> anyhow::Result<Vec<(String, i64)>> {
    sqlx::query_as("delete from deferred_status where sid = $1 returning status, error_code")
        .bind(sid)
        .fetch_all(&mut *tx.inner)
        .await
        .context("taking parked statuses")
}

/// Whether another part of the message failed before, so that its writer was already notified.
pub(crate) async fn another_failed(tx: &mut Tx, of: &Sms) -> anyhow::Result<bool> {
    let found: Option<String> = sqlx::query_scalar(
        "select sid from sms where message_id = $1 and sid <> $2 and status in ('failed', 'undelivered', 'canceled') limit 1",
    )
    .bind(&of.message_id)
    .bind(&of.sid)
    .fetch_optional(&mut *tx.inner)
    .await
    .context("looking for another failed part")?;
    Ok(found.is_some())
}
