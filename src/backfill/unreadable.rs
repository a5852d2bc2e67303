//! The channels that the bot has left or that no longer exist. Their threads are skipped for a while, since each would cost
//! a read in every round and has no new replies.

use std::time::{Duration, Instant};

use dashmap::DashMap;

use crate::delivery;
use crate::remote::Failure;

/// After how many seconds (scaled with `settle_after`) such a channel is tried again, since the bot may have been invited.
const AGAIN: f64 = 600.0;

/// The channels that could not be read, and since when.
#[derive(Debug)]
pub(super) struct Unreadable {
    again: Duration,
    since: DashMap<String, Instant>,
}

impl Unreadable {
    pub(super) fn new(settle_after: Duration) -> Unreadable {
        Unreadable {
            again: delivery::scaled(settle_after, AGAIN),
            since: DashMap::new(),
        }
    }

    /// Whether the channel is skipped for now.
    pub(super) fn contains(&self, channel: &str) -> bool {
        let since = self.since.get(channel);
        since.is_some_and(|since| since.elapsed() < self.again)
    }

    /// Records a failed read of a thread. Returns whether the channel is the cause, which is logged the first time.
    pub(super) fn note(&self, channel: &str, error: &anyhow::Error) -> bool {
        let failure = error.downcast_ref();
        let is_left = matches!(failure, Some(Failure::Refused { code, .. })
            if matches!(code.as_str(), "not_in_channel" | "channel_not_found"));
        if is_left
            && self
                .since
                .insert(channel.to_owned(), Instant::now())
                .is_none()
        {
            tracing::warn!(
                channel,
                error = format!("{error:#}"),
                "a channel cannot be read any more: replies in older threads there are not found unless the bot is invited again"
            );
        }
        is_left
    }

    /// Records that the channel can be read.
    pub(super) fn forget(&self, channel: &str) {
        self.since.remove(channel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_that_the_bot_has_left_is_left_alone_for_a_while() {
        let refused = |code: &str| {
            let (code, message) = (code.into(), String::new());
            anyhow::Error::from(Failure::Refused { code, message })
        };
        let unreadable = Unreadable::new(Duration::from_secs(95));
        assert!(!unreadable.note("C1", &refused("missing_scope")));
        assert!(!unreadable.contains("C1"));
        assert!(unreadable.note("C1", &refused("not_in_channel")));
        assert!(unreadable.contains("C1") && !unreadable.contains("C2"));
        unreadable.forget("C1");
        assert!(!unreadable.contains("C1"));
        let soon = Unreadable::new(Duration::ZERO);
        assert!(soon.note("C1", &refused("channel_not_found")));
        assert!(!soon.contains("C1"), "it is tried again");
    }
}
