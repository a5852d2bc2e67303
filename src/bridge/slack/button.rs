//! A button was pressed: checks that the person may, then hands it to the file it belongs to.

use crate::app::App;
use crate::bridge::deliveries::not_taken;
use crate::bridge::desk::{claim, membership, newcomers, tell};
use crate::bridge::replies::{confirmation, correction, undecided};
use crate::bridge::slack::{home, opt_out};
use crate::bridge::wording::{self, replies};
use crate::slack::event::BlockActions;
use crate::store::conversations::Conversation;
use crate::store::{self, conversations, outbox};
use crate::vocabulary::{ConversationId, MessageId, OutboxId};

/// Dispatches each pressed button, after the membership check.
pub(crate) async fn receive(app: &App, pressed: &BlockActions) -> anyhow::Result<()> {
    for action in &pressed.actions {
        let value = action.value.as_deref().unwrap_or_default();
        let may = match about(app, &action.action_id, value).await? {
            Some(conversation) => membership::may_act_in(app, &conversation, &pressed.user).await,
            None => match &pressed.channel {
                Some(channel) => membership::may_press_in(app, channel, &pressed.user).await,
                // A person's own home is in no channel.
                None if home::is_its_button(&action.action_id) => Ok(()),
                None => Err(wording::unknown_button()),
            },
        };
        if let Err(refusal) = may {
            tell::tell_outsider(app, pressed, refusal).await?;
            continue;
        }
        match action.action_id.as_str() {
            id if home::is_its_button(id) => home::press(app, pressed, id, value).await?,
            id if claim::is_its_button(id) => {
                claim::receive(app, pressed, id, &ConversationId::new(value)).await?;
            }
            id @ (wording::BUTTON_SEND | wording::BUTTON_ARRIVED | wording::BUTTON_LEAVE) => {
                undecided::decide(app, pressed, id, value).await?;
            }
            id @ (replies::HELD_SEND | replies::HELD_INSIDE) => {
                confirmation::decide(app, pressed, id, &MessageId::new(value)).await?;
            }
            id @ (wording::opt_outs::BUTTON_OUT | wording::opt_outs::BUTTON_IN) => {
                opt_out::press(app, pressed, id, &ConversationId::new(value)).await?;
            }
            wording::delivery::BUTTON_WORDS => not_taken::show(app, pressed, value).await?,
            wording::newcomers::BUTTON_OPEN => {
                newcomers::press(app, pressed, &ConversationId::new(value)).await?
            }
            replies::CORRECT => {
                let edit = action.value.as_deref().unwrap_or_default();
                correction::correct(app, pressed, edit).await?;
            }
            _ => tell::tell(app, pressed, wording::unknown_button()).await?,
        }
    }
    Ok(())
}

/// The conversation of a button. Whoever presses it has to be in that conversation's channel, wherever it was pressed.
async fn about(app: &App, action: &str, value: &str) -> anyhow::Result<Option<Conversation>> {
    let mut tx = app.store.begin().await?;
    let id = match action {
        id if claim::is_its_button(id) => Some(ConversationId::new(value)),
        wording::opt_outs::BUTTON_OUT
        | wording::opt_outs::BUTTON_IN
        | wording::newcomers::BUTTON_OPEN => Some(ConversationId::new(value)),
        wording::delivery::BUTTON_WORDS => {
            let row = outbox::by_id(&mut tx, &OutboxId::new(value)).await?;
            row.map(|row| row.conversation_id)
        }
        wording::BUTTON_SEND | wording::BUTTON_ARRIVED | wording::BUTTON_LEAVE => {
            let rows = undecided::asked_about(&mut tx, value).await?;
            rows.into_iter().next().map(|row| row.conversation_id)
        }
        replies::HELD_SEND | replies::HELD_INSIDE => {
            let held = store::confirmations::of_message(&mut tx, &MessageId::new(value)).await?;
            held.map(|held| held.conversation_id)
        }
        replies::CORRECT => {
            let edit = store::edits::by_id(&mut tx, value).await?;
            edit.map(|edit| edit.conversation_id)
        }
        _ => None,
    };
    match id {
        Some(id) => conversations::find(&mut tx, &id).await,
        None => Ok(None),
    }
}
