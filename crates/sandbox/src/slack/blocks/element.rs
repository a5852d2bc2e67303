//! Block elements: buttons, inputs, menus, pictures.

use serde_json::Value;

use super::Checked;
use super::shape::{kind, object, only, plain_text, string, string_within, text, within};

const BUTTON_FIELDS: [&str; 8] = [
    "type",
    "action_id",
    "text",
    "url",
    "value",
    "style",
    "confirm",
    "accessibility_label",
];

const TEXT_INPUT_FIELDS: [&str; 9] = [
    "type",
    "action_id",
    "initial_value",
    "multiline",
    "min_length",
    "max_length",
    "dispatch_action_config",
    "focus_on_load",
    "placeholder",
];

/// The fields of menus, radio buttons and checkboxes.
const MENU_FIELDS: [&str; 8] = [
    "type",
    "action_id",
    "options",
    "initial_option",
    "initial_options",
    "confirm",
    "focus_on_load",
    "placeholder",
];

pub(super) fn check_element(element: &Value) -> Checked {
    let map = object(element)?;
    if kind(element)? == "image" {
        return image(element);
    }
    string(map, "action_id", 255)?;
    if !element["confirm"].is_null() {
        confirm(&element["confirm"])?;
    }
    if !element["placeholder"].is_null() {
        plain_text(&element["placeholder"], 150)?;
    }
    match kind(element)? {
        "button" => button(element),
        "plain_text_input" => only(map, &TEXT_INPUT_FIELDS),
        "overflow" => {
            only(map, &["type", "action_id", "options", "confirm"])?;
            options(element, 5)
        }
        "static_select" => {
            only(map, &MENU_FIELDS)?;
            options(element, 100)
        }
        "radio_buttons" | "checkboxes" => {
            only(map, &MENU_FIELDS)?;
            options(element, 10)
        }
        "users_select"
        | "conversations_select"
        | "channels_select"
        | "datepicker"
        | "timepicker"
        | "number_input" => Ok(()),
        other => Err(format!("unsupported element {other}")),
    }
}

fn button(element: &Value) -> Checked {
    let map = object(element)?;
    only(map, &BUTTON_FIELDS)?;
    plain_text(&element["text"], 75)?;
    string_within(map, "value", 2000)?;
    string_within(map, "url", 3000)?;
    string_within(map, "accessibility_label", 75)?;
    style(element)
}

pub(super) fn options(element: &Value, most: usize) -> Checked {
    let options = element["options"]
        .as_array()
        .ok_or("`options` is missing")?;
    within("options", options.len(), 1, most)?;
    options.iter().try_for_each(|option| {
        let map = object(option)?;
        only(map, &["text", "value", "description", "url"])?;
        text(&option["text"], 75)?;
        string(map, "value", 150)
    })
}

pub(super) fn confirm(confirm: &Value) -> Checked {
    let map = object(confirm)?;
    only(map, &["title", "text", "confirm", "deny", "style"])?;
    plain_text(&confirm["title"], 100)?;
    text(&confirm["text"], 300)?;
    plain_text(&confirm["confirm"], 30)?;
    plain_text(&confirm["deny"], 30)?;
    style(confirm)
}

pub(super) fn style(element: &Value) -> Checked {
    match element["style"].as_str() {
        None if element["style"].is_null() => Ok(()),
        Some("primary" | "danger") => Ok(()),
        _ => Err("`style` is neither primary nor danger".to_owned()),
    }
}

pub(super) fn image(element: &Value) -> Checked {
    let map = object(element)?;
    only(
        map,
        &[
            "type",
            "block_id",
            "image_url",
            "slack_file",
            "alt_text",
            "title",
        ],
    )?;
    string(map, "alt_text", 2000)?;
    if element["slack_file"].is_null() {
        string(map, "image_url", 3000)?;
    }
    Ok(())
}
