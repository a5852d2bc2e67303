//! Reads Slack's JSON field by field, so that one field of an unexpected type does not lose the others.
//!
//! A derived `Deserialize` is all or nothing: a number instead of a string anywhere in a message would lose its text. Here
//! a field that we cannot use reads as absent.

use serde_json::Value;

use super::{ChannelId, MessageTs, TeamId, UserId};

/// Parses a JSON body. Replaces what Rust's strings cannot hold, invalid UTF-8 and lone surrogates, with U+FFFD.
pub(crate) fn parse(body: &[u8]) -> serde_json::Result<Value> {
    let text = String::from_utf8_lossy(body);
    serde_json::from_str(&text).or_else(|err| {
        if text.contains("\\u") {
            serde_json::from_str(&mend_surrogates(&text))
        } else {
            Err(err)
        }
    })
}

/// Replaces the escape of a lone surrogate, such as `\uD83D`, with `\uFFFD`.
fn mend_surrogates(json: &str) -> String {
    let unit = |at: usize| {
        let escape = json.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(escape, 16).ok()
    };
    let mut mended = String::with_capacity(json.len());
    let mut at = 0;
    while let Some(offset) = json[at..].find('\\') {
        let slash = at + offset;
        mended.push_str(&json[at..slash]);
        let length = match (unit(slash), unit(slash + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                mended.push_str("\\uFFFD");
                at = slash + 6;
                continue;
            }
            // A two-character escape. Its second character may be a backslash, which then starts no escape.
            _ => 1 + json[slash + 1..].chars().next().map_or(0, char::len_utf8),
        };
        mended.push_str(&json[slash..slash + length]);
        at = slash + length;
    }
    mended.push_str(&json[at..]);
    mended
}

/// Returns a field as text, with numbers and booleans in their JSON spelling.
pub(crate) fn text(value: &Value, key: &str) -> Option<String> {
    match value.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Returns a field as text; `None` if it is empty.
pub(crate) fn word(value: &Value, key: &str) -> Option<String> {
    text(value, key).filter(|word| !word.is_empty())
}

/// Returns a boolean field; `false` unless it is `true`.
pub(crate) fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// Returns the elements of a list field; none if it is not a list.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

pub(crate) fn ts(value: &Value, key: &str) -> Option<MessageTs> {
    // A JSON number has already lost digits and identifies no message.
    MessageTs::parse(value.get(key)?.as_str()?).ok()
}

pub(crate) fn user(value: &Value, key: &str) -> Option<UserId> {
    id(value, key).map(UserId::new)
}

pub(crate) fn channel(value: &Value, key: &str) -> Option<ChannelId> {
    id(value, key).map(ChannelId::new)
}

pub(crate) fn team(value: &Value, key: &str) -> Option<TeamId> {
    id(value, key).map(TeamId::new)
}

/// Returns an ID, which some payloads write as an object with an `id`.
pub(crate) fn id(value: &Value, key: &str) -> Option<String> {
    word(value, key).or_else(|| word(value.get(key)?, "id"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn half_an_emoji_does_not_lose_the_message() {
        for (body, expected) in [
            (r#"{"t":"a\ud83db"}"#, "a\u{FFFD}b"),
            (r#"{"t":"\udc4b"}"#, "\u{FFFD}"),
            (r#"{"t":"\ud83d\ud83d\udc4b"}"#, "\u{FFFD}👋"),
            (r#"{"t":"\\ud83d \ud83d"}"#, "\\ud83d \u{FFFD}"),
            (r#"{"t":"\ud83d\udc4b \ud83d\n"}"#, "👋 \u{FFFD}\n"),
        ] {
            let value = parse(body.as_bytes()).unwrap();
            assert_eq!(text(&value, "t").as_deref(), Some(expected), "{body}");
        }
        assert_eq!(
            text(&parse(b"{\"t\":\"a\xFFb\"}").unwrap(), "t").as_deref(),
            Some("a\u{FFFD}b")
        );
    }

    #[test]
    fn odd_types_are_absent_or_spelled_out() {
        let value = json!({"n": 7, "o": {"id": "U1"}, "s": "", "l": "no list", "f": "true"});
        assert_eq!(text(&value, "n").as_deref(), Some("7"));
        assert_eq!(text(&value, "o"), None);
        assert_eq!(id(&value, "o").as_deref(), Some("U1"));
        assert_eq!(word(&value, "s"), None);
        assert!(list(&value, "l").is_empty());
        assert!(!flag(&value, "f"));
        assert_eq!(ts(&json!({"ts": 1531420618.0002}), "ts"), None);
    }

    proptest! {
        #[test]
        fn mending_leaves_sound_json_as_it_is(text in any::<String>()) {
            let json = json!({ "t": text }).to_string();
            prop_assert_eq!(mend_surrogates(&json), json);
        }

        #[test]
        fn mending_never_panics(text in "([a\\\\u\"dD8]|\\\\u[dD][89cC]00|é){0,12}") {
            let _ = parse(text.as_bytes());
            mend_surrogates(&text);
        }
    }
}
