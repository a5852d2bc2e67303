//! Twilio's webhooks about calls, each stored once with our answer.

use anyhow::Context;

use super::{Store, Tx};

/// Stores a webhook about a call and our answer. Returns `false` if it was stored before.
pub(crate) async fn record(
    tx: &mut Tx,
    call: &str,
    event: &str,
    answer: &str,
) -> anyhow::Result<bool> {
    let now = tx.now_ms();
    let kept = sqlx::query(
        "insert into call_event (call_sid, event, answer, received_at) values ($1, $2, $3, $4)
         on conflict (call_sid, event) do nothing",
    )
    .bind(call)
    .bind(event)
    .bind(answer)
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("keeping what Twilio told of a call")?;
    Ok(kept.rows_affected() == 1)
}

/// Returns our earlier answer to a webhook.
pub(crate) async fn answer(
    store: &Store,
    call: &str,
    event: &str,
) -> anyhow::Result<Option<String>> {
    sqlx::query_scalar("select answer from call_event where call_sid = $1 and event = $2")
        .bind(call)
        .bind(event)
        .fetch_optional(store.reader())
        .await
        .context("looking for an earlier answer")
}

/// Returns all our answers in a call, in no particular order.
pub(crate) async fn answers(store: &Store, call: &str) -> anyhow::Result<Vec<String>> {
    sqlx::query_scalar("select answer from call_event where call_sid = $1 and answer <> ''")
        .bind(call)
        .fetch_all(store.reader())
        .await
        .context("looking for a call's answers")
}
