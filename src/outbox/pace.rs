//! The pace of a throttle: a token bucket at the vendor's rate, and the rest that a 429 asked for.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

/// `chat.postMessage` takes about one message a second for each channel, and short bursts above that
/// (<https://docs.slack.dev/apis/web-api/rate-limits>).
const SLACK_CHANNEL: (f64, f64) = (10.0, 1.0);

/// `reactions.add` is Tier 3: 50 a minute for the workspace, bursts tolerated.
const REACTIONS: (f64, f64) = (20.0, 50.0 / 60.0);

/// `chat.update` is Tier 3 too.
const EDITS: (f64, f64) = (20.0, 50.0 / 60.0);

/// `chat.postEphemeral` is Tier 4: 100 a minute.
const ASKS: (f64, f64) = (20.0, 100.0 / 60.0);

/// How many requests of one throttle may be under way at once.
const IN_FLIGHT: usize = 16;

/// How many files may be: each is held in memory.
const FILES_IN_FLIGHT: usize = 4;
/// How many lanes in a row must be blocked before their throttle counts as closed: one alone may have a problem of its own.
const SHUT: usize = 3;

/// A throttle's pace.
#[derive(Debug)]
pub(super) struct Pace {
    bucket: Option<Bucket>,
    rests_until: Option<Instant>,
    in_flight: usize,
    /// The lanes that were blocked since the last success.
    held: HashSet<String>,
}

#[derive(Debug)]
struct Bucket {
    capacity: f64,
    per_second: f64,
    level: f64,
    filled_at: Instant,
}

impl Pace {
    pub(super) fn slack_channel() -> Pace {
        Pace::of(SLACK_CHANNEL)
    }

    /// Files go to the same channel by other methods, which are paced as its messages are.
    pub(super) fn files() -> Pace {
        Pace {
            in_flight: FILES_IN_FLIGHT,
            ..Pace::of(SLACK_CHANNEL)
        }
    }

    pub(super) fn asks() -> Pace {
        Pace::of(ASKS)
    }

    pub(super) fn reactions() -> Pace {
        Pace::of(REACTIONS)
    }

    pub(super) fn edits() -> Pace {
        Pace::of(EDITS)
    }

    /// Twilio queues by itself what a number cannot send at once.
    pub(super) fn unlimited() -> Pace {
        Pace {
            bucket: None,
            rests_until: None,
            in_flight: IN_FLIGHT,
            held: HashSet::new(),
        }
    }

    fn of((capacity, per_second): (f64, f64)) -> Pace {
        let bucket = Bucket {
            capacity,
            per_second,
            level: capacity,
            filled_at: Instant::now(),
        };
        Pace {
            bucket: Some(bucket),
            rests_until: None,
            in_flight: IN_FLIGHT,
            held: HashSet::new(),
        }
    }

    /// How many requests may leave at `now` besides those under way, or how long to wait for one.
    pub(super) fn allows(&mut self, now: Instant, in_flight: usize) -> Result<usize, Duration> {
        if let Some(until) = self.rests_until {
            if now < until {
                return Err(until - now);
            }
            self.rests_until = None;
        }
        let free = if self.is_shut() {
            // One alone goes to see whether the trouble is over.
            1_usize.saturating_sub(in_flight)
        } else {
            self.in_flight.saturating_sub(in_flight)
        };
        let Some(bucket) = &mut self.bucket else {
            return Ok(free);
        };
        let earned = now.duration_since(bucket.filled_at).as_secs_f64() * bucket.per_second;
        bucket.level = (bucket.level + earned).min(bucket.capacity);
        bucket.filled_at = now;
        if bucket.level < 1.0 {
            return Err(Duration::from_secs_f64(
                (1.0 - bucket.level) / bucket.per_second,
            ));
        }
        // What the bucket holds is a handful; the cast drops its fraction on purpose.
        Ok(free.min(bucket.level as usize))
    }

    /// Takes tokens for the requests that were made.
    pub(super) fn spend(&mut self, requests: usize) {
        if let Some(bucket) = &mut self.bucket {
            bucket.level -= requests as f64;
        }
    }

    /// Work that counted as `supposed` requests took `really` as many.
    pub(super) fn correct(&mut self, supposed: usize, really: usize) {
        if let Some(bucket) = &mut self.bucket {
            bucket.level += supposed as f64 - really as f64;
        }
    }

    /// Records that a lane was blocked because of the channel or the account. After several without a success the throttle
    /// rests for `how_long`, and then one lane tries for all.
    pub(super) fn hold(&mut self, now: Instant, lane: &str, how_long: Duration) {
        if self.held.len() < SHUT {
            self.held.insert(lane.to_owned());
        }
        if self.is_shut() {
            self.rest(now, how_long);
        }
    }

    /// Records a success: the throttle is open.
    pub(super) fn open(&mut self) {
        self.held.clear();
    }

    fn is_shut(&self) -> bool {
        self.held.len() >= SHUT
    }

    /// Records a 429: no request leaves for this long, and no burst follows.
    pub(super) fn rest(&mut self, now: Instant, how_long: Duration) {
        let until = now + how_long;
        self.rests_until = Some(self.rests_until.map_or(until, |already| already.max(until)));
        if let Some(bucket) = &mut self.bucket {
            bucket.level = bucket.level.min(1.0);
            bucket.filled_at = until;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: f64) -> Instant {
        start + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_burst_is_let_through_and_then_one_a_second() {
        let mut pace = Pace::slack_channel();
        let start = Instant::now();
        assert_eq!(pace.allows(start, 0), Ok(10));
        pace.spend(10);
        assert!(
            pace.allows(start, 0)
                .is_err_and(|wait| wait > Duration::from_millis(900))
        );
        assert_eq!(pace.allows(after(start, 1.1), 0), Ok(1));
        pace.spend(1);
        assert_eq!(
            pace.allows(after(start, 100.0), 0),
            Ok(10),
            "an idle channel earns its burst back"
        );
    }

    #[test]
    fn a_rest_that_the_vendor_asked_for_is_kept() {
        let mut pace = Pace::slack_channel();
        let start = Instant::now();
        pace.rest(start, Duration::from_secs(30));
        assert_eq!(
            pace.allows(after(start, 10.0), 0),
            Err(Duration::from_secs(20))
        );
        assert_eq!(
            pace.allows(after(start, 30.0), 0),
            Ok(1),
            "no burst right after a 429"
        );
    }

    #[test]
    fn a_throttle_that_holds_every_lane_is_tried_by_one_of_them() {
        let mut pace = Pace::unlimited();
        let start = Instant::now();
        let rest = Duration::from_secs(15);
        for _ in 0..5 {
            pace.hold(start, "one lane's own trouble", rest);
        }
        assert_eq!(pace.allows(start, 0), Ok(IN_FLIGHT));
        pace.hold(start, "a second", rest);
        pace.hold(start, "a third", rest);
        assert_eq!(pace.allows(start, 0), Err(rest));
        assert_eq!(pace.allows(after(start, 15.0), 0), Ok(1));
        assert_eq!(pace.allows(after(start, 15.0), 1), Ok(0));
        pace.open();
        assert_eq!(pace.allows(after(start, 15.0), 0), Ok(IN_FLIGHT));
    }

    #[test]
    fn what_is_under_way_counts() {
        let mut pace = Pace::unlimited();
        assert_eq!(pace.allows(Instant::now(), IN_FLIGHT - 2), Ok(2));
        assert_eq!(pace.allows(Instant::now(), IN_FLIGHT), Ok(0));
    }
}
