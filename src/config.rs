//! The configuration, typed and checked; the only reader of the environment.
//!
//! Every mistake is reported at once, each with the key, the value and what would be right. A secret's value is
//! never part of a report.

mod address;
mod connections;
mod duration;
mod file;
mod limits;
mod lines;
mod network;
mod people;
mod secrets;
mod speech;
mod timing;
mod webhook_keys;
mod written;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;

pub use connections::Connections;
pub(crate) use duration::parse as parse_duration;
pub use network::Network;
pub(crate) use network::{household, is_near};
pub use secrets::Secrets;
pub use webhook_keys::WebhookKey;

use crate::phone::PhoneNumber;

/// The environment as it was when the program started.
#[derive(Clone, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// The process's own.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the environment is read"
    )]
    pub fn of_process() -> Environment {
        // `vars()` panics on a value that is not UTF-8; such a value cannot be one of ours.
        Environment(
            std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        )
    }

    /// One made of these pairs.
    pub fn of<const N: usize>(pairs: [(&str, &str); N]) -> Environment {
        Environment(
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// A switch of [`crate::faultpoints`].
    pub(crate) fn fault_switch(&self, name: &str) -> Option<&str> {
        self.value(name)
    }

    /// Which log lines are printed: `RUST_LOG`, or everything from `info` up.
    pub(crate) fn log_filter(&self) -> &str {
        self.asked_log_filter().unwrap_or("info")
    }

    /// `RUST_LOG`, where it is set.
    pub(crate) fn asked_log_filter(&self) -> Option<&str> {
        self.value("RUST_LOG")
    }

    /// The value of `name`; an empty one counts as unset.
    fn value(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

/// Whose requests the signatures of a process stand for, and everything it may do.
#[derive(Debug, Clone)]
pub struct Config {
    /// The origin that Twilio and Slack call, without a slash at its end.
    pub public_url: String,
    /// Where the service listens.
    pub listen: SocketAddr,
    /// `sqlite://…` or `postgres://…`; may hold a password, so it is never shown.
    pub database_url: DatabaseUrl,
    /// Presence signals, if there are any; may hold a password too.
    pub redis_url: Option<DatabaseUrl>,
    /// Where Twilio's REST API is.
    pub twilio_api_url: String,
    /// Where Slack's Web API is.
    pub slack_api_url: String,
    /// Who can be rung.
    pub people: Vec<Person>,
    /// The numbers we serve.
    pub lines: Vec<Line>,
    /// Where availability is asked for besides the slash command.
    pub availability: AvailabilityConfig,
    /// How deliveries are tried and settled.
    pub delivery: Delivery,
    /// How the desk works.
    pub desk: Desk,
    /// How much people may text.
    pub limits: Limits,
    /// How many connections are kept.
    pub connections: Connections,
}

/// How many texts, counted in the parts that Twilio bills, may leave within an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One person, whomever to.
    pub person_per_hour: u32,
    /// Everybody to one number.
    pub number_per_hour: u32,
    /// Everybody from one line.
    pub line_per_hour: u32,
    /// A line by itself: texts for missed calls and for when everybody is away.
    pub automatic_per_hour: u32,
}

/// A database's address, or Redis's; shown without what follows the scheme.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// One made by the program itself.
    pub fn new(url: impl Into<String>) -> DatabaseUrl {
        DatabaseUrl(url.into())
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The file, where the database is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        sqlite_file(&self.0)
    }
}

/// The file that an `sqlite://` address names.
pub(crate) fn sqlite_file(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite://")?.split('?').next()?;
    (!path.is_empty() && !path.starts_with(':')).then(|| Path::new(path))
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://…", self.0.split(':').next().unwrap_or_default())
    }
}

/// Somebody who can be rung.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// As the ring steps and the slash command name them.
    pub name: String,
    /// The telephone that rings.
    pub phone: PhoneNumber,
    /// Their Slack user id, so that `/qdn away` can mean "me".
    pub slack: Option<String>,
    /// In which they are asked to take a call, such as `es-MX`; the line's where there is none.
    pub language: Option<String>,
}

/// A number of ours and what happens to its calls and texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// As people call it.
    pub name: String,
    /// The Twilio number.
    pub number: PhoneNumber,
    /// `#name` or id of its Slack channel.
    pub channel: String,
    /// Whether who picks up presses 1 to take the call.
    pub screen: bool,
    /// What is said on the telephone.
    pub speech: Speech,
    /// Tried in order.
    pub ring: Vec<RingStep>,
    /// The countries, as two capital letters, whose numbers it texts first.
    pub allow_countries: Vec<String>,
    /// Texted to a caller nobody answered.
    pub missed_call_text: Option<String>,
    /// Texted once while nobody but `always` people is available.
    pub away_text: Option<String>,
}

