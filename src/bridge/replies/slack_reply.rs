//! A dispatcher wrote in a thread: a reply becomes a text to the caller, a note stays inside.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::as_texts;
use crate::app::App;
use crate::bridge::desk::{newcomers, opt_out, status};
use crate::bridge::replies::confirmation;
use crate::bridge::replies::{counted, edited, text_first};
use crate::bridge::wording;
use crate::conversation::confirmation::Why;
use crate::conversation::{self, Kind, Written, colleague};
use crate::delivery::{self, Delivery};
use crate::phone::Address;
use crate::slack::event::MessageEvent;
use crate::slack::{ChannelId, MessageTs, TeamId};
use crate::store::audit::NewEntry;
use crate::store::conversations::Conversation;
use crate::store::messages::NewMessage;
use crate::store::storable;
use crate::store::{Tx, conversations, deferred, messages, order, outbox, restored};
use crate::thread_sync;
use crate::vocabulary::Origin;
use crate::vocabulary::{self, Decision, DeliveryState};

/// What a message in Slack came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// Saved; it will be texted, or its writer is asked first.
    Reply,
    /// Saved as internal.
    Inside,
    /// Saved before.
    Known,
    /// Deferred: its thread is young and may turn out to be ours.
    Parked,
    /// Not for a caller; the reason.
    Ignored(&'static str),
}

/// Saves a reply and its deliveries in one transaction. Once this returns, nothing of it is lost.
///
/// `event` is the message as Slack told of it, `app_id` our app as its envelope names it.
pub(crate) async fn receive(
    app: &App,
    team: &TeamId,
    app_id: Option<&str>,
    message: &MessageEvent,
    event: &str,
) -> anyhow::Result<Received> {
    if edited::is_one(message) {
        return edited::receive(app, team, app_id, message).await;
    }
    let written = match read(app, message, team, app_id) {
        Ok(written) => written,
        Err(why) => return Ok(Received::Ignored(why)),
    };
    crate::faultpoints::point("reply.verified");
    let (channel, root) = (message.channel.as_str(), written.root.as_str());
    let mut tx = app.store.begin().await?;
    let received = match conversations::by_thread(&mut tx, channel, root).await? {
        Some(conversation) => {
            // Slack tells again for hours what we did not take: even an event can be late.
            let now = tx.now();
            save(&mut tx, app, &conversation, message, &written, now).await?
        }
        None if newcomers::tell_writer(&mut tx, app, (channel, root, written.user.as_str()))
            .await? =>
        {
            Received::Ignored("under a list of new callers")
        }
        None if is_recent(&written.root, tx.now()) && may_be_of_a_line(app, &message.channel) => {
            // Our own post may be in Slack before its answer is here: then this is a reply to a caller.
            deferred::park(&mut tx, channel, root, message.ts.as_str(), event).await?;
            Received::Parked
        }
        None => Received::Ignored("not in a thread of ours"),
    };
    crate::faultpoints::point("reply.before_commit");
    tx.commit().await?;
    crate::faultpoints::point("reply.committed");
    Ok(received)
}

/// Saves a reply whose event was lost, found by reading the thread. `now` is the time by Slack's clock.
pub(crate) async fn receive_late(
    app: &App,
    team: &TeamId,
    message: &MessageEvent,
    now: Timestamp,
) -> anyhow::Result<Received> {
    let written = match read(app, message, team, None) {
        Ok(written) => written,
        Err(why) => return Ok(Received::Ignored(why)),
    };
    let mut tx = app.store.begin().await?;
    let channel = message.channel.as_str();
    let Some(conversation) =
        conversations::by_thread(&mut tx, channel, written.root.as_str()).await?
    else {
        return Ok(Received::Ignored("not in a thread of ours"));
    };
    let received = save(&mut tx, app, &conversation, message, &written, now).await?;
    tx.commit().await?;
    Ok(received)
}

/// What a person of ours wrote in a thread, or why it is nothing for a caller.
pub(crate) fn read(
    app: &App,
    message: &MessageEvent,
    team: &TeamId,
    app_id: Option<&str>,
) -> Result<Written, &'static str> {
    let is_bot = |user| app.directory.is_bot(user);
    if message.user.as_ref().is_some_and(is_bot) {
        Err("written by ourselves")
    } else {
        let mut written = conversation::read(message, team, app_id)?;
        app.directory.note_writer(&written.user);
        if written.kind == Kind::Reply && speaks_to_colleague(app, &written, &message.text) {
            written.kind = Kind::ToColleague;
        }
        Ok(written)
    }
}

