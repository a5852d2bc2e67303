//! The payloads that Slack sends us, as our own types (<https://docs.slack.dev/apis/events-api>).
//!
//! Parsing is lenient: unknown fields are ignored and fields of an unexpected type are absent, so that an odd field never
//! loses a message.

mod command;
mod interaction;
mod message;

use anyhow::Context;
use serde_json::Value;

pub use command::SlashCommand;
pub use interaction::{Action, BlockActions, Interaction, MessageAction, Shortcut, ViewSubmission};
pub use message::{Edited, File, MessageEvent};

use super::{ChannelId, TeamId, UserId, lenient};

/// The body of a request to the events URL.
#[derive(Debug, Clone, PartialEq)]
pub enum Envelope {
    /// Slack verifies the URL and expects the challenge in the response.
    UrlVerification { challenge: String },
    /// An event that the app subscribes to.
    EventCallback(Box<EventCallback>),
    /// Slack dropped events because there were more than 30,000 in an hour.
    AppRateLimited,
    /// Any other `type`.
    Other(String),
}

/// An event and its origin.
#[derive(Debug, Clone, PartialEq)]
pub struct EventCallback {
    /// The workspace the event was sent for.
    pub team_id: Option<TeamId>,
    /// The workspace where it happened, which differs in Slack Connect.
    pub context_team_id: Option<TeamId>,
    /// The app the event was sent to.
    pub api_app_id: Option<String>,
    /// The ID of this delivery. One message can arrive under several IDs, so it does not identify the message.
    pub event_id: String,
    /// Whether the channel is shared with another organization.
    pub is_ext_shared_channel: bool,
    /// What happened.
    pub event: Event,
}

/// An event that the app subscribes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A message was written, changed or deleted.
    Message(Box<MessageEvent>),
    /// Somebody opened the app's Home tab.
    AppHomeOpened { user: UserId, tab: String },
    /// Somebody, possibly the bot, joined a channel.
    MemberJoined { channel: ChannelId, user: UserId },
    /// Somebody, possibly the bot, left a channel.
    MemberLeft { channel: ChannelId, user: UserId },
    /// Any other `type`, or one of the above without a required field.
    Other(String),
}

impl Envelope {
    /// Parses the raw body of a request to the events URL. Only a body that is not JSON is an error.
    pub fn parse(body: &[u8]) -> anyhow::Result<Self> {
        let value = lenient::parse(body).context("Slack's event is not JSON")?;
        let kind = lenient::text(&value, "type").unwrap_or_default();
        Ok(match kind.as_str() {
            "url_verification" => Self::UrlVerification {
                challenge: lenient::text(&value, "challenge").unwrap_or_default(),
            },
            "event_callback" => Self::EventCallback(Box::new(EventCallback::read(&value))),
            "app_rate_limited" => Self::AppRateLimited,
            _ => Self::Other(kind),
        })
    }
}

impl EventCallback {
    fn read(value: &Value) -> Self {
        Self {
            team_id: lenient::team(value, "team_id"),
            context_team_id: lenient::team(value, "context_team_id"),
            api_app_id: lenient::word(value, "api_app_id"),
            event_id: lenient::text(value, "event_id").unwrap_or_default(),
            is_ext_shared_channel: lenient::flag(value, "is_ext_shared_channel"),
            event: Event::read(value.get("event").unwrap_or(&Value::Null)),
        }
    }
}

impl Event {
    fn read(value: &Value) -> Self {
        let kind = lenient::text(value, "type").unwrap_or_default();
        let known = match kind.as_str() {
            "message" => MessageEvent::read(value).map(|message| Self::Message(Box::new(message))),
            "app_home_opened" => lenient::user(value, "user").map(|user| Self::AppHomeOpened {
                user,
                tab: lenient::text(value, "tab").unwrap_or_default(),
            }),
            "member_joined_channel" => {
                membership(value).map(|(channel, user)| Self::MemberJoined { channel, user })
            }
            "member_left_channel" => {
                membership(value).map(|(channel, user)| Self::MemberLeft { channel, user })
            }
            _ => None,
        };
        known.unwrap_or(Self::Other(kind))
    }
}

fn membership(value: &Value) -> Option<(ChannelId, UserId)> {
    Some((
        lenient::channel(value, "channel")?,
        lenient::user(value, "user")?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(value: &Value) -> Envelope {
        Envelope::parse(value.to_string().as_bytes()).unwrap()
    }

    fn event(value: Value) -> Event {
        match parse(&json!({"type": "event_callback", "event_id": "Ev1", "event": value})) {
            Envelope::EventCallback(callback) => callback.event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_challenge_is_handed_on() {
        let body = json!({"type": "url_verification", "token": "t", "challenge": "3eZbrw1a"});
        assert_eq!(
            parse(&body),
            Envelope::UrlVerification {
                challenge: "3eZbrw1a".into()
            }
        );
    }

    #[test]
    fn an_event_says_where_it_came_from() {
        let body = json!({
            "type": "event_callback", "token": "t", "team_id": "T1", "api_app_id": "A1", "event_id": "Ev1",
            "event_time": 1531420618, "context_team_id": "T2", "is_ext_shared_channel": true,
            "authorizations": [{"team_id": "T1", "user_id": "UBOT", "is_bot": true}],
            "event": {"type": "member_joined_channel", "user": "UBOT", "channel": "C1", "team": "T1"},
        });
        let Envelope::EventCallback(callback) = parse(&body) else {
            panic!()
        };
        assert_eq!(callback.team_id, Some(TeamId::new("T1")));
        assert_eq!(callback.context_team_id, Some(TeamId::new("T2")));
        assert_eq!(callback.api_app_id.as_deref(), Some("A1"));
        assert_eq!(callback.event_id, "Ev1");
        assert!(callback.is_ext_shared_channel);
        let expected = Event::MemberJoined {
            channel: ChannelId::new("C1"),
            user: UserId::new("UBOT"),
        };
        assert_eq!(callback.event, expected);
    }

    #[test]
    fn the_home_tab_names_who_opened_it() {
        let opened =
            event(json!({"type": "app_home_opened", "user": "U1", "channel": "D1", "tab": "home"}));
        let expected = Event::AppHomeOpened {
            user: UserId::new("U1"),
            tab: "home".into(),
        };
        assert_eq!(opened, expected);
    }

    #[test]
    fn what_we_do_not_know_is_named_and_not_refused() {
        assert_eq!(
            event(json!({"type": "reaction_added"})),
            Event::Other("reaction_added".into())
        );
        assert_eq!(
            event(json!({"type": "message", "text": "no ts"})),
            Event::Other("message".into())
        );
        assert_eq!(
            event(json!({"type": "member_left_channel"})),
            Event::Other("member_left_channel".into())
        );
        assert_eq!(event(json!("nothing")), Event::Other(String::new()));
        assert_eq!(
            parse(&json!({"type": "app_rate_limited", "minute_rate_limited": 1})),
            Envelope::AppRateLimited
        );
        assert_eq!(
            parse(&json!({"type": "tokens_revoked"})),
            Envelope::Other("tokens_revoked".into())
        );
        assert_eq!(parse(&json!([1, 2])), Envelope::Other(String::new()));
        assert!(Envelope::parse(b"payload=1").is_err());
    }
}
