use proptest::collection::vec;
use proptest::prelude::*;
use qdn_sandbox::twilio::signature as stand_in;
use serde::Deserialize;

use super::*;

/// Requests and signatures from the tests of Twilio's libraries and from its documentation.
#[derive(Deserialize)]
struct Fixture {
    auth_token: String,
    requests: Vec<Request>,
}

#[derive(Deserialize)]
struct Request {
    case: String,
    url: String,
    /// The URL as Twilio signed it, if it differs.
    signed_url: Option<String>,
    params: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    signature: String,
}

fn fixture() -> Fixture {
    let text = include_str!("../../../tests/fixtures/twilio_signatures.json");
    serde_json::from_str(text).unwrap()
}

#[test]
fn every_published_signature_is_made_again() {
    let Fixture {
        auth_token,
        requests,
    } = fixture();
    for request in requests {
        let url = request.signed_url.as_ref().unwrap_or(&request.url);
        assert_eq!(
            sign(&auth_token, url, &request.params),
            request.signature,
            "{}",
            request.case
        );
    }
}

#[test]
fn every_published_signature_is_accepted_and_nothing_near_it() {
    let Fixture {
        auth_token,
        requests,
    } = fixture();
    for Request {
        case,
        url,
        params,
        body,
        signature,
        ..
    } in requests
    {
        let body = body.as_bytes();
        assert!(
            is_valid(&auth_token, &url, &params, body, &signature),
            "{case}"
        );
        assert!(
            !is_valid("12346", &url, &params, body, &signature),
            "{case}, another token"
        );
        assert!(
            !is_valid("", &url, &params, body, &signature),
            "{case}, no token"
        );
        let other_url = format!("{url}x");
        assert!(
            !is_valid(&auth_token, &other_url, &params, body, &signature),
            "{case}, another URL"
        );
        let mut more = params.clone();
        more.push(("Extra".to_owned(), String::new()));
        assert!(
            !is_valid(&auth_token, &url, &more, body, &signature),
            "{case}, one more parameter"
        );
        let mut cut = signature.clone();
        cut.truncate(8);
        for wrong in ["", "=", "not base64!", &cut] {
            assert!(
                !is_valid(&auth_token, &url, &params, body, wrong),
                "{case}, signature {wrong:?}"
            );
        }
    }
}

#[test]
fn a_body_that_nothing_vouches_for_is_refused() {
    let body = br#"{"property": "value"}"#;
    let hash = hex::encode(Sha256::digest(body));
    let with_hash = format!("https://example.com/hook?a=b&bodySHA256={hash}");
    let cases: [(&str, &[u8], bool); 6] = [
        (&with_hash, body, true),
        (&with_hash, b"{}", false),
        ("https://example.com/hook", body, false),
        ("https://example.com/hook?bodySHA256=", body, false),
        ("https://example.com/hook?bodySHA256=zz", body, false),
        ("https://example.com/hook", b"", true),
    ];
    for (url, body, expected) in cases {
        let signature = sign("token", url, &[]);
        assert_eq!(
            is_valid("token", url, &[], body, &signature),
            expected,
            "{url} {body:?}"
        );
    }
}

#[test]
fn a_port_is_told_from_an_ipv6_address() {
    let signed = sign("token", "https://[2001:db8::1]:443/hook", &[]);
    assert!(is_valid(
        "token",
        "https://[2001:db8::1]/hook",
        &[],
        b"",
        &signed
    ));
    let signed = sign("token", "https://[2001:db8::1]/hook", &[]);
    assert!(is_valid(
        "token",
        "https://[2001:db8::1]:8443/hook",
        &[],
        b"",
        &signed
    ));
}

#[test]
fn credentials_may_have_been_dropped_by_twilio() {
    let signed = sign("token", "https://example.com/hook?to=a@b", &[]);
    assert!(is_valid(
        "token",
        "https://user:p@ss@example.com/hook?to=a@b",
        &[],
        b"",
        &signed
    ));
}

