//! How much of an edited or deleted reply was sent already.

use serde_json::json;

use crate::app::App;
use crate::delivery::{self};
use crate::slack::event::MessageEvent;
use crate::slack::mrkdwn::{Names, plain_text};
use crate::store::audit::NewEntry;
use crate::store::conversations::Conversation;
use crate::store::lanes::{self};
use crate::store::messages::Message;
use crate::store::outbox::Row;
use crate::store::{Tx, edits, outbox};
use crate::vocabulary::{self, Decision, DeliveryState, MessageId, ReasonCode};

/// The message's dedupe key.
pub(super) fn key(message: &MessageEvent) -> String {
    format!("{}:{}", message.channel.as_str(), message.ts.as_str())
}

/// Whether this part was dropped because its writer shortened the reply.
pub(crate) fn is_edited_away(row: &Row) -> bool {
    row.state == DeliveryState::Dropped && row.is_because(ReasonCode::EditedAway)
}

/// How far a reply has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// No part of it has left.
    Nowhere,
    /// The caller has it or may have it.
    Caller,
    /// It was refused or given up.
    Nobody,
}

impl Reached {
    /// When a change of the reply came, for the audit.
    pub(super) fn when(self) -> &'static str {
        match self {
            Reached::Nowhere => "before it left",
            Reached::Caller => "after it had left",
            Reached::Nobody => "after it was given up",
        }
    }
}

/// Whether this part waits and no request for it was ever made. Looking up names does not count as one.
pub(super) fn waits(row: &Row) -> bool {
    match row.state.known() {
        Some(DeliveryState::Waiting | DeliveryState::Blocked | DeliveryState::AwaitingWriter) => {
            true
        }
        Some(DeliveryState::Undecided) => row.attempts == 0,
        Some(DeliveryState::Sending) => row.kind == vocabulary::Kind::Reply,
        _ => false,
    }
}

pub(super) fn reached(rows: &[Row]) -> Reached {
    let is_over = |row: &Row| {
        matches!(
            row.state.known(),
            Some(DeliveryState::Refused | DeliveryState::Dropped)
        )
    };
    if rows.iter().all(is_over) {
        Reached::Nobody
    } else if rows.iter().all(|row| waits(row) || is_over(row)) {
        Reached::Nowhere
    } else {
        Reached::Caller
    }
}

/// The texts of a message, in order.
pub(super) async fn texts(
    tx: &mut Tx,
    conversation: &Conversation,
    id: &MessageId,
) -> anyhow::Result<Vec<Row>> {
    let lane = delivery::phone_lane(&conversation.line, &conversation.id);
    let mut rows = outbox::of_message(&mut *tx, id).await?;
    rows.retain(|row| row.lane == lane.id && !is_edited_away(row));
    Ok(rows)
}

pub(super) async fn drop_rows(tx: &mut Tx, rows: &[Row]) -> anyhow::Result<()> {
    for row in rows {
        outbox::set_state(tx, &row.id, DeliveryState::Dropped, 0, "").await?;
        lanes::advance(tx, &row.lane).await?;
    }
    Ok(())
}

/// The words that the caller got, or would have got.
pub(super) async fn got(tx: &mut Tx, known: &Message, rows: &[Row]) -> anyhow::Result<String> {
    if let Some(correction) = edits::last_sent(tx, &known.id).await? {
        return Ok(plain(&correction));
    }
    let words: Vec<String> = rows.iter().map(Row::words).collect();
    let words = words.join(" ");
    Ok(match words.trim() {
        "" => plain(&known.body),
        words => words.to_owned(),
    })
}

pub(super) fn plain(slack_text: &str) -> String {
    plain_text(slack_text, &Names::default()).trim().to_owned()
}

/// The audit entry of what became of a reply.
pub(super) fn entry(
    app: &App,
    conversation: &Conversation,
    known: &Message,
    (decision, reason): (Decision, &str),
    rows: &[Row],
) -> NewEntry {
    NewEntry {
        line: app.line_name(&conversation.line),
        number: conversation.caller.clone(),
        subject: known.external_id.clone(),
        decision,
        reason: reason.to_owned(),
        detail: json!({
            "conversation": conversation.id, "message": known.id, "by": known.author,
            "outbox": rows.iter().map(|row| &row.id).collect::<Vec<_>>(),
        }),
        at: None,
    }
}
