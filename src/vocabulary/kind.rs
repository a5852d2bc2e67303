//! The kinds of delivery, and in one place everything in which they differ.

use super::Stored;

// Texts come first and posts second: the partial indexes of the outbox name them in this order.
words! {
    /// A kind of delivery.
    Kind, "kind of delivery":
    /// A text to a caller's phone, with or without files.
    Sms = "sms",
    /// A dispatcher's reply whose names or files have to be looked up before it becomes texts.
    Reply = "reply",
    /// A post in a conversation's thread, or as the header of a new one.
    Post = "post",
    /// A post in a line's channel.
    Announce = "announce",
    /// New words in a post of ours.
    Update = "update",
    /// A post that lists new callers.
    List = "list",
    /// Brings a posted list up to date.
    Listing = "listing",
    /// A look for copies of a post that was made again.
    Copies = "copies",
    /// Brings the header of a thread up to date.
    Root = "root",
    /// An answer to whoever pressed a button.
    Answer = "answer",
    /// Brings a person's Home up to date.
    Home = "home",
    /// A post that one person sees.
    Ephemeral = "ephemeral",
    /// The words of a post that Slack did not take, for one person.
    Words = "words",
    /// New words in place of a question that one person sees.
    Respond = "respond",
    /// A form for one person.
    Form = "form",
    /// Brings the mark on a dispatcher's message up to date.
    Mark = "mark",
    /// Brings the message of a call up to date.
    Call = "call",
    /// A file of a caller's text.
    InboundFile = "picture",
    /// A caller's recorded message.
    Recording = "recording",
}

/// What follows where the answer to a request was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settle {
    /// Doing it twice is the same as doing it once, or harms nobody: it is done again.
    Repeat,
    /// Twilio's log is read. A text is sent again only on proof that it never left.
    TwilioLog,
    /// Slack's history is read.
    SlackHistory,
    /// Slack's history is read for the file of a recording.
    RecordingInThread,
    /// An upload is repeated, since nobody sees it. Once it is shown, the thread is read.
    PictureInThread,
}

/// What follows where Slack refuses because of the channel, the token or the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InBadChannel {
    /// It is held, and so is whatever leaves by the same throttle.
    HoldThrottle,
    /// It is held alone: other channels are served by the same throttle.
    HoldItself,
    /// It is held alone, or given up if the channel is no line's any more.
    HoldItselfInOwnChannel,
    /// It is given up if the trouble is this one channel.
    GiveUp,
}

/// What follows where the request itself is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnRefusal {
    /// Twilio's code decides.
    TwilioCode,
    /// It is never given up: it is made plainer, and then a placeholder takes its place.
    MakePlainer,
    /// It is tried a few times.
    RetryBriefly,
    /// It is given up.
    GiveUp,
}

/// In what a kind differs from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// It is for a caller's phone.
    pub(crate) is_text: bool,
    pub(crate) settle: Settle,
    pub(crate) in_bad_channel: InBadChannel,
    pub(crate) on_refusal: OnRefusal,
    /// "Too many requests" is about its throttle, and not about another endpoint that it asks first.
    pub(crate) limits_throttle: bool,
    /// Its row stays for good once it is done.
    pub(crate) is_kept: bool,
}

/// What harms nobody twice and is given up when refused.
const HARMLESS: Policy = Policy {
    is_text: false,
    settle: Settle::Repeat,
    in_bad_channel: InBadChannel::HoldThrottle,
    on_refusal: OnRefusal::GiveUp,
    limits_throttle: true,
    is_kept: false,
};

/// A message in a channel.
const MESSAGE: Policy = Policy {
    settle: Settle::SlackHistory,
    on_refusal: OnRefusal::MakePlainer,
    ..HARMLESS
};

impl Kind {
    pub(crate) const fn policy(self) -> Policy {
        match self {
            Kind::Sms => Policy {
                is_text: true,
                settle: Settle::TwilioLog,
                on_refusal: OnRefusal::TwilioCode,
                is_kept: true,
                ..HARMLESS
            },
            Kind::Reply => Policy {
                is_text: true,
                limits_throttle: false,
                is_kept: true,
                ..HARMLESS
            },
            Kind::Post | Kind::Announce => Policy {
                is_kept: true,
                ..MESSAGE
            },
            Kind::List => MESSAGE,
            Kind::Recording => Policy {
                settle: Settle::RecordingInThread,
                limits_throttle: false,
                ..HARMLESS
            },
            Kind::InboundFile => Policy {
                settle: Settle::PictureInThread,
                limits_throttle: false,
                ..HARMLESS
            },
            Kind::Update | Kind::Root => Policy {
                in_bad_channel: InBadChannel::HoldItselfInOwnChannel,
                ..HARMLESS
            },
            Kind::Mark => Policy {
                in_bad_channel: InBadChannel::HoldItself,
                ..HARMLESS
            },
            // What one person is told stands in a lane of theirs for all channels of the line, and would block it for
            // good where the bot has left.
            Kind::Ephemeral | Kind::Words | Kind::Listing => Policy {
                in_bad_channel: InBadChannel::GiveUp,
                ..HARMLESS
            },
            Kind::Copies => Policy {
                in_bad_channel: InBadChannel::GiveUp,
                limits_throttle: false,
                ..HARMLESS
            },
            Kind::Call => Policy {
                on_refusal: OnRefusal::RetryBriefly,
                ..HARMLESS
            },
            Kind::Answer | Kind::Home | Kind::Respond | Kind::Form => HARMLESS,
        }
    }

    /// The kinds of which this is true, as an SQL `in (…)` takes them.
    pub(crate) fn sql_list(is_meant: impl Fn(&Policy) -> bool) -> String {
        let meant = Kind::ALL.iter().filter(|kind| is_meant(&kind.policy()));
        let quoted: Vec<String> = meant.map(|kind| format!("'{kind}'")).collect();
        quoted.join(", ")
    }

    /// The kinds that are for a caller's phone, as an SQL `in (…)` takes them.
    pub(crate) fn sql_texts() -> String {
        Kind::sql_list(|policy| policy.is_text)
    }
}

impl Stored<Kind> {
    /// Whether it is for a caller's phone.
    pub(crate) fn is_text(&self) -> bool {
        self.known().is_some_and(|kind| kind.policy().is_text)
    }
}
