//! The `[[lines]]` sections and their ring steps.

use std::collections::HashSet;

use serde::Deserialize;
use toml::Value;

use super::limits;
use super::speech::{self, FileSpeech};
use super::written::{Text, flag, is_slack_id, phone};
use super::{Line, Person, Problems, RingStep};
use crate::phone::PhoneNumber;

#[derive(Deserialize)]
pub(super) struct FileLine {
    #[serde(default)]
    name: Text,
    #[serde(default)]
    number: Text,
    #[serde(default)]
    channel: Text,
    screen: Option<Value>,
    greeting: Option<Text>,
    screen_text: Option<Text>,
    language: Option<Text>,
    voice: Option<Text>,
    transcribe: Option<Value>,
    #[serde(default)]
    ring: Vec<FileRingStep>,
    allow_countries: Option<Value>,
    missed_call_text: Option<Text>,
    away_text: Option<Text>,
}

#[derive(Deserialize)]
struct FileRingStep {
    people: Option<Value>,
    seconds: Option<Value>,
    always: Option<Value>,
}

/// The values that Twilio allows for a `Dial`'s `timeout`, in seconds.
/// <https://www.twilio.com/docs/voice/twiml/dial#timeout>
const RING_SECONDS: std::ops::RangeInclusive<i64> = 5..=600;

/// The most numbers that one `Dial` can ring at once. <https://www.twilio.com/docs/voice/twiml/number>
const NUMBERS_PER_DIAL: usize = 10;

fn is_channel(text: &str) -> bool {
    match text.strip_prefix('#') {
        Some(name) => !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '#'),
        None => is_slack_id(text, ['C', 'G']),
    }
}

pub(super) fn lines(list: Vec<FileLine>, people: &[Person], problems: &mut Problems) -> Vec<Line> {
    if list.is_empty() {
        problems.add(
            "lines",
            "",
            "there must be at least one [[lines]] with name, number, channel and ring",
        );
    }
    let mut seen = HashSet::new();
    list.into_iter()
        .enumerate()
        .filter_map(|(index, file)| line(index, file, people, &mut seen, problems))
        .collect()
}

/// Checks one line; `None` if its number is wrong. `seen` has the names and numbers of the lines before it.
fn line(
    index: usize,
    file: FileLine,
    people: &[Person],
    seen: &mut HashSet<String>,
    problems: &mut Problems,
) -> Option<Line> {
    let key = |field: &str| format!("lines[{index}].{field}");
    let (Text(name), Text(channel)) = (file.name, file.channel);
    check_name(key("name"), &name, seen, problems);
    if !is_channel(&channel) {
        problems.add(
            key("channel"),
            format!("\"{channel}\""),
            "it must be a channel such as #qdn-dispatch, or its ID such as C012AB3CD",
        );
    }
    let ring = ring_steps(key("ring"), file.ring, people, problems);
    let spoken = FileSpeech {
        greeting: file.greeting,
        screen_text: file.screen_text,
        language: file.language,
        voice: file.voice,
        transcribe: file.transcribe,
    };
    let speech = speech::speech(key, spoken, problems);
    let screen = flag(key("screen"), file.screen, true, problems);
    let number = phone(key("number"), &file.number, problems)?;
    check_number(key("number"), &number, people, seen, problems);
    let allow_countries = limits::countries(
        key("allow_countries"),
        file.allow_countries,
        &number,
        problems,
    );
    let written = |text: Option<Text>| {
        text.map(|Text(text)| text)
            .filter(|text| !text.trim().is_empty())
    };
    Some(Line {
        name,
        number,
        allow_countries,
        channel,
        screen,
        speech,
        ring,
        missed_call_text: written(file.missed_call_text),
        away_text: written(file.away_text),
    })
}

fn check_name(key: String, name: &str, seen: &mut HashSet<String>, problems: &mut Problems) {
    if name.trim().is_empty() {
        problems.add(
            key,
            format!("\"{name}\""),
            "it must be what people call the line, such as QDN",
        );
    } else if !seen.insert(name.to_lowercase()) {
        problems.add(key, name, "another line has this name");
    }
}

/// Checks that no other line and no person has this number. A call to a person with a line's number would come back to us.
fn check_number(
    key: String,
    number: &PhoneNumber,
    people: &[Person],
    seen: &mut HashSet<String>,
    problems: &mut Problems,
) {
    if !seen.insert(number.as_str().to_owned()) {
        problems.add(&key, number.as_str(), "another line has this number");
    }
    if let Some(person) = people.iter().find(|person| person.phone == *number) {
        let remedy = format!(
            "it is the phone of {} as well, so a call would come back to us; a person needs another phone",
            person.name
        );
        problems.add(&key, number.as_str(), remedy);
    }
}

fn ring_steps(
    key: String,
    steps: Vec<FileRingStep>,
    people: &[Person],
    problems: &mut Problems,
) -> Vec<RingStep> {
    if steps.is_empty() {
        problems.add(
            &key,
            "[]",
            "there must be at least one step, such as { people = [\"Sergio\"], seconds = 15 }",
        );
    }
    steps
        .into_iter()
        .enumerate()
        .filter_map(|(at, step)| ring_step(format!("{key}[{at}]"), step, people, problems))
        .collect()
}

fn ring_step(
    key: String,
    step: FileRingStep,
    people: &[Person],
    problems: &mut Problems,
) -> Option<RingStep> {
    let names = ring_people(format!("{key}.people"), step.people, people, problems);
    let always = flag(format!("{key}.always"), step.always, false, problems);
    let remedy = format!(
        "how long this step rings: whole seconds, {} to {}",
        RING_SECONDS.start(),
        RING_SECONDS.end()
    );
    let seconds = match step.seconds {
        Some(Value::Integer(seconds)) if RING_SECONDS.contains(&seconds) => {
            u32::try_from(seconds).ok()?
        }
        Some(other) => {
            problems.add(format!("{key}.seconds"), other, remedy);
            return None;
        }
        None => {
            let remedy = format!("it is not set; {remedy}");
            problems.add(format!("{key}.seconds"), "", remedy);
            return None;
        }
    };
    Some(RingStep {
        people: names,
        seconds,
        always,
    })
}

/// Checks the people of a ring step. Their phones ring at once, so each phone can only be named once.
fn ring_people(
    key: String,
    value: Option<Value>,
    people: &[Person],
    problems: &mut Problems,
) -> Vec<String> {
    let written = value.as_ref().map(Value::to_string).unwrap_or_default();
    let listed = value.and_then(|value| value.try_into::<Vec<Text>>().ok());
    let names: Vec<String> = listed
        .unwrap_or_default()
        .into_iter()
        .map(|Text(name)| name)
        .collect();
    if names.is_empty() || names.len() > NUMBERS_PER_DIAL {
        let remedy = format!("a step rings a list of 1 to {NUMBERS_PER_DIAL} people");
        problems.add(&key, written, remedy);
    }
    let mut phones = HashSet::new();
    for name in &names {
        match people.iter().find(|person| person.name == *name) {
            None => problems.add(
                &key,
                format!("\"{name}\""),
                "there is no [[people]] entry of this name with a valid phone",
            ),
            Some(person) if !phones.insert(&person.phone) => problems.add(
                &key,
                format!("\"{name}\""),
                "this phone would ring twice at once; name it once in a step",
            ),
            Some(_) => {}
        }
    }
    names
}
