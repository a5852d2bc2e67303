//! A message on its way into the workspace, with everything that can be special about one.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::slack::changes::Event;
use crate::slack::message::Message;
use crate::slack::world::{StoredFile, World};
use crate::slack::{Forgery, SlackStandIn};

impl SlackStandIn {
    /// A message to be written, with everything that can be special about one.
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

    /// Brings the event of a message that stands in the workspace, late or once more, under an id of its own.
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

/// A message a person (or another app) is about to write.
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
    /// As a reply.
    pub fn in_thread(mut self, root_ts: &str) -> Self {
        self.message.thread_ts = Some(root_ts.to_owned());
        self
    }

    /// Also sent to the channel.
    pub fn broadcast(self) -> Self {
        self.subtype("thread_broadcast")
    }

    /// With a subtype: `me_message`, `channel_join`, …
    pub fn subtype(mut self, subtype: &str) -> Self {
        self.message.subtype = Some(subtype.to_owned());
        self
    }

    /// By another app's bot.
    pub fn as_bot(mut self, bot_id: &str) -> Self {
        self.message.bot_id = Some(bot_id.to_owned());
        self.message.app_id = Some("A0OTHER".to_owned());
        self
    }

    /// With a file; Slack then gives the message the subtype `file_share`.
    pub fn with_file(mut self, name: &str, mimetype: &str, bytes: &[u8]) -> Self {
        let file = (name.to_owned(), mimetype.to_owned(), bytes.to_vec());
        self.files.push(file);
        self.subtype("file_share")
    }

    /// In an envelope of another workspace.
    pub fn from_workspace(mut self, team_id: &str) -> Self {
        self.message.foreign_team = Some(team_id.to_owned());
        self.workspace = Some(team_id.to_owned());
        self
    }

    /// Written that long ago, as a message found only later was.
    pub fn aged(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// The event never arrives.
    pub fn withheld(mut self) -> Self {
        self.deliveries = 0;
        self
    }

    /// The event arrives `times` over, all at once, under one id or under different ones.
    pub fn repeated(mut self, times: usize, new_ids: bool) -> Self {
        self.deliveries = times;
        self.new_ids = new_ids;
        self
    }

    /// The event is not what it claims to be. The message is not written then: it never was.
    pub fn forged(mut self, forgery: Forgery) -> Self {
        self.forgery = forgery;
        self
    }

    /// Writes it and waits for the relay's first answers. Gives the `ts`.
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

    /// Puts the message into the workspace. Gives its `ts` and the event to deliver, if the app hears of it at all.
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

/// A `ts` in the past that no message has yet.
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

/// The blocks Slack's own clients send along with a text; only the text is meant to be read.
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
