//! What people do in the workspace: write, edit, delete, react, manage channels.

mod choose;
mod interact;
mod modal;
mod say;

use serde_json::json;

pub use self::interact::Answer;
pub use self::say::Say;
use super::SlackStandIn;
use super::world::{Channel, User, World};

impl SlackStandIn {
    /// A person who can log in, of this workspace and with full rights.
    pub fn add_user(&self, id: &str, display_name: &str) {
        let team_id = self.read(|world| world.settings.team_id.clone());
        self.put_user(User {
            id: id.to_owned(),
            display_name: display_name.to_owned(),
            real_name: String::new(),
            team_id,
            restricted: false,
            stranger: false,
            bot: false,
        });
    }

    /// Somebody as described: a guest, a stranger from another workspace, a bot.
    pub fn put_user(&self, user: User) {
        self.inner.change(|world| world.put_user(user));
    }

    /// An empty channel; `name` without `#`.
    pub fn add_channel(&self, id: &str, name: &str, private: bool) {
        self.put_channel(Channel {
            id: id.to_owned(),
            name: name.trim_start_matches('#').to_owned(),
            private,
            ..Channel::default()
        });
    }

    /// A channel as described.
    pub fn put_channel(&self, channel: Channel) {
        self.inner.change(|world| world.put_channel(channel));
    }

    /// Lets a person into a channel.
    pub fn join(&self, channel: &str, user: &str) {
        self.inner.change(|world| world.join(channel, user));
    }

    /// Lets a person leave a channel.
    pub fn leave(&self, channel: &str, user: &str) {
        self.inner.change(|world| world.leave(channel, user));
    }

    /// Invites the app into a channel.
    pub fn invite_bot(&self, channel: &str) {
        let bot = self.read(|world| world.settings.bot_user_id.clone());
        self.join(channel, &bot);
    }

    /// Removes the app from a channel.
    pub fn kick_bot(&self, channel: &str) {
        let bot = self.read(|world| world.settings.bot_user_id.clone());
        self.leave(channel, &bot);
    }

    /// Archives a channel, or brings it back.
    pub fn set_archived(&self, channel: &str, archived: bool) {
        self.inner.change(|world| {
            if let Some(channel) = world.channels.get_mut(channel) {
                channel.archived = archived;
            }
        });
    }

    /// Revokes the bot token, or makes it good again.
    pub fn set_token_revoked(&self, revoked: bool) {
        self.inner.change(|world| world.token_revoked = revoked);
    }

    /// Every call of this method whose arguments have these words is refused with `error`, until [`Self::let_words_through`].
    pub fn refuse_words(&self, method: &str, words: &str, error: &str) {
        let refused = (method.to_owned(), words.to_owned(), error.to_owned());
        self.inner.change(|world| world.refused_words.push(refused));
    }

    /// No words are refused any more.
    pub fn let_words_through(&self) {
        self.inner.change(|world| world.refused_words.clear());
    }

    /// Nothing can be posted into this thread: it is locked, or Slack does not find it, as `error` says.
    pub fn refuse_thread(&self, root_ts: &str, error: &str) {
        let (root_ts, error) = (root_ts.to_owned(), error.to_owned());
        self.inner
            .change(|world| world.refused_threads.insert(root_ts, error));
    }

    /// The bot token is this one from now on.
    pub fn set_bot_token(&self, token: &str) {
        self.inner
            .change(|world| world.settings.bot_token = token.to_owned());
    }

    /// Requests are signed with this secret from now on.
    pub fn set_signing_secret(&self, secret: &str) {
        self.inner
            .change(|world| world.settings.signing_secret = secret.to_owned());
    }

    /// The scopes the token has from now on.
    pub fn set_scopes(&self, scopes: &[&str]) {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.inner.change(|world| world.scopes = scopes);
    }

    /// The bot events the app is subscribed to from now on.
    pub fn set_subscriptions(&self, events: &[&str]) {
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        self.inner.change(|world| world.subscriptions = events);
    }

