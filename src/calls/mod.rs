//! The calls of this process: what it remembers of them, and where it puts what they leave behind.

pub(crate) mod cache;
pub(crate) mod event;
pub(crate) mod write_queue;

use self::cache::CallMemory;
use self::write_queue::{CallLedger, Unwritten};

/// What is known of calls before it is written down; cloning it costs nothing.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    pub(crate) memory: CallMemory,
    pub(crate) ledger: CallLedger,
}

impl Calls {
    /// Nothing is remembered yet; what the task that writes takes from comes with it.
    pub(crate) fn new() -> (Calls, Unwritten) {
        let (ledger, unwritten) = CallLedger::new();
        let memory = CallMemory::default();
        (Calls { memory, ledger }, unwritten)
    }
}
