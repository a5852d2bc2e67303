//! The vendors' time, by which everything they date is compared: this machine's clock may be wrong.

use jiff::{SignedDuration, Timestamp};

use crate::app::App;
use crate::outbox::Clients;

/// From when on a difference is worth an alarm: Slack's requests are refused beyond five minutes.
const WORTH_AN_ALARM: SignedDuration = SignedDuration::from_secs(60);

/// The time by Twilio's clock, or ours as long as Twilio has not said it.
pub(super) fn now(app: &App, clients: &Clients) -> Timestamp {
    clients.twilio.now().unwrap_or_else(|| app.clock.now())
}

/// Says so if this machine's clock is wrong.
pub(super) fn compare(app: &App, clients: &Clients) {
    let off = app.clock.now().duration_since(now(app, clients));
    metrics::gauge!("qdn_clock_off_seconds").set(off.as_secs_f64());
    if off.abs() >= WORTH_AN_ALARM {
        tracing::error!(
            seconds = off.as_secs(),
            "this machine's clock is off by so much against Twilio's: beyond 300 s what Slack sends is refused, and replies are only found by looking. Set the clock"
        );
    }
}
