//! Values as they stand in the file, whatever their type: a wrong one is reported with its key and what would be right,
//! together with everything else that is wrong, instead of ending the reading.

use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer};
use toml::Value;

use super::Problems;

/// A text. A value of another type is taken as it is written, and the check of its key then judges it.
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

/// A whole number in `range`.
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

/// A key as reports name it: `lines[0].number`.
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

/// Where a file is laid out otherwise than it must be, or is no TOML at all, and what was expected there.
///
/// The line itself is not repeated: it may hold a database's password.
pub(super) fn layout_error(file: &str, error: &toml::de::Error) -> (String, String) {
    let key = match error.span() {
        Some(span) => {
            let before = file.get(..span.start).unwrap_or(file);
            format!("qdn.toml, line {}", before.matches('\n').count() + 1)
        }
        None => "qdn.toml".to_owned(),
    };
    let message = error.message();
    let hint = match message.contains("expected a sequence") {
        true => {
            "; a list is written [ … ], and each line or person begins with [[lines]] or [[people]]"
        }
        false => "",
    };
    (key, format!("{message}{hint}"))
}
