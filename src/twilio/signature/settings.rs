//! With which key and algorithm a request was signed, as it says itself. It says so where one of the account's Webhook
//! Rules names a shared key; without it the auth token and HMAC-SHA1 hold.
//! <https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys>

/// The header that says it: `key=<id>,algorithm=HMAC_SHA256`.
pub const HEADER: &str = "x-twilio-webhooks-signature-settings";

/// The one algorithm that a shared key is used with here. What a request claims never lowers that.
pub const ALGORITHM: &str = "HMAC_SHA256";

/// The id of the key that the request says it was signed with, if it says the algorithm that we demand, and both once.
pub fn key(header: &str) -> Option<&str> {
    let named = |wanted: &str| {
        let mut found = header.split(',').filter_map(|part| {
            let (name, value) = part.split_once('=')?;
            (name.trim() == wanted).then(|| value.trim())
        });
        found.next().filter(|_| found.next().is_none())
    };
    let key = named("key").filter(|key| !key.is_empty())?;
    (named("algorithm") == Some(ALGORITHM)).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_algorithm_with_one_key_counts() {
        for (header, expected) in [
            ("key=K1,algorithm=HMAC_SHA256", Some("K1")),
            ("algorithm=HMAC_SHA256, key=K1", Some("K1")),
            ("key=K1,algorithm=HMAC_SHA256,version=2", Some("K1")),
            ("key=K1,algorithm=HMAC_SHA1", None),
            ("key=K1,algorithm=hmac_sha256", None),
            ("key=K1,algorithm=none", None),
            ("key=K1,algorithm=", None),
            ("key=K1", None),
            ("algorithm=HMAC_SHA256", None),
            ("key=,algorithm=HMAC_SHA256", None),
            ("key=K1,key=K2,algorithm=HMAC_SHA256", None),
            ("key=K1,algorithm=HMAC_SHA256,algorithm=HMAC_SHA1", None),
            ("K1", None),
            ("", None),
        ] {
            assert_eq!(key(header), expected, "{header}");
        }
    }
}
