//! What is going on, for somebody who watches: the newest decisions, and where every message went.

use anyhow::Context;
use sqlx::FromRow;

use super::Store;
use super::audit::{COLUMNS, Entry};
use crate::vocabulary::Kind;

/// A delivery that a message asked for.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Asked {
    /// `twilio` or `slack`, where the message came from.
    pub(crate) origin: String,
    /// What that vendor calls the message: a MessageSid, or `channel:ts`.
    pub(crate) message: String,
    /// What the other vendor calls what was delivered; empty while nothing was.
    pub(crate) delivered_as: String,
}

/// The newest rows of the audit trail, newest first.
pub(crate) async fn newest_decisions(store: &Store, limit: i64) -> anyhow::Result<Vec<Entry>> {
    let sql = format!("select {COLUMNS} from audit order by seq desc limit $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(limit)
        .fetch_all(store.reader())
        .await
        .context("reading the newest decisions")
}

/// Every text and every reply with the posts and texts that it became or shall become.
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
