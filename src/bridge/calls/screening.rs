//! Whoever picks up is asked whether they take the call: a mailbox, which cannot press a key, never does.

use serde_json::json;

use super::ring::{LegOf, address};
use crate::app::App;
use crate::bridge::wording;
use crate::calls::cache::{Leg, TAKES};
use crate::calls::event::{CallEvent, Change};
use crate::config::Line;
use crate::phone::Address;
use crate::store::audit::NewEntry;
use crate::twilio::CallSid;
use crate::twilio::form::{CallProgress, GatherResult};
use crate::twilio::twiml::{Gather, Pause, Prompt, Response, Say, Verb};
use crate::vocabulary::{Decision, RingOutcome};

/// How long a key is waited for after the question was said twice, in seconds. The caller hears it ring all the while.
const WAIT: u32 = 5;

/// Somebody picked up: this leg hears the question.
pub(crate) async fn picked_up(app: &App, progress: &CallProgress, of: &LegOf) -> String {
    if !is_known(of) {
        return question(app, of).to_xml();
    }
    let leg = sid(progress.call_sid.as_ref());
    let now = app.clock.now();
    app.calls.cache.note_leg(&of.call, leg, now, |known| {
        known.round = of.round;
        known.person.clone_from(&of.person);
    });
    let mut event = event(app, of, &progress.from, format!("picked_up:{leg}"));
    event.changes.push(turn(of, leg, "", RingOutcome::PickedUp));
    let reason = format!("{}'s phone was picked up", of.person);
    let why = (Decision::PhonePickedUp, reason.as_str());
    event.audit.push(entry(app, of, why, leg, ""));
    let writing = app.calls.write_queue.put(event);
    let answer = question(app, of).to_xml();
    writing.wait().await;
    answer
}

/// Whether the URL says whose phone in which call it is. Otherwise nothing can be recorded.
fn is_known(of: &LegOf) -> bool {
    !of.call.is_empty() && !of.person.is_empty()
}

fn sid(leg: Option<&CallSid>) -> &str {
    leg.map_or("", CallSid::as_str)
}

fn question(app: &App, of: &LegOf) -> Response {
    let line = line(app, of);
    let person = app.config.person(&of.person);
    let own = person.and_then(|person| person.language.clone());
    let is_own = own.is_some();
    let language = own.or_else(|| line.and_then(|line| line.speech.language.clone()));
    let name = line.map_or("the desk", |line| line.name.as_str());
    let text = line
        .and_then(|line| line.speech.screen_text.clone())
        .filter(|_| !is_own)
        .unwrap_or_else(|| wording::calls::screening(name, language.as_deref()));
    let say = Prompt::Say(Say {
        // A voice speaks one language.
        voice: line
            .and_then(|line| line.speech.voice.clone())
            .filter(|_| !is_own),
        language,
        text,
    });
    let pause = Prompt::Pause(Pause { length: Some(1) });
    Response::new([
        Verb::Gather(Gather {
            action: address(app, "key", of),
            num_digits: Some(1),
            timeout: Some(WAIT),
            // Otherwise # would end it as if nothing had been pressed.
            finish_on_key: Some(String::new()),
            children: vec![say.clone(), pause, say],
        }),
        Verb::Hangup,
    ])
}

/// A key was pressed. The answer depends on the key alone; an empty response connects the two legs.
pub(crate) async fn key_pressed(app: &App, pressed: &GatherResult, of: &LegOf) -> String {
    let takes = pressed.digits == TAKES;
    let answer = if takes {
        Response::empty()
    } else {
        Response::new([Verb::Hangup])
    };
    if !is_known(of) {
        return answer.to_xml();
    }
    let leg = sid(pressed.call_sid.as_ref());
    let now = app.clock.now();
    app.calls.cache.note_leg(&of.call, leg, now, |known| {
        known.round = of.round;
        known.person.clone_from(&of.person);
        if !known.took_it() {
            known.keys.clone_from(&pressed.digits);
        }
    });
    let digits: String = pressed.digits.chars().take(8).collect();
    let mut event = event(app, of, &pressed.from, format!("key:{leg}:{digits}"));
    let (outcome, word, reason) = if takes {
        (
            RingOutcome::Took,
            Decision::KeyPressed,
            format!("{} pressed {TAKES} and took the call", of.person),
        )
    } else {
        (
            RingOutcome::Refused,
            Decision::KeyPressed,
            format!("{} pressed another key than {TAKES}", of.person),
        )
    };
    event.changes.push(turn(of, leg, &digits, outcome));
    if takes {
        app.calls.cache.talks(&of.person, &of.call, now);
        let person = of.person.clone();
        event.changes.push(Change::Talking { person });
    }
    event
        .audit
        .push(entry(app, of, (word, &reason), leg, &digits));
    app.calls.write_queue.put(event).wait().await;
    answer.to_xml()
}

