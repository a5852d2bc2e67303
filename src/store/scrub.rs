//! Removes deleted data from an SQLite database's file and from its write-ahead log.
//!
//! `secure_delete` overwrites freed bytes with zeros, but SQLite writes the new page to the log first. Until the log is
//! copied into the file and truncated, both contain the old page. SQLite cannot truncate the log while a reader uses an older
//! snapshot, so the request is stored in the database and the service tries again. Postgres has no such request; its vacuum
//! removes dead rows.

use anyhow::Context;

use super::{Dialect, Store, Tx, kv, new_id};

/// The key of the request to truncate the log. Its value identifies the request.
const WANTED: &str = "scrub.wanted";

/// The key that says that the file has no free space from before `secure_delete`.
const CLEAN: &str = "scrub.clean";

/// How long a truncation waits for readers. It blocks writers meanwhile, and a text must not wait long for it.
const WAIT_MS: u32 = 250;

/// Whether deleted data is gone from the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scrubbed {
    /// It is gone.
    Done,
    /// A reader uses the log, or free space of an earlier version is not overwritten yet.
    NotYet,
}

/// Requests a truncation of the log, in the transaction that deletes data.
pub(crate) async fn want(tx: &mut Tx) -> anyhow::Result<()> {
    match tx.dialect {
        Dialect::Sqlite => kv::write(tx, WANTED, &new_id()).await,
        Dialect::Postgres => Ok(()),
    }
}

/// Records that a new database has had `secure_delete` on from the beginning.
pub(super) async fn is_new(store: &Store) -> anyhow::Result<()> {
    let mut tx = store.begin().await?;
    kv::write(&mut tx, CLEAN, "").await?;
    tx.commit().await
}

/// Rewrites a database of an earlier version once, since its free space may contain deleted data. Only for a process that has
/// locked the database, since nobody else can write meanwhile.
pub(crate) async fn overwrite_free_space(store: &Store) -> anyhow::Result<()> {
    if store.dialect != Dialect::Sqlite || kv::read(store, CLEAN).await?.is_some() {
        return Ok(());
    }
    tracing::info!(
        "rewriting the database once: its free space may contain what an earlier version removed"
    );
    sqlx::query("vacuum")
        .execute(&store.writer)
        .await
        .context("writing the database anew")?;
    let mut tx = store.begin().await?;
    kv::write(&mut tx, CLEAN, "").await?;
    // The old pages stay in the file until the new ones are copied over them.
    want(&mut tx).await?;
    tx.commit().await
}

/// Truncates the log if that is requested.
pub(crate) async fn run(store: &Store) -> anyhow::Result<Scrubbed> {
    if store.dialect != Dialect::Sqlite {
        return Ok(Scrubbed::Done);
    }
    let Some(wish) = kv::read(store, WANTED).await? else {
        return Ok(Scrubbed::Done);
    };
    if !truncate(store).await? || kv::read(store, CLEAN).await?.is_none() {
        return Ok(Scrubbed::NotYet);
    }
    let mut tx = store.begin().await?;
    // Another process may have made another request in the meantime; keep that.
    sqlx::query("delete from kv where name = $1 and value = $2")
        .bind(WANTED)
        .bind(wish)
        .execute(&mut *tx.inner)
        .await
        .context("forgetting that the log has to be truncated")?;
    tx.commit().await?;
    Ok(Scrubbed::Done)
}

/// Copies the whole log into the file and truncates it. Returns whether that was possible.
async fn truncate(store: &Store) -> anyhow::Result<bool> {
    let mut connection = store.writer.acquire().await?;
    let wait = format!("pragma busy_timeout = {WAIT_MS}");
    sqlx::query(sqlx::AssertSqlSafe(wait))
        .execute(&mut *connection)
        .await?;
    let told: Result<(i64, i64, i64), sqlx::Error> =
        sqlx::query_as("pragma wal_checkpoint(truncate)")
            .fetch_one(&mut *connection)
            .await;
    super::connect::wait_for_lock(&mut connection).await?;
    let (is_busy, _, _) = told.context("truncating the write-ahead log")?;
    Ok(is_busy == 0)
}
