//! Uploading a file, in the three steps Slack has for it
//! (<https://docs.slack.dev/messaging/working-with-files#uploading_files>). Only the last can be seen by anybody.

use serde_json::json;
use url::Url;

use super::{Client, failure, unreadable};
use crate::remote::Failure;
use crate::slack::{ChannelId, MessageTs, lenient};

impl Client {
    /// `files.getUploadURLExternal` and the upload itself: gives the file's id. Nobody sees it yet, so doing this again does no harm.
    pub async fn upload_file(&self, name: &str, bytes: Vec<u8>) -> Result<String, Failure> {
        let length = bytes.len().to_string();
        let arguments = [("filename", Some(name)), ("length", Some(length.as_str()))];
        let answer = self.read("files.getUploadURLExternal", &arguments).await?;
        let missing =
            |what: &str| unreadable(&format!("files.getUploadURLExternal without {what}"));
        let id = lenient::word(&answer, "file_id").ok_or_else(|| missing("file_id"))?;
        let url = lenient::word(&answer, "upload_url").ok_or_else(|| missing("upload_url"))?;
        let url: Url = url.parse().map_err(|_| missing("a readable upload_url"))?;
        if url.scheme() != "https" && url.origin() != self.api_url.origin() {
            return Err(missing("a safe upload_url"));
        }
        let wire = &self.slack.http_api.connector;
        wire.upload(url, bytes).await.map_err(failure::from)?;
        Ok(id)
    }

    /// `files.completeUploadExternal`: shows an uploaded file in a thread. Works once for each file.
    pub async fn share_file(
        &self,
        id: &str,
        title: &str,
        channel: &ChannelId,
        thread_ts: &MessageTs,
    ) -> Result<(), Failure> {
        let arguments = json!({
            "files": [{"id": id, "title": title}],
            "channel_id": channel,
            "thread_ts": thread_ts,
        });
        let method = "files.completeUploadExternal";
        self.write(method, arguments).await.map(drop)
    }
}
