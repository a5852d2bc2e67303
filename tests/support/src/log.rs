//! Checks what the log may not contain.

use serde_json::Value;

use super::{ALICE, BACKUP_PHONE, BOB, LINE, SERGIO_PHONE};

/// The credentials of the stand-ins, as they would look in a log.
const SECRETS: [&str; 4] = [
    qdn_sandbox::twilio::AUTH_TOKEN,
    "not-a-real-api-secret",
    "xoxb-not-a-real-token",
    qdn_sandbox::slack::SIGNING_SECRET,
];

/// Fails on an unexpected error, a secret, a full number or the words of a text.
pub(crate) fn check(log: &[String], expected_errors: &[String], said: &[String]) {
    for line in log {
        let parsed: Value = serde_json::from_str(line)
            .unwrap_or_else(|_| panic!("not a JSON line in the log: {line}"));
        let is_expected = expected_errors.iter().any(|words| line.contains(words));
        assert!(
            parsed["level"] != "ERROR" || is_expected,
            "an unexpected error in the log: {line}"
        );
        for number in [LINE, ALICE, BOB, SERGIO_PHONE, BACKUP_PHONE] {
            assert!(
                !line.contains(number.trim_start_matches('+')),
                "a full number in the log: {line}"
            );
        }
        for secret in SECRETS {
            assert!(!line.contains(secret), "a secret in the log: {line}");
        }
        for words in said {
            assert!(
                !line.contains(words.as_str()),
                "the words of a text in the log: {line}"
            );
        }
    }
}
