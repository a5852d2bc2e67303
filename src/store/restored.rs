//! What follows from having gone back to an earlier copy: the world has gone on without this database.
//!
//! Whatever waited then may have been done since, so each such delivery counts as an attempt whose outcome nobody
//! wrote down, and is settled like one. Replies written before the way back was taken are not sent unasked.

use anyhow::Context;
use jiff::Timestamp;
use serde_json::json;

use super::audit::NewEntry;
use super::{Store, Tx, kv};
use crate::vocabulary::Decision;

/// When the database was last put in place of a later one, milliseconds since the Unix epoch.
const RESTORED_AT: &str = "restored_at";

/// Puts everything that is open in doubt; how much that was.
pub(crate) async fn doubt_everything(store: &Store) -> anyhow::Result<u64> {
    let mut tx = store.begin().await?;
    ask_about_replies(&mut tx).await?;
    sqlx::query(
        "insert into attempt (outbox_id, n, owner, started_at, finished_at, outcome, detail, absent_reads, absent_since) \
         select id, attempts + 1, 'restore', created_at, null, '', '', 0, null from outbox \
         where state in ('waiting', 'held')",
    )
    .execute(&mut *tx.inner)
    .await
    .context("doubting what waits")?;
    let doubted = sqlx::query(
        "update outbox set state = 'sending', attempts = attempts + 1 where state in ('waiting', 'held')",
    )
    .execute(&mut *tx.inner)
    .await
    .context("doubting what waits")?
    .rows_affected();
    let now = tx.now().as_millisecond();
    kv::write(&mut tx, RESTORED_AT, &now.to_string()).await?;
    tx.audit(NewEntry {
        subject: "database".into(),
        reason: "a copy was put in place on the command line".into(),
        detail: json!({ "doubted": doubted }),
        ..NewEntry::of(Decision::Restored)
    });
    tx.commit().await?;
    Ok(doubted)
}

/// What a reply with names or files became cannot be told from its own row: a person is asked, as about one that is held.
async fn ask_about_replies(tx: &mut Tx) -> anyhow::Result<()> {
    for sql in [
        "update outbox set state = 'asked', pending = 0, last_error = 'it may have left before the copy was put in place'
         where kind = 'reply' and state in ('waiting', 'held', 'sending', 'unknown')",
        "insert into confirmation (message_id, conversation_id, writer, reason, state, asked_at, notice)
         select message.id, message.conversation_id, message.author, 'restored', 'open', 0, '' from message
         where exists (select 1 from outbox where outbox.message_id = message.id
                       and outbox.kind = 'reply' and outbox.state = 'asked')
         on conflict (message_id) do update set state = 'open', asked_at = 0, notice = ''",
        "update lane set due = (select next_at from outbox where outbox.lane = lane.id and pending = 1
                               order by seq, part limit 1)
         where id in (select lane from outbox where kind = 'reply' and state = 'asked')",
    ] {
        sqlx::query(sql)
            .execute(&mut *tx.inner)
            .await
            .context("asking about replies")?;
    }
    Ok(())
}

/// Before when a reply may have been sent by a database that is not there any more.
pub(crate) async fn at(tx: &mut Tx) -> anyhow::Result<Option<Timestamp>> {
    let at = kv::read_in(tx, RESTORED_AT).await?;
    at.map(|at| Ok(Timestamp::from_millisecond(at.parse()?)?))
        .transpose()
}
