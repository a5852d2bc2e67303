use super::media::refused;
use super::{Client, json};
use crate::remote::Failure;
use crate::twilio::CallSid;

/// Longer than this a message cannot be: an hour of Twilio's MP3 has half of it.
const MAX_RECORDING: usize = 32 * 1024 * 1024;

impl Client {
    /// A recording as MP3 (<https://www.twilio.com/docs/voice/api/recording#fetch-a-recording-media-file>), by its SID.
    pub async fn recording(&self, sid: &str) -> Result<Vec<u8>, Failure> {
        check(sid, "RE")?;
        let path = format!("/Recordings/{sid}.mp3");
        let media = self.fetch_media(&path, MAX_RECORDING).await?;
        Ok(media.bytes)
    }

    /// The SIDs of a call's recordings.
    pub async fn recordings_of(&self, call: &CallSid) -> Result<Vec<String>, Failure> {
        let path = format!("/Calls/{call}/Recordings.json");
        let sid = |value: &_| json::string(value, "sid");
        self.list(&path, Vec::new(), "recordings", sid, |_| false)
            .await
    }

    /// Deletes a recording (<https://www.twilio.com/docs/voice/api/recording#delete-a-recording-resource>). What was put in
    /// writing of it is a resource of its own.
    pub async fn delete_recording(&self, sid: &str) -> Result<(), Failure> {
        check(sid, "RE")?;
        self.delete(&format!("/Recordings/{sid}.json")).await
    }

    /// The SIDs of what was put in writing of a recording
    /// (<https://www.twilio.com/docs/voice/api/recording-transcription>).
    pub async fn transcriptions_of(&self, recording: &str) -> Result<Vec<String>, Failure> {
        check(recording, "RE")?;
        let path = format!("/Recordings/{recording}/Transcriptions.json");
        let sid = |value: &_| json::string(value, "sid");
        self.list(&path, Vec::new(), "transcriptions", sid, |_| false)
            .await
    }

    /// Deletes what was put in writing of a recording.
    pub async fn delete_transcription(&self, sid: &str) -> Result<(), Failure> {
        check(sid, "TR")?;
        self.delete(&format!("/Transcriptions/{sid}.json")).await
    }
}

/// SIDs stand in paths: nothing else may.
fn check(sid: &str, prefix: &str) -> Result<(), Failure> {
    let is_sid = sid.starts_with(prefix) && sid.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match is_sid {
        true => Ok(()),
        false => Err(refused("bad_sid", "this is no SID of its kind")),
    }
}
