//! Tables of the TwiML verbs, their attributes and their content.

use super::is_url;

/// The values that an attribute accepts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    Url,
    Method,
    Bool,
    Whole(u32, u32),
    /// A whole number or `auto`.
    WholeOrAuto(u32, u32),
    OneOf(&'static [&'static str]),
    /// Several of these words, separated by spaces.
    SomeOf(&'static [&'static str]),
    /// Only characters of this set.
    Of(&'static str),
    /// Anything that is not empty.
    Words,
}
use Value::{Bool, Method, Of, OneOf, SomeOf, Url, Whole, WholeOrAuto, Words};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    No,
    Maybe,
    Needed,
    /// Needed, and it has to be a URL.
    Url,
}

pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) attributes: &'static [(&'static str, Value)],
    pub(super) children: &'static [&'static str],
    pub(super) text: Text,
}

const KEYS: &str = "0123456789#*";
const RECORDING_EVENTS: Value = SomeOf(&["in-progress", "completed", "absent"]);
const TRACK: Value = OneOf(&["inbound", "outbound", "both"]);
const TRIM: Value = OneOf(&["trim-silence", "do-not-trim"]);
const MAX: u32 = u32::MAX;

/// The verbs in the answer to a call.
pub(super) const VOICE: &[Rule] = &[
    Rule {
        name: "Response",
        attributes: &[],
        children: &[
            "Say", "Play", "Pause", "Gather", "Record", "Dial", "Redirect", "Reject", "Hangup",
        ],
        text: Text::No,
    },
    Rule {
        name: "Say",
        attributes: &[
            ("voice", Words),
            ("language", Words),
            ("loop", Whole(0, 1000)),
        ],
        children: &[],
        text: Text::Needed,
    },
    Rule {
        name: "Play",
        attributes: &[
            ("loop", Whole(0, 1000)),
            ("digits", Of("0123456789ABCDW#*w")),
        ],
        children: &[],
        text: Text::Url,
    },
    Rule {
        name: "Pause",
        attributes: &[("length", Whole(1, 86_400))],
        children: &[],
        text: Text::No,
    },
    Rule {
        name: "Gather",
        attributes: &[
            ("action", Url),
            ("method", Method),
            ("input", SomeOf(&["dtmf", "speech"])),
            ("timeout", WholeOrAuto(1, 600)),
            ("finishOnKey", Of(KEYS)),
            ("numDigits", Whole(1, MAX)),
            ("speechTimeout", WholeOrAuto(1, 600)),
            ("language", Words),
            ("hints", Words),
            ("profanityFilter", Bool),
            ("speechModel", Words),
            ("enhanced", Bool),
            ("actionOnEmptyResult", Bool),
            ("partialResultCallback", Url),
            ("partialResultCallbackMethod", Method),
        ],
        children: &["Say", "Play", "Pause"],
        text: Text::No,
    },
    Rule {
        name: "Record",
        attributes: &[
            ("action", Url),
            ("method", Method),
            ("timeout", Whole(0, 86_400)),
            ("finishOnKey", Of(KEYS)),
            ("maxLength", Whole(1, 86_400)),
            ("playBeep", Bool),
            ("trim", TRIM),
            ("recordingStatusCallback", Url),
            ("recordingStatusCallbackMethod", Method),
            ("recordingStatusCallbackEvent", RECORDING_EVENTS),
            ("transcribe", Bool),
            ("transcribeCallback", Url),
        ],
        children: &[],
        text: Text::No,
    },
    Rule {
        name: "Dial",
        attributes: &[
            ("action", Url),
            ("method", Method),
            ("timeout", Whole(5, 600)),
            ("hangupOnStar", Bool),
            ("timeLimit", Whole(1, 86_400)),
            ("callerId", Words),
            (
                "record",
                OneOf(&[
                    "do-not-record",
                    "record-from-answer",
                    "record-from-ringing",
                    "record-from-answer-dual",
                    "record-from-ringing-dual",
                    "true",
                    "false",
                ]),
            ),
            ("recordingStatusCallback", Url),
            ("recordingStatusCallbackMethod", Method),
            ("recordingStatusCallbackEvent", RECORDING_EVENTS),
            ("recordingTrack", TRACK),
            ("trim", TRIM),
            ("answerOnBridge", Bool),
            ("ringTone", Words),
            ("sequential", Bool),
            ("referUrl", Url),
            ("referMethod", Method),
            ("callReason", Words),
        ],
        children: &["Number"],
        text: Text::Maybe,
    },
    Rule {
        name: "Number",
        attributes: &[
            ("sendDigits", Of("0123456789ABCDWw#*")),
            ("url", Url),
            ("method", Method),
            (
                "statusCallbackEvent",
                SomeOf(&["initiated", "ringing", "answered", "completed"]),
            ),
            ("statusCallback", Url),
            ("statusCallbackMethod", Method),
            ("byoc", Words),
            ("machineDetection", OneOf(&["Enable", "DetectMessageEnd"])),
            ("machineDetectionTimeout", Whole(3, 60)),
            ("machineDetectionSpeechThreshold", Whole(1000, 6000)),
            ("machineDetectionSpeechEndThreshold", Whole(500, 5000)),
            ("machineDetectionSilenceTimeout", Whole(2000, 10_000)),
            ("amdStatusCallback", Url),
            ("amdStatusCallbackMethod", Method),
        ],
        children: &[],
        text: Text::Needed,
    },
    Rule {
        name: "Redirect",
        attributes: &[("method", Method)],
        children: &[],
        text: Text::Url,
    },
    Rule {
        name: "Reject",
        attributes: &[("reason", OneOf(&["rejected", "busy"]))],
        children: &[],
        text: Text::No,
    },
    Rule {
        name: "Hangup",
        attributes: &[],
        children: &[],
        text: Text::No,
    },
];

