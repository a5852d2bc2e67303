use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::media::{Media, refused};
use super::request::filter_time;
use super::{Client, json};
use crate::phone::{Address, PhoneNumber};
use crate::remote::Failure;
use crate::twilio::MessageSid;
use crate::twilio::message::Message;

/// A text to send (<https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource>).
#[derive(Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// One of the account's own numbers.
    pub from: PhoneNumber,
    pub to: Address,
    /// At most 1,600 characters.
    pub body: String,
    /// At most ten.
    pub media_urls: Vec<String>,
    /// Told of each new state of the message.
    pub status_callback: String,
    /// What Twilio still queues after this is dropped; in whole seconds, one to 36,000.
    pub validity_period: Duration,
}

/// Without the text, which must not reach a log.
impl fmt::Debug for NewMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewMessage")
            .field("from", &self.from)
            .field("to", &self.to)
            .field("validity_period", &self.validity_period)
            .finish_non_exhaustive()
    }
}

/// Which messages to list; all of the account's where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageFilter {
    pub to: Option<Address>,
    pub from: Option<Address>,
    /// Sent then or later, to the second. Leaves out what is still queued, which has not been sent yet.
    pub date_sent_after: Option<Timestamp>,
}

/// A file of a message (<https://www.twilio.com/docs/messaging/api/media-resource>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaResource {
    pub sid: String,
    /// A MIME type.
    pub content_type: String,
    /// A path at the API; without its `.json`, that of the file itself.
    pub uri: String,
}

impl Client {
    /// Sends a text. Anything but a refusal can mean that it was sent all the same.
    pub async fn create_message(&self, new: &NewMessage) -> Result<Message, Failure> {
        let validity_period = new.validity_period.as_secs().clamp(1, 36_000).to_string();
        let mut form = vec![
            ("To", new.to.as_str()),
            ("From", new.from.as_str()),
            ("StatusCallback", &new.status_callback),
            ("ValidityPeriod", &validity_period),
        ];
        if !new.body.is_empty() {
            form.push(("Body", &new.body));
        }
        form.extend(new.media_urls.iter().map(|url| ("MediaUrl", url.as_str())));
        readable(&self.post("/Messages.json", &form).await?)
    }

    /// One message as it is now.
    pub async fn message(&self, sid: &MessageSid) -> Result<Message, Failure> {
        readable(&self.get(&format!("/Messages/{sid}.json"), &[]).await?)
    }

    /// All messages that fit the filter, the most recently sent first; what could not be read to the end is an error.
    ///
    /// With `stop_before`, pages behind one on which everything was created earlier are not fetched: for catching up
    /// only. To prove that a message does not exist, leave it out; Twilio does not say where in this order something
    /// stands that has not been sent yet.
    pub async fn list_messages(
        &self,
        filter: &MessageFilter,
        stop_before: Option<Timestamp>,
    ) -> Result<Vec<Message>, Failure> {
        let mut query = Vec::new();
        if let Some(to) = &filter.to {
            query.push(("To", to.as_str().to_owned()));
        }
        if let Some(from) = &filter.from {
            query.push(("From", from.as_str().to_owned()));
        }
        if let Some(after) = filter.date_sent_after {
            // The name is `DateSent>` and what reads as `DateSent>=…` its value.
            query.push(("DateSent>", filter_time(after)));
        }
        let is_earlier = |message: &Message| match (message.date_created, stop_before) {
            (Some(created), Some(stop)) => created < stop,
            _ => false,
        };
        self.list(
            "/Messages.json",
            query,
            "messages",
            Message::from_json,
            is_earlier,
        )
        .await
    }

    /// The files of a message.
    pub async fn media(&self, sid: &MessageSid) -> Result<Vec<MediaResource>, Failure> {
        let read = |value: &Value| {
            Some(MediaResource {
                sid: json::string(value, "sid")?,
                content_type: json::string(value, "content_type")?,
                uri: json::string(value, "uri")?,
            })
        };
        let path = format!("/Messages/{sid}/Media.json");
        self.list(&path, Vec::new(), "media_list", read, |_| false)
            .await
    }
}

impl Client {
    /// Deletes a message that is finished
    /// (<https://www.twilio.com/docs/messaging/api/message-resource#delete-a-message-resource>).
    pub async fn delete_message(&self, sid: &MessageSid) -> Result<(), Failure> {
        self.delete(&format!("/Messages/{sid}.json")).await
    }

    /// Deletes a file of a message
    /// (<https://www.twilio.com/docs/messaging/api/media-resource#delete-a-media-resource>).
    pub async fn delete_medium(&self, message: &MessageSid, sid: &str) -> Result<(), Failure> {
        if !is_media_sid(sid) {
            return Err(refused("bad_sid", "this is no MediaSid"));
        }
        self.delete(&format!("/Messages/{message}/Media/{sid}.json"))
            .await
    }
}

fn is_media_sid(sid: &str) -> bool {
    sid.len() == 34 && sid.starts_with("ME") && sid.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Larger than this no file of a text is: Twilio takes 5 MB, and its other channels less than this.
const MAX_FILE: usize = 25 * 1024 * 1024;

impl Client {
    /// A file of a message, by its SID (<https://www.twilio.com/docs/messaging/api/media-resource#fetch-a-media-resource>).
    pub async fn medium(&self, message: &MessageSid, sid: &str) -> Result<Media, Failure> {
        if !is_media_sid(sid) {
            return Err(refused("bad_sid", "this is no MediaSid"));
        }
        let path = format!("/Messages/{message}/Media/{sid}");
        self.fetch_media(&path, MAX_FILE).await
    }
}

fn readable(value: &Value) -> Result<Message, Failure> {
    Message::from_json(value).ok_or_else(|| Failure::Unknown {
        why: "a message without a SID".to_owned(),
    })
}
