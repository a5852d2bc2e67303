//! Requests that are taken once, and what they were answered.

use anyhow::Context;
use jiff::SignedDuration;

use super::{Store, Tx};

/// How long a request may be worked on, far longer than Slack and the database may take together. After that, whoever worked
/// on it has failed or died, and a copy is taken in its place.
const WORKED_ON: SignedDuration = SignedDuration::from_secs(60);

/// What is known of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Nobody else works on it.
    Now,
    /// It is being worked on.
    WorkedOn,
    /// It was answered so.
    Before(String),
}

/// Takes a request, if nobody has.
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

/// Keeps what a request was answered.
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

/// A request came to nothing: the next copy of it is taken.
pub(crate) async fn give_back(store: &Store, key: &str) -> anyhow::Result<()> {
    let mut tx = store.begin().await?;
    sqlx::query("delete from taken_request where key = $1 and is_answered = 0")
        .bind(key)
        .execute(&mut *tx.inner)
        .await
        .context("giving a request back")?;
    tx.commit().await
}

/// Takes away what requests were answered: people's words may stand in it.
pub(crate) async fn forget_answers(tx: &mut Tx) -> anyhow::Result<()> {
    sqlx::query("update taken_request set answer = '' where answer <> ''")
        .execute(&mut *tx.inner)
        .await
        .context("taking away what requests were answered")?;
    Ok(())
}
