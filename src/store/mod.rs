//! All SQL. Each statement runs on SQLite and on Postgres, and `Store::begin` is the only way to write.
//!
//! SQLite has one writer connection, since several writers would only compete for SQLite's single lock. Readers have their
//! own pool, and calls have a reader pool to themselves. Write transactions begin `immediate`: a transaction that reads first
//! and writes later fails with "database is locked" if another writer gets in between.

pub(crate) mod ahead;
pub mod audit;
pub(crate) mod availability;
pub(crate) mod away_periods;
pub(crate) mod call_events;
pub(crate) mod calls;
pub(crate) mod confirmations;
mod connect;
pub(crate) mod conversation_status;
pub(crate) mod conversations;
pub(crate) mod daily_stats;
pub(crate) mod deferred;
pub(crate) mod edits;
pub(crate) mod escalations;
mod examine;
pub(crate) mod forget;
pub(crate) mod home_views;
mod id;
pub(crate) mod kv;
pub(crate) mod lanes;
pub(crate) mod listed;
pub(crate) mod media;
pub(crate) mod messages;
pub(crate) mod missed_texts;
pub(crate) mod names;
pub(crate) mod opt_outs;
pub(crate) mod order;
pub mod outbox;
pub(crate) mod overview;
#[cfg(test)]
mod plans;
mod reads;
pub(crate) mod restored;
pub(crate) mod ring_outcomes;
pub(crate) mod scrub;
pub(crate) mod sms;
#[cfg(test)]
mod statements;
pub(crate) mod taken;
pub(crate) mod text_counts;
pub(crate) mod threads;
pub(crate) mod upkeep;
mod wake;

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use sqlx::{Any, AnyPool, Transaction};

pub use connect::OpenError;
pub(crate) use examine::Examined;
pub(crate) use id::new_id;
pub(crate) use reads::Reads;
pub(crate) use wake::Wake;

use crate::clock::{BootInstant, Clock};
use crate::config::{DatabaseUrl, sqlite_file};
use audit::NewEntry;

/// The row lock on which all writers of a Postgres database queue.
const LOCK: &str = "select seq from audit_head where id = 1 for update";

/// Reads the database's clock. A separate statement, because one that also waits for the lock would return the time before
/// the wait.
const TELL_TIME: &str = "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint)";

/// The kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// A handle on the database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    dialect: Dialect,
    url: DatabaseUrl,
    writer: AnyPool,
    reader: AnyPool,
    /// For reads by calls only.
    call_reader: AnyPool,
    clock: Clock,
    /// How many milliseconds the database's clock is ahead of ours.
    ahead: Arc<AtomicI64>,
    wake: Wake,
    /// The lock on an SQLite file, held while this process lives.
    lock: Option<Arc<File>>,
}

impl Store {
    /// Opens the database at `url` and runs its migrations. Creates an SQLite file that does not exist.
    pub async fn open(url: &str, clock: Clock) -> Result<Store, OpenError> {
        connect::open(url, clock).await
    }

    /// Begins a write transaction. There is one writer at a time, in either database; waits for it, with a time limit.
    pub(crate) async fn begin(&self) -> anyhow::Result<Tx> {
        let begin = match self.dialect {
            Dialect::Sqlite => "begin immediate",
            Dialect::Postgres => "begin",
        };
        let mut inner = self
            .writer
            .begin_with(begin)
            .await
            .context("beginning a transaction")?;
        let mut began = BootInstant::now();
        if self.dialect == Dialect::Postgres {
            // Every transaction ends by updating the end of the audit trail, so writers queue there anyway. Queueing at the
            // beginning avoids deadlocks. It also gives all replicas one clock.
            sqlx::query(LOCK)
                .execute(&mut *inner)
                .await
                .context("waiting for another writer")?;
            began = BootInstant::now();
            let database_now: i64 = sqlx::query_scalar(TELL_TIME)
                .fetch_one(&mut *inner)
                .await
                .context("asking for the database's time")?;
            self.ahead.store(
                database_now - self.clock.now().as_millisecond(),
                Ordering::Relaxed,
            );
        }
        Ok(Tx {
            inner,
            dialect: self.dialect,
            now: self.now(),
            began,
            audit: Vec::new(),
            logged: HashSet::new(),
            throttles: Vec::new(),
            wake: self.wake.clone(),
        })
    }

    /// Returns the time that decides when rows are due and leases end: the database's time for Postgres, which replicas share.
    pub(crate) fn now(&self) -> Timestamp {
        timestamp(self.clock.now().as_millisecond() + self.ahead.load(Ordering::Relaxed))
    }

