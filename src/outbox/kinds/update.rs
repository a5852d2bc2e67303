//! Puts new words into a post of ours.

use anyhow::Context;

use super::{Answer, Sending, done};
use crate::delivery::Content;
use crate::slack::{ChannelId, MessageTs};

pub(super) async fn send(
    sending: Sending<'_>,
    channel: String,
    ts: &str,
    content: &Content,
) -> Answer {
    let (slack, channel) = (&sending.clients.slack, ChannelId::new(channel));
    let ts = MessageTs::parse(ts).context("the ts of a post of ours")?;
    let updated = slack.update_message(&channel, &ts, &content.text, content.blocks.as_ref());
    Ok(updated.await.map(|_| done(String::new(), None)))
}
