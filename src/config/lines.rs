//! The `[[lines]]` sections and their ring steps.

use std::collections::HashSet;

use serde::Deserialize;
use toml::Value;

use super::limits;
use super::speech::{self, FileSpeech};
use super::written::{Text, flag, is_slack_id, phone};
use super::{Line, Person, Problems, RingStep};

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
    let mut lines = Vec::new();
    for (index, line) in list.into_iter().enumerate() {
        let key = |field: &str| format!("lines[{index}].{field}");
        let (Text(name), Text(channel)) = (line.name, line.channel);
        if name.trim().is_empty() {
            problems.add(
                key("name"),
                format!("\"{name}\""),
                "it must be what people call the line, such as QDN",
            );
        } else if !seen.insert(name.to_lowercase()) {
            problems.add(key("name"), &name, "another line has this name");
        }
        if !is_channel(&channel) {
            problems.add(
                key("channel"),
                format!("\"{channel}\""),
                "it must be a channel such as #qdn-dispatch, or its ID such as C012AB3CD",
            );
        }
        if line.ring.is_empty() {
            problems.add(
                key("ring"),
                "[]",
                "there must be at least one step, such as { people = [\"Sergio\"], seconds = 15 }",
            );
        }
        let ring = line
            .ring
            .into_iter()
            .enumerate()
            .filter_map(|(at, step)| ring_step(key(&format!("ring[{at}]")), step, people, problems))
            .collect();
        let spoken = FileSpeech {
            greeting: line.greeting,
            screen_text: line.screen_text,
            language: line.language,
            voice: line.voice,
            transcribe: line.transcribe,
        };
        let speech = speech::speech(key, spoken, problems);
        let screen = flag(key("screen"), line.screen, true, problems);
        let Some(number) = phone(key("number"), &line.number, problems) else {
            continue;
        };
        if !seen.insert(number.as_str().to_owned()) {
            problems.add(
                key("number"),
                number.as_str(),
                "another line has this number",
            );
        }
        if let Some(person) = people.iter().find(|person| person.phone == number) {
            let remedy = format!(
                "it is the phone of {} as well, so a call would come back to us; a person needs another phone",
                person.name
            );
            problems.add(key("number"), number.as_str(), remedy);
        }
        let written = |text: Option<Text>| {
            text.map(|Text(text)| text)
                .filter(|text| !text.trim().is_empty())
        };
        let allow_countries = limits::countries(
            key("allow_countries"),
            line.allow_countries,
            &number,
            problems,
        );
        lines.push(Line {
            name,
            number,
            allow_countries,
            channel,
            screen,
            speech,
            ring,
            missed_call_text: written(line.missed_call_text),
            away_text: written(line.away_text),
        });
    }
    lines
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
