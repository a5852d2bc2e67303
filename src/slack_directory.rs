//! A cache of what Slack knows: our workspace, channel IDs, channel members, people's names. It only reads from Slack.

pub(crate) mod people;

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use anyhow::Context;
use dashmap::DashMap;
use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::remote::Failure;
use crate::slack::client::Client;
use crate::slack::mrkdwn::{Mentions, Names};
use crate::slack::{ChannelId, TeamId, UserId};
use crate::store::{self, Store};

/// How long a list of members is cached, for positive answers only.
const MEMBERS_FOR: SignedDuration = SignedDuration::from_secs(60);

/// How long the name of a person or a channel is cached.
const NAMES_FOR: SignedDuration = SignedDuration::from_hours(1);

/// The time limit for listing a channel's members. The person waits, and Slack allows 3 s for the whole command.
const MEMBERS_BUDGET: Duration = Duration::from_secs(2);

/// The key under which the workspace's ID is stored.
const TEAM_FACT: &str = "slack.team_id";

/// The key under which the bot's user ID is stored.
const BOT_FACT: &str = "slack.bot_user_id";

/// The key under which the workspace's URL is stored. Links to messages begin with it.
const TEAM_URL_FACT: &str = "slack.team_url";
/// The prefix of the keys under which channel IDs are stored; the configured name follows.
const CHANNEL_FACT: &str = "slack.channel_id.";

type Cache<T> = DashMap<String, (Timestamp, T)>;

/// The words that stand in a text for a person or a channel that Slack does not name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unknown {
    pub(crate) user: &'static str,
    pub(crate) channel: &'static str,
}

/// The cache. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Directory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    slack: Client,
    clock: Clock,
    unknown: Unknown,
    team: RwLock<Option<TeamId>>,
    bot: RwLock<Option<UserId>>,
    team_url: RwLock<String>,
    channels: DashMap<String, ChannelId>,
    members: Cache<Arc<Vec<UserId>>>,
    user_names: Cache<String>,
    people: people::People,
    channel_names: Cache<String>,
}

impl Directory {
    pub(crate) fn new(slack: Client, clock: Clock, unknown: Unknown) -> Directory {
        Directory(Arc::new(Inner {
            slack,
            clock,
            unknown,
            team: RwLock::new(None),
            bot: RwLock::new(None),
            team_url: RwLock::default(),
            channels: DashMap::new(),
            members: DashMap::new(),
            user_names: DashMap::new(),
            people: people::People::default(),
            channel_names: DashMap::new(),
        }))
    }

    /// Returns the ID of our workspace; `None` until Slack has reported it for the first time in this installation's life.
    pub(crate) fn team(&self) -> Option<TeamId> {
        self.0.team.read().ok()?.clone()
    }

    /// Whether this is the bot's user. Its file uploads may have no `bot_id` and must not count as replies.
    pub(crate) fn is_bot(&self, user: &UserId) -> bool {
        self.0
            .bot
            .read()
            .is_ok_and(|bot| bot.as_ref() == Some(user))
    }

    /// Loads what Slack last reported from the database: our workspace, the bot's user, people's names, and the IDs of these
    /// channels.
    pub(crate) async fn recall(&self, store: &Store, channels: &[String]) -> anyhow::Result<()> {
        if let Some(bot) = store::kv::read(store, BOT_FACT).await? {
            self.set_bot(UserId::new(bot));
        }
        if let Some(team) = store::kv::read(store, TEAM_FACT).await? {
            self.set_team(TeamId::new(team));
        }
        if let Some(url) = store::kv::read(store, TEAM_URL_FACT).await? {
            self.set_team_url(url);
        }
        self.recall_people(store).await?;
        for channel in channels {
            let fact = format!("{CHANNEL_FACT}{channel}");
            if let Some(id) = store::kv::read(store, &fact).await? {
                let id = ChannelId::new(id);
                self.0.channels.insert(channel.clone(), id);
            }
        }
        Ok(())
    }

    /// Asks Slack for the token's workspace and bot user, and stores them.
    pub(crate) async fn learn_team(&self, store: &Store) -> anyhow::Result<()> {
        let identity = self
            .0
            .slack
            .auth_test()
            .await
            .context("asking Slack who we are")?;
        if !self.is_bot(&identity.user_id) {
            let mut tx = store.begin().await?;
            store::kv::write(&mut tx, BOT_FACT, identity.user_id.as_str()).await?;
            tx.commit().await?;
            self.set_bot(identity.user_id);
        }
        if self.team().as_ref() != Some(&identity.team_id) {
            let mut tx = store.begin().await?;
            store::kv::write(&mut tx, TEAM_FACT, identity.team_id.as_str()).await?;
            tx.commit().await?;
            self.set_team(identity.team_id);
        }
        let url = identity.url;
        if !url.is_empty() && self.0.team_url.read().is_ok_and(|known| *known != url) {
            let mut tx = store.begin().await?;
            store::kv::write(&mut tx, TEAM_URL_FACT, &url).await?;
            tx.commit().await?;
            self.set_team_url(url);
        }
        Ok(())
    }

    /// Asks Slack for the ID of a configured channel, even if it is cached, and stores it. `None` if the bot sees no such channel.
    pub(crate) async fn learn_channel(
        &self,
        store: &Store,
        configured: &str,
    ) -> anyhow::Result<Option<ChannelId>> {
        if !configured.starts_with('#') {
            return Ok(Some(ChannelId::new(configured)));
        }
        let Some(found) = self.0.slack.find_channel(configured).await? else {
            return Ok(None);
        };
        let mut tx = store.begin().await?;
        let fact = format!("{CHANNEL_FACT}{configured}");
        store::kv::write(&mut tx, &fact, found.id.as_str()).await?;
        tx.commit().await?;
        self.0
            .channels
            .insert(configured.to_owned(), found.id.clone());
        Ok(Some(found.id))
    }

