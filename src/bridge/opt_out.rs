//! A caller texted STOP, or START again. Twilio answers both by itself and refuses what we would send meanwhile; we show it
//! in the thread and do not try. It holds for one caller on one line.

use jiff::Timestamp;
use serde_json::json;

use crate::app::App;
use crate::bridge::wording::replies;
use crate::delivery;
use crate::store::audit::NewEntry;
use crate::store::conversations::Conversation;
use crate::store::{Tx, opt_outs};
use crate::twilio::form::{InboundSms, OptOut};

/// Twilio's own words for leaving, as the whole message. <https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out>
const STOP: [&str; 8] = [
    "STOP",
    "STOPALL",
    "UNSUBSCRIBE",
    "CANCEL",
    "END",
    "QUIT",
    "REVOKE",
    "OPTOUT",
];

/// For coming back. YES is one too, but most who write it have never left: that makes no difference here.
const START: [&str; 3] = ["START", "UNSTOP", "YES"];

/// Whether the text says that its writer leaves (`true`) or comes back.
fn read(sms: &InboundSms) -> Option<bool> {
    match sms.opt_out_type {
        Some(OptOut::Stop) => return Some(true),
        Some(OptOut::Start) => return Some(false),
        // Twilio has answered it.
        Some(OptOut::Help) => return None,
        None => {}
    }
    let word = sms.body.trim().to_uppercase();
    if STOP.contains(&word.as_str()) {
        Some(true)
    } else {
        START.contains(&word.as_str()).then_some(false)
    }
}

/// Whether the text says that its writer wants no more.
pub(crate) fn leaves(sms: &InboundSms) -> bool {
    read(sms) == Some(true)
}

/// Keeps what a text says about further texts, and tells the thread if that is new.
pub(crate) async fn hear(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    sms: &InboundSms,
    came_at: Timestamp,
) -> anyhow::Result<()> {
    let Some(is_out) = read(sms) else {
        return Ok(());
    };
    if !keep(tx, app, conversation, is_out, "the caller's text", came_at).await? {
        return Ok(());
    }
    let sentence = match is_out {
        true => replies::left(),
        false => replies::came_back(),
    };
    delivery::enqueue_notice(tx, &conversation.line, &conversation.id, sentence.into()).await
}

/// Twilio refused a text that was asked for at `as_of`, because the caller has left. The refusal itself is told in the thread.
pub(crate) async fn hear_refusal(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    as_of: Timestamp,
) -> anyhow::Result<()> {
    keep(tx, app, conversation, true, "Twilio's error 21610", as_of)
        .await
        .map(drop)
}

/// Whether the caller wants no texts.
pub(crate) async fn is_out(tx: &mut Tx, conversation: &Conversation) -> anyhow::Result<bool> {
    opt_outs::is_out(tx, &conversation.line, &conversation.caller).await
}

async fn keep(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    is_out: bool,
    said_by: &str,
    as_of: Timestamp,
) -> anyhow::Result<bool> {
    let (line, caller) = (&conversation.line, &conversation.caller);
    if !opt_outs::say(tx, line, caller, is_out, said_by, as_of).await? {
        return Ok(false);
    }
    tx.audit(NewEntry {
        line: app.line_name(line),
        number: caller.clone(),
        subject: conversation.id.clone(),
        decision: if is_out { "opted_out" } else { "opted_in" },
        reason: format!("known by {said_by}"),
        detail: json!({ "conversation": conversation.id }),
        at: None,
    });
    Ok(true)
}
