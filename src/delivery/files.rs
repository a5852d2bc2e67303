//! Files on their way: from a caller into a thread, and from a dispatcher to a phone.

use serde::{Deserialize, Serialize};

use crate::media::OutboundMedia;
use crate::vocabulary::OutboxId;

/// A file of a caller's text, of whatever kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InboundFile {
    /// The text at Twilio, and the file's own SID there.
    pub(crate) message_sid: String,
    pub(crate) media_sid: String,
    /// A MIME type, as the sender's phone named it.
    pub(crate) content_type: String,
    /// What it is called in Slack.
    pub(crate) name: String,
    /// The row that posts the words, which go first.
    pub(crate) after: OutboxId,
    /// The row of the file before it in the same text, which goes first unless it is in trouble; empty for the first.
    #[serde(default)]
    pub(crate) behind: OutboxId,
    /// Its id at Slack once it is there, where nobody sees it yet.
    pub(crate) uploaded: Option<String>,
}

/// A dispatcher's words and files on their way to becoming texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReplyWithFiles {
    pub(crate) slack_text: String,
    pub(crate) files: Vec<Enclosure>,
    /// How many parts of it were counted when a person decided about it; 0 where nobody did.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) counted: usize,
}

pub(super) fn is_none(counted: &usize) -> bool {
    *counted == 0
}

/// A file that a dispatcher put beside their words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Enclosure {
    /// Its id at Slack.
    pub(crate) file: String,
    pub(crate) name: String,
    pub(crate) mimetype: String,
    /// Bytes, where Slack says.
    pub(crate) size: Option<u64>,
    /// Where Slack gives it to the bot.
    pub(crate) url: String,
    pub(crate) fate: FileState,
}

/// How far a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FileState {
    Waiting,
    Ready(OutboundMedia),
    Unfit(Unfit),
}

/// Why a file is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unfit {
    /// It is gone from Slack.
    Deleted,
    /// It is not in this workspace, or not in Slack at all.
    Elsewhere,
    OfNoKind,
    TooLarge,
    /// It is no picture though it says so.
    Unreadable,
    /// Slack did not give it out for too long.
    Unreachable,
}
