//! Call events that cannot be applied yet: tried again with growing pauses, then given up with an ERROR each.

use std::time::Duration;

use tokio::time::Instant;

use crate::calls::event::CallEvent;

/// How long each waits before it is tried again. What another replica or the catching up learns of a call comes within seconds.
const WAITS: [Duration; 6] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(8),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
];

/// How many are kept; beyond that the oldest is given up.
const MOST: usize = 1_000;

/// The events set aside, in order.
#[derive(Debug, Default)]
pub(super) struct Aside(Vec<Later>);

/// An event that is tried again later.
#[derive(Debug)]
pub(super) struct Later {
    pub(super) event: CallEvent,
    tries: usize,
    due: Instant,
}

impl Aside {
    /// Sets an event aside.
    pub(super) fn put(&mut self, event: CallEvent, error: &anyhow::Error, now: Instant) {
        tracing::warn!(
            event = event.event,
            error = format!("{error:#}"),
            "something that happened in a call cannot be placed yet"
        );
        self.keep(Later {
            event,
            tries: 0,
            due: now + WAITS[0],
        });
        if self.0.len() > MOST {
            let oldest = self.0.remove(0);
            give_up(&oldest, &anyhow::anyhow!("too much is set aside"));
        }
    }

    /// Puts an event back that failed again. `counts` is whether the event itself was the cause.
    pub(super) fn put_back(
        &mut self,
        mut later: Later,
        error: &anyhow::Error,
        counts: bool,
        now: Instant,
    ) {
        later.tries += usize::from(counts);
        match WAITS.get(later.tries) {
            Some(wait) => {
                later.due = now + *wait;
                self.keep(later);
            }
            None => give_up(&later, error),
        }
    }

    fn keep(&mut self, later: Later) {
        self.0.push(later);
    }

    /// Returns when the next event is due; never if there is none.
    pub(super) async fn due(&self) {
        match self.0.iter().map(|later| later.due).min() {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    /// At most so many of those that are due.
    pub(super) fn take_due(&mut self, now: Instant, at_most: usize) -> Vec<Later> {
        let mut taken = 0;
        let due = |later: &mut Later| {
            let takes = later.due <= now && taken < at_most;
            taken += usize::from(takes);
            takes
        };
        self.0.extract_if(.., due).collect()
    }

    /// Everything.
    pub(super) fn all(self) -> Vec<Later> {
        self.0
    }
}

/// Logs that an event could not be written. Its audit rows are in the log.
pub(super) fn give_up(later: &Later, error: &anyhow::Error) {
    metrics::counter!("qdn_call_facts_given_up_total").increment(1);
    tracing::error!(
        call = later.event.call,
        event = later.event.event,
        error = format!("{error:#}"),
        "something that happened in a call cannot be written down; see the log's audit lines"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(event: &str) -> CallEvent {
        CallEvent {
            call: "CA1".into(),
            event: event.into(),
            answer: String::new(),
            line: None,
            from: None,
            place: String::new(),
            at: jiff::Timestamp::UNIX_EPOCH,
            changes: Vec::new(),
            audit: Vec::new(),
        }
    }

    fn events(taken: &[Later]) -> Vec<&str> {
        taken
            .iter()
            .map(|later| later.event.event.as_str())
            .collect()
    }

    #[test]
    fn each_is_tried_later_and_later_and_then_given_up() {
        let error = anyhow::anyhow!("unknown");
        let mut aside = Aside::default();
        let mut now = Instant::now();
        aside.put(event("recording"), &error, now);
        let mut waited = Vec::new();
        for wait in WAITS {
            assert!(aside.take_due(now, 9).is_empty());
            now += wait;
            let mut due = aside.take_due(now, 9);
            assert_eq!(events(&due), ["recording"]);
            // A database that is away costs no try.
            let first = due.remove(0);
            aside.put_back(first, &error, false, now);
            now += wait;
            let again = aside.take_due(now, 9).remove(0);
            aside.put_back(again, &error, true, now);
            waited.push(wait.as_millis());
        }
        assert_eq!(waited, [500, 2_000, 8_000, 30_000, 120_000, 600_000]);
        assert!(aside.all().is_empty(), "given up");
    }

    #[test]
    fn few_are_tried_at_once_and_only_so_many_are_kept() {
        let error = anyhow::anyhow!("unknown");
        let mut aside = Aside::default();
        let now = Instant::now();
        for n in 0..=MOST {
            aside.put(event(&n.to_string()), &error, now);
        }
        assert_eq!(events(&aside.take_due(now + WAITS[0], 3)), ["1", "2", "3"]);
        assert_eq!(aside.all().len(), MOST - 3);
    }
}
