//! Time as an argument: the only place that asks the machine what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

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
            Clock::System => Timestamp::now().as_millisecond() + crate::trial::clock_offset(),
            Clock::Manual(millis) => millis.load(Ordering::SeqCst),
        };
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}
