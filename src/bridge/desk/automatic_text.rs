//! Queues an automatic text, which no person wrote. Each key sends at most one.

use crate::delivery::{self, Delivery};
use crate::store::messages::NewMessage;
use crate::store::{Tx, messages};
use crate::twilio::segment;
use crate::vocabulary::{ConversationId, MessageId, Origin};

/// Queues the text and returns the message's ID, or `None` if this `key` was used before.
pub(crate) async fn send(
    tx: &mut Tx,
    line: &str,
    conversation_id: &ConversationId,
    key: &str,
    words: &str,
) -> anyhow::Result<Option<MessageId>> {
    let new = NewMessage {
        conversation_id,
        origin: Origin::Desk,
        external_id: key,
        author: "",
        body: words,
        channel: "",
        ts: "",
        internal: false,
    };
    let Some(message) = messages::insert(tx, &new).await? else {
        return Ok(None);
    };
    let lane = delivery::phone_lane(line, conversation_id);
    for body in segment::split(words.trim()) {
        let sms = Delivery::Sms { body };
        delivery::enqueue(tx, &lane, Some(conversation_id), Some(&message), &sms).await?;
    }
    Ok(Some(message))
}
