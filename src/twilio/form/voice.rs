//! The forms of voice webhooks. A caller waits for each answer, so no field is required: a missing or malformed one is
//! `None` or empty.

use std::fmt;

use jiff::Timestamp;

use super::Params;
use crate::phone::Address;
use crate::twilio::CallSid;

/// The first request of an inbound call
/// (<https://www.twilio.com/docs/voice/twiml#twilios-request-to-your-application>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundCall {
    pub call_sid: Option<CallSid>,
    pub from: Address,
    pub to: Address,
    /// `ringing` on the first request.
    pub call_status: String,
    pub from_city: Option<String>,
    /// Two letters in North America.
    pub from_state: Option<String>,
    /// The ISO country code, two letters.
    pub from_country: Option<String>,
    /// The number that the caller dialed, if its carrier forwarded the call to us and reports that.
    pub forwarded_from: Option<Address>,
}

impl InboundCall {
    /// Parses the form of a call's first request.
    pub fn from_params(params: &[(String, String)]) -> Self {
        let params = Params(params);
        Self {
            call_sid: params.optional_sid("CallSid"),
            from: params.address("From"),
            to: params.address("To"),
            call_status: params.string("CallStatus").unwrap_or_default(),
            from_city: params.string("FromCity"),
            from_state: params.string("FromState"),
            from_country: params.string("FromCountry"),
            forwarded_from: params.get("ForwardedFrom").map(Address::new),
        }
    }
}

/// The outcome of a `Dial` (<https://www.twilio.com/docs/voice/twiml/dial#dialcallstatus-values>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialCallStatus {
    /// A person or a mailbox picked up, even if that leg was never connected with the caller.
    Completed,
    /// Only for conferences.
    Answered,
    Busy,
    NoAnswer,
    Failed,
    Canceled,
    /// A value that Twilio did not document when this was written.
    Other(String),
}

impl DialCallStatus {
    /// Parses Twilio's value; never fails, since an unknown one becomes `Other`.
    pub fn parse(word: &str) -> Self {
        match word {
            "completed" => Self::Completed,
            "answered" => Self::Answered,
            "busy" => Self::Busy,
            "no-answer" => Self::NoAnswer,
            "failed" => Self::Failed,
            "canceled" => Self::Canceled,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Returns the value as Twilio writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Completed => "completed",
            Self::Answered => "answered",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Other(word) => word,
        }
    }
}

/// The request to the `action` of a `Dial`, sent when the `Dial` has ended
/// (<https://www.twilio.com/docs/voice/twiml/dial#action>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialResult {
    /// The caller's leg.
    pub call_sid: Option<CallSid>,
    pub from: Address,
    pub to: Address,
    /// The status of the caller's leg: `in-progress`, or `completed` if the caller has hung up.
    pub call_status: String,
    pub dial_call_status: DialCallStatus,
    /// The leg that was answered, or else the last one dialed.
    pub dial_call_sid: Option<CallSid>,
    /// In seconds.
    pub dial_call_duration: Option<u32>,
    /// Whether caller and callee were ever connected. This tells a person who took the call from a mailbox that picked up.
    pub dial_bridged: Option<bool>,
}

impl DialResult {
    /// Parses the form of a `Dial`'s action. A missing status becomes `Other("unknown")`.
    pub fn from_params(params: &[(String, String)]) -> Self {
        let params = Params(params);
        Self {
            call_sid: params.optional_sid("CallSid"),
            from: params.address("From"),
            to: params.address("To"),
            call_status: params.string("CallStatus").unwrap_or_default(),
            dial_call_status: DialCallStatus::parse(
                params.get("DialCallStatus").unwrap_or("unknown"),
            ),
            dial_call_sid: params.optional_sid("DialCallSid"),
            dial_call_duration: params.number("DialCallDuration"),
            dial_bridged: params.get("DialBridged").and_then(|word| word.parse().ok()),
        }
    }
}

/// A status callback of a leg that a `Number` dialed
/// (<https://www.twilio.com/docs/voice/twiml/number#statuscallback-request-parameters>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallProgress {
    /// The dialed leg.
    pub call_sid: Option<CallSid>,
    /// The caller's leg.
    pub parent_call_sid: Option<CallSid>,
    pub call_status: String,
    /// In seconds; only present once the leg has ended.
    pub call_duration: Option<u32>,
    /// Counts from 0 in the order of events; callbacks can arrive in another order.
    pub sequence_number: Option<u32>,
    /// The time of the event, to the second.
    pub timestamp: Option<Timestamp>,
    pub from: Address,
    pub to: Address,
}

