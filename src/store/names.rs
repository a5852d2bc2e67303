//! The names that people gave to callers' numbers.

use anyhow::Context;

use super::{Reads, Tx};

/// Returns the name of a number, if it has one.
pub(crate) async fn of(
    reads: impl Into<Reads<'_>>,
    number: &str,
) -> anyhow::Result<Option<String>> {
    sqlx::query_scalar("select name from caller_name where number = $1")
        .bind(number)
        .fetch_optional(&mut *reads.into().connection().await?)
        .await
        .context("looking for a caller's name")
}

/// Sets the name of a number.
pub(crate) async fn set(
    tx: &mut Tx,
    number: &str,
    name: &str,
    said_by: &str,
) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query(
        "insert into caller_name (number, name, said_by, said_at) values ($1, $2, $3, $4)
         on conflict (number) do update set name = excluded.name, said_by = excluded.said_by, said_at = excluded.said_at",
    )
    .bind(number)
    .bind(name)
    .bind(said_by)
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("keeping a caller's name")?;
    Ok(())
}

/// Removes the name of a number. Returns `false` if it had none.
pub(crate) async fn forget(tx: &mut Tx, number: &str) -> anyhow::Result<bool> {
    let forgotten = sqlx::query("delete from caller_name where number = $1")
        .bind(number)
        .execute(&mut *tx.inner)
        .await
        .context("forgetting a caller's name")?;
    Ok(forgotten.rows_affected() == 1)
}
