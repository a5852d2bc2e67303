//! What calls leave behind, written apart from answering them: a caller must never wait for a locked database.
//!
//! One task owns the queue, so what is known of a call is written in the order it became known. Whoever gave it waits for
//! it within a budget and goes on; what could not be written then is written as soon as the database allows. Each fact
//! counts once, by CallSid and event, however often Twilio tells it. A fact that cannot be placed, such as a recording of a call
//! of which nothing is known yet, is set [`aside`] and holds up no other.

mod aside;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use self::aside::Aside;
use super::call_record::{self, Fact};
use crate::config::Config;
use crate::log_limit::LogLimit;
use crate::store::Store;

/// How long a call waits for what it leaves behind. It is inaudible, and an idle SQLite needs a tenth of it.
const BUDGET: Duration = Duration::from_millis(100);

/// How long a failed write waits before it is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// How many facts one transaction takes.
const BATCH: usize = 64;

/// How many facts wait for a database that takes none. A call leaves about ten, of a few hundred bytes each.
const QUEUE: usize = 20_000;

/// How many of the facts that were set aside are tried between two batches.
const SET_ASIDE: usize = 16;

struct Pending {
    fact: Fact,
    written: oneshot::Sender<()>,
}

/// The way into the ledger; cloning it costs nothing.
#[derive(Debug, Clone)]
pub(crate) struct CallLedger {
    queue: mpsc::Sender<Pending>,
    full: Arc<LogLimit>,
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
        let (queue, receiver) = mpsc::channel(QUEUE);
        let behind = Arc::new(AtomicBool::new(false));
        let writer = Writer {
            store,
            config,
            behind: behind.clone(),
        };
        let full = Arc::new(LogLimit::per_minute());
        let ledger = CallLedger {
            queue,
            full,
            behind,
        };
        (ledger, tokio::spawn(writer.run(receiver)))
    }

    /// Puts a fact at the end of the queue and its audit rows into the log.
    pub(crate) fn put(&self, fact: Fact) -> Writing {
        for entry in &fact.audit {
            entry.log();
        }
        let (written, wait) = oneshot::channel();
        if let Err(error) = self.queue.try_send(Pending { fact, written }) {
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

struct Writer {
    store: Store,
    config: Config,
    behind: Arc<AtomicBool>,
}

impl Writer {
    async fn run(self, mut receiver: mpsc::Receiver<Pending>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut aside = Aside::default();
        loop {
            let taken = tokio::select! {
                taken = receiver.recv_many(&mut batch, BATCH) => taken,
                () = aside.due() => {
                    self.try_again(&mut aside).await;
                    continue;
                }
            };
            if taken == 0 {
                break;
            }
            if let Err(error) = self.write(&batch).await {
                self.behind.store(true, Ordering::Relaxed);
                tracing::warn!(
                    error = format!("{error:#}"),
                    waiting = batch.len() + receiver.len(),
                    "what happened in calls waits for the database"
                );
                for one in &batch {
                    if let Err(error) = self.write_stubbornly(&one.fact).await {
                        aside.put(one.fact.clone(), &error, Instant::now());
                    }
                }
            }
            self.behind.store(false, Ordering::Relaxed);
            for pending in batch.drain(..) {
                // Nobody listens any more when the budget was used up.
                let _ = pending.written.send(());
            }
            self.try_again(&mut aside).await;
        }
        // The last chance of what is set aside: the next start does not know of it.
        for later in aside.all() {
            if let Err(error) = self.write_one(&later.fact).await {
                aside::give_up(&later, &error);
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

    async fn write_one(&self, fact: &Fact) -> anyhow::Result<()> {
        let mut tx = self.store.begin().await?;
        call_record::apply(&mut tx, &self.config, fact).await?;
        tx.commit().await
    }

    /// Writes one fact, however long the database takes to come back; fails if it takes others and not this one.
    async fn write_stubbornly(&self, fact: &Fact) -> anyhow::Result<()> {
        let mut refused_before = false;
        while let Err(error) = self.write_one(fact).await {
            match self.takes_writes().await {
                // It may have come back in between, which is no reason to write what came later first.
                true if refused_before => return Err(error),
                true => refused_before = true,
                false => tokio::time::sleep(RETRY).await,
            }
        }
        Ok(())
    }

    /// Tries some of what is set aside and due.
    async fn try_again(&self, aside: &mut Aside) {
        for later in aside.take_due(Instant::now(), SET_ASIDE) {
            let Err(error) = self.write_one(&later.fact).await else {
                continue;
            };
            // What a database that takes nothing refuses is not tried in vain.
            let counts = self.takes_writes().await;
            aside.put_back(later, &error, counts, Instant::now());
        }
    }

    async fn takes_writes(&self) -> bool {
        match self.store.begin().await {
            Ok(tx) => tx.commit().await.is_ok(),
            Err(_) => false,
        }
    }
}
