//! Opens the database: sets pragmas and reads them back, runs migrations, refuses a newer database.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AnyConnection, AnyPool, Connection};

use super::{Dialect, Store, Wake, scrub};
use crate::clock::Clock;
use crate::config::{DatabaseUrl, sqlite_file};
use crate::private_files;

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// How long a statement waits for another process that holds SQLite's lock. Shorter than Slack's and Twilio's timeouts, so
/// that they get an error from us instead of no answer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a handler waits for a connection of the pool. Twilio gives up after 15 s.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// The reader connections. SQLite allows any number; four keep two cores busy.
const SQLITE_READERS: u32 = 4;

/// The writer connections. Writers queue in Postgres, too, so more connections would only wait there.
const POSTGRES_WRITERS: u32 = 3;

/// The reader connections, separate from the writers so that many writers do not hold up readers. A small Postgres allows
/// 100 connections in all.
const POSTGRES_READERS: u32 = 6;

/// The reader connections for calls, in either database. A call makes three reads at once, which must not wait for slow reads
/// of others.
const CALL_READERS: u32 = 3;

/// Why the database cannot be opened. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL's scheme is neither SQLite's nor Postgres'.
    #[error("database_url: it must begin with sqlite:// or postgres://")]
    UnknownKind,
    /// The database cannot be opened or reached.
    #[error(
        "the database cannot be opened: {0}. Check database_url, that the folder exists and can be written to, or that Postgres runs"
    )]
    Unreachable(sqlx::Error),
    /// A newer version of the program has migrated the database.
    #[error(
        "the database is newer than this program (it has migration {0}, which this version does not know). \
         Start the version that made it, or a later one"
    )]
    Newer(i64),
    /// The database can be opened but not written.
    #[error(
        "the database cannot be written: {0}. End whatever holds its lock, and see that its disk is neither full nor read-only"
    )]
    ReadOnly(sqlx::Error),
    /// A migration failed.
    #[error("the database cannot be brought up to date: {0}")]
    Migration(MigrateError),
    /// SQLite did not accept a pragma that durability depends on.
    #[error(
        "SQLite keeps {pragma} at {value} instead of {wanted}: the file system may not support it. Move the database to a local disk"
    )]
    Pragma {
        /// The pragma's name.
        pragma: &'static str,
        /// Its actual value.
        value: String,
        /// The required value.
        wanted: &'static str,
    },
}

pub(super) async fn open(url: &str, clock: Clock) -> Result<Store, OpenError> {
    sqlx::any::install_default_drivers();
    let (dialect, writer, reader, call_reader) = if url.starts_with("sqlite:") {
        let [writer, reader, call_reader] = open_sqlite(url).await?;
        (Dialect::Sqlite, writer, reader, call_reader)
    } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        let writer = open_postgres(url, POSTGRES_WRITERS).await?;
        let reader = open_postgres(url, POSTGRES_READERS).await?;
        let call_reader = open_postgres(url, CALL_READERS).await?;
        (Dialect::Postgres, writer, reader, call_reader)
    } else {
        return Err(OpenError::UnknownKind);
    };
    let is_new = dialect == Dialect::Sqlite && is_empty(&writer).await?;
    MIGRATIONS.run(&writer).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => OpenError::Newer(version),
        other => OpenError::Migration(other),
    })?;
    let store = Store {
        dialect,
        url: DatabaseUrl::new(url),
        writer,
        reader,
        call_reader,
        clock,
        ahead: Arc::default(),
        wake: Wake::default(),
        lock: None,
    };
    if is_new {
        scrub::is_new(&store)
            .await
            .map_err(|error| OpenError::Unreachable(sqlx::Error::Protocol(format!("{error:#}"))))?;
    }
    Ok(store)
}

/// Whether an SQLite file has no tables.
async fn is_empty(writer: &AnyPool) -> Result<bool, OpenError> {
    let tables: i64 = sqlx::query_scalar("select count(*) from sqlite_master")
        .fetch_one(writer)
        .await
        .map_err(OpenError::Unreachable)?;
    Ok(tables == 0)
}

