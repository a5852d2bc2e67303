use super::media::refused;
use super::request::List;
use super::{Client, json};
use crate::remote::Failure;
use crate::twilio::CallSid;

/// The largest recording that is read, in bytes. One hour of Twilio's MP3 has half of it.
const MAX_RECORDING: usize = 32 * 1024 * 1024;

impl Client {
    /// Downloads a recording as MP3 by its SID
    /// (<https://www.twilio.com/docs/voice/api/recording#fetch-a-recording-media-file>).
    pub async fn recording(&self, sid: &str) -> Result<Vec<u8>, Failure> {
        check(sid, "RE")?;
        let path = format!("/Recordings/{sid}.mp3");
        let media = self.fetch_media(&path, MAX_RECORDING).await?;
        Ok(media.bytes)
    }

    /// Lists the SIDs of a call's recordings.
    pub async fn recordings_of(&self, call: &CallSid) -> Result<Vec<String>, Failure> {
        let path = format!("/Calls/{call}/Recordings.json");
        let sid = |value: &_| json::string(value, "sid");
        let list = List {
            path: &path,
            query: Vec::new(),
            key: "recordings",
        };
        self.list(list, sid, |_| false).await
    }

    /// Deletes a recording (<https://www.twilio.com/docs/voice/api/recording#delete-a-recording-resource>). Its transcriptions
    /// are resources of their own and stay.
    pub async fn delete_recording(&self, sid: &str) -> Result<(), Failure> {
        check(sid, "RE")?;
        self.delete(&format!("/Recordings/{sid}.json")).await
    }

    /// Lists the SIDs of a recording's transcriptions
    /// (<https://www.twilio.com/docs/voice/api/recording-transcription>).
    pub async fn transcriptions_of(&self, recording: &str) -> Result<Vec<String>, Failure> {
        check(recording, "RE")?;
        let path = format!("/Recordings/{recording}/Transcriptions.json");
        let sid = |value: &_| json::string(value, "sid");
        let list = List {
            path: &path,
            query: Vec::new(),
            key: "transcriptions",
        };
        self.list(list, sid, |_| false).await
    }

    /// Deletes a transcription.
    pub async fn delete_transcription(&self, sid: &str) -> Result<(), Failure> {
        check(sid, "TR")?;
        self.delete(&format!("/Transcriptions/{sid}.json")).await
    }
}

/// Checks that `sid` is safe in a path; a refusal with the code `bad_sid` if not.
fn check(sid: &str, prefix: &str) -> Result<(), Failure> {
    let is_sid = sid.starts_with(prefix) && sid.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_sid {
        Ok(())
    } else {
        Err(refused("bad_sid", "this is no SID of its kind"))
    }
}
