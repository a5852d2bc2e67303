//! Tracks which Slack threads may hold replies whose events we missed. That is every thread after a start or after Slack
//! rate-limited our events, and a single thread after we answered one of its events with an error. Only signed requests
//! count, so nobody but Slack can make replies wait.
//!
//! A new reply in such a thread waits until the backfill has read the thread from Slack, so that replies are texted in the
//! order in which they were written.
//!
//! Each process tracks this for itself. If another replica fails to take an event, Slack retries it or the backfill finds
//! the reply.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use jiff::Timestamp;

use crate::delivery;

/// A channel's id and the `ts` of the thread's parent message.
pub(crate) type Thread = (String, String);

/// A reply waits at most this many seconds (scaled with `settle_after`). If Slack cannot be read by then, the reply leaves
/// in the order in which its event arrived.
const LONGEST_WAIT: f64 = 10.0;

/// The lower bound of that wait, however short `settle_after` is.
const SHORTEST: Duration = Duration::from_millis(1_500);

/// Returns how long a reply waits at most for its thread to be read.
pub(crate) fn longest_wait(settle_after: Duration) -> Duration {
    delivery::scaled(settle_after, LONGEST_WAIT).max(SHORTEST)
}

/// The sync state of all threads, as far as this process knows it.
#[derive(Debug)]
pub(crate) struct ThreadSync {
    /// When the process started, by the store's clock (the one that dates rows).
    started: Timestamp,
    /// For each thread, when the last complete read of it began.
    compared: DashMap<Thread, Instant>,
    /// For each thread, when we last answered one of its events with an error.
    refused: DashMap<Thread, Instant>,
    /// When events were last missed without knowing of which thread; also by the store's clock.
    all_refused: Mutex<Option<(Instant, Timestamp)>>,
    /// The threads in which replies wait.
    wanted: DashMap<Thread, Wanted>,
}

#[derive(Debug)]
struct Wanted {
    conversation: String,
    since: Instant,
}

impl ThreadSync {
    pub(crate) fn new(started: Timestamp) -> ThreadSync {
        ThreadSync {
            started,
            compared: DashMap::new(),
            refused: DashMap::new(),
            all_refused: Mutex::new(None),
            wanted: DashMap::new(),
        }
    }

    /// Whether the thread may hold a reply whose event we missed.
    pub(crate) fn needs_sync(&self, channel: &str, root: &str) -> bool {
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

    /// Records that an event of this thread was answered with an error.
    pub(crate) fn event_refused(&self, channel: &str, root: &str) {
        let thread = (channel.to_owned(), root.to_owned());
        self.refused.insert(thread, Instant::now());
    }

    /// Records that events of unknown threads were missed up to `now`, by the store's clock.
    pub(crate) fn all_events_refused(&self, now: Timestamp) {
        let mut all_refused = self
            .all_refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *all_refused = Some((Instant::now(), now));
    }

    /// Records a complete read of the thread that began at `began`.
    pub(crate) fn synced(&self, channel: &str, root: &str, began: Instant) {
        let thread = (channel.to_owned(), root.to_owned());
        self.compared.insert(thread, began);
    }

    /// Records that the thread was created by the post that was enqueued at `asked`. If that is after this process started and
    /// after the last missed events, the thread counts as read, unless one of its own events was refused.
    pub(crate) fn thread_created(&self, channel: &str, root: &str, asked: Timestamp) {
        let thread = (channel.to_owned(), root.to_owned());
        let all_refused = self.all_refused();
        let is_younger = asked >= self.started && all_refused.is_none_or(|(_, at)| asked > at);
        if is_younger && !self.refused.contains_key(&thread) {
            self.compared.insert(thread, Instant::now());
        }
    }

    /// Asks for a read of the thread, because a reply of this conversation waits for it.
    pub(crate) fn await_sync(&self, channel: &str, root: &str, conversation: &str) {
        let thread = (channel.to_owned(), root.to_owned());
        self.wanted.entry(thread).or_insert_with(|| Wanted {
            conversation: conversation.to_owned(),
            since: Instant::now(),
        });
    }

    /// Whether replies of the conversation wait for a read of another of its threads and have waited for less than `patience`.
    pub(crate) fn awaits_other(
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
                && self.needs_sync(other_channel, other_root)
        })
    }

    /// Returns the threads in which replies wait and since when, the longest wait first.
    pub(crate) fn awaited(&self) -> Vec<(Thread, Instant)> {
        let wanted = self.wanted.iter();
        let mut wanted: Vec<(Thread, Instant)> = wanted
            .map(|entry| (entry.key().clone(), entry.since))
            .collect();
        wanted.sort_by_key(|(_, since)| *since);
        wanted
    }

    /// Records that no reply waits for the thread any more.
    pub(crate) fn finish(&self, thread: &Thread) {
        self.wanted.remove(thread);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_in_doubt_until_it_was_compared_after_the_last_refusal() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let thread_sync = ThreadSync::new(at(100));
        assert!(thread_sync.needs_sync("C1", "1.0"), "after a start");
        let began = Instant::now();
        thread_sync.event_refused("C1", "1.0");
        thread_sync.synced("C1", "1.0", began);
        assert!(
            thread_sync.needs_sync("C1", "1.0"),
            "the refused event may have been written after it was read"
        );
        thread_sync.synced("C1", "1.0", Instant::now() + Duration::from_millis(1));
        assert!(!thread_sync.needs_sync("C1", "1.0"));
        assert!(thread_sync.needs_sync("C1", "2.0"), "another thread");
        thread_sync.thread_created("C1", "2.0", at(99));
        assert!(
            thread_sync.needs_sync("C1", "2.0"),
            "older than the process"
        );
        thread_sync.thread_created("C1", "2.0", at(100));
        assert!(!thread_sync.needs_sync("C1", "2.0"));
        thread_sync.event_refused("C1", "3.0");
        thread_sync.thread_created("C1", "3.0", at(101));
        assert!(thread_sync.needs_sync("C1", "3.0"), "its event was refused");
    }

    #[test]
    fn events_held_back_put_every_thread_in_doubt_that_was_there() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let thread_sync = ThreadSync::new(at(100));
        thread_sync.synced("C1", "1.0", Instant::now());
        thread_sync.all_events_refused(at(200));
        assert!(thread_sync.needs_sync("C1", "1.0"));
        thread_sync.synced("C1", "1.0", Instant::now() + Duration::from_millis(1));
        assert!(!thread_sync.needs_sync("C1", "1.0"));
        thread_sync.thread_created("C1", "2.0", at(200));
        assert!(thread_sync.needs_sync("C1", "2.0"));
        thread_sync.thread_created("C1", "2.0", at(201));
        assert!(!thread_sync.needs_sync("C1", "2.0"));
    }

    #[test]
    fn a_conversation_waits_for_each_of_its_threads() {
        let thread_sync = ThreadSync::new(Timestamp::UNIX_EPOCH);
        let patience = Duration::from_secs(60);
        thread_sync.await_sync("C1", "1.0", "alice");
        thread_sync.await_sync("C1", "2.0", "alice");
        let wants_other = |patience| thread_sync.awaits_other("alice", ("C1", "2.0"), patience);
        assert!(wants_other(patience));
        assert!(!wants_other(Duration::ZERO), "not for ever");
        assert!(!thread_sync.awaits_other("bob", ("C1", "3.0"), patience));
        thread_sync.synced("C1", "1.0", Instant::now());
        assert!(!wants_other(patience));
    }
}
