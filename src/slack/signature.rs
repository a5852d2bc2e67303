//! Computes and verifies `X-Slack-Signature`, which Slack sends with every event, command and interaction.
//!
//! The signature is an HMAC-SHA256 over `v0:`, the timestamp header, `:` and the raw body, keyed with the characters of the
//! signing secret (<https://docs.slack.dev/authentication/verifying-requests-from-slack>).

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

/// The largest difference between the timestamp and our clock, either way, in seconds. Slack recommends it against replays.
const TOLERANCE: u64 = 300;

/// Returns the `X-Slack-Signature` of a body sent at `timestamp` (seconds since the Unix epoch, as in the header).
pub fn sign(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let digest = mac(secret, timestamp, body).finalize().into_bytes();
    format!("v0={}", hex::encode(digest))
}

/// Whether `signature` is valid for this body and `timestamp` is within 300 s of `now`. Compares in constant time.
pub fn is_valid(
    secret: &str,
    timestamp: &str,
    body: &[u8],
    signature: &str,
    now: Timestamp,
) -> bool {
    if !is_recent(timestamp, now) {
        return false;
    }
    let Some(digest) = signature
        .strip_prefix("v0=")
        .and_then(|hex| hex::decode(hex).ok())
    else {
        return false;
    };
    mac(secret, timestamp, body).verify_slice(&digest).is_ok()
}

/// Whether `timestamp` is a number of seconds within 300 s of `now`.
pub fn is_recent(timestamp: &str, now: Timestamp) -> bool {
    // `parse` alone would also accept "+1531420618", which Slack never sends.
    if timestamp.is_empty() || !timestamp.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let sent_at = timestamp.parse::<i64>();
    sent_at.is_ok_and(|sent_at| now.as_second().abs_diff(sent_at) <= TOLERANCE)
}

fn mac(secret: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(b"v0:");
    mac.update(timestamp.as_bytes());
    mac.update(b":");
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;
    use sha2::Digest;

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        secret: String,
        timestamp: String,
        body: String,
        signature: String,
        now: i64,
        valid: bool,
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_vendors_vectors_hold() {
        let vectors: Vec<Vector> =
            serde_json::from_str(include_str!("../../tests/fixtures/slack_signatures.json"))
                .unwrap();
        assert!(vectors.len() >= 3);
        for v in vectors {
            let valid = is_valid(
                &v.secret,
                &v.timestamp,
                v.body.as_bytes(),
                &v.signature,
                at(v.now),
            );
            assert_eq!(valid, v.valid, "{}", v.name);
        }
    }

    #[test]
    fn a_header_of_another_shape_is_refused() {
        let now = at(1_531_420_618);
        let good = sign("secret", "1531420618", b"body");
        assert!(is_valid("secret", "1531420618", b"body", &good, now));
        for bad in [
            "",
            "v0=",
            "v0=00",
            &good[3..],
            &good[..good.len() - 2],
            &good.replace("v0", "v1"),
            "v0=zz",
        ] {
            assert!(
                !is_valid("secret", "1531420618", b"body", bad, now),
                "{bad}"
            );
        }
        for timestamp in [
            "",
            "+1531420618",
            "-1531420618",
            " 1531420618",
            "1531420618.0",
            "99999999999999999999",
            "soon",
        ] {
            let signature = sign("secret", timestamp, b"body");
            assert!(
                !is_valid("secret", timestamp, b"body", &signature, now),
                "{timestamp}"
            );
        }
    }

    /// HMAC written out from its definition (RFC 2104), to compare the library with.
    fn by_hand(secret: &[u8], message: &[u8]) -> Vec<u8> {
        let mut key = if secret.len() > 64 {
            Sha256::digest(secret).to_vec()
        } else {
            secret.to_vec()
        };
        key.resize(64, 0);
        let pad = |with: u8| key.iter().map(|b| b ^ with).collect::<Vec<u8>>();
        let inner = Sha256::digest([pad(0x36), message.to_vec()].concat());
        Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
    }

    proptest! {
        #[test]
        fn it_agrees_with_hmac_by_hand(
            secret in "[ -~é]{0,80}",
            second in 0i64..4_000_000_000,
            drift in -300i64..=300,
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let timestamp = second.to_string();
            let message = [format!("v0:{second}:").into_bytes(), body.clone()].concat();
            let expected: String = by_hand(secret.as_bytes(), &message)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let signature = sign(&secret, &timestamp, &body);
            prop_assert_eq!(&signature, &format!("v0={expected}"));
            prop_assert!(is_valid(&secret, &timestamp, &body, &signature, at(second + drift)));
            prop_assert!(!is_valid(&secret, &timestamp, &body, &signature, at(second + 301)));
            prop_assert!(!is_valid(&secret, &timestamp, &body, &signature, at(second - 301)));
        }

        #[test]
        fn any_changed_byte_is_noticed(body in proptest::collection::vec(any::<u8>(), 1..100), at_byte: prop::sample::Index) {
            let signature = sign("secret", "1531420618", &body);
            let mut changed = body.clone();
            changed[at_byte.index(body.len())] ^= 1;
            prop_assert!(!is_valid("secret", "1531420618", &changed, &signature, at(1_531_420_618)));
        }
    }
}
