//! All SQL: one text for SQLite and Postgres, and the only door to a write transaction.
//!
//! SQLite has one writer connection, since a pool of writers contends for the one lock SQLite has, and separate readers,
//! those of calls apart.
//! Write transactions begin `immediate`, because a transaction that reads first and writes later fails with
//! "database is locked" as soon as another writer came between.

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
pub(crate) use wake::Wake;

use crate::clock::{BootInstant, Clock};
use crate::config::{DatabaseUrl, sqlite_file};
use audit::NewEntry;

/// Where all writers of a Postgres database queue.
const LOCK: &str = "select seq from audit_head where id = 1 for update";

/// A statement of its own: one that also waits for the lock tells the time from before it waited.
const TELL_TIME: &str = "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint)";

/// Which database stands behind the one SQL text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    dialect: Dialect,
    url: DatabaseUrl,
    writer: AnyPool,
    reader: AnyPool,
    /// Read by calls alone.
    call_reader: AnyPool,
    clock: Clock,
    /// By how many milliseconds the database's clock is ahead of ours.
    ahead: Arc<AtomicI64>,
    wake: Wake,
    /// Held while this process lives, where the database is a file.
    lock: Option<Arc<File>>,
}

impl Store {
    /// Opens the database that `url` names, creating an SQLite file and the tables where they are missing.
    pub async fn open(url: &str, clock: Clock) -> Result<Store, OpenError> {
        connect::open(url, clock).await
    }

    /// The only way to write; one writer at a time, in either database.
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
            // Every transaction ends with the audit trail's end, so writers queue there anyway. Queueing here
            // instead means that no two of them can each hold what the other wants. Replicas share one clock, too.
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
            gates: Vec::new(),
            wake: self.wake.clone(),
        })
    }

    /// The time by which rows are due and leases end: the database's, where replicas share one.
    pub(crate) fn now(&self) -> Timestamp {
        timestamp(self.clock.now().as_millisecond() + self.ahead.load(Ordering::Relaxed))
    }

    /// For queries that change nothing; never waits for a writer.
    pub(crate) fn reader(&self) -> &AnyPool {
        &self.reader
    }

    /// This store with connections on which calls alone read: they wait for nobody else's reads.
    pub(crate) fn for_calls(&self) -> Store {
        Store {
            reader: self.call_reader.clone(),
            ..self.clone()
        }
    }

    /// Who is told when work was committed.
    pub(crate) fn wake(&self) -> &Wake {
        &self.wake
    }

    /// Whether the database answers a read and takes a write.
    pub(crate) async fn ping(&self) -> anyhow::Result<()> {
        sqlx::query("select 1").execute(&self.reader).await?;
        let mut tx = self.begin().await?;
        let now = tx.now().as_millisecond().to_string();
        kv::write(&mut tx, "readyz", &now).await?;
        tx.commit().await
    }

    /// Whether the database is a file that is not there: a command that only looks must not make an empty one.
    pub(crate) fn is_missing(url: &str) -> bool {
        sqlite_file(url).is_some_and(|file| !file.exists())
    }

    /// Takes the database for this process's own, if it is a file and no other process has it. Leases that are found
    /// then belong to the dead, and need not be waited for.
    pub(crate) async fn take_over(&mut self) -> anyhow::Result<()> {
        let Some(lock) = connect::lock(self.url.as_str())? else {
            return Ok(());
        };
        self.lock = Some(Arc::new(lock));
        if let Err(error) = scrub::overwrite_free_space(self).await {
            tracing::warn!(
                error = format!("{error:#}"),
                "what an earlier version removed may still stand in the database file; trying again at the next start"
            );
        }
        lanes::end_all_leases(self).await
    }

    /// The lock of an SQLite file, for as long as it is held; `None` while another process has it.
    pub(crate) fn lock(url: &str) -> anyhow::Result<Option<File>> {
        connect::lock(url)
    }

    /// Copies an SQLite database as it is at this moment into an empty file, while others go on writing.
    pub(crate) async fn copy_into(&self, file: &Path) -> anyhow::Result<()> {
        sqlx::query("vacuum into $1")
            .bind(file.display().to_string())
            .execute(&self.reader)
            .await
            .with_context(|| format!("copying into {}", file.display()))?;
        Ok(())
    }

    /// Lets the connections go; what was committed stays.
    pub async fn close(&self) {
        self.writer.close().await;
        self.reader.close().await;
        self.call_reader.close().await;
    }
}

/// A write transaction: facts, their deliveries and their audit rows become durable together or not at all.
pub(crate) struct Tx {
    inner: Transaction<'static, Any>,
    dialect: Dialect,
    now: Timestamp,
    /// That moment or a little before, by a clock of this machine that nobody sets.
    began: BootInstant,
    audit: Vec<NewEntry>,
    /// Where in `audit` stand the rows that were logged when they were decided.
    logged: HashSet<usize>,
    gates: Vec<String>,
    wake: Wake,
}

impl Tx {
    /// The time at which this transaction began: one time for all it writes.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// The time so long after this transaction began, in milliseconds.
    pub(crate) fn after(&self, wait: Duration) -> i64 {
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        self.now
            .checked_add(wait)
            .map_or(i64::MAX, |at| at.as_millisecond())
    }

    fn now_ms(&self) -> i64 {
        self.now.as_millisecond()
    }

    /// Adds a row to the audit trail; written last, so that its lock is held only for the commit.
    pub(crate) fn audit(&mut self, entry: NewEntry) {
        self.audit.push(entry);
    }

    /// The same for a row that was logged when it was decided.
    pub(crate) fn audit_logged(&mut self, entry: NewEntry) {
        self.logged.insert(self.audit.len());
        self.audit.push(entry);
    }

    /// Makes everything durable, then wakes whoever delivers it.
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
        for gate in &self.gates {
            self.wake.notify(gate);
        }
        Ok(())
    }
}

fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The text as both databases can keep it: Postgres refuses U+0000, so its picture takes its place.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{2400}")
}
