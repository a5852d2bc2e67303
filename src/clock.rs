//! Time as an argument: the only place that asks the machine what time it is.

use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// Where the program takes the time from.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's wall clock.
    #[default]
    System,
    /// A clock that moves only when told to, in milliseconds since the Unix epoch.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The time now, to the millisecond: what the database keeps.
    pub fn now(&self) -> Timestamp {
        let millis = match self {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is where the time comes from"
            )]
            Clock::System => Timestamp::now().as_millisecond() + crate::faultpoints::clock_offset(),
            Clock::Manual(millis) => millis.load(Ordering::SeqCst),
        };
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// A moment on a clock that nobody sets and that goes on while the machine is suspended. `std::time::Instant` stands still
/// then: a lease would seem to hold that the database gave to another long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootInstant(Duration);

impl BootInstant {
    /// This moment.
    pub fn now() -> BootInstant {
        BootInstant(since_boot())
    }

    /// How long ago it was, suspensions included.
    pub fn elapsed(self) -> Duration {
        BootInstant::now().0.saturating_sub(self.0)
    }

    /// How far off it is, zero once it is over.
    pub fn ahead(self) -> Duration {
        self.0.saturating_sub(BootInstant::now().0)
    }
}

impl Add<Duration> for BootInstant {
    type Output = BootInstant;

    fn add(self, later: Duration) -> BootInstant {
        BootInstant(self.0.saturating_add(later))
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn since_boot() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    // Neither part of it is ever negative or too large.
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

/// Where the system has no such clock, its steady one is the best there is.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn since_boot() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGAN.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_from_the_boot_and_goes_on() {
        let then = BootInstant::now();
        std::thread::sleep(Duration::from_millis(5));
        let now = BootInstant::now();
        assert!(now >= then + Duration::from_millis(5), "{then:?} {now:?}");
        assert!(then.elapsed() >= Duration::from_millis(5));
        // The kernel's own word for it: the seconds since the machine was started, suspensions included.
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let seconds: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        assert!(
            (now.0.as_secs_f64() - seconds).abs() < 5.0,
            "{now:?} {seconds}"
        );
    }
}
