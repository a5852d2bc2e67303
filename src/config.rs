//! Loads and checks the configuration and the secrets. Only this module reads the environment.
//!
//! All problems are reported together, each with the key, the value and the remedy. A report never contains a secret.

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

/// A snapshot of the environment variables.
#[derive(Clone, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// Takes a snapshot of the process's environment.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the environment is read"
    )]
    pub fn of_process() -> Environment {
        // `vars()` panics on a value that is not UTF-8. None of our variables has such a value, so skip it.
        Environment(
            std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        )
    }

    /// Returns an environment of these pairs.
    pub fn of<const N: usize>(pairs: [(&str, &str); N]) -> Environment {
        Environment(
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// A variable of [`crate::faultpoints`].
    pub(crate) fn fault_variable(&self, name: &str) -> Option<&str> {
        self.value(name)
    }

    /// Returns the log filter: `RUST_LOG`, or `info` if it is not set.
    pub(crate) fn log_filter(&self) -> &str {
        self.asked_log_filter().unwrap_or("info")
    }

    /// Returns `RUST_LOG`; `None` if it is not set or empty.
    pub(crate) fn asked_log_filter(&self) -> Option<&str> {
        self.value("RUST_LOG")
    }

    /// Returns the value of `name`; `None` if it is not set or empty.
    fn value(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The origin that Twilio and Slack call, without a trailing slash. Signatures are checked against it.
    pub public_url: String,
    /// The address that the service listens on.
    pub listen: SocketAddr,
    /// `sqlite://…` or `postgres://…`. It may contain a password, so it is never shown.
    pub database_url: DatabaseUrl,
    /// The Redis server with presence signals, if there is one. The URL may contain a password.
    pub redis_url: Option<DatabaseUrl>,
    /// The base URL of Twilio's REST API.
    pub twilio_api_url: String,
    /// The base URL of Slack's Web API.
    pub slack_api_url: String,
    /// The people who can be rung.
    pub people: Vec<Person>,
    /// The lines: the Twilio numbers that we serve.
    pub lines: Vec<Line>,
    /// The status URLs of people.
    pub availability: AvailabilityConfig,
    /// The timing of deliveries.
    pub delivery: Delivery,
    /// The settings of the desk.
    pub desk: Desk,
    /// The rate limits for texts.
    pub limits: Limits,
    /// The limits for inbound connections.
    pub connections: Connections,
}

/// Rate limits for outbound texts, in segments as Twilio bills them, per hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// What one person may send to all numbers.
    pub person_per_hour: u32,
    /// What all people may send to one number.
    pub number_per_hour: u32,
    /// What all people may send from one line.
    pub line_per_hour: u32,
    /// What a line may send automatically: texts after missed calls and while everybody is away.
    pub automatic_per_hour: u32,
}

/// The URL of a database or of Redis. `Debug` shows only the scheme.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Wraps a URL without checking it.
    pub fn new(url: impl Into<String>) -> DatabaseUrl {
        DatabaseUrl(url.into())
    }

    /// Returns the whole URL, including a password.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path of the SQLite file; `None` for other databases.
    pub(crate) fn file(&self) -> Option<&Path> {
        sqlite_file(&self.0)
    }
}

/// Returns the path in an `sqlite://` URL; `None` for another scheme or an in-memory database.
pub(crate) fn sqlite_file(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite://")?.split('?').next()?;
    (!path.is_empty() && !path.starts_with(':')).then(|| Path::new(path))
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://…", self.0.split(':').next().unwrap_or_default())
    }
}

/// A person who can be rung.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name in ring steps and in the slash command.
    pub name: String,
    /// The phone that rings.
    pub phone: PhoneNumber,
    /// The Slack user ID, so that `/qdn away` can refer to its writer.
    pub slack: Option<String>,
    /// The language in which they are asked to take a call, such as `es-MX`; the line's language if `None`.
    pub language: Option<String>,
}

/// A Twilio number and the handling of its calls and texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The name that people use.
    pub name: String,
    /// The Twilio number.
    pub number: PhoneNumber,
    /// The `#name` or the ID of its Slack channel.
    pub channel: String,
    /// Whether the callee has to press 1 to take a call.
    pub screen: bool,
    /// The greeting, the prompt and the voice.
    pub speech: Speech,
    /// The ring steps, in order.
    pub ring: Vec<RingStep>,
    /// The countries (two capital letters) whose numbers may be texted first.
    pub allow_countries: Vec<String>,
    /// The text to a caller whom nobody answered.
    pub missed_call_text: Option<String>,
    /// The text to somebody who writes while only `always` people are available.
    pub away_text: Option<String>,
}

