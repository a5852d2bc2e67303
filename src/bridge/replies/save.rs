//! Saves a reply: its message, its texts, and what is asked before they leave.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::confirmation::{self, Reply};
use super::counted;
use super::send::send;
use super::slack_reply::Received;
use crate::app::App;
use crate::bridge::desk::status;
use crate::bridge::wording;
use crate::conversation::confirmation::Why;
use crate::conversation::{Kind, Written};
use crate::delivery;
use crate::phone::Address;
use crate::slack::event::MessageEvent;
use crate::store::audit::NewEntry;
use crate::store::conversations::Conversation;
use crate::store::messages::NewMessage;
use crate::store::{Tx, conversations, messages, order, outbox, restored, storable};
use crate::thread_sync;
use crate::vocabulary::{self, Decision, DeliveryState, MessageId, Origin};

/// A reply as it came from Slack.
pub(super) struct Arrived<'a> {
    pub(super) message: &'a MessageEvent,
    pub(super) written: &'a Written,
    /// By Slack's clock.
    pub(super) now: Timestamp,
}

/// Whether a reply may be sent unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Live,
    Stale,
}

impl Age {
    async fn of(tx: &mut Tx, app: &App, arrived: &Arrived<'_>) -> anyhow::Result<Age> {
        let written_at = arrived.message.ts.timestamp();
        let limit = SignedDuration::try_from(app.config.delivery.stale_reply)?;
        // Another database may have sent what was written before this one was put in its place.
        let restored = restored::at(tx).await?;
        let is_unsure = restored.is_some_and(|at| written_at < at);
        Ok(
            if arrived.now.duration_since(written_at) > limit || is_unsure {
                Age::Stale
            } else {
                Age::Live
            },
        )
    }
}

/// Saves the message and its deliveries, unless it was saved before.
pub(super) async fn save(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    arrived: &Arrived<'_>,
) -> anyhow::Result<Received> {
    let Arrived {
        message, written, ..
    } = arrived;
    let age = Age::of(tx, app, arrived).await?;
    let channel = message.channel.as_str();
    let external_id = format!("{channel}:{}", message.ts.as_str());
    let text = storable(&message.text);
    // Words to a colleague about somebody who cannot be texted are not worth a question.
    let can_be_texted = Address::new(&conversation.caller).can_be_texted();
    let is_inside = written.kind == Kind::Note || (written.kind.is_doubtful() && !can_be_texted);
    let Some(message_id) =
        insert(tx, conversation, arrived, (&external_id, &text, is_inside)).await?
    else {
        return Ok(Received::Known);
    };
    crate::faultpoints::point("reply.message_kept");
    conversations::touch(tx, &conversation.id).await?;
    let rows = if is_inside {
        Vec::new()
    } else {
        send(tx, app, conversation, &message_id, (&text, &message.files)).await?
    };
    let reply = Reply {
        message_id: &message_id,
        external_id: &external_id,
        writer: written.user.as_str(),
        channel,
        root: written.root.as_str(),
        ts: message.ts.as_str(),
        rows: &rows,
    };
    if let Some(why) = question(tx, app, conversation, (written.kind, age), &reply).await? {
        confirmation::hold(tx, app, conversation, &reply, &why).await?;
        crate::faultpoints::point("reply.row_kept");
        return Ok(Received::Reply);
    }
    match age {
        Age::Live if rows.is_empty() => {}
        Age::Live => let_leave(tx, app, conversation, &reply).await?,
        Age::Stale => ask_in_thread(tx, conversation, &reply, &text).await?,
    }
    if is_inside || age == Age::Stale {
        delivery::enqueue_mark(tx, &conversation.id, &message_id).await?;
    }
    crate::faultpoints::point("reply.row_kept");
    tx.audit(entry(app, conversation, (written.kind, age), &reply));
    Ok(if is_inside {
        Received::Inside
    } else {
        Received::Reply
    })
}

/// Saves the message; `None` if it was saved before.
async fn insert(
    tx: &mut Tx,
    conversation: &Conversation,
    arrived: &Arrived<'_>,
    (external_id, body, internal): (&str, &str, bool),
) -> anyhow::Result<Option<MessageId>> {
    let new = NewMessage {
        conversation_id: &conversation.id,
        origin: Origin::Slack,
        external_id,
        author: arrived.written.user.as_str(),
        body,
        channel: arrived.message.channel.as_str(),
        ts: arrived.message.ts.as_str(),
        internal,
    };
    messages::insert(tx, &new).await
}