    /// Slack's own limit of about one post a second and channel; off at first.
    pub fn set_rate_limit(&self, on: bool) {
        self.inner.change(|world| world.rate_limit = on);
    }

    /// How often the rate limit has refused a post.
    pub fn rate_limited(&self) -> u64 {
        self.read(|world| world.rate_limited)
    }

    /// Writes a message and waits for the relay's first answer to its event. Gives the `ts`.
    ///
    /// `text` is as Slack has it, with its entities; [`Self::typed`] makes that of what a person types.
    pub async fn post_as(
        &self,
        user: &str,
        channel: &str,
        thread_ts: Option<&str>,
        text: &str,
    ) -> String {
        let mut say = self.say(user, channel, text);
        if let Some(root) = thread_ts {
            say = say.in_thread(root);
        }
        say.send().await
    }

    /// Edits a person's message.
    pub fn edit_as(&self, user: &str, channel: &str, ts: &str, text: &str) {
        self.inner.change(|world| {
            if let Some(mut message) = world.message(channel, ts).cloned() {
                message.text = text.to_owned();
                message.blocks = None;
                world.change_message(channel, message, user);
            }
        });
    }

    /// Unfurls a link in a message: a `message_changed` in which the text stays as it was.
    pub fn unfurl(&self, channel: &str, ts: &str) {
        self.inner.change(|world| {
            if let Some(message) = world.message(channel, ts).cloned() {
                world.replace_message(channel, message);
            }
        });
    }

    /// Deletes a message, whoever wrote it. The head of a thread with replies leaves a tombstone.
    pub fn delete_message(&self, channel: &str, ts: &str) {
        self.inner.change(|world| world.remove_message(channel, ts));
    }

    /// Deletes the files of a message; the message stays, with what is left of them.
    pub fn delete_files(&self, channel: &str, ts: &str) {
        self.inner.change(|world| {
            let message = world.message(channel, ts);
            let files = message.map_or_else(Vec::new, |message| message.files.clone());
            for file in files {
                world.files.remove(&file);
            }
        });
    }

    /// A person's reaction to a message.
    pub fn react_as(&self, user: &str, channel: &str, ts: &str, name: &str) {
        self.inner.change(|world| {
            let target = world.channels.get_mut(channel);
            let Some(message) = target.and_then(|channel| channel.messages.get_mut(ts)) else {
                return;
            };
            if message.react(user, name).is_err() {
                return;
            }
            let writer = message.user.clone();
            let event = json!({
                "type": "reaction_added",
                "user": user,
                "reaction": name,
                "item_user": writer,
                "item": {"type": "message", "channel": channel, "ts": ts},
            });
            world.announce(channel, event);
        });
    }

    /// What Slack's client makes of what a person types: `&`, `<`, `>` escaped, addresses linked, `@name` and `#channel` resolved.
    pub fn typed(&self, text: &str) -> String {
        self.read(|world| typed(world, text))
    }

    /// The link to a message.
    pub fn permalink(&self, channel: &str, ts: &str) -> String {
        self.read(|world| world.permalink(channel, ts))
    }
}

fn typed(world: &World, text: &str) -> String {
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let mut result = String::new();
    for word in escaped.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        let space = &word[bare.len()..];
        if bare.starts_with("http://") || bare.starts_with("https://") {
            let address = bare.trim_end_matches(['.', ',', '!', '?', ')']);
            result.push_str(&format!("<{address}>{}", &bare[address.len()..]));
        } else {
            result.push_str(bare);
        }
        result.push_str(space);
    }
    for user in world.users().filter(|user| !user.display_name.is_empty()) {
        let name = format!("@{}", user.display_name);
        result = result.replace(&name, &format!("<@{}>", user.id));
    }
    for channel in world.channels() {
        let name = format!("#{}", channel.name);
        result = result.replace(&name, &format!("<#{}|{}>", channel.id, channel.name));
    }
    result
}
