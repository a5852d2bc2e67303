//! The calls of this process: what it remembers of them, and where it puts what they leave behind.

pub(crate) mod cache;
pub(crate) mod event;
pub(crate) mod write_queue;

use self::cache::CallCache;
use self::write_queue::{CallWriteQueue, Unwritten};

/// What is known of calls before it is written down; cloning it costs nothing.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    pub(crate) cache: CallCache,
    pub(crate) write_queue: CallWriteQueue,
}

impl Calls {
    /// Nothing is remembered yet; what the task that writes takes from comes with it.
    pub(crate) fn new() -> (Calls, Unwritten) {
        let (write_queue, unwritten) = CallWriteQueue::new();
        let cache = CallCache::default();
        (Calls { cache, write_queue }, unwritten)
    }
}
