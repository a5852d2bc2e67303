//! Threads in which replies may stand that no event told of: every thread after a start or when Slack has held events back,
//! and one whose event was answered with "no". Nobody but Slack can make replies wait: no request counts that is not signed.
//! A reply that comes in such a thread waits until the thread was compared with Slack, so that replies leave in the order in
//! which they were written.
//!
//! Each process knows this by itself: what another replica failed to take is told again by Slack or found by comparing.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use jiff::Timestamp;

use crate::delivery;

/// A channel and the root of a thread in it.
pub(crate) type Thread = (String, String);

/// How many seconds a reply waits at most: if Slack cannot be read, it leaves as it came.
const PATIENCE: f64 = 10.0;

/// However short the other waits are set.
const LEAST_PATIENCE: Duration = Duration::from_millis(1_500);

/// How long a reply waits at most for its thread to be compared.
pub(crate) fn patience(settle_after: Duration) -> Duration {
    delivery::scaled(settle_after, PATIENCE).max(LEAST_PATIENCE)
}

/// What this process knows of its threads.
#[derive(Debug)]
pub(crate) struct Doubts {
    /// When the process began, by the clock that dates rows.
    started: Timestamp,
    /// When the last complete comparison of a thread began.
    compared: DashMap<Thread, Instant>,
    /// When an event of a thread was last answered with "no".
    refused: DashMap<Thread, Instant>,
    /// When events of any thread were last missing, also by the clock that dates rows.
    all_refused: Mutex<Option<(Instant, Timestamp)>>,
    /// Threads in which replies wait.
    wanted: DashMap<Thread, Wanted>,
}

#[derive(Debug)]
struct Wanted {
    conversation: String,
    since: Instant,
}

impl Doubts {
    pub(crate) fn new(started: Timestamp) -> Doubts {
        Doubts {
            started,
            compared: DashMap::new(),
            refused: DashMap::new(),
            all_refused: Mutex::new(None),
            wanted: DashMap::new(),
        }
    }

    /// Whether a reply may stand there that is not known.
    pub(crate) fn is_in_doubt(&self, channel: &str, root: &str) -> bool {
        let thread = (channel.to_owned(), root.to_owned());
        let Some(compared) = self.compared.get(&thread).map(|at| *at) else {
            return true;
        };
        let refused = self.refused.get(&thread).map(|at| *at);
        let all_refused = self.all_refused().map(|(at, _)| at);
        refused.max(all_refused).is_some_and(|at| at >= compared)
    }

