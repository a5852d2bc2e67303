//! Calls and recordings. <https://www.twilio.com/docs/voice/api/call-resource>

use axum::Json;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::json;

use super::pages::{self, DateFilter};
use super::{Answer, Asked, Refusal, date, parameter};
use crate::twilio::core::Core;
use crate::twilio::state::CallRecord;

/// The first bytes of an MP3 frame, enough to be recognised.
const MP3: [u8; 4] = [0xff, 0xfb, 0x90, 0x00];
/// The sample rate of recordings in Hz; a sample has one byte.
const SAMPLE_RATE: u32 = 8000;

impl Core {
    pub(super) fn list_calls(&self, asked: &Asked) -> Answer {
        let query = &asked.query;
        let mut known = vec!["To", "From", "Status", "ParentCallSid"];
        known.extend(DateFilter::parameters("StartTime"));
        known.extend(DateFilter::parameters("EndTime"));
        known.extend(pages::PARAMETERS);
        self.check_parameters("Calls.list", query, &known, &[]);
        let dates = DateFilter::new("StartTime", query)?;
        let ends = DateFilter::new("EndTime", query)?;
        let matches = |name: &str, value: &str| parameter(query, name).is_none_or(|v| v == value);
        let state = self.lock();
        let mut found: Vec<&CallRecord> = state
            .calls
            .iter()
            .filter(|call| matches("To", &call.to) && matches("From", &call.from))
            .filter(|call| matches("Status", &call.status))
            .filter(|call| matches("ParentCallSid", call.parent.as_deref().unwrap_or_default()))
            .filter(|call| dates.allows(Some(call.started)) && ends.allows(call.ended))
            .collect();
        found.reverse();
        let entries = found
            .iter()
            .map(|call| (call.sid.clone(), self.call_json(call)));
        pages::answer("calls", entries.collect(), asked, state.page_size_limit)
    }

    pub(super) fn fetch_call(&self, sid: &str, asked: &Asked) -> Answer {
        let state = self.lock();
        let call = state.calls.iter().find(|call| call.sid == sid);
        let call = call.ok_or_else(|| Refusal::not_found(&asked.path))?;
        Ok(Json(self.call_json(call)).into_response())
    }

    fn call_json(&self, call: &CallRecord) -> serde_json::Value {
        let uri = self.account_path(&format!("/Calls/{}", call.sid));
        json!({
            "sid": call.sid,
            "account_sid": self.settings.account_sid,
            "parent_call_sid": call.parent,
            "from": call.from,
            "to": call.to,
            "from_formatted": call.from,
            "to_formatted": call.to,
            "direction": call.direction,
            "status": call.status,
            "date_created": date(call.started),
            "date_updated": date(call.ended.unwrap_or(call.started)),
            "start_time": date(call.started),
            "end_time": call.ended.map(date),
            "duration": call.ended.map(|_| call.duration.to_string()),
            "answered_by": null,
            "forwarded_from": null,
            "caller_name": null,
            "price": null,
            "price_unit": "USD",
            "api_version": "2010-04-01",
            "subresource_uris": { "recordings": format!("{uri}/Recordings.json") },
            "uri": format!("{uri}.json"),
        })
    }

    /// The audio of a recording (as WAV, or as MP3 if the path ends in `.mp3`), or its data if the path ends in
    /// `.json`.
    pub(super) fn fetch_recording(&self, file: &str, asked: &Asked) -> Answer {
        let (sid, kind) = file.split_once('.').unwrap_or((file, "wav"));
        let state = self.lock();
        let recording = state
            .recordings
            .iter()
            .find(|recording| recording.sid == sid && recording.available)
            .ok_or_else(|| Refusal::not_found(&asked.path))?;
        if let (Some(elsewhere), "wav" | "mp3") = (&state.files_elsewhere, kind) {
            return Ok(super::media::sent_on(elsewhere));
        }
        match kind {
            "wav" => {
                let sound = silence(recording.duration);
                Ok(([(header::CONTENT_TYPE, "audio/x-wav")], sound).into_response())
            }
            "mp3" => {
                let sound = MP3.repeat(recording.duration as usize + 1);
                Ok(([(header::CONTENT_TYPE, "audio/mpeg")], sound).into_response())
            }
            "json" => {
                let json = json!({
                    "sid": recording.sid,
                    "account_sid": self.settings.account_sid,
                    "call_sid": recording.call_sid,
                    "duration": recording.duration.to_string(),
                    "channels": 1,
                    "source": "RecordVerb",
                    "status": "completed",
                    "media_url": recording.url,
                    "uri": asked.path,
                });
                Ok(Json(json).into_response())
            }
            _ => Err(Refusal::not_found(&asked.path)),
        }
    }
}

/// A WAV file with this many seconds of silence, ten at most: 8-bit mono PCM.
fn silence(seconds: u64) -> Vec<u8> {
    let length = SAMPLE_RATE * u32::try_from(seconds.min(10)).unwrap_or(10);
    let mut wav = Vec::with_capacity(44 + length as usize);
    wav.extend(b"RIFF");
    wav.extend((36 + length).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16u32.to_le_bytes());
    // PCM, one channel.
    wav.extend([1, 0, 1, 0]);
    wav.extend(SAMPLE_RATE.to_le_bytes());
    wav.extend(SAMPLE_RATE.to_le_bytes());
    // One byte a frame, eight bits a sample.
    wav.extend([1, 0, 8, 0]);
    wav.extend(b"data");
    wav.extend(length.to_le_bytes());
    wav.resize(44 + length as usize, 0x80);
    wav
}
