//! The names of the people in our channels. A reply that begins with one of them is for a colleague and not for the caller.
//!
//! The names of the members of the lines' channels, and of everybody who writes there, are fetched in the background and
//! stored in the database. No reply waits for them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dashmap::{DashMap, DashSet};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::Directory;
use crate::remote::Failure;
use crate::slack::UserId;
use crate::slack::client::UserInfo;
use crate::store::{self, Store};

/// The key under which the names are stored.
const PEOPLE_FACT: &str = "slack.people";

/// How often all members are fetched.
const ROUND: Duration = Duration::from_secs(3_600);

/// How often to try until that has succeeded once.
const SOON: Duration = Duration::from_secs(60);

/// How long a person's names are cached.
const CALLED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The most people in the cache: far more than a desk has.
const MOST: usize = 500;

/// The number of requests without a pause, and the pause between further ones. Slack allows a hundred a minute.
const AT_ONCE: usize = 20;
const PAUSE: Duration = Duration::from_secs(1);

/// Everyday words that are also names. If they counted as names, every other reply would wait for a confirmation.
const WORDS: [&str; 32] = [
    "a", "am", "an", "as", "at", "be", "by", "do", "go", "ha", "he", "hi", "i", "if", "in", "is",
    "it", "me", "my", "no", "of", "oh", "ok", "on", "or", "so", "to", "u", "up", "us", "we", "ya",
];

/// The cached names and the people to fetch.
#[derive(Debug, Default)]
pub(super) struct People {
    /// The names by user ID; empty for bots and deleted users.
    called: DashMap<String, (Timestamp, Vec<String>)>,
    /// The users who have written and are not in the cache.
    wanted: DashSet<String>,
    /// Whether the cache contains names that are not stored yet.
    is_new: AtomicBool,
    look: Notify,
}

impl Directory {
    /// Returns the names of the people in our channels, except those of one user.
    pub(crate) fn known_names(&self, but: &UserId) -> Vec<String> {
        let known = self.0.people.called.iter();
        known
            .filter(|entry| entry.key() != but.as_str())
            .flat_map(|entry| entry.value().1.clone())
            .filter(|name| is_telling(name))
            .collect()
    }

    /// Records that a user writes in one of our channels. Their names are fetched later if they are not cached.
    pub(crate) fn note_writer(&self, user: &UserId) {
        let people = &self.0.people;
        if !people.called.contains_key(user.as_str()) && people.wanted.len() < MOST {
            people.wanted.insert(user.as_str().to_owned());
            people.look.notify_one();
        }
    }

    /// Wakes the background task, because channels or people to fetch are known.
    pub(crate) fn look_at_people(&self) {
        self.0.people.look.notify_one();
    }

    /// Caches the names of a user that Slack returned.
    pub(super) fn set_called(&self, user: &UserInfo) {
        let is_person = !user.is_bot && !user.deleted && user.id.as_str() != "USLACKBOT";
        let names = if is_person {
            user.names.clone()
        } else {
            Vec::new()
        };
        self.call(&user.id, names);
    }

    fn call(&self, user: &UserId, names: Vec<String>) {
        let people = &self.0.people;
        let now = self.0.clock.now();
        let before = people
            .called
            .insert(user.as_str().to_owned(), (now, names.clone()));
        people.wanted.remove(user.as_str());
        if before.is_none_or(|(_, before)| before != names) {
            people.is_new.store(true, Ordering::Relaxed);
        }
    }

    pub(super) async fn recall_people(&self, store: &Store) -> anyhow::Result<()> {
        let known = store::kv::read(store, PEOPLE_FACT).await?;
        for (user, names) in read(known) {
            let called = &self.0.people.called;
            called.insert(user, (Timestamp::UNIX_EPOCH, names));
        }
        Ok(())
    }

