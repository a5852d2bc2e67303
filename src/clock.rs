//! The clock, which is passed as an argument. Only this module reads the machine's time.

use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// The source of the time.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's wall clock.
    #[default]
    System,
    /// A clock for tests that only moves when it is set, in milliseconds since the Unix epoch.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// Returns the current time to the millisecond, the precision of the database.
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

/// A moment on the boot clock, which nobody can set and which keeps running while the machine is suspended.
/// `std::time::Instant` stops then, so that an expired lease would seem valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootInstant(Duration);

impl BootInstant {
    /// Returns the current moment.
    pub fn now() -> BootInstant {
        BootInstant(since_boot())
    }

    /// Returns the time since this moment, including suspensions.
    pub fn elapsed(self) -> Duration {
        BootInstant::now().0.saturating_sub(self.0)
    }

    /// Returns the time until this moment; zero if it has passed.
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
    // The boot clock is never negative.
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

/// Returns the time on the monotonic clock, for systems without a boot clock.
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
        // The kernel reports the seconds since boot, including suspensions.
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let seconds: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        assert!(
            (now.0.as_secs_f64() - seconds).abs() < 5.0,
            "{now:?} {seconds}"
        );
    }
}
