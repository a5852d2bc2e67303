//! Parses the shared keys with which Twilio signs webhooks if a Webhook Rule names one.
//! <https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys>

use secrecy::SecretString;

/// The shortest accepted secret, in characters.
const SHORTEST: usize = 16;

/// The remedy for keys that cannot be parsed.
const REMEDY: &str = "it must be ID:SECRET, with a comma between several; the ID is the shared key's, and SECRET what Twilio showed once when the key was made";

/// A shared key of a Webhook Rule.
#[derive(Debug, Clone)]
pub struct WebhookKey {
    /// The key's ID at Twilio.
    pub id: String,
    /// The secret that signs.
    pub secret: SecretString,
}

/// Parses `ID:SECRET` pairs, separated by commas or, in a file, by newlines. The error is the remedy.
pub(super) fn parse(written: &str) -> Result<Vec<WebhookKey>, &'static str> {
    let parts = written.split([',', '\n']).map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(|part| one(part).ok_or(REMEDY))
        .collect()
}

fn one(written: &str) -> Option<WebhookKey> {
    let (id, secret) = written.split_once(':')?;
    let (id, secret) = (id.trim(), secret.trim());
    let is_id = !id.is_empty()
        && id
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'=');
    let is_secret = secret.len() >= SHORTEST && secret.bytes().all(|byte| byte.is_ascii_graphic());
    (is_id && is_secret).then(|| WebhookKey {
        id: id.to_owned(),
        secret: secret.into(),
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn keys_are_read_and_misshapen_ones_refused() {
        let read = |written: &str| -> Result<Vec<(String, String)>, &'static str> {
            let pair = |key: &WebhookKey| (key.id.clone(), key.secret.expose_secret().to_owned());
            parse(written).map(|keys| keys.iter().map(pair).collect())
        };
        let pair = |id: &str, secret: &str| (id.to_owned(), secret.to_owned());
        let (a, b) = (
            pair("K1", "secret-of-16-long"),
            pair("K2", "another:of/16+long=="),
        );
        assert_eq!(read(""), Ok(vec![]));
        assert_eq!(read("K1:secret-of-16-long"), Ok(vec![a.clone()]));
        assert_eq!(
            read(" K1:secret-of-16-long , K2:another:of/16+long==,\n"),
            Ok(vec![a, b])
        );
        for wrong in [
            "secret-of-16-long",
            "K1:",
            ":secret-of-16-long",
            "K1:short",
            "K=1:secret-of-16-long",
            "K1:secret of 16 long",
            "K1:secret-of-16-long,K2",
        ] {
            assert_eq!(read(wrong), Err(REMEDY), "{wrong}");
        }
    }
}
