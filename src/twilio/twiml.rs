//! TwiML: the XML in which Twilio is told what to do with a call (<https://www.twilio.com/docs/voice/twiml>).

mod write;

use crate::phone::PhoneNumber;

/// A whole answer: what to do, in order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Response {
    pub verbs: Vec<Verb>,
}

impl Response {
    /// Does nothing: the right answer to a text, to which Twilio would otherwise reply, and the end of a call.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Does one thing after the other.
    pub fn new(verbs: impl IntoIterator<Item = Verb>) -> Self {
        Self {
            verbs: verbs.into_iter().collect(),
        }
    }

    /// The document to answer with, as `text/xml`.
    pub fn to_xml(&self) -> String {
        write::document(self)
    }
}

/// One thing to do with a call.
#[derive(Clone, PartialEq, Eq)]
pub enum Verb {
    Dial(Dial),
    Say(Say),
    Play(Play),
    Pause(Pause),
    Gather(Gather),
    Record(Record),
    Redirect(Redirect),
    Reject(Reject),
    Hangup,
}

/// Rings numbers, all at once, and connects the first that picks up.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Dial {
    /// Asked what to do next when nobody answered or the talk is over; without it, the verb behind this one is next.
    pub action: Option<String>,
    /// Seconds to ring, 5 to 600; 30 when not said. Twilio adds up to five.
    pub timeout: Option<u32>,
    /// Seconds to talk; four hours when not said.
    pub time_limit: Option<u32>,
    /// The caller keeps hearing it ring until somebody answers; only where this is the first verb.
    pub answer_on_bridge: bool,
    /// What the people rung see; the caller's own number when not said.
    pub caller_id: Option<PhoneNumber>,
    /// At most ten.
    pub numbers: Vec<Number>,
}

/// One number to ring.
#[derive(Clone, PartialEq, Eq)]
pub struct Number {
    pub phone: PhoneNumber,
    /// Where the TwiML is that whoever picks up hears before being connected.
    pub url: Option<String>,
    /// Told of each step of [`status_callback_event`](Self::status_callback_event).
    pub status_callback: Option<String>,
    /// `completed` alone when empty.
    pub status_callback_event: Vec<CallEvent>,
}

impl Number {
    /// A number that is simply rung.
    pub fn new(phone: PhoneNumber) -> Self {
        Self {
            phone,
            url: None,
            status_callback: None,
            status_callback_event: Vec::new(),
        }
    }
}

/// A step in the life of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEvent {
    Initiated,
    Ringing,
    Answered,
    Completed,
}

/// Speaks.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Say {
    /// Such as `Polly.Joanna-Neural`; the account's own when not said.
    pub voice: Option<String>,
    /// Such as `en-US`, which it also is when not said.
    pub language: Option<String>,
    pub text: String,
}

impl Say {
    /// Speaks in the account's own voice.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            voice: None,
            language: None,
            text: text.into(),
        }
    }
}

/// Plays a sound file.
#[derive(Clone, PartialEq, Eq)]
pub struct Play {
    pub url: String,
}

/// Stays silent.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Pause {
    /// Seconds; one when not said.
    pub length: Option<u32>,
}

/// Waits for keys to be pressed; when none are, the verb behind this one is next.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Gather {
    /// Asked what to do with the keys. Not optional, since Twilio would ask the same address again and again.
    pub action: String,
    /// How many keys are enough; any number when not said.
    pub num_digits: Option<u32>,
    /// Seconds to wait for the next key; 5 when not said.
    pub timeout: Option<u32>,
    /// `#` when not said; none at all when empty.
    pub finish_on_key: Option<String>,
    /// Heard while waiting.
    pub children: Vec<Prompt>,
}

/// What a `Gather` can hold.
#[derive(Clone, PartialEq, Eq)]
pub enum Prompt {
    Say(Say),
    Play(Play),
    Pause(Pause),
}

/// Records the caller.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Asked what to do next. Not optional, since Twilio would ask the same address again and again.
    pub action: String,
    /// Seconds; an hour when not said, and two minutes with [`transcribe`](Self::transcribe).
    pub max_length: Option<u32>,
    /// Seconds of silence that end it; 5 when not said, never when 0.
    pub timeout: Option<u32>,
    /// Any key when not said.
    pub finish_on_key: Option<String>,
    /// A beep before; there is one when not said.
    pub play_beep: Option<bool>,
    /// Puts what was said in writing: costs money, American English only.
    pub transcribe: bool,
    /// Given the transcription.
    pub transcribe_callback: Option<String>,
    /// Told when the recording can be fetched.
    pub recording_status_callback: Option<String>,
}

/// Goes on with the TwiML at another address.
#[derive(Clone, PartialEq, Eq)]
pub struct Redirect {
    pub url: String,
}

/// Does not answer the call; only as the first verb.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reject {
    /// The number is not in service, says a voice.
    #[default]
    Rejected,
    /// A busy tone.
    Busy,
}
