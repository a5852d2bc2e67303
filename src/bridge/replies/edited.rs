//! Edits: an unsent reply is updated in the queue; for a sent one the thread gets a notice and offers a correction.
//!
//! A text with a recorded attempt counts as sent. Slack also reports changes that nobody made, such as link previews: only
//! an edit with other words and a later date than the last one counts. An edit whose event was lost is found by backfill
//! while the reply is young; a deletion whose event was lost is not.

use anyhow::Context;

use super::deleted;
use super::reached::{Reached, drop_rows, entry, got, key, plain, reached, texts, waits};
use crate::app::App;
use crate::bridge::desk::status;
use crate::bridge::replies::as_texts;
use crate::bridge::replies::confirmation::{self, Reply};
use crate::bridge::replies::counted;
use crate::bridge::replies::slack_reply::{self, Received};
use crate::bridge::wording::replies;
use crate::conversation::confirmation::Why;
use crate::conversation::{Kind, Written};
use crate::delivery::{self, Delivery};
use crate::slack::TeamId;
use crate::slack::event::MessageEvent;
use crate::store::confirmations::Held;
use crate::store::conversations::Conversation;
use crate::store::lanes::{self, Lane};
use crate::store::messages::Message;
use crate::store::outbox::Row;
use crate::store::storable;
use crate::store::{Tx, confirmations, conversations, deferred, edits, messages, outbox};
use crate::vocabulary::{
    ConfirmationState, Decision, DeliveryState, EditState, Origin, OutboxId, Reason, ReasonCode,
};

/// Whether the event reports an edit or a deletion of another message.
pub(crate) fn is_one(message: &MessageEvent) -> bool {
    matches!(
        message.subtype.as_deref(),
        Some("message_changed" | "message_deleted")
    )
}

/// Applies an edit or a deletion, in one transaction.
pub(crate) async fn receive(
    app: &App,
    team: &TeamId,
    app_id: Option<&str>,
    message: &MessageEvent,
) -> anyhow::Result<Received> {
    match (&message.message, &message.deleted_ts) {
        (Some(now), None) => change(app, team, app_id, now).await,
        (None, Some(_)) => deleted::receive(app, team, app_id, message).await,
        _ => Ok(Received::Ignored("not written by a person")),
    }
}

/// Applies an edit found by reading the thread. `message` is its current form.
pub(crate) async fn change(
    app: &App,
    team: &TeamId,
    app_id: Option<&str>,
    message: &MessageEvent,
) -> anyhow::Result<Received> {
    let edited = message.edited.as_ref().and_then(|edited| edited.ts.clone());
    let Some(edited) = edited else {
        return Ok(Received::Ignored("nobody edited it"));
    };
    let written = match slack_reply::read(app, message, team, app_id) {
        Ok(written) => written,
        Err(why) => return Ok(Received::Ignored(why)),
    };
    let mut tx = app.store.begin().await?;
    let Some(known) = messages::by_external_id(&mut tx, Origin::Slack, &key(message)).await? else {
        // Its own event is late, or waits for its root: what is told of it there is older than this.
        deferred::forget(&mut tx, message.channel.as_str(), message.ts.as_str()).await?;
        tx.commit().await?;
        return if slack_reply::is_live(app, message)? {
            slack_reply::receive_late(app, team, message, app.clock.now()).await
        } else {
            Ok(Received::Ignored("an edit of a message that is not ours"))
        };
    };
    let body = storable(&message.text);
    if known.is_deleted() || edited.as_str() <= known.edited_ts.as_str() {
        return Ok(Received::Known);
    }
    messages::set_edited(&mut tx, &known.id, &body, edited.as_str()).await?;
    if body != known.body && !known.is_internal() {
        let edit = Edit {
            known: &known,
            message,
            written: &written,
            body: &body,
        };
        apply(&mut tx, app, &edit).await?;
    }
    tx.commit().await?;
    Ok(Received::Known)
}

/// An edit of a reply that was saved.
struct Edit<'a> {
    known: &'a Message,
    message: &'a MessageEvent,
    written: &'a Written,
    /// The new words.
    body: &'a str,
}

async fn apply(tx: &mut Tx, app: &App, edit: &Edit<'_>) -> anyhow::Result<()> {
    let known = edit.known;
    let conversation = conversations::by_id(&mut *tx, &known.conversation_id).await?;
    let rows = texts(tx, &conversation, &known.id).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let reached = reached(&rows);
    let why = (Decision::ReplyEdited, reached.when());
    tx.audit(entry(app, &conversation, known, why, &rows));
    if reached != Reached::Nowhere {
        return offer(tx, app, edit, &conversation, &rows).await;
    }
    let open: Vec<Row> = rows.into_iter().filter(waits).collect();
    let deliveries = match edit.written.kind {
        Kind::Note => Vec::new(),
        _ => as_texts::deliveries(app, edit.body, &edit.message.files),
    };
    if deliveries.is_empty() {
        return keep_inside(tx, app, &conversation, known, &open).await;
    }
    let parts = outbox::of_message(&mut *tx, &known.id).await?;
    let rows = replace(tx, &open, &parts, &deliveries).await?;
    let asked = confirmations::of_message(tx, &known.id).await?;
    if let Some(asked) = asked.filter(Held::is_open) {
        let question = replies::still_held(&asked.writer, &known.id, edit.body);
        return delivery::reword(tx, &conversation, &asked.notice, question).await;
    }
    ask_if_doubtful(tx, app, edit, &conversation, &rows).await
}

