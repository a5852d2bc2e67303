//! A button was pressed: somebody decides about a reply whose fate is not known.

use serde_json::json;

use crate::app::App;
use crate::bridge::held;
use crate::bridge::outcome::after_now;
use crate::bridge::wording::{self, replies};
use crate::delivery::{self, Content, Delivery};
use crate::slack::event::BlockActions;
use crate::store::audit::NewEntry;
use crate::store::outbox::{Row, State};
use crate::store::{Tx, conversations, lanes, messages, outbox};

/// Keeps what was decided, and what follows, in one transaction.
pub(crate) async fn receive(app: &App, pressed: &BlockActions) -> anyhow::Result<()> {
    for action in &pressed.actions {
        match action.action_id.as_str() {
            id @ (wording::BUTTON_SEND | wording::BUTTON_ARRIVED | wording::BUTTON_LEAVE) => {
                decide(
                    app,
                    pressed,
                    id,
                    action.value.as_deref().unwrap_or_default(),
                )
                .await?;
            }
            id @ (replies::HELD_SEND | replies::HELD_INSIDE) => {
                let message = action.value.as_deref().unwrap_or_default();
                held::decide(app, pressed, id, message).await?;
            }
            _ => tell(app, pressed, wording::unknown_button()).await?,
        }
    }
    Ok(())
}

async fn decide(
    app: &App,
    pressed: &BlockActions,
    action: &str,
    message_id: &str,
) -> anyhow::Result<()> {
    let user = pressed.user.as_str();
    let mut tx = app.store.begin().await?;
    let mut open: Vec<Row> = outbox::of_message_in(&mut tx, message_id).await?;
    open.retain(|row| row.state == State::Undecided.as_str());
    let Some(first) = open.first() else {
        // There is one writer: it must be free for what is told.
        drop(tx);
        return tell(app, pressed, wording::already_decided()).await;
    };
    let conversation = conversations::by_id_in(&mut tx, &first.conversation_id).await?;
    let message = messages::by_id_in(&mut tx, message_id).await?;
    let (state, decision) = match action {
        wording::BUTTON_SEND => (State::Waiting, "decided_send"),
        wording::BUTTON_ARRIVED => (State::Delivered, "decided_arrived"),
        _ => (State::Dropped, "decided_leave"),
    };
    let now = after_now(&tx, std::time::Duration::ZERO);
    for row in &open {
        outbox::set_state(&mut tx, &row.id, state, now, "").await?;
        lanes::advance(&mut tx, &row.lane).await?;
    }
    tx.audit(NewEntry {
        line: app.line_name(&conversation.line),
        number: conversation.caller.clone(),
        subject: message.external_id.clone(),
        decision,
        reason: "a person pressed the button".into(),
        detail: json!({
            "conversation": conversation.id, "message": message_id, "by": user,
            "outbox": open.iter().map(|row| &row.id).collect::<Vec<_>>(),
        }),
        at: None,
    });
    delivery::enqueue_mark(&mut tx, &conversation.id, message_id).await?;
    replace_buttons(
        &mut tx,
        &conversation.line,
        pressed,
        wording::decided(action, user).into(),
    )
    .await?;
    tx.commit().await
}

/// The question gives way to its answer, so that nobody answers it again.
async fn replace_buttons(
    tx: &mut Tx,
    line: &str,
    pressed: &BlockActions,
    content: Content,
) -> anyhow::Result<()> {
    let (Some(channel), Some(ts)) = (&pressed.channel, &pressed.message_ts) else {
        return Ok(());
    };
    let update = Delivery::Update {
        channel: channel.as_str().to_owned(),
        ts: ts.as_str().to_owned(),
        content,
    };
    delivery::enqueue(
        tx,
        &delivery::update_lane(line, ts.as_str()),
        "",
        "",
        &update,
    )
    .await?;
    Ok(())
}

/// Tells who pressed, alone.
pub(super) async fn tell(
    app: &App,
    pressed: &BlockActions,
    sentence: String,
) -> anyhow::Result<()> {
    let (Some(channel), Some(line)) = (&pressed.channel, app.config.lines.first()) else {
        return Ok(());
    };
    let told = Delivery::Ephemeral {
        channel: channel.as_str().to_owned(),
        user: pressed.user.as_str().to_owned(),
        thread_ts: pressed
            .thread_ts
            .as_ref()
            .map_or_else(String::new, |root| root.as_str().to_owned()),
        content: sentence.into(),
    };
    let mut tx = app.store.begin().await?;
    let lane = delivery::ephemeral_lane(line.number.as_str(), pressed.user.as_str());
    delivery::enqueue(&mut tx, &lane, "", "", &told).await?;
    tx.commit().await
}
