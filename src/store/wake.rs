//! Wakes workers when a transaction has committed work for their gate.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::Notify;

/// A bell for each gate. A ring is stored until somebody waits, so a worker that gets the bell before it looks for work misses
/// nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wake(Arc<DashMap<String, Arc<Notify>>>);

impl Wake {
    /// Returns the bell of `gate` to wait for.
    pub(crate) fn bell(&self, gate: &str) -> Arc<Notify> {
        self.0.entry(gate.to_owned()).or_default().clone()
    }

    /// Rings the bell of `gate`.
    pub(crate) fn notify(&self, gate: &str) {
        self.bell(gate).notify_one();
    }
}
