//! Updates the message of a call with the call's current state.
//!
//! The message is rendered when it is sent, so one edit shows all changes so far. The update is idempotent.

use super::thread_header::{edit, is_beyond_editing};
use super::{Answer, Sending, done};
use crate::bridge::calls::thread::Scene;
use crate::bridge::desk::newcomers;
use crate::bridge::desk::thread_header::{self, Neighbours};
use crate::remote::Failure;
use crate::slack::{ChannelId, MessageTs};
use crate::store::{calls, conversations, listed, outbox, ring_outcomes, threads};

pub(super) async fn bring_up_to_date(sending: Sending<'_>, call: &str) -> Answer {
    let Sending { app, row, .. } = sending;
    let done = done(String::new(), None);
    let Some(call) = calls::by_sid(&app.store, call).await? else {
        return Ok(Ok(done));
    };
    // The post stands before this in the same lane: without a ts it was given up on, and there is nothing to edit.
    let posted = outbox::external_id(&app.store, &call.post_id).await?;
    let Ok(ts) = MessageTs::parse(&posted) else {
        return Ok(Ok(done));
    };
    let conversation = conversations::by_id(&app.store, &row.conversation_id).await?;
    let is_root = conversations::is_root(&app.store, &conversation.channel, &posted).await?;
    let scene = Scene {
        turns: ring_outcomes::of_call(&app.store, &call.sid).await?,
        call,
        conversation,
        config: &app.config,
    };
    let content = if is_root {
        let thread = threads::read(&app.store, &scene.conversation.channel, &posted).await?;
        let neighbours = thread.as_ref().map(|thread| Neighbours {
            channel: &thread.channel,
            previous_ts: &thread.previous_ts,
            next_ts: &thread.next_ts,
        });
        let listed = listed::opened_by(&app.store, &scene.call.post_id).await?;
        let body = newcomers::above(app, &listed, scene.as_root())?;
        let neighbours = neighbours.unwrap_or_default();
        thread_header::compose(app, &scene.conversation, &body, neighbours).await?
    } else {
        scene.as_reply()
    };
    let channel = ChannelId::new(&scene.conversation.channel);
    Ok(match edit(sending.clients, &channel, &ts, &content).await {
        // Somebody has deleted it, or may no longer be edited: there is nothing left to bring up to date.
        Err(Failure::Refused { code, .. }) if is_beyond_editing(&code) => Ok(done),
        other => other.map(|()| done),
    })
}
