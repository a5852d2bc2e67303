//! How an attempt at a delivery, or a look for what became of one, can end.

use std::time::Duration;

use jiff::Timestamp;

use super::{ReplyWithFiles, Unreadable};
use crate::vocabulary::Reason;

/// How a try at a delivery, or a look for what became of one, ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// Done, as `proof` shows. `external_id` is the SID or ts, empty where there is none.
    Delivered {
        external_id: String,
        posted_in: Option<PostedIn>,
        proof: &'static str,
    },
    /// A mark is shown (empty for none), to be looked at again at that time; how many requests that took.
    Marked {
        shown: &'static str,
        requests: usize,
        again: Option<Timestamp>,
    },
    /// A reply whose names are known now: the texts that take its place, in order.
    Resolved(Vec<String>),
    /// Copies of a post were taken away. These were left, because people have answered under them: threads of its conversation.
    Cleared { answered: Vec<PostedIn> },
    /// One more file of a dispatcher's reply is fit to be sent, or known not to be.
    Prepared(ReplyWithFiles),
    /// A caller's file is at Slack under this id and can be shown; `None`: it is not there any more.
    Uploaded(Option<String>),
    /// Not acted on; try again after this long.
    Again { after: Duration, why: Reason },
    /// Not acted on because of the channel or the account, until somebody mends that; `is_of_throttle`: so is whatever else leaves
    /// by the same throttle.
    Blocked { why: String, is_of_throttle: bool },
    /// Slack does not take it in this form; it is tried again and then made plainer. `was_plain`: it was bare text.
    NotTaken {
        after: Duration,
        why: String,
        was_plain: bool,
    },
    /// Refused for good.
    Refused { code: String, why: String },
    /// It may have been acted on.
    Unknown { why: String },
    /// A complete look found nothing of it.
    Absent,
    /// The look itself failed or broke off: it says nothing.
    NotRead {
        why: String,
        /// The remote does not let us look, rather than not answering: asking again will not help.
        is_forbidden: bool,
        /// How long it asked to be left alone.
        rest: Option<Duration>,
    },
    /// Several messages could be it.
    Several { candidates: usize },
    /// This version of the program cannot read what is asked for.
    Unreadable(Unreadable),
}

/// Where Slack put a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PostedIn {
    pub(crate) channel: String,
    /// The root of the thread it is in; its own ts if it is a root.
    pub(crate) root: String,
}