/// What callers and callees hear.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Speech {
    /// The voicemail greeting; a default sentence if `None`.
    pub greeting: Option<Greeting>,
    /// The prompt that the callee hears on pickup; a default sentence if `None`.
    pub screen_text: Option<String>,
    /// The language, such as `en-US`; Twilio's default if `None`.
    pub language: Option<String>,
    /// The voice, such as `Polly.Joanna-Neural`; the account's default if `None`.
    pub voice: Option<String>,
    /// Whether voicemail is transcribed, which Twilio charges for and does in American English only.
    pub transcribe: bool,
}

/// The voicemail greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// A sentence that Twilio speaks.
    Text(String),
    /// The URL of an audio file that Twilio plays.
    Audio(String),
}

/// A ring step: people whose phones ring at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingStep {
    /// Their names, each of which is in `people`.
    pub people: Vec<String>,
    /// How long they ring, in seconds, 5 to 600.
    pub seconds: u32,
    /// Whether they are rung even if they are not available.
    pub always: bool,
}

/// The status URLs and how long their answers are valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvailabilityConfig {
    /// How long the answer of a status URL is valid.
    pub ttl: Duration,
    /// The status URLs by person.
    pub status_urls: BTreeMap<String, String>,
}

/// The timing of deliveries. Tests scale all of it together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The timeout of one request to Twilio or Slack.
    pub request_timeout: Duration,
    /// Twilio's `ValidityPeriod`: it drops a text that is still queued after this.
    pub validity: Duration,
    /// How long after an attempt with an unknown outcome two complete reads of Twilio's log prove that the text was not sent.
    pub settle_after: Duration,
    /// How often the backfill reads Twilio's log and Slack's threads.
    pub backfill_every: Duration,
    /// A reply that the backfill finds later than this is not sent without a question.
    pub stale_reply: Duration,
}

/// The settings of the desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desk {
    /// A conversation that was idle for this long starts a new thread.
    pub new_thread_after: Duration,
    /// A text in a thread that was quiet for this long is also shown in the channel.
    pub renotify_after: Duration,
    /// After this, an unanswered text is announced in the channel.
    pub remind_after: Duration,
    /// After this, an unanswered text is sent to the phones of the line's last ring step.
    pub page_after: Duration,
    /// The time zone in which people read and write times.
    pub timezone: TimeZone,
    /// How long texts are kept; forever if `None`.
    pub keep_texts: Option<Duration>,
    /// Whether typography that makes a text more expensive is replaced with plain characters.
    pub smart_encoding: bool,
    /// Whether the second of two people who answer a caller at the same time is asked before the reply leaves.
    pub collision_guard: bool,
    /// The writer of a reply with more segments than this is asked before it leaves.
    pub warn_segments: u32,
}

impl Config {
    /// Loads the configuration file and applies the environment's overrides.
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

    /// Parses the text of a configuration file and applies the environment's overrides.
    pub fn parse(text: &str, environment: &Environment) -> Result<Config, ConfigError> {
        file::parse(text, environment)
    }

    /// Returns the line with this number.
    pub fn line_of(&self, number: &str) -> Option<&Line> {
        self.lines
            .iter()
            .find(|line| line.number.as_str() == number)
    }

    /// Returns the person with this name, ignoring case.
    pub fn person(&self, name: &str) -> Option<&Person> {
        self.people
            .iter()
            .find(|person| person.name.to_lowercase() == name.to_lowercase())
    }

    /// Returns the folder for the media of outbound texts: beside the SQLite file, or in the working directory.
    pub(crate) fn media_folder(&self) -> PathBuf {
        let folder = self.database_url.file().and_then(Path::parent);
        folder.unwrap_or(Path::new("")).join("media")
    }

    /// Returns the person with this Slack user ID.
    pub fn person_in_slack(&self, user: &str) -> Option<&Person> {
        self.people
            .iter()
            .find(|person| person.slack.as_deref() == Some(user))
    }
}

/// One problem in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `lines[0].number`, or the name of a variable.
    pub key: String,
    /// The value; never a secret.
    pub value: String,
    /// What to do about it.
    pub remedy: String,
}

/// All problems of a configuration.
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

    /// Returns `value` if there are no problems, otherwise the problems.
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
