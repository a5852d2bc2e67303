//! TwiML: the XML that tells Twilio what to do with a call (<https://www.twilio.com/docs/voice/twiml>).

mod write;

use crate::phone::PhoneNumber;

/// A TwiML document: the verbs to execute, in order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Response {
    pub verbs: Vec<Verb>,
}

impl Response {
    /// Returns a document without verbs. As the answer to a text it sends no reply; as the answer to a call it hangs up.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Returns a document of these verbs.
    pub fn new(verbs: impl IntoIterator<Item = Verb>) -> Self {
        Self {
            verbs: verbs.into_iter().collect(),
        }
    }

    /// Returns the XML to answer with, as `text/xml`.
    pub fn to_xml(&self) -> String {
        write::document(self)
    }
}

/// A TwiML verb.
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

/// `<Dial>`: rings all numbers at once and connects the first that picks up.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Dial {
    /// The URL that Twilio asks for what comes next when nobody answered or the conversation is over. Without it, the next
    /// verb follows.
    pub action: Option<String>,
    /// How long to ring, in seconds, 5 to 600; 30 by default. Twilio adds up to five.
    pub timeout: Option<u32>,
    /// The maximum length of the conversation, in seconds; four hours by default.
    pub time_limit: Option<u32>,
    /// Whether the caller hears ringing until somebody answers. Only works if this is the first verb.
    pub answer_on_bridge: bool,
    /// The number that the callees see; the caller's number by default.
    pub caller_id: Option<PhoneNumber>,
    /// At most ten numbers.
    pub numbers: Vec<Number>,
}

/// `<Number>`: one number to ring.
#[derive(Clone, PartialEq, Eq)]
pub struct Number {
    pub phone: PhoneNumber,
    /// The URL of the TwiML that the callee hears before the connection with the caller.
    pub url: Option<String>,
    /// The URL that Twilio calls for each of [`status_callback_event`](Self::status_callback_event).
    pub status_callback: Option<String>,
    /// The reported events; if empty, only `completed`.
    pub status_callback_event: Vec<CallEvent>,
}

impl Number {
    /// Returns a number to ring without screening and without status callbacks.
    pub fn new(phone: PhoneNumber) -> Self {
        Self {
            phone,
            url: None,
            status_callback: None,
            status_callback_event: Vec::new(),
        }
    }
}

/// An event of a leg that Twilio can report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEvent {
    Initiated,
    Ringing,
    Answered,
    Completed,
}

/// `<Say>`: speaks a text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Say {
    /// The voice, such as `Polly.Joanna-Neural`; the account's default voice if `None`.
    pub voice: Option<String>,
    /// The language, such as `en-US`, which is also the default.
    pub language: Option<String>,
    pub text: String,
}

impl Say {
    /// Returns a `<Say>` with the account's default voice.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            voice: None,
            language: None,
            text: text.into(),
        }
    }
}

/// `<Play>`: plays an audio file.
#[derive(Clone, PartialEq, Eq)]
pub struct Play {
    pub url: String,
}

/// `<Pause>`: stays silent.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Pause {
    /// In seconds; one by default.
    pub length: Option<u32>,
}

/// `<Gather>`: waits for keys. If none is pressed, the next verb follows.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Gather {
    /// The URL that receives the keys. Required, since Twilio would otherwise request the current document again.
    pub action: String,
    /// The number of keys after which it ends; unlimited by default.
    pub num_digits: Option<u32>,
    /// How long to wait for the next key, in seconds; 5 by default.
    pub timeout: Option<u32>,
    /// The key that ends the input: `#` by default, none if empty.
    pub finish_on_key: Option<String>,
    /// What the person hears while Twilio waits for keys.
    pub children: Vec<Prompt>,
}

/// A verb that a `Gather` can contain.
#[derive(Clone, PartialEq, Eq)]
pub enum Prompt {
    Say(Say),
    Play(Play),
    Pause(Pause),
}

/// `<Record>`: records the caller.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The URL that Twilio asks for what comes next. Required, since Twilio would otherwise request the current document
    /// again.
    pub action: String,
    /// The maximum length, in seconds; one hour by default, two minutes with [`transcribe`](Self::transcribe).
    pub max_length: Option<u32>,
    /// How many seconds of silence end it; 5 by default, never if 0.
    pub timeout: Option<u32>,
    /// The keys that end it; any key by default.
    pub finish_on_key: Option<String>,
    /// Whether a beep precedes the recording; true by default.
    pub play_beep: Option<bool>,
    /// Whether to transcribe the recording: costs money, American English only.
    pub transcribe: bool,
    /// The URL that receives the transcription.
    pub transcribe_callback: Option<String>,
    /// The URL that Twilio calls when the recording can be fetched.
    pub recording_status_callback: Option<String>,
}

/// `<Redirect>`: continues with the TwiML at another URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Redirect {
    pub url: String,
}

/// `<Reject>`: ends the call without answering it. Only works as the first verb.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reject {
    /// A voice says that the number is not in service.
    #[default]
    Rejected,
    /// The caller hears a busy tone.
    Busy,
}
