//! Edits of replies that were already sent, which the thread offers to send as corrections.

use anyhow::Context;
use sqlx::FromRow;

use super::{Tx, new_id};
use crate::vocabulary::{ConversationId, EditState, MessageId, OutboxId};

/// An edit of a sent reply.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Edit {
    pub(crate) id: String,
    pub(crate) message_id: MessageId,
    pub(crate) conversation_id: ConversationId,
    /// The edited text, in Slack's markup.
    pub(crate) body: String,
    state: EditState,
    /// The outbox row of its notice in the thread.
    pub(crate) notice: OutboxId,
}

impl Edit {
    /// Whether it can still be sent: nobody has sent it and no later edit has replaced it.
    pub(crate) fn is_offered(&self) -> bool {
        self.state == EditState::Offered
    }
}

const COLUMNS: &str = "id, message_id, conversation_id, body, state, notice";

/// Stores an edit that is offered as a correction. Returns its id.
pub(crate) async fn offer(
    tx: &mut Tx,
    message_id: &MessageId,
    conversation_id: &ConversationId,
    body: &str,
    got: &str,
) -> anyhow::Result<String> {
    let now = tx.now_ms();
    sqlx::query_scalar(
        "insert into edit (id, message_id, conversation_id, body, got, state, notice, created_at)
         values ($1, $2, $3, $4, $5, 'offered', '', $6) returning id",
    )
    .bind(new_id())
    .bind(message_id)
    .bind(conversation_id)
    .bind(body)
    .bind(got)
    .bind(now)
    .fetch_one(&mut *tx.inner)
    .await
    .context("keeping an edit")
}

/// Replaces the text of an edit that is still offered.
pub(crate) async fn set_body(tx: &mut Tx, id: &str, body: &str) -> anyhow::Result<()> {
    sqlx::query("update edit set body = $1 where id = $2")
        .bind(body)
        .bind(id)
        .execute(&mut *tx.inner)
        .await
        .context("keeping a later edit")?;
    Ok(())
}

/// Records the outbox row of its notice.
pub(crate) async fn set_notice(tx: &mut Tx, id: &str, notice: &OutboxId) -> anyhow::Result<()> {
    sqlx::query("update edit set notice = $1 where id = $2")
        .bind(notice)
        .bind(id)
        .execute(&mut *tx.inner)
        .await
        .context("keeping where an edit is told of")?;
    Ok(())
}

/// Keeps what became of it.
pub(crate) async fn close(tx: &mut Tx, id: &str, state: EditState) -> anyhow::Result<()> {
    sqlx::query("update edit set state = $1 where id = $2")
        .bind(state.as_str())
        .bind(id)
        .execute(&mut *tx.inner)
        .await
        .context("keeping what became of an edit")?;
    Ok(())
}

/// Returns the edit with this id.
pub(crate) async fn by_id(tx: &mut Tx, id: &str) -> anyhow::Result<Option<Edit>> {
    let sql = format!("select {COLUMNS} from edit where id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(id)
        .fetch_optional(&mut *tx.inner)
        .await
        .context("reading an edit")
}

/// Returns the edit of this message that is still offered.
pub(crate) async fn offered(tx: &mut Tx, message_id: &MessageId) -> anyhow::Result<Option<Edit>> {
    let sql = format!(
        "select {COLUMNS} from edit where message_id = $1 and state = 'offered' order by created_at desc limit 1"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(message_id)
        .fetch_optional(&mut *tx.inner)
        .await
        .context("looking for an offered edit")
}

/// Returns the last correction of this message that was sent, in Slack's markup.
pub(crate) async fn last_sent(
    tx: &mut Tx,
    message_id: &MessageId,
) -> anyhow::Result<Option<String>> {
    sqlx::query_scalar(
        "select body from edit where message_id = $1 and state = 'sent' order by created_at desc limit 1",
    )
    .bind(message_id)
    .fetch_optional(&mut *tx.inner)
    .await
    .context("looking for the last correction")
}
