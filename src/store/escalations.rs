//! Texts to people of the desk about a caller whom nobody answers.

use anyhow::Context;

use super::Tx;
use crate::vocabulary::{ConversationId, MessageId};

/// Records which conversation a message to `person` is about.
pub(crate) async fn insert(
    tx: &mut Tx,
    message_id: &MessageId,
    conversation_id: &ConversationId,
    person: &str,
) -> anyhow::Result<()> {
    sqlx::query(
        "insert into escalation (message_id, conversation_id, person) values ($1, $2, $3) on conflict (message_id) do nothing",
    )
    .bind(message_id)
    .bind(conversation_id)
    .bind(person)
    .execute(&mut *tx.inner)
    .await
    .context("keeping a text to a person of the desk")?;
    Ok(())
}

/// Returns the conversation and the person of such a message; `None` for any other message.
pub(crate) async fn of(
    tx: &mut Tx,
    message_id: &MessageId,
) -> anyhow::Result<Option<(ConversationId, String)>> {
    sqlx::query_as("select conversation_id, person from escalation where message_id = $1")
        .bind(message_id)
        .fetch_optional(&mut *tx.inner)
        .await
        .context("looking for a text to a person of the desk")
}

/// Returns the SIDs of all such messages about a conversation.
pub(crate) async fn sids_about(
    tx: &mut Tx,
    conversation_id: &ConversationId,
) -> anyhow::Result<Vec<String>> {
    sqlx::query_scalar(
        "select sms.sid from sms join escalation on escalation.message_id = sms.message_id where escalation.conversation_id = $1",
    )
    .bind(conversation_id)
    .fetch_all(&mut *tx.inner)
    .await
    .context("listing texts to people of the desk")
}
