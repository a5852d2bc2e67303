//! Checks of what all blocks consist of: texts, lists, strings within limits, no unknown fields.

use serde_json::{Map, Value};

use super::Checked;

pub(super) fn text(element: &Value, most: usize) -> Checked {
    let map = object(element)?;
    match kind(element)? {
        "plain_text" => plain_text(element, most),
        "mrkdwn" => {
            only(map, &["type", "text", "verbatim"])?;
            string(map, "text", most)
        }
        other => Err(format!("{other} is not a text")),
    }
}

pub(super) fn plain_text(element: &Value, most: usize) -> Checked {
    let map = object(element)?;
    if kind(element)? != "plain_text" {
        return Err("only plain_text is allowed here".to_owned());
    }
    only(map, &["type", "text", "emoji"])?;
    string(map, "text", most)
}

pub(super) fn elements(block: &Value, most: usize) -> Result<&Vec<Value>, String> {
    let elements = block["elements"]
        .as_array()
        .ok_or("`elements` is missing")?;
    within("elements", elements.len(), 1, most)?;
    Ok(elements)
}

pub(super) fn object(value: &Value) -> Result<&Map<String, Value>, String> {
    value
        .as_object()
        .ok_or_else(|| "must be an object".to_owned())
}

pub(super) fn kind(value: &Value) -> Result<&str, String> {
    value["type"]
        .as_str()
        .ok_or_else(|| "`type` is missing".to_owned())
}

pub(super) fn only(map: &Map<String, Value>, known: &[&str]) -> Checked {
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("unknown field `{key}`")),
        None => Ok(()),
    }
}

/// Checks a required string that may not be empty.
pub(super) fn string(map: &Map<String, Value>, key: &str, most: usize) -> Checked {
    let text = map
        .get(key)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("`{key}` is missing"))?;
    within(key, text.chars().count(), 1, most)
}

/// Checks an optional string.
pub(super) fn string_within(map: &Map<String, Value>, key: &str, most: usize) -> Checked {
    match map.get(key) {
        None => Ok(()),
        Some(Value::String(text)) => within(key, text.chars().count(), 0, most),
        Some(_) => Err(format!("`{key}` is not a string")),
    }
}

pub(super) fn within(key: &str, count: usize, least: usize, most: usize) -> Checked {
    if count < least {
        return Err(format!(
            "`{key}` must be longer than {} characters",
            least - 1
        ));
    }
    if count > most {
        return Err(format!("`{key}` must be at most {most} long"));
    }
    Ok(())
}
