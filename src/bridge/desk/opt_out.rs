//! Opt-outs: a caller wants no more texts of a line, or wants them again.
//!
//! Twilio handles its own keywords and refuses our texts afterwards; we show that and do not send. Callers also use other
//! words: what is equally plain is an opt-out of our own, and what only sounds like one is shown with a button. An opt-out
//! is valid for one caller on one line.

use jiff::Timestamp;
use serde_json::json;

use crate::app::App;
use crate::bridge::wording::{opt_outs as wording, replies};
use crate::conversation::auto_reply;
use crate::conversation::opt_out::{Wish, wish};
use crate::delivery;
use crate::store::audit::NewEntry;
use crate::store::conversations::Conversation;
use crate::store::opt_outs::{self, Said};
use crate::store::{Store, Tx};
use crate::twilio::form::{InboundSms, OptOut};
use crate::vocabulary::Decision;
use crate::vocabulary::KeptBy;

/// What the text says, with Twilio's word for it where it has one.
fn read(sms: &InboundSms) -> Wish {
    match sms.opt_out_type {
        Some(OptOut::Stop) => Wish::StopAtTwilio,
        Some(OptOut::Start) => Wish::Start,
        // Twilio has answered it.
        Some(OptOut::Help) => Wish::Nothing,
        None => wish(&sms.body),
    }
}

/// Whether the text says plainly that its writer wants no more.
pub(crate) fn leaves(sms: &InboundSms) -> bool {
    matches!(read(sms), Wish::StopAtTwilio | Wish::Stop)
}

/// Records what a text says about further texts, and tells the thread if that is a change.
pub(crate) async fn record(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    sms: &InboundSms,
    came_at: Timestamp,
) -> anyhow::Result<()> {
    let known = kept_by(tx, conversation).await?;
    let out = match read(sms) {
        Wish::StopAtTwilio => Some(KeptBy::Twilio),
        Wish::Stop => Some(KeptBy::Us),
        Wish::Start => None,
        // It undoes Twilio's block. Who has left in other words may just be agreeing to something.
        Wish::Yes if known == Some(KeptBy::Twilio) => None,
        Wish::SoundsLikeStop if known.is_none() && !auto_reply::is_by_a_machine(&sms.body) => {
            return suspect(tx, app, conversation, sms).await;
        }
        Wish::Yes | Wish::SoundsLikeStop | Wish::Nothing => return Ok(()),
    };
    let said_by = "the caller's text";
    if !save(tx, app, conversation, out, (said_by, came_at)).await? {
        return Ok(());
    }
    let told = match out {
        Some(KeptBy::Twilio) => replies::left().into(),
        Some(KeptBy::Us) => wording::left(&conversation.id),
        None => replies::came_back().into(),
    };
    delivery::enqueue_notice(tx, &conversation.line, &conversation.id, told).await
}

/// Asks the desk about a text that sounds as if its writer wants no more.
async fn suspect(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    sms: &InboundSms,
) -> anyhow::Result<()> {
    tx.audit(NewEntry {
        line: app.line_name(&conversation.line),
        number: conversation.caller.clone(),
        subject: sms.message_sid.to_string(),
        decision: Decision::OptOutAsked,
        reason: "a text sounds as if its writer wants no more".into(),
        detail: json!({ "conversation": conversation.id }),
        at: None,
    });
    let asked = wording::sounds_like_it(&conversation.id);
    delivery::enqueue_notice(tx, &conversation.line, &conversation.id, asked).await
}

/// Twilio refused a text that was asked for at `as_of`, because the caller has left. The refusal itself is told in the thread.
pub(crate) async fn record_refusal(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    as_of: Timestamp,
) -> anyhow::Result<()> {
    let said = ("Twilio's error 21610", as_of);
    save(tx, app, conversation, Some(KeptBy::Twilio), said)
        .await
        .map(drop)
}

/// Whether the caller wants no texts.
pub(crate) async fn is_out(tx: &mut Tx, conversation: &Conversation) -> anyhow::Result<bool> {
    Ok(kept_by(tx, conversation).await?.is_some())
}

/// Why the caller cannot be texted, as a sentence; `None` where they can.
pub(crate) async fn refusal(
    tx: &mut Tx,
    conversation: &Conversation,
) -> anyhow::Result<Option<String>> {
    let kept_by = kept_by(tx, conversation).await?;
    Ok(kept_by.map(|kept_by| match kept_by {
        KeptBy::Twilio => replies::opted_out(),
        KeptBy::Us => wording::not_sent(),
    }))
}

/// Whether a text that is about to leave must not, because of what we keep ourselves: it may have waited since before that.
pub(crate) async fn holds_back(store: &Store, conversation: &Conversation) -> anyhow::Result<bool> {
    opt_outs::is_ours(store, &conversation.line, &conversation.caller).await
}

async fn kept_by(tx: &mut Tx, conversation: &Conversation) -> anyhow::Result<Option<KeptBy>> {
    opt_outs::kept_by(tx, &conversation.line, &conversation.caller).await
}

async fn save(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    out: Option<KeptBy>,
    (said_by, as_of): (&str, Timestamp),
) -> anyhow::Result<bool> {
    let (line, caller) = (&conversation.line, &conversation.caller);
    let said = Said {
        line,
        caller,
        out,
        said_by,
        as_of,
    };
    if !opt_outs::set(tx, &said).await? {
        return Ok(false);
    }
    tx.audit(NewEntry {
        line: app.line_name(line),
        number: caller.clone(),
        subject: conversation.id.to_string(),
        decision: if out.is_some() {
            Decision::OptedOut
        } else {
            Decision::OptedIn
        },
        reason: format!("known by {said_by}"),
        detail: json!({ "conversation": conversation.id, "kept_by": kept(out) }),
        at: None,
    });
    Ok(true)
}

pub(crate) fn kept(out: Option<KeptBy>) -> Option<&'static str> {
    out.map(KeptBy::as_str)
}
