//! Twilio's message resource, its status values and its direction.

use jiff::Timestamp;
use serde_json::Value;

use super::MessageSid;
use super::client::json;
use crate::phone::Address;

/// A message's status (<https://www.twilio.com/docs/messaging/api/message-resource#message-status-values>).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MessageState {
    Accepted,
    Scheduled,
    Queued,
    Sending,
    Sent,
    Delivered,
    Undelivered,
    Failed,
    Canceled,
    Read,
    Receiving,
    Received,
    /// A value that Twilio did not document when this was written.
    Other(String),
}

impl MessageState {
    /// Parses Twilio's value; never fails, since an unknown one becomes `Other`.
    pub fn parse(word: &str) -> Self {
        match word {
            "accepted" => Self::Accepted,
            "scheduled" => Self::Scheduled,
            "queued" => Self::Queued,
            "sending" => Self::Sending,
            "sent" => Self::Sent,
            "delivered" => Self::Delivered,
            "undelivered" => Self::Undelivered,
            "failed" => Self::Failed,
            "canceled" => Self::Canceled,
            "read" => Self::Read,
            "receiving" => Self::Receiving,
            "received" => Self::Received,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Returns the value as Twilio writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Accepted => "accepted",
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Read => "read",
            Self::Receiving => "receiving",
            Self::Received => "received",
            Self::Other(word) => word,
        }
    }

    /// Returns how far along the message is, 0 to 3. Callbacks arrive in any order, so a status may only be replaced by one of
    /// a higher rank.
    ///
    /// An unknown status ranks lowest, so that it never replaces a known one.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Accepted | Self::Scheduled | Self::Queued | Self::Receiving | Self::Other(_) => 0,
            Self::Sending => 1,
            Self::Sent => 2,
            Self::Delivered
            | Self::Undelivered
            | Self::Failed
            | Self::Canceled
            | Self::Read
            | Self::Received => 3,
        }
    }

    /// Whether this status is final.
    pub fn is_final(&self) -> bool {
        self.rank() == 3
    }
}

/// Which side started a message or a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Direction {
    Inbound,
    OutboundApi,
    OutboundCall,
    OutboundReply,
    OutboundDial,
    /// A value that Twilio did not document when this was written.
    Other(String),
}

impl Direction {
    /// Parses Twilio's value; never fails, since an unknown one becomes `Other`.
    pub fn parse(word: &str) -> Self {
        match word {
            "inbound" => Self::Inbound,
            "outbound-api" => Self::OutboundApi,
            "outbound-call" => Self::OutboundCall,
            "outbound-reply" => Self::OutboundReply,
            "outbound-dial" => Self::OutboundDial,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Whether somebody else sent the message to, or placed the call to, a number of the account.
    pub fn is_inbound(&self) -> bool {
        *self == Self::Inbound
    }
}

/// A message resource (<https://www.twilio.com/docs/messaging/api/message-resource#message-properties>).
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    pub sid: MessageSid,
    pub status: MessageState,
    pub direction: Direction,
    pub from: Address,
    pub to: Address,
    pub body: String,
    pub num_media: u32,
    /// How many segments Twilio bills; 0 while it is not known.
    pub num_segments: u32,
    /// To the second, like all of Twilio's times.
    pub date_created: Option<Timestamp>,
    /// `None` while the message is queued. For an inbound message, when Twilio called the webhook.
    pub date_sent: Option<Timestamp>,
    pub date_updated: Option<Timestamp>,
    pub error_code: Option<u32>,
}

impl Message {
    /// Parses the resource; `None` if it has no valid SID. Any other field may be missing or malformed, so that an odd field
    /// never makes an accepted message look like a failed one.
    pub(super) fn from_json(value: &Value) -> Option<Self> {
        Some(Self {
            sid: MessageSid::parse(json::text(value, "sid")?).ok()?,
            status: MessageState::parse(json::text(value, "status").unwrap_or_default()),
            direction: Direction::parse(json::text(value, "direction").unwrap_or_default()),
            from: Address::new(json::text(value, "from").unwrap_or_default()),
            to: Address::new(json::text(value, "to").unwrap_or_default()),
            body: json::text(value, "body").unwrap_or_default().to_owned(),
            num_media: json::number(value, "num_media").unwrap_or_default(),
            num_segments: json::number(value, "num_segments").unwrap_or_default(),
            date_created: json::time(value, "date_created"),
            date_sent: json::time(value, "date_sent"),
            date_updated: json::time(value, "date_updated"),
            error_code: json::number(value, "error_code"),
        })
    }
}

/// Leaves out the body, which must not reach a log.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("sid", &self.sid)
            .field("status", &self.status)
            .field("direction", &self.direction)
            .field("from", &self.from)
            .field("to", &self.to)
            .field("date_created", &self.date_created)
            .field("error_code", &self.error_code)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn states_go_forward_only() {
        let table = [
            ("accepted", 0),
            ("scheduled", 0),
            ("queued", 0),
            ("receiving", 0),
            ("teleported", 0),
            ("sending", 1),
            ("sent", 2),
            ("delivered", 3),
            ("undelivered", 3),
            ("failed", 3),
            ("canceled", 3),
            ("read", 3),
            ("received", 3),
        ];
        for (word, rank) in table {
            let state = MessageState::parse(word);
            assert_eq!(state.as_str(), word);
            assert_eq!(state.rank(), rank, "{word}");
            assert_eq!(state.is_final(), rank == 3, "{word}");
            assert_eq!(
                matches!(state, MessageState::Other(_)),
                word == "teleported"
            );
        }
    }

    #[test]
    fn a_message_is_read_as_twilio_writes_it() {
        let message = Message::from_json(&json!({
            "sid": "SM00000000000000000000000000000001",
            "status": "undelivered",
            "direction": "outbound-api",
            "from": "+16195550100",
            "to": "+16195550142",
            "body": "On our way",
            "num_media": "0",
            "num_segments": "1",
            "date_created": "Sun, 01 Nov 2026 10:02:03 +0000",
            "date_sent": null,
            "date_updated": "Sun, 01 Nov 2026 10:02:04 +0000",
            "error_code": 30003,
            "error_message": "Unreachable destination handset",
            "price": null,
        }))
        .unwrap();
        assert_eq!(message.status, MessageState::Undelivered);
        assert_eq!(message.direction, Direction::OutboundApi);
        assert_eq!(message.to.display(), "(619) 555-0142");
        assert_eq!((message.num_media, message.num_segments), (0, 1));
        assert_eq!(
            message.date_created,
            Some("2026-11-01T10:02:03Z".parse().unwrap())
        );
        assert_eq!((message.date_sent, message.error_code), (None, Some(30003)));
        let debug = format!("{message:?}");
        assert!(!debug.contains("way") && !debug.contains("0142"), "{debug}");
    }

    #[test]
    fn a_sid_is_all_it_takes() {
        let odd = json!({
            "sid": "MM00000000000000000000000000000001",
            "status": 7, "from": null, "body": null, "num_media": 2, "date_created": "yesterday", "error_code": null,
        });
        let message = Message::from_json(&odd).unwrap();
        assert_eq!(
            (message.num_media, message.body.as_str(), message.error_code),
            (2, "", None)
        );
        assert_eq!(message.date_created, None);
        for nothing in [
            json!({}),
            json!({"sid": null}),
            json!({"sid": "SM1"}),
            json!([]),
            json!("x"),
        ] {
            assert_eq!(Message::from_json(&nothing), None);
        }
    }
}
