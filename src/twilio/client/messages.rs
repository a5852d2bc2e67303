use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::media::{Media, refused};
use super::request::{List, filter_time};
use super::{Client, json};
use crate::phone::{Address, PhoneNumber};
use crate::remote::Failure;
use crate::twilio::MessageSid;
use crate::twilio::message::Message;

/// A message to send (<https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource>).
#[derive(Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// A number of the account.
    pub from: PhoneNumber,
    pub to: Address,
    /// At most 1,600 characters.
    pub body: String,
    /// At most ten URLs.
    pub media_urls: Vec<String>,
    /// The URL that Twilio calls for each new status of the message.
    pub status_callback: String,
    /// Twilio drops the message if it is still queued after this; sent in whole seconds, 1 to 36,000.
    pub validity_period: Duration,
}

/// Leaves out the body, which must not reach a log.
impl fmt::Debug for NewMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewMessage")
            .field("from", &self.from)
            .field("to", &self.to)
            .field("validity_period", &self.validity_period)
            .finish_non_exhaustive()
    }
}

/// Selects the messages to list; by default all messages of the account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageFilter {
    pub to: Option<Address>,
    pub from: Option<Address>,
    /// Only messages sent at this time or later, to the second. A queued message has no send date and is left out.
    pub date_sent_after: Option<Timestamp>,
}

/// A media resource: a file of a message (<https://www.twilio.com/docs/messaging/api/media-resource>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaResource {
    pub sid: String,
    /// The MIME type.
    pub content_type: String,
    /// The resource's path in the API; without `.json` it is the path of the file itself.
    pub uri: String,
}

impl Client {
    /// Sends a message. After `Failure::Unknown` the message may have been sent all the same.
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

    /// Fetches a message.
    pub async fn message(&self, sid: &MessageSid) -> Result<Message, Failure> {
        readable(&self.get(&format!("/Messages/{sid}.json"), &[]).await?)
    }

    /// Lists all messages that match the filter, the most recently sent first. An incomplete list is an error.
    ///
    /// With `stop_before`, reading stops after a page whose messages were all created earlier. Use that only to catch up. To
    /// prove that a message does not exist, pass `None`: Twilio does not document where an unsent message is in the order.
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
            // The parameter's name is `DateSent>`; encoded it reads `DateSent>=…`.
            query.push(("DateSent>", filter_time(after)));
        }
        let is_earlier = |message: &Message| match (message.date_created, stop_before) {
            (Some(created), Some(stop)) => created < stop,
            _ => false,
        };
        let list = List {
            path: "/Messages.json",
            query,
            key: "messages",
        };
        self.list(list, Message::from_json, is_earlier).await
    }

    /// Lists the files of a message.
    pub async fn media(&self, sid: &MessageSid) -> Result<Vec<MediaResource>, Failure> {
        let read = |value: &Value| {
            Some(MediaResource {
                sid: json::string(value, "sid")?,
                content_type: json::string(value, "content_type")?,
                uri: json::string(value, "uri")?,
            })
        };
        let path = format!("/Messages/{sid}/Media.json");
        let list = List {
            path: &path,
            query: Vec::new(),
            key: "media_list",
        };
        self.list(list, read, |_| false).await
    }
}

impl Client {
    /// Deletes a message, which Twilio allows once its status is final
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

/// The largest file that is read, in bytes. Twilio accepts 5 MB for MMS and less than this on its other channels.
const MAX_FILE: usize = 25 * 1024 * 1024;

impl Client {
    /// Downloads a file of a message by its SID
    /// (<https://www.twilio.com/docs/messaging/api/media-resource#fetch-a-media-resource>).
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
