//! What is newly known of a call.

use jiff::Timestamp;

use crate::phone::Address;
use crate::store::audit::NewEntry;
use crate::vocabulary::RingOutcome;

/// Something that became known of a call. It counts once, by `call` and `event`.
#[derive(Debug, Clone)]
pub(crate) struct CallEvent {
    /// The CallSid of the caller's side.
    pub(crate) call: String,
    /// What Twilio told: `start`, `dial:1`, `leg:CA…:completed`, ….
    pub(crate) event: String,
    /// The TwiML it was answered, where that has to be the same again; empty otherwise.
    pub(crate) answer: String,
    /// Our number, where the request says it.
    pub(crate) line: Option<String>,
    /// Who calls, where the request says it.
    pub(crate) from: Option<Address>,
    /// "San Diego, CA".
    pub(crate) place: String,
    pub(crate) at: Timestamp,
    pub(crate) changes: Vec<Change>,
    pub(crate) audit: Vec<NewEntry>,
}

/// One thing that is different now.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// A round of ringing begins: everybody who was thought of, and whether they ring.
    Round {
        round: i64,
        turns: Vec<(String, RingOutcome)>,
    },
    /// Something is newly known of one person's telephone.
    RingOutcome {
        round: i64,
        person: String,
        leg: String,
        keys: String,
        outcome: RingOutcome,
    },
    /// A round is over: what still rings has stopped.
    RoundEnded {
        round: i64,
        /// What became of those of whom nothing else is known.
        others: RingOutcome,
    },
    /// Somebody talks with the caller.
    Talking { person: String },
    /// Somebody's telephone was put down.
    HasHungUp { person: String },
    /// A round is over and nobody talks with the caller, whatever was thought before.
    NobodyTalks,
    /// The talk is over.
    Answered { person: String, seconds: i64 },
    /// It is over by Twilio's log: they talked for so many seconds, or nobody did.
    Over { talked: Option<i64> },
    /// The caller hung up before anybody took the call.
    HungUp,
    /// Nobody took it.
    Missed,
    /// The caller left a message.
    Recording { sid: String, seconds: i64 },
    /// What the message says.
    Transcription { words: String },
}

/// What has to be done once the call's own message is up to date.
pub(crate) enum FollowUp {
    Missed { hung_up: bool },
    Recording { sid: String },
    Transcription { words: String },
}
