//! Changes to the workspace, each with the events that Slack sends about it.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::message::Message;
use super::methods::Refusal;
use super::world::{Channel, User, World};

/// An event that the app has subscribed to.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// The inner event, complete.
    pub(super) event: Value,
    pub(super) is_ext_shared: bool,
    /// The workspace that the envelope names, if it is not ours.
    pub(super) workspace: Option<String>,
}

/// How many messages a channel accepts at once before the limit of one a second applies.
const BURST: f64 = 3.0;

/// How many posts a channel still accepts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    left: f64,
    at: Instant,
}

impl World {
    /// An empty message by the app. Apps with granular bot tokens post without a subtype.
    pub(super) fn app_message(&self) -> Message {
        Message {
            user: Some(self.settings.bot_user_id.clone()),
            bot_id: Some(self.settings.bot_id.clone()),
            app_id: Some(self.settings.app_id.clone()),
            ..Message::default()
        }
    }

    pub(super) fn is_own(&self, message: &Message) -> bool {
        message.bot_id.as_ref() == Some(&self.settings.bot_id)
            || message.user.as_ref() == Some(&self.settings.bot_user_id)
    }

    pub(super) fn permalink(&self, channel: &str, ts: &str) -> String {
        let domain = &self.settings.team_domain;
        let digits = ts.replace('.', "");
        let link = format!("https://{domain}.slack.com/archives/{channel}/p{digits}");
        match self.message(channel, ts).filter(|m| m.is_reply()) {
            Some(Message {
                thread_ts: Some(root),
                ..
            }) => format!("{link}?thread_ts={root}&cid={channel}"),
            _ => link,
        }
    }

    /// Adds a message to a channel and tells the app. Returns its `ts` and its JSON.
    pub(super) fn add_message(
        &mut self,
        channel_id: &str,
        mut message: Message,
    ) -> (String, Value) {
        if message.ts.is_empty() {
            message.ts = self.next_ts();
        }
        let shown = self.message_json(&message, true);
        let ts = message.ts.clone();
        let event = self.message_event(channel_id, &message);
        if let Some(channel) = self.channels.get_mut(channel_id) {
            channel.messages.insert(ts.clone(), message);
        }
        self.announce(channel_id, event);
        (ts, shown)
    }

    /// The event of a new message.
    pub(super) fn message_event(&self, channel_id: &str, message: &Message) -> Value {
        let mut event = self.message_json(message, true);
        if message.is_reply() {
            let root = message.thread_ts.as_deref().unwrap_or_default();
            let parent = self.message(channel_id, root);
            event["parent_user_id"] = json!(parent.and_then(|parent| parent.user.clone()));
            if message.is_broadcast() {
                event["root"] = parent
                    .map(|parent| self.message_json(parent, false))
                    .unwrap_or_default();
            }
        }
        event
    }

    /// Replaces a message by its edited version and tells the app. Returns its JSON.
    pub(super) fn change_message(&mut self, channel_id: &str, new: Message, editor: &str) -> Value {
        let edited_at = self.next_ts();
        let mut new = new;
        new.edited = Some((editor.to_owned(), edited_at));
        self.replace_message(channel_id, new)
    }

    /// Replaces a message without marking it as edited, as Slack does when it unfurls a link.
    pub(super) fn replace_message(&mut self, channel_id: &str, new: Message) -> Value {
        let shown = self.message_json(&new, true);
        let Some(channel) = self.channels.get_mut(channel_id) else {
            return shown;
        };
        let Some(old) = channel.messages.insert(new.ts.clone(), new) else {
            return shown;
        };
        let event = json!({
            "type": "message",
            "subtype": "message_changed",
            "hidden": true,
            "message": shown,
            "previous_message": self.message_json(&old, true),
            "ts": self.next_ts(),
        });
        self.announce(channel_id, event);
        shown
    }

