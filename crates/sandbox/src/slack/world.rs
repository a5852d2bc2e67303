//! The state of the stand-in: one workspace with its people, channels, messages and files.
//!
//! Plain data behind one mutex. The Web API (`methods`), people (`people`) and tests read and change it; nothing here does I/O.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::Value;

use super::Settings;
use super::changes::{Allowance, Event};
use super::message::{Ephemeral, Message};

/// A person, or the app's bot user, as `users.info` describes them.
#[derive(Debug, Clone)]
pub struct User {
    /// `U…`
    pub id: String,
    /// The display name, which may be empty.
    pub display_name: String,
    /// The full name; if it is empty, the display name is used.
    pub real_name: String,
    /// The person's workspace; another one for a guest of Slack Connect.
    pub team_id: String,
    /// Whether they are a guest with limited rights.
    pub restricted: bool,
    /// Whether they are from the other side of a shared channel and unknown to this workspace.
    pub stranger: bool,
    /// Whether they are an app's user.
    pub bot: bool,
}

/// A conversation of type `channel` or `group` (private).
#[derive(Debug, Clone, Default)]
pub struct Channel {
    /// `C…`
    pub id: String,
    /// Without the `#`.
    pub name: String,
    pub private: bool,
    pub archived: bool,
    /// Whether it is shared with another workspace.
    pub ext_shared: bool,
    /// User ids, including the bot's once it is invited.
    pub members: BTreeSet<String>,
    /// Every message by `ts`, including replies, in the order of time.
    pub messages: BTreeMap<String, Message>,
}

impl Channel {
    /// The event's `channel_type`.
    pub(super) fn kind(&self) -> &'static str {
        if self.private { "group" } else { "channel" }
    }

    /// The replies of a thread, oldest first, without their parent.
    pub fn replies<'a>(&'a self, root: &'a str) -> impl Iterator<Item = &'a Message> {
        self.messages
            .values()
            .filter(move |message| message.is_reply() && message.thread_ts.as_deref() == Some(root))
    }

    /// The messages that the channel shows: roots and broadcasts, oldest first.
    pub fn roots(&self) -> impl Iterator<Item = &Message> {
        self.messages
            .values()
            .filter(|message| !message.is_reply() || message.is_broadcast())
    }
}

/// A file, uploaded by a person or by the app.
#[derive(Debug, Clone)]
pub struct StoredFile {
    /// `F…`
    pub id: String,
    pub name: String,
    pub mimetype: String,
    pub bytes: Vec<u8>,
    pub user: String,
    /// The announced length of an upload; `None` once the bytes are here.
    pub(super) expected: Option<usize>,
    /// Whether `files.completeUploadExternal` was called, which works once.
    pub(super) completed: bool,
}

/// A view that a person sees: a modal or the app's home tab.
#[derive(Debug, Clone)]
pub struct View {
    /// `V…`
    pub id: String,
    pub user: String,
    pub view: Value,
}

/// A `trigger_id` that was sent with a command or a press.
#[derive(Debug, Clone)]
pub(super) struct Trigger {
    pub(super) user: String,
    pub(super) issued: Timestamp,
    pub(super) used: bool,
}

/// A `response_url` that was sent with a command or a press.
#[derive(Debug, Clone)]
pub(super) struct ResponseUrl {
    pub(super) channel: String,
    pub(super) user: String,
    /// The message whose button was pressed; `replace_original` replaces it.
    pub(super) message_ts: Option<String>,
    pub(super) issued: Timestamp,
    pub(super) uses: u32,
}

/// One change that the app made by the Web API.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// `chat.postMessage`, …
    pub method: String,
    /// The arguments as Slack understood them.
    pub arguments: Value,
    /// The `ts` of the message that was posted or changed; empty if there is none.
    pub ts: String,
    pub at: Timestamp,
}

/// The state of the workspace.
#[derive(Debug)]
pub struct World {
    pub(super) settings: Settings,
    pub(super) base_url: String,
    pub(super) users: BTreeMap<String, User>,
    pub(super) channels: BTreeMap<String, Channel>,
    pub(super) ephemerals: Vec<Ephemeral>,
    pub(super) files: HashMap<String, StoredFile>,
    pub(super) modals: Vec<View>,
    pub(super) homes: HashMap<String, View>,
    pub(super) triggers: HashMap<String, Trigger>,
    pub(super) response_urls: HashMap<String, ResponseUrl>,
    pub(super) scopes: BTreeSet<String>,
    pub(super) subscriptions: BTreeSet<String>,
    pub(super) token_revoked: bool,
    /// (method, words, error): a call of the method is refused with the error if its arguments have the words.
    pub(super) refused_words: Vec<(String, String, String)>,
    /// The error of a post into the thread of this root.
    pub(super) refused_threads: BTreeMap<String, String>,
    pub(super) rate_limit: bool,
    pub(super) accepted: Vec<Accepted>,
    pub(super) violations: Vec<String>,
    pub(super) events: Vec<Event>,
    pub(super) allowances: HashMap<String, Allowance>,
    pub(super) rate_limited: u64,
    last_micros: i64,
    last_id: u64,
}

