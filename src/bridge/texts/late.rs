//! Marks a text that is shown below one its caller wrote later, however short the delay was: otherwise "please send a taxi"
//! below "no wait, cancel that" reads as the last word.
//!
//! A webhook does not say when its text was written. Twilio's log does, and it is read again and again, so a text whose
//! webhook was overtaken is marked in its post by the next look at the log.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::app::App;
use crate::bridge::desk::newcomers;
use crate::bridge::desk::post_form;
use crate::bridge::wording::{Moment, found};
use crate::delivery::{self, Content, Delivery};
use crate::slack::blocks;
use crate::store::audit::NewEntry;
use crate::store::conversations::{self, Conversation};
use crate::store::outbox::Row;
use crate::store::{Tx, messages, outbox, threads};
use crate::twilio::MessageSid;
use crate::vocabulary::Origin;
use crate::vocabulary::{Decision, DeliveryState, Kind};

/// What Twilio's log says of a text whose webhook never reached us.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) came_at: Timestamp,
    /// A text that its caller wrote later is kept already.
    pub(crate) is_behind: bool,
}

/// Marks a text that is kept and stands behind a later one. Does nothing while its post is under way, or where nothing can
/// show it: the next look comes back to it.
pub(crate) async fn mark(app: &App, sid: &MessageSid, came_at: Timestamp) -> anyhow::Result<()> {
    let mut tx = app.store.begin().await?;
    let Some(text) = messages::by_external_id(&mut tx, Origin::Twilio, sid.as_str()).await? else {
        return Ok(());
    };
    let rows = outbox::of_message(&mut tx, &text.id).await?;
    let conversation = conversations::by_id(&mut tx, &text.conversation_id).await?;
    let at = Moment::new(came_at, tx.now(), &app.config.desk.timezone).shown();
    let sentence = found::late(&at, true);
    let is_shown = match rows.into_iter().find(|row| row.kind == Kind::Post) {
        Some(row) => show(&mut tx, app, &conversation, &row, &sentence).await?,
        None => {
            newcomers::add(&mut tx, &conversation, &text.id, |content| {
                with_sentence(content, &sentence, 0)
            })
            .await?
        }
    };
    if !is_shown {
        return Ok(());
    }
    messages::set_came_at(&mut tx, &text.id, came_at).await?;
    tx.audit(NewEntry {
        line: app.line_name(&conversation.line),
        number: conversation.caller.clone(),
        subject: sid.to_string(),
        decision: Decision::TextMarkedLate,
        reason: "its webhook came behind that of a later text".into(),
        detail: json!({ "conversation": conversation.id, "message": text.id, "came_at": came_at.to_string() }),
        at: None,
    });
    tx.commit().await
}

/// Puts the sentence into a post; `false` where there is no place for it.
async fn show(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    row: &Row,
    sentence: &str,
) -> anyhow::Result<bool> {
    // Words that were removed since are not brought back.
    let Ok(Delivery::Post {
        reply,
        root,
        new_thread,
        broadcast,
    }) = row.delivery()
    else {
        return Ok(false);
    };
    let Some(reply) = with_sentence(&reply, sentence, 0) else {
        return Ok(false);
    };
    if newcomers::is_under_way(row) {
        return Ok(false);
    }
    // How to answer stands last in what begins a thread.
    let root = root.and_then(|root| with_sentence(&root, sentence, 1));
    let post = Delivery::Post {
        reply: reply.clone(),
        root,
        new_thread,
        broadcast,
    };
    outbox::set_payload(tx, &row.id, post.kind(), &post.payload()).await?;
    if row.state != DeliveryState::Delivered {
        return Ok(true);
    }
    let ts = row.external_id.as_str();
    // The line may have another channel by now.
    let Some((channel, root)) = threads::holding(tx, &conversation.id, ts).await? else {
        return Ok(false);
    };
    if root == ts {
        delivery::enqueue_root(tx, &conversation.id, &channel, ts).await?;
        return Ok(true);
    }
    let update = Delivery::Update {
        channel,
        ts: ts.to_owned(),
        content: as_posted(app, row, reply, sentence).await?,
    };
    let lane = delivery::update_lane(&conversation.line, ts);
    delivery::enqueue(tx, &lane, Some(&conversation.id), None, &update).await?;
    Ok(true)
}

/// The post as Slack took it, with the sentence: a placeholder stays one.
async fn as_posted(
    app: &App,
    row: &Row,
    whole: Content,
    sentence: &str,
) -> anyhow::Result<Content> {
    let posted = post_form::as_posted(&app.store, row, whole).await?;
    Ok(if posted.text.ends_with(sentence) {
        posted
    } else {
        with_sentence(&posted, sentence, 0).unwrap_or(posted)
    })
}

/// The words of a text with a sentence below them and above the last `kept_last` blocks. `None` where there is no place
/// for it: a post that gathers a flood has several texts, each with its time.
fn with_sentence(content: &Content, sentence: &str, kept_last: usize) -> Option<Content> {
    let mut shown = content.blocks.as_ref().and_then(Value::as_array)?.clone();
    let is_gathered = shown.first()?["type"] == "context"
        && shown.iter().any(|block| block["type"] == "rich_text");
    if is_gathered {
        return None;
    }
    shown.insert(
        shown.len().saturating_sub(kept_last),
        blocks::context(sentence),
    );
    Some(Content {
        text: format!("{}\n{sentence}", content.text),
        blocks: Some(Value::Array(shown)),
    })
}
