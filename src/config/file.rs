//! `qdn.toml` as it is written, and its checking.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use toml::Value;
use url::Url;

use super::address::{api_url, database_url, listen, public_url, redis_url};
use super::connections::{FileConnections, connections};
use super::limits::{self, FileLimits};
use super::speech::{self, FileSpeech};
use super::timing::{FileDelivery, FileDesk, delivery, desk};
use super::written::{self, Text, flag, time};
use super::{
    AvailabilityConfig, Config, ConfigError, Environment, Line, Person, Problems, RingStep,
};
use crate::phone::PhoneNumber;

#[derive(Deserialize)]
struct File {
    public_url: Option<Text>,
    listen: Option<Text>,
    database_url: Option<Text>,
    redis_url: Option<Text>,
    #[serde(default)]
    twilio: Api,
    #[serde(default)]
    slack: Api,
    #[serde(default)]
    people: Vec<FilePerson>,
    #[serde(default)]
    lines: Vec<FileLine>,
    #[serde(default)]
    availability: FileAvailability,
    #[serde(default)]
    delivery: FileDelivery,
    #[serde(default)]
    desk: FileDesk,
    #[serde(default)]
    limits: FileLimits,
    #[serde(default)]
    connections: FileConnections,
}

#[derive(Deserialize, Default)]
struct Api {
    api_url: Option<Text>,
}

#[derive(Deserialize)]
struct FilePerson {
    #[serde(default)]
    name: Text,
    #[serde(default)]
    phone: Text,
    slack: Option<Text>,
    language: Option<Text>,
}

#[derive(Deserialize)]
struct FileLine {
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

#[derive(Deserialize, Default)]
struct FileAvailability {
    ttl: Option<Text>,
    #[serde(default)]
    status_urls: BTreeMap<String, Text>,
}

/// What Twilio allows for Dial's `timeout`, in seconds.
/// <https://www.twilio.com/docs/voice/twiml/dial#timeout>
const RING_SECONDS: std::ops::RangeInclusive<i64> = 5..=600;

/// How many numbers one Dial can ring at once. <https://www.twilio.com/docs/voice/twiml/number>
const NUMBERS_PER_DIAL: usize = 10;

pub(super) fn parse(text: &str, environment: &Environment) -> Result<Config, ConfigError> {
    let mut problems = Problems::default();
    let laid_out_otherwise = |error: toml::de::Error| {
        let (key, remedy) = written::layout_error(text, &error);
        ConfigError::one(&key, "", remedy)
    };
    let document = toml::Deserializer::parse(text).map_err(laid_out_otherwise)?;
    let mut unknown = Vec::new();
    let file: File = serde_ignored::deserialize(document, |path| unknown.push(written::key(&path)))
        .map_err(laid_out_otherwise)?;
    for key in unknown {
        problems.add(
            key,
            "",
            "there is no such key; see qdn.example.toml for those there are",
        );
    }
    let people = people(file.people, &mut problems);
    let lines = lines(file.lines, &people, &mut problems);
    let scalar = |variable: &str, in_file: Option<Text>| {
        let in_file = in_file.map(|Text(value)| value);
        environment.value(variable).map(str::to_owned).or(in_file)
    };
    let config = Config {
        public_url: public_url(scalar("QDN_PUBLIC_URL", file.public_url), &mut problems),
        listen: listen(scalar("QDN_LISTEN", file.listen), &mut problems),
        database_url: database_url(scalar("QDN_DATABASE_URL", file.database_url), &mut problems),
        redis_url: redis_url(scalar("QDN_REDIS_URL", file.redis_url), &mut problems),
        twilio_api_url: api_url(
            "twilio.api_url",
            file.twilio.api_url,
            "https://api.twilio.com",
            &mut problems,
        ),
        slack_api_url: api_url(
            "slack.api_url",
            file.slack.api_url,
            "https://slack.com/api/",
            &mut problems,
        ),
        availability: availability(file.availability, &people, &mut problems),
        delivery: delivery(file.delivery, &mut problems),
        desk: desk(file.desk, &mut problems),
        limits: limits::limits(file.limits, &mut problems),
        connections: connections(file.connections, &mut problems),
        people,
        lines,
    };
    problems.or(config)
}

fn phone(key: String, Text(value): &Text, problems: &mut Problems) -> Option<PhoneNumber> {
    match PhoneNumber::parse(value) {
        Ok(number) => Some(number),
        Err(_) => {
            problems.add(
                key,
                format!("\"{value}\""),
                "it must be a full number with its country code, such as +16195550100",
            );
            None
        }
    }
}

fn people(list: Vec<FilePerson>, problems: &mut Problems) -> Vec<Person> {
    let mut seen = HashSet::new();
    let mut people = Vec::new();
    for (
        index,
        FilePerson {
            name: Text(name),
            phone: number,
            slack,
            language,
        },
    ) in list.into_iter().enumerate()
    {
        let key = |field: &str| format!("people[{index}].{field}");
        if name.is_empty() || !name.chars().all(is_of_name) {
            problems.add(
                key("name"),
                format!("\"{name}\""),
                "it must be one word of letters, digits, - or ', as people type it after the slash command",
            );
        } else if !seen.insert(name.to_lowercase()) {
            problems.add(
                key("name"),
                &name,
                "another person has this name; add an initial",
            );
        }
        let slack = slack.map(|Text(user)| user);
        if let Some(user) = &slack {
            if !is_slack_id(user, ['U', 'W']) {
                problems.add(key("slack"), format!("\"{user}\""), "it must be a Slack member ID such as U012AB3CD, found in the person's profile under Copy member ID");
            } else if !seen.insert(user.clone()) {
                problems.add(
                    key("slack"),
                    user,
                    "another person has this member ID; each needs their own",
                );
            }
        }
        if let Some(number) = phone(key("phone"), &number, problems) {
            people.push(Person {
                name,
                phone: number,
                slack,
                language: speech::language(key("language"), language, problems),
            });
        }
    }
    people
}

/// Names are typed after the slash command and stand in keys at Redis.
fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || "-_'’.".contains(c)
}

/// Slack's ids: one letter for the kind, then capitals and digits.
fn is_slack_id(text: &str, kinds: [char; 2]) -> bool {
    text.len() > 2
        && text.starts_with(kinds)
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

fn is_channel(text: &str) -> bool {
    match text.strip_prefix('#') {
        Some(name) => !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '#'),
        None => is_slack_id(text, ['C', 'G']),
    }
}

fn lines(list: Vec<FileLine>, people: &[Person], problems: &mut Problems) -> Vec<Line> {
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

/// Who rings in a step; their telephones ring at once, so each can only be there once.
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

fn availability(
    file: FileAvailability,
    people: &[Person],
    problems: &mut Problems,
) -> AvailabilityConfig {
    for (name, Text(url)) in &file.status_urls {
        let key = format!("availability.status_urls.{name}");
        if !people.iter().any(|person| person.name == *name) {
            problems.add(&key, url, "there is no [[people]] entry of this name");
        }
        if !Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "https" | "http")) {
            problems.add(
                &key,
                url,
                "it must be an http or https address that answers {\"status\": \"online\"}",
            );
        }
    }
    AvailabilityConfig {
        ttl: time("availability.ttl", file.ttl, "5m", problems),
        status_urls: file
            .status_urls
            .into_iter()
            .map(|(name, Text(url))| (name, url))
            .collect(),
    }
}