/// Whether the text begins with the name of somebody of the desk other than its writer.
fn speaks_to_colleague(app: &App, written: &Written, text: &str) -> bool {
    let writer = written.user.as_str();
    let people = app.config.people.iter();
    let others =
        people.filter(|person| person.slack.as_ref().is_none_or(|id| id.as_str() != writer));
    let known = app.directory.known_names(&written.user);
    let names = others.map(|person| person.name.as_str());
    colleague::is_spoken_to(text, names.chain(known.iter().map(String::as_str)))
}

/// Whether a line has this channel, as far as is known: only there can be a thread of ours.
fn may_be_of_a_line(app: &App, channel: &ChannelId) -> bool {
    app.config.lines.iter().any(|line| {
        let id = app.directory.known_channel_id(&line.channel);
        id.is_none_or(|id| id == *channel)
    })
}

/// Whether a reply may be sent unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Live,
    Stale,
}

/// How old a root may be that we might not have heard of: an unknown post is settled long before.
const ROOT_IN_DOUBT: SignedDuration = SignedDuration::from_mins(30);

fn is_recent(root: &MessageTs, now: Timestamp) -> bool {
    now.duration_since(root.timestamp()) < ROOT_IN_DOUBT
}

/// Whether a message is young enough to be sent unasked.
pub(crate) fn is_live(app: &App, message: &MessageEvent) -> anyhow::Result<bool> {
    let age = app.store.now().duration_since(message.ts.timestamp());
    Ok(age <= SignedDuration::try_from(app.config.delivery.stale_reply)?)
}

pub(super) async fn save(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    message: &MessageEvent,
    written: &Written,
    now: Timestamp,
) -> anyhow::Result<Received> {
    let age = now.duration_since(message.ts.timestamp());
    let limit = SignedDuration::try_from(app.config.delivery.stale_reply)?;
    // Another database may have sent what was written before this one was put in its place.
    let restored = restored::at(tx).await?;
    let is_unsure = restored.is_some_and(|at| message.ts.timestamp() < at);
    let age = if age > limit || is_unsure {
        Age::Stale
    } else {
        Age::Live
    };
    let channel = message.channel.as_str();
    let external_id = format!("{channel}:{}", message.ts.as_str());
    let text = storable(&message.text);
    // Words to a colleague about somebody who cannot be texted are not worth a question.
    let can_be_texted = Address::new(&conversation.caller).can_be_texted();
    let is_inside = written.kind == Kind::Note || (written.kind.is_doubtful() && !can_be_texted);
    let new = NewMessage {
        conversation_id: &conversation.id,
        origin: Origin::Slack,
        external_id: &external_id,
        author: written.user.as_str(),
        body: &text,
        channel,
        ts: message.ts.as_str(),
        internal: is_inside,
    };
    let Some(message_id) = messages::insert(tx, &new).await? else {
        return Ok(Received::Known);
    };
    crate::faultpoints::point("reply.message_kept");
    conversations::touch(tx, &conversation.id).await?;
    let (decision, reason) = match (written.kind, age) {
        (Kind::Reply, Age::Live) => (Decision::ReplyReceived, "a dispatcher answered"),
        (Kind::Reply, Age::Stale) => (Decision::ReplyFoundLate, "too old to be sent unasked"),
        (Kind::Note, _) => (Decision::KeptInside, "its writer marked it as a note"),
        (Kind::ToColleague, _) => (Decision::KeptInside, "it begins with a colleague's name"),
        (Kind::Command, _) => (Decision::KeptInside, "it begins like a command"),
    };
    let rows = if is_inside {
        Vec::new()
    } else {
        send(tx, app, conversation, &message_id, message, &text).await?
    };
    let reply = confirmation::Reply {
        message_id: &message_id,
        external_id: &external_id,
        writer: written.user.as_str(),
        channel,
        root: written.root.as_str(),
        ts: message.ts.as_str(),
    };
    if let Some(why) = question(tx, app, conversation, written, age, &reply, &rows).await? {
        confirmation::hold(tx, app, conversation, &reply, &rows, &why).await?;
        crate::faultpoints::point("reply.row_kept");
        return Ok(Received::Reply);
    }
    if age == Age::Live && !rows.is_empty() {
        put_in_order(tx, app, conversation, &reply, &rows).await?;
    }
    // Where names have yet to be looked up it counts when they are known: until then it may still be held.
    let texts = outbox::of_message(&mut *tx, &message_id).await?;
    let is_resolved = texts.iter().all(|row| row.kind != vocabulary::Kind::Reply);
    if age == Age::Live && !rows.is_empty() && is_resolved {
        let by = format!("<@{}>", written.user.as_str());
        status::answered(tx, conversation, &by).await?;
        let parts = counted::parts(app, &texts);
        confirmation::spend(tx, conversation, reply.writer, parts).await?;
    }
    if age == Age::Stale && !rows.is_empty() {
        for row in &rows {
            outbox::set_state(
                tx,
                row,
                DeliveryState::Undecided,
                0,
                "found too late to be sent unasked",
            )
            .await?;
        }
        let question = wording::stale(written.user.as_str(), &message_id, &text);
        delivery::enqueue_question(tx, conversation, question).await?;
    }
    if is_inside || age == Age::Stale {
        delivery::enqueue_mark(tx, &conversation.id, &message_id).await?;
    }
    crate::faultpoints::point("reply.row_kept");
    tx.audit(NewEntry {
        line: app.line_name(&conversation.line),
        number: conversation.caller.clone(),
        subject: external_id.clone(),
        decision,
        reason: reason.to_owned(),
        detail: json!({
            "conversation": conversation.id, "message": message_id, "by": written.user.as_str(), "outbox": rows,
        }),
        at: None,
    });
    Ok(if is_inside {
        Received::Inside
    } else {
        Received::Reply
    })
}

