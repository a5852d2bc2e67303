//! Parses the header that names the key and the algorithm of a request's signature. Twilio sends it if a Webhook Rule of
//! the account names a shared key; without it, the signature uses the auth token and HMAC-SHA1.
//! <https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys>

/// The header's name; its value has the form `key=<id>,algorithm=HMAC_SHA256`.
pub const HEADER: &str = "x-twilio-webhooks-signature-settings";

/// The only algorithm that we accept with a shared key, so that a request cannot choose a weaker one.
pub const ALGORITHM: &str = "HMAC_SHA256";

/// Returns the key id of the header's value; `None` unless it names one key and, once, [`ALGORITHM`].
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
