//! `X-Slack-Signature`, version 0: HMAC-SHA256 over `v0:{timestamp}:{body}`, in lower-case hex.
//!
//! <https://docs.slack.dev/authentication/verifying-requests-from-slack>

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The signature of a body that is sent at `timestamp`, in seconds since the Unix epoch.
pub fn sign(signing_secret: &str, timestamp: &str, body: &[u8]) -> String {
    let base = [format!("v0:{timestamp}:").as_bytes(), body].concat();
    let mac = Hmac::<Sha256>::new_from_slice(signing_secret.as_bytes());
    let mac = mac.expect("HMAC takes keys of any length");
    let digest = mac.chain_update(base).finalize().into_bytes();
    format!("v0={}", hex::encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of Slack's documentation.
    #[test]
    fn the_documented_request_has_the_documented_signature() {
        let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
                    &channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=\
                    &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F\
                    96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let signature = sign(
            "8f742231b10e8888abcd99yyyzzz85a5",
            "1531420618",
            body.as_bytes(),
        );
        let documented = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
        assert_eq!(signature, documented);
    }
}
