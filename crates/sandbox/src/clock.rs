//! The only place in this crate that asks the machine what time it is.

use jiff::Timestamp;

/// The time now, to the millisecond.
#[expect(
    clippy::disallowed_methods,
    reason = "this is where the stand-ins take the time from"
)]
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}
