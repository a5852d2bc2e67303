//! Deletes: an unsent reply is dropped from the queue; for a sent one the thread says that it cannot be unsent.

use super::reached::{Reached, drop_rows, entry, got, reached, texts, waits};
use crate::app::App;
use crate::bridge::desk::status;
use crate::bridge::replies::slack_reply::{self, Received};
use crate::bridge::wording::replies;
use crate::delivery::{self};
use crate::slack::TeamId;
use crate::slack::event::MessageEvent;
use crate::store::messages::{Message, NewMessage};
use crate::store::outbox::Row;
use crate::store::{Tx, confirmations, conversations, deferred, edits, messages};
use crate::vocabulary::Origin;
use crate::vocabulary::{ConfirmationState, Decision, EditState};

/// Marks the message as deleted and drops what of it has not left, in one transaction.
pub(super) async fn receive(
    app: &App,
    team: &TeamId,
    app_id: Option<&str>,
    event: &MessageEvent,
) -> anyhow::Result<Received> {
    let Some(ts) = &event.deleted_ts else {
        return Ok(Received::Ignored("nothing was deleted"));
    };
    let external_id = format!("{}:{}", event.channel.as_str(), ts.as_str());
    let mut tx = app.store.begin().await?;
    let Some(known) = messages::by_external_id(&mut tx, Origin::Slack, &external_id).await? else {
        if deferred::forget(&mut tx, event.channel.as_str(), ts.as_str()).await? {
            tx.commit().await?;
            return Ok(Received::Known);
        }
        return forestall(app, tx, (team, app_id), event, &external_id).await;
    };
    if known.is_deleted() {
        return Ok(Received::Known);
    }
    messages::set_deleted(&mut tx, &known.id).await?;
    if !known.is_internal() {
        take_away(&mut tx, app, &known).await?;
    }
    tx.commit().await?;
    Ok(Received::Known)
}

/// Drops the unsent texts of the reply, and tells the thread about sent ones.
async fn take_away(tx: &mut Tx, app: &App, known: &Message) -> anyhow::Result<()> {
    let conversation = conversations::by_id(&mut *tx, &known.conversation_id).await?;
    let rows = texts(tx, &conversation, &known.id).await?;
    let reached = reached(&rows);
    let why = (Decision::ReplyDeleted, reached.when());
    tx.audit(entry(app, &conversation, known, why, &rows));
    let open: Vec<Row> = rows.iter().filter(|row| waits(row)).cloned().collect();
    drop_rows(tx, &open).await?;
    if reached == Reached::Nowhere {
        status::taken_back(tx, &app.config.desk, &open).await?;
    }
    if let Some(asked) = confirmations::of_message(tx, &known.id).await?
        && asked.is_open()
    {
        confirmations::close(tx, &known.id, ConfirmationState::Gone).await?;
        let sentence = replies::deleted_unsent();
        delivery::reword(tx, &conversation, &asked.notice, sentence.into()).await?;
    }
    if let Some(edit) = edits::offered(tx, &known.id).await? {
        edits::close(tx, &edit.id, EditState::Replaced).await?;
        let sentence = replies::deleted_edit();
        delivery::reword(tx, &conversation, &edit.notice, sentence.into()).await?;
    }
    if reached == Reached::Caller {
        let sent: Vec<Row> = rows.into_iter().filter(|row| !waits(row)).collect();
        let got = got(tx, known, &sent).await?;
        let told = replies::cannot_be_unsent(&got);
        delivery::enqueue_question(tx, &conversation, told).await?;
    }
    Ok(())
}

/// The message's own event has not come yet: when it does, it is known and does nothing.
async fn forestall(
    app: &App,
    mut tx: Tx,
    (team, app_id): (&TeamId, Option<&str>),
    event: &MessageEvent,
    external_id: &str,
) -> anyhow::Result<Received> {
    let Some(before) = &event.previous_message else {
        return Ok(Received::Ignored("it says nothing of what was deleted"));
    };
    let written = match slack_reply::read(app, before, team, app_id) {
        Ok(written) => written,
        Err(why) => return Ok(Received::Ignored(why)),
    };
    let (channel, root) = (event.channel.as_str(), written.root.as_str());
    let Some(conversation) = conversations::by_thread(&mut tx, channel, root).await? else {
        return Ok(Received::Ignored("not in a thread of ours"));
    };
    let gone = NewMessage {
        conversation_id: &conversation.id,
        origin: Origin::Slack,
        external_id,
        author: written.user.as_str(),
        body: "",
        channel,
        ts: before.ts.as_str(),
        internal: true,
    };
    if let Some(id) = messages::insert(&mut tx, &gone).await? {
        messages::set_deleted(&mut tx, &id).await?;
        tx.commit().await?;
    }
    Ok(Received::Inside)
}
