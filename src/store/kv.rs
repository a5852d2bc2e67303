//! A key-value table for single values.

use anyhow::Context;

use super::{Reads, Tx};

/// Returns the value of `name`.
pub(crate) async fn read(
    reads: impl Into<Reads<'_>>,
    name: &str,
) -> anyhow::Result<Option<String>> {
    sqlx::query_scalar("select value from kv where name = $1")
        .bind(name)
        .fetch_optional(&mut *reads.into().connection().await?)
        .await
        .context("reading a fact")
}

/// Sets the value of `name`.
pub(crate) async fn write(tx: &mut Tx, name: &str, value: &str) -> anyhow::Result<()> {
    sqlx::query("insert into kv (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value")
        .bind(name)
        .bind(value)
        .execute(&mut *tx.inner)
        .await
        .context("keeping a fact")?;
    Ok(())
}

/// Sets the value of `name`, unless it has one.
pub(crate) async fn write_first(tx: &mut Tx, name: &str, value: &str) -> anyhow::Result<()> {
    sqlx::query("insert into kv (name, value) values ($1, $2) on conflict (name) do nothing")
        .bind(name)
        .bind(value)
        .execute(&mut *tx.inner)
        .await
        .context("keeping the first of a fact")?;
    Ok(())
}

/// Returns the name of the watermark up to which all texts to this number are saved.
pub(crate) fn texts_watermark(number: &str) -> String {
    format!("backfill.texts.{number}")
}
