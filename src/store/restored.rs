//! Prepares a restored backup: the vendors' state has moved on since the copy was made.
//!
//! A delivery that was waiting in the copy may have been made since, so it becomes an attempt without an outcome and is
//! settled like one. Replies that were written before the restore are not sent without asking.

use anyhow::Context;
use jiff::Timestamp;
use serde_json::json;

use super::audit::NewEntry;
use super::{Store, Tx, kv};
use crate::vocabulary::Decision;

/// The key of the time of the last restore, in milliseconds since the Unix epoch.
const RESTORED_AT: &str = "restored_at";

/// Marks all open deliveries as unknown. Returns their number.
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

/// Asks a person about each reply with names or files, since its row does not tell whether its SMS was sent.
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

/// Returns the time of the last restore. An older reply may have been sent already.
pub(crate) async fn at(tx: &mut Tx) -> anyhow::Result<Option<Timestamp>> {
    let at = kv::read(&mut *tx, RESTORED_AT).await?;
    at.map(|at| Ok(Timestamp::from_millisecond(at.parse()?)?))
        .transpose()
}
