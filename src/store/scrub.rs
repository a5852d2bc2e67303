//! What was taken away from an SQLite database leaves its file and its write-ahead log as well.
//!
//! `secure_delete` overwrites freed bytes with zeros, but the page with the zeros is written to the log first: until the
//! log is copied into the file and truncated, the old page stands in both. SQLite cannot truncate the log while a reader
//! holds an older state, so the wish is kept in the database and the service tries again. Postgres has no such request:
//! its dead rows go with its own vacuum.

use anyhow::Context;

use super::{Dialect, Store, Tx, kv, new_id};

/// The fact that something was taken away and may still stand in the log. Its value tells one wish from the next.
const WANTED: &str = "scrub.wanted";

/// The fact that the file has no free space from before `secure_delete` was on.
const CLEAN: &str = "scrub.clean";

/// How long a truncation waits for readers. It holds writers up meanwhile, and a text must not wait long for it.
const WAIT_MS: u32 = 250;

/// Whether what was taken away is gone from the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scrubbed {
    /// It is.
    Done,
    /// A reader holds the log open, or free space from an earlier version has not been overwritten yet.
    NotYet,
}

/// Notes in the transaction that takes something away that the log has to be truncated.
pub(crate) async fn want(tx: &mut Tx) -> anyhow::Result<()> {
    match tx.dialect {
        Dialect::Sqlite => kv::write(tx, WANTED, &new_id()).await,
        Dialect::Postgres => Ok(()),
    }
}

/// Notes that a database that was just made has had `secure_delete` on from the beginning.
pub(super) async fn is_new(store: &Store) -> anyhow::Result<()> {
    let mut tx = store.begin().await?;
    kv::write(&mut tx, CLEAN, "").await?;
    tx.commit().await
}

/// Writes a database anew, once, that an earlier version has written: what it removed may stand in free space. For a
/// process that has the database to itself, since nobody else can write meanwhile.
pub(crate) async fn overwrite_free_space(store: &Store) -> anyhow::Result<()> {
    if store.dialect != Dialect::Sqlite || kv::read(store, CLEAN).await?.is_some() {
        return Ok(());
    }
    tracing::info!(
        "writing the database anew, once: what an earlier version removed may stand in its free space"
    );
    sqlx::query("vacuum")
        .execute(&store.writer)
        .await
        .context("writing the database anew")?;
    let mut tx = store.begin().await?;
    kv::write(&mut tx, CLEAN, "").await?;
    // The old pages stand in the file until the new ones are copied over them.
    want(&mut tx).await?;
    tx.commit().await
}

/// Truncates the log if something was taken away since it was truncated last.
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
    // Another wish may have come meanwhile, from another process.
    sqlx::query("delete from kv where name = $1 and value = $2")
        .bind(WANTED)
        .bind(wish)
        .execute(&mut *tx.inner)
        .await
        .context("forgetting that the log has to be truncated")?;
    tx.commit().await?;
    Ok(Scrubbed::Done)
}

/// Copies the whole log into the file and cuts it to nothing; whether that could be done.
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
