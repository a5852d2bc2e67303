//! Wakes workers when a transaction has committed work for their throttle.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::Notify;

/// A bell for each throttle. A ring is stored until somebody waits, so a worker that gets the bell before it looks for work misses
/// nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wake(Arc<DashMap<String, Arc<Notify>>>);

impl Wake {
    /// Returns the bell of `throttle` to wait for.
    pub(crate) fn bell(&self, throttle: &str) -> Arc<Notify> {
        self.0.entry(throttle.to_owned()).or_default().clone()
    }

    /// Rings the bell of `throttle`.
    pub(crate) fn notify(&self, throttle: &str) {
        self.bell(throttle).notify_one();
    }
}
