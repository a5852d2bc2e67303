//! Write-behind queue for call events: a caller must never wait for a locked database. Idempotent by CallSid and event.
//!
//! Whoever puts a fact into the queue waits for it within a budget and goes on; what could not be written then is written as
//! soon as the database allows. Each fact counts once, by CallSid and event, however often Twilio tells it.
//! `bridge::calls::writer` is the task that writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::event::CallEvent;
use crate::log_limit::LogLimit;

/// How long a call waits for what it leaves behind. It is inaudible, and an idle SQLite needs a tenth of it.
const BUDGET: Duration = Duration::from_millis(100);

/// How many facts wait for a database that takes none. A call leaves about ten, of a few hundred bytes each.
const QUEUE: usize = 20_000;

/// A fact in the queue, and whom to tell once it is written.
pub(crate) struct Pending {
    pub(crate) event: CallEvent,
    pub(crate) written: oneshot::Sender<()>,
    _waiting: Waiting,
}

/// Counts an event in the metric of those that wait for the database, until it is dropped.
struct Waiting;

impl Waiting {
    fn new() -> Waiting {
        metrics::gauge!("qdn_call_events_waiting").increment(1.0);
        Waiting
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        metrics::gauge!("qdn_call_events_waiting").decrement(1.0);
    }
}

/// The way into the ledger; cloning it costs nothing.
#[derive(Debug, Clone)]
pub(crate) struct CallWriteQueue {
    queue: mpsc::Sender<Pending>,
    full: Arc<LogLimit>,
    /// Whether the database is late: then nobody waits for it until it has written something.
    behind: Arc<AtomicBool>,
}

/// What the task that writes takes from; it ends once every ledger is gone.
pub(crate) struct Unwritten {
    pub(crate) facts: mpsc::Receiver<Pending>,
    /// Whether the database is late.
    pub(crate) behind: Arc<AtomicBool>,
}

/// A fact on its way into the database.
#[derive(Debug)]
pub(crate) struct Writing {
    written: Option<oneshot::Receiver<()>>,
    behind: Arc<AtomicBool>,
}

impl Writing {
    /// Back once it is written or the budget is used up.
    pub(crate) async fn wait(self) {
        let Some(written) = self.written else {
            metrics::counter!("qdn_audit_written_late_total").increment(1);
            return;
        };
        if tokio::time::timeout(BUDGET, written).await.is_err() {
            self.behind.store(true, Ordering::Relaxed);
            metrics::counter!("qdn_audit_written_late_total").increment(1);
        }
    }
}

impl CallWriteQueue {
    /// The way in, and what the task that writes takes from.
    pub(crate) fn new() -> (CallWriteQueue, Unwritten) {
        let (queue, facts) = mpsc::channel(QUEUE);
        let behind = Arc::new(AtomicBool::new(false));
        let ledger = CallWriteQueue {
            queue,
            full: Arc::new(LogLimit::per_minute()),
            behind: behind.clone(),
        };
        (ledger, Unwritten { facts, behind })
    }

    /// Puts a fact at the end of the queue and its audit rows into the log.
    pub(crate) fn put(&self, event: CallEvent) -> Writing {
        for entry in &event.audit {
            entry.log();
        }
        let (written, wait) = oneshot::channel();
        let pending = Pending {
            event,
            written,
            _waiting: Waiting::new(),
        };
        if let Err(error) = self.queue.try_send(pending) {
            metrics::counter!("qdn_call_facts_given_up_total").increment(1);
            if let Some(times) = self.full.record() {
                tracing::error!(
                    why = error.to_string(),
                    times,
                    "what happened in calls was only logged: it cannot be written down as fast as it happens"
                );
            }
        }
        let is_behind = self.behind.load(Ordering::Relaxed);
        Writing {
            written: (!is_behind).then_some(wait),
            behind: self.behind.clone(),
        }
    }
}
