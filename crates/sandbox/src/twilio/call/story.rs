//! The events and the outcome of a call, for tests and for the demo page.

use std::time::Duration;

use serde::Serialize;

/// Who is at one end of the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    Caller,
    /// The phone of this number.
    Phone(String),
    /// Twilio itself, by TwiML or because a limit was reached.
    Twilio,
}

/// Something that happened in a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A phone begins to ring.
    Ringing { number: String },
    /// It stops ringing and was not picked up: `busy`, `no-answer`, `failed`, `canceled`.
    StoppedRinging { number: String, status: String },
    /// It was picked up, by a person or a mailbox.
    PickedUp { number: String, mailbox: bool },
    /// Words were said to somebody.
    Heard { who: Party, words: String },
    /// A recording was played to somebody.
    Played { who: Party, url: String },
    /// Keys were pressed when asked for.
    Pressed { who: Party, keys: String },
    /// The caller and this phone can talk.
    Bridged { number: String },
    /// The caller may speak now.
    Beep,
    /// The caller left a message.
    Recorded { recording_sid: String, seconds: u64 },
    /// The call was not taken at all: `rejected` or `busy`.
    Rejected { reason: String },
    /// Somebody hung up.
    HungUp { who: Party },
    /// Twilio tells the caller that an error has occurred.
    Failed { code: u32 },
}

/// An event, and when it happened after the call came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Happened {
    #[serde(serialize_with = "seconds")]
    pub at: Duration,
    #[serde(flatten)]
    pub event: Event,
}

fn seconds<S: serde::Serializer>(at: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(at.as_secs_f64())
}

/// How a call ended, for the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Talked to this phone (the last one, if to several) for this long.
    Bridged {
        with: String,
        seconds: u64,
    },
    /// Left a message.
    Voicemail {
        recording_sid: String,
        seconds: u64,
    },
    Rejected {
        reason: String,
    },
    /// Hung up before anybody was reached.
    HungUpByCaller,
    /// The TwiML ended before anybody was reached.
    Ended,
    /// Heard that an error occurred; this is Twilio's code.
    Error {
        code: u32,
    },
}

/// A request for TwiML during a call, and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    pub url: String,
    pub params: Vec<(String, String)>,
    /// 0 when there was no answer.
    pub status: u16,
    pub body: String,
    /// How long the answer took in real time, whatever the call's clock is.
    pub took: Duration,
}

impl Exchange {
    /// A parameter of the request; empty if there is none.
    pub fn param(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

/// A call from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallStory {
    pub sid: String,
    pub from: String,
    pub to: String,
    /// The answer to the first request.
    pub first_twiml: String,
    /// Every request for TwiML, in order. A repeated one is listed once.
    pub exchanges: Vec<Exchange>,
    pub events: Vec<Happened>,
    pub outcome: Outcome,
    /// How long phones rang in all steps together.
    pub ring_time: Duration,
    /// The time from beginning to end.
    pub lasted: Duration,
}

impl CallStory {
    /// The numbers that rang, in order, once for each time.
    pub fn rang(&self) -> Vec<&str> {
        let events = self.events.iter();
        let rang = events.filter_map(|happened| match &happened.event {
            Event::Ringing { number } => Some(number.as_str()),
            _ => None,
        });
        rang.collect()
    }

    /// The words said to `party`, in order.
    pub fn heard(&self, party: &Party) -> Vec<&str> {
        let events = self.events.iter();
        let heard = events.filter_map(|happened| match &happened.event {
            Event::Heard { who, words } if who == party => Some(words.as_str()),
            _ => None,
        });
        heard.collect()
    }

    /// The requests to URLs that contain `part`.
    pub fn requests(&self, part: &str) -> Vec<&Exchange> {
        let exchanges = self.exchanges.iter();
        exchanges
            .filter(|exchange| exchange.url.contains(part))
            .collect()
    }

    /// Whether `event` happened.
    pub fn has(&self, event: &Event) -> bool {
        self.events.iter().any(|happened| happened.event == *event)
    }
}
