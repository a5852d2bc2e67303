//! The `[limits]` section, and the countries that a line may text.

use serde::Deserialize;
use toml::Value;

use super::written::{Text, whole};
use super::{Limits, Problems};
use crate::phone::PhoneNumber;

#[derive(Deserialize, Default)]
pub(super) struct FileLimits {
    person_per_hour: Option<Value>,
    number_per_hour: Option<Value>,
    line_per_hour: Option<Value>,
    automatic_per_hour: Option<Value>,
}

pub(super) fn limits(file: FileLimits, problems: &mut Problems) -> Limits {
    let mut limit = |key: &str, value, default| whole(key, value, default, 1..=1_000_000, problems);
    Limits {
        person_per_hour: limit("limits.person_per_hour", file.person_per_hour, 120),
        number_per_hour: limit("limits.number_per_hour", file.number_per_hour, 60),
        line_per_hour: limit("limits.line_per_hour", file.line_per_hour, 600),
        automatic_per_hour: limit("limits.automatic_per_hour", file.automatic_per_hour, 60),
    }
}

/// Returns the countries whose numbers a line may text first; by default the country of its own number.
pub(super) fn countries(
    key: String,
    value: Option<Value>,
    number: &PhoneNumber,
    problems: &mut Problems,
) -> Vec<String> {
    let Some(value) = value else {
        return number.region().into_iter().collect();
    };
    let written = value.to_string();
    let listed: Option<Vec<Text>> = value.try_into().ok();
    let listed = listed.unwrap_or_default().into_iter();
    let countries: Vec<String> = listed.map(|Text(country)| country).collect();
    let is_country =
        |text: &String| text.len() == 2 && text.parse::<phonenumber::country::Id>().is_ok();
    if countries.is_empty() || !countries.iter().all(is_country) {
        problems.add(
            key,
            written,
            "it must be a list of countries as two capital letters, such as [\"US\", \"MX\"]",
        );
    }
    countries
}
