//! A delivery is done: its thread may have begun, and the audit says so.

use serde_json::json;

use crate::bridge::deliveries::row::{Tried, audit, entry, trouble_changed};
use crate::bridge::deliveries::{copies, sms_status};
use crate::bridge::desk::newcomers;
use crate::bridge::replies::deferred;
use crate::bridge::wording;
use crate::delivery::{self, Delivery, PostedIn};
use crate::store::conversations::Conversation;
use crate::store::{Tx, conversation_status, conversations, messages, outbox, threads};
use crate::vocabulary::{AttemptResult, Decision, DeliveryState, Kind};

/// Marks a row as delivered. `proof` says how that is known.
pub(super) async fn delivered(
    tx: &mut Tx,
    tried: Tried<'_>,
    external_id: &str,
    posted_in: Option<&PostedIn>,
    proof: &str,
) -> anyhow::Result<()> {
    let Tried {
        app, row, attempt, ..
    } = tried;
    if row.kind == Kind::Sms {
        return sms_status::bind(tx, app, (row, attempt.n), external_id, proof).await;
    }
    if row.state == DeliveryState::Delivered && row.external_id == external_id {
        // A late answer says what a look has found, or a commit whose success was not heard is made again.
        return Ok(());
    }
    outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::Delivered, proof).await?;
    outbox::set_external_id(tx, &row.id, external_id).await?;
    outbox::set_state(tx, &row.id, DeliveryState::Delivered, 0, "").await?;
    if let Some(posted_in) = posted_in
        && row.kind == Kind::Post
    {
        bind_thread(tx, tried, posted_in).await?;
        if messages::set_place(tx, &row.message_id, &posted_in.channel, external_id).await? {
            delivery::enqueue_mark(tx, &row.conversation_id, &row.message_id).await?;
        }
    }
    match row.kind.known() {
        Some(Kind::Post | Kind::Announce) => {
            let why = format!("known by {proof}");
            let mut posted = entry(tx, tried, Decision::Posted, &why).await?;
            posted.detail["ts"] = json!(external_id);
            if let Some(PostedIn { channel, root }) = posted_in
                && row.kind == Kind::Post
            {
                posted.detail["channel"] = json!(channel);
                posted.detail["root"] = json!(root);
            }
            tx.audit(posted);
        }
        Some(Kind::List) => {
            let channel = posted_in.map_or("", |posted_in| posted_in.channel.as_str());
            let writers = deferred::writers(tx, app, channel, external_id).await?;
            newcomers::posted(tx, app, row, (channel, external_id), &writers).await?;
        }
        _ => return at_last(tx, tried).await,
    }
    match posted_in {
        Some(posted_in) => copies::ask(tx, app, row, posted_in).await,
        None => Ok(()),
    }
}

/// Binds the conversation to a thread that the post has begun.
async fn bind_thread(tx: &mut Tx, tried: Tried<'_>, posted_in: &PostedIn) -> anyhow::Result<()> {
    let Tried { app, row, .. } = tried;
    let PostedIn { channel, root } = posted_in;
    let conversation = conversations::by_id(&mut *tx, &row.conversation_id).await?;
    // A question that was posted while a new thread began stands in the old one, which stays old.
    let is_known = conversations::by_thread(tx, channel, root).await?.is_some();
    if is_known || (conversation.thread_ts == *root && conversation.channel == *channel) {
        return Ok(());
    }
    conversations::bind_thread(tx, &conversation.id, channel, root).await?;
    threads::set_post(tx, channel, root, &row.id).await?;
    began(tx, tried, &conversation, (channel, root)).await?;
    app.thread_sync.thread_created(channel, root, row.created());
    newcomers::began(tx, &conversation, &row.id).await?;
    deferred::receive(tx, app, &conversation, channel, root).await
}

/// Audits the recovery of a delivery that had failed before. Deliveries that never failed are not audited here.
pub(super) async fn at_last(tx: &mut Tx, tried: Tried<'_>) -> anyhow::Result<()> {
    let Tried { row, .. } = tried;
    if row.last_error.is_empty() {
        Ok(())
    } else {
        trouble_changed(tx, row).await?;
        audit(tx, tried, Decision::DeliveredAtLast, &row.last_error).await
    }
}

/// A new thread has begun. Links it with the thread before, and updates its header message if the status has changed since
/// that was composed.
async fn began(
    tx: &mut Tx,
    tried: Tried<'_>,
    before: &Conversation,
    (channel, root): (&str, &str),
) -> anyhow::Result<()> {
    let Tried {
        app, row, attempt, ..
    } = tried;
    let status = conversation_status::of(&mut *tx, &before.id).await?;
    if status.changed() >= attempt.started() {
        delivery::enqueue_root(tx, &before.id, channel, root).await?;
    }
    let Ok(Delivery::Post {
        new_thread: true, ..
    }) = row.delivery()
    else {
        return Ok(());
    };
    if before.thread_ts.is_empty() || before.channel != channel {
        return Ok(());
    }
    threads::link(tx, channel, &before.thread_ts, root).await?;
    delivery::enqueue_root(tx, &before.id, channel, &before.thread_ts).await?;
    let link = app.directory.link(channel, root);
    let goes_on = Delivery::Announce {
        channel: channel.to_owned(),
        content: wording::desk::goes_on(link.as_deref()).into(),
        thread_ts: before.thread_ts.clone(),
    };
    let lane = delivery::pointer_lane(&before.line, channel, &before.thread_ts);
    delivery::enqueue(tx, &lane, Some(&before.id), None, &goes_on).await?;
    Ok(())
}
