//! Pure rules about conversations: what counts as a reply, when a new thread begins, which mark a reply gets.

pub(crate) mod auto_reply;
pub(crate) mod colleague;
pub(crate) mod confirmation;
pub(crate) mod limit;
mod mark;
pub(crate) mod opt_out;
mod reply;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub(crate) use mark::{Mark, Part, mark_of};
pub(crate) use reply::{Kind, Written, read};

/// Whether the last message of a conversation, in either direction, is at least `after` ago.
pub(crate) fn is_idle(last_at: Timestamp, now: Timestamp, after: Duration) -> bool {
    let idle = now.duration_since(last_at);
    SignedDuration::try_from(after).is_ok_and(|after| idle >= after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_idle_conversation_begins_a_new_thread() {
        let last = Timestamp::from_second(1_000).unwrap();
        let day = Duration::from_secs(86_400);
        assert!(!is_idle(
            last,
            Timestamp::from_second(1_000 + 86_399).unwrap(),
            day
        ));
        assert!(is_idle(
            last,
            Timestamp::from_second(1_000 + 86_400).unwrap(),
            day
        ));
    }
}
