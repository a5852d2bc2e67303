//! `<Record>`: the caller leaves a message. <https://www.twilio.com/docs/voice/twiml/record>

use std::time::Duration;

use super::verbs::{Then, resolve, seconds};
use super::{Act, CALLER, Call, Event, Fetch, Outcome, Over};
use crate::twilio::people::{AfterSpeech, Voicemail};
use crate::twilio::state::RecordingRecord;
use crate::twilio::xml::Element;

/// What was recorded, and why it stopped.
#[derive(Default)]
struct Heard {
    /// When the caller stopped speaking, and the words; `None` if nothing was said.
    speech: Option<(Duration, String)>,
    /// The key that ended it, or `hangup`.
    digits: String,
    gone: Option<Over>,
}

impl Call {
    pub(super) async fn record(&mut self, verb: &Element, base: &str) -> Result<Then, Over> {
        if verb.attribute("action").is_none() {
            let violation = "<Record> without an action asks for its own document again";
            self.core.violation(violation);
        }
        self.timeline.forget(CALLER);
        if verb.attribute("playBeep") != Some("false") {
            self.happened(Event::Beep);
        }
        let began = self.timeline.now();
        self.plan_speech();
        let heard = self.hear(verb).await;
        let Some((until, words)) = heard.speech else {
            // Of silence no recording is made and no action asked.
            return heard.gone.map_or(Ok(Then::NextVerb), Err);
        };
        let duration = until.saturating_sub(began).as_secs_f64().ceil().max(1.0) as u64;
        let recording = self.recording(verb, base, duration, words);
        self.core.lock().recordings.push(recording.clone());
        let (sid, url) = (recording.sid, recording.url);
        self.recorded = Some(Outcome::Voicemail {
            recording_sid: sid.clone(),
            seconds: duration,
        });
        self.happened(Event::Recorded {
            recording_sid: sid.clone(),
            seconds: duration,
        });
        let action = verb.attribute("action");
        let action = action.map_or_else(|| base.to_owned(), |action| resolve(base, action));
        let fetch = Fetch::new(&action, verb.attribute("method").unwrap_or("POST"))
            .param("RecordingUrl", url)
            .param("RecordingSid", sid)
            .param("RecordingDuration", duration)
            .param("Digits", heard.digits);
        match heard.gone {
            None => Ok(Then::Document(fetch)),
            Some(gone) => {
                let _ = self.fetch(CALLER, &fetch).await;
                Err(gone)
            }
        }
    }

    /// The recording's entry in the account, not available yet.
    fn recording(
        &self,
        verb: &Element,
        base: &str,
        seconds: u64,
        words: String,
    ) -> RecordingRecord {
        let sid = self.core.sid("RE");
        let path = self.core.account_path(&format!("/Recordings/{sid}"));
        let callback = |name: &str| verb.attribute(name).map(|url| resolve(base, url));
        let method = verb.attribute("recordingStatusCallbackMethod");
        let method = method.unwrap_or("POST").to_owned();
        let transcribe =
            verb.attribute("transcribe") == Some("true") && (2..=120).contains(&seconds);
        RecordingRecord {
            url: format!("{}{path}", self.core.url()),
            sid,
            call_sid: self.sid.clone(),
            duration: seconds,
            words,
            available: false,
            callback: callback("recordingStatusCallback").map(|url| (url, method)),
            transcribe_callback: callback("transcribeCallback").filter(|_| transcribe),
        }
    }

    fn plan_speech(&mut self) {
        if self.caller.live {
            return;
        }
        let timeline = &mut self.timeline;
        match &self.caller.voicemail {
            Voicemail::HangsUp => timeline.plan(CALLER, Duration::ZERO, Act::HangUp),
            Voicemail::Silent => {}
            Voicemail::Speaks {
                seconds,
                words,
                then,
            } => {
                let seconds = Duration::from_secs(*seconds);
                timeline.plan(CALLER, Duration::ZERO, Act::Speak(words.clone()));
                let end = match then {
                    AfterSpeech::HangsUp => Act::HangUp,
                    AfterSpeech::Waits => Act::EndSpeech,
                    AfterSpeech::Presses(key) => Act::Press(key.to_string()),
                };
                timeline.plan(CALLER, seconds, end);
            }
        }
    }

