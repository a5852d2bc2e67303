//! Voicemail: the caller leaves a message, and its recording and transcription come into the thread.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::ring::{OfCall, address, line_of, recovered};
use crate::app::App;
use crate::bridge::wording;
use crate::calls::event::{CallEvent, Change};
use crate::config::{Greeting, Line, Speech};
use crate::phone::Address;
use crate::store::audit::NewEntry;
use crate::twilio::CallSid;
use crate::twilio::form::{RecordResult, RecordingStatus, Transcription};
use crate::twilio::twiml::{Play, Record, Response, Say, Verb};
use crate::vocabulary::Decision;

/// How long a message may be, in seconds: longer ones Twilio does not put in writing.
const LONGEST: u32 = 119;

/// How much silence ends a message, in seconds.
const SILENCE: u32 = 5;

/// The call of a recording, carried in the callback URLs of `Record`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MessageOf {
    /// Our number, E.164.
    pub(crate) line: String,
    /// The caller's CallSid, for a request that lacks it.
    #[serde(default)]
    pub(crate) call: String,
}

/// The greeting, the beep, the recording.
pub(crate) fn ask(app: &App, of_call: &OfCall<'_>) -> Response {
    let speech = &of_call.line.speech;
    let of = MessageOf {
        line: of_call.line.number.as_str().to_owned(),
        call: of_call.sid.to_owned(),
    };
    let greeting = match &speech.greeting {
        Some(Greeting::Audio(url)) => Verb::Play(Play { url: url.clone() }),
        Some(Greeting::Text(text)) => Verb::Say(say(speech, text)),
        None => Verb::Say(say(
            speech,
            &wording::calls::greeting(speech.language.as_deref(), speech.transcribe),
        )),
    };
    let record = Record {
        action: address(app, "recorded", &of),
        max_length: Some(LONGEST),
        timeout: Some(SILENCE),
        play_beep: Some(true),
        transcribe: speech.transcribe,
        transcribe_callback: speech
            .transcribe
            .then(|| address(app, "transcription", &of)),
        recording_status_callback: Some(address(app, "recording", &of)),
        ..Record::default()
    };
    // Of silence no recording is made, and the verb behind it is next.
    Response::new([
        greeting,
        Verb::Record(record),
        Verb::Say(goodbye(speech)),
        Verb::Hangup,
    ])
}

fn say(speech: &Speech, text: &str) -> Say {
    Say {
        voice: speech.voice.clone(),
        language: speech.language.clone(),
        text: text.to_owned(),
    }
}

fn goodbye(speech: &Speech) -> Say {
    say(speech, wording::calls::goodbye(speech.language.as_deref()))
}

/// The action of `Record`: the caller has finished, or hung up.
pub(crate) async fn recorded(app: &App, result: &RecordResult, of: Option<&MessageOf>) -> String {
    let line = app
        .config
        .line_of(result.to.as_str())
        .or_else(|| app.config.line_of(&of?.line))
        .unwrap_or_else(|| line_of(app, &result.to));
    let answer = Response::new([Verb::Say(goodbye(&line.speech)), Verb::Hangup]).to_xml();
    let sid = result.recording_url.as_deref().and_then(sid_of);
    if let (Some(sid), Some(call)) = (sid, call_of(result.call_sid.as_ref(), of)) {
        let told = Told {
            call: &call,
            line,
            from: Some(&result.from),
        };
        let seconds = result.recording_duration.unwrap_or_default();
        keep_recording(app, &told, &sid, seconds).await;
    }
    answer
}

/// The recording's SID is the last part of its address.
fn sid_of(url: &str) -> Option<String> {
    let end = url.split(['?', '#']).next()?.rsplit('/').next()?;
    let sid = end.split('.').next()?;
    is_sid(sid).then(|| sid.to_owned())
}

