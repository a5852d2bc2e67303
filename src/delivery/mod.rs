//! What can be delivered, how a delivery can end, and the lane each stands in.
//!
//! A payload in the database is a [`Delivery`] with its version; `fixtures` holds one of every variant of every version.

mod enqueue;
mod files;
#[cfg(test)]
mod fixtures;
mod lanes;
mod outcome;
mod payload;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::vocabulary::{Kind, OutboxId};

pub(crate) use enqueue::*;
pub(crate) use files::*;
pub(crate) use lanes::*;
pub(crate) use outcome::*;
pub(crate) use payload::*;

pub(crate) use crate::media::OutboundMedia;
pub(crate) use crate::slack::Content;

/// What an outbox row asks for. It is whole when it is put in, but for what shows how things stand: the head of a root, a
/// mark and a call are made when they are sent, so that one request shows what several changes came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Delivery {
    /// A post in the conversation's thread, or as the root of a new one.
    Post {
        reply: Content,
        /// Used instead of `reply` where a thread has to be begun, below a head that says who it is.
        root: Option<Content>,
        /// Begin a thread even though there is one.
        new_thread: bool,
        /// Show it in the channel too.
        broadcast: bool,
    },
    /// A post in the line's channel, mostly outside any thread.
    Announce {
        channel: String,
        content: Content,
        /// The root under which it stands, for what belongs in a thread that is no longer its conversation's.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        thread_ts: String,
    },
    /// New words in a post of ours.
    Update {
        channel: String,
        ts: String,
        content: Content,
    },
    /// The texts of several new callers of a line, made of what is listed for it when it is posted.
    List { line: String },
    /// Bring a posted list up to date with who of its callers has a thread.
    Listing { list: OutboxId },
    /// Look once more for copies of a post that was made again: `of` is its row, `root` what it stands under.
    Copies {
        of: OutboxId,
        channel: String,
        root: String,
    },
    /// Bring the root of a thread up to date with where its conversation stands.
    Root { channel: String, ts: String },
    /// An answer to who pressed a button, by the address that came with the press: they need not be in the channel.
    Answer { response_url: String, text: String },
    /// Bring a person's home up to date, with what came of a button at its head.
    Home { person: String, notice: String },
    /// A post that one person sees.
    Ephemeral {
        channel: String,
        user: String,
        thread_ts: String,
        content: Content,
    },
    /// The words of a post that Slack did not take, for one person: `of` is its row.
    Words {
        of: OutboxId,
        channel: String,
        user: String,
        thread_ts: String,
    },
    /// New words in place of a question that one person sees, by the address that came with their press.
    Respond { response_url: String, text: String },
    /// A form for whoever did what `trigger_id` stands for, within 3 seconds of it.
    Form { trigger_id: String, view: Value },
    /// Bring the mark on a dispatcher's message up to date with what became of it.
    Mark,
    /// A dispatcher's words whose mentions still need names.
    Reply {
        slack_text: String,
        /// How many parts of it were counted when a person decided about it; 0 where nobody did.
        #[serde(default, skip_serializing_if = "files::is_none")]
        counted: usize,
    },
    /// A reply with files, which still have to be fetched and made fit.
    #[serde(rename = "enclosing")]
    ReplyWithFiles(ReplyWithFiles),
    /// An SMS.
    Sms { body: String },
    /// An SMS with files, by their IDs.
    Mms { body: String, media: Vec<String> },
    /// Bring the message of a call up to date with what became of it.
    Call { call: String },
    /// A file of a caller's text into the thread.
    #[serde(rename = "picture")]
    InboundFile(InboundFile),
    /// A caller's recorded message into the thread: its SID at Twilio, its file's name and title.
    Recording {
        recording: String,
        file: String,
        title: String,
    },
}

impl Delivery {
    /// The word for it in the database, `outbox list` and the metrics.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Delivery::Post { .. } => Kind::Post,
            Delivery::Announce { .. } => Kind::Announce,
            Delivery::Update { .. } => Kind::Update,
            Delivery::List { .. } => Kind::List,
            Delivery::Listing { .. } => Kind::Listing,
            Delivery::Copies { .. } => Kind::Copies,
            Delivery::Root { .. } => Kind::Root,
            Delivery::Answer { .. } => Kind::Answer,
            Delivery::Home { .. } => Kind::Home,
            Delivery::Ephemeral { .. } => Kind::Ephemeral,
            Delivery::Words { .. } => Kind::Words,
            Delivery::Respond { .. } => Kind::Respond,
            Delivery::Form { .. } => Kind::Form,
            Delivery::Mark => Kind::Mark,
            Delivery::Reply { .. } | Delivery::ReplyWithFiles(_) => Kind::Reply,
            // To all but the request itself they are the same.
            Delivery::Sms { .. } | Delivery::Mms { .. } => Kind::Sms,
            Delivery::Call { .. } => Kind::Call,
            Delivery::InboundFile(_) => Kind::InboundFile,
            Delivery::Recording { .. } => Kind::Recording,
        }
    }
}

/// `seconds` of the usual settings, less where `settle_after` is set shorter: every wait of the delivery promise keeps
/// its proportion to it, so that trying the promise out takes seconds.
pub(crate) fn scaled(settle_after: Duration, seconds: f64) -> Duration {
    const USUAL: Duration = Duration::from_secs(95);
    settle_after
        .min(USUAL)
        .mul_f64(seconds / USUAL.as_secs_f64())
}
