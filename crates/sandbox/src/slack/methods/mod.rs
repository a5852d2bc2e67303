//! The Web API methods the stand-in knows, each with the scope it wants and the arguments it takes.
//!
//! Source: <https://docs.slack.dev/reference/methods>, one page per method. Slack ignores an argument it does not know; here it
//! is also a violation, since it shows that the caller believes in something that does not exist.

mod chat;
mod conversations;
mod files;
mod reactions;
mod table;
mod users;
mod views;

use serde_json::{Value, json};

pub(super) use self::chat::content;
pub(super) use self::table::{find, scopes_of};

use super::arguments::Arguments;
use super::world::{Channel, World};

/// A refusal by Slack: its word for the error, and further fields of the answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub(super) error: String,
    pub(super) extra: Vec<(&'static str, Value)>,
    /// Whether the request itself is wrong, whatever the workspace's state. That is a bug in the caller's code.
    pub(super) malformed: bool,
}

impl Refusal {
    /// A refusal of a well-formed request because of the workspace's state.
    pub(super) fn state(error: &str) -> Self {
        Self {
            error: error.to_owned(),
            extra: Vec::new(),
            malformed: false,
        }
    }

    /// A refusal of a request that no workspace would accept.
    pub(super) fn malformed(error: &str) -> Self {
        Self {
            malformed: true,
            ..Self::state(error)
        }
    }

    /// A refusal with the detail that Slack gives in `response_metadata.messages`.
    pub(super) fn explained(error: &str, detail: String) -> Self {
        Self {
            extra: vec![("response_metadata", json!({"messages": [detail]}))],
            ..Self::malformed(error)
        }
    }
}

impl From<&'static str> for Refusal {
    fn from(error: &'static str) -> Self {
        Self::malformed(error)
    }
}

pub(super) type Outcome = Result<Value, Refusal>;

/// The scope that a method wants.
#[derive(Debug, Clone, Copy)]
enum Scope {
    None,
    /// This scope.
    Of(&'static str),
    /// `channels:…` or `groups:…` by the kind of the channel named in `channel`.
    ByChannel(&'static str),
}

/// One method.
pub(super) struct Method {
    pub(super) name: &'static str,
    scope: Scope,
    /// The names of its arguments, separated by spaces.
    arguments: &'static str,
    /// Whether it accepts a JSON body. The others accept a query or a form.
    json: bool,
    /// Whether it changes something. Then it has to be a POST, and is kept in the log of accepted calls.
    writes: bool,
    run: Run,
}

/// The work of a method, after token, scope and arguments are checked.
type Run = fn(&mut World, &Arguments) -> Outcome;

/// The arguments that are strings in every method. A JSON number in their place is a mistake that form encoding would
/// hide.
const STRINGS: &[&str] = &[
    "channel",
    "text",
    "thread_ts",
    "ts",
    "message_ts",
    "timestamp",
    "user",
    "user_id",
    "name",
    "trigger_id",
    "cursor",
    "oldest",
    "latest",
    "file",
    "channel_id",
    "view_id",
];

impl Method {
    /// Checks what holds for every method, then runs this one.
    pub(super) fn call(&self, world: &mut World, is_post: bool, arguments: &Arguments) -> Outcome {
        if self.writes && !is_post {
            world.violation(format!("{}: called by GET", self.name));
        }
        if arguments.is_json && !self.json {
            // Slack ignores the JSON and then misses its arguments.
            world.violation(format!("{}: does not take JSON", self.name));
            return Err(Refusal::malformed("invalid_arguments"));
        }
        for name in arguments.names() {
            if !self.arguments.split(' ').any(|known| known == name) {
                world.violation(format!("{}: unknown argument `{name}`", self.name));
            }
        }
        if let Some(name) = arguments.not_a_string(STRINGS) {
            return Err(Refusal::explained(
                "invalid_arguments",
                format!("[ERROR] must be a string [json-pointer:/{name}]"),
            ));
        }
        self.check_scope(world, arguments)?;
        if let Some(error) = refused_words(world, self.name, arguments) {
            return Err(Refusal::state(error));
        }
        let answer = (self.run)(world, arguments)?;
        if self.writes {
            let ts = answer["ts"]
                .as_str()
                .or(answer["message_ts"].as_str())
                .unwrap_or("")
                .to_owned();
            world.accept(self.name, arguments.to_value(), &ts);
        }
        Ok(answer)
    }

    fn check_scope(&self, world: &World, arguments: &Arguments) -> Result<(), Refusal> {
        match self.scope {
            Scope::None => Ok(()),
            Scope::Of(scope) => want_scope(world, scope),
            Scope::ByChannel(what) => {
                let kind = arguments
                    .text("channel")
                    .and_then(|id| world.channel(id))
                    .map_or("channels", plural_kind);
                want_scope(world, &format!("{kind}:{what}"))
            }
        }
    }

    /// The value of the header `x-accepted-oauth-scopes`.
    pub(super) fn accepted_scopes(&self) -> String {
        match self.scope {
            Scope::None => String::new(),
            Scope::Of(scope) => scope.to_owned(),
            Scope::ByChannel(what) => format!("channels:{what},groups:{what}"),
        }
    }
}

/// The error for words that this workspace refuses.
fn refused_words<'a>(world: &'a World, method: &str, arguments: &Arguments) -> Option<&'a str> {
    if world.refused_words.is_empty() {
        return None;
    }
    let given = arguments.to_value().to_string();
    let mut refused = world.refused_words.iter();
    let found = refused.find(|(of, words, _)| of == method && given.contains(words.as_str()));
    found.map(|(_, _, error)| error.as_str())
}

fn plural_kind(channel: &Channel) -> &'static str {
    if channel.private {
        "groups"
    } else {
        "channels"
    }
}

fn want_scope(world: &World, scope: &str) -> Result<(), Refusal> {
    if world.scopes.contains(scope) {
        return Ok(());
    }
    let provided: Vec<&str> = world.scopes.iter().map(String::as_str).collect();
    Err(Refusal {
        extra: vec![
            ("needed", json!(scope)),
            ("provided", json!(provided.join(","))),
        ],
        ..Refusal::state("missing_scope")
    })
}

/// A required text argument. `error` is the method's word for its absence.
fn required<'a>(
    arguments: &'a Arguments,
    name: &str,
    error: &'static str,
) -> Result<&'a str, Refusal> {
    arguments
        .text(name)
        .ok_or_else(|| Refusal::explained(error, format!("[ERROR] missing required field: {name}")))
}

/// Whether this has the shape of a message id: seconds, a point, six digits.
fn is_ts(text: &str) -> bool {
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    text.split_once('.').is_some_and(|(seconds, micros)| {
        seconds.len() == 10 && micros.len() == 6 && digits(seconds) && digits(micros)
    })
}
