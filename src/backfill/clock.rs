//! Twilio's clock, with which Twilio's dates have to be compared, since this machine's clock may be wrong.

use jiff::{SignedDuration, Timestamp};

use crate::app::App;
use crate::clients::Clients;

/// The difference of the clocks that is logged as an error. Beyond five minutes we refuse Slack's requests.
const WORTH_AN_ALARM: SignedDuration = SignedDuration::from_secs(60);

/// Returns the time by Twilio's clock, or by ours before Twilio's first response.
pub(super) fn now(app: &App, clients: &Clients) -> Timestamp {
    clients.twilio.now().unwrap_or_else(|| app.clock.now())
}

/// Measures the difference between our clock and Twilio's, and logs an error if it is too large.
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