    fn set_bot(&self, user: UserId) {
        if let Ok(mut bot) = self.0.bot.write() {
            *bot = Some(user);
        }
    }

    /// Returns the URL of a message, as `chat.getPermalink` does; `None` if the workspace's URL is not known yet.
    pub(crate) fn link(&self, channel: &str, ts: &str) -> Option<String> {
        let url = self.0.team_url.read().ok()?;
        let is_known = !url.is_empty() && !channel.is_empty() && !ts.is_empty();
        is_known.then(|| {
            let base = url.trim_end_matches('/');
            format!("{base}/archives/{channel}/p{}", ts.replace('.', ""))
        })
    }

    fn set_team_url(&self, url: String) {
        if let Ok(mut ours) = self.0.team_url.write() {
            *ours = url;
        }
    }

    fn set_team(&self, team: TeamId) {
        if let Ok(mut ours) = self.0.team.write() {
            *ours = Some(team);
        }
    }

    /// Returns the ID of a configured channel, which is `#name` or an ID. Asks Slack if it is not cached.
    pub(crate) async fn channel_id(&self, configured: &str) -> Result<Option<ChannelId>, Failure> {
        if !configured.starts_with('#') {
            return Ok(Some(ChannelId::new(configured)));
        }
        if let Some(id) = self.known_channel_id(configured) {
            return Ok(Some(id));
        }
        let Some(found) = self.0.slack.find_channel(configured).await? else {
            return Ok(None);
        };
        self.0
            .channels
            .insert(configured.to_owned(), found.id.clone());
        Ok(Some(found.id))
    }

    /// Returns the ID of a configured channel if it is cached, without asking Slack.
    pub(crate) fn known_channel_id(&self, configured: &str) -> Option<ChannelId> {
        if configured.starts_with('#') {
            self.0.channels.get(configured).map(|id| id.clone())
        } else {
            Some(ChannelId::new(configured))
        }
    }

    /// Removes a channel's ID from the cache, because a new channel may have its name.
    pub(crate) fn forget_channel(&self, configured: &str) {
        self.0.channels.remove(configured);
    }

    /// Whether a user is a member of a channel. An error if Slack does not answer in time.
    pub(crate) async fn is_member(
        &self,
        channel: &ChannelId,
        user: &UserId,
    ) -> anyhow::Result<bool> {
        let now = self.0.clock.now();
        let fresh = |at: Timestamp| now.duration_since(at) < MEMBERS_FOR;
        if let Some(entry) = self.0.members.get(channel.as_str())
            && fresh(entry.0)
            && entry.1.contains(user)
        {
            return Ok(true);
        }
        // Never answer "no" from the cache: somebody who was just invited must not have to wait.
        let members = tokio::time::timeout(MEMBERS_BUDGET, self.0.slack.members(channel))
            .await
            .context("Slack takes too long to list the channel's members")?
            .context("listing the channel's members")?;
        let found = members.contains(user);
        self.0
            .members
            .insert(channel.as_str().to_owned(), (now, Arc::new(members)));
        Ok(found)
    }

    /// Returns the names of all users and channels in `mentions`. Asks Slack for those that are not cached.
    pub(crate) async fn names(&self, mentions: &Mentions) -> Result<Names, Failure> {
        let mut users = HashMap::new();
        for user in &mentions.users {
            users.insert(user.clone(), self.user_name(user).await?);
        }
        let mut channels = HashMap::new();
        for channel in &mentions.channels {
            channels.insert(channel.clone(), self.channel_name(channel).await?);
        }
        Ok(Names { users, channels })
    }

    async fn user_name(&self, user: &UserId) -> Result<String, Failure> {
        if let Some(name) = self.fresh(&self.0.user_names, user.as_str()) {
            return Ok(name);
        }
        let name = match self.0.slack.user_info(user).await {
            Ok(info) => {
                self.set_called(&info);
                self.look_at_people();
                info.name
            }
            // The user is deleted or of another workspace: the caller reads a word instead of an ID.
            Err(Failure::Refused { code, .. }) if is_nobody(&code) => {
                self.0.unknown.user.to_owned()
            }
            Err(failure) => return Err(failure),
        };
        self.0
            .user_names
            .insert(user.as_str().to_owned(), (self.0.clock.now(), name.clone()));
        Ok(name)
    }

    async fn channel_name(&self, channel: &ChannelId) -> Result<String, Failure> {
        if let Some(name) = self.fresh(&self.0.channel_names, channel.as_str()) {
            return Ok(name);
        }
        let name = match self.0.slack.channel(channel).await {
            Ok(info) => info.name,
            Err(Failure::Refused { code, .. }) if code == "channel_not_found" => {
                self.0.unknown.channel.to_owned()
            }
            Err(failure) => return Err(failure),
        };
        self.0.channel_names.insert(
            channel.as_str().to_owned(),
            (self.0.clock.now(), name.clone()),
        );
        Ok(name)
    }

    fn fresh(&self, cache: &Cache<String>, key: &str) -> Option<String> {
        let entry = cache.get(key)?;
        (self.0.clock.now().duration_since(entry.0) < NAMES_FOR).then(|| entry.1.clone())
    }
}

/// Whether the code is one of Slack's errors for a user that this workspace does not know.
fn is_nobody(code: &str) -> bool {
    matches!(
        code,
        "user_not_found" | "user_not_visible" | "users_not_found"
    )
}
