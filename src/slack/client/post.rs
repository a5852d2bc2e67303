//! The methods that post, change, delete or react to messages.

use std::fmt;

use serde_json::{Value, json};

use super::{Client, Metadata, channel_of, unreadable};
use crate::remote::Failure;
use crate::slack::{ChannelId, MessageTs, UserId, lenient};

/// A message to post.
#[derive(Clone, PartialEq)]
pub struct Post {
    pub channel: ChannelId,
    /// The `ts` of the thread's parent message; never that of a reply.
    pub thread_ts: Option<MessageTs>,
    /// The text of notifications, and of the message if there are no blocks. It is Slack's markup: escape foreign text.
    pub text: String,
    /// An array of blocks that is shown instead of `text`.
    pub blocks: Option<Value>,
    /// Whether a reply in a thread is also shown in the channel.
    pub reply_broadcast: bool,
    pub metadata: Option<Metadata>,
}

/// A message that only one user sees.
pub struct Ephemeral<'a> {
    pub channel: ChannelId,
    pub user: UserId,
    /// The `ts` of the thread's parent message, to show it in the thread.
    pub thread_ts: Option<MessageTs>,
    pub text: &'a str,
    /// An array of blocks that is shown instead of `text`.
    pub blocks: Option<&'a Value>,
}

/// Where Slack posted a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    pub channel: ChannelId,
    pub ts: MessageTs,
    /// The thread that it is in. Absent if the parent message was deleted, since Slack then posts in the channel.
    pub thread_ts: Option<MessageTs>,
}

impl Client {
    /// `chat.postMessage`: posts a message without unfurling links. Bare `@names` are not resolved, so that a caller's words
    /// cannot notify anybody.
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
                // The response does not say; assume the requested thread.
                None => post.thread_ts.clone(),
            },
        })
    }

    /// `chat.update`: replaces the text and the blocks of one of our messages. Without `blocks` it has none afterwards.
    pub async fn update_message(
        &self,
        channel: &ChannelId,
        ts: &MessageTs,
        text: &str,
        blocks: Option<&Value>,
    ) -> Result<(), Failure> {
        let mut arguments = json!({"channel": channel, "ts": ts, "text": text});
        // If `blocks` were left out, Slack could keep the old blocks and treat the text as their fallback.
        arguments["blocks"] = blocks.cloned().unwrap_or_else(|| json!([]));
        self.write("chat.update", arguments).await.map(drop)
    }

    /// `chat.delete`: deletes one of our messages. Succeeds if it is already deleted.
    pub async fn delete_message(&self, channel: &ChannelId, ts: &MessageTs) -> Result<(), Failure> {
        let arguments = json!({"channel": channel, "ts": ts});
        unless(
            "message_not_found",
            self.write("chat.delete", arguments).await,
        )
    }

    /// `chat.postEphemeral`: shows a message to one user in a channel. Slack does not store it or guarantee its delivery.
    pub async fn post_ephemeral(&self, message: &Ephemeral<'_>) -> Result<(), Failure> {
        let mut arguments = json!({
            "channel": message.channel,
            "user": message.user,
            "text": message.text,
        });
        if let Some(thread_ts) = &message.thread_ts {
            arguments["thread_ts"] = json!(thread_ts);
        }
        if let Some(blocks) = message.blocks {
            arguments["blocks"] = blocks.clone();
        }
        self.write("chat.postEphemeral", arguments).await.map(drop)
    }

    /// `reactions.add`: adds a reaction, named without colons. Succeeds if we have already added it.
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

    /// `reactions.remove`: removes our reaction. Succeeds if there is none.
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

/// Maps the refusal `forgiven`, which means that there is nothing to do, to success.
fn unless(forgiven: &str, result: Result<Value, Failure>) -> Result<(), Failure> {
    match result {
        Err(Failure::Refused { code, .. }) if code == forgiven => Ok(()),
        other => other.map(drop),
    }
}

impl fmt::Debug for Ephemeral<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ephemeral")
            .field("channel", &self.channel)
            .field("user", &self.user)
            .field("thread_ts", &self.thread_ts)
            .finish_non_exhaustive()
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