    /// Fetches the names of the wanted people, and in a round of all members, from Slack unless they are fresh.
    async fn learn_people(&self, channels: &[&str], is_round: bool) -> Result<(), Failure> {
        let people = &self.0.people;
        let mut users: Vec<UserId> = people
            .wanted
            .iter()
            .map(|id| UserId::new(id.key()))
            .collect();
        for channel in channels.iter().filter(|_| is_round) {
            if let Some(channel) = self.known_channel_id(channel) {
                users.extend(self.0.slack.members(&channel).await?);
            }
        }
        users.sort();
        users.dedup();
        let now = self.0.clock.now();
        users.retain(|user| {
            let known = people.called.get(user.as_str());
            let is_fresh = known.is_some_and(|known| now.duration_since(known.0) < CALLED_FOR);
            !is_fresh && !self.is_bot(user)
        });
        // Pause between requests to stay below Slack's limit for users.info.
        for (asked, user) in users.iter().enumerate() {
            if people.called.len() >= MOST {
                break;
            }
            if asked >= AT_ONCE {
                tokio::time::sleep(PAUSE).await;
            }
            match self.0.slack.user_info(user).await {
                Ok(info) => self.set_called(&info),
                Err(Failure::Refused { code, .. }) if super::is_nobody(&code) => {
                    self.call(user, Vec::new());
                }
                Err(failure) => return Err(failure),
            }
        }
        people.wanted.clear();
        Ok(())
    }

    /// Stores the new names and keeps those that another process has stored.
    async fn remember_people(&self, store: &Store) -> anyhow::Result<()> {
        let people = &self.0.people;
        if !people.is_new.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let mut tx = store.begin().await?;
        let mut known = read(store::kv::read(&mut tx, PEOPLE_FACT).await?);
        for entry in &people.called {
            known.insert(entry.key().clone(), entry.value().1.clone());
        }
        known.retain(|_, names| !names.is_empty());
        store::kv::write(&mut tx, PEOPLE_FACT, &serde_json::to_string(&known)?).await?;
        tx.commit().await
    }
}

fn read(known: Option<String>) -> BTreeMap<String, Vec<String>> {
    known
        .and_then(|known| serde_json::from_str(&known).ok())
        .unwrap_or_default()
}

/// Whether a reply that begins with this name is likely to address a person.
fn is_telling(name: &str) -> bool {
    let first = name.split_whitespace().next().unwrap_or_default();
    let first = first.trim_start_matches('@').to_lowercase();
    !WORDS.contains(&first.as_str())
}

/// Fetches the names of the people of these channels in the background until `stop`.
pub(crate) async fn watch(
    directory: Directory,
    store: Store,
    channels: Vec<String>,
    mut stop: watch::Receiver<bool>,
) {
    let channels: Vec<&str> = channels.iter().map(String::as_str).collect();
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => {}
        () = learn(&directory, &store, &channels) => {}
    }
}

async fn learn(directory: &Directory, store: &Store, channels: &[&str]) {
    let people = &directory.0.people;
    let mut last: Option<Instant> = None;
    loop {
        let wait = if last.is_some() { ROUND } else { SOON };
        // Continue on a wake-up or a timeout alike: the code below finds what is due.
        let _ = tokio::time::timeout(wait, people.look.notified()).await;
        let is_round = last.is_none_or(|last| last.elapsed() >= ROUND);
        let told = directory.learn_people(channels, is_round).await;
        if let Err(error) = directory.remember_people(store).await {
            people.is_new.store(true, Ordering::Relaxed);
            tracing::debug!(
                error = format!("{error:#}"),
                "storing people's names failed; trying again"
            );
        }
        match told {
            Ok(()) if is_round => last = Some(Instant::now()),
            Ok(()) => {}
            Err(failure) => {
                tracing::debug!(?failure, "fetching people's names failed; trying again");
                tokio::time::sleep(SOON).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyday_words_are_no_names() {
        for (name, expected) in [
            ("Al", true),
            ("Jo Lee", true),
            ("J", true),
            ("We", false),
            ("No Name", false),
            ("@ok", false),
            ("Will", true),
        ] {
            assert_eq!(is_telling(name), expected, "{name}");
        }
    }
}
