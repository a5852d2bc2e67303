//! Calls on the page. The viewer acts for the caller and for every phone of the desk.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Demo;
use super::act::Done;
use qdn_sandbox::twilio::{Event, Happened, LiveCall, Outcome, Party};

#[derive(Deserialize)]
pub(super) struct Call {
    from: String,
}

pub(super) async fn call(State(demo): State<Demo>, Json(call): Json<Call>) -> Done {
    let caller = demo
        .callers
        .with_number(&call.from)
        .ok_or(StatusCode::NOT_FOUND)?;
    let live = demo.twilio.start_call(&caller.number, &demo.number);
    Ok(Json(json!({"sid": live.sid()})))
}

/// What somebody does in a call. `number` is a phone of the desk; `None` means the caller.
#[derive(Deserialize)]
pub(super) struct Act {
    sid: String,
    number: Option<String>,
    #[serde(flatten)]
    what: What,
}

#[derive(Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
enum What {
    PickUp,
    Decline,
    Mailbox,
    Press { keys: String },
    Speak { words: String },
    HangUp,
}

pub(super) async fn act(State(demo): State<Demo>, Json(act): Json<Act>) -> Done {
    let call = demo
        .twilio
        .live_call(&act.sid)
        .ok_or(StatusCode::NOT_FOUND)?;
    let number = act.number.clone().unwrap_or_default();
    let who = act.number.map_or(Party::Caller, Party::Phone);
    match act.what {
        What::PickUp => call.pick_up(&number),
        What::Decline => call.decline(&number),
        What::Mailbox => call.let_mailbox_answer(&number),
        What::Press { keys } => call.press(&who, &keys),
        What::Speak { words } => call.speak(&words),
        What::HangUp => call.hang_up(&who),
    }
    Ok(Json(json!({})))
}

/// Returns all calls as JSON, oldest first.
pub(super) fn shown(demo: &Demo) -> Value {
    demo.twilio
        .live_calls()
        .iter()
        .map(|call| {
            let events = call.events();
            let lines: Vec<Value> = events
                .iter()
                .map(|happened| json!({"at": happened.at.as_secs(), "text": told(demo, &happened.event)}))
                .collect();
            let phones: Vec<Value> = demo
                .phones
                .iter()
                .map(|phone| {
                    let party = Party::Phone(phone.number.clone());
                    json!({
                        "name": phone.name,
                        "number": phone.number,
                        "is": state_of(&events, &phone.number),
                        "hears": heard(&events, &party),
                    })
                })
                .collect();
            json!({
                "sid": call.sid(),
                "from": call.from(),
                "at": call.started().as_second(),
                "hears": heard(&events, &Party::Caller),
                "is_over": call.story().is_some(),
                "outcome": outcome(demo, call),
                "lines": lines,
                "phones": phones,
                "may_speak": may_speak(&events),
            })
        })
        .collect()
}

/// Returns `idle`, `ringing`, `answered` (the screening message plays) or `talking`.
fn state_of(events: &[Happened], number: &str) -> &'static str {
    let mut state = "idle";
    for happened in events {
        match &happened.event {
            Event::Ringing { number: n } if n == number => state = "ringing",
            Event::PickedUp { number: n, .. } if n == number => state = "answered",
            Event::Bridged { number: n } if n == number => state = "talking",
            Event::StoppedRinging { number: n, .. } if n == number => state = "idle",
            Event::HungUp {
                who: Party::Phone(n),
            } if n == number => state = "idle",
            _ => {}
        }
    }
    state
}

/// Returns the last words that were played to this party.
fn heard<'a>(events: &'a [Happened], party: &Party) -> Option<&'a str> {
    events
        .iter()
        .rev()
        .find_map(|happened| match &happened.event {
            Event::Heard { who, words } if who == party => Some(words.as_str()),
            _ => None,
        })
}

/// Whether the caller is being recorded: after the beep and before the end of the recording.
fn may_speak(events: &[Happened]) -> bool {
    let last = events
        .iter()
        .rev()
        .find_map(|happened| match happened.event {
            Event::Beep => Some(true),
            Event::Recorded { .. } | Event::HungUp { .. } | Event::Failed { .. } => Some(false),
            _ => None,
        });
    last.unwrap_or(false)
}

fn name(demo: &Demo, number: &str) -> String {
    let phone = demo.phones.iter().find(|phone| phone.number == number);
    phone.map_or_else(|| number.to_owned(), |phone| phone.name.clone())
}

fn party(demo: &Demo, who: &Party) -> String {
    match who {
        Party::Caller => "The caller".to_owned(),
        Party::Phone(number) => name(demo, number),
        Party::Twilio => "Twilio".to_owned(),
    }
}

fn told(demo: &Demo, event: &Event) -> String {
    let name = |number: &str| name(demo, number);
    match event {
        Event::Ringing { number } => format!("{} rings", name(number)),
        Event::StoppedRinging { number, status } => {
            format!("{} stops ringing: {status}", name(number))
        }
        Event::PickedUp {
            number,
            mailbox: false,
        } => format!("{} picks up", name(number)),
        Event::PickedUp {
            number,
            mailbox: true,
        } => format!("{}'s mailbox picks up", name(number)),
        Event::Heard { who, words } => {
            format!("{} hears: \u{201c}{words}\u{201d}", party(demo, who))
        }
        Event::Played { who, .. } => format!("{} hears a recording", party(demo, who)),
        Event::Pressed { who, keys } => format!("{} presses {keys}", party(demo, who)),
        Event::Bridged { number } => format!("The caller and {} talk", name(number)),
        Event::Beep => "Beep".to_owned(),
        Event::Recorded { seconds, .. } => format!("A message of {seconds} s is left"),
        Event::Rejected { reason } => format!("The call is not taken: {reason}"),
        Event::HungUp { who } => format!("{} hangs up", party(demo, who)),
        Event::Failed { code } => format!("The caller hears that an error has occurred ({code})"),
    }
}

fn under_way(demo: &Demo, events: &[Happened]) -> String {
    let names = |state: &str| -> Vec<&str> {
        demo.phones
            .iter()
            .filter(|phone| state_of(events, &phone.number) == state)
            .map(|phone| phone.name.as_str())
            .collect()
    };
    for (state, words) in [
        ("talking", "talking to"),
        ("answered", "picked up by"),
        ("ringing", "ringing"),
    ] {
        let names = names(state);
        if !names.is_empty() {
            return format!("{words} {}", names.join(" and "));
        }
    }
    "calling \u{2026}".to_owned()
}

fn outcome(demo: &Demo, call: &LiveCall) -> String {
    let Some(story) = call.story() else {
        return under_way(demo, &call.events());
    };
    match &story.outcome {
        Outcome::Bridged { with, seconds } => {
            format!("talked to {} for {seconds} s", name(demo, with))
        }
        Outcome::Voicemail { seconds, .. } => format!("left a message of {seconds} s"),
        Outcome::Rejected { reason } => format!("not taken: {reason}"),
        Outcome::HungUpByCaller => "hung up before anybody answered".to_owned(),
        Outcome::Ended => "ended, nobody was reached".to_owned(),
        Outcome::Error { code } => format!("failed with error {code}"),
    }
}
