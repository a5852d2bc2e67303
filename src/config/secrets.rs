//! Secrets: from the environment under the vendors' own names, from `NAME_FILE`, or all from `SECRETS_FILE`.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secrecy::SecretString;

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

/// Which readers besides its owner a file may have. systemd's own copies are for the service alone, by an access list
/// that shows as the group's right to read. <https://systemd.io/CREDENTIALS/>
fn forbidden_modes(environment: &Environment, file: &Path) -> u32 {
    match environment.value("CREDENTIALS_DIRECTORY") {
        Some(folder) if file.starts_with(folder) => 0o037,
        _ => 0o077,
    }
}

fn read_secret_file(
    environment: &Environment,
    variable: &str,
    path: &str,
    problems: &mut Problems,
) -> Option<String> {
    let file = Path::new(path);
    let mode = match std::fs::metadata(file) {
        Ok(metadata) => metadata.permissions().mode() & 0o7777,
        Err(error) => {
            problems.add(variable, path, format!("the file cannot be read ({error})"));
            return None;
        }
    };
    if mode & forbidden_modes(environment, file) != 0 {
        problems.add(
            variable,
            path,
            format!("others can read it (mode {mode:04o}); run: chmod 600 {path}"),
        );
        return None;
    }
    match std::fs::read_to_string(file) {
        Ok(text) => Some(text),
        Err(error) => {
            problems.add(variable, path, format!("the file cannot be read ({error})"));
            None
        }
    }
}

