//! Updates the mark on a dispatcher's message to the state of its texts.

use anyhow::Context;

use super::{Answer, Sending};
use crate::app::App;
use crate::bridge::replies::reached::is_edited_away;
use crate::conversation::{self, Mark, Part};
use crate::delivery::Outcome;
use crate::remote::Failure;
use crate::slack::{ChannelId, MessageTs};
use crate::store::outbox::{Attempt, Row};
use crate::store::{messages, outbox, sms};
use crate::twilio::message::MessageState;
use crate::vocabulary::MessageId;
use crate::vocabulary::{AttemptResult, DeliveryState, ReasonCode};

pub(super) async fn send(sending: Sending<'_>) -> Answer {
    let Sending {
        app,
        clients,
        row,
        attempt,
        ..
    } = sending;
    let message = messages::by_id(&app.store, &row.message_id).await?;
    let (wanted, again) = if message.is_internal() {
        (Mark::KeptInside, None)
    } else {
        conversation::mark_of(&parts(app, &message.id).await?, app.clock.now())
    };
    let shown = wanted.emoji();
    let is_doubtful = left_a_doubt(app, row, attempt).await?;
    if shown == message.mark && !is_doubtful {
        return Ok(Ok(Outcome::Marked {
            shown,
            requests: 0,
            again,
        }));
    }
    let channel = ChannelId::new(&message.channel);
    let ts = MessageTs::parse(&message.ts).context("the ts of a dispatcher's message")?;
    // The old mark goes first: two at once would contradict each other.
    let changed = async {
        let mut requests = usize::from(!shown.is_empty());
        for mark in Mark::OF_REPLIES.map(Mark::emoji) {
            if mark != shown && (mark == message.mark || is_doubtful) {
                clients.slack.remove_reaction(&channel, &ts, mark).await?;
                requests += 1;
            }
        }
        if !shown.is_empty() {
            clients.slack.add_reaction(&channel, &ts, shown).await?;
        }
        Ok(Outcome::Marked {
            shown,
            requests,
            again,
        })
    };
    Ok(match changed.await {
        // Its writer has taken the message away: there is nothing left to mark.
        Err(Failure::Refused { code, .. }) if code == "message_not_found" => Ok(Outcome::Marked {
            shown,
            requests: 1,
            again: None,
        }),
        other => other,
    })
}

/// Whether an earlier attempt may have changed the mark although its answer was lost.
async fn left_a_doubt(app: &App, row: &Row, attempt: &Attempt) -> anyhow::Result<bool> {
    if attempt.n == 1 {
        return Ok(false);
    }
    let attempts = outbox::attempts(&app.store, &row.id).await?;
    let before = attempts.iter().find(|before| before.n == attempt.n - 1);
    Ok(before.is_none_or(|before| {
        before.outcome == AttemptResult::UnderWay || before.is_because(ReasonCode::Unsure)
    }))
}

/// The states of all parts of a reply.
async fn parts(app: &App, message_id: &MessageId) -> anyhow::Result<Vec<Part>> {
    let texts = sms::of_message(&app.store, message_id).await?;
    let rows = outbox::of_message(&app.store, message_id).await?;
    let mut parts = Vec::with_capacity(rows.len());
    for row in rows
        .iter()
        .filter(|row| row.kind.is_text() && !is_edited_away(row))
    {
        let heard = texts
            .iter()
            .filter(|text| text.outbox_id == row.id)
            .max_by_key(|text| text.rank);
        let Some(state) = row.state.known() else {
            continue;
        };
        parts.push(Part {
            state: if did_not_leave(app, row).await? {
                DeliveryState::Refused
            } else {
                state
            },
            heard: heard.map(|text| (MessageState::parse(&text.status), text.heard_at())),
        });
    }
    Ok(parts)
}

/// Whether a text about which a person has to decide is known not to have left.
async fn did_not_leave(app: &App, row: &Row) -> anyhow::Result<bool> {
    if row.state != DeliveryState::Undecided {
        return Ok(false);
    }
    let attempts = outbox::attempts(&app.store, &row.id).await?;
    Ok(attempts
        .last()
        .is_some_and(|last| last.outcome == AttemptResult::Absent))
}
