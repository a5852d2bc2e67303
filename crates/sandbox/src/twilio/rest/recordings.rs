//! Recordings of calls and their transcriptions, without the audio.
//! <https://www.twilio.com/docs/voice/api/recording>, <https://www.twilio.com/docs/voice/api/recording-transcription>

use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::json;

use super::pages;
use super::{Answer, Asked, Refusal};
use crate::twilio::core::Core;

/// A resource that is not complete cannot be deleted. <https://www.twilio.com/docs/api/errors/20009>
const NOT_COMPLETE: u32 = 20009;

impl Core {
    pub(super) fn list_recordings(&self, call: &str, asked: &Asked) -> Answer {
        self.check_parameters("Recordings.list", &asked.query, &pages::PARAMETERS, &[]);
        let state = self.lock();
        if !state.calls.iter().any(|known| known.sid == call) {
            return Err(Refusal::not_found(&asked.path));
        }
        let entries = state
            .recordings
            .iter()
            .filter(|recording| recording.call_sid == call)
            .map(|recording| {
                let json = json!({
                    "sid": recording.sid,
                    "account_sid": self.settings.account_sid,
                    "call_sid": recording.call_sid,
                    "duration": recording.duration.to_string(),
                    "source": "RecordVerb",
                    "status": if recording.available { "completed" } else { "processing" },
                    "uri": self.account_path(&format!("/Recordings/{}.json", recording.sid)),
                });
                (recording.sid.clone(), json)
            })
            .collect();
        pages::answer("recordings", entries, asked, state.page_size_limit)
    }

    pub(super) fn delete_recording(&self, sid: &str, asked: &Asked) -> Answer {
        let mut state = self.lock();
        let found = state.recordings.iter().find(|known| known.sid == sid);
        let recording = found.ok_or_else(|| Refusal::not_found(&asked.path))?;
        if !recording.available {
            return Err(Refusal::bad_request(NOT_COMPLETE, "Resource not complete"));
        }
        state.recordings.retain(|recording| recording.sid != sid);
        drop(state);
        self.touch();
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    /// Lists the transcriptions of a recording. They outlive their recording.
    pub(super) fn list_transcriptions(&self, recording: &str, asked: &Asked) -> Answer {
        self.check_parameters("Transcriptions.list", &asked.query, &pages::PARAMETERS, &[]);
        let state = self.lock();
        let is_known = state.recordings.iter().any(|known| known.sid == recording);
        if !is_known {
            return Err(Refusal::not_found(&asked.path));
        }
        let entries = state
            .transcriptions
            .iter()
            .filter(|(_, of, _)| of == recording)
            .map(|(sid, of, words)| {
                let json = json!({
                    "sid": sid,
                    "account_sid": self.settings.account_sid,
                    "recording_sid": of,
                    "transcription_text": words,
                    "status": "completed",
                    "type": "fast",
                    "uri": self.account_path(&format!("/Transcriptions/{sid}.json")),
                });
                (sid.clone(), json)
            })
            .collect();
        pages::answer("transcriptions", entries, asked, state.page_size_limit)
    }

    pub(super) fn delete_transcription(&self, sid: &str, asked: &Asked) -> Answer {
        let mut state = self.lock();
        let before = state.transcriptions.len();
        state.transcriptions.retain(|(known, ..)| known != sid);
        if state.transcriptions.len() == before {
            return Err(Refusal::not_found(&asked.path));
        }
        drop(state);
        self.touch();
        Ok(StatusCode::NO_CONTENT.into_response())
    }
}
