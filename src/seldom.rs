//! A log line that stands for many: a flood of the same event is told once in a while, with how often it happened.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Counts an event that may come thousands of times a second.
#[derive(Debug)]
pub(crate) struct Seldom {
    every: Duration,
    state: Mutex<(Option<Instant>, u64)>,
}

impl Seldom {
    /// One that tells at most once a minute.
    pub(crate) const fn a_minute() -> Seldom {
        Seldom {
            every: Duration::from_secs(60),
            state: Mutex::new((None, 0)),
        }
    }

    /// It happened: how often since it was last told, if it is to be told now.
    pub(crate) fn now(&self) -> Option<u64> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (told, times) = &mut *state;
        *times += 1;
        let is_due = told.is_none_or(|told| now.duration_since(told) >= self.every);
        is_due.then(|| {
            *told = Some(now);
            std::mem::take(times)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_once_a_minute_with_its_count() {
        let (seldom, start) = (Seldom::a_minute(), Instant::now());
        let at = |seconds| seldom.at(start + Duration::from_secs(seconds));
        assert_eq!(at(0), Some(1));
        assert_eq!((at(1), at(59)), (None, None));
        assert_eq!(at(60), Some(3));
        assert_eq!(at(61), None);
        assert_eq!(at(200), Some(2));
    }
}
