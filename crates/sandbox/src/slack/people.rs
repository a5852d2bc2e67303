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
    /// Adds a member of this workspace with full rights.
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

    /// Adds somebody as described: a guest, a stranger from another workspace, a bot.
    pub fn put_user(&self, user: User) {
        self.inner.change(|world| world.put_user(user));
    }

    /// Adds an empty channel.
    pub fn add_channel(&self, id: &str, name: &str, private: bool) {
        self.put_channel(Channel {
            id: id.to_owned(),
            name: name.trim_start_matches('#').to_owned(),
            private,
            ..Channel::default()
        });
    }

    /// Adds a channel as described.
    pub fn put_channel(&self, channel: Channel) {
        self.inner.change(|world| world.put_channel(channel));
    }

    /// Adds a person to a channel.
    pub fn join(&self, channel: &str, user: &str) {
        self.inner.change(|world| world.join(channel, user));
    }

    /// Removes a person from a channel.
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

    /// Archives a channel, or unarchives it.
    pub fn set_archived(&self, channel: &str, archived: bool) {
        self.inner.change(|world| {
            if let Some(channel) = world.channels.get_mut(channel) {
                channel.archived = archived;
            }
        });
    }

    /// Revokes the bot token, or restores it.
    pub fn set_token_revoked(&self, revoked: bool) {
        self.inner.change(|world| world.token_revoked = revoked);
    }

    /// Refuses every call of this method whose arguments have these words, until [`Self::let_words_through`].
    pub fn refuse_words(&self, method: &str, words: &str, error: &str) {
        let refused = (method.to_owned(), words.to_owned(), error.to_owned());
        self.inner.change(|world| world.refused_words.push(refused));
    }

    /// Ends what [`Self::refuse_words`] began.
    pub fn let_words_through(&self) {
        self.inner.change(|world| world.refused_words.clear());
    }

    /// Refuses posts into this thread with `error`, as if it were locked or not found.
    pub fn refuse_thread(&self, root_ts: &str, error: &str) {
        let (root_ts, error) = (root_ts.to_owned(), error.to_owned());
        self.inner
            .change(|world| world.refused_threads.insert(root_ts, error));
    }

    /// Replaces the bot token.
    pub fn set_bot_token(&self, token: &str) {
        self.inner
            .change(|world| world.settings.bot_token = token.to_owned());
    }

    /// Replaces the secret that requests to the app are signed with.
    pub fn set_signing_secret(&self, secret: &str) {
        self.inner
            .change(|world| world.settings.signing_secret = secret.to_owned());
    }

    /// Replaces the scopes of the token.
    pub fn set_scopes(&self, scopes: &[&str]) {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.inner.change(|world| world.scopes = scopes);
    }

    /// Replaces the bot events that the app is subscribed to.
    pub fn set_subscriptions(&self, events: &[&str]) {
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        self.inner.change(|world| world.subscriptions = events);
    }

    /// Turns Slack's limit of about one post per second and channel on or off. It is off at first.
    pub fn set_rate_limit(&self, on: bool) {
        self.inner.change(|world| world.rate_limit = on);
    }

    /// The number of posts that the rate limit has refused.
    pub fn rate_limited(&self) -> u64 {
        self.read(|world| world.rate_limited)
    }

    /// Writes a message and waits for the relay's first answer to its event. Returns the `ts`.
    ///
    /// `text` is in Slack's form, with entities; [`Self::typed`] turns typed words into it.
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

    /// Unfurls a link in a message: a `message_changed` with an unchanged text.
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

    /// Deletes the files of a message. The message stays, with their tombstones.
    pub fn delete_files(&self, channel: &str, ts: &str) {
        self.inner.change(|world| {
            let message = world.message(channel, ts);
            let files = message.map_or_else(Vec::new, |message| message.files.clone());
            for file in files {
                world.files.remove(&file);
            }
        });
    }

    /// Adds a person's reaction to a message.
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

    /// Turns typed words into Slack's form, as its client does: `&`, `<`, `>` escaped, addresses linked, `@name` and
    /// `#channel` resolved.
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
