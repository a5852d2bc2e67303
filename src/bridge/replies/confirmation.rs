//! A reply that its writer is asked about first: it may be meant for a colleague, cross with another's, or cost much.
//!
//! The reply is saved whole and its deliveries wait in state `AwaitingWriter`. Only the writer is asked. Slack forgets
//! ephemeral messages on a reload, so after a while the question is repeated in the thread. It is decided once.

use jiff::SignedDuration;
use serde_json::json;

use crate::app::App;
use crate::bridge::desk::decision::{Stop, decide_or_tell};
use crate::bridge::desk::limits;
use crate::bridge::desk::{opt_out, status};
use crate::bridge::replies::counted;
use crate::bridge::replies::text_first;
use crate::bridge::wording::{self, Moment, replies};
use crate::conversation::confirmation::Why;
use crate::delivery::{self, Delivery};
use crate::slack::event::BlockActions;
use crate::store::audit::NewEntry;
use crate::store::confirmations::Held;
use crate::store::conversations::Conversation;
use crate::store::messages::Message;
use crate::store::outbox::Row;
use crate::store::{Tx, confirmations, conversations, messages, outbox};
use crate::twilio::segments;
use crate::vocabulary::{ConfirmationState, Decision, DeliveryState, MessageId, OutboxId};

/// Two answers to one caller this close together are a collision.
const COLLISION: SignedDuration = SignedDuration::from_secs(10);

/// The parts of a reply that a confirmation needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply<'a> {
    pub(crate) message_id: &'a MessageId,
    /// As the audit names it.
    pub(crate) external_id: &'a str,
    pub(crate) writer: &'a str,
    pub(crate) channel: &'a str,
    /// The thread it was written in.
    pub(crate) root: &'a str,
    pub(crate) ts: &'a str,
    /// The deliveries of its texts.
    pub(crate) rows: &'a [OutboxId],
}

/// Whether these words cost so much that their writer is asked.
pub(crate) fn too_long<'a>(app: &App, bodies: impl IntoIterator<Item = &'a str>) -> Option<Why> {
    let parts: usize = bodies.into_iter().map(segments::count).sum();
    let limit = usize::try_from(app.config.desk.warn_segments).unwrap_or(usize::MAX);
    (parts > limit).then_some(Why::Long { parts })
}

/// Whether somebody else has just answered the same caller.
pub(crate) async fn collision(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    reply: &Reply<'_>,
) -> anyhow::Result<Option<Why>> {
    if !app.config.desk.collision_guard {
        return Ok(None);
    }
    let others = messages::answers_by_others(tx, &conversation.id, reply.writer).await?;
    let written = crate::slack::MessageTs::parse(reply.ts)?.timestamp();
    Ok(others
        .into_iter()
        .filter_map(|(by, ts)| {
            let other = crate::slack::MessageTs::parse(&ts).ok()?.timestamp();
            let apart = written.duration_since(other).abs();
            (apart <= COLLISION).then_some((apart, by))
        })
        .min()
        .map(|(apart, by)| Why::Collision {
            by,
            seconds: apart.as_secs(),
        }))
}

/// Whether a text of this writer in that many parts would pass a limit.
pub(crate) async fn over_limit(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    writer: &str,
    parts: usize,
) -> anyhow::Result<Option<Why>> {
    let text = text(conversation, writer, parts);
    let reached = limits::reached(tx, app, &text).await?;
    Ok(reached.map(|reached| {
        let at = Moment::new(reached.free_at, tx.now(), &app.config.desk.timezone).shown();
        Why::Limit { reached, at }
    }))
}

/// Counts a text of this writer that leaves.
pub(crate) async fn spend(
    tx: &mut Tx,
    conversation: &Conversation,
    writer: &str,
    parts: usize,
) -> anyhow::Result<()> {
    limits::spend(tx, &text(conversation, writer, parts)).await
}

fn text<'a>(conversation: &'a Conversation, author: &'a str, parts: usize) -> limits::Text<'a> {
    limits::Text {
        line: &conversation.line,
        caller: &conversation.caller,
        author,
        parts,
    }
}

/// Holds the reply's deliveries and asks its writer.
pub(crate) async fn hold(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    reply: &Reply<'_>,
    why: &Why,
) -> anyhow::Result<()> {
    for row in reply.rows {
        outbox::set_state(tx, row, DeliveryState::AwaitingWriter, 0, why.reason()).await?;
    }
    let mut texts = outbox::of_message(&mut *tx, reply.message_id).await?;
    texts.retain(|row| reply.rows.contains(&row.id));
    let words = counted::bodies(app, &texts);
    let long = too_long(app, words.iter().map(String::as_str));
    confirmations::open(
        tx,
        reply.message_id,
        &conversation.id,
        reply.writer,
        why.reason(),
    )
    .await?;
    let question = Delivery::Ephemeral {
        channel: reply.channel.to_owned(),
        user: reply.writer.to_owned(),
        thread_ts: reply.root.to_owned(),
        content: replies::question(why, long.as_ref(), reply.message_id),
    };
    let lane = delivery::ephemeral_lane(&conversation.line, reply.writer);
    delivery::enqueue(tx, &lane, Some(&conversation.id), None, &question).await?;
    tx.audit(NewEntry {
        line: app.line_name(&conversation.line),
        number: conversation.caller.clone(),
        subject: reply.external_id.to_owned(),
        decision: Decision::AskedWriter,
        reason: why.reason().to_owned(),
        detail: json!({
            "conversation": conversation.id, "message": reply.message_id, "by": reply.writer, "outbox": reply.rows,
        }),
        at: None,
    });
    Ok(())
}