impl CallProgress {
    /// Parses the form of a `Number`'s status callback.
    pub fn from_params(params: &[(String, String)]) -> Self {
        let params = Params(params);
        Self {
            call_sid: params.optional_sid("CallSid"),
            parent_call_sid: params.optional_sid("ParentCallSid"),
            call_status: params.string("CallStatus").unwrap_or_default(),
            call_duration: params.number("CallDuration"),
            sequence_number: params.number("SequenceNumber"),
            timestamp: params
                .get("Timestamp")
                .and_then(|time| jiff::fmt::rfc2822::parse(time).ok())
                .map(|time| time.timestamp()),
            from: params.address("From"),
            to: params.address("To"),
        }
    }
}

/// The keys pressed at a `Gather` (<https://www.twilio.com/docs/voice/twiml/gather#action>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatherResult {
    pub call_sid: Option<CallSid>,
    /// The caller's leg, if the `Gather` ran on the callee's leg.
    pub parent_call_sid: Option<CallSid>,
    /// The keys without the finishing one; empty if none was pressed.
    pub digits: String,
    pub from: Address,
    pub to: Address,
}

impl GatherResult {
    /// Parses the form of a `Gather`'s action.
    pub fn from_params(params: &[(String, String)]) -> Self {
        let params = Params(params);
        Self {
            call_sid: params.optional_sid("CallSid"),
            parent_call_sid: params.optional_sid("ParentCallSid"),
            digits: params.string("Digits").unwrap_or_default(),
            from: params.address("From"),
            to: params.address("To"),
        }
    }
}

/// The request to the `action` of a `Record`, sent when it has ended. The recording may not be available yet
/// (<https://www.twilio.com/docs/voice/twiml/record#action>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordResult {
    pub call_sid: Option<CallSid>,
    pub recording_url: Option<String>,
    /// In seconds.
    pub recording_duration: Option<u32>,
    /// The key that ended it, or `hangup` if the caller hung up.
    pub digits: String,
    pub from: Address,
    pub to: Address,
}

impl RecordResult {
    /// Parses the form of a `Record`'s action.
    pub fn from_params(params: &[(String, String)]) -> Self {
        let params = Params(params);
        Self {
            call_sid: params.optional_sid("CallSid"),
            recording_url: params.string("RecordingUrl"),
            recording_duration: params.number("RecordingDuration"),
            digits: params.string("Digits").unwrap_or_default(),
            from: params.address("From"),
            to: params.address("To"),
        }
    }
}

/// A recording's status callback: the recording can be fetched now, or there is none
/// (<https://www.twilio.com/docs/voice/twiml/record#recordingstatuscallback>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingStatus {
    pub call_sid: Option<CallSid>,
    pub recording_sid: String,
    /// The address of a WAV file, or of an MP3 file with `.mp3` appended. Absent if there is no recording.
    pub recording_url: Option<String>,
    /// `in-progress`, `completed`, `absent` or `failed`.
    pub recording_status: String,
    /// In seconds.
    pub recording_duration: Option<u32>,
}

impl RecordingStatus {
    /// Parses the form of a recording's status callback.
    pub fn from_params(params: &[(String, String)]) -> Self {
        let params = Params(params);
        Self {
            call_sid: params.optional_sid("CallSid"),
            recording_sid: params.string("RecordingSid").unwrap_or_default(),
            recording_url: params.string("RecordingUrl"),
            recording_status: params.string("RecordingStatus").unwrap_or_default(),
            recording_duration: params.number("RecordingDuration"),
        }
    }
}

/// The transcription of a recording (<https://www.twilio.com/docs/voice/twiml/record#transcribecallback>).
#[derive(Clone, PartialEq, Eq)]
pub struct Transcription {
    pub call_sid: Option<CallSid>,
    pub recording_sid: String,
    /// Empty if the transcription failed.
    pub transcription_text: String,
    /// `completed` or `failed`.
    pub transcription_status: String,
}

impl Transcription {
    /// Parses the form of a transcription callback.
    pub fn from_params(params: &[(String, String)]) -> Self {
        let params = Params(params);
        Self {
            call_sid: params.optional_sid("CallSid"),
            recording_sid: params.string("RecordingSid").unwrap_or_default(),
            transcription_text: params.string("TranscriptionText").unwrap_or_default(),
            transcription_status: params.string("TranscriptionStatus").unwrap_or_default(),
        }
    }
}

