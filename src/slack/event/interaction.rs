//! Parses interactions: a pressed button, a submitted modal, a chosen shortcut.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::Value;

use crate::slack::event::MessageEvent;
use crate::slack::{ChannelId, MessageTs, TeamId, UserId, lenient};

/// The payload of a request to the interactivity URL
/// (<https://docs.slack.dev/interactivity/handling-user-interaction>).
#[derive(Debug, Clone, PartialEq)]
pub enum Interaction {
    /// Somebody used a button or another block element.
    BlockActions(Box<BlockActions>),
    /// Somebody submitted a modal.
    ViewSubmission(ViewSubmission),
    /// Somebody chose a message shortcut.
    MessageAction(Box<MessageAction>),
    /// Somebody chose a global shortcut.
    Shortcut(Shortcut),
    /// Any other `type`, or one of the above without a required field.
    Other(String),
}

/// Use of one or more block elements of a message or of the Home tab.
#[derive(Clone, PartialEq)]
pub struct BlockActions {
    pub user: UserId,
    pub team: Option<TeamId>,
    /// The user's workspace, which can differ from `team` in Slack Connect.
    pub user_team: Option<TeamId>,
    /// Absent in the app's Home tab.
    pub channel: Option<ChannelId>,
    /// The message that contains the button.
    pub message_ts: Option<MessageTs>,
    /// The thread of that message.
    pub thread_ts: Option<MessageTs>,
    /// Whether only this user sees the message. Such a message can only be updated through `response_url`.
    pub is_ephemeral: bool,
    pub actions: Vec<Action>,
    pub response_url: Option<String>,
    pub trigger_id: Option<String>,
    pub api_app_id: Option<String>,
}

/// The used element and its value.
#[derive(Clone, PartialEq)]
pub struct Action {
    pub action_id: String,
    pub block_id: String,
    /// The `value` of the button or of the chosen option.
    pub value: Option<String>,
}

/// The contents of a submitted modal.
#[derive(Clone, PartialEq)]
pub struct ViewSubmission {
    pub user: UserId,
    pub team: Option<TeamId>,
    pub callback_id: String,
    /// The string that we stored in the modal when we opened it.
    pub private_metadata: String,
    /// The entered values by block ID and action ID; empty fields are absent.
    pub values: BTreeMap<(String, String), String>,
    pub api_app_id: Option<String>,
}

/// A message shortcut, with the message that it was chosen on.
#[derive(Clone, PartialEq)]
pub struct MessageAction {
    pub user: UserId,
    pub team: Option<TeamId>,
    pub callback_id: String,
    pub channel: ChannelId,
    pub message_ts: MessageTs,
    pub thread_ts: Option<MessageTs>,
    /// The message's text in Slack's markup.
    pub text: String,
    pub response_url: Option<String>,
    pub trigger_id: Option<String>,
    pub api_app_id: Option<String>,
}

/// A global shortcut, chosen anywhere in Slack.
#[derive(Debug, Clone, PartialEq)]
pub struct Shortcut {
    pub user: UserId,
    pub team: Option<TeamId>,
    pub callback_id: String,
    /// Allows opening a modal within 3 seconds.
    pub trigger_id: Option<String>,
}

impl Interaction {
    /// Parses the form's only parameter, `payload`.
    pub fn from_params(params: &[(String, String)]) -> anyhow::Result<Self> {
        let (_, payload) = params
            .iter()
            .find(|(key, _)| key == "payload")
            .context("Slack's interaction has no payload")?;
        Self::parse(payload)
    }

    /// Parses the payload. Only text that is not JSON is an error.
    pub fn parse(payload: &str) -> anyhow::Result<Self> {
        let value =
            lenient::parse(payload.as_bytes()).context("Slack's interaction is not JSON")?;
        let kind = lenient::text(&value, "type").unwrap_or_default();
        let known = match kind.as_str() {
            "block_actions" => {
                BlockActions::read(&value).map(|it| Self::BlockActions(Box::new(it)))
            }
            "view_submission" => ViewSubmission::read(&value).map(Self::ViewSubmission),
            "shortcut" => Shortcut::read(&value).map(Self::Shortcut),
            "message_action" => {
                MessageAction::read(&value).map(|it| Self::MessageAction(Box::new(it)))
            }
            _ => None,
        };
        Ok(known.unwrap_or(Self::Other(kind)))
    }
}

