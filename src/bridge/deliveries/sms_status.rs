//! Twilio reported what became of an SMS of ours.
//!
//! Reports come late, doubled, out of order and before the answer to the request that made them. Each raises the
//! SMS's status or does nothing; one for a SID that nobody knows is parked until somebody does.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::app::App;
use crate::bridge::desk::{escalation, opt_out, status};
use crate::bridge::wording;
use crate::delivery;
use crate::store::audit::NewEntry;
use crate::store::outbox::Row;
use crate::store::sms::Sms;
use crate::store::{Tx, conversations, lanes, outbox, sms};
use crate::twilio::error_code::{self, Meaning};
use crate::twilio::form::MessageStatus;
use crate::twilio::message::{Message, MessageState};
use crate::vocabulary::OutboxId;
use crate::vocabulary::{AttemptResult, Decision, DeliveryState};

/// What our StatusCallback URL carries: which attempt at which delivery it reports on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Echo {
    #[serde(rename = "o")]
    pub(crate) outbox_id: OutboxId,
    #[serde(rename = "a")]
    pub(crate) attempt: i64,
}

/// Keeps a report and what follows from it in one transaction.
pub(crate) async fn receive(
    app: &App,
    status: &MessageStatus,
    echo: Option<&Echo>,
) -> anyhow::Result<()> {
    crate::faultpoints::point("status.verified");
    let mut tx = app.store.begin().await?;
    let sid = status.message_sid.as_str();
    let error_code = i64::from(status.error_code.unwrap_or_default());
    let mut known = sms::by_sid(&mut tx, sid).await?;
    if known.is_none()
        && let Some(echo) = echo
        && let Some(row) = outbox::by_id(&mut tx, &echo.outbox_id).await?
        && (1..=row.attempts).contains(&echo.attempt)
    {
        bind(
            &mut tx,
            app,
            (&row, echo.attempt),
            sid,
            "its status callback",
        )
        .await?;
        known = sms::by_sid(&mut tx, sid).await?;
    }
    match known {
        Some(known) => raise(&mut tx, app, &known, &status.status, error_code).await?,
        None => {
            sms::park(&mut tx, sid, status.status.as_str(), error_code).await?;
            metrics::counter!("qdn_status_callbacks_parked_total").increment(1);
        }
    }
    crate::faultpoints::point("status.before_commit");
    tx.commit().await?;
    crate::faultpoints::point("status.committed");
    Ok(())
}

/// What Twilio's log says of an SMS whose report has not come.
pub(crate) async fn receive_looked_up(app: &App, message: &Message) -> anyhow::Result<()> {
    let mut tx = app.store.begin().await?;
    if let Some(known) = sms::by_sid(&mut tx, message.sid.as_str()).await? {
        raise(
            &mut tx,
            app,
            &known,
            &message.status,
            i64::from(message.error_code.unwrap_or_default()),
        )
        .await?;
    }
    tx.commit().await
}

/// Binds a SID to the row that led to it, by whatever proof, and settles the row with it.
///
/// A second SID for one row is a text sent twice: it is said loudly, never hidden.
pub(crate) async fn bind(
    tx: &mut Tx,
    app: &App,
    (row, attempt): (&Row, i64),
    sid: &str,
    proof: &str,
) -> anyhow::Result<()> {
    if !sms::bind(tx, sid, &row.id, &row.message_id, attempt).await? {
        return Ok(());
    }
    let conversation = conversations::by_id(&mut *tx, &row.conversation_id).await?;
    let entry = |decision, reason: &str| NewEntry {
        line: app.line_name(&conversation.line),
        number: conversation.caller.clone(),
        subject: sid.to_owned(),
        decision,
        reason: reason.to_owned(),
        detail: json!({ "conversation": conversation.id, "message": row.message_id, "outbox": row.id, "attempt": attempt }),
        at: None,
    };
    tx.audit(entry(Decision::SmsSent, &format!("known by {proof}")));
    if sms::of_row(tx, &row.id).await?.len() > 1 {
        metrics::counter!("qdn_duplicates_detected_total").increment(1);
        tracing::error!(
            outbox = %row.id,
            sid,
            "duplicate_detected: one reply led to two texts"
        );
        tx.audit(entry(
            Decision::DuplicateDetected,
            "one reply led to two texts",
        ));
        escalation::notice(tx, row, wording::sent_twice().into()).await?;
    }
    outbox::set_external_id(tx, &row.id, sid).await?;
    outbox::finish_attempt(tx, &row.id, attempt, AttemptResult::Delivered, proof).await?;
    outbox::set_state(tx, &row.id, DeliveryState::Delivered, 0, "").await?;
    lanes::advance(tx, &row.lane).await?;
    delivery::enqueue_mark(tx, &row.conversation_id, &row.message_id).await?;
    for (status, error_code) in sms::unpark(tx, sid).await? {
        if let Some(bound) = sms::by_sid(tx, sid).await? {
            raise(tx, app, &bound, &MessageState::parse(&status), error_code).await?;
        }
    }
    Ok(())
}

/// Raises the status of a bound SMS, and says in the thread if it failed.
pub(crate) async fn raise(
    tx: &mut Tx,
    app: &App,
    known: &Sms,
    status: &MessageState,
    error_code: i64,
) -> anyhow::Result<()> {
    let failed = matches!(
        status,
        MessageState::Failed | MessageState::Undelivered | MessageState::Canceled
    );
    if !sms::raise(
        tx,
        &known.sid,
        status.as_str(),
        i64::from(status.rank()),
        error_code,
    )
    .await?
    {
        return Ok(());
    }
    crate::faultpoints::point("status.raised");
    let Some(row) = outbox::by_id(&mut *tx, &known.outbox_id).await? else {
        return Ok(());
    };
    let conversation = conversations::by_id(&mut *tx, &row.conversation_id).await?;
    let code = u32::try_from(error_code).unwrap_or_default();
    tx.audit(NewEntry {
        line: app.line_name(&conversation.line),
        number: conversation.caller.clone(),
        subject: known.sid.clone(),
        decision: Decision::SmsStatus,
        reason: status.as_str().to_owned(),
        detail: json!({ "conversation": conversation.id, "message": known.message_id, "outbox": row.id, "error_code": code }),
        at: None,
    });
    if failed && error_code::meaning(code) == Meaning::OptedOut {
        opt_out::record_refusal(tx, app, &conversation, row.created()).await?;
    }
    if failed && !sms::another_failed(tx, known).await? {
        let sentence =
            wording::not_delivered(error_code::meaning(code), (code != 0).then_some(code));
        escalation::notice(tx, &row, sentence.into()).await?;
        status::text_lost(tx, &app.config.desk, &row).await?;
    }
    delivery::enqueue_mark(tx, &row.conversation_id, &known.message_id).await
}
