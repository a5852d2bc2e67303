//! A button was pressed: somebody claims a conversation, or decides about a reply whose fate is not known.

use serde_json::json;

use crate::app::App;
use crate::bridge::deliveries::not_taken;
use crate::bridge::desk::{claim, matter, newcomers, opt_out};
use crate::bridge::replies::{counted, edited, held};
use crate::bridge::slack::{home, members};
use crate::bridge::wording::{self, replies};
use crate::delivery::{self, Content, Delivery};
use crate::slack::event::BlockActions;
use crate::store::audit::NewEntry;
use crate::store::conversations::Conversation;
use crate::store::outbox::{Row, State};
use crate::store::{self, Tx, conversations, lanes, messages, outbox};

/// Keeps what was decided, and what follows, in one transaction.
pub(crate) async fn receive(app: &App, pressed: &BlockActions) -> anyhow::Result<()> {
    for action in &pressed.actions {
        let value = action.value.as_deref().unwrap_or_default();
        let may = match about(app, &action.action_id, value).await? {
            Some(conversation) => members::may_act_in(app, &conversation, &pressed.user).await,
            None => may_press(app, pressed, &action.action_id).await,
        };
        if let Err(refusal) = may {
            tell_outsider(app, pressed, refusal).await?;
            continue;
        }
        match action.action_id.as_str() {
            id if home::is_its_button(id) => home::press(app, pressed, id, value).await?,
            id if claim::is_its_button(id) => {
                if let Err(why) = claim::receive(app, pressed, id, value).await? {
                    tell(app, pressed, why).await?;
                }
            }
            id @ (wording::BUTTON_SEND | wording::BUTTON_ARRIVED | wording::BUTTON_LEAVE) => {
                decide(app, pressed, id, value).await?;
            }
            id @ (replies::HELD_SEND | replies::HELD_INSIDE) => {
                held::decide(app, pressed, id, value).await?;
            }
            id @ (wording::opt_outs::BUTTON_OUT | wording::opt_outs::BUTTON_IN) => {
                opt_out::press(app, pressed, id, value).await?;
            }
            wording::delivery::BUTTON_WORDS => not_taken::show(app, pressed, value).await?,
            wording::newcomers::BUTTON_OPEN => newcomers::press(app, pressed, value).await?,
            replies::CORRECT => {
                let edit = action.value.as_deref().unwrap_or_default();
                edited::correct(app, pressed, edit).await?;
            }
            _ => tell(app, pressed, wording::unknown_button()).await?,
        }
    }
    Ok(())
}

/// The conversation that a button is about: whoever presses it has to be in that conversation's channel, wherever the request
/// says that it was pressed.
async fn about(app: &App, action: &str, value: &str) -> anyhow::Result<Option<Conversation>> {
    let mut tx = app.store.begin().await?;
    let id = match action {
        id if claim::is_its_button(id) => Some(value.to_owned()),
        wording::opt_outs::BUTTON_OUT
        | wording::opt_outs::BUTTON_IN
        | wording::newcomers::BUTTON_OPEN => Some(value.to_owned()),
        wording::delivery::BUTTON_WORDS => {
            let row = outbox::by_id(&mut tx, value).await?;
            row.map(|row| row.conversation_id)
        }
        wording::BUTTON_SEND | wording::BUTTON_ARRIVED | wording::BUTTON_LEAVE => {
            let rows = asked_about(&mut tx, value).await?;
            rows.into_iter().next().map(|row| row.conversation_id)
        }
        replies::HELD_SEND | replies::HELD_INSIDE => {
            let held = store::held::of_message(&mut tx, value).await?;
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

/// The deliveries that a question is about: one part of a reply, or all of it.
async fn asked_about(tx: &mut Tx, id: &str) -> anyhow::Result<Vec<Row>> {
    Ok(match outbox::by_id(tx, id).await? {
        Some(row) => vec![row],
        None => outbox::of_message_in(tx, id).await?,
    })
}

/// Whether whoever pressed a button that is about no conversation is in the channel where they pressed it.
async fn may_press(app: &App, pressed: &BlockActions, action: &str) -> Result<(), String> {
    let Some(channel) = &pressed.channel else {
        // A person's own home is in no channel.
        return match home::is_its_button(action) {
            true => Ok(()),
            false => Err(wording::unknown_button()),
        };
    };
    let mut configured = String::new();
    for line in &app.config.lines {
        if app.directory.known_channel_id(&line.channel).as_ref() == Some(channel) {
            configured.clone_from(&line.channel);
        }
    }
    match app.directory.is_member(channel, &pressed.user).await {
        Ok(true) => Ok(()),
        Ok(false) if configured.is_empty() => Err(wording::unknown_button()),
        Ok(false) => Err(wording::members_only(&configured)),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "membership is not known");
            Err(wording::membership_unknown(&configured))
        }
    }
}

/// Tells somebody who need not be in the channel, where no message for them alone can be posted.
async fn tell_outsider(app: &App, pressed: &BlockActions, text: String) -> anyhow::Result<()> {
    let Some(response_url) = pressed.response_url.clone() else {
        return Ok(());
    };
    let Some(line) = app.config.lines.first() else {
        return Ok(());
    };
    let mut tx = app.store.begin().await?;
    let lane = delivery::ephemeral_lane(line.number.as_str(), pressed.user.as_str());
    let answer = Delivery::Answer { response_url, text };
    delivery::enqueue(&mut tx, &lane, "", "", &answer).await?;
    tx.commit().await
}

async fn decide(
    app: &App,
    pressed: &BlockActions,
    action: &str,
    question: &str,
) -> anyhow::Result<()> {
    let user = pressed.user.as_str();
    let mut tx = app.store.begin().await?;
    let mut open = asked_about(&mut tx, question).await?;
    open.retain(|row| row.state == State::Undecided.as_str());
    let Some(first) = open.first() else {
        // There is one writer: it must be free for what is told.
        drop(tx);
        return tell(app, pressed, wording::already_decided()).await;
    };
    let message_id = &first.message_id.clone();
    let conversation = conversations::by_id_in(&mut tx, &first.conversation_id).await?;
    let message = messages::by_id_in(&mut tx, message_id).await?;
    if action == wording::BUTTON_SEND {
        if let Some(why) = opt_out::refusal(&mut tx, &conversation).await? {
            drop(tx);
            return tell(app, pressed, why).await;
        }
        let parts = counted::uncounted(app, &open);
        if let Some(held::Why::Limit { reached, at }) =
            held::over_limit(&mut tx, app, &conversation, user, parts).await?
        {
            drop(tx);
            return tell(app, pressed, replies::limit_reached(&reached, &at)).await;
        }
        held::spend(&mut tx, &conversation, user, parts).await?;
        counted::note(&mut tx, app, &open).await?;
    }
    let (state, decision) = match action {
        wording::BUTTON_SEND => (State::Waiting, "decided_send"),
        wording::BUTTON_ARRIVED => (State::Delivered, "decided_arrived"),
        _ => (State::Dropped, "decided_leave"),
    };
    let now = tx.after(std::time::Duration::ZERO);
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
    // A text that nobody wrote answers nobody.
    if action == wording::BUTTON_SEND && !message.author.is_empty() {
        matter::answered(&mut tx, &conversation, &format!("<@{user}>")).await?;
    }
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
pub(crate) async fn replace_buttons(
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
pub(crate) async fn tell(
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
