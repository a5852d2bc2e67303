//! Commands, buttons, shortcuts, modals and the home tab: the app has three seconds to answer each.
//!
//! Source: <https://docs.slack.dev/interactivity/handling-user-interaction>, <https://docs.slack.dev/interactivity/implementing-slash-commands>.

use serde_json::{Value, json};

use super::super::blocks::ElementId;
use super::super::changes::Event;
use super::super::form;
use super::super::response_url::AppAnswer;
use super::super::world::{ResponseUrl, Trigger, World};
use super::super::{Forgery, Reply, SlackStandIn, blocks};

/// The app's answer to a command, a press or a form.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status; 0 if there was no answer in time.
    pub status: u16,
    /// The body of the answer, or its `text` if it is JSON.
    pub text: String,
    /// The answer, if it is JSON.
    pub json: Option<Value>,
}

impl SlackStandIn {
    /// Types a slash command, and shows the app's answer to the person, or to the channel if it says so.
    pub async fn command(&self, user: &str, channel: &str, command: &str, text: &str) -> Answer {
        let fields = self.inner.change(|world| {
            let (trigger, response_url) =
                (world.trigger(user), world.response_url(channel, user, None));
            let name = world.channel(channel).map_or("directmessage", |channel| {
                if channel.private {
                    "privategroup"
                } else {
                    &channel.name
                }
            });
            let settings = &world.settings;
            let writer = world.users.get(user).map_or("", |user| &user.display_name);
            [
                ("token", "not-a-real-verification-token".to_owned()),
                ("team_id", settings.team_id.clone()),
                ("team_domain", settings.team_domain.clone()),
                ("channel_id", channel.to_owned()),
                ("channel_name", name.to_owned()),
                ("user_id", user.to_owned()),
                ("user_name", writer.to_lowercase().replace(' ', ".")),
                ("command", command.to_owned()),
                ("text", text.to_owned()),
                ("api_app_id", settings.app_id.clone()),
                ("is_enterprise_install", "false".to_owned()),
                ("response_url", response_url),
                ("trigger_id", trigger),
            ]
        });
        let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let kind = "application/x-www-form-urlencoded";
        let body = form::write(&fields);
        let reply = self
            .send_raw("/api/slack/commands", kind, &body, Forgery::Genuine)
            .await;
        let answer = self.checked(&format!("{command} {text}"), reply);
        self.inner
            .change(|world| show_command_answer(world, user, channel, &answer));
        answer
    }

    /// Presses a button of a message, which may be an ephemeral one.
    pub async fn press(&self, user: &str, channel: &str, ts: &str, action_id: &str) -> Answer {
        self.press_in(user, channel, ts, None, action_id).await
    }

    /// Presses a button in this block, for messages in which several blocks have a button with this `action_id`.
    pub async fn press_in(
        &self,
        user: &str,
        channel: &str,
        ts: &str,
        block_id: Option<&str>,
        action_id: &str,
    ) -> Answer {
        let id = ElementId {
            block_id,
            action_id,
        };
        let payload = self
            .inner
            .change(|world| message_press(world, user, channel, ts, id));
        self.pressed(payload, action_id, ts).await
    }

    /// The payload of a press, which [`Self::send_interaction`] can send later, twice or for somebody else.
    pub fn press_payload(
        &self,
        user: &str,
        channel: &str,
        ts: &str,
        action_id: &str,
    ) -> Option<Value> {
        let id = ElementId {
            block_id: None,
            action_id,
        };
        self.inner
            .change(|world| message_press(world, user, channel, ts, id))
    }

    /// Presses a button of the app's home tab or of an open modal.
    pub async fn press_in_view(
        &self,
        user: &str,
        view_id: &str,
        block_id: Option<&str>,
        action_id: &str,
    ) -> Answer {
        let id = ElementId {
            block_id,
            action_id,
        };
        let payload = self
            .inner
            .change(|world| view_press(world, user, view_id, id));
        self.pressed(payload, action_id, view_id).await
    }

    pub(super) async fn pressed(
        &self,
        payload: Option<Value>,
        action_id: &str,
        place: &str,
    ) -> Answer {
        if payload.is_none() {
            self.inner.change(|world| {
                world.violation(format!(
                    "nobody can press `{action_id}` on {place}: it is not there"
                ));
            });
        }
        self.interact(action_id, payload).await
    }

