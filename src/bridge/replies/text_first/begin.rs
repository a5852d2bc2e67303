//! Saves a text that a member typed to a number, and its deliveries, in one transaction.

use serde_json::json;

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
use crate::vocabulary::Decision;
use crate::vocabulary::Origin;

/// Saves the text. Returns the sentence for whoever typed it, or the sentence that says why it is not sent.
pub(super) async fn begin(
    app: &App,
    line: &Line,
    to: &PhoneNumber,
    typed: &Typed<'_>,
) -> anyhow::Result<Result<String, String>> {
    let (number, caller, author) = (line.number.as_str(), to.as_str(), typed.by.as_str());
    let words = storable(typed.words);
    let bodies = as_texts::bodies(app, &words);
    if bodies.is_empty() {
        return Ok(Err(wording::nothing_to_send()));
    }
    let texts = || bodies.iter().map(String::as_str);
    let text = limits::Text {
        line: number,
        caller,
        author,
        parts: limits::parts(texts()),
    };
    let mut tx = app.store.begin().await?;
    if let Some(reached) = limits::reached(&mut tx, app, &text).await? {
        let at = Moment::new(reached.free_at, tx.now(), &app.config.desk.timezone);
        refused(
            &mut tx,
            line,
            caller,
            typed.by,
            "an hourly limit is reached",
        );
        tx.commit().await?;
        return Ok(Err(replies::limit_reached(&reached, &at.shown())));
    }
    let conversation = conversations::begin_unnoticed(&mut tx, number, caller).await?;
    if let Some(why) = opt_out::refusal(&mut tx, &conversation).await? {
        refused(&mut tx, line, caller, typed.by, "the number has opted out");
        tx.commit().await?;
        return Ok(Err(why));
    }
    let new = NewMessage {
        conversation_id: &conversation.id,
        origin: Origin::Desk,
        external_id: &format!("{FIRST}{}", typed.key),
        author,
        body: &words,
        channel: "",
        ts: "",
        internal: false,
    };
    let Some(message) = messages::insert(&mut tx, &new).await? else {
        return Ok(Ok(wording::done_already()));
    };
    let asked = confirmation::too_long(app, texts());
    let mut rows = match &asked {
        Some(_) => Vec::new(),
        None => {
            let message = messages::by_id(&mut tx, &message).await?;
            vec![show(&mut tx, app, &conversation, &message).await?]
        }
    };
    let lane = delivery::phone_lane(number, &conversation.id);
    for body in &bodies {
        let sms = Delivery::Sms { body: body.clone() };
        rows.push(delivery::enqueue(&mut tx, &lane, &conversation.id, &message, &sms).await?);
    }
    if let Some(why) = asked {
        // In the line's channel: there need not be a thread yet.
        let channel = app.directory.known_channel_id(&line.channel);
        let reply = Reply {
            message_id: &message,
            external_id: new.external_id,
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
    tx.audit(NewEntry {
        line: line.name.clone(),
        number: caller.to_owned(),
        subject: message.clone(),
        decision: Decision::TextedFirst,
        reason: "a member typed the number".into(),
        detail: json!({ "conversation": conversation.id, "message": message, "by": author, "outbox": rows }),
        at: None,
    });
    tx.commit().await?;
    Ok(Ok(replies::texting(&Address::from(to), &line.channel)))
}

/// Puts the text into the caller's thread, which it may begin; the row that does.
pub(crate) async fn show(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    message: &Message,
) -> anyhow::Result<String> {
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
    delivery::enqueue(tx, &lane, &conversation.id, &message.id, &post).await
}
