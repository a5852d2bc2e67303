//! Who is who in Slack, cached: our workspace, channel ids, members, people's names. Reads only.

pub(crate) mod people;

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use anyhow::Context;
use dashmap::DashMap;
use jiff::{SignedDuration, Timestamp};

use crate::bridge::wording;
use crate::clock::Clock;
use crate::remote::Failure;
use crate::slack::client::Client;
use crate::slack::mrkdwn::{Mentions, Names};
use crate::slack::{ChannelId, TeamId, UserId};
use crate::store::{self, Store};

/// How long a list of members is believed: long enough for a burst of commands, short enough that a new
/// dispatcher is not turned away for long.
const MEMBERS_FOR: SignedDuration = SignedDuration::from_secs(60);

/// How long a person's name is believed.
const NAMES_FOR: SignedDuration = SignedDuration::from_hours(1);

/// How long Slack may take to say who is a member: the person waits, and Slack gives a command 3 s in all.
const MEMBERS_BUDGET: Duration = Duration::from_secs(2);

/// The name under which the workspace is remembered over a restart.
const TEAM_FACT: &str = "slack.team_id";

/// The same for the bot's own user.
const BOT_FACT: &str = "slack.bot_user_id";

/// The name under which the workspace's address is remembered: links to messages begin with it.
const TEAM_URL_FACT: &str = "slack.team_url";
/// The same for a configured channel's id, behind which stands its name.
const CHANNEL_FACT: &str = "slack.channel_id.";

type Cache<T> = DashMap<String, (Timestamp, T)>;

/// The cache; cloning it costs nothing.
#[derive(Debug, Clone)]
pub(crate) struct Directory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    slack: Client,
    clock: Clock,
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
    pub(crate) fn new(slack: Client, clock: Clock) -> Directory {
        Directory(Arc::new(Inner {
            slack,
            clock,
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

    /// Our workspace; `None` until Slack has said so once in this installation's life.
    pub(crate) fn team(&self) -> Option<TeamId> {
        self.0.team.read().ok()?.clone()
    }

    /// Whether this is the bot's own user. What it uploads need not bear a bot's id, and is no reply.
    pub(crate) fn is_bot(&self, user: &UserId) -> bool {
        self.0
            .bot
            .read()
            .is_ok_and(|bot| bot.as_ref() == Some(user))
    }

    /// Takes what Slack last said from the database: our workspace, the bot's user, what people are called and the ids of these
    /// channels.
    pub(crate) async fn recall(&self, store: &Store, channels: &[&str]) -> anyhow::Result<()> {
        if let Some(bot) = store::facts::read(store, BOT_FACT).await? {
            self.set_bot(UserId::new(bot));
        }
        if let Some(team) = store::facts::read(store, TEAM_FACT).await? {
            self.set_team(TeamId::new(team));
        }
        if let Some(url) = store::facts::read(store, TEAM_URL_FACT).await? {
            self.set_team_url(url);
        }
        self.recall_people(store).await?;
        for channel in channels {
            let fact = format!("{CHANNEL_FACT}{channel}");
            if let Some(id) = store::facts::read(store, &fact).await? {
                let id = ChannelId::new(id);
                self.0.channels.insert((*channel).to_owned(), id);
            }
        }
        Ok(())
    }

    /// Asks Slack which workspace the token belongs to and who we are, and remembers it.
    pub(crate) async fn learn_team(&self, store: &Store) -> anyhow::Result<()> {
        let identity = self
            .0
            .slack
            .auth_test()
            .await
            .context("asking Slack who we are")?;
        if !self.is_bot(&identity.user_id) {
            let mut tx = store.begin().await?;
            store::facts::write(&mut tx, BOT_FACT, identity.user_id.as_str()).await?;
            tx.commit().await?;
            self.set_bot(identity.user_id);
        }
        if self.team().as_ref() != Some(&identity.team_id) {
            let mut tx = store.begin().await?;
            store::facts::write(&mut tx, TEAM_FACT, identity.team_id.as_str()).await?;
            tx.commit().await?;
            self.set_team(identity.team_id);
        }
        let url = identity.url;
        if !url.is_empty() && self.0.team_url.read().is_ok_and(|known| *known != url) {
            let mut tx = store.begin().await?;
            store::facts::write(&mut tx, TEAM_URL_FACT, &url).await?;
            tx.commit().await?;
            self.set_team_url(url);
        }
        Ok(())
    }

    /// Asks Slack for a configured channel's id, whatever was remembered, and remembers it; `None` if there is none.
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
        store::facts::write(&mut tx, &fact, found.id.as_str()).await?;
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

    /// The address of a message, as `chat.getPermalink` would give it; `None` until Slack has told our workspace's.
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

    /// The id of a configured channel: `#name`, or an id already.
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

    /// The same without asking Slack.
    pub(crate) fn known_channel_id(&self, configured: &str) -> Option<ChannelId> {
        if configured.starts_with('#') {
            self.0.channels.get(configured).map(|id| id.clone())
        } else {
            Some(ChannelId::new(configured))
        }
    }

    /// Forgets a channel's id: it may have been made anew under the same name.
    pub(crate) fn forget_channel(&self, configured: &str) {
        self.0.channels.remove(configured);
    }

    /// Whether the person is in the channel; an error says that Slack did not tell in time.
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
        // A "no" is never believed from memory: whoever was just invited must not have to wait.
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

    /// The names of everybody and everything a text mentions.
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
            // Somebody of another workspace, or gone: the caller reads a word instead of an id.
            Err(Failure::Refused { code, .. }) if is_nobody(&code) => wording::SOMEBODY.to_owned(),
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
                wording::A_CHANNEL.to_owned()
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

/// Slack's words for a person whom this workspace does not know.
fn is_nobody(code: &str) -> bool {
    matches!(
        code,
        "user_not_found" | "user_not_visible" | "users_not_found"
    )
}
