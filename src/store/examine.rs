//! Examines a database without migrating it, since another version of the program may be using it.

use sqlx::{AnyConnection, Connection};

use super::connect::{self, MIGRATIONS};
use super::{OpenError, Store};

/// The result of an examination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Examined {
    /// The number of migrations that the next start will run.
    pub pending: usize,
}

impl Store {
    /// Examines an existing database: its pending migrations, and whether it can be written now.
    pub(crate) async fn examine(url: &str) -> Result<Examined, OpenError> {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(url)
            .await
            .map_err(OpenError::Unreachable)?;
        let examined = look(&mut connection, url).await;
        // Ignore an error of closing: the result is already known.
        let _ = connection.close().await;
        examined
    }
}

impl Store {
    /// Whether SQLite's integrity check finds no problem in a file that nobody writes.
    pub(crate) async fn is_whole(url: &str) -> anyhow::Result<bool> {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(url).await?;
        let said: Vec<String> = sqlx::query_scalar("pragma integrity_check")
            .fetch_all(&mut connection)
            .await?;
        connection.close().await?;
        Ok(said == ["ok"])
    }
}

async fn look(connection: &mut AnyConnection, url: &str) -> Result<Examined, OpenError> {
    let known: Vec<i64> = MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .collect();
    // Without this table no migration has run yet.
    let applied: Vec<i64> = sqlx::query_scalar("select version from _sqlx_migrations")
        .fetch_all(&mut *connection)
        .await
        .unwrap_or_default();
    if let Some(newer) = applied.iter().find(|version| !known.contains(version)) {
        return Err(OpenError::Newer(*newer));
    }
    prove_write(connection, url)
        .await
        .map_err(OpenError::ReadOnly)?;
    Ok(Examined {
        pending: known.len() - applied.len(),
    })
}

/// Proves that the database can be written: creates a table in a transaction and rolls it back.
async fn prove_write(connection: &mut AnyConnection, url: &str) -> Result<(), sqlx::Error> {
    if url.starts_with("sqlite:") {
        connect::wait_for_lock(connection).await?;
    }
    let begin = match url.starts_with("sqlite:") {
        true => "begin immediate",
        false => "begin",
    };
    let mut tx = connection.begin_with(begin).await?;
    sqlx::query("create table qdn_relay_check (it text)")
        .execute(&mut *tx)
        .await?;
    tx.rollback().await
}