/// Nothing of the reply is for the caller any more: its texts are dropped.
async fn keep_inside(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    known: &Message,
    open: &[Row],
) -> anyhow::Result<()> {
    drop_rows(tx, open).await?;
    status::taken_back(tx, &app.config.desk, open).await?;
    messages::set_internal(tx, &known.id).await?;
    confirmations::close(tx, &known.id, ConfirmationState::Inside).await?;
    let why = (Decision::KeptInside, "its writer made it a note");
    tx.audit(entry(app, conversation, known, why, open));
    delivery::enqueue_mark(tx, &conversation.id, &known.id).await
}

/// Holds the new texts and asks the writer, if they read like words to a colleague or are long.
async fn ask_if_doubtful(
    tx: &mut Tx,
    app: &App,
    edit: &Edit<'_>,
    conversation: &Conversation,
    rows: &[OutboxId],
) -> anyhow::Result<()> {
    let Edit {
        known,
        message,
        written,
        ..
    } = edit;
    let mut open = outbox::of_message(&mut *tx, &known.id).await?;
    open.retain(|row| rows.contains(&row.id));
    let words = counted::bodies(app, &open);
    let why = match written.kind {
        Kind::ToColleague => Some(Why::Colleague),
        Kind::Command => Some(Why::Command),
        _ => confirmation::too_long(app, words.iter().map(String::as_str)),
    };
    let Some(why) = why else { return Ok(()) };
    let reply = Reply {
        message_id: &known.id,
        external_id: &known.external_id,
        writer: written.user.as_str(),
        channel: &known.channel,
        root: written.root.as_str(),
        ts: message.ts.as_str(),
        rows,
    };
    confirmation::hold(tx, app, conversation, &reply, &why).await
}

/// Puts other deliveries where these wait, among all `parts` of the message; the rows that wait there now.
async fn replace(
    tx: &mut Tx,
    open: &[Row],
    parts: &[Row],
    deliveries: &[Delivery],
) -> anyhow::Result<Vec<OutboxId>> {
    let Some((first, rest)) = open.split_first() else {
        return Ok(Vec::new());
    };
    for row in rest {
        let why = Reason::of(ReasonCode::EditedAway, "its writer edited it");
        outbox::set_state(tx, &row.id, DeliveryState::Dropped, 0, why).await?;
        lanes::advance(tx, &row.lane).await?;
    }
    let lane = Lane {
        id: first.lane.clone(),
        throttle: String::new(),
    };
    let state = first.state.known();
    let state = state.context("a part that waits in a state of a later version")?;
    // A part's number is never given twice, even if that part is dropped.
    let mut next = parts
        .iter()
        .filter(|row| row.lane == first.lane && row.seq == first.seq)
        .map(|row| row.part + 1)
        .max()
        .unwrap_or(1);
    let mut rows = Vec::with_capacity(deliveries.len());
    for (index, one) in deliveries.iter().enumerate() {
        let new = delivery::new_row(
            &lane,
            Some(&first.conversation_id),
            Some(&first.message_id),
            one,
        );
        if index == 0 {
            outbox::set_payload(tx, &first.id, new.kind, &new.payload).await?;
            rows.push(first.id.clone());
            continue;
        }
        let id = outbox::enqueue_part(tx, &new, first, next).await?;
        if matches!(
            state,
            DeliveryState::AwaitingWriter | DeliveryState::Undecided
        ) {
            outbox::set_state(tx, &id, state, 0, &first.last_error).await?;
        }
        rows.push(id);
        next += 1;
    }
    Ok(rows)
}

/// Tells the thread what the caller has, and offers to send the new words.
async fn offer(
    tx: &mut Tx,
    app: &App,
    edit: &Edit<'_>,
    conversation: &Conversation,
    rows: &[Row],
) -> anyhow::Result<()> {
    let Edit { known, body, .. } = edit;
    let reached = reached(rows);
    let got = got(tx, known, rows).await?;
    let before = edits::offered(tx, &known.id).await?;
    let is_same = reached == Reached::Caller && plain(body) == got;
    let is_inside = edit.written.kind != Kind::Reply;
    if is_same || is_inside || as_texts::deliveries(app, body, &[]).is_empty() {
        // Edited back, to nothing, or to what is not for the caller: there is nothing to correct.
        if let Some(before) = before {
            edits::close(tx, &before.id, EditState::Replaced).await?;
            let sentence = replies::edited_back();
            delivery::reword(tx, conversation, &before.notice, sentence.into()).await?;
        }
        return Ok(());
    }
    let told = |id: &str| replies::edited(id, &got, reached == Reached::Caller);
    if let Some(before) = before {
        edits::set_body(tx, &before.id, body).await?;
        return delivery::reword(tx, conversation, &before.notice, told(&before.id)).await;
    }
    let id = edits::offer(tx, &known.id, &conversation.id, body, &got).await?;
    let notice = delivery::enqueue_question(tx, conversation, told(&id)).await?;
    edits::set_notice(tx, &id, &notice).await
}
