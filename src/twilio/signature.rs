//! Computes and verifies `X-Twilio-Signature`, which proves that Twilio made a request and that nobody changed it.
//!
//! The signature is the base64 of an HMAC-SHA1 keyed with the account's auth token (or an HMAC-SHA256 keyed with a shared
//! key, see [`settings`]). It covers the URL as configured at Twilio, followed by the name and value of each form parameter,
//! sorted by name, without separators. <https://www.twilio.com/docs/usage/security#validating-requests>

pub mod settings;

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Returns the signature of a request to `url` (with its query, as configured at Twilio) with these form parameters.
pub fn sign(auth_token: &str, url: &str, params: &[(String, String)]) -> String {
    STANDARD.encode(sha1(auth_token, &signed(url, params)))
}

/// Whether `signature` is valid for this request and the auth token. Compares in constant time.
///
/// `params` are the parameters of a form body, and empty for any other body. Such a body must match the hash that Twilio
/// puts into the query as `bodySHA256`; a body that neither covers is not valid.
pub fn is_valid(
    auth_token: &str,
    url: &str,
    params: &[(String, String)],
    body: &[u8],
    signature: &str,
) -> bool {
    covers(url, params, body) && fits(|text| sha1(auth_token, text), url, params, signature)
}

/// Whether `signature` is valid for this request and the shared key; see [`is_valid`].
pub fn is_valid_with_shared_key(
    secret: &str,
    url: &str,
    params: &[(String, String)],
    body: &[u8],
    signature: &str,
) -> bool {
    covers(url, params, body) && fits(|text| sha256(secret, text), url, params, signature)
}

/// Whether the signature covers the body: as form parameters or as a hash in the query.
fn covers(url: &str, params: &[(String, String)], body: &[u8]) -> bool {
    !params.is_empty() || body.is_empty() || is_hash_in_query(url, body)
}

fn fits(
    mac: impl Fn(&[u8]) -> Vec<u8>,
    url: &str,
    params: &[(String, String)],
    signature: &str,
) -> bool {
    let Ok(signature) = STANDARD.decode(signature) else {
        return false;
    };
    signed_forms(url)
        .iter()
        .any(|url| mac(&signed(url, params)).ct_eq(&signature).into())
}

/// Returns the signed text: the URL, then each parameter's name and value.
fn signed(url: &str, params: &[(String, String)]) -> Vec<u8> {
    let mut text = url.as_bytes().to_vec();
    // A repeated parameter counts once for each distinct value, sorted, as in Twilio's Python and Node libraries.
    let sorted: BTreeSet<(&str, &str)> = params
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    for (name, value) in sorted {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(value.as_bytes());
    }
    text
}

fn sha1(key: &str, text: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha1>::new_from_slice(key.as_bytes());
    let mac = mac.expect("HMAC takes a key of any length");
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

fn sha256(key: &str, text: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes());
    let mac = mac.expect("HMAC takes a key of any length");
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

fn is_hash_in_query(url: &str, body: &[u8]) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let claimed = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("bodySHA256="))
        .and_then(|hash| hex::decode(hash).ok());
    claimed.is_some_and(|claimed| Sha256::digest(body).as_slice().ct_eq(&claimed).into())
}

/// Returns the forms of `url` that Twilio may have signed: with and without the port, with and without the credentials,
/// and with an apostrophe in the query plain or escaped.
///
/// Twilio drops the port for some products and schemes only; its own libraries accept both. The URL is split as text,
/// since a URL parser would normalize it.
fn signed_forms(url: &str) -> Vec<String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return vec![url.to_owned()];
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (credentials, host_and_port) = match authority.rfind('@') {
        Some(at) => authority.split_at(at + 1),
        None => ("", authority),
    };
    // The colons of an IPv6 address in brackets do not start a port.
    let port_at = host_and_port
        .rfind(':')
        .filter(|&colon| !host_and_port[colon..].contains(']'));
    let host = &host_and_port[..port_at.unwrap_or(host_and_port.len())];
    let standard_port = if scheme == "https" { 443 } else { 80 };
    let with_port = match port_at {
        Some(_) => host_and_port.to_owned(),
        None => format!("{host}:{standard_port}"),
    };

    let mut paths = vec![path.to_owned()];
    if let Some((path, query)) = path.split_once('?')
        && query.contains('\'')
    {
        paths.push(format!("{path}?{}", query.replace('\'', "%27")));
    }
    let mut forms = vec![url.to_owned()];
    for path in &paths {
        for credentials in [credentials, ""] {
            for host in [host, &with_port] {
                let form = format!("{scheme}://{credentials}{host}{path}");
                if !forms.contains(&form) {
                    forms.push(form);
                }
            }
        }
    }
    forms
}

#[cfg(test)]
mod tests;