/// Asks in the thread about every reply whose writer was asked before `since` and has not answered.
pub(crate) async fn remind(app: &App, since: jiff::Timestamp) -> anyhow::Result<()> {
    for message_id in confirmations::undecided(&app.store, since).await? {
        let mut tx = app.store.begin().await?;
        let Some(open) = confirmations::of_message(&mut tx, &message_id).await? else {
            continue;
        };
        if !open.is_open() || !open.notice.is_empty() {
            continue;
        }
        let conversation = conversations::by_id(&mut tx, &open.conversation_id).await?;
        let message = messages::by_id(&mut tx, &message_id).await?;
        let question = replies::still_held(&open.writer, &message_id, &message.body);
        let notice = delivery::enqueue_question(&mut tx, &conversation, question).await?;
        confirmations::set_notice(&mut tx, &message_id, &notice).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Somebody pressed *Send it* or *Keep it inside*.
pub(crate) async fn decide(
    app: &App,
    pressed: &BlockActions,
    action: &str,
    message_id: &MessageId,
) -> anyhow::Result<()> {
    let user = pressed.user.as_str();
    decide_or_tell(app, pressed, async |tx| {
        let Some(held) = confirmations::of_message(tx, message_id).await? else {
            return Err(Stop::Refused(replies::nothing_held()));
        };
        if let Some(sentence) = refusal(&held, user) {
            return Err(Stop::Refused(sentence));
        }
        let conversation = conversations::by_id(&mut *tx, &held.conversation_id).await?;
        let sends = action == replies::HELD_SEND;
        let message = messages::by_id(&mut *tx, message_id).await?;
        let rows = set_aside(tx, message_id).await?;
        let (state, decision) = if sends {
            let_send(tx, app, &conversation, &held.writer, &rows).await?;
            (ConfirmationState::Sent, Decision::DecidedSend)
        } else {
            messages::set_internal(tx, message_id).await?;
            (ConfirmationState::Inside, Decision::DecidedInside)
        };
        let lane = delivery::phone_lane(&conversation.line, &conversation.id);
        for row in &rows {
            if sends {
                // What was written meanwhile has left: this comes last, not where it was written.
                outbox::move_to_end(tx, &lane, &row.id).await?
            } else {
                outbox::set_state(tx, &row.id, DeliveryState::Dropped, 0, "").await?
            }
        }
        confirmations::close(tx, message_id, state).await?;
        tx.audit(decided(
            app,
            &conversation,
            &message,
            (decision, user),
            &rows,
        ));
        if sends && message.external_id.starts_with(text_first::FIRST) {
            text_first::show(tx, app, &conversation, &message).await?;
        } else if sends {
            status::answered(tx, &conversation, &format!("<@{}>", held.writer)).await?;
        }
        delivery::enqueue_mark(tx, &conversation.id, message_id).await?;
        let decided = replies::held_decided(sends, user);
        answer(tx, &conversation, pressed, &held.notice, decided).await?;
        Ok(())
    })
    .await
}

/// Counts the texts that a person lets go, and refuses them where the caller wants none or a limit is reached.
pub(super) async fn let_send(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    sender: &str,
    rows: &[Row],
) -> Result<(), Stop> {
    if let Some(why) = opt_out::refusal(tx, conversation).await? {
        return Err(Stop::Refused(why));
    }
    let parts = counted::uncounted(app, rows);
    if let Some(Why::Limit { reached, at }) =
        over_limit(tx, app, conversation, sender, parts).await?
    {
        return Err(Stop::Refused(replies::limit_reached(&reached, &at)));
    }
    spend(tx, conversation, sender, parts).await?;
    counted::note(tx, app, rows).await?;
    Ok(())
}

/// The audit entry of a person's decision about a message.
pub(super) fn decided(
    app: &App,
    conversation: &Conversation,
    message: &Message,
    (decision, by): (Decision, &str),
    rows: &[Row],
) -> NewEntry {
    NewEntry {
        line: app.line_name(&conversation.line),
        number: conversation.caller.clone(),
        subject: message.external_id.clone(),
        decision,
        reason: "a person pressed the button".into(),
        detail: json!({
            "conversation": conversation.id, "message": message.id, "by": by,
            "outbox": rows.iter().map(|row| &row.id).collect::<Vec<_>>(),
        }),
        at: None,
    }
}

/// The sentence to tell a person who cannot decide this, if they cannot.
fn refusal(held: &Held, user: &str) -> Option<String> {
    if held.state == ConfirmationState::Gone {
        Some(replies::nothing_held())
    } else if !held.is_open() {
        Some(wording::already_decided())
    } else if held.writer != user && held.notice.is_empty() {
        Some(replies::only_its_writer(&held.writer))
    } else {
        None
    }
}

/// The deliveries of a message that wait for an answer, in their order.
async fn set_aside(tx: &mut Tx, message_id: &MessageId) -> anyhow::Result<Vec<Row>> {
    let mut rows = outbox::of_message(&mut *tx, message_id).await?;
    rows.retain(|row| row.state == DeliveryState::AwaitingWriter);
    Ok(rows)
}

/// Replaces the question by the decision, wherever it is shown.
async fn answer(
    tx: &mut Tx,
    conversation: &Conversation,
    pressed: &BlockActions,
    notice: &OutboxId,
    sentence: String,
) -> anyhow::Result<()> {
    if let (true, Some(response_url)) = (pressed.is_ephemeral, &pressed.response_url) {
        let replace = Delivery::Respond {
            response_url: response_url.clone(),
            text: sentence.clone(),
        };
        let lane = delivery::ephemeral_lane(&conversation.line, pressed.user.as_str());
        delivery::enqueue(tx, &lane, Some(&conversation.id), None, &replace).await?;
    }
    delivery::reword(tx, conversation, notice, sentence.into()).await
}
