//! Checks of single values. A value of a wrong type or range is added to the problems, so that all problems are reported
//! together instead of ending the parsing at the first one.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use toml::Value;

use super::{Problems, duration};
use crate::phone::PhoneNumber;

/// A string. A value of another type is taken in its TOML spelling; the check of its key then reports it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        Ok(Text(match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            other => other.to_string(),
        }))
    }
}

/// Checks a whole number in `range`. Returns `default` if it is missing or wrong.
pub(super) fn whole(
    key: &str,
    value: Option<Value>,
    default: u32,
    range: RangeInclusive<u32>,
    problems: &mut Problems,
) -> u32 {
    let Some(value) = value else { return default };
    let number = value
        .as_integer()
        .and_then(|number| u32::try_from(number).ok());
    number
        .filter(|number| range.contains(number))
        .unwrap_or_else(|| {
            let remedy = format!(
                "it must be a whole number, {} to {}; the default is {default}",
                range.start(),
                range.end()
            );
            problems.add(key, value, remedy);
            default
        })
}

/// Checks a boolean. Returns `default` if it is missing or wrong.
pub(super) fn flag(
    key: String,
    value: Option<Value>,
    default: bool,
    problems: &mut Problems,
) -> bool {
    match value {
        None => default,
        Some(Value::Boolean(flag)) => flag,
        Some(other) => {
            problems.add(
                key,
                other,
                format!("it must be true or false; the default is {default}"),
            );
            default
        }
    }
}

/// The longest duration, one year. Adding a much longer one to the current time could overflow.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// Checks a duration, such as `5m`, up to one year. Returns `default` if it is missing or wrong.
pub(super) fn time(
    key: &str,
    value: Option<Text>,
    default: &str,
    problems: &mut Problems,
) -> Duration {
    let value = value.map_or_else(|| default.to_owned(), |Text(value)| value);
    match duration::parse(&value) {
        Some(time) if !time.is_zero() && time <= LONGEST => time,
        _ => {
            problems.add(
                key,
                format!("\"{value}\""),
                format!("it must be a time such as 15s, 5m or 2h, at most 365d; the default is {default}"),
            );
            // The value is never used after a problem, but other checks read it.
            duration::parse(default).unwrap_or(LONGEST)
        }
    }
}

/// Checks a phone number in E.164; `None` if it is wrong.
pub(super) fn phone(
    key: String,
    Text(value): &Text,
    problems: &mut Problems,
) -> Option<PhoneNumber> {
    match PhoneNumber::parse(value) {
        Ok(number) => Some(number),
        Err(_) => {
            problems.add(
                key,
                format!("\"{value}\""),
                "it must be a full number with its country code, such as +16195550100",
            );
            None
        }
    }
}

/// Whether the text is a Slack ID: one of the letters in `kinds`, then capitals and digits.
pub(super) fn is_slack_id(text: &str, kinds: [char; 2]) -> bool {
    text.len() > 2
        && text.starts_with(kinds)
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Returns the full key of a path, such as `lines[0].number`.
pub(super) fn key(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", key(parent)),
        Path::Map { parent, key: name } => match key(parent).as_str() {
            "" => name.clone(),
            parent => format!("{parent}.{name}"),
        },
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => key(parent),
    }
}

/// Returns the place of a syntax or structure error in the file, and the remedy.
///
/// The remedy does not repeat the line, which may contain a database password.
pub(super) fn layout_error(file: &str, error: &toml::de::Error) -> (String, String) {
    let key = match error.span() {
        Some(span) => {
            let before = file.get(..span.start).unwrap_or(file);
            format!("qdn.toml, line {}", before.matches('\n').count() + 1)
        }
        None => "qdn.toml".to_owned(),
    };
    let message = error.message();
    let hint = if message.contains("expected a sequence") {
        "; a list is written [ … ], and each line or person begins with [[lines]] or [[people]]"
    } else {
        ""
    };
    (key, format!("{message}{hint}"))
}
