//! Queues the texts of a reply, or refuses a reply that cannot be sent at all.

use serde_json::json;

use super::{as_texts, text_first};
use crate::app::App;
use crate::bridge::desk::opt_out;
use crate::bridge::wording;
use crate::delivery::{self, Delivery};
use crate::phone::Address;
use crate::slack::event::File;
use crate::store::audit::NewEntry;
use crate::store::conversations::Conversation;
use crate::store::{Tx, outbox};
use crate::vocabulary::{Decision, DeliveryState, MessageId, OutboxId};

/// Queues the deliveries of a reply. Returns the rows of its texts.
pub(super) async fn send(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    message_id: &MessageId,
    (text, files): (&str, &[File]),
) -> anyhow::Result<Vec<OutboxId>> {
    if let Some(why) = refusal(tx, app, conversation).await? {
        refuse(tx, app, conversation, message_id, why).await?;
        return Ok(Vec::new());
    }
    let lane = delivery::phone_lane(&conversation.line, &conversation.id);
    let deliveries = as_texts::deliveries(app, text, files);
    if deliveries.is_empty() {
        let why = ("there is nothing in it to send", wording::nothing_to_send());
        refuse(tx, app, conversation, message_id, why).await?;
    }
    let mut rows = Vec::with_capacity(deliveries.len());
    for one in deliveries {
        rows.push(
            delivery::enqueue(tx, &lane, Some(&conversation.id), Some(message_id), &one).await?,
        );
    }
    Ok(rows)
}

/// Why the caller cannot be texted, for the audit and for the thread.
async fn refusal(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
) -> anyhow::Result<Option<(&'static str, String)>> {
    let caller = Address::new(&conversation.caller);
    if !caller.can_be_texted() {
        let sentence = wording::cannot_be_texted(&caller);
        return Ok(Some(("this sender cannot be texted", sentence)));
    }
    if let Some(sentence) = text_first::cannot_answer(app, &caller) {
        return Ok(Some(("this number is not texted", sentence)));
    }
    let opted_out = opt_out::refusal(tx, conversation).await?;
    Ok(opted_out.map(|sentence| ("the caller has opted out", sentence)))
}

/// Saves a reply that cannot be sent at all as refused, marks it, and explains it in the thread.
async fn refuse(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    message_id: &MessageId,
    (why, sentence): (&str, String),
) -> anyhow::Result<()> {
    let lane = delivery::phone_lane(&conversation.line, &conversation.id);
    let nothing = Delivery::Sms {
        body: String::new(),
    };
    let row = delivery::enqueue(
        tx,
        &lane,
        Some(&conversation.id),
        Some(message_id),
        &nothing,
    )
    .await?;
    outbox::set_state(tx, &row, DeliveryState::Refused, 0, why).await?;
    tx.audit(NewEntry {
        line: app.line_name(&conversation.line),
        number: conversation.caller.clone(),
        subject: row.to_string(),
        decision: Decision::Refused,
        reason: why.to_owned(),
        detail: json!({
            "conversation": conversation.id, "message": message_id, "outbox": row, "kind": nothing.kind(),
        }),
        at: None,
    });
    delivery::enqueue_mark(tx, &conversation.id, message_id).await?;
    delivery::enqueue_notice(tx, &conversation.line, &conversation.id, sentence.into()).await
}