    /// Chooses a message shortcut from a message's menu.
    pub async fn message_shortcut(
        &self,
        user: &str,
        callback_id: &str,
        channel: &str,
        ts: &str,
    ) -> Answer {
        let payload = self.inner.change(|world| {
            let message = world.message(channel, ts)?;
            let message = world.message_json(message, false);
            let mut payload = world.payload("message_action", user);
            payload["callback_id"] = json!(callback_id);
            payload["channel"] = world.channel_json(channel);
            payload["message"] = message;
            payload["message_ts"] = json!(ts);
            payload["response_url"] = json!(world.response_url(channel, user, None));
            Some(payload)
        });
        self.interact(callback_id, payload).await
    }

    /// Chooses a global shortcut.
    pub async fn shortcut(&self, user: &str, callback_id: &str) -> Answer {
        let payload = self.inner.change(|world| {
            let mut payload = world.payload("shortcut", user);
            payload["callback_id"] = json!(callback_id);
            payload["action_ts"] = json!(world.next_ts());
            payload
        });
        self.interact(callback_id, Some(payload)).await
    }

    /// Opens the app's home tab and waits for the relay's answer to the event.
    pub async fn open_home(&self, user: &str) {
        let event = self.inner.change(|world| {
            let mut event = json!({
                "type": "app_home_opened",
                "user": user,
                "channel": format!("D{}", user.trim_start_matches('U')),
                "tab": "home",
                "event_ts": world.next_ts(),
            });
            if let Some(home) = world.homes.get(user) {
                event["view"] = home.view.clone();
            }
            world
                .subscriptions
                .contains("app_home_opened")
                .then_some(Event {
                    event,
                    is_ext_shared: false,
                    workspace: None,
                })
        });
        if let Some(event) = event {
            let id = self.inner.new_event_id();
            self.inner.deliver(&event, &id, Forgery::Genuine).await;
        }
    }

    /// Sends any interaction payload, signed or forged.
    pub async fn send_interaction(
        &self,
        payload: &Value,
        forgery: Forgery,
    ) -> Result<Reply, &'static str> {
        let body = form::write(&[("payload", &payload.to_string())]);
        let kind = "application/x-www-form-urlencoded";
        self.send_raw("/api/slack/interactions", kind, &body, forgery)
            .await
    }

    pub(super) async fn interact(&self, what: &str, payload: Option<Value>) -> Answer {
        let Some(payload) = payload else {
            return Answer {
                status: 0,
                text: String::new(),
                json: None,
            };
        };
        let reply = self.send_interaction(&payload, Forgery::Genuine).await;
        let answer = self.checked(what, reply);
        // A modal the app opened on the way is told to whoever waits.
        self.inner.changed.send_modify(|count| *count += 1);
        answer
    }

    /// The answer. It is a violation if there was none in time, or if it is not a 200.
    fn checked(&self, what: &str, reply: Result<Reply, &'static str>) -> Answer {
        match reply {
            Ok(reply) => {
                if reply.status != 200 {
                    let status = reply.status;
                    self.inner
                        .change(|world| world.violation(format!("{what}: answered with {status}")));
                }
                let is_json = reply.content_type.starts_with("application/json");
                let json: Option<Value> = is_json
                    .then(|| serde_json::from_str(&reply.body).ok())
                    .flatten();
                let text = match &json {
                    Some(json) => json["text"].as_str().unwrap_or_default().to_owned(),
                    None => reply.body,
                };
                Answer {
                    status: reply.status,
                    text,
                    json,
                }
            }
            Err(reason) => {
                self.inner
                    .change(|world| world.violation(format!("{what}: no answer ({reason})")));
                Answer {
                    status: 0,
                    text: String::new(),
                    json: None,
                }
            }
        }
    }
}

fn show_command_answer(world: &mut World, user: &str, channel: &str, answer: &Answer) {
    if answer.status != 200 {
        return;
    }
    let text = answer.text.clone();
    let Some(json) = &answer.json else {
        if !text.is_empty() {
            let answer = AppAnswer {
                in_channel: false,
                thread_ts: None,
                text,
                blocks: None,
            };
            world.answer_person(channel, user, answer);
        }
        return;
    };
    let given = &json["blocks"];
    if !given.is_null()
        && let Err(why) = blocks::check(given, blocks::MESSAGE_LIMIT)
    {
        world.violation(format!("a command's answer: invalid_blocks {why}"));
    }
    let blocks = (!given.is_null()).then(|| blocks::with_ids(given.clone(), || world.next_id("b")));
    if text.is_empty() && blocks.is_none() {
        return;
    }
    let answer = AppAnswer {
        in_channel: json["response_type"] == "in_channel",
        thread_ts: None,
        text,
        blocks,
    };
    world.answer_person(channel, user, answer);
}

