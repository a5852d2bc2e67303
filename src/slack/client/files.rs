//! Downloads and uploads files. An upload takes three requests, and only after the last one can people see the file
//! (<https://docs.slack.dev/messaging/working-with-files#uploading_files>).

use serde_json::json;
use url::Url;

use super::{Client, failure, unreadable};
use crate::remote::Failure;
use crate::slack::event::File;
use crate::slack::{ChannelId, MessageTs, lenient};

/// A downloaded file.
#[derive(Clone, PartialEq, Eq)]
pub struct Download {
    /// The response's `Content-Type`. An HTML page means that the token does not give access to the file, whatever the status.
    pub content_type: String,
    pub bytes: Vec<u8>,
}

impl Client {
    /// Downloads a file from its `url_private_download`. The request carries the token, so a URL at a host that is not Slack's
    /// is refused as `not_slack`. A file of more than `at_most` bytes is refused as `too_large`.
    pub async fn download(&self, url: &str, at_most: usize) -> Result<Download, Failure> {
        let refused = |code: &str| Failure::Refused {
            code: code.to_owned(),
            message: String::new(),
        };
        let url: Url = url.parse().map_err(|_| refused("not_slack"))?;
        if !self.is_slacks(&url) {
            return Err(refused("not_slack"));
        }
        let wire = &self.slack.http_api.connector;
        let found = wire.download(url, &self.token, at_most).await?;
        let (content_type, bytes) = found.ok_or_else(|| refused("too_large"))?;
        Ok(Download {
            content_type,
            bytes,
        })
    }

    /// Whether the URL is at Slack's file host: `files.slack.com` for the API at `slack.com`, or the API's own origin for a
    /// stand-in.
    fn is_slacks(&self, url: &Url) -> bool {
        let files = self.api_url.host_str().map(|host| format!("files.{host}"));
        let is_files = url.scheme() == "https"
            && url.port_or_known_default() == Some(443)
            && url.host_str() == files.as_deref();
        is_files || url.origin() == self.api_url.origin()
    }

    /// `files.info`: fetches a file object.
    pub async fn file_info(&self, id: &str) -> Result<File, Failure> {
        let answer = self.read("files.info", &[("file", Some(id))]).await?;
        answer
            .get("file")
            .and_then(File::read)
            .ok_or_else(|| unreadable("files.info without file"))
    }

    /// `files.getUploadURLExternal`, then the upload: returns the file's ID. Nobody can see the file yet, so a retry does no
    /// harm.
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

    /// `files.completeUploadExternal`: shares an uploaded file in a thread. Works once for each file.
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