/// The verbs in the answer to a text.
pub(super) const MESSAGING: &[Rule] = &[
    Rule {
        name: "Response",
        attributes: &[],
        children: &["Message", "Redirect"],
        text: Text::No,
    },
    Rule {
        name: "Message",
        attributes: &[
            ("to", Words),
            ("from", Words),
            ("action", Url),
            ("method", Method),
            ("statusCallback", Url),
        ],
        children: &["Body", "Media"],
        text: Text::Maybe,
    },
    Rule {
        name: "Body",
        attributes: &[],
        children: &[],
        text: Text::Needed,
    },
    Rule {
        name: "Media",
        attributes: &[],
        children: &[],
        text: Text::Url,
    },
    Rule {
        name: "Redirect",
        attributes: &[("method", Method)],
        children: &[],
        text: Text::Url,
    },
];

/// Documented verbs that this stand-in cannot follow.
pub(super) const NOT_FOLLOWED: [&str; 17] = [
    "Client",
    "Conference",
    "Connect",
    "Enqueue",
    "Leave",
    "Message",
    "Pay",
    "Prompt",
    "Queue",
    "Refer",
    "Sim",
    "Sip",
    "Siprec",
    "Sms",
    "Start",
    "Stop",
    "Stream",
];

impl Value {
    pub(super) fn allows(self, value: &str) -> bool {
        let whole = |min: u32, max: u32| {
            let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
            digits && value.parse().is_ok_and(|n: u32| (min..=max).contains(&n))
        };
        match self {
            Url => is_url(value),
            Method => matches!(value, "GET" | "POST"),
            Bool => matches!(value, "true" | "false"),
            Whole(min, max) => whole(min, max),
            WholeOrAuto(min, max) => value == "auto" || whole(min, max),
            OneOf(words) => words.contains(&value),
            SomeOf(words) => {
                let mut parts = value.split(' ').peekable();
                parts.peek().is_some() && parts.all(|part| words.contains(&part))
            }
            Of(set) => value.chars().all(|c| set.contains(c)),
            Words => !value.trim().is_empty(),
        }
    }
}
