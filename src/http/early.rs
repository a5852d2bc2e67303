//! Checks that refuse a request before its body is read, so that forged requests use no memory.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::error::AppError;
use crate::slack;

/// Returns why a signature cannot be Twilio's; `None` if it can. Twilio's is the base64 of an HMAC-SHA1, or of an HMAC-SHA256
/// with a shared key.
pub(super) fn not_of_twilio(signature: &str) -> Option<&'static str> {
    let length = STANDARD.decode(signature).map_or(0, |bytes| bytes.len());
    (![20, 32].contains(&length)).then_some("its signature has not the shape of Twilio's")
}

/// Returns why a signature cannot be Slack's at this time; `None` if it can. Slack's is `v0=` and 64 hexadecimal digits, with
/// a timestamp within five minutes of our clock.
pub(super) fn not_of_slack(
    signature: &str,
    timestamp: &str,
    now: Timestamp,
) -> Option<&'static str> {
    let digits = signature.strip_prefix("v0=").unwrap_or_default();
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Some("its signature has not the shape of Slack's");
    }
    let is_recent = slack::signature::is_recent(timestamp, now);
    (!is_recent).then_some("its timestamp is more than five minutes from this machine's clock")
}

/// Checks the `Content-Length`, if there is one; `TooLarge` if it exceeds `limit` bytes.
pub(super) fn announced(headers: &HeaderMap, limit: usize) -> Result<(), AppError> {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if length > limit as u64 => Err(AppError::TooLarge),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_announced_as_too_large_is_not_read() {
        for (length, is_read) in [
            ("100", true),
            ("101", false),
            ("18446744073709551616", true),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_LENGTH, length.parse().unwrap())]);
            assert_eq!(announced(&headers, 100).is_ok(), is_read, "{length}");
        }
        assert!(announced(&HeaderMap::new(), 100).is_ok());
    }

    #[test]
    fn only_what_twilio_can_have_signed_is_read() {
        let (sha1, sha256) = (STANDARD.encode([7; 20]), STANDARD.encode([7; 32]));
        for (signature, is_read) in [
            (sha1.as_str(), true),
            (sha256.as_str(), true),
            ("", false),
            ("forged", false),
            (&sha1[..27], false),
            (&STANDARD.encode([7; 21]), false),
            (&format!(" {sha1}"), false),
        ] {
            assert_eq!(not_of_twilio(signature).is_none(), is_read, "{signature}");
        }
    }

    #[test]
    fn only_what_slack_can_have_signed_now_is_read() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let good = format!("v0={}", "0a".repeat(32));
        for (signature, timestamp, is_read) in [
            (good.as_str(), "1800000000", true),
            (&good, "1799999700", true),
            (&good, "1800000300", true),
            (&good, "1799999699", false),
            (&good, "1800000301", false),
            (&good, "now", false),
            (&good, "", false),
            (&good[..66], "1800000000", false),
            (&good.replace("v0", "v1"), "1800000000", false),
            (&good.replace("0a", "0g"), "1800000000", false),
            ("", "1800000000", false),
        ] {
            let found = not_of_slack(signature, timestamp, now);
            assert_eq!(found.is_none(), is_read, "{signature} at {timestamp}");
        }
    }
}
