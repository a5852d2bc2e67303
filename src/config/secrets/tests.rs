use std::os::unix::fs::PermissionsExt;

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
