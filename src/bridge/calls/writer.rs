//! Applies call events in the order in which they came: one task for the process.
//!
//! An event that cannot be applied yet, such as a recording of an unknown call, is set [`aside`] and does not block others.

mod aside;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use self::aside::Aside;
use super::apply;
use crate::calls::event::CallEvent;
use crate::calls::write_queue::{Pending, Unwritten};
use crate::config::Config;
use crate::store::Store;

/// How long a failed write waits before it is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// The most events of one transaction.
const BATCH: usize = 64;

/// The most events set aside that are tried between two batches.
const SET_ASIDE: usize = 16;

/// Starts the task. It ends once every queue handle is dropped, after it has written everything.
pub(crate) fn start(
    store: Store,
    config: Config,
    unwritten: Unwritten,
) -> tokio::task::JoinHandle<()> {
    let writer = Writer {
        store,
        config,
        behind: unwritten.behind,
    };
    tokio::spawn(writer.run(unwritten.facts))
}

struct Writer {
    store: Store,
    config: Config,
    behind: Arc<AtomicBool>,
}

impl Writer {
    async fn run(self, mut facts: mpsc::Receiver<Pending>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut aside = Aside::default();
        loop {
            let taken = tokio::select! {
                taken = facts.recv_many(&mut batch, BATCH) => taken,
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
                    waiting = batch.len() + facts.len(),
                    "what happened in calls waits for the database"
                );
                for one in &batch {
                    if let Err(error) = self.write_stubbornly(&one.event).await {
                        aside.put(one.event.clone(), &error, Instant::now());
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
            if let Err(error) = self.write_one(&later.event).await {
                aside::give_up(&later, &error);
            }
        }
    }

    async fn write(&self, batch: &[Pending]) -> anyhow::Result<()> {
        let mut tx = self.store.begin().await?;
        for pending in batch {
            apply::apply(&mut tx, &self.config, &pending.event).await?;
        }
        tx.commit().await
    }

    async fn write_one(&self, event: &CallEvent) -> anyhow::Result<()> {
        let mut tx = self.store.begin().await?;
        apply::apply(&mut tx, &self.config, event).await?;
        tx.commit().await
    }

    /// Writes one event, however long the database is away. Fails if the database works and refuses this event.
    async fn write_stubbornly(&self, event: &CallEvent) -> anyhow::Result<()> {
        let mut refused_before = false;
        while let Err(error) = self.write_one(event).await {
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
            let Err(error) = self.write_one(&later.event).await else {
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
