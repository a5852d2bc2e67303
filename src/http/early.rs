//! What is refused before its body is read: nobody's memory is spent on a request that cannot be genuine.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::error::AppError;
use crate::seldom::Seldom;
use crate::slack;

static TOLD: Seldom = Seldom::a_minute();

/// Twilio's signature is the base64 of an HMAC with SHA-1, or with SHA-256 where a shared key signs.
pub(super) fn twilio(signature: &str, headers: &HeaderMap, limit: usize) -> Result<(), AppError> {
    let length = STANDARD.decode(signature).map_or(0, |bytes| bytes.len());
    if ![20, 32].contains(&length) {
        return Err(refused("twilio", "its signature is none of Twilio's"));
    }
    announced(headers, limit)
}

/// Slack's signature is `v0=` and 64 hexadecimal digits, and its timestamp is near our clock.
pub(super) fn slack(
    signature: &str,
    timestamp: &str,
    headers: &HeaderMap,
    limit: usize,
    now: Timestamp,
) -> Result<(), AppError> {
    let digits = signature.strip_prefix("v0=").unwrap_or_default();
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(refused("slack", "its signature is none of Slack's"));
    }
    if !slack::signature::is_recent(timestamp, now) {
        return Err(refused(
            "slack",
            "its timestamp is more than five minutes from this machine's clock",
        ));
    }
    announced(headers, limit)
}

/// A body that is announced as larger than anything genuine is not waited for.
fn announced(headers: &HeaderMap, limit: usize) -> Result<(), AppError> {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if length > limit as u64 => Err(AppError::TooLarge),
        _ => Ok(()),
    }
}

fn refused(vendor: &'static str, why: &'static str) -> AppError {
    metrics::counter!("qdn_signatures_refused_total", "vendor" => vendor).increment(1);
    if let Some(times) = TOLD.now() {
        tracing::warn!(
            vendor,
            why,
            times,
            "a request was refused before its body was read"
        );
    }
    AppError::Forbidden
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcing(length: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_LENGTH, length.parse().unwrap())])
    }

    #[test]
    fn only_what_twilio_can_have_signed_is_read() {
        let (sha1, sha256) = (STANDARD.encode([7; 20]), STANDARD.encode([7; 32]));
        for (signature, length, status) in [
            (sha1.as_str(), "100", "ok"),
            (sha256.as_str(), "100", "ok"),
            (&sha1, "101", "TooLarge"),
            (&sha1, "18446744073709551616", "ok"),
            ("", "10", "Forbidden"),
            ("forged", "10", "Forbidden"),
            (&sha1[..27], "10", "Forbidden"),
            (&STANDARD.encode([7; 21]), "10", "Forbidden"),
            (&format!(" {sha1}"), "10", "Forbidden"),
            ("forged", "101", "Forbidden"),
        ] {
            let found = match twilio(signature, &announcing(length), 100) {
                Ok(()) => "ok".to_owned(),
                Err(error) => format!("{error:?}"),
            };
            assert_eq!(found, status, "{signature} of {length}");
        }
    }

    #[test]
    fn only_what_slack_can_have_signed_now_is_read() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let good = format!("v0={}", "0a".repeat(32));
        for (signature, timestamp, length, status) in [
            (good.as_str(), "1800000000", "100", "ok"),
            (&good, "1799999700", "100", "ok"),
            (&good, "1800000300", "100", "ok"),
            (&good, "1800000000", "101", "TooLarge"),
            (&good, "1799999699", "1", "Forbidden"),
            (&good, "1800000301", "1", "Forbidden"),
            (&good, "now", "1", "Forbidden"),
            (&good, "", "1", "Forbidden"),
            (&good[..66], "1800000000", "1", "Forbidden"),
            (&good.replace("v0", "v1"), "1800000000", "1", "Forbidden"),
            (&good.replace("0a", "0g"), "1800000000", "1", "Forbidden"),
            ("", "1800000000", "1", "Forbidden"),
        ] {
            let found = match slack(signature, timestamp, &announcing(length), 100, now) {
                Ok(()) => "ok".to_owned(),
                Err(error) => format!("{error:?}"),
            };
            assert_eq!(found, status, "{signature} at {timestamp}");
        }
    }
}
