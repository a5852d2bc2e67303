//! One message, one ephemeral, and the JSON Slack writes for them.

use serde_json::{Value, json};

use super::Settings;

/// A reaction and who gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// Without colons.
    pub name: String,
    pub users: Vec<String>,
}

/// A message in a channel or a thread.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// Unique in its channel; a string, never a number.
    pub ts: String,
    /// The parent's `ts` of a reply. A root has none, even if it has replies.
    pub thread_ts: Option<String>,
    pub user: Option<String>,
    pub bot_id: Option<String>,
    pub app_id: Option<String>,
    /// The writer's workspace, if it is not ours.
    pub foreign_team: Option<String>,
    pub subtype: Option<String>,
    /// The text as it was sent, with its entities.
    pub text: String,
    /// The blocks as they were sent, each with its `block_id`.
    pub blocks: Option<Value>,
    pub metadata: Option<Value>,
    /// File ids.
    pub files: Vec<String>,
    pub reactions: Vec<Reaction>,
    /// Who edited it last, and when.
    pub edited: Option<(String, String)>,
    /// `mrkdwn: false` was given.
    pub plain: bool,
    /// `link_names` or `parse: "full"` was given: bare `@here` rings.
    pub parse_names: bool,
}

impl Message {
    /// Whether it is a reply in a thread.
    pub fn is_reply(&self) -> bool {
        self.thread_ts.as_ref().is_some_and(|root| *root != self.ts)
    }

    /// Whether it is a reply that is also shown in the channel.
    pub fn is_broadcast(&self) -> bool {
        self.subtype.as_deref() == Some("thread_broadcast")
    }

    /// Whether the app itself wrote it.
    pub fn is_by_app(&self) -> bool {
        self.bot_id.is_some()
    }

    pub(super) fn to_json(&self, settings: &Settings, with_metadata: bool) -> Value {
        let mut value = json!({"type": "message", "text": self.text, "ts": self.ts});
        let mut put = |key: &str, what: Option<Value>| {
            if let Some(what) = what {
                value[key] = what;
            }
        };
        put("subtype", self.subtype.as_ref().map(|s| json!(s)));
        put("user", self.user.as_ref().map(|s| json!(s)));
        put("bot_id", self.bot_id.as_ref().map(|s| json!(s)));
        put("app_id", self.app_id.as_ref().map(|s| json!(s)));
        put("blocks", self.blocks.clone());
        put("thread_ts", self.thread_ts.as_ref().map(|s| json!(s)));
        put(
            "team",
            Some(json!(
                self.foreign_team.as_ref().unwrap_or(&settings.team_id)
            )),
        );
        if let Some(team) = &self.foreign_team {
            put("user_team", Some(json!(team)));
            put("source_team", Some(json!(team)));
        }
        if let Some((user, ts)) = &self.edited {
            put("edited", Some(json!({"user": user, "ts": ts})));
        }
        if self.is_by_app() {
            put(
                "bot_profile",
                Some(json!({
                    "id": self.bot_id,
                    "app_id": self.app_id,
                    "user_id": self.user,
                    "name": settings.bot_name,
                    "deleted": false,
                    "team_id": settings.team_id,
                })),
            );
        } else if self.subtype.is_none() {
            put("client_msg_id", Some(json!(client_msg_id(&self.ts))));
        }
        if !self.reactions.is_empty() {
            let reactions: Vec<Value> = self
                .reactions
                .iter()
                .map(|r| json!({"name": r.name, "users": r.users, "count": r.users.len()}))
                .collect();
            put("reactions", Some(json!(reactions)));
        }
        if with_metadata {
            put("metadata", self.metadata.clone());
        }
        value
    }
}

/// A new `client_msg_id`, in the shape of a UUID.
fn client_msg_id(ts: &str) -> String {
    let digits: String = ts.chars().filter(char::is_ascii_digit).collect();
    format!("00000000-0000-4000-8000-{digits:0>12.12}")
}

/// A message that only one person sees. No method of the Web API returns it.
#[derive(Debug, Clone)]
pub struct Ephemeral {
    pub ts: String,
    pub channel: String,
    pub user: String,
    pub thread_ts: Option<String>,
    pub text: String,
    pub blocks: Option<Value>,
}
