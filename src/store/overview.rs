//! Queries for the demo's page: the newest decisions, and the deliveries of each message.

use anyhow::Context;
use sqlx::FromRow;

use super::Store;
use super::audit::{COLUMNS, Entry};
use crate::vocabulary::Kind;

/// A message's delivery.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Asked {
    /// The vendor that the message came from: `twilio` or `slack`.
    pub(crate) origin: String,
    /// The message's ID at that vendor: a MessageSid, or `channel:ts`.
    pub(crate) message: String,
    /// The delivery's ID at the other vendor; empty until it is made.
    pub(crate) delivered_as: String,
}

/// Returns the newest rows of the audit trail, newest first.
pub(crate) async fn newest_decisions(store: &Store, limit: i64) -> anyhow::Result<Vec<Entry>> {
    let sql = format!("select {COLUMNS} from audit order by seq desc limit $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(limit)
        .fetch_all(store.reader())
        .await
        .context("reading the newest decisions")
}

/// Returns every text and reply with its posts and texts, made or waiting.
pub(crate) async fn asked(store: &Store) -> anyhow::Result<Vec<Asked>> {
    let sql = format!(
        "select m.origin, m.external_id as message, o.external_id as delivered_as
         from message m join outbox o on o.message_id = m.id
         where (m.origin = 'twilio' and o.kind = 'post') or (m.origin = 'slack' and o.kind in ({}))
         order by o.created_at, o.id",
        Kind::sql_texts()
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .fetch_all(store.reader())
        .await
        .context("reading what became of messages")
}
