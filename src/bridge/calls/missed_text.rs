//! The text for missed calls: sent to a caller whom nobody answered, if the line has a `missed_call_text`.
//!
//! It is sent soon or not at all, and once: a caller who rings five times in a row gets one text.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::thread::Scene;
use crate::bridge::desk::away_text;
use crate::bridge::desk::{automatic_text, limits, opt_out};
use crate::config::Line;
use crate::store::audit::NewEntry;
use crate::store::{Tx, calls, missed_texts};
use crate::vocabulary::Decision;

/// Twilio's codes for numbers that take no texts at all: landlines, and what is no mobile.
/// <https://www.twilio.com/docs/api/errors>
const TAKES_NO_TEXTS: [i64; 2] = [30_006, 21_614];

/// How long a caller is not sent it again, on the same line.
const ONCE_IN: SignedDuration = SignedDuration::from_hours(1);

/// How late it is still sent when the database was away: a "sorry we missed you" in the middle of the night helps nobody.
const SOON: SignedDuration = SignedDuration::from_mins(15);

/// Texts the caller of a call that nobody took at `missed`, once for a call; whether it was done or not stands in the audit.
pub(crate) async fn send(
    tx: &mut Tx,
    scene: &mut Scene<'_>,
    missed: Timestamp,
) -> anyhow::Result<()> {
    let Some(line) = scene.config.line_of(&scene.call.line) else {
        return Ok(());
    };
    let Some(words) = line.missed_call_text.as_deref() else {
        return Ok(());
    };
    if let Some(why_not) = why_not(tx, scene, line, missed, words).await? {
        let reason = format!("the caller was not texted: {why_not}");
        tx.audit(entry(scene, line, Decision::CallerNotTexted, reason));
        return Ok(());
    }
    let conversation = &scene.conversation;
    let (number, key) = (&conversation.line, format!("missed:{}", scene.call.sid));
    let Some(message) = automatic_text::send(tx, number, &conversation.id, &key, words).await?
    else {
        return Ok(());
    };
    limits::spend_machine(tx, number, &conversation.caller, words).await?;
    missed_texts::set_texted(tx, &scene.call.sid).await?;
    let reason = "the caller was sent the text for missed calls".to_owned();
    let mut texted = entry(scene, line, Decision::CallerTexted, reason);
    texted.detail = json!({ "message": message });
    tx.audit(texted);
    if let Some(call) = calls::by_sid(&mut *tx, &scene.call.sid).await? {
        scene.call = call;
    }
    Ok(())
}

async fn why_not(
    tx: &mut Tx,
    scene: &Scene<'_>,
    line: &Line,
    missed: Timestamp,
    words: &str,
) -> anyhow::Result<Option<&'static str>> {
    let caller = scene.caller();
    if caller.is_withheld() {
        return Ok(Some("the number is withheld"));
    }
    if !caller.can_be_texted() {
        return Ok(Some("there is no number that takes texts"));
    }
    // Whom a call comes from can be forged: it must not be a way to have others texted, at a price.
    if !away_text::is_served(line, &caller) {
        return Ok(Some("the number is in a country the line does not serve"));
    }
    // Two lines that forward to each other would text each other.
    if scene.config.line_of(caller.as_str()).is_some() {
        return Ok(Some("the call came from one of our own lines"));
    }
    let people = &scene.config.people;
    if people
        .iter()
        .any(|person| person.phone.as_str() == caller.as_str())
    {
        return Ok(Some("the caller is one of the desk's own people"));
    }
    if tx.now().duration_since(missed) > SOON {
        return Ok(Some("the database was away for too long"));
    }
    if opt_out::is_out(tx, &scene.conversation).await? {
        return Ok(Some("the caller wants no texts"));
    }
    let conversation = &scene.conversation.id;
    let since = scene.call.started().checked_sub(ONCE_IN)?;
    if missed_texts::texted_since(tx, conversation, since).await? {
        return Ok(Some("the last such text was less than an hour ago"));
    }
    if !away_text::may_be_texted_automatically(tx, caller.as_str()).await? {
        return Ok(Some("the caller was sent enough automatic texts for a day"));
    }
    if limits::is_machine_spent(tx, scene.config, line, words).await? {
        return Ok(Some("the line has sent enough automatic texts for an hour"));
    }
    let refuses = missed_texts::refuses_texts(tx, conversation, &TAKES_NO_TEXTS).await?;
    Ok(refuses.then_some("the number takes no texts"))
}

fn entry(scene: &Scene<'_>, line: &Line, decision: Decision, reason: String) -> NewEntry {
    NewEntry {
        line: line.name.clone(),
        number: scene.call.caller.clone(),
        subject: scene.call.sid.clone(),
        decision,
        reason,
        detail: serde_json::Value::Null,
        at: None,
    }
}