/// The payload of a press in a message; `None` if this person does not see such an element.
pub(super) fn message_press(
    world: &mut World,
    user: &str,
    channel: &str,
    ts: &str,
    id: ElementId<'_>,
) -> Option<Value> {
    let ephemeral = world
        .ephemerals
        .iter()
        .find(|ephemeral| ephemeral.ts == ts && ephemeral.user == user)
        .cloned();
    let message = world.message(channel, ts).cloned();
    let (shown, thread_ts, is_ephemeral) = match (&ephemeral, &message) {
        (Some(ephemeral), _) => (ephemeral.blocks.clone()?, ephemeral.thread_ts.clone(), true),
        (None, Some(message)) => (message.blocks.clone()?, message.thread_ts.clone(), false),
        (None, None) => return None,
    };
    let (block_id, element) = blocks::find_action(&shown, id)?;
    let mut payload = world.payload("block_actions", user);
    payload["container"] = json!({
        "type": "message",
        "message_ts": ts,
        "channel_id": channel,
        "is_ephemeral": is_ephemeral,
    });
    if let Some(root) = thread_ts {
        payload["container"]["thread_ts"] = json!(root);
    }
    payload["channel"] = world.channel_json(channel);
    if let (Some(message), false) = (&message, is_ephemeral) {
        payload["message"] = world.message_json(message, false);
    }
    payload["state"] = json!({"values": {}});
    payload["response_url"] = json!(world.response_url(channel, user, Some(ts)));
    payload["actions"] = json!([action(world, &block_id, &element)]);
    Some(payload)
}

/// The payload of a press in a modal or the home tab; `None` if this person does not see such an element.
pub(super) fn view_press(
    world: &mut World,
    user: &str,
    view_id: &str,
    id: ElementId<'_>,
) -> Option<Value> {
    let view = world
        .homes
        .values()
        .chain(&world.modals)
        .find(|view| view.id == view_id && view.user == user)?
        .view
        .clone();
    let (block_id, element) = blocks::find_action(&view["blocks"], id)?;
    let mut payload = world.payload("block_actions", user);
    payload["container"] = json!({"type": "view", "view_id": view_id});
    payload["view"] = view;
    payload["actions"] = json!([action(world, &block_id, &element)]);
    Some(payload)
}

fn action(world: &mut World, block_id: &str, element: &Value) -> Value {
    let mut action = json!({
        "action_id": element["action_id"],
        "block_id": block_id,
        "type": element["type"],
        "action_ts": world.next_ts(),
    });
    for key in ["text", "value", "style"] {
        if !element[key].is_null() {
            action[key] = element[key].clone();
        }
    }
    action
}

impl World {
    /// The fields that every interaction has.
    pub(super) fn payload(&mut self, kind: &str, user: &str) -> Value {
        let trigger_id = self.trigger(user);
        let settings = &self.settings;
        let writer = self.users.get(user);
        let name = writer.map_or(String::new(), |writer| {
            writer.display_name.to_lowercase().replace(' ', ".")
        });
        let team_id = writer.map_or(&settings.team_id, |writer| &writer.team_id);
        json!({
            "type": kind,
            "user": {"id": user, "username": name, "name": name, "team_id": team_id},
            "api_app_id": settings.app_id,
            "token": "not-a-real-verification-token",
            "trigger_id": trigger_id,
            "team": {"id": settings.team_id, "domain": settings.team_domain},
            "enterprise": null,
            "is_enterprise_install": false,
        })
    }

    fn channel_json(&self, id: &str) -> Value {
        let name = self.channel(id).map_or("", |channel| &channel.name);
        json!({"id": id, "name": name})
    }

    fn trigger(&mut self, user: &str) -> String {
        let id = self.next_id("trigger.");
        let issued = self.now();
        let trigger = Trigger {
            user: user.to_owned(),
            issued,
            used: false,
        };
        self.triggers.insert(id.clone(), trigger);
        id
    }

    fn response_url(&mut self, channel: &str, user: &str, message_ts: Option<&str>) -> String {
        let id = self.next_id("");
        let url = ResponseUrl {
            channel: channel.to_owned(),
            user: user.to_owned(),
            message_ts: message_ts.map(str::to_owned),
            issued: self.now(),
            uses: 0,
        };
        self.response_urls.insert(id.clone(), url);
        let base = self.base_url.trim_end_matches("/api/");
        format!(
            "{base}/commands/{}/{id}/not-a-real-secret",
            self.settings.team_id
        )
    }
}
