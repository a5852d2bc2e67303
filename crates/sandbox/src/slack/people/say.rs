//! A message that a person writes, and everything that can be special about it.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::slack::changes::Event;
use crate::slack::message::Message;
use crate::slack::world::{StoredFile, World};
use crate::slack::{Forgery, SlackStandIn};

impl SlackStandIn {
    /// Prepares a message; the methods of [`Say`] make it special.
    pub fn say(&self, user: &str, channel: &str, text: &str) -> Say {
        let message = self.read(|world| {
            let writer = world.users.get(user);
            let foreign = writer.filter(|writer| writer.team_id != world.settings.team_id);
            Message {
                user: Some(user.to_owned()),
                foreign_team: foreign.map(|writer| writer.team_id.clone()),
                text: text.to_owned(),
                ..Message::default()
            }
        });
        Say {
            stand_in: self.clone(),
            channel: channel.to_owned(),
            message,
            files: Vec::new(),
            deliveries: 1,
            new_ids: false,
            forgery: Forgery::Genuine,
            workspace: None,
            age: Duration::ZERO,
        }
    }

    /// Delivers the event of a message in the workspace, late or once more, with a new event id.
    pub async fn deliver_message(&self, channel: &str, ts: &str) {
        let event = self.read(|world| {
            let message = world.message(channel, ts)?;
            let event = world.message_event(channel, message);
            let channel = world.channel(channel)?;
            Some(Event {
                event: world.complete_event(channel, event),
                is_ext_shared: channel.ext_shared,
                workspace: None,
            })
        });
        if let Some(event) = event {
            let id = self.inner.new_event_id();
            self.inner.deliver(&event, &id, Forgery::Genuine).await;
        }
    }
}

/// A message that a person or another app will write; [`send`](Say::send) writes it.
#[derive(Debug, Clone)]
#[must_use = "nothing is written before `send`"]
pub struct Say {
    stand_in: SlackStandIn,
    channel: String,
    message: Message,
    files: Vec<(String, String, Vec<u8>)>,
    deliveries: usize,
    new_ids: bool,
    forgery: Forgery,
    workspace: Option<String>,
    age: Duration,
}

impl Say {
    /// Makes it a reply.
    pub fn in_thread(mut self, root_ts: &str) -> Self {
        self.message.thread_ts = Some(root_ts.to_owned());
        self
    }

    /// Also shows the reply in the channel.
    pub fn broadcast(self) -> Self {
        self.subtype("thread_broadcast")
    }

    /// Sets a subtype: `me_message`, `channel_join`, …
    pub fn subtype(mut self, subtype: &str) -> Self {
        self.message.subtype = Some(subtype.to_owned());
        self
    }

    /// Makes another app's bot the writer.
    pub fn as_bot(mut self, bot_id: &str) -> Self {
        self.message.bot_id = Some(bot_id.to_owned());
        self.message.app_id = Some("A0OTHER".to_owned());
        self
    }

    /// Adds a file, which gives the message the subtype `file_share`.
    pub fn with_file(mut self, name: &str, mimetype: &str, bytes: &[u8]) -> Self {
        let file = (name.to_owned(), mimetype.to_owned(), bytes.to_vec());
        self.files.push(file);
        self.subtype("file_share")
    }

    /// Names another workspace in the event's envelope.
    pub fn from_workspace(mut self, team_id: &str) -> Self {
        self.message.foreign_team = Some(team_id.to_owned());
        self.workspace = Some(team_id.to_owned());
        self
    }

    /// Dates the message back by this time, as if it were found late.
    pub fn aged(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// Does not deliver the event.
    pub fn withheld(mut self) -> Self {
        self.deliveries = 0;
        self
    }

    /// Delivers the event `times` times at once, with one id or with different ones.
    pub fn repeated(mut self, times: usize, new_ids: bool) -> Self {
        self.deliveries = times;
        self.new_ids = new_ids;
        self
    }

    /// Forges the event. The workspace does not have the message then.
    pub fn forged(mut self, forgery: Forgery) -> Self {
        self.forgery = forgery;
        self
    }

    /// Writes the message and waits for the relay's first answers. Returns the `ts`.
    pub async fn send(self) -> String {
        let inner = self.stand_in.inner.clone();
        let (ts, event) = inner.change(|world| self.write(world));
        let Some(event) = event else { return ts };
        let one_id = inner.new_event_id();
        let deliveries = (0..self.deliveries).map(|_| {
            let id = if self.new_ids {
                inner.new_event_id()
            } else {
                one_id.clone()
            };
            let (inner, event, forgery) = (&inner, &event, self.forgery);
            async move { inner.deliver(event, &id, forgery).await }
        });
        futures_util::future::join_all(deliveries).await;
        ts
    }

    /// Adds the message to the workspace. Returns its `ts`, and its event if the app gets one.
    fn write(&self, world: &mut World) -> (String, Option<Event>) {
        let mut message = self.message.clone();
        message.ts = world.next_ts();
        if self.age > Duration::ZERO {
            message.ts = aged_ts(world, self.age);
        }
        for (name, mimetype, bytes) in &self.files {
            let id = world.next_id("F");
            message.files.push(id.clone());
            world.files.insert(
                id.clone(),
                StoredFile {
                    id,
                    name: name.clone(),
                    mimetype: mimetype.clone(),
                    bytes: bytes.clone(),
                    user: message.user.clone().unwrap_or_default(),
                    expected: None,
                    completed: true,
                },
            );
        }
        if !message.text.is_empty() && message.blocks.is_none() {
            message.blocks = Some(as_blocks(&message.text, world.next_id("b")));
        }
        let ts = message.ts.clone();
        let queued = world.events.len();
        if self.forgery == Forgery::Genuine {
            world.add_message(&self.channel, message);
            // Delivered by `send`, as often as the test wants, instead of in the background.
            let event = world.events.drain(queued..).next();
            let workspace = self.workspace.clone();
            return (ts, event.map(|event| Event { workspace, ..event }));
        }
        let event = world.message_event(&self.channel, &message);
        let event = world.channel(&self.channel).map(|channel| Event {
            event: world.complete_event(channel, event),
            is_ext_shared: channel.ext_shared,
            workspace: self.workspace.clone(),
        });
        (ts, event)
    }
}

/// An unused `ts` in the past.
fn aged_ts(world: &World, age: Duration) -> String {
    let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::ZERO);
    let mut micros = (world.now() - age).as_microsecond();
    loop {
        let ts = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        if world
            .channels()
            .all(|channel| !channel.messages.contains_key(&ts))
        {
            return ts;
        }
        micros += 1;
    }
}

/// The blocks that Slack's clients send with a text. Only the text is meant to be read.
fn as_blocks(text: &str, block_id: String) -> Value {
    let plain = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    json!([{
        "type": "rich_text",
        "block_id": block_id,
        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": plain}]}],
    }])
}