fn entry(app: &App, conversation: &Conversation, kind: (Kind, Age), reply: &Reply<'_>) -> NewEntry {
    let (decision, reason) = match kind {
        (Kind::Reply, Age::Live) => (Decision::ReplyReceived, "a dispatcher answered"),
        (Kind::Reply, Age::Stale) => (Decision::ReplyFoundLate, "too old to be sent unasked"),
        (Kind::Note, _) => (Decision::KeptInside, "its writer marked it as a note"),
        (Kind::ToColleague, _) => (Decision::KeptInside, "it begins with a colleague's name"),
        (Kind::Command, _) => (Decision::KeptInside, "it begins like a command"),
    };
    NewEntry {
        line: app.line_name(&conversation.line),
        number: conversation.caller.clone(),
        subject: reply.external_id.to_owned(),
        decision,
        reason: reason.to_owned(),
        detail: json!({
            "conversation": conversation.id, "message": reply.message_id, "by": reply.writer, "outbox": reply.rows,
        }),
        at: None,
    }
}

/// The texts may leave: they are put in order, and the conversation counts as answered.
async fn let_leave(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    reply: &Reply<'_>,
) -> anyhow::Result<()> {
    put_in_order(tx, app, conversation, reply).await?;
    // Where names have yet to be looked up it counts when they are known: until then it may still be held.
    let texts = outbox::of_message(&mut *tx, reply.message_id).await?;
    if texts.iter().any(|row| row.kind == vocabulary::Kind::Reply) {
        return Ok(());
    }
    let by = format!("<@{}>", reply.writer);
    status::answered(tx, conversation, &by).await?;
    let parts = counted::parts(app, &texts);
    confirmation::spend(tx, conversation, reply.writer, parts).await
}

/// Asks everybody in the thread about a reply that is too old to be sent unasked.
async fn ask_in_thread(
    tx: &mut Tx,
    conversation: &Conversation,
    reply: &Reply<'_>,
    text: &str,
) -> anyhow::Result<()> {
    if reply.rows.is_empty() {
        return Ok(());
    }
    let why = "found too late to be sent unasked";
    for row in reply.rows {
        outbox::set_state(tx, row, DeliveryState::Undecided, 0, why).await?;
    }
    let question = wording::stale(reply.writer, reply.message_id, text);
    delivery::enqueue_question(tx, conversation, question).await?;
    Ok(())
}

/// Replies leave in the order of their writing: where an earlier one may stand in the thread that no event told of, this
/// one waits for the thread to be compared.
async fn put_in_order(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    reply: &Reply<'_>,
) -> anyhow::Result<()> {
    if app.thread_sync.needs_sync(reply.channel, reply.root) {
        let patience = thread_sync::longest_wait(app.config.delivery.settle_after);
        let until = tx.now().checked_add(SignedDuration::try_from(patience)?)?;
        order::hold_back(tx, reply.rows, until).await?;
        app.thread_sync
            .await_sync(reply.channel, reply.root, &conversation.id);
    }
    let lane = delivery::phone_lane(&conversation.line, &conversation.id);
    order::by_writing(tx, &lane.id).await
}

/// Why the writer of this reply is asked before it leaves, if there is a reason to.
async fn question(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    (kind, age): (Kind, Age),
    reply: &Reply<'_>,
) -> anyhow::Result<Option<Why>> {
    if reply.rows.is_empty() {
        return Ok(None);
    }
    match kind {
        Kind::ToColleague => return Ok(Some(Why::Colleague)),
        Kind::Command => return Ok(Some(Why::Command)),
        Kind::Reply | Kind::Note => {}
    }
    // Of what is found late everybody is asked in the thread.
    if age == Age::Stale {
        return Ok(None);
    }
    let texts = outbox::of_message(&mut *tx, reply.message_id).await?;
    let parts = counted::parts(app, &texts);
    if let Some(why) = confirmation::over_limit(tx, app, conversation, reply.writer, parts).await? {
        return Ok(Some(why));
    }
    let words = counted::bodies(app, &texts);
    match confirmation::too_long(app, words.iter().map(String::as_str)) {
        Some(why) => Ok(Some(why)),
        None => confirmation::collision(tx, app, conversation, reply).await,
    }
}