/// Replies leave in the order of their writing: where an earlier one may stand in the thread that no event told of, this
/// one waits for the thread to be compared.
async fn put_in_order(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    reply: &confirmation::Reply<'_>,
    rows: &[String],
) -> anyhow::Result<()> {
    if app.thread_sync.needs_sync(reply.channel, reply.root) {
        let patience = thread_sync::longest_wait(app.config.delivery.settle_after);
        let until = tx.now().checked_add(SignedDuration::try_from(patience)?)?;
        order::hold_back(tx, rows, until).await?;
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
    written: &Written,
    age: Age,
    reply: &confirmation::Reply<'_>,
    rows: &[String],
) -> anyhow::Result<Option<Why>> {
    if rows.is_empty() {
        return Ok(None);
    }
    match written.kind {
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

/// Queues the deliveries of a reply. Returns the rows of its texts.
async fn send(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    message_id: &str,
    message: &MessageEvent,
    text: &str,
) -> anyhow::Result<Vec<String>> {
    let caller = Address::new(&conversation.caller);
    if !caller.can_be_texted() {
        refuse(
            tx,
            app,
            conversation,
            message_id,
            (
                "this sender cannot be texted",
                wording::cannot_be_texted(&caller),
            ),
        )
        .await?;
        return Ok(Vec::new());
    }
    if let Some(why) = text_first::cannot_answer(app, &caller) {
        let why = ("this number is not texted", why);
        refuse(tx, app, conversation, message_id, why).await?;
        return Ok(Vec::new());
    }
    if let Some(sentence) = opt_out::refusal(tx, conversation).await? {
        let why = ("the caller has opted out", sentence);
        refuse(tx, app, conversation, message_id, why).await?;
        return Ok(Vec::new());
    }
    let lane = delivery::phone_lane(&conversation.line, &conversation.id);
    let deliveries = as_texts::deliveries(app, text, &message.files);
    if deliveries.is_empty() {
        refuse(
            tx,
            app,
            conversation,
            message_id,
            ("there is nothing in it to send", wording::nothing_to_send()),
        )
        .await?;
    }
    let mut rows = Vec::with_capacity(deliveries.len());
    for one in deliveries {
        rows.push(delivery::enqueue(tx, &lane, &conversation.id, message_id, &one).await?);
    }
    Ok(rows)
}

/// Saves a reply that cannot be sent at all as refused, marks it, and explains it in the thread.
async fn refuse(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    message_id: &str,
    (why, sentence): (&str, String),
) -> anyhow::Result<()> {
    let lane = delivery::phone_lane(&conversation.line, &conversation.id);
    let nothing = Delivery::Sms {
        body: String::new(),
    };
    let row = delivery::enqueue(tx, &lane, &conversation.id, message_id, &nothing).await?;
    outbox::set_state(tx, &row, DeliveryState::Refused, 0, why).await?;
    tx.audit(NewEntry {
        line: app.line_name(&conversation.line),
        number: conversation.caller.clone(),
        subject: row.clone(),
        decision: Decision::Refused,
        reason: why.to_owned(),
        detail: json!({
            "conversation": conversation.id, "message": message_id, "outbox": row, "kind": nothing.kind(),
        }),
        at: None,
    });
    delivery::enqueue_mark(tx, &conversation.id, message_id).await?;
    tell(tx, conversation, sentence).await
}

async fn tell(tx: &mut Tx, conversation: &Conversation, sentence: String) -> anyhow::Result<()> {
    delivery::enqueue_notice(tx, &conversation.line, &conversation.id, sentence.into()).await
}