/// Leaves out the transcribed text, which must not reach a log.
impl fmt::Debug for Transcription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcription")
            .field("call_sid", &self.call_sid)
            .field("recording_sid", &self.recording_sid)
            .field("transcription_status", &self.transcription_status)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::form;

    const CALL: &str = "CA00000000000000000000000000000001";
    const LEG: &str = "CA00000000000000000000000000000002";

    fn params(more: &str) -> Vec<(String, String)> {
        let account = "AC00000000000000000000000000000000";
        form::parse(
            format!(
                "CallSid={CALL}&AccountSid={account}&From=%2B16195550142&To=%2B16195550100&{more}"
            )
            .as_bytes(),
        )
    }

    #[test]
    fn a_call_is_read_and_a_caller_may_stay_unknown() {
        let call = InboundCall::from_params(&params(
            "CallStatus=ringing&FromState=CA&ForwardedFrom=%2B16195550101",
        ));
        assert_eq!(
            (call.call_sid, call.call_status.as_str()),
            (CallSid::parse(CALL).ok(), "ringing")
        );
        assert_eq!(call.from.display(), "(619) 555-0142");
        assert_eq!(call.forwarded_from, Some(Address::new("+16195550101")));
        assert_eq!(
            (call.from_city, call.from_state.as_deref()),
            (None, Some("CA"))
        );

        let account = "AC00000000000000000000000000000000";
        let form = format!("CallSid={CALL}&AccountSid={account}&To=%2B16195550100&From=anonymous");
        assert!(
            InboundCall::from_params(&form::parse(form.as_bytes()))
                .from
                .is_withheld()
        );
        let call = InboundCall::from_params(&form::parse(b"CallSid=CA1&From="));
        assert_eq!((call.call_sid, call.to.as_str()), (None, ""));
    }

    #[test]
    fn a_mailbox_is_told_from_an_answer() {
        let form = format!(
            "DialCallStatus=completed&DialCallSid={LEG}&DialCallDuration=12&DialBridged=false"
        );
        let result = DialResult::from_params(&params(&form));
        assert_eq!(result.dial_call_status, DialCallStatus::Completed);
        assert_eq!(result.dial_call_sid.unwrap().as_str(), LEG);
        assert_eq!(
            (result.dial_call_duration, result.dial_bridged),
            (Some(12), Some(false))
        );

        let result = DialResult::from_params(&params("DialCallStatus=no-answer"));
        assert_eq!(result.dial_call_status, DialCallStatus::NoAnswer);
        assert_eq!((result.dial_call_sid, result.dial_bridged), (None, None));
        let result = DialResult::from_params(&params("DialBridged=perhaps"));
        assert_eq!(result.dial_call_status.as_str(), "unknown");
        assert_eq!(result.dial_bridged, None);
    }

    #[test]
    fn every_word_for_the_end_of_a_dial_is_kept() {
        for word in [
            "completed",
            "answered",
            "busy",
            "no-answer",
            "failed",
            "canceled",
            "evaporated",
        ] {
            let status = DialCallStatus::parse(word);
            assert_eq!(status.as_str(), word);
            assert_eq!(
                matches!(status, DialCallStatus::Other(_)),
                word == "evaporated"
            );
        }
    }

    #[test]
    fn a_step_of_a_leg_has_its_place_and_time() {
        let form = format!(
            "CallStatus=completed&ParentCallSid={LEG}&CallDuration=7&SequenceNumber=3\
             &Timestamp=Sun%2C+01+Nov+2026+10%3A02%3A03+%2B0000"
        );
        let progress = CallProgress::from_params(&params(&form));
        assert_eq!(progress.parent_call_sid.unwrap().as_str(), LEG);
        assert_eq!(
            (progress.call_duration, progress.sequence_number),
            (Some(7), Some(3))
        );
        assert_eq!(
            progress.timestamp,
            Some("2026-11-01T10:02:03Z".parse().unwrap())
        );
        let progress = CallProgress::from_params(&params("CallStatus=ringing&Timestamp=now"));
        assert_eq!((progress.timestamp, progress.parent_call_sid), (None, None));
    }

    #[test]
    fn keys_and_recordings_are_read() {
        let gather = GatherResult::from_params(&params("Digits=1"));
        assert_eq!(
            (gather.digits.as_str(), gather.parent_call_sid),
            ("1", None)
        );
        assert_eq!(GatherResult::from_params(&params("")).digits, "");

        let record = "RecordingUrl=https%3A%2F%2Fr&RecordingDuration=4&Digits=hangup";
        let record = RecordResult::from_params(&params(record));
        assert_eq!(
            (record.recording_url.as_deref(), record.recording_duration),
            (Some("https://r"), Some(4))
        );
        assert_eq!(record.digits, "hangup");

        let sid = "RecordingSid=RE00000000000000000000000000000001";
        let status =
            RecordingStatus::from_params(&params(&format!("{sid}&RecordingStatus=absent")));
        assert_eq!(
            (status.recording_url, status.recording_status.as_str()),
            (None, "absent")
        );

        let said = format!("{sid}&TranscriptionStatus=completed&TranscriptionText=ring+me");
        let said = Transcription::from_params(&params(&said));
        assert_eq!(said.transcription_text, "ring me");
        assert!(!format!("{said:?}").contains("ring me"));
    }
}
