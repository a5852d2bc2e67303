//! Secrets: from the environment under the vendors' own names, from `NAME_FILE`, or all from `SECRETS_FILE`.

mod files;

use std::collections::HashMap;

use secrecy::SecretString;

use files::{read_env_file, read_secret_file};

use super::webhook_keys::{self, WebhookKey};
use super::{ConfigError, Environment, Problems};

/// What the service signs in with and checks signatures by.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// `AC…`; no secret in itself, but it belongs to them.
    pub account_sid: String,
    /// What Twilio signs its webhooks with.
    pub auth_token: SecretString,
    /// The one before, accepted while it is being replaced.
    pub auth_token_previous: Option<SecretString>,
    /// `SK…`, the user name of requests to Twilio.
    pub api_key: String,
    /// Its password.
    pub api_secret: SecretString,
    /// `xoxb-…`.
    pub bot_token: SecretString,
    /// What Slack signs its requests with.
    pub signing_secret: SecretString,
    /// The one before, accepted while it is being replaced.
    pub signing_secret_previous: Option<SecretString>,
    /// The shared keys that Twilio's Webhook Rules name; none without such rules.
    pub webhook_keys: Vec<WebhookKey>,
}

/// How a secret looks from outside: enough to notice that one was put in another's place.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// These two letters and 32 more characters.
    Sid(&'static str),
    /// It begins like this and goes on for at least ten characters.
    Prefix(&'static str),
    /// 32 hexadecimal digits.
    Hex32,
    /// At least 32 letters and digits.
    Long,
    /// At least 16 characters without a space.
    Word,
}

impl Shape {
    fn fits(self, value: &str) -> bool {
        match self {
            Shape::Sid(prefix) => {
                value.len() == 34
                    && value.starts_with(prefix)
                    && value.bytes().all(|byte| byte.is_ascii_alphanumeric())
            }
            Shape::Prefix(prefix) => value.starts_with(prefix) && value.len() >= prefix.len() + 10,
            Shape::Hex32 => value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit()),
            Shape::Long => {
                value.len() >= 32 && value.bytes().all(|byte| byte.is_ascii_alphanumeric())
            }
            Shape::Word => value.len() >= 16 && !value.contains(char::is_whitespace),
        }
    }

    fn remedy(self) -> String {
        match self {
            Shape::Sid(prefix) => format!("it must be {prefix} and 32 letters and digits"),
            Shape::Prefix(prefix) => format!("it must begin with {prefix} and go on"),
            Shape::Hex32 => "it must be 32 hexadecimal digits".to_owned(),
            Shape::Long => "it must be 32 letters and digits".to_owned(),
            Shape::Word => "it must be 32 letters and digits".to_owned(),
        }
    }
}

/// Each secret: its name, its shape, where it is found.
const REQUIRED: [(&str, Shape, &str); 6] = [
    (
        "TWILIO_ACCOUNT_SID",
        Shape::Sid("AC"),
        "the Account SID on the first page of Twilio's console",
    ),
    (
        "TWILIO_AUTH_TOKEN",
        Shape::Hex32,
        "the Auth Token on the first page of Twilio's console; Twilio signs its requests with it",
    ),
    (
        "TWILIO_API_KEY",
        Shape::Sid("SK"),
        "the SID of an API key, made under Account > API keys & tokens",
    ),
    (
        "TWILIO_API_SECRET",
        Shape::Word,
        "the secret that Twilio showed once when the API key was made",
    ),
    (
        "SLACK_BOT_TOKEN",
        Shape::Prefix("xoxb-"),
        "the Bot User OAuth Token under OAuth & Permissions of the Slack app",
    ),
    (
        "SLACK_SIGNING_SECRET",
        Shape::Long,
        "the Signing Secret under Basic Information of the Slack app",
    ),
];

/// The shared keys of Twilio's Webhook Rules, each as `ID:SECRET`.
const WEBHOOK_KEYS: &str = "TWILIO_WEBHOOK_KEYS";