    /// Returns the pool for reads, which never wait for a writer.
    pub(crate) fn reader(&self) -> &AnyPool {
        &self.reader
    }

    /// Returns this store with the reader pool of calls, so that their reads do not wait for other reads.
    pub(crate) fn for_calls(&self) -> Store {
        Store {
            reader: self.call_reader.clone(),
            ..self.clone()
        }
    }

    /// Returns the bells that ring when work is committed.
    pub(crate) fn wake(&self) -> &Wake {
        &self.wake
    }

    /// Checks that the database can be read and written.
    pub(crate) async fn ping(&self) -> anyhow::Result<()> {
        sqlx::query("select 1").execute(&self.reader).await?;
        let mut tx = self.begin().await?;
        let now = tx.now().as_millisecond().to_string();
        kv::write(&mut tx, "readyz", &now).await?;
        tx.commit().await
    }

    /// Whether the database is an SQLite file that does not exist. A command that only reads must not create an empty one.
    pub(crate) fn is_missing(url: &str) -> bool {
        sqlite_file(url).is_some_and(|file| !file.exists())
    }

    /// Locks an SQLite file for this process if no other process has it. Then all leases in it are of dead processes, so this
    /// ends them. Does nothing for Postgres.
    pub(crate) async fn take_over(&mut self) -> anyhow::Result<()> {
        let Some(lock) = connect::lock(self.url.as_str())? else {
            return Ok(());
        };
        self.lock = Some(Arc::new(lock));
        if let Err(error) = scrub::overwrite_free_space(self).await {
            tracing::warn!(
                error = format!("{error:#}"),
                "overwriting what an earlier version removed from the database file failed; trying again at the next start"
            );
        }
        lanes::end_all_leases(self).await
    }

    /// Locks an SQLite file until the returned file is dropped; `None` if another process has the lock.
    pub(crate) fn lock(url: &str) -> anyhow::Result<Option<File>> {
        connect::lock(url)
    }

    /// Copies a consistent snapshot of an SQLite database into an empty file while others write.
    pub(crate) async fn copy_into(&self, file: &Path) -> anyhow::Result<()> {
        sqlx::query("vacuum into $1")
            .bind(file.display().to_string())
            .execute(&self.reader)
            .await
            .with_context(|| format!("copying into {}", file.display()))?;
        Ok(())
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.writer.close().await;
        self.reader.close().await;
        self.call_reader.close().await;
    }
}

/// A write transaction: rows, their deliveries and their audit entries become durable together or not at all.
pub(crate) struct Tx {
    inner: Transaction<'static, Any>,
    dialect: Dialect,
    now: Timestamp,
    /// That moment or a little earlier, by this machine's boot clock, which nobody can set.
    began: BootInstant,
    audit: Vec<NewEntry>,
    /// The indexes of the entries in `audit` that were logged when they were decided.
    logged: HashSet<usize>,
    throttles: Vec<String>,
    wake: Wake,
}

impl Tx {
    /// Returns the time at which this transaction began, used for everything that it writes.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns the time `wait` after the begin of this transaction, in milliseconds since the Unix epoch.
    pub(crate) fn after(&self, wait: Duration) -> i64 {
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        self.now
            .checked_add(wait)
            .map_or(i64::MAX, |at| at.as_millisecond())
    }

    fn now_ms(&self) -> i64 {
        self.now.as_millisecond()
    }

    /// Adds an entry to the audit trail. It is written on commit, so that the trail is locked only briefly.
    pub(crate) fn audit(&mut self, entry: NewEntry) {
        self.audit.push(entry);
    }

    /// Adds an entry to the audit trail that was logged when it was decided, so that the commit does not log it again.
    pub(crate) fn audit_logged(&mut self, entry: NewEntry) {
        self.logged.insert(self.audit.len());
        self.audit.push(entry);
    }

    /// Writes the audit entries, commits, logs the entries and wakes the workers that have something to deliver.
    pub(crate) async fn commit(mut self) -> anyhow::Result<()> {
        let entries = std::mem::take(&mut self.audit);
        let logged = std::mem::take(&mut self.logged);
        let links = audit::append(&mut self, &entries).await?;
        self.inner
            .commit()
            .await
            .context("committing a transaction")?;
        for (n, (entry, link)) in entries.iter().zip(&links).enumerate() {
            match logged.contains(&n) {
                true => entry.log_link(link),
                false => entry.log_written(link),
            }
        }
        for throttle in &self.throttles {
            self.wake.notify(throttle);
        }
        Ok(())
    }
}

fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Replaces U+0000, which Postgres refuses in text, with `␀` (U+2400).
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{2400}")
}
