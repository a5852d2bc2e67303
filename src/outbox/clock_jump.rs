//! Whether this machine's clock was set while we run. Forward does no harm; after a step back, what waits for a time
//! would wait that much longer, so its times are set back with the clock.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::watch;

use crate::app::App;
use crate::clock::BootInstant;
use crate::store::lanes;

/// How often the wall clock is compared with one that nobody sets.
const EVERY: Duration = Duration::from_secs(1);

/// What counts as set: a clock that is merely made slower or faster stays far below.
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
