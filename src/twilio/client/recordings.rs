use super::Client;
use super::media::refused;
use crate::remote::Failure;

/// Longer than this a message cannot be: an hour of Twilio's MP3 has half of it.
const MAX_RECORDING: usize = 32 * 1024 * 1024;

impl Client {
    /// A recording as MP3 (<https://www.twilio.com/docs/voice/api/recording#fetch-a-recording-media-file>), by its SID.
    pub async fn recording(&self, sid: &str) -> Result<Vec<u8>, Failure> {
        let is_sid = sid.starts_with("RE") && sid.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_sid {
            return Err(refused("bad_sid", "this is no RecordingSid"));
        }
        let path = format!("/Recordings/{sid}.mp3");
        let media = self.fetch_media(&path, MAX_RECORDING).await?;
        Ok(media.bytes)
    }
}
