//! Saves a text that a member typed to a number, and its deliveries, in one transaction.

use serde_json::{Value, json};

use super::{FIRST, Typed, refused};
use crate::app::App;
use crate::bridge::desk::{limits, opt_out, status};
use crate::bridge::replies::as_texts;
use crate::bridge::replies::confirmation::{self, Reply};
use crate::bridge::wording::{self, Moment, replies};
use crate::config::Line;
use crate::conversation;
use crate::delivery::{self, Delivery};
use crate::phone::{Address, PhoneNumber};
use crate::store::audit::NewEntry;
use crate::store::conversations::Conversation;
use crate::store::messages::{Message, NewMessage};
use crate::store::storable;
use crate::store::{Tx, conversations, messages};
use crate::vocabulary::{Decision, MessageId, Origin, OutboxId};

/// Saves the text. Returns the sentence for whoever typed it, or the sentence that says why it is not sent.
pub(super) async fn begin(
    app: &App,
    line: &Line,
    to: &PhoneNumber,
    typed: &Typed<'_>,
) -> anyhow::Result<Result<String, String>> {
    let (caller, author) = (to.as_str(), typed.by.as_str());
    let words = storable(typed.words);
    let bodies = as_texts::bodies(app, &words);
    if bodies.is_empty() {
        return Ok(Err(wording::nothing_to_send()));
    }
    let text = limits::Text {
        line: line.number.as_str(),
        caller,
        author,
        parts: limits::parts(bodies.iter().map(String::as_str)),
    };
    let mut tx = app.store.begin().await?;
    let conversation = match conversation(&mut tx, app, &text).await? {
        Ok(conversation) => conversation,
        Err((why, sentence)) => {
            refused(&mut tx, line, caller, typed.by, why);
            tx.commit().await?;
            return Ok(Err(sentence));
        }
    };
    let key = format!("{FIRST}{}", typed.key);
    let Some(message) = insert(&mut tx, &conversation, author, (&key, &words)).await? else {
        return Ok(Ok(wording::done_already()));
    };
    let asked = confirmation::too_long(app, bodies.iter().map(String::as_str));
    let mut rows = Vec::new();
    if asked.is_none() {
        let message = messages::by_id(&mut tx, &message).await?;
        rows.push(show(&mut tx, app, &conversation, &message).await?);
    }
    rows.extend(enqueue(&mut tx, &conversation, &message, &bodies).await?);
    if let Some(why) = asked {
        // In the line's channel: there need not be a thread yet.
        let channel = app.directory.known_channel_id(&line.channel);
        let reply = Reply {
            message_id: &message,
            external_id: &key,
            writer: author,
            channel: channel.as_ref().map_or(&line.channel, |id| id.as_str()),
            root: "",
            ts: "",
            rows: &rows,
        };
        confirmation::hold(&mut tx, app, &conversation, &reply, &why).await?;
        tx.commit().await?;
        return Ok(Ok(replies::asked_about_length(text.parts, &line.channel)));
    }
    limits::spend(&mut tx, &text).await?;
    let detail = json!({ "conversation": conversation.id, "message": message, "by": author, "outbox": rows });
    tx.audit(entry(line, &conversation, message, detail));
    tx.commit().await?;
    Ok(Ok(replies::texting(&Address::from(to), &line.channel)))
}

/// The conversation with the number; or why it is not texted, for the audit and for whoever typed it.
async fn conversation(
    tx: &mut Tx,
    app: &App,
    text: &limits::Text<'_>,
) -> anyhow::Result<Result<Conversation, (&'static str, String)>> {
    if let Some(reached) = limits::reached(tx, app, text).await? {
        let at = Moment::new(reached.free_at, tx.now(), &app.config.desk.timezone);
        let sentence = replies::limit_reached(&reached, &at.shown());
        return Ok(Err(("an hourly limit is reached", sentence)));
    }
    let conversation = conversations::begin_unnoticed(tx, text.line, text.caller).await?;
    Ok(match opt_out::refusal(tx, &conversation).await? {
        Some(sentence) => Err(("the number has opted out", sentence)),
        None => Ok(conversation),
    })
}

/// Saves the message; `None` if it was saved before.
async fn insert(
    tx: &mut Tx,
    conversation: &Conversation,
    author: &str,
    (external_id, body): (&str, &str),
) -> anyhow::Result<Option<MessageId>> {
    let new = NewMessage {
        conversation_id: &conversation.id,
        origin: Origin::Desk,
        external_id,
        author,
        body,
        channel: "",
        ts: "",
        internal: false,
    };
    messages::insert(tx, &new).await
}

fn entry(line: &Line, conversation: &Conversation, message: MessageId, detail: Value) -> NewEntry {
    NewEntry {
        line: line.name.clone(),
        number: conversation.caller.clone(),
        subject: message.to_string(),
        decision: Decision::TextedFirst,
        reason: "a member typed the number".into(),
        detail,
        at: None,
    }
}

/// Queues the texts.
async fn enqueue(
    tx: &mut Tx,
    conversation: &Conversation,
    message_id: &MessageId,
    bodies: &[String],
) -> anyhow::Result<Vec<OutboxId>> {
    let lane = delivery::phone_lane(&conversation.line, &conversation.id);
    let mut rows = Vec::with_capacity(bodies.len());
    for body in bodies {
        let sms = Delivery::Sms { body: body.clone() };
        rows.push(
            delivery::enqueue(tx, &lane, Some(&conversation.id), Some(message_id), &sms).await?,
        );
    }
    Ok(rows)
}

/// Puts the text into the caller's thread, which it may begin; the row that does.
pub(crate) async fn show(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    message: &Message,
) -> anyhow::Result<OutboxId> {
    let (author, words) = (message.author.as_str(), message.body.as_str());
    let idle_for = app.config.desk.new_thread_after;
    let is_begun = !conversation.thread_ts.is_empty();
    let new_thread = is_begun && conversation::is_idle(conversation.last_at(), tx.now(), idle_for);
    let post = Delivery::Post {
        root: Some(replies::root_by_us(author, words)),
        reply: replies::texted_by_us(author, words),
        new_thread,
        broadcast: false,
    };
    conversations::touch(tx, &conversation.id).await?;
    let by = format!("<@{author}>");
    status::texted_first(tx, conversation, &by, new_thread).await?;
    let lane = delivery::thread_lane(&conversation.line, &conversation.id);
    delivery::enqueue(tx, &lane, Some(&conversation.id), Some(&message.id), &post).await
}