/// A status callback of one leg.
pub(crate) async fn progressed(app: &App, progress: &CallProgress, of: &LegOf) {
    // None of Twilio's words is longer.
    let status: String = progress.call_status.chars().take(20).collect();
    let status = status.as_str();
    if !is_known(of) || status.is_empty() {
        tracing::warn!("how a telephone fares was told without saying which or how");
        return;
    }
    let leg = sid(progress.call_sid.as_ref());
    let now = app.clock.now();
    let screened = line(app, of).is_none_or(|line| line.screen);
    app.calls
        .cache
        .note_leg(&of.call, leg, now, |known: &mut Leg| {
            known.round = of.round;
            known.person.clone_from(&of.person);
            status.clone_into(&mut known.status);
        });
    let mut event = event(app, of, &progress.from, format!("leg:{leg}:{status}"));
    let outcome = match status {
        "in-progress" => Some(RingOutcome::PickedUp),
        // Without screening, picking up accepts the call. The action of Dial reports the result.
        "completed" if screened => Some(RingOutcome::NotTaken),
        "busy" => Some(RingOutcome::Busy),
        "failed" => Some(RingOutcome::Failed),
        "no-answer" => Some(RingOutcome::NoAnswer),
        "canceled" => Some(RingOutcome::CutOff),
        _ => None,
    };
    event
        .changes
        .extend(outcome.map(|outcome| turn(of, leg, "", outcome)));
    match status {
        // It may be a mailbox: so far only this process takes it for a talk, until the end of the ring tells.
        "in-progress" if !screened => app.calls.cache.talks(&of.person, &of.call, now),
        "in-progress" => {}
        _ => {
            app.calls.cache.has_hung_up(&of.person, &of.call, now);
            // The end of the ring may never be told: nobody is to count as being on the phone until then.
            let person = of.person.clone();
            event.changes.push(Change::HasHungUp { person });
        }
    }
    // No audit row of its own: the row of what the end of the ring led to holds how every telephone fared.
    app.calls.write_queue.put(event).wait().await;
}

fn line<'a>(app: &'a App, of: &LegOf) -> Option<&'a Line> {
    app.config.line_of(&of.line)
}

fn turn(of: &LegOf, leg: &str, keys: &str, outcome: RingOutcome) -> Change {
    Change::RingOutcome {
        round: of.round,
        person: of.person.clone(),
        leg: leg.to_owned(),
        keys: keys.to_owned(),
        outcome,
    }
}

fn event(app: &App, of: &LegOf, from: &Address, event: String) -> CallEvent {
    // A caller without a number of their own is shown as ours.
    let from = if from.as_str() == of.line {
        Address::new("anonymous")
    } else {
        from.clone()
    };
    CallEvent {
        call: of.call.clone(),
        event,
        answer: String::new(),
        line: Some(of.line.clone()),
        from: Some(from),
        place: String::new(),
        at: app.clock.now(),
        changes: Vec::new(),
        audit: Vec::new(),
    }
}

fn entry(
    app: &App,
    of: &LegOf,
    (decision, reason): (Decision, &str),
    leg: &str,
    keys: &str,
) -> NewEntry {
    let mut detail = json!({ "person": of.person, "round": of.round, "leg": leg });
    if !keys.is_empty() {
        detail["keys"] = json!(keys);
    }
    NewEntry {
        line: line(app, of).map_or_else(String::new, |line| line.name.clone()),
        number: String::new(),
        subject: of.call.clone(),
        decision,
        reason: reason.to_owned(),
        detail,
        at: Some(app.clock.now()),
    }
}
