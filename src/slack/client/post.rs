//! The methods that put something into a channel, change it or mark it.

use std::fmt;

use serde_json::{Value, json};

use super::{Client, Metadata, channel_of, unreadable};
use crate::remote::Failure;
use crate::slack::{ChannelId, MessageTs, UserId, lenient};

/// A message to be posted.
#[derive(Clone, PartialEq)]
pub struct Post {
    pub channel: ChannelId,
    /// The root of the thread it belongs in; never a reply's ts.
    pub thread_ts: Option<MessageTs>,
    /// What notifications show, and everything when there are no blocks; Slack's markup, so the caller escapes.
    pub text: String,
    /// What is shown instead of `text`: an array of blocks.
    pub blocks: Option<Value>,
    /// Whether a reply in a thread is shown in the channel as well.
    pub reply_broadcast: bool,
    pub metadata: Option<Metadata>,
}

/// Where a message ended up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    pub channel: ChannelId,
    pub ts: MessageTs,
    /// The thread it is really in: absent when the root was deleted and Slack posted in the channel instead.
    pub thread_ts: Option<MessageTs>,
}

impl Client {
    /// `chat.postMessage`. Links are not unfurled and bare `@names` not resolved, so that a caller's words cannot ring anybody.
    pub async fn post_message(&self, post: &Post) -> Result<Posted, Failure> {
        let mut arguments = json!({
            "channel": post.channel,
            "text": post.text,
            "unfurl_links": false,
            "unfurl_media": false,
        });
        if let Some(thread_ts) = &post.thread_ts {
            arguments["thread_ts"] = json!(thread_ts);
            if post.reply_broadcast {
                arguments["reply_broadcast"] = json!(true);
            }
        }
        if let Some(blocks) = &post.blocks {
            arguments["blocks"] = blocks.clone();
        }
        if let Some(metadata) = &post.metadata {
            arguments["metadata"] = json!(metadata);
        }
        let answer = self.write("chat.postMessage", arguments).await?;
        Ok(Posted {
            channel: channel_of(&answer, "chat.postMessage")?,
            ts: lenient::ts(&answer, "ts")
                .ok_or_else(|| unreadable("chat.postMessage without ts"))?,
            thread_ts: match answer.get("message") {
                Some(message) => lenient::ts(message, "thread_ts"),
                // Nothing says that it is elsewhere than it was asked for.
                None => post.thread_ts.clone(),
            },
        })
    }

    /// `chat.update`: replaces text and blocks of a message of ours; without blocks it has none afterwards.
    pub async fn update_message(
        &self,
        channel: &ChannelId,
        ts: &MessageTs,
        text: &str,
        blocks: Option<&Value>,
    ) -> Result<(), Failure> {
        let mut arguments = json!({"channel": channel, "ts": ts, "text": text});
        // Left out, blocks would stay as they were whenever Slack takes the text for a mere fallback.
        arguments["blocks"] = blocks.cloned().unwrap_or_else(|| json!([]));
        self.write("chat.update", arguments).await.map(drop)
    }

    /// `chat.delete`: takes back a message of ours; one that is already gone is well.
    pub async fn delete_message(&self, channel: &ChannelId, ts: &MessageTs) -> Result<(), Failure> {
        let arguments = json!({"channel": channel, "ts": ts});
        unless(
            "message_not_found",
            self.write("chat.delete", arguments).await,
        )
    }

    /// `chat.postEphemeral`: shown to one user in the channel, not kept and not promised to arrive.
    pub async fn post_ephemeral(
        &self,
        channel: &ChannelId,
        user: &UserId,
        thread_ts: Option<&MessageTs>,
        text: &str,
        blocks: Option<&Value>,
    ) -> Result<(), Failure> {
        let mut arguments = json!({"channel": channel, "user": user, "text": text});
        if let Some(thread_ts) = thread_ts {
            arguments["thread_ts"] = json!(thread_ts);
        }
        if let Some(blocks) = blocks {
            arguments["blocks"] = blocks.clone();
        }
        self.write("chat.postEphemeral", arguments).await.map(drop)
    }

    /// `reactions.add`: marks a message with an emoji by its short name, without colons; a mark already there is well.
    pub async fn add_reaction(
        &self,
        channel: &ChannelId,
        ts: &MessageTs,
        name: &str,
    ) -> Result<(), Failure> {
        let arguments = json!({"channel": channel, "timestamp": ts, "name": name});
        unless(
            "already_reacted",
            self.write("reactions.add", arguments).await,
        )
    }

    /// `reactions.remove`: takes our mark away; one that is not there is well.
    pub async fn remove_reaction(
        &self,
        channel: &ChannelId,
        ts: &MessageTs,
        name: &str,
    ) -> Result<(), Failure> {
        let arguments = json!({"channel": channel, "timestamp": ts, "name": name});
        unless(
            "no_reaction",
            self.write("reactions.remove", arguments).await,
        )
    }
}

/// Forgives the one refusal that means the wish was already true.
fn unless(forgiven: &str, result: Result<Value, Failure>) -> Result<(), Failure> {
    match result {
        Err(Failure::Refused { code, .. }) if code == forgiven => Ok(()),
        other => other.map(drop),
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post")
            .field("channel", &self.channel)
            .field("thread_ts", &self.thread_ts)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}
