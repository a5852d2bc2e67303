//! Reading single fields of an answer, each by itself: an answer is worth having even where one field of it is odd.

use jiff::Timestamp;
use serde_json::Value;

pub(in crate::twilio) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// A text that Twilio may also send empty.
pub(in crate::twilio) fn string(value: &Value, name: &str) -> Option<String> {
    text(value, name)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// A number, which Twilio writes as such or as a string.
pub(in crate::twilio) fn number(value: &Value, name: &str) -> Option<u32> {
    match value.get(name)? {
        Value::Number(number) => number.as_u64()?.try_into().ok(),
        Value::String(digits) => digits.parse().ok(),
        _ => None,
    }
}

/// A time in the manner of mail (RFC 2822), to the second.
pub(in crate::twilio) fn time(value: &Value, name: &str) -> Option<Timestamp> {
    let time = jiff::fmt::rfc2822::parse(text(value, name)?).ok()?;
    Some(time.timestamp())
}
