use super::*;
use crate::config::{Config, Environment};
use crate::twilio::form;

const CALL: &str = "CA00000000000000000000000000000001";
const LEG: &str = "CA00000000000000000000000000000002";
const OTHER_LEG: &str = "CA00000000000000000000000000000003";

fn line(screen: bool) -> Line {
    let text = format!(
        r##"
        public_url = "https://desk.example.com"
        people = [{{ name = "Sergio", phone = "+16195550111" }}, {{ name = "Backup", phone = "+18585550112" }}]
        [[lines]]
        name = "QDN"
        number = "+16195550100"
        channel = "#qdn-dispatch"
        screen = {screen}
        ring = [{{ people = ["Sergio", "Backup"], seconds = 15 }}]
        "##
    );
    let config = Config::parse(&text, &Environment::default()).unwrap();
    config.lines[0].clone()
}

fn result(more: &str) -> DialResult {
    let account = "AC00000000000000000000000000000000";
    let body =
        format!("CallSid={CALL}&AccountSid={account}&From=%2B16195550142&To=%2B16195550100&{more}");
    DialResult::from_params(&form::parse(body.as_bytes()))
}

fn progress(now: &str) -> Progress {
    let query = format!("round=1&step=0&then=1&now={now}&rung=&out=");
    serde_urlencoded::from_str(&query).unwrap()
}

fn legs(pressed: &str) -> HashMap<String, Leg> {
    let leg = |person: &str, keys: &str| Leg {
        round: 1,
        person: person.into(),
        keys: keys.into(),
        status: String::new(),
    };
    HashMap::from([
        (LEG.to_owned(), leg("Sergio", pressed)),
        (OTHER_LEG.to_owned(), leg("Backup", "")),
    ])
}

fn answered(person: &str) -> Ended {
    Ended::Answered {
        person: person.into(),
    }
}

fn swallowed(by: &str) -> Ended {
    Ended::Swallowed {
        by: Some(by.into()),
        declined: Vec::new(),
    }
}

#[test]
fn an_answer_is_a_connection_or_our_own_key_press() {
    let rings = "CallStatus=ringing";
    let talked = "CallStatus=in-progress";
    let completed = "DialCallStatus=completed";
    for (screen, pressed, told, expected) in [
        (
            true,
            "1",
            format!("{talked}&{completed}&DialCallSid={LEG}&DialBridged=true"),
            answered("Sergio"),
        ),
        (
            true,
            "1",
            format!("{talked}&{completed}&DialCallSid={LEG}"),
            answered("Sergio"),
        ),
        (
            true,
            "1",
            format!("{talked}&{completed}"),
            answered("Sergio"),
        ),
        // They took it and were gone before the two were put together, and the caller is still there.
        (
            true,
            "1",
            format!("{rings}&{completed}&DialCallSid={LEG}&DialBridged=false"),
            swallowed("Sergio"),
        ),
        (
            true,
            "1",
            format!("CallStatus=completed&{completed}&DialCallSid={LEG}&DialBridged=false"),
            answered("Sergio"),
        ),
        (
            true,
            "1",
            format!("CallStatus=no-answer&{completed}&DialCallSid={LEG}&DialBridged=false"),
            Ended::CallerGone,
        ),
        // A mailbox: it was picked up, and nobody pressed a key.
        (
            true,
            "",
            format!("{rings}&{completed}&DialCallSid={LEG}&DialBridged=false"),
            swallowed("Sergio"),
        ),
        (
            true,
            "",
            format!("{rings}&{completed}&DialCallSid={LEG}"),
            swallowed("Sergio"),
        ),
        (
            true,
            "2",
            format!("{rings}&{completed}&DialCallSid={LEG}"),
            swallowed("Sergio"),
        ),
        // The key press was on another leg.
        (
            true,
            "1",
            format!("{rings}&{completed}&DialCallSid={OTHER_LEG}&DialBridged=false"),
            swallowed("Backup"),
        ),
        (
            true,
            "",
            format!("{rings}&{completed}&DialCallSid=CA00000000000000000000000000000009"),
            Ended::Swallowed {
                by: None,
                declined: Vec::new(),
            },
        ),
        // Without screening Twilio's word counts.
        (
            false,
            "",
            format!("{talked}&{completed}&DialCallSid={LEG}"),
            answered("Sergio"),
        ),
        (
            false,
            "",
            format!("{rings}&{completed}&DialCallSid={LEG}&DialBridged=false"),
            swallowed("Sergio"),
        ),
    ] {
        let ended = Ended::of(
            &result(&told),
            &progress("Sergio+Backup"),
            &line(screen),
            &legs(pressed),
        );
        assert_eq!(
            ended, expected,
            "screen {screen}, pressed {pressed:?}, {told}"
        );
    }
}

#[test]
fn any_final_status_of_the_caller_means_that_they_are_gone() {
    for (status, gone) in [
        ("ringing", false),
        ("in-progress", false),
        ("", false),
        ("completed", true),
        ("no-answer", true),
        ("canceled", true),
        ("busy", true),
        ("failed", true),
    ] {
        let told = format!("CallStatus={status}&DialCallStatus=no-answer&DialBridged=false");
        let ended = Ended::of(
            &result(&told),
            &progress("Sergio"),
            &line(true),
            &HashMap::new(),
        );
        assert_eq!(ended == Ended::CallerGone, gone, "{status}");
    }
}

#[test]
fn whoever_pressed_the_call_away_is_known_by_their_leg_or_by_being_the_only_one() {
    let mut busy = legs("");
    busy.get_mut(LEG).unwrap().status = "busy".into();
    for (now, dial_call_status, legs, declined) in [
        ("Sergio", "busy", HashMap::new(), vec!["Sergio"]),
        ("Sergio", "failed", HashMap::new(), vec!["Sergio"]),
        ("Sergio", "no-answer", HashMap::new(), vec![]),
        ("Sergio+Backup", "no-answer", busy, vec!["Sergio"]),
        ("Sergio+Backup", "busy", HashMap::new(), vec![]),
    ] {
        let told = format!("CallStatus=ringing&DialCallStatus={dial_call_status}");
        let ended = Ended::of(&result(&told), &progress(now), &line(true), &legs);
        let declined = declined.into_iter().map(str::to_owned).collect();
        assert_eq!(ended, Ended::Unanswered { declined }, "{now}, {told}");
    }
}