/// What is said on the telephone, to callers and to who picks up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Speech {
    /// What a caller hears whom nobody took; a sentence of ours where there is none.
    pub greeting: Option<Greeting>,
    /// What whoever picks up hears; a sentence of ours where there is none.
    pub screen_text: Option<String>,
    /// Such as `en-US`; Twilio's default where there is none.
    pub language: Option<String>,
    /// Such as `Polly.Joanna-Neural`; the account's own where there is none.
    pub voice: Option<String>,
    /// Whether recordings are put in writing, which Twilio does for American English and for money.
    pub transcribe: bool,
}

/// What comes before the beep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// Spoken.
    Text(String),
    /// Played: the address of a sound file that Twilio can fetch.
    Audio(String),
}

/// People who are rung together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingStep {
    /// Their names; each is one of `people`.
    pub people: Vec<String>,
    /// How long they ring, 5 to 600.
    pub seconds: u32,
    /// Whether they are rung whatever their availability.
    pub always: bool,
}

/// Sources of availability besides the slash command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvailabilityConfig {
    /// How long an answer of a status URL is believed.
    pub ttl: Duration,
    /// A URL for each person who has one.
    pub status_urls: BTreeMap<String, String>,
}

/// How deliveries are tried and settled; the timers scale together in tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// One request to Twilio or Slack.
    pub request_timeout: Duration,
    /// Twilio drops an SMS that it still queues after this.
    pub validity: Duration,
    /// The earliest moment at which two complete reads prove that an unknown send never happened.
    pub settle_after: Duration,
    /// How often Twilio's log and Slack's threads are compared with ours.
    pub backfill_every: Duration,
    /// Replies found older than this are asked about, not sent.
    pub stale_reply: Duration,
}

/// How the desk works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desk {
    /// A conversation idle this long starts a new thread.
    pub new_thread_after: Duration,
    /// A text in a thread quiet this long is also shown in the channel.
    pub renotify_after: Duration,
    /// An unanswered text is called out in the channel.
    pub remind_after: Duration,
    /// And then texted to the people of the line's last ring step.
    pub page_after: Duration,
    /// In which people read and type clock times.
    pub timezone: TimeZone,
    /// How long what people wrote is kept; always where there is none.
    pub keep_texts: Option<Duration>,
    /// Whether typography that alone makes a text dearer is made plain.
    pub smart_encoding: bool,
    /// Whether the second of two people who answer a caller at once is asked first.
    pub collision_guard: bool,
    /// A reply in more parts than this is asked about first.
    pub warn_segments: u32,
}

impl Config {
    /// Reads and checks the file, with the environment's overrides.
    pub fn load(path: &Path, environment: &Environment) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            ConfigError::one(
                "--config",
                path.display(),
                format!(
                    "it cannot be read ({error}); copy qdn.example.toml to qdn.toml and fill it in"
                ),
            )
        })?;
        Config::parse(&text, environment)
    }

    /// The same from the file's text.
    pub fn parse(text: &str, environment: &Environment) -> Result<Config, ConfigError> {
        file::parse(text, environment)
    }

    /// The line that has this number.
    pub fn line_of(&self, number: &str) -> Option<&Line> {
        self.lines
            .iter()
            .find(|line| line.number.as_str() == number)
    }

    /// The person of this name, whatever the case it is written in.
    pub fn person(&self, name: &str) -> Option<&Person> {
        self.people
            .iter()
            .find(|person| person.name.to_lowercase() == name.to_lowercase())
    }

    /// Where files are kept on their way to a phone: beside the database, or where the service was started.
    pub(crate) fn media_folder(&self) -> PathBuf {
        let folder = self.database_url.file().and_then(Path::parent);
        folder.unwrap_or(Path::new("")).join("media")
    }

    /// The person with this Slack user id.
    pub fn person_in_slack(&self, user: &str) -> Option<&Person> {
        self.people
            .iter()
            .find(|person| person.slack.as_deref() == Some(user))
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: `lines[0].number`, or a variable's name.
    pub key: String,
    /// What stands there; never a secret.
    pub value: String,
    /// What would be right.
    pub remedy: String,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(pub Vec<Problem>);

impl ConfigError {
    pub(crate) fn one(
        key: &str,
        value: impl fmt::Display,
        remedy: impl fmt::Display,
    ) -> ConfigError {
        let mut problems = Problems::default();
        problems.add(key, value, remedy);
        ConfigError(problems.0)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { key, value, remedy }) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            if value.is_empty() {
                write!(f, "{key}: {remedy}")?
            } else {
                write!(f, "{key} = {value}: {remedy}")?
            }
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, key: impl fmt::Display, value: impl fmt::Display, remedy: impl fmt::Display) {
        self.0.push(Problem {
            key: key.to_string(),
            value: value.to_string(),
            remedy: remedy.to_string(),
        });
    }

    /// `value` unless something was wrong.
    fn or<T>(self, value: T) -> Result<T, ConfigError> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(ConfigError(self.0))
        }
    }
}

#[cfg(test)]
mod tests;
