//! A call whose webhooks never came, found in Twilio's log: its caller's thread says so, and that somebody should call back.

use jiff::Timestamp;
use serde_json::json;

use super::apply;
use super::thread::Scene;
use crate::app::App;
use crate::bridge::calls::missed_text;
use crate::bridge::desk::status;
use crate::bridge::wording::{self, Moment, found::Rang};
use crate::calls::event::CallEvent;
use crate::config::Line;
use crate::delivery::{self, Delivery};
use crate::phone::Address;
use crate::store::audit::NewEntry;
use crate::store::calls;
use crate::store::conversations;
use crate::vocabulary::{CallState, Decision, MessageId};

/// A finished call from Twilio's log.
pub(crate) struct Found<'a> {
    pub(crate) sid: &'a str,
    pub(crate) from: &'a Address,
    pub(crate) started: Timestamp,
    /// The phones that the fallback rang, and how long they talked.
    pub(crate) rang: Vec<(Address, Option<u32>)>,
}

fn event(line: &Line, found: &Found<'_>) -> CallEvent {
    CallEvent {
        call: found.sid.to_owned(),
        event: String::new(),
        answer: String::new(),
        line: Some(line.number.as_str().to_owned()),
        from: Some(found.from.clone()),
        place: String::new(),
        at: found.started,
        changes: Vec::new(),
        audit: Vec::new(),
    }
}

/// Saves the call, its message and its audit row in one transaction. Returns `false` if it was known.
pub(crate) async fn receive(app: &App, line: &Line, found: &Found<'_>) -> anyhow::Result<bool> {
    let mut tx = app.store.begin().await?;
    if calls::by_sid(&mut tx, found.sid).await?.is_some() {
        return Ok(false);
    }
    let (_, begins_thread) = apply::open(&mut tx, &app.config, &event(line, found)).await?;
    let talked = found.rang.iter().find_map(|(_, talked)| *talked);
    let (state, seconds) = match talked {
        Some(seconds) => (CallState::Answered, i64::from(seconds)),
        None => (CallState::Missed, 0),
    };
    calls::advance(&mut tx, found.sid, state, "", seconds).await?;
    let call = apply::reread(&mut tx, found.sid).await?;
    let mut scene = Scene {
        conversation: conversations::by_id(&mut tx, &call.conversation_id).await?,
        turns: Vec::new(),
        call,
        config: &app.config,
    };
    if state == CallState::Missed {
        missed_text::send(&mut tx, &mut scene, found.started).await?;
        status::call_missed(&mut tx, &scene.conversation).await?;
    }
    let at = Moment::new(found.started, tx.now(), &app.config.desk.timezone);
    let rang: Vec<Rang> = found.rang.iter().map(|rang| named(app, rang)).collect();
    let sentence = wording::found::call(&at, &rang, scene.call.is_texted());
    let post = Delivery::Post {
        reply: wording::calls::in_thread(&sentence),
        root: Some(scene.root_saying(&sentence)),
        new_thread: begins_thread,
        // Nobody was there to hear it: somebody should call back.
        broadcast: state == CallState::Missed,
    };
    let conversation = &scene.conversation;
    let lane = delivery::thread_lane(&conversation.line, &conversation.id);
    let row = delivery::enqueue(
        &mut tx,
        &lane,
        Some(&conversation.id),
        Some(&MessageId::new(found.sid)),
        &post,
    )
    .await?;
    calls::set_post(&mut tx, found.sid, &row).await?;
    tx.audit(NewEntry {
        line: line.name.clone(),
        number: conversation.caller.clone(),
        subject: found.sid.to_owned(),
        decision: Decision::CallFoundLate,
        reason: "it never reached us and was found in Twilio's log".into(),
        detail: json!({
            "conversation": conversation.id, "outbox": row, "started": found.started.to_string(),
            "rang": rang.iter().map(|rang| json!({ "who": rang.who, "talked": rang.talked })).collect::<Vec<_>>(),
        }),
        at: None,
    });
    tx.commit().await?;
    Ok(true)
}

fn named(app: &App, (to, talked): &(Address, Option<u32>)) -> Rang {
    let person = app
        .config
        .people
        .iter()
        .find(|person| person.phone.as_str() == to.as_str());
    Rang {
        who: person.map_or_else(|| to.display(), |person| person.name.clone()),
        talked: talked.map(i64::from),
    }
}