    fn all_refused(&self) -> Option<(Instant, Timestamp)> {
        *self
            .all_refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// An event of the thread was not taken.
    pub(crate) fn refuse(&self, channel: &str, root: &str) {
        let thread = (channel.to_owned(), root.to_owned());
        self.refused.insert(thread, Instant::now());
    }

    /// Events were not taken of which nobody knows whose they are: until `now`, by the clock that dates rows.
    pub(crate) fn refuse_all(&self, now: Timestamp) {
        let mut all_refused = self
            .all_refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *all_refused = Some((Instant::now(), now));
    }

    /// All that stood in the thread at `began` is known.
    pub(crate) fn compared(&self, channel: &str, root: &str, began: Instant) {
        let thread = (channel.to_owned(), root.to_owned());
        self.compared.insert(thread, began);
    }

    /// The thread's root was asked for at `asked`: in one that is younger than this process, events are missing only if one
    /// was refused.
    pub(crate) fn begun(&self, channel: &str, root: &str, asked: Timestamp) {
        let thread = (channel.to_owned(), root.to_owned());
        let all_refused = self.all_refused();
        let is_younger = asked >= self.started && all_refused.is_none_or(|(_, at)| asked > at);
        if is_younger && !self.refused.contains_key(&thread) {
            self.compared.insert(thread, Instant::now());
        }
    }

    /// A reply of this conversation waits for the thread to be compared.
    pub(crate) fn want(&self, channel: &str, root: &str, conversation: &str) {
        let thread = (channel.to_owned(), root.to_owned());
        self.wanted.entry(thread).or_insert_with(|| Wanted {
            conversation: conversation.to_owned(),
            since: Instant::now(),
        });
    }

    /// Whether replies of the conversation wait for another of its threads, and have not done so for longer than `patience`.
    pub(crate) fn wants_other(
        &self,
        conversation: &str,
        (channel, root): (&str, &str),
        patience: Duration,
    ) -> bool {
        self.wanted.iter().any(|entry| {
            let (other_channel, other_root) = entry.key();
            let is_other = (other_channel.as_str(), other_root.as_str()) != (channel, root);
            is_other
                && entry.conversation == conversation
                && entry.since.elapsed() < patience
                && self.is_in_doubt(other_channel, other_root)
        })
    }

    /// The threads in which replies wait, longest first.
    pub(crate) fn wanted(&self) -> Vec<(Thread, Instant)> {
        let wanted = self.wanted.iter();
        let mut wanted: Vec<(Thread, Instant)> = wanted
            .map(|entry| (entry.key().clone(), entry.since))
            .collect();
        wanted.sort_by_key(|(_, since)| *since);
        wanted
    }

    /// Nothing waits there any more.
    pub(crate) fn served(&self, thread: &Thread) {
        self.wanted.remove(thread);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_in_doubt_until_it_was_compared_after_the_last_refusal() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let doubts = Doubts::new(at(100));
        assert!(doubts.is_in_doubt("C1", "1.0"), "after a start");
        let began = Instant::now();
        doubts.refuse("C1", "1.0");
        doubts.compared("C1", "1.0", began);
        assert!(
            doubts.is_in_doubt("C1", "1.0"),
            "the refused event may have been written after it was read"
        );
        doubts.compared("C1", "1.0", Instant::now() + Duration::from_millis(1));
        assert!(!doubts.is_in_doubt("C1", "1.0"));
        assert!(doubts.is_in_doubt("C1", "2.0"), "another thread");
        doubts.begun("C1", "2.0", at(99));
        assert!(doubts.is_in_doubt("C1", "2.0"), "older than the process");
        doubts.begun("C1", "2.0", at(100));
        assert!(!doubts.is_in_doubt("C1", "2.0"));
        doubts.refuse("C1", "3.0");
        doubts.begun("C1", "3.0", at(101));
        assert!(doubts.is_in_doubt("C1", "3.0"), "its event was refused");
    }

    #[test]
    fn events_held_back_put_every_thread_in_doubt_that_was_there() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let doubts = Doubts::new(at(100));
        doubts.compared("C1", "1.0", Instant::now());
        doubts.refuse_all(at(200));
        assert!(doubts.is_in_doubt("C1", "1.0"));
        doubts.compared("C1", "1.0", Instant::now() + Duration::from_millis(1));
        assert!(!doubts.is_in_doubt("C1", "1.0"));
        doubts.begun("C1", "2.0", at(200));
        assert!(doubts.is_in_doubt("C1", "2.0"));
        doubts.begun("C1", "2.0", at(201));
        assert!(!doubts.is_in_doubt("C1", "2.0"));
    }

    #[test]
    fn a_conversation_waits_for_each_of_its_threads() {
        let doubts = Doubts::new(Timestamp::UNIX_EPOCH);
        let patience = Duration::from_secs(60);
        doubts.want("C1", "1.0", "alice");
        doubts.want("C1", "2.0", "alice");
        let wants_other = |patience| doubts.wants_other("alice", ("C1", "2.0"), patience);
        assert!(wants_other(patience));
        assert!(!wants_other(Duration::ZERO), "not for ever");
        assert!(!doubts.wants_other("bob", ("C1", "3.0"), patience));
        doubts.compared("C1", "1.0", Instant::now());
        assert!(!wants_other(patience));
    }
}
