//! Replies whose writer was asked whether to send them.

use anyhow::Context;
use jiff::Timestamp;
use sqlx::FromRow;

use super::{Store, Tx};
use crate::vocabulary::{ConfirmationState, ConversationId, MessageId, OutboxId};

/// A reply whose writer was asked.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Held {
    pub(crate) conversation_id: ConversationId,
    /// The writer's Slack user ID.
    pub(crate) writer: String,
    /// Where the question to its writer stands.
    pub(crate) state: ConfirmationState,
    /// The outbox row of the question in the thread; empty while only the writer was asked.
    pub(crate) notice: OutboxId,
}

impl Held {
    pub(crate) fn is_open(&self) -> bool {
        self.state == ConfirmationState::Open
    }
}

const COLUMNS: &str = "conversation_id, writer, state, notice";

/// Records that the writer is asked. Reopens an earlier question.
pub(crate) async fn open(
    tx: &mut Tx,
    message_id: &MessageId,
    conversation_id: &ConversationId,
    writer: &str,
    reason: &str,
) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query(
        "insert into confirmation (message_id, conversation_id, writer, reason, state, asked_at, notice)
         values ($1, $2, $3, $4, 'open', $5, '')
         on conflict (message_id) do update set reason = excluded.reason, state = 'open',
             asked_at = excluded.asked_at, notice = ''",
    )
    .bind(message_id)
    .bind(conversation_id)
    .bind(writer)
    .bind(reason)
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("keeping that a writer is asked")?;
    Ok(())
}

/// Returns the question about this message, if there is one.
pub(crate) async fn of_message(
    tx: &mut Tx,
    message_id: &MessageId,
) -> anyhow::Result<Option<Held>> {
    let sql = format!("select {COLUMNS} from confirmation where message_id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(message_id)
        .fetch_optional(&mut *tx.inner)
        .await
        .context("looking for a held reply")
}

/// Keeps what was decided.
pub(crate) async fn close(
    tx: &mut Tx,
    message_id: &MessageId,
    state: ConfirmationState,
) -> anyhow::Result<()> {
    sqlx::query("update confirmation set state = $1 where message_id = $2")
        .bind(state.as_str())
        .bind(message_id)
        .execute(&mut *tx.inner)
        .await
        .context("keeping what was decided about a reply")?;
    Ok(())
}

/// Records the outbox row of the question in the thread.
pub(crate) async fn set_notice(
    tx: &mut Tx,
    message_id: &MessageId,
    notice: &OutboxId,
) -> anyhow::Result<()> {
    sqlx::query("update confirmation set notice = $1 where message_id = $2")
        .bind(notice)
        .bind(message_id)
        .execute(&mut *tx.inner)
        .await
        .context("keeping where a question stands")?;
    Ok(())
}

/// Returns the messages whose question is open, was asked before `since` and was not asked in the thread yet.
pub(crate) async fn undecided(store: &Store, since: Timestamp) -> anyhow::Result<Vec<MessageId>> {
    sqlx::query_scalar(
        "select message_id from confirmation where state = 'open' and notice = '' and asked_at < $1 order by asked_at",
    )
    .bind(since.as_millisecond())
    .fetch_all(store.reader())
    .await
    .context("looking for replies that nobody has decided about")
}