impl World {
    pub(super) fn new(settings: Settings, base_url: String) -> Self {
        let mut world = Self {
            base_url,
            users: BTreeMap::new(),
            channels: BTreeMap::new(),
            ephemerals: Vec::new(),
            files: HashMap::new(),
            modals: Vec::new(),
            homes: HashMap::new(),
            triggers: HashMap::new(),
            response_urls: HashMap::new(),
            scopes: settings.scopes.iter().cloned().collect(),
            subscriptions: settings.subscriptions.iter().cloned().collect(),
            token_revoked: false,
            refused_words: Vec::new(),
            refused_threads: BTreeMap::new(),
            rate_limit: false,
            accepted: Vec::new(),
            violations: Vec::new(),
            events: Vec::new(),
            allowances: HashMap::new(),
            rate_limited: 0,
            last_micros: 0,
            last_id: 0,
            settings,
        };
        let bot = User {
            id: world.settings.bot_user_id.clone(),
            display_name: world.settings.bot_name.clone(),
            real_name: String::new(),
            team_id: world.settings.team_id.clone(),
            restricted: false,
            stranger: false,
            bot: true,
        };
        world.users.insert(bot.id.clone(), bot);
        world
    }

    pub(super) fn now(&self) -> Timestamp {
        crate::clock::now()
    }

    /// A new message id: seconds and microseconds, later than every one before.
    pub(super) fn next_ts(&mut self) -> String {
        let micros = self.now().as_microsecond().max(self.last_micros + 1);
        self.last_micros = micros;
        format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }

    /// A new id: the prefix and a number.
    pub(super) fn next_id(&mut self, prefix: &str) -> String {
        self.last_id += 1;
        format!("{prefix}0{:08}", self.last_id)
    }

    pub(super) fn violation(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    pub(super) fn accept(&mut self, method: &str, arguments: Value, ts: &str) {
        let at = self.now();
        self.accepted.push(Accepted {
            method: method.to_owned(),
            arguments,
            ts: ts.to_owned(),
            at,
        });
    }

    pub(super) fn is_bot_in(&self, channel: &Channel) -> bool {
        channel.members.contains(&self.settings.bot_user_id)
    }

    /// The channel, if the app may see it. A private one that the app is not in does not exist for it.
    pub(super) fn visible_channel(&self, id: &str) -> Result<&Channel, &'static str> {
        self.channels
            .get(id)
            .filter(|channel| !channel.private || self.is_bot_in(channel))
            .ok_or("channel_not_found")
    }

    /// A channel by its id, whether the app may see it or not.
    pub fn channel(&self, id: &str) -> Option<&Channel> {
        self.channels.get(id)
    }

    /// Every channel, by id.
    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values()
    }

    /// Everybody, by id.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// One message.
    pub fn message(&self, channel: &str, ts: &str) -> Option<&Message> {
        self.channels.get(channel)?.messages.get(ts)
    }

    /// The messages that a channel shows: roots and broadcasts, oldest first.
    pub fn roots(&self, channel: &str) -> Vec<&Message> {
        self.channels
            .get(channel)
            .map(|channel| channel.roots().collect())
            .unwrap_or_default()
    }

    /// The replies of a thread, oldest first, without their parent.
    pub fn thread<'a>(&'a self, channel: &str, root_ts: &'a str) -> Vec<&'a Message> {
        self.channels
            .get(channel)
            .map(|channel| channel.replies(root_ts).collect())
            .unwrap_or_default()
    }

    /// The names of a message's reactions, in the order they were first given.
    pub fn reactions(&self, channel: &str, ts: &str) -> Vec<String> {
        self.message(channel, ts)
            .map(|message| message.reactions.iter().map(|r| r.name.clone()).collect())
            .unwrap_or_default()
    }

    /// The ephemeral messages of this person, oldest first.
    pub fn ephemerals<'a>(&'a self, user: &'a str) -> impl Iterator<Item = &'a Ephemeral> {
        self.ephemerals.iter().filter(move |e| e.user == user)
    }

    /// The ephemeral messages of everybody, oldest first.
    pub fn all_ephemerals(&self) -> &[Ephemeral] {
        &self.ephemerals
    }

    /// Every open modal; the topmost of a stack is last.
    pub fn modals(&self) -> &[View] {
        &self.modals
    }

    /// The name of the app.
    pub fn bot_name(&self) -> &str {
        &self.settings.bot_name
    }

    /// The violations so far: requests that a correct app never sends.
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// The app's home tab of this person, once it is published.
    pub fn home(&self, user: &str) -> Option<&View> {
        self.homes.get(user)
    }

    /// The open modal of this person, the topmost of a stack.
    pub fn modal(&self, user: &str) -> Option<&View> {
        self.modals.iter().rev().find(|view| view.user == user)
    }

    /// A file by its id.
    pub fn file(&self, id: &str) -> Option<&StoredFile> {
        self.files.get(id)
    }

    /// Every change that the app made, in the order in which they were accepted.
    pub fn accepted(&self) -> &[Accepted] {
        &self.accepted
    }
}
