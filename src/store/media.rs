//! The media files of outbound texts.

use anyhow::Context;
use jiff::Timestamp;

use super::{Store, Tx};
use crate::media::OutboundMedia;
use crate::vocabulary::Kind;
use crate::vocabulary::{ConversationId, MessageId};

/// Records a stored file. Does nothing if it is recorded already.
pub(crate) async fn insert(
    tx: &mut Tx,
    conversation_id: &ConversationId,
    message_id: &MessageId,
    medium: &OutboundMedia,
) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query(
        "insert into outbound_media (id, conversation_id, message_id, content_type, size, created_at)
         values ($1, $2, $3, $4, $5, $6) on conflict (id) do nothing",
    )
    .bind(&medium.id)
    .bind(conversation_id)
    .bind(message_id)
    .bind(&medium.content_type)
    .bind(medium.size)
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("noting a file")?;
    Ok(())
}

/// Returns the MIME type of a file; `None` if it is not recorded.
pub(crate) async fn content_type(store: &Store, id: &str) -> anyhow::Result<Option<String>> {
    sqlx::query_scalar("select content_type from outbound_media where id = $1")
        .bind(id)
        .fetch_optional(store.reader())
        .await
        .context("looking for a file")
}

/// Returns the ids of all files.
pub(crate) async fn ids(store: &Store) -> anyhow::Result<Vec<String>> {
    sqlx::query_scalar("select id from outbound_media")
        .fetch_all(store.reader())
        .await
        .context("listing the files")
}

/// Deletes the rows of files from before `done` whose message has no open delivery, and of all files from before `any`.
pub(crate) async fn forget(tx: &mut Tx, done: Timestamp, any: Timestamp) -> anyhow::Result<u64> {
    let sql = format!(
        "delete from outbound_media where created_at < $1 or (created_at < $2 and not exists (
             select 1 from outbox where outbox.message_id = outbound_media.message_id
             and (outbox.pending = 1 or outbox.state in ('undecided', 'asked')) and outbox.kind in ({})))",
        Kind::sql_texts()
    );
    let forgotten = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(any.as_millisecond())
        .bind(done.as_millisecond())
        .execute(&mut *tx.inner)
        .await
        .context("forgetting files")?;
    Ok(forgotten.rows_affected())
}