fn is_sid(sid: &str) -> bool {
    sid.len() == 34 && sid.starts_with("RE") && sid.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Which call a recording belongs to, as the request says or its address carries.
fn call_of(told: Option<&CallSid>, of: Option<&MessageOf>) -> Option<String> {
    let carried = of.map(|of| of.call.as_str());
    let call = told.map(CallSid::as_str).or(carried);
    let call = call.filter(|call| !call.is_empty());
    if call.is_none() {
        tracing::error!("a recording was told of without saying of which call");
    }
    call.map(str::to_owned)
}

/// The line of a call whose recording was told of.
async fn line_called<'a>(app: &'a App, call: &str, of: Option<&MessageOf>) -> &'a Line {
    let number = match of {
        Some(of) => of.line.clone(),
        None => recovered::line(app, call).await,
    };
    line_of(app, &Address::new(number))
}

/// The status callback of a recording: it can be fetched, or failed.
pub(crate) async fn recording_ready(app: &App, status: &RecordingStatus, of: Option<&MessageOf>) {
    if status.recording_status != "completed" || !is_sid(&status.recording_sid) {
        return;
    }
    let Some(call) = call_of(status.call_sid.as_ref(), of) else {
        return;
    };
    let told = Told {
        line: line_called(app, &call, of).await,
        call: &call,
        from: None,
    };
    let seconds = status.recording_duration.unwrap_or_default();
    keep_recording(app, &told, &status.recording_sid, seconds).await;
}

/// What was told of a call by a callback about its recording.
struct Told<'a> {
    call: &'a str,
    line: &'a Line,
    from: Option<&'a Address>,
}

/// Records it once, whether the action or the status callback comes first.
async fn keep_recording(app: &App, told: &Told<'_>, sid: &str, seconds: u32) {
    let mut event = event(app, told, format!("recording:{sid}"));
    event.changes.push(Change::Recording {
        sid: sid.to_owned(),
        seconds: i64::from(seconds),
    });
    let mut entry = entry(
        app,
        told,
        Decision::MessageLeft,
        "the caller left a message",
    );
    entry.detail = json!({ "recording": sid, "seconds": seconds });
    event.audit.push(entry);
    app.calls.write_queue.put(event).wait().await;
}

/// What was said in a recording.
pub(crate) async fn transcribed(app: &App, transcription: &Transcription, of: Option<&MessageOf>) {
    let words = crate::store::storable(transcription.transcription_text.trim());
    if transcription.transcription_status != "completed" || words.is_empty() {
        return;
    }
    let Some(call) = call_of(transcription.call_sid.as_ref(), of) else {
        return;
    };
    let told = Told {
        line: line_called(app, &call, of).await,
        call: &call,
        from: None,
    };
    let sid: String = transcription.recording_sid.chars().take(34).collect();
    let mut event = event(app, &told, format!("transcription:{sid}"));
    event.changes.push(Change::Transcription { words });
    let mut entry = entry(
        app,
        &told,
        Decision::MessageTranscribed,
        "Twilio put the message in writing",
    );
    entry.detail = json!({ "recording": sid });
    event.audit.push(entry);
    app.calls.write_queue.put(event).wait().await;
}

fn event(app: &App, told: &Told<'_>, event: String) -> CallEvent {
    CallEvent {
        call: told.call.to_owned(),
        event,
        answer: String::new(),
        line: Some(told.line.number.as_str().to_owned()),
        from: told.from.cloned(),
        place: String::new(),
        at: app.clock.now(),
        changes: Vec::new(),
        audit: Vec::new(),
    }
}

fn entry(app: &App, told: &Told<'_>, decision: Decision, reason: &str) -> NewEntry {
    NewEntry {
        line: told.line.name.clone(),
        number: told
            .from
            .map_or_else(String::new, |from| from.as_str().to_owned()),
        subject: told.call.to_owned(),
        decision,
        reason: reason.to_owned(),
        detail: serde_json::Value::Null,
        at: Some(app.clock.now()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recordings_sid_is_found_in_its_address() {
        let sid = "RE00000000000000000000000000000001";
        let address = format!("https://api.twilio.com/2010-04-01/Accounts/AC0/Recordings/{sid}");
        for (url, expected) in [
            (address.clone(), Some(sid.to_owned())),
            (
                format!("{address}.mp3?Download=false"),
                Some(sid.to_owned()),
            ),
            ("https://evil.example/RE1".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(sid_of(&url), expected, "{url}");
        }
    }
}
