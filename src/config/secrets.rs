//! Loads the secrets: from environment variables with the vendors' names, from the files in `NAME_FILE`, or all from
//! `SECRETS_FILE`.

mod files;

use std::collections::HashMap;

use secrecy::SecretString;

use files::{read_env_file, read_secret_file};

use super::webhook_keys::{self, WebhookKey};
use super::{ConfigError, Environment, Problems};

/// The credentials for Twilio and Slack, and the secrets that verify their signatures.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// The account's SID, `AC…`. It is not secret, but belongs to the credentials.
    pub account_sid: String,
    /// The auth token, with which Twilio signs webhooks.
    pub auth_token: SecretString,
    /// The previous secret, accepted during a rotation.
    pub auth_token_previous: Option<SecretString>,
    /// The SID of the API key, `SK…`: the user name of requests to Twilio.
    pub api_key: String,
    /// The secret of the API key: the password of requests to Twilio.
    pub api_secret: SecretString,
    /// Slack's bot token, `xoxb-…`.
    pub bot_token: SecretString,
    /// The signing secret, with which Slack signs its requests.
    pub signing_secret: SecretString,
    /// The previous secret, accepted during a rotation.
    pub signing_secret_previous: Option<SecretString>,
    /// The shared keys of Twilio's Webhook Rules; empty without such rules.
    pub webhook_keys: Vec<WebhookKey>,
}

/// The format of a secret, checked to detect a secret in another's variable.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// This prefix of two letters and 32 letters or digits.
    Sid(&'static str),
    /// This prefix and at least ten more characters.
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

/// The required secrets: name, format, and where to find them.
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

/// The variable with the shared keys of Twilio's Webhook Rules, as `ID:SECRET`.
const WEBHOOK_KEYS: &str = "TWILIO_WEBHOOK_KEYS";

impl Secrets {
    /// Loads all secrets. The error lists every missing or malformed one with where to find it.
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
        // In the order of REQUIRED, so that all missing secrets are reported at once.
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
    /// Returns the paths of the files that secrets are read from.
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
    /// The contents of SECRETS_FILE. `None` if the file was refused; then the missing secrets are not reported in addition.
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

    /// Returns an optional secret and checks its format.
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