/// Locks the file beside an SQLite file; `None` if another process has the lock or the database is not a file.
pub(super) fn lock(url: &str) -> anyhow::Result<Option<File>> {
    let Some(file) = sqlite_file(url) else {
        return Ok(None);
    };
    let path = format!("{}.lock", file.display());
    let file =
        private_files::create(Path::new(&path)).with_context(|| format!("creating {path}"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        // The previous process is still shutting down. Its leases expire by themselves.
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {path}")),
    }
}

async fn open_sqlite(url: &str) -> Result<[AnyPool; 3], OpenError> {
    if let Some(file) = sqlite_file(url) {
        keep_private(file);
    }
    let with_create = match url.contains('?') {
        true => format!("{url}&mode=rwc"),
        false => format!("{url}?mode=rwc"),
    };
    let options = AnyConnectOptions::from_str(&with_create).map_err(OpenError::Unreachable)?;
    let pool = |connections| {
        AnyPoolOptions::new()
            .max_connections(connections)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(|connection, _| Box::pin(set_pragmas(connection)))
            // On a full disk SQLite rolls a transaction back by itself, but sqlx still counts it. Close such a
            // connection, or nothing could be written any more.
            .before_acquire(|connection, _| {
                let is_clean = !connection.is_in_transaction();
                Box::pin(async move { Ok(is_clean) })
            })
    };
    let writer = pool(1)
        .connect_with(options.clone())
        .await
        .map_err(OpenError::Unreachable)?;
    let reader = pool(SQLITE_READERS)
        .connect_with(options.clone())
        .await
        .map_err(OpenError::Unreachable)?;
    let call_reader = pool(CALL_READERS)
        .connect_with(options)
        .await
        .map_err(OpenError::Unreachable)?;
    for (pragma, read, wanted) in [
        ("journal_mode", "pragma journal_mode", "wal"),
        ("synchronous", "pragma synchronous", "2"),
    ] {
        let value = read_pragma(&writer, read)
            .await
            .map_err(OpenError::Unreachable)?;
        if value != wanted {
            return Err(OpenError::Pragma {
                pragma,
                value,
                wanted,
            });
        }
    }
    Ok([writer, reader, call_reader])
}

/// Makes the file, so that it is never open to others, and closes those that an earlier version left open. SQLite gives its
/// log and the log's index the mode of the file.
fn keep_private(file: &Path) {
    if !file.exists() {
        // If this fails, opening the database reports why.
        let _ = private_files::create(file);
    }
    for file in private_files::of_database(file) {
        private_files::close_to_others(&file, private_files::FILE);
    }
}

async fn set_pragmas(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    for pragma in [
        "pragma journal_mode = wal",
        "pragma synchronous = full",
        "pragma foreign_keys = on",
        // Overwrite deleted data with zeros. See `scrub` for the write-ahead log.
        "pragma secure_delete = on",
    ] {
        sqlx::query(pragma).execute(&mut *connection).await?;
    }
    wait_for_lock(connection).await
}

pub(super) async fn wait_for_lock(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let busy = format!("pragma busy_timeout = {}", BUSY_TIMEOUT.as_millis());
    sqlx::query(sqlx::AssertSqlSafe(busy))
        .execute(connection)
        .await?;
    Ok(())
}

/// Reads a pragma as text. `journal_mode` returns a word, `synchronous` a number.
async fn read_pragma(pool: &AnyPool, pragma: &'static str) -> Result<String, sqlx::Error> {
    use sqlx::Row;
    let row = sqlx::query(pragma).fetch_one(pool).await?;
    row.try_get::<String, _>(0)
        .or_else(|_| row.try_get::<i64, _>(0).map(|number| number.to_string()))
}

async fn open_postgres(url: &str, connections: u32) -> Result<AnyPool, OpenError> {
    let options = AnyConnectOptions::from_str(url).map_err(OpenError::Unreachable)?;
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| Box::pin(bound_waiting(connection)))
        .connect_with(options)
        .await
        .map_err(OpenError::Unreachable)
}

/// Sets Postgres' timeouts: a replica that hangs in a transaction must not block the others, and a writer that waits for it
/// has to fail in time.
async fn bound_waiting(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    for setting in [
        "set idle_in_transaction_session_timeout = '3s'",
        "set lock_timeout = '4s'",
    ] {
        sqlx::query(setting).execute(&mut *connection).await?;
    }
    Ok(())
}
