//! `X-Twilio-Signature`: a keyed hash over the URL and the form's parameters, in base64.
//!
//! <https://www.twilio.com/docs/usage/security#validating-requests>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

/// The signature with the account's auth token: HMAC-SHA1.
pub fn sign(auth_token: &str, url: &str, params: &[(String, String)]) -> String {
    let mac = Hmac::<Sha1>::new_from_slice(auth_token.as_bytes());
    let mac = mac.expect("HMAC takes keys of any length");
    let signed = mac.chain_update(signed_text(url, params));
    STANDARD.encode(signed.finalize().into_bytes())
}

/// The signature with a shared key, which a Webhook Rule names: HMAC-SHA256.
/// <https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys>
pub fn sign_with_shared_key(secret: &str, url: &str, params: &[(String, String)]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    let mac = mac.expect("HMAC takes keys of any length");
    let signed = mac.chain_update(signed_text(url, params));
    STANDARD.encode(signed.finalize().into_bytes())
}

/// The signed text: the full URL, then every parameter's name and value in the order of the names, without separators.
fn signed_text(url: &str, params: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = params.iter().collect();
    sorted.sort();
    // Twilio's Python and Node libraries take a repeated parameter's values as a set.
    sorted.dedup();
    let pairs = sorted.into_iter().map(|(name, value)| name.clone() + value);
    url.to_owned() + &pairs.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The call of Twilio's own libraries' tests, with another number in it; hashes by Python's `hmac`.
    fn call() -> Vec<(String, String)> {
        let params = [
            ("To", "+18005550112"),
            ("From", "+16195550142"),
            ("Digits", "1234"),
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+16195550142"),
        ];
        params
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";

    #[test]
    fn a_form_is_signed_with_its_parameters_in_order() {
        assert_eq!(sign("12345", URL, &call()), "aioHQJwhJ+igF/g9kSe4wXlaHNQ=");
        assert_eq!(
            sign_with_shared_key("shared-key-secret-12345", URL, &call()),
            "992Gh3+bbY1NuIEL1ZV61BxwNDDwl2HdPvEZo0+K6k0="
        );
    }

    #[test]
    fn a_get_is_signed_by_its_url_alone() {
        assert_eq!(sign("12345", URL, &[]), "zYQTYrRWXE7LtzbG4PfP7/bkkGo=");
    }

    #[test]
    fn a_parameter_sent_twice_counts_once() {
        let mut twice = call();
        twice.extend(call());
        assert_eq!(sign("12345", URL, &twice), sign("12345", URL, &call()));
    }
}
