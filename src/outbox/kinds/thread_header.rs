//! Updates the header message of a thread with the status of its conversation.
//!
//! The header is composed when it is sent, so one edit shows all changes so far. The update is idempotent.

use super::{Answer, Sending, done};
use crate::bridge::desk::newcomers;
use crate::bridge::desk::thread_header::{self, Neighbours};
use crate::clients::Clients;
use crate::delivery::{Content, Delivery};
use crate::remote::Failure;
use crate::slack::refusal::is_about_content;
use crate::slack::{ChannelId, MessageTs};
use crate::store::{conversations, outbox, threads};
use crate::vocabulary::OutboxId;

pub(super) async fn bring_up_to_date(sending: Sending<'_>, channel: &str, ts: &str) -> Answer {
    let Sending { app, row, .. } = sending;
    let done = done(String::new(), None);
    let Some(thread) = threads::read(&app.store, channel, ts).await? else {
        return Ok(Ok(done));
    };
    let conversation = conversations::by_id(&app.store, &row.conversation_id).await?;
    let (Some(body), Ok(at)) = (
        thread_header::body(app, &thread).await?,
        MessageTs::parse(ts),
    ) else {
        return Ok(Ok(done));
    };
    let neighbours = Neighbours {
        channel,
        previous_ts: &thread.previous_ts,
        next_ts: &thread.next_ts,
    };
    let content = thread_header::compose(app, &conversation, &body, neighbours).await?;
    let is_over = conversation.channel != channel || conversation.thread_ts != ts;
    let channel = ChannelId::new(channel);
    Ok(match edit(sending.clients, &channel, &at, &content).await {
        // Its channel may be gone for good, and the conversation with it to another.
        Err(Failure::Refused { .. }) if is_over => Ok(done),
        // It was deleted, may no longer be edited, or is too long to be shown in any other way: it stays as it is.
        Err(Failure::Refused { code, .. })
            if is_beyond_editing(&code) || is_about_content(&code) =>
        {
            Ok(done)
        }
        other => other.map(|()| done),
    })
}

/// Updates the post of a list of new callers.
pub(super) async fn edit_list(sending: Sending<'_>, list: &OutboxId) -> Answer {
    let app = sending.app;
    let done = done(String::new(), None);
    let row = outbox::by_id(&app.store, list).await?;
    let Some(row) = row.filter(|row| !row.external_id.is_empty()) else {
        return Ok(Ok(done));
    };
    let (Delivery::List { line }, Some(content)) =
        (row.delivery()?, newcomers::compose(app, list).await?)
    else {
        return Ok(Ok(done));
    };
    let (Some(line), Ok(ts)) = (
        app.config.line_of(&line),
        MessageTs::parse(&row.external_id),
    ) else {
        return Ok(Ok(done));
    };
    let channel = match app.directory.channel_id(&line.channel).await {
        Ok(Some(channel)) => channel,
        Ok(None) => return Ok(Ok(done)),
        Err(failure) => return Ok(Err(failure)),
    };
    Ok(match edit(sending.clients, &channel, &ts, &content).await {
        Err(Failure::Refused { code, .. })
            if is_beyond_editing(&code) || is_about_content(&code) =>
        {
            Ok(done)
        }
        other => other.map(|()| done),
    })
}

/// Edits a message. If Slack refuses its blocks, edits it to bare text.
pub(super) async fn edit(
    clients: &Clients,
    channel: &ChannelId,
    ts: &MessageTs,
    content: &Content,
) -> Result<(), Failure> {
    let (slack, blocks) = (&clients.slack, content.blocks.as_ref());
    match slack
        .update_message(channel, ts, &content.text, blocks)
        .await
    {
        Err(Failure::Refused { code, .. }) if blocks.is_some() && code.contains("blocks") => {
            slack.update_message(channel, ts, &content.text, None).await
        }
        other => other,
    }
}

/// Slack's refusals that leave nothing to edit.
pub(super) fn is_beyond_editing(code: &str) -> bool {
    matches!(
        code,
        "message_not_found" | "cant_update_message" | "edit_window_closed"
    )
}
