//! Who has opened the app's Home tab, and whose view is out of date.

use anyhow::Context;
use jiff::Timestamp;

use super::{Store, Tx};

/// Marks all views as out of date.
pub(crate) async fn mark_stale(tx: &mut Tx) -> anyhow::Result<()> {
    sqlx::query("update home_view set stale = 1 where stale = 0")
        .execute(&mut *tx.inner)
        .await
        .context("noting that homes are out of date")?;
    Ok(())
}

/// Records that somebody opened their Home tab, whose view is published now.
pub(crate) async fn opened(tx: &mut Tx, person: &str) -> anyhow::Result<()> {
    let now = tx.now_ms();
    sqlx::query(
        "insert into home_view (person, opened_at, published_at, stale) values ($1, $2, $2, 0)
         on conflict (person) do update set opened_at = excluded.opened_at, published_at = excluded.published_at, stale = 0",
    )
    .bind(person)
    .bind(now)
    .execute(&mut *tx.inner)
    .await
    .context("noting who opened their home")?;
    Ok(())
}

/// Whether any view is out of date.
pub(crate) async fn any_stale(store: &Store) -> anyhow::Result<bool> {
    let found: Option<String> =
        sqlx::query_scalar("select person from home_view where stale = 1 limit 1")
            .fetch_optional(store.reader())
            .await
            .context("looking for homes that are out of date")?;
    Ok(found.is_some())
}

/// Returns people whose view is out of date, who opened it after `opened_after` and whose view was published no later than
/// `published_before`, and marks their views as up to date. Those who opened it last come first.
pub(crate) async fn take_stale(
    tx: &mut Tx,
    opened_after: Timestamp,
    published_before: Timestamp,
    limit: i64,
) -> anyhow::Result<Vec<String>> {
    let now = tx.now_ms();
    let open: Vec<(String, i64, i64)> = sqlx::query_as(
        "select person, published_at, stale from home_view where opened_at > $1 order by opened_at desc limit $2",
    )
    .bind(opened_after.as_millisecond())
    .bind(limit)
    .fetch_all(&mut *tx.inner)
    .await
    .context("listing who has their home open")?;
    let mut taken = Vec::new();
    for (person, published_at, stale) in open {
        if stale == 0 || published_at > published_before.as_millisecond() {
            continue;
        }
        refreshed(tx, &person, now).await?;
        taken.push(person);
    }
    Ok(taken)
}

async fn refreshed(tx: &mut Tx, person: &str, now: i64) -> anyhow::Result<()> {
    sqlx::query("update home_view set stale = 0, published_at = $1 where person = $2")
        .bind(now)
        .bind(person)
        .execute(&mut *tx.inner)
        .await
        .context("noting that a home is brought up to date")?;
    Ok(())
}
