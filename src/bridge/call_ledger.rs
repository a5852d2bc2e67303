//! What calls leave behind, written apart from answering them: a caller must never wait for a locked database.
//!
//! One task owns the queue, so what is known of a call is written in the order it became known. Whoever gave it waits for
//! it within a budget and goes on; what could not be written then is written as soon as the database allows. Each fact
//! counts once, by CallSid and event, however often Twilio tells it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::call_record::{self, Fact};
use crate::config::Config;
use crate::store::Store;

/// How long a call waits for what it leaves behind. It is inaudible, and an idle SQLite needs a tenth of it.
const BUDGET: Duration = Duration::from_millis(100);

/// How long a failed write waits before it is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// How many facts one transaction takes.
const BATCH: usize = 64;

/// How often a fact is tried while the database takes others: one that cannot be written must not hold up the rest.
const TRIES: u32 = 4;

struct Pending {
    fact: Fact,
    written: oneshot::Sender<()>,
}

/// The way into the ledger; cloning it costs nothing.
#[derive(Debug, Clone)]
pub(crate) struct CallLedger {
    queue: mpsc::UnboundedSender<Pending>,
    /// Whether the database is late: then nobody waits for it until it has written something.
    behind: Arc<AtomicBool>,
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

impl CallLedger {
    /// Starts the task that writes. It ends, with nothing left unwritten, once every ledger is gone.
    pub(crate) fn start(store: Store, config: Config) -> (CallLedger, tokio::task::JoinHandle<()>) {
        let (queue, receiver) = mpsc::unbounded_channel();
        let behind = Arc::new(AtomicBool::new(false));
        let writer = Writer {
            store,
            config,
            behind: behind.clone(),
        };
        let ledger = CallLedger { queue, behind };
        (ledger, tokio::spawn(writer.run(receiver)))
    }

    /// Puts a fact at the end of the queue and its audit rows into the log.
    pub(crate) fn put(&self, fact: Fact) -> Writing {
        for entry in &fact.audit {
            entry.log();
        }
        let (written, wait) = oneshot::channel();
        if self.queue.send(Pending { fact, written }).is_err() {
            tracing::error!(
                "the writer of calls has stopped: what happened in a call was only logged"
            );
        }
        let is_behind = self.behind.load(Ordering::Relaxed);
        Writing {
            written: (!is_behind).then_some(wait),
            behind: self.behind.clone(),
        }
    }
}

struct Writer {
    store: Store,
    config: Config,
    behind: Arc<AtomicBool>,
}

impl Writer {
    async fn run(self, mut receiver: mpsc::UnboundedReceiver<Pending>) {
        let mut batch = Vec::with_capacity(BATCH);
        while receiver.recv_many(&mut batch, BATCH).await > 0 {
            if let Err(error) = self.write(&batch).await {
                self.behind.store(true, Ordering::Relaxed);
                tracing::warn!(
                    error = format!("{error:#}"),
                    waiting = batch.len() + receiver.len(),
                    "what happened in calls waits for the database"
                );
                for one in &batch {
                    self.write_stubbornly(std::slice::from_ref(one)).await;
                }
            }
            self.behind.store(false, Ordering::Relaxed);
            for pending in batch.drain(..) {
                // Nobody listens any more when the budget was used up.
                let _ = pending.written.send(());
            }
        }
    }

    async fn write(&self, batch: &[Pending]) -> anyhow::Result<()> {
        let mut tx = self.store.begin().await?;
        for pending in batch {
            call_record::apply(&mut tx, &self.config, &pending.fact).await?;
        }
        tx.commit().await
    }

    /// Writes one fact, however long the database takes to come back.
    async fn write_stubbornly(&self, one: &[Pending]) {
        let mut refused = 0;
        while let Err(error) = self.write(one).await {
            // A database that takes other writes and not this one never will.
            if self.takes_writes().await {
                refused += 1;
            }
            if refused == TRIES {
                tracing::error!(
                    error = format!("{error:#}"),
                    "something that happened in a call cannot be written down; see the log's audit lines"
                );
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn takes_writes(&self) -> bool {
        match self.store.begin().await {
            Ok(tx) => tx.commit().await.is_ok(),
            Err(_) => false,
        }
    }
}
