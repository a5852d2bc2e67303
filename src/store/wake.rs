//! Who is told when a transaction left work for a gate.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::Notify;

/// One bell for each gate. A ring is kept until somebody listens, so registering before looking loses nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wake(Arc<DashMap<String, Arc<Notify>>>);

impl Wake {
    /// The bell of `gate`, to be waited for.
    pub(crate) fn bell(&self, gate: &str) -> Arc<Notify> {
        self.0.entry(gate.to_owned()).or_default().clone()
    }

    /// Rings the bell of `gate`.
    pub(crate) fn notify(&self, gate: &str) {
        self.bell(gate).notify_one();
    }
}