impl Secrets {
    /// Reads every secret, or says of each missing one where it is found.
    pub fn load(environment: &Environment) -> Result<Secrets, ConfigError> {
        let mut problems = Problems::default();
        let from_file = match environment.value("SECRETS_FILE") {
            Some(path) => read_env_file(environment, path, &mut problems),
            None => Some(HashMap::new()),
        };
        let mut sources = Sources {
            environment,
            from_file,
            problems,
        };
        let mut required = REQUIRED
            .iter()
            .map(|(name, shape, found)| sources.required(name, *shape, found));
        let mut next = || required.next().unwrap_or_default();
        let (account_sid, auth_token, api_key, api_secret, bot_token, signing_secret) =
            (next(), next(), next(), next(), next(), next());
        drop(required);
        let auth_token_previous = sources.shaped("TWILIO_AUTH_TOKEN_PREVIOUS", Shape::Hex32);
        let signing_secret_previous = sources.shaped("SLACK_SIGNING_SECRET_PREVIOUS", Shape::Long);
        let webhook_keys = sources.webhook_keys();
        sources.problems.or(Secrets {
            account_sid,
            auth_token: auth_token.into(),
            auth_token_previous: auth_token_previous.map(SecretString::from),
            api_key,
            api_secret: api_secret.into(),
            bot_token: bot_token.into(),
            signing_secret: signing_secret.into(),
            signing_secret_previous: signing_secret_previous.map(SecretString::from),
            webhook_keys,
        })
    }
}

impl Secrets {
    /// The files that secrets are read from.
    pub(crate) fn files(environment: &Environment) -> Vec<String> {
        let optional = [
            "TWILIO_AUTH_TOKEN_PREVIOUS",
            "SLACK_SIGNING_SECRET_PREVIOUS",
            WEBHOOK_KEYS,
        ];
        let names = REQUIRED.iter().map(|(name, ..)| *name).chain(optional);
        let variables = names.map(|name| format!("{name}_FILE"));
        std::iter::once("SECRETS_FILE".to_owned())
            .chain(variables)
            .filter_map(|variable| environment.value(&variable).map(str::to_owned))
            .collect()
    }
}

struct Sources<'a> {
    environment: &'a Environment,
    /// What stands in SECRETS_FILE; `None` if it was refused, which is then the only thing to report.
    from_file: Option<HashMap<String, String>>,
    problems: Problems,
}

impl Sources<'_> {
    fn optional(&mut self, name: &str) -> Option<String> {
        if let Some(value) = self.environment.value(name) {
            return Some(value.to_owned());
        }
        let variable = format!("{name}_FILE");
        if let Some(path) = self.environment.value(&variable) {
            return read_secret_file(self.environment, &variable, path, &mut self.problems)
                .map(|text| text.trim().to_owned())
                .filter(|value| !value.is_empty());
        }
        self.from_file
            .as_ref()?
            .get(name)
            .cloned()
            .filter(|value| !value.is_empty())
    }

    /// A secret that need not be set.
    fn shaped(&mut self, name: &str, shape: Shape) -> Option<String> {
        let value = self.optional(name)?;
        if !shape.fits(&value) {
            self.problems.add(name, "(not shown)", shape.remedy());
        }
        Some(value)
    }

    fn webhook_keys(&mut self) -> Vec<WebhookKey> {
        let written = self.optional(WEBHOOK_KEYS).unwrap_or_default();
        webhook_keys::parse(&written).unwrap_or_else(|remedy| {
            self.problems.add(WEBHOOK_KEYS, "(not shown)", remedy);
            Vec::new()
        })
    }

    fn required(&mut self, name: &str, shape: Shape, found: &str) -> String {
        let before = self.problems.0.len();
        let Some(value) = self.optional(name) else {
            let is_explained = self.problems.0.len() > before || self.from_file.is_none();
            if !is_explained {
                self.problems.add(name, "", format!("it is not set. It is {found}. Set it in the environment, as {name}_FILE=path, or in the file that SECRETS_FILE names"));
            }
            return String::new();
        };
        if !shape.fits(&value) {
            let remedy = format!("{}: it is {found}", shape.remedy());
            self.problems.add(name, "(not shown)", remedy);
        }
        value
    }
}

#[cfg(test)]
mod tests;
