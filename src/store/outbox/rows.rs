//! The rows, and what is written to them.

use anyhow::Context;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::FromRow;

use crate::store::{Tx, lanes, new_id, timestamp};
use crate::vocabulary::{
    ConversationId, DeliveryState, Kind, MessageId, OutboxId, Reason, ReasonCode, Stored,
};

/// A delivery.
#[derive(Debug, Clone, FromRow, Serialize)]
pub struct Row {
    /// What `qdn-relay outbox show` takes.
    pub id: OutboxId,
    /// The queue it stands in.
    pub lane: String,
    pub(crate) seq: i64,
    pub(crate) part: i64,
    pub(crate) conversation_id: ConversationId,
    pub(crate) message_id: MessageId,
    /// What it is.
    pub kind: Stored<Kind>,
    #[serde(skip)]
    pub(crate) payload: String,
    /// Where it stands.
    pub state: Stored<DeliveryState>,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is next looked at, milliseconds since the Unix epoch.
    pub next_at: i64,
    /// What went wrong last, in words.
    #[serde(rename = "why")]
    pub last_error: String,
    /// A `ReasonCode` or the vendor's code, where the program acts on it; empty otherwise.
    #[serde(skip)]
    pub(crate) code: String,
    #[serde(rename = "told")]
    pub(crate) notified: i64,
    /// What the remote calls it: a MessageSid or a ts.
    pub external_id: String,
    /// When it was put in, milliseconds since the Unix epoch.
    pub created_at: i64,
}

impl Row {
    /// Whether it stands where it stands for this reason.
    pub(crate) fn is_because(&self, code: ReasonCode) -> bool {
        self.code == code.as_str()
    }

    /// When it was put in.
    pub(crate) fn created(&self) -> Timestamp {
        timestamp(self.created_at)
    }

    /// The words of an SMS, for the person who has to decide about it.
    pub(crate) fn words(&self) -> String {
        let payload: serde_json::Value = serde_json::from_str(&self.payload).unwrap_or_default();
        payload["body"].as_str().unwrap_or_default().to_owned()
    }
}

pub(in crate::store) const COLUMNS: &str = "id, lane, seq, part, conversation_id, message_id, kind, payload, state, attempts, \
                                  next_at, last_error, code, notified, external_id, created_at";

/// A delivery about to be put in.
#[derive(Debug, Clone)]
pub(crate) struct NewRow<'a> {
    pub(crate) lane: &'a lanes::Lane,
    pub(crate) conversation_id: Option<&'a ConversationId>,
    pub(crate) message_id: Option<&'a MessageId>,
    pub(crate) kind: Kind,
    pub(crate) payload: String,
}

/// Puts a delivery at the end of its lane.
pub(crate) async fn enqueue(tx: &mut Tx, new: &NewRow<'_>) -> anyhow::Result<OutboxId> {
    let seq = lanes::next_seq(tx, new.lane).await?;
    insert(tx, new, seq, 0).await
}

/// Puts the later parts of a delivery right behind its first: nothing that came after may pass between them.
pub(crate) async fn enqueue_part(
    tx: &mut Tx,
    new: &NewRow<'_>,
    first: &Row,
    part: i64,
) -> anyhow::Result<OutboxId> {
    insert(tx, new, first.seq, part).await
}

async fn insert(tx: &mut Tx, new: &NewRow<'_>, seq: i64, part: i64) -> anyhow::Result<OutboxId> {
    let id = OutboxId::new(new_id());
    let now = tx.now_ms();
    sqlx::query(
        "insert into outbox (id, lane, seq, part, conversation_id, message_id, kind, payload, state, pending, attempts,
                             next_at, last_error, notified, external_id, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', 1, 0, $9, '', 0, '', $9, $9)",
    )
    .bind(&id)
    .bind(&new.lane.id)
    .bind(seq)
    .bind(part)
    .bind(new.conversation_id.map_or("", ConversationId::as_str))
    .bind(new.message_id.map_or("", MessageId::as_str))
    .bind(new.kind.as_str())
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
    id: &OutboxId,
    state: DeliveryState,
    next_at: i64,
    why: impl Into<Reason>,
) -> anyhow::Result<()> {
    let (now, why) = (tx.now_ms(), why.into());
    sqlx::query("update outbox set state = $1, pending = $2, next_at = $3, last_error = $4, code = $5, updated_at = $6 where id = $7")
        .bind(state.as_str())
        .bind(i64::from(state.is_pending()))
        .bind(next_at)
        .bind(why.words)
        .bind(why.code)
        .bind(now)
        .bind(id)
        .execute(&mut *tx.inner)
        .await
        .context("moving an outbox row")?;
    Ok(())
}

/// Takes a row up again as if it had just been put in: at the end of its lane.
pub(crate) async fn move_to_end(
    tx: &mut Tx,
    lane: &lanes::Lane,
    id: &OutboxId,
) -> anyhow::Result<()> {
    let seq = lanes::next_seq(tx, lane).await?;
    let now = tx.now_ms();
    sqlx::query(
        "update outbox set seq = $1, part = 0, state = 'waiting', pending = 1, next_at = $2, last_error = '', code = '', notified = 0,
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
pub(crate) async fn set_notified(tx: &mut Tx, id: &OutboxId) -> anyhow::Result<()> {
    sqlx::query("update outbox set notified = 1 where id = $1")
        .bind(id)
        .execute(&mut *tx.inner)
        .await
        .context("noting that a delivery was told to be stuck")?;
    Ok(())
}

/// Keeps what the remote calls it.
pub(crate) async fn set_external_id(
    tx: &mut Tx,
    id: &OutboxId,
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

/// Replaces what is to be sent: a reply whose names were looked up.
pub(crate) async fn set_payload(
    tx: &mut Tx,
    id: &OutboxId,
    kind: Kind,
    payload: &str,
) -> anyhow::Result<()> {
    sqlx::query("update outbox set kind = $1, payload = $2 where id = $3")
        .bind(kind.as_str())
        .bind(payload)
        .bind(id)
        .execute(&mut *tx.inner)
        .await
        .context("replacing a delivery's payload")?;
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
    conversation_id: &ConversationId,
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