    async fn hear(&mut self, verb: &Element) -> Heard {
        let finish_on_key = verb.attribute("finishOnKey").unwrap_or("1234567890*#");
        let silence = match seconds(verb, "timeout", 5) {
            Duration::ZERO => super::LONGEST,
            silence => silence,
        };
        let longest = self.timeline.now() + seconds(verb, "maxLength", 3600);
        let mut quiet_since = Some(self.timeline.now());
        let mut heard = Heard::default();
        loop {
            let deadline = quiet_since.map_or(longest, |since| longest.min(since + silence));
            let act = self.next(deadline).await;
            let now = self.timeline.now();
            if let (None, Some((until, _))) = (quiet_since, &mut heard.speech) {
                *until = now;
            }
            match act {
                Err(over) => {
                    heard.digits = "hangup".to_owned();
                    heard.gone = Some(over);
                    return heard;
                }
                Ok(None) => return heard,
                Ok(Some((CALLER, Act::Speak(words)))) => {
                    quiet_since = None;
                    let said = heard.speech.take().map(|(_, said)| said + " ");
                    heard.speech = Some((now, said.unwrap_or_default() + &words));
                }
                Ok(Some((CALLER, Act::EndSpeech))) => quiet_since = Some(now),
                Ok(Some((CALLER, Act::Press(keys)))) => {
                    let key = keys.chars().find(|&key| finish_on_key.contains(key));
                    if let Some(key) = key {
                        heard.digits = key.to_string();
                        return heard;
                    }
                }
                Ok(Some(_)) => {}
            }
        }
    }

    /// Makes this call's recordings available and delivers their callbacks.
    pub(super) async fn publish_recordings(&mut self) {
        for recording in self.make_recordings_available() {
            let completed = self.completed_params(&recording);
            let transcribed = self.transcribed_params(&recording);
            if let Some((url, method)) = &recording.callback {
                self.tell(url, method, completed).await;
            }
            if let Some(url) = &recording.transcribe_callback {
                self.tell(url, "POST", transcribed).await;
            }
        }
    }

    fn make_recordings_available(&self) -> Vec<RecordingRecord> {
        let mut state = self.core.lock();
        let recordings = state.recordings.iter_mut();
        recordings
            .filter(|recording| recording.call_sid == self.sid)
            .map(|recording| {
                recording.available = true;
                recording.clone()
            })
            .collect()
    }

    /// The parameters of `recordingStatusCallback`.
    fn completed_params(&self, recording: &RecordingRecord) -> Vec<(String, String)> {
        let params = [
            ("RecordingStatus", "completed"),
            ("RecordingDuration", &recording.duration.to_string()),
            ("RecordingChannels", "1"),
            ("RecordingSource", "RecordVerb"),
            ("ErrorCode", "0"),
        ];
        self.recording_params(recording, &params)
    }

    /// The parameters of `transcribeCallback`. Saves the transcription, if one was asked for.
    fn transcribed_params(&self, recording: &RecordingRecord) -> Vec<(String, String)> {
        let sid = self.core.sid("TR");
        if recording.transcribe_callback.is_some() {
            let transcription = (sid.clone(), recording.sid.clone(), recording.words.clone());
            self.core.lock().transcriptions.push(transcription);
        }
        let params = [
            ("TranscriptionSid", sid.as_str()),
            ("TranscriptionText", &recording.words),
            ("TranscriptionStatus", "completed"),
            ("TranscriptionType", "fast"),
            (
                "TranscriptionUrl",
                &format!("{}/Transcriptions/{sid}", recording.url),
            ),
            ("From", &self.from),
            ("To", &self.to),
            ("ApiVersion", "2010-04-01"),
            ("Direction", "inbound"),
        ];
        self.recording_params(recording, &params)
    }

    /// The parameters of every callback about a recording, followed by `params`.
    fn recording_params(
        &self,
        recording: &RecordingRecord,
        params: &[(&str, &str)],
    ) -> Vec<(String, String)> {
        let common = [
            ("AccountSid", self.core.settings.account_sid.as_str()),
            ("CallSid", &recording.call_sid),
            ("RecordingSid", &recording.sid),
            ("RecordingUrl", &recording.url),
        ];
        let all = common.iter().chain(params);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }
}
