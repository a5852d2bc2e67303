//! How callers and called people behave.

use std::collections::VecDeque;
use std::time::Duration;

use super::TwilioStandIn;

/// How long a mailbox talks and listens before it hangs up.
const MAILBOX: Duration = Duration::from_secs(120);

/// What happens when a phone is rung.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phone {
    /// It rings until the caller's side stops.
    NoAnswer,
    /// The line is busy.
    Busy,
    /// Somebody declines the call.
    Decline { after: Duration },
    /// The network cannot reach it: off, without a mailbox.
    Failed,
    /// A mailbox picks up, talks, and never presses a key.
    Mailbox { after: Duration },
    /// A person picks up.
    PickUp(PickUp),
    /// A [`LiveCall`](super::LiveCall) acts for it.
    Live,
}

/// A person who picks up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PickUp {
    /// After this much ringing.
    pub after: Duration,
    /// The keys pressed at each question, and how long after the question begins.
    pub presses: Vec<(Duration, String)>,
    /// How long the person talks once put through, and then hangs up.
    pub talks: Duration,
    /// The person hangs up this long after picking up, unless put through before.
    pub gives_up: Option<Duration>,
}

impl Phone {
    /// A person who picks up after this many seconds, presses nothing, and talks for a minute once put through.
    pub fn pick_up(after_seconds: u64) -> Self {
        Phone::PickUp(PickUp {
            after: Duration::from_secs(after_seconds),
            presses: Vec::new(),
            talks: Duration::from_secs(60),
            gives_up: None,
        })
    }

    /// A mailbox that picks up after this many seconds.
    pub fn mailbox(after_seconds: u64) -> Self {
        let after = Duration::from_secs(after_seconds);
        Phone::Mailbox { after }
    }

    /// Somebody who presses the call away after this many seconds.
    pub fn decline(after_seconds: u64) -> Self {
        let after = Duration::from_secs(after_seconds);
        Phone::Decline { after }
    }

    /// Makes the person press these keys two seconds after the next question begins.
    pub fn pressing(mut self, keys: &str) -> Self {
        if let Phone::PickUp(person) = &mut self {
            person
                .presses
                .push((Duration::from_secs(2), keys.to_owned()));
        }
        self
    }

    /// Sets how many seconds the person talks.
    pub fn talking(mut self, seconds: u64) -> Self {
        if let Phone::PickUp(person) = &mut self {
            person.talks = Duration::from_secs(seconds);
        }
        self
    }

    /// Makes the person hang up this many seconds after picking up, unless put through before.
    pub fn giving_up(mut self, after_seconds: u64) -> Self {
        if let Phone::PickUp(person) = &mut self {
            person.gives_up = Some(Duration::from_secs(after_seconds));
        }
        self
    }

    /// How long the call lasts once it is put through; `None` for no limit.
    pub(super) fn talks(&self) -> Option<Duration> {
        match self {
            Phone::PickUp(person) => Some(person.talks),
            Phone::Mailbox { .. } => Some(MAILBOX),
            _ => None,
        }
    }

    /// How long after the pick-up the call ends unless it is put through; `None` for no limit.
    pub(super) fn gives_up(&self) -> Option<Duration> {
        match self {
            Phone::PickUp(person) => person.gives_up,
            Phone::Mailbox { .. } => Some(MAILBOX),
            _ => None,
        }
    }

    pub(super) fn presses(&self) -> VecDeque<(Duration, String)> {
        match self {
            Phone::PickUp(person) => person.presses.clone().into(),
            _ => VecDeque::new(),
        }
    }
}

/// Somebody who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Hangs up after this long without anybody to talk to; `None` means never.
    pub patience: Option<Duration>,
    /// Hangs up after a conversation of this length, if the other side has not.
    pub talks: Option<Duration>,
    /// The keys pressed at each question, two seconds after it begins.
    pub presses: Vec<String>,
    /// What the caller does after the beep.
    pub voicemail: Voicemail,
    /// Further parameters of the first request: `FromCity`, `FromState`, `ForwardedFrom`, ….
    pub params: Vec<(String, String)>,
    /// A [`LiveCall`](super::LiveCall) acts for the caller; the other fields are ignored.
    pub live: bool,
}

/// What a caller does after the beep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voicemail {
    /// Hangs up at once.
    HangsUp,
    /// Says nothing and waits.
    Silent,
    /// Speaks for this long, and then ends the recording.
    Speaks {
        seconds: u64,
        words: String,
        then: AfterSpeech,
    },
}

/// How a recording ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterSpeech {
    HangsUp,
    Waits,
    Presses(char),
}

impl Default for Caller {
    /// Patient, leaves a message of ten seconds.
    fn default() -> Self {
        Caller {
            patience: None,
            talks: None,
            presses: Vec::new(),
            voicemail: Voicemail::Speaks {
                seconds: 10,
                words: "please call me back".to_owned(),
                then: AfterSpeech::HangsUp,
            },
            params: Vec::new(),
            live: false,
        }
    }
}

impl Caller {
    /// Somebody who hangs up after this many seconds without an answer.
    pub fn hanging_up_after(seconds: u64) -> Self {
        Caller {
            patience: Some(Duration::from_secs(seconds)),
            ..Caller::default()
        }
    }
}

impl TwilioStandIn {
    /// Sets how the phone of `number` behaves from now on. Without this, a phone rings unanswered.
    pub fn set_phone(&self, number: &str, phone: Phone) {
        self.set_phones(number, [phone]);
    }

    /// Sets how the phone of `number` behaves from call to call; the last entry stays.
    pub fn set_phones(&self, number: &str, phones: impl IntoIterator<Item = Phone>) {
        let mut state = self.core.lock();
        let phones = phones.into_iter().collect();
        state.phones.insert(number.to_owned(), phones);
    }
}
