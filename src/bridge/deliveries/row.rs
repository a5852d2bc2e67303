//! What every ending of a delivery needs: its audit row, the home that counts what is in trouble, and giving it up.

use serde_json::json;

use crate::app::App;
use crate::bridge::desk::status;
use crate::store::audit::NewEntry;
use crate::store::lanes::Claimed;
use crate::store::outbox::{Attempt, Row};
use crate::store::{Tx, conversations, home_views, messages, outbox};
use crate::vocabulary::{Decision, DeliveryState, Kind};

/// A delivery that was tried: the row as it stands now, and the attempt that ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tried<'a> {
    pub(crate) app: &'a App,
    pub(crate) row: &'a Row,
    pub(crate) attempt: &'a Attempt,
    pub(crate) claimed: &'a Claimed,
}

/// Whether the reply behind this SMS was deleted in the meantime.
pub(crate) async fn is_taken_away(tx: &mut Tx, row: &Row) -> anyhow::Result<bool> {
    if row.kind != Kind::Sms || row.message_id.is_empty() {
        return Ok(false);
    }
    Ok(messages::by_id(&mut *tx, &row.message_id)
        .await?
        .is_deleted())
}

/// Drops an SMS that did not leave and whose reply was deleted.
pub(crate) async fn give_up(tx: &mut Tx, tried: Tried<'_>) -> anyhow::Result<()> {
    let Tried { app, row, .. } = tried;
    let why = "its writer deleted it before it left";
    outbox::set_state(tx, &row.id, DeliveryState::Dropped, 0, why).await?;
    status::text_lost(tx, &app.config.desk, row).await?;
    audit(tx, tried, Decision::Dropped, why).await
}

/// Marks the Home tabs as out of date, since they count failures. A failed Home update must not queue another: it would
/// loop.
pub(crate) async fn trouble_changed(tx: &mut Tx, row: &Row) -> anyhow::Result<()> {
    if row.kind == Kind::Home {
        return Ok(());
    }
    home_views::mark_stale(tx).await
}

/// Adds what happened to a delivery to the audit trail.
pub(crate) async fn audit(
    tx: &mut Tx,
    tried: Tried<'_>,
    decision: Decision,
    reason: &str,
) -> anyhow::Result<()> {
    let entry = entry(tx, tried, decision, reason).await?;
    tx.audit(entry);
    Ok(())
}

pub(crate) async fn entry(
    tx: &mut Tx,
    tried: Tried<'_>,
    decision: Decision,
    reason: &str,
) -> anyhow::Result<NewEntry> {
    let Tried {
        app, row, attempt, ..
    } = tried;
    let (line, number) = if row.conversation_id.is_empty() {
        (String::new(), String::new())
    } else {
        let conversation = conversations::by_id(&mut *tx, &row.conversation_id).await?;
        (app.line_name(&conversation.line), conversation.caller)
    };
    Ok(NewEntry {
        line,
        number,
        subject: row.id.to_string(),
        decision,
        reason: reason.to_owned(),
        detail: json!({
            "conversation": row.conversation_id, "message": row.message_id, "outbox": row.id, "kind": row.kind, "attempt": attempt.n,
        }),
        at: None,
    })
}
