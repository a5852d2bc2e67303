//! Records who was sent the missed-call text, and finds numbers that do not accept texts.

use anyhow::Context;
use jiff::Timestamp;

use super::Tx;
use crate::vocabulary::ConversationId;

/// Records that the caller is sent the missed-call text for this call.
pub(crate) async fn set_texted(tx: &mut Tx, sid: &str) -> anyhow::Result<()> {
    sqlx::query("update call set texted = 1 where sid = $1")
        .bind(sid)
        .execute(&mut *tx.inner)
        .await
        .context("noting that a caller is texted")?;
    Ok(())
}

/// Whether the conversation's caller was sent the missed-call text for a call after `since`.
pub(crate) async fn texted_since(
    tx: &mut Tx,
    conversation_id: &ConversationId,
    since: Timestamp,
) -> anyhow::Result<bool> {
    let found: Option<i64> = sqlx::query_scalar(
        "select 1 from call where conversation_id = $1 and texted = 1 and started_at > $2 limit 1",
    )
    .bind(conversation_id)
    .bind(since.as_millisecond())
    .fetch_optional(&mut *tx.inner)
    .await
    .context("looking when a caller was texted")?;
    Ok(found.is_some())
}

/// Whether a text to the conversation's caller failed with one of these error codes of Twilio's.
pub(crate) async fn refuses_texts(
    tx: &mut Tx,
    conversation_id: &ConversationId,
    codes: &[i64],
) -> anyhow::Result<bool> {
    for code in codes {
        let found: Option<i64> = sqlx::query_scalar(
            "select 1 from outbox o left join sms s on s.outbox_id = o.id
             where o.conversation_id = $1 and o.kind = 'sms'
               and (s.error_code = $2 or (o.state = 'refused' and o.code = $3)) limit 1",
        )
        .bind(conversation_id)
        .bind(code)
        .bind(code.to_string())
        .fetch_optional(&mut *tx.inner)
        .await
        .context("looking whether a number takes texts")?;
        if found.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