impl BlockActions {
    fn read(value: &Value) -> Option<Self> {
        let part = |key: &str| value.get(key).unwrap_or(&Value::Null);
        let (container, message) = (part("container"), part("message"));
        Some(Self {
            user: lenient::user(value, "user")?,
            team: team(value),
            user_team: value
                .get("user")
                .and_then(|user| lenient::team(user, "team_id")),
            channel: lenient::channel(value, "channel")
                .or_else(|| lenient::channel(container, "channel_id")),
            message_ts: lenient::ts(container, "message_ts").or_else(|| lenient::ts(message, "ts")),
            thread_ts: lenient::ts(container, "thread_ts")
                .or_else(|| lenient::ts(message, "thread_ts")),
            is_ephemeral: lenient::flag(container, "is_ephemeral"),
            actions: lenient::list(value, "actions")
                .iter()
                .filter_map(Action::read)
                .collect(),
            response_url: lenient::word(value, "response_url"),
            trigger_id: lenient::word(value, "trigger_id"),
            api_app_id: lenient::word(value, "api_app_id"),
        })
    }
}

impl Action {
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            action_id: lenient::word(value, "action_id")?,
            block_id: lenient::text(value, "block_id").unwrap_or_default(),
            value: entered(value),
        })
    }
}

impl ViewSubmission {
    fn read(value: &Value) -> Option<Self> {
        let view = value.get("view")?;
        let blocks = view.pointer("/state/values").and_then(Value::as_object);
        let mut values = BTreeMap::new();
        for (block_id, block) in blocks.into_iter().flatten() {
            for (action_id, element) in block.as_object().into_iter().flatten() {
                if let Some(entered) = entered(element) {
                    values.insert((block_id.clone(), action_id.clone()), entered);
                }
            }
        }
        Some(Self {
            user: lenient::user(value, "user")?,
            team: team(value),
            callback_id: lenient::text(view, "callback_id").unwrap_or_default(),
            private_metadata: lenient::text(view, "private_metadata").unwrap_or_default(),
            values,
            api_app_id: lenient::word(value, "api_app_id"),
        })
    }
}

impl Shortcut {
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            user: lenient::user(value, "user")?,
            team: team(value),
            callback_id: lenient::text(value, "callback_id").unwrap_or_default(),
            trigger_id: lenient::word(value, "trigger_id"),
        })
    }
}

impl MessageAction {
    fn read(value: &Value) -> Option<Self> {
        let channel = lenient::channel(value, "channel")?;
        let mut message = value.get("message").filter(|it| it.is_object())?.clone();
        message["channel"] = channel.as_str().into();
        let message = MessageEvent::read(&message)?;
        Some(Self {
            user: lenient::user(value, "user")?,
            team: team(value),
            callback_id: lenient::text(value, "callback_id").unwrap_or_default(),
            channel,
            message_ts: message.ts,
            thread_ts: message.thread_ts,
            text: message.text,
            response_url: lenient::word(value, "response_url"),
            trigger_id: lenient::word(value, "trigger_id"),
            api_app_id: lenient::word(value, "api_app_id"),
        })
    }
}

fn team(value: &Value) -> Option<TeamId> {
    // On Enterprise Grid `team` can be null while the user still has one.
    lenient::team(value, "team").or_else(|| lenient::team(value.get("user")?, "team_id"))
}

/// Returns the value of an element of any kind.
fn entered(element: &Value) -> Option<String> {
    let chosen = |key: &str| lenient::word(element, key);
    lenient::word(element, "value")
        .or_else(|| lenient::word(element.get("selected_option")?, "value"))
        .or_else(|| chosen("selected_user"))
        .or_else(|| chosen("selected_conversation"))
        .or_else(|| chosen("selected_channel"))
        .or_else(|| chosen("selected_date"))
        .or_else(|| chosen("selected_time"))
        .or_else(|| chosen("selected_date_time"))
}

