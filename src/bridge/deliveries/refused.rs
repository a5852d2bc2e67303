//! A vendor refused a delivery for good.

use crate::bridge::deliveries::not_taken;
use crate::bridge::deliveries::row::{Tried, audit, trouble_changed};
use crate::bridge::desk::{escalation, opt_out, status};
use crate::bridge::texts::inbound_media;
use crate::bridge::wording;
use crate::bridge::wording::{opt_outs, pictures};
use crate::delivery::{self};
use crate::slack::refusal;
use crate::store::{Tx, conversations, outbox};
use crate::twilio::error_code::{self, Meaning};
use crate::vocabulary::{AttemptResult, Decision, DeliveryState, Kind, Reason};

/// Settles a row as refused, and tells whoever has to know: the thread of a text, the log of anything else.
pub(super) async fn refused(
    tx: &mut Tx,
    tried: Tried<'_>,
    code: &str,
    why: &str,
) -> anyhow::Result<()> {
    let Tried {
        app, row, attempt, ..
    } = tried;
    let reason = Reason::by_vendor(code, why);
    outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::Refused, &reason).await?;
    outbox::set_state(tx, &row.id, DeliveryState::Refused, 0, reason).await?;
    trouble_changed(tx, row).await?;
    audit(tx, tried, Decision::Refused, why).await?;
    metrics::counter!("qdn_refused_total", "kind" => row.kind.to_string()).increment(1);
    if row.kind.is_text() {
        text_refused(tx, tried, code).await?;
    } else if row.kind == Kind::Form {
        tracing::warn!(
            outbox = %row.id,
            code,
            "a form was not shown; whoever wants it chooses the shortcut again"
        );
    } else if code == "user_not_in_channel" {
        tracing::info!(
            outbox = %row.id,
            "somebody outside the channel could not be told"
        );
    } else if refusal::is_about_one_channel(code) {
        tracing::warn!(
            outbox = %row.id,
            kind = %row.kind,
            code,
            "what is for a channel that the bot cannot use was given up: only that channel shows it"
        );
    } else if row.kind == Kind::Words {
        tracing::warn!(
            outbox = %row.id,
            code,
            "Slack refuses words even to one person"
        );
        not_taken::cannot_be_shown(tx, app, row).await?;
    } else if row.kind == Kind::InboundFile {
        inbound_media::lost(tx, row, code).await?;
    } else {
        tracing::error!(
            outbox = %row.id,
            kind = %row.kind,
            code,
            "Slack refused a delivery for good: see qdn-relay outbox list"
        );
    }
    Ok(())
}

/// Tells the thread why the caller does not get a text.
async fn text_refused(tx: &mut Tx, tried: Tried<'_>, code: &str) -> anyhow::Result<()> {
    let Tried {
        app, row, attempt, ..
    } = tried;
    let number = code.parse().ok();
    if number.map(error_code::meaning) == Some(Meaning::OptedOut) {
        let conversation = conversations::by_id(&mut *tx, &row.conversation_id).await?;
        opt_out::record_refusal(tx, app, &conversation, attempt.started()).await?;
    }
    let sentence = match code {
        pictures::MEDIA_GONE => pictures::media_gone(),
        opt_outs::OPTED_OUT => opt_outs::not_sent(),
        _ => wording::not_delivered(error_code::meaning(number.unwrap_or_default()), number),
    };
    escalation::notice(tx, row, sentence.into()).await?;
    status::text_lost(tx, &app.config.desk, row).await?;
    drop_later_parts(tx, tried).await?;
    delivery::enqueue_mark(tx, &row.conversation_id, &row.message_id).await
}

/// A reply whose beginning cannot be sent is not sent from its middle on.
async fn drop_later_parts(tx: &mut Tx, tried: Tried<'_>) -> anyhow::Result<()> {
    let refused = tried.row;
    let why = wording::delivery::EARLIER_PART_REFUSED;
    for row in outbox::of_message(&mut *tx, &refused.message_id).await? {
        let is_later = (row.seq, row.part) > (refused.seq, refused.part);
        if row.kind == Kind::Sms && is_later && row.state == DeliveryState::Waiting {
            outbox::set_state(tx, &row.id, DeliveryState::Dropped, 0, why).await?;
            let part = Tried { row: &row, ..tried };
            audit(tx, part, Decision::PartDropped, why).await?;
        }
    }
    Ok(())
}