/// `NAME=value` lines, with `#` comments, an optional `export` and optional quotes; `None` if the file was refused.
fn read_env_file(
    environment: &Environment,
    path: &str,
    problems: &mut Problems,
) -> Option<HashMap<String, String>> {
    let text = read_secret_file(environment, "SECRETS_FILE", path, problems)?;
    let mut values = HashMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.strip_prefix("export ").unwrap_or(line).split_once('=')
        else {
            problems.add(
                "SECRETS_FILE",
                path,
                format!("line {} is not NAME=value", index + 1),
            );
            continue;
        };
        let value = value.trim();
        let unquoted = ['"', '\'']
            .iter()
            .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
            .unwrap_or(value);
        values.insert(name.trim().to_owned(), unquoted.to_owned());
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    const SIGNING: &str = "fedcba9876543210fedcba9876543210";

    fn complete() -> [(&'static str, &'static str); 6] {
        [
            ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000000"),
            ("TWILIO_AUTH_TOKEN", TOKEN),
            ("TWILIO_API_KEY", "SK00000000000000000000000000000000"),
            ("TWILIO_API_SECRET", "a-secret-that-is-long"),
            ("SLACK_BOT_TOKEN", "xoxb-a-test-token"),
            ("SLACK_SIGNING_SECRET", SIGNING),
        ]
    }

    fn file(content: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn every_missing_secret_is_named_at_once_with_where_it_is_found() {
        let ConfigError(problems) = Secrets::load(&Environment::default()).unwrap_err();
        let named: Vec<_> = problems
            .iter()
            .map(|problem| problem.key.as_str())
            .collect();
        assert_eq!(named, REQUIRED.map(|(name, _, _)| name));
        assert!(
            problems
                .iter()
                .all(|problem| problem.remedy.contains("SECRETS_FILE"))
        );
    }

    #[test]
    fn an_empty_value_counts_as_unset() {
        let mut pairs = complete();
        pairs[1].1 = "";
        let ConfigError(problems) = Secrets::load(&Environment::of(pairs)).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].key, "TWILIO_AUTH_TOKEN");
    }

    #[test]
    fn a_secret_of_the_wrong_kind_is_refused_without_being_shown() {
        for (index, wrong, expected) in [
            (0, "SK11111111111111111111111111111111", "AC and 32"),
            (0, "AC1111", "AC and 32"),
            (2, "AC11111111111111111111111111111111", "SK and 32"),
            (4, "xoxp-1111", "begin with xoxb-"),
            (4, "xoxb-", "begin with xoxb-"),
            (3, "x", "32 letters and digits"),
            (1, "1111", "32 hexadecimal digits"),
            (
                1,
                "1111111111111111111111111111111g",
                "32 hexadecimal digits",
            ),
            (
                1,
                "111111111111111111111111111111111",
                "32 hexadecimal digits",
            ),
            (5, "1", "32 letters and digits"),
            (
                5,
                "1111 11111111111111111111111111111",
                "32 letters and digits",
            ),
        ] {
            let mut pairs = complete();
            pairs[index].1 = wrong;
            let ConfigError(problems) = Secrets::load(&Environment::of(pairs)).unwrap_err();
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert_eq!(problems[0].key, pairs[index].0);
            let error = ConfigError(problems).to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("1111"), "{error}");
        }
    }

    #[test]
    fn an_older_secret_of_the_wrong_kind_is_refused_too() {
        for name in [
            "TWILIO_AUTH_TOKEN_PREVIOUS",
            "SLACK_SIGNING_SECRET_PREVIOUS",
        ] {
            let [a, b, c, d, e, f] = complete();
            let pairs = [a, b, c, d, e, f, (name, "1111")];
            let ConfigError(problems) = Secrets::load(&Environment::of(pairs)).unwrap_err();
            assert_eq!((problems.len(), problems[0].key.as_str()), (1, name));
            assert!(!ConfigError(problems).to_string().contains("1111"));
        }
    }

    #[test]
    fn secrets_come_from_one_file_or_from_a_file_each() {
        let all = file(
            "# the desk\nexport TWILIO_ACCOUNT_SID=AC00000000000000000000000000000000\nTWILIO_AUTH_TOKEN='0123456789abcdef0123456789abcdef'\n\
             TWILIO_API_KEY=SK00000000000000000000000000000000\n\nTWILIO_API_SECRET=\"a=secret-of-16-or-more\"\nSLACK_BOT_TOKEN=xoxb-0000000000\n\
             SLACK_SIGNING_SECRET=\n",
            0o600,
        );
        let signing = file("fedcba9876543210fedcba9876543210\n", 0o400);
        let secrets = Secrets::load(&Environment::of([
            ("SECRETS_FILE", all.path().to_str().unwrap()),
            (
                "SLACK_SIGNING_SECRET_FILE",
                signing.path().to_str().unwrap(),
            ),
        ]))
        .unwrap();
        assert_eq!(secrets.auth_token.expose_secret(), TOKEN);
        assert_eq!(secrets.api_secret.expose_secret(), "a=secret-of-16-or-more");
        assert_eq!(secrets.signing_secret.expose_secret(), SIGNING);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_chmod_that_mends_it() {
        for mode in [0o640, 0o604, 0o660, 0o644] {
            let open = file("TWILIO_AUTH_TOKEN=leaked\n", mode);
            let path = open.path().to_str().unwrap();
            let refused = Secrets::load(&Environment::of([("SECRETS_FILE", path)])).unwrap_err();
            assert_eq!(
                refused.0.len(),
                1,
                "what it holds is not missing: {refused}"
            );
            let error = refused.to_string();
            assert!(error.contains(&format!("chmod 600 {path}")), "{error}");
            assert!(!error.contains("leaked"), "{error}");

            let own = file("leaked\n", mode);
            let path = own.path().to_str().unwrap();
            let pairs = complete().map(|(name, value)| match name {
                "TWILIO_AUTH_TOKEN" => ("TWILIO_AUTH_TOKEN_FILE", path),
                _ => (name, value),
            });
            let error = Secrets::load(&Environment::of(pairs))
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("TWILIO_AUTH_TOKEN_FILE")
                    && error.contains(&format!("chmod 600 {path}")),
                "{error}"
            );
        }
        for mode in [0o600, 0o400] {
            let closed = file(&format!("{TOKEN}\n"), mode);
            let pairs = complete().map(|(name, value)| match name {
                "TWILIO_AUTH_TOKEN" => ("TWILIO_AUTH_TOKEN_FILE", closed.path().to_str().unwrap()),
                _ => (name, value),
            });
            assert!(Secrets::load(&Environment::of(pairs)).is_ok(), "{mode:o}");
        }
    }

    #[test]
    fn secrets_never_show_in_debug_output() {
        let shown = format!("{:?}", Secrets::load(&Environment::of(complete())).unwrap());
        for secret in [TOKEN, "a-secret-that-is-long", "xoxb-a-test-token", SIGNING] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
