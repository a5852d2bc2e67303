//! Reads single fields of a JSON response. A malformed field reads as `None`, so that the rest of the response stays usable.

use jiff::Timestamp;
use serde_json::Value;

pub(in crate::twilio) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// Returns a string field; `None` if it is empty, as Twilio sends some absent fields.
pub(in crate::twilio) fn string(value: &Value, name: &str) -> Option<String> {
    text(value, name)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// Returns a number field, which Twilio writes as a JSON number or as a string.
pub(in crate::twilio) fn number(value: &Value, name: &str) -> Option<u32> {
    match value.get(name)? {
        Value::Number(number) => number.as_u64()?.try_into().ok(),
        Value::String(digits) => digits.parse().ok(),
        _ => None,
    }
}

/// Returns a time field in the format of RFC 2822, to the second.
pub(in crate::twilio) fn time(value: &Value, name: &str) -> Option<Timestamp> {
    let time = jiff::fmt::rfc2822::parse(text(value, name)?).ok()?;
    Some(time.timestamp())
}