/// SHA-1 and HMAC written out from RFC 3174 and RFC 2104, independent of the libraries that the product uses.
fn hmac_sha1(key: &[u8], message: &[u8]) -> Vec<u8> {
    fn sha1(message: &[u8]) -> Vec<u8> {
        let mut padded = message.to_vec();
        padded.push(0x80);
        while padded.len() % 64 != 56 {
            padded.push(0);
        }
        padded.extend((message.len() as u64 * 8).to_be_bytes());
        let mut state = [
            0x67452301_u32,
            0xEFCDAB89,
            0x98BADCFE,
            0x10325476,
            0xC3D2E1F0,
        ];
        for block in padded.chunks(64) {
            let mut words: Vec<u32> = block
                .chunks(4)
                .map(|word| u32::from_be_bytes(word.try_into().unwrap()))
                .collect();
            for t in 16..80 {
                words.push(
                    (words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16]).rotate_left(1),
                );
            }
            let [mut a, mut b, mut c, mut d, mut e] = state;
            for (t, word) in words.iter().enumerate() {
                let (f, k) = match t / 20 {
                    0 => ((b & c) | (!b & d), 0x5A827999),
                    1 => (b ^ c ^ d, 0x6ED9EBA1),
                    2 => ((b & c) | (b & d) | (c & d), 0x8F1BBCDC),
                    _ => (b ^ c ^ d, 0xCA62C1D6_u32),
                };
                let next = a
                    .rotate_left(5)
                    .wrapping_add(f)
                    .wrapping_add(e)
                    .wrapping_add(k)
                    .wrapping_add(*word);
                (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
            }
            for (sum, add) in state.iter_mut().zip([a, b, c, d, e]) {
                *sum = sum.wrapping_add(add);
            }
        }
        state.iter().flat_map(|word| word.to_be_bytes()).collect()
    }
    let mut block = if key.len() > 64 {
        sha1(key)
    } else {
        key.to_vec()
    };
    block.resize(64, 0);
    let padded = |byte: u8| block.iter().map(move |b| b ^ byte).collect::<Vec<u8>>();
    let inner = sha1(&[padded(0x36).as_slice(), message].concat());
    sha1(&[padded(0x5C), inner].concat())
}

proptest! {
    #[test]
    fn the_signature_is_that_of_an_independent_computation(
        token in "\\PC{0,80}",
        path in "[a-z/%0-9]{0,20}(\\?[a-z=&+']{0,20})?",
        params in vec(("[A-Za-z]{1,3}", "\\PC{0,12}"), 0..12),
    ) {
        let url = format!("https://example.com/{path}");
        let mut lines: Vec<(&String, &String)> = Vec::new();
        for (name, value) in &params {
            if !lines.contains(&(name, value)) {
                lines.push((name, value));
            }
        }
        lines.sort_by_key(|(_, value)| value.as_bytes().to_vec());
        lines.sort_by_key(|(name, _)| name.as_bytes().to_vec());
        let text = lines.iter().fold(url.clone(), |text, (name, value)| text + name + value);
        let expected = STANDARD.encode(hmac_sha1(token.as_bytes(), text.as_bytes()));

        prop_assert_eq!(&sign(&token, &url, &params), &expected);
        prop_assert!(is_valid(&token, &url, &params, b"", &expected));
        let mut backwards = params;
        backwards.reverse();
        prop_assert!(is_valid(&token, &url, &backwards, b"", &expected));
    }
}

/// Requests signed with a shared key by Python's `hmac`, independent of our code.
#[derive(Deserialize)]
struct SharedKey {
    secret: String,
    requests: Vec<Request>,
}

#[test]
fn a_shared_keys_signatures_are_made_and_accepted_and_nothing_near_them() {
    let text = include_str!("../../../tests/fixtures/twilio_shared_key_signatures.json");
    let SharedKey { secret, requests } = serde_json::from_str(text).unwrap();
    assert!(requests.len() >= 6);
    for Request {
        case,
        url,
        params,
        signature,
        ..
    } in requests
    {
        let made = stand_in::sign_with_shared_key(&secret, &url, &params);
        assert_eq!(made, signature, "{case}");
        let valid = |secret: &str, url: &str, signature: &str| {
            is_valid_with_shared_key(secret, url, &params, b"", signature)
        };
        assert!(valid(&secret, &url, &signature), "{case}");
        assert!(!valid("another-key-secret", &url, &signature), "{case}");
        assert!(!valid(&secret, &format!("{url}x"), &signature), "{case}");
        assert!(!valid(&secret, &url, ""), "{case}");
        // A signature of one algorithm is not valid for the other, even with the same key.
        let sha1 = sign(&secret, &url, &params);
        assert!(!valid(&secret, &url, &sha1), "{case}");
        assert!(!is_valid(&secret, &url, &params, b"", &signature), "{case}");
    }
}