// Leaves out values, texts and URLs: they contain what people wrote, and URLs that let anyone respond in our name.
impl std::fmt::Debug for BlockActions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockActions")
            .field("user", &self.user)
            .field("channel", &self.channel)
            .field("message_ts", &self.message_ts)
            .field("actions", &self.actions)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Action")
            .field("action_id", &self.action_id)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ViewSubmission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ViewSubmission")
            .field("user", &self.user)
            .field("callback_id", &self.callback_id)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for MessageAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessageAction")
            .field("user", &self.user)
            .field("callback_id", &self.callback_id)
            .field("message_ts", &self.message_ts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(value: Value) -> Interaction {
        let params = [("payload".to_owned(), value.to_string())];
        Interaction::from_params(&params).unwrap()
    }

    fn ts(text: &str) -> Option<MessageTs> {
        MessageTs::parse(text).ok()
    }

    #[test]
    fn a_pressed_button_says_which_and_where() {
        let Interaction::BlockActions(pressed) = parse(json!({
            "type": "block_actions", "api_app_id": "A1", "trigger_id": "1.2.3",
            "user": {"id": "U1", "username": "sergio", "team_id": "T1"}, "team": {"id": "T1", "domain": "qdn"},
            "container": {"type": "message", "message_ts": "1531420700.000300", "channel_id": "C1",
                          "is_ephemeral": true, "thread_ts": "1531420618.000200"},
            "channel": {"id": "C1", "name": "qdn-dispatch"},
            "actions": [{"action_id": "send_anyway", "block_id": "b1", "type": "button", "value": "42", "action_ts": "1.2"},
                        {"type": "nameless"},
                        {"action_id": "pick", "selected_option": {"value": "tomorrow"}}],
            "response_url": "https://hooks.slack.com/actions/T1/1/x",
        })) else {
            panic!()
        };
        assert_eq!(pressed.user, UserId::new("U1"));
        assert_eq!(pressed.team, Some(TeamId::new("T1")));
        assert_eq!(pressed.channel, Some(ChannelId::new("C1")));
        assert_eq!(pressed.message_ts, ts("1531420700.000300"));
        assert_eq!(pressed.thread_ts, ts("1531420618.000200"));
        assert!(pressed.is_ephemeral);
        let values: Vec<_> = pressed.actions.iter().map(|a| a.value.as_deref()).collect();
        assert_eq!(values, [Some("42"), Some("tomorrow")]);
    }

    #[test]
    fn without_a_container_the_message_says_where() {
        let Interaction::BlockActions(pressed) = parse(json!({
            "type": "block_actions", "user": {"id": "U1", "team_id": "T1"}, "team": null, "channel": {"id": "C1"},
            "message": {"ts": "1531420700.000300", "thread_ts": "1531420618.000200"}, "actions": [],
        })) else {
            panic!()
        };
        assert_eq!(pressed.message_ts, ts("1531420700.000300"));
        assert_eq!(pressed.thread_ts, ts("1531420618.000200"));
        assert_eq!(pressed.team, Some(TeamId::new("T1")));
    }

    #[test]
    fn a_dialog_brings_what_was_entered() {
        let Interaction::ViewSubmission(sent) = parse(json!({
            "type": "view_submission", "user": {"id": "U1"}, "team": {"id": "T1"},
            "view": {"callback_id": "text_first", "private_metadata": "C1",
                     "state": {"values": {
                         "number": {"input": {"type": "plain_text_input", "value": "(619) 555-0100"}},
                         "words": {"input": {"type": "plain_text_input", "value": null}},
                         "who": {"pick": {"type": "users_select", "selected_user": "U2"}},
                     }}},
        })) else {
            panic!()
        };
        let value = |block: &str, action: &str| {
            sent.values
                .get(&(block.to_owned(), action.to_owned()))
                .map(String::as_str)
        };
        assert_eq!(value("number", "input"), Some("(619) 555-0100"));
        assert_eq!(value("words", "input"), None);
        assert_eq!(value("who", "pick"), Some("U2"));
        assert_eq!(
            (sent.callback_id.as_str(), sent.private_metadata.as_str()),
            ("text_first", "C1")
        );
    }

    #[test]
    fn a_shortcut_brings_its_message() {
        let Interaction::MessageAction(chosen) = parse(json!({
            "type": "message_action", "callback_id": "resend", "user": {"id": "U1"}, "team": {"id": "T1"},
            "channel": {"id": "C1"}, "message_ts": "1531420700.000300",
            "message": {"user": "U1", "text": "hi", "ts": "1531420700.000300", "thread_ts": "1531420618.000200"},
        })) else {
            panic!()
        };
        assert_eq!(chosen.callback_id, "resend");
        assert_eq!(Some(chosen.message_ts), ts("1531420700.000300"));
        assert_eq!(chosen.thread_ts, ts("1531420618.000200"));
        assert_eq!(chosen.text, "hi");
    }

    #[test]
    fn others_are_named_and_no_payload_is_an_error() {
        assert_eq!(
            parse(json!({"type": "view_closed"})),
            Interaction::Other("view_closed".into())
        );
        assert_eq!(
            parse(json!({"type": "block_actions"})),
            Interaction::Other("block_actions".into())
        );
        let odd = json!({"type": "message_action", "channel": {"id": "C1"}, "message": ["?"]});
        assert_eq!(parse(odd), Interaction::Other("message_action".into()));
        assert!(Interaction::from_params(&[]).is_err());
        assert!(Interaction::parse("{").is_err());
    }
}
