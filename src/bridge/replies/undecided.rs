//! A person decides about an undecided text: send it again, count it as delivered, or leave it.

use super::confirmation;
use crate::app::App;
use crate::bridge::desk::decision::{Stop, decide_or_tell};
use crate::bridge::desk::status;
use crate::bridge::desk::tell::replace_buttons;
use crate::bridge::wording;
use crate::delivery;
use crate::slack::event::BlockActions;
use crate::store::outbox::Row;
use crate::store::{Tx, conversations, lanes, messages, outbox};
use crate::vocabulary::{Decision, DeliveryState, MessageId, OutboxId};

/// The deliveries that a question is about: one part of a reply, or all of it.
pub(crate) async fn asked_about(tx: &mut Tx, id: &str) -> anyhow::Result<Vec<Row>> {
    Ok(match outbox::by_id(&mut *tx, &OutboxId::new(id)).await? {
        Some(row) => vec![row],
        None => outbox::of_message(&mut *tx, &MessageId::new(id)).await?,
    })
}

pub(crate) async fn decide(
    app: &App,
    pressed: &BlockActions,
    action: &str,
    question: &str,
) -> anyhow::Result<()> {
    let user = pressed.user.as_str();
    decide_or_tell(app, pressed, async |tx| {
        let mut open = asked_about(tx, question).await?;
        open.retain(|row| row.state == DeliveryState::Undecided);
        let Some(first) = open.first() else {
            return Err(Stop::Refused(wording::already_decided()));
        };
        let message_id = &first.message_id.clone();
        let conversation = conversations::by_id(&mut *tx, &first.conversation_id).await?;
        let message = messages::by_id(&mut *tx, message_id).await?;
        if action == wording::BUTTON_SEND {
            confirmation::let_send(tx, app, &conversation, user, &open).await?;
        }
        let (state, decision) = match action {
            wording::BUTTON_SEND => (DeliveryState::Waiting, Decision::DecidedSend),
            wording::BUTTON_ARRIVED => (DeliveryState::Delivered, Decision::DecidedArrived),
            _ => (DeliveryState::Dropped, Decision::DecidedLeave),
        };
        let now = tx.after(std::time::Duration::ZERO);
        for row in &open {
            outbox::set_state(tx, &row.id, state, now, "").await?;
            lanes::advance(tx, &row.lane).await?;
        }
        let by = (decision, user);
        tx.audit(confirmation::decided(
            app,
            &conversation,
            &message,
            by,
            &open,
        ));
        // A text that nobody wrote answers nobody.
        if action == wording::BUTTON_SEND && !message.author.is_empty() {
            status::answered(tx, &conversation, &format!("<@{user}>")).await?;
        }
        delivery::enqueue_mark(tx, &conversation.id, message_id).await?;
        replace_buttons(
            tx,
            &conversation.line,
            pressed,
            wording::decided(action, user).into(),
        )
        .await?;
        Ok(())
    })
    .await
}
