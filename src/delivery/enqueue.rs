//! Puts deliveries into the outbox, in the transaction of the fact that asks for them.

use super::*;
use crate::store::conversations::Conversation;
use crate::store::lanes::Lane;
use crate::store::outbox::NewRow;
use crate::store::{self, Tx};
use crate::vocabulary::DeliveryState;
use crate::vocabulary::{ConversationId, MessageId, OutboxId};

/// Puts a delivery at the end of its lane.
pub(crate) async fn enqueue(
    tx: &mut Tx,
    lane: &Lane,
    conversation_id: Option<&ConversationId>,
    message_id: Option<&MessageId>,
    delivery: &Delivery,
) -> anyhow::Result<OutboxId> {
    store::outbox::enqueue(tx, &new_row(lane, conversation_id, message_id, delivery)).await
}

/// The row that asks for `delivery`.
pub(crate) fn new_row<'a>(
    lane: &'a Lane,
    conversation_id: Option<&'a ConversationId>,
    message_id: Option<&'a MessageId>,
    delivery: &Delivery,
) -> NewRow<'a> {
    NewRow {
        lane,
        conversation_id,
        message_id,
        kind: delivery.kind(),
        payload: delivery.payload(),
    }
}

/// Asks for the mark on a message to be brought up to date.
pub(crate) async fn enqueue_mark(
    tx: &mut Tx,
    conversation_id: &ConversationId,
    message_id: &MessageId,
) -> anyhow::Result<()> {
    // A text that nobody wrote in Slack has no message there that could bear a mark.
    if !store::messages::is_in_slack(tx, message_id).await? {
        return Ok(());
    }
    let lane = mark_lane(message_id);
    // A look that waits for its moment will do. It is not replaced: what its attempts may have left in Slack is known
    // by them alone.
    if !store::outbox::rouse_waiting(tx, &lane.id).await? {
        enqueue(
            tx,
            &lane,
            Some(conversation_id),
            Some(message_id),
            &Delivery::Mark,
        )
        .await?;
    }
    store::lanes::rouse(tx, &lane).await
}

/// Puts a question of ours into the conversation's thread; its row, by which [`reword`] finds it.
pub(crate) async fn enqueue_question(
    tx: &mut Tx,
    conversation: &Conversation,
    content: Content,
) -> anyhow::Result<OutboxId> {
    let question = Delivery::Post {
        reply: content,
        root: None,
        new_thread: false,
        broadcast: false,
    };
    // Without a thread it stands behind what begins one.
    let lane = if conversation.thread_ts.is_empty() {
        thread_lane(&conversation.line, &conversation.id)
    } else {
        question_lane(&conversation.line, &conversation.id)
    };
    enqueue(tx, &lane, Some(&conversation.id), None, &question).await
}

/// New words for a question that was put into the thread, wherever it has got to.
pub(crate) async fn reword(
    tx: &mut Tx,
    conversation: &Conversation,
    row: &OutboxId,
    content: Content,
) -> anyhow::Result<()> {
    let Some(asked) = store::outbox::by_id(&mut *tx, row).await? else {
        return Ok(());
    };
    match asked.state.known() {
        Some(DeliveryState::Waiting | DeliveryState::Blocked) => {
            let reply = Delivery::Post {
                reply: content,
                root: None,
                new_thread: false,
                broadcast: false,
            };
            store::outbox::set_payload(tx, row, reply.kind(), &reply.payload()).await
        }
        Some(DeliveryState::Delivered) => {
            let update = Delivery::Update {
                channel: conversation.channel.clone(),
                ts: asked.external_id.clone(),
                content,
            };
            let lane = update_lane(&conversation.line, &asked.external_id);
            enqueue(tx, &lane, Some(&conversation.id), None, &update)
                .await
                .map(drop)
        }
        // It is under way and cannot be changed yet: the new words come behind it.
        Some(DeliveryState::Sending | DeliveryState::Unknown) => {
            enqueue_question(tx, conversation, content).await.map(drop)
        }
        _ => Ok(()),
    }
}

/// Asks for a thread's root to be brought up to date; one request shows all that has changed when it is made.
pub(crate) async fn enqueue_root(
    tx: &mut Tx,
    conversation_id: &ConversationId,
    channel: &str,
    ts: &str,
) -> anyhow::Result<()> {
    let lane = root_lane(channel, ts);
    if ts.is_empty() || store::outbox::is_to_come(tx, &lane.id).await? {
        return Ok(());
    }
    let root = Delivery::Root {
        channel: channel.to_owned(),
        ts: ts.to_owned(),
    };
    enqueue(tx, &lane, Some(conversation_id), None, &root).await?;
    Ok(())
}

/// Puts a sentence of ours into the conversation's thread. Of a caller who is only listed it waits for their thread, and does
/// not begin one.
pub(crate) async fn enqueue_notice(
    tx: &mut Tx,
    line: &str,
    conversation_id: &ConversationId,
    content: Content,
) -> anyhow::Result<()> {
    let lane = thread_lane(line, conversation_id);
    if !store::lanes::is_waiting(tx, &lane.id).await?
        && store::listed::say_later(tx, conversation_id, &content).await?
    {
        return Ok(());
    }
    let notice = Delivery::Post {
        reply: content,
        root: None,
        new_thread: false,
        broadcast: false,
    };
    enqueue(tx, &lane, Some(conversation_id), None, &notice).await?;
    Ok(())
}
