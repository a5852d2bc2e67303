//! A rate limit for a log line: an event that repeats thousands of times a second is logged once a minute, with its count.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Counts an event and says when to log it.
#[derive(Debug)]
pub(crate) struct LogLimit {
    every: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    logged: Option<Instant>,
    count: u64,
}

impl LogLimit {
    /// A limit of one line a minute.
    pub(crate) const fn per_minute() -> LogLimit {
        LogLimit::every(Duration::from_secs(60))
    }

    /// A limit of one line in `every`.
    pub(crate) const fn every(every: Duration) -> LogLimit {
        LogLimit {
            every,
            state: Mutex::new(State {
                logged: None,
                count: 0,
            }),
        }
    }

    /// Counts one event. Returns the events since the last logged line if a line is due, and starts counting anew.
    pub(crate) fn record(&self) -> Option<u64> {
        self.record_at(Instant::now())
    }

    fn record_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.count += 1;
        let is_due = state
            .logged
            .is_none_or(|logged| now.duration_since(logged) >= self.every);
        is_due.then(|| {
            state.logged = Some(now);
            std::mem::take(&mut state.count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_logged_once_a_minute_with_its_count() {
        let (limit, start) = (LogLimit::per_minute(), Instant::now());
        let at = |seconds| limit.record_at(start + Duration::from_secs(seconds));
        assert_eq!(at(0), Some(1));
        assert_eq!((at(1), at(59)), (None, None));
        assert_eq!(at(60), Some(3));
        assert_eq!(at(61), None);
        assert_eq!(at(200), Some(2));
    }
}
