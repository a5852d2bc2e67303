//! What is asked of the outbox.

use anyhow::Context;
use jiff::Timestamp;
use sqlx::FromRow;

use super::rows::{COLUMNS, Row};
use crate::store::{Reads, Store, Tx};
use crate::vocabulary::{DeliveryState, Kind, Stored};
use crate::vocabulary::{MessageId, OutboxId};

/// The row with this id.
pub(crate) async fn by_id(
    reads: impl Into<Reads<'_>>,
    id: &OutboxId,
) -> anyhow::Result<Option<Row>> {
    let sql = format!("select {COLUMNS} from outbox where id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(id)
        .fetch_optional(&mut *reads.into().connection().await?)
        .await
        .context("reading an outbox row")
}

/// Where a delivery stands; `None` if there is no such row, or if a later version wrote its state.
pub(crate) async fn state(store: &Store, id: &OutboxId) -> anyhow::Result<Option<DeliveryState>> {
    let found: Option<Stored<DeliveryState>> =
        sqlx::query_scalar("select state from outbox where id = $1")
            .bind(id)
            .fetch_optional(store.reader())
            .await
            .context("reading where a delivery stands")?;
    Ok(found.and_then(|state| state.known()))
}

/// What the remote calls what a row led to; empty while there is nothing.
pub(crate) async fn external_id(store: &Store, id: &OutboxId) -> anyhow::Result<String> {
    let found: Option<String> = sqlx::query_scalar("select external_id from outbox where id = $1")
        .bind(id)
        .fetch_optional(store.reader())
        .await
        .context("reading what a delivery led to")?;
    Ok(found.unwrap_or_default())
}

/// The deliveries of one message: what its mark is made of.
pub(crate) async fn of_message(
    reads: impl Into<Reads<'_>>,
    message_id: &MessageId,
) -> anyhow::Result<Vec<Row>> {
    let sql = format!("select {COLUMNS} from outbox where message_id = $1 order by seq, part");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(message_id)
        .fetch_all(&mut *reads.into().connection().await?)
        .await
        .context("listing a message's deliveries")
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
pub(crate) async fn waits(tx: &mut Tx, message_id: &MessageId, kind: Kind) -> anyhow::Result<bool> {
    let found: Option<String> = sqlx::query_scalar(
        "select id from outbox where message_id = $1 and kind = $2 and state = 'waiting' limit 1",
    )
    .bind(message_id)
    .bind(kind.as_str())
    .fetch_optional(&mut *tx.inner)
    .await
    .context("looking for a delivery that waits")?;
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

/// How many deliveries are in a state, and since when the oldest has been there.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Depth {
    pub(crate) state: Stored<DeliveryState>,
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
    let texts = Kind::sql_texts();
    let sql = format!(
        "select {COLUMNS} from outbox o where pending = 1 and kind in ({texts}) and notified = 0 and created_at < $1
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
