//! The names and files of a reply are known: its texts take its place, or its writer is asked first.

use std::time::Duration;

use serde_json::json;

use crate::bridge::deliveries::row::{Tried, audit, entry};
use crate::bridge::desk::{limits, status};
use crate::bridge::replies::{confirmation, counted, files};
use crate::bridge::wording;
use crate::delivery::{self, Delivery};
use crate::store::lanes::Lane;
use crate::store::{Tx, confirmations, conversations, messages, outbox};
use crate::vocabulary::{AttemptResult, Decision, DeliveryState};

/// The texts take the place of the reply they were made of, so that nothing written later passes them.
pub(super) async fn resolved(
    tx: &mut Tx,
    tried: Tried<'_>,
    bodies: &[String],
) -> anyhow::Result<()> {
    let Tried {
        app, row, attempt, ..
    } = tried;
    outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::Resolved, "").await?;
    let texts = files::pack(row, bodies)?;
    if texts.is_empty() {
        return nothing_to_send(tx, tried).await;
    }
    // What its writer was asked about counts as an answer since they decided.
    let conversation = conversations::by_id(&mut *tx, &row.conversation_id).await?;
    let message = messages::by_id(&mut *tx, &row.message_id).await?;
    let (words, author) = (|| bodies.iter().map(String::as_str), &message.author);
    let parts = limits::parts(words());
    let before = counted::before(row);
    let is_decided = before > 0
        || confirmations::of_message(tx, &row.message_id)
            .await?
            .is_some();
    // What a person decided about was counted then, or before that was noted as one part.
    let more = if is_decided {
        parts.saturating_sub(before.max(1))
    } else {
        parts
    };
    let why = match more {
        0 => None,
        more => confirmation::over_limit(tx, app, &conversation, author, more).await?,
    };
    let why = if is_decided {
        why
    } else {
        why.or_else(|| confirmation::too_long(app, words()))
    };
    if let Some(why) = why {
        let rows = [row.id.clone()];
        let reply = confirmation::Reply {
            message_id: &message.id,
            external_id: &message.external_id,
            writer: &message.author,
            channel: &message.channel,
            root: &conversation.thread_ts,
            ts: &message.ts,
            rows: &rows,
        };
        return confirmation::hold(tx, app, &conversation, &reply, &why).await;
    }
    if !is_decided {
        status::answered(tx, &conversation, &format!("<@{author}>")).await?;
    }
    if more > 0 {
        confirmation::spend(tx, &conversation, author, more).await?;
    }
    take_its_place(tx, tried, &texts).await
}

/// The reply is refused: it has no words, and none of its files can be sent.
async fn nothing_to_send(tx: &mut Tx, tried: Tried<'_>) -> anyhow::Result<()> {
    let Tried { app, row, .. } = tried;
    let why = wording::nothing_to_send();
    outbox::set_state(tx, &row.id, DeliveryState::Refused, 0, &why).await?;
    audit(tx, tried, Decision::Refused, &why).await?;
    // What is wrong with each file says enough.
    if !files::tell_left_out(tx, row).await? {
        let conversation = conversations::by_id(&mut *tx, &row.conversation_id).await?;
        delivery::enqueue_notice(tx, &conversation.line, &conversation.id, why.into()).await?;
    }
    status::text_lost(tx, &app.config.desk, row).await?;
    delivery::enqueue_mark(tx, &row.conversation_id, &row.message_id).await
}

async fn take_its_place(tx: &mut Tx, tried: Tried<'_>, texts: &[Delivery]) -> anyhow::Result<()> {
    let Tried { row, .. } = tried;
    files::tell_left_out(tx, row).await?;
    let mut parts = Vec::with_capacity(texts.len());
    let lane = Lane {
        id: row.lane.clone(),
        throttle: String::new(),
    };
    // An edit may have dropped parts since: a number is never given twice.
    let of_message = outbox::of_message(&mut *tx, &row.message_id).await?;
    let last = of_message
        .iter()
        .filter(|other| other.lane == row.lane && other.seq == row.seq)
        .map(|other| other.part)
        .max()
        .unwrap_or(row.part);
    for (index, text) in texts.iter().enumerate() {
        let new = delivery::new_row(
            &lane,
            Some(&row.conversation_id),
            Some(&row.message_id),
            text,
        );
        match i64::try_from(index)? {
            0 => {
                outbox::set_payload(tx, &row.id, new.kind, &new.payload).await?;
                outbox::set_state(
                    tx,
                    &row.id,
                    DeliveryState::Waiting,
                    tx.after(Duration::ZERO),
                    "",
                )
                .await?;
                parts.push(row.id.clone());
            }
            part => parts.push(outbox::enqueue_part(tx, &new, row, last + part).await?),
        }
    }
    let why = "its names and files are known: these texts take its place";
    let mut resolved = entry(tx, tried, Decision::NamesResolved, why).await?;
    resolved.detail["outbox"] = json!(parts);
    tx.audit(resolved);
    Ok(())
}