    /// Deletes a message and tells the app. The head of a thread with replies leaves a tombstone.
    pub(super) fn remove_message(&mut self, channel_id: &str, ts: &str) {
        let Some(channel) = self.channels.get_mut(channel_id) else {
            return;
        };
        let has_replies = channel.replies(ts).next().is_some();
        if has_replies {
            let tombstone = Message {
                ts: ts.to_owned(),
                user: Some("USLACKBOT".to_owned()),
                subtype: Some("tombstone".to_owned()),
                text: "This message was deleted.".to_owned(),
                ..Message::default()
            };
            self.replace_message(channel_id, tombstone);
            return;
        }
        let Some(old) = channel.messages.remove(ts) else {
            return;
        };
        let event = json!({
            "type": "message",
            "subtype": "message_deleted",
            "hidden": true,
            "deleted_ts": ts,
            "previous_message": self.message_json(&old, true),
            "ts": self.next_ts(),
        });
        self.announce(channel_id, event);
    }

    /// Adds a person, or the app, to a channel.
    pub(super) fn join(&mut self, channel_id: &str, user: &str) {
        let Some(channel) = self.channels.get_mut(channel_id) else {
            return;
        };
        if !channel.members.insert(user.to_owned()) {
            return;
        }
        let event = json!({
            "type": "member_joined_channel",
            "user": user,
            "channel_type": if channel.private { "G" } else { "C" },
            "team": self.settings.team_id,
        });
        self.announce(channel_id, event);
    }

    /// Removes a person, or the app, from a channel.
    pub(super) fn leave(&mut self, channel_id: &str, user: &str) {
        let Some(channel) = self.channels.get_mut(channel_id) else {
            return;
        };
        if !channel.members.contains(user) {
            return;
        }
        let event = json!({
            "type": "member_left_channel",
            "user": user,
            "channel_type": if channel.private { "G" } else { "C" },
            "team": self.settings.team_id,
        });
        // Told before the app is out, or it would not learn of its own removal.
        self.announce(channel_id, event);
        if let Some(channel) = self.channels.get_mut(channel_id) {
            channel.members.remove(user);
        }
    }

    /// Queues an event of a channel, if the app is in the channel, is subscribed to the event and may read it.
    pub(super) fn announce(&mut self, channel_id: &str, event: Value) {
        let Some(channel) = self.channels.get(channel_id) else {
            return;
        };
        if !self.is_bot_in(channel) || !self.is_subscribed(channel, &event) {
            return;
        }
        let event = self.complete_event(channel, event);
        let is_ext_shared = channel.ext_shared;
        self.events.push(Event {
            event,
            is_ext_shared,
            workspace: None,
        });
    }

    /// The event with the fields that every event of a channel has.
    pub(super) fn complete_event(&self, channel: &Channel, mut event: Value) -> Value {
        event["channel"] = json!(channel.id);
        let ts = event["ts"].as_str().map(str::to_owned);
        event["event_ts"] = json!(ts.unwrap_or_else(|| {
            let micros = self.now().as_microsecond();
            format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
        }));
        if event["type"] == "message" {
            event["channel_type"] = json!(channel.kind());
        }
        event
    }

    fn is_subscribed(&self, channel: &Channel, event: &Value) -> bool {
        let (subscription, scope) = match (event["type"].as_str().unwrap_or(""), channel.private) {
            ("message", false) => ("message.channels", "channels:history"),
            ("message", true) => ("message.groups", "groups:history"),
            ("reaction_added", _) => ("reaction_added", "reactions:read"),
            (kind, false) => (kind, "channels:read"),
            (kind, true) => (kind, "groups:read"),
        };
        self.subscriptions.contains(subscription) && self.scopes.contains(scope)
    }

    /// Applies Slack's limit on posts, if it is on: one per second and channel, with a small burst.
    pub(super) fn pace(&mut self, channel_id: &str) -> Result<(), Refusal> {
        if !self.rate_limit {
            return Ok(());
        }
        let now = Instant::now();
        let allowance = self
            .allowances
            .entry(channel_id.to_owned())
            .or_insert(Allowance {
                left: BURST,
                at: now,
            });
        let since = now.duration_since(allowance.at).as_secs_f64();
        allowance.left = (allowance.left + since).min(BURST);
        allowance.at = now;
        if allowance.left < 1.0 {
            self.rate_limited += 1;
            return Err(Refusal::state("ratelimited"));
        }
        allowance.left -= 1.0;
        Ok(())
    }

    pub(super) fn put_channel(&mut self, channel: Channel) {
        self.channels.insert(channel.id.clone(), channel);
    }

    pub(super) fn put_user(&mut self, user: User) {
        self.users.insert(user.id.clone(), user);
    }
}
