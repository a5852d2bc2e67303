//! Watches for jumps of the wall clock. A jump forward is harmless. After a jump back, rows that wait for a time would wait
//! that much longer, so their times are set back too.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::watch;

use crate::app::App;
use crate::clock::BootInstant;
use crate::store::lanes;

/// How often the wall clock is compared with the monotonic clock.
const EVERY: Duration = Duration::from_secs(1);

/// The smallest difference that counts as a jump. A clock that is slewed stays far below it.
const STEP: SignedDuration = SignedDuration::from_secs(2);

/// Watches until `stop` says so.
pub(super) async fn watch(app: App, mut stop: watch::Receiver<bool>) {
    let (mut before, mut steady) = (app.clock.now(), BootInstant::now());
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.changed() => return,
        }
        let went = app.clock.now().duration_since(before);
        let step = went - SignedDuration::try_from(steady.elapsed()).unwrap_or_default();
        if step.abs() >= STEP {
            tracing::error!(
                seconds = step.as_secs(),
                "this machine's clock was set while the service runs"
            );
            if step.is_negative()
                && let Err(error) = lanes::set_back(&app.store, step.abs()).await
            {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "what waits could not be set back with the clock; trying again"
                );
                continue;
            }
        }
        (before, steady) = (app.clock.now(), BootInstant::now());
    }
}
