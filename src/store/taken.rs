//! Slack requests that are processed once, with their responses.

use anyhow::Context;
use jiff::SignedDuration;

use super::{Store, Tx};

/// The longest that a request is in progress: far longer than Slack and the database can take together. After that its
/// handler has failed, and a retry is processed.
const WORKED_ON: SignedDuration = SignedDuration::from_secs(60);

/// The state of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The caller has to process it.
    Now,
    /// It is being processed.
    WorkedOn,
    /// It was answered with this response.
    Before(String),
}

/// Claims a request, unless it was claimed before.
pub(crate) async fn take(store: &Store, key: &str) -> anyhow::Result<Taken> {
    let mut tx = store.begin().await?;
    let now = tx.now();
    let inserted = sqlx::query(
        "insert into taken_request (key, taken_at, is_answered, answer) values ($1, $2, 0, '')
         on conflict (key) do nothing",
    )
    .bind(key)
    .bind(now.as_millisecond())
    .execute(&mut *tx.inner)
    .await
    .context("taking a request")?;
    if inserted.rows_affected() == 1 {
        tx.commit().await?;
        return Ok(Taken::Now);
    }
    let (is_answered, answer, taken_at): (i64, String, i64) =
        sqlx::query_as("select is_answered, answer, taken_at from taken_request where key = $1")
            .bind(key)
            .fetch_one(&mut *tx.inner)
            .await
            .context("looking for an earlier request")?;
    if is_answered == 1 {
        return Ok(Taken::Before(answer));
    }
    if taken_at > now.checked_sub(WORKED_ON)?.as_millisecond() {
        return Ok(Taken::WorkedOn);
    }
    sqlx::query("update taken_request set taken_at = $2 where key = $1")
        .bind(key)
        .bind(now.as_millisecond())
        .execute(&mut *tx.inner)
        .await
        .context("taking a request in place of another")?;
    tx.commit().await?;
    Ok(Taken::Now)
}

/// Stores the response of a request.
pub(crate) async fn answered(store: &Store, key: &str, answer: &str) -> anyhow::Result<()> {
    let mut tx = store.begin().await?;
    sqlx::query("update taken_request set is_answered = 1, answer = $2 where key = $1")
        .bind(key)
        .bind(answer)
        .execute(&mut *tx.inner)
        .await
        .context("keeping what a request was answered")?;
    tx.commit().await
}

/// Releases a request that failed, so that a retry is processed.
pub(crate) async fn give_back(store: &Store, key: &str) -> anyhow::Result<()> {
    let mut tx = store.begin().await?;
    sqlx::query("delete from taken_request where key = $1 and is_answered = 0")
        .bind(key)
        .execute(&mut *tx.inner)
        .await
        .context("giving a request back")?;
    tx.commit().await
}

/// Removes all stored responses, which may contain people's words.
pub(crate) async fn forget_answers(tx: &mut Tx) -> anyhow::Result<()> {
    sqlx::query("update taken_request set answer = '' where answer <> ''")
        .execute(&mut *tx.inner)
        .await
        .context("taking away what requests were answered")?;
    Ok(())
}
