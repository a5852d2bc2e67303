//! Rich text: literal text, links, mentions and emoji.

use serde_json::Value;

use super::Checked;
use super::shape::{kind, object, only, string, within};

pub(super) fn rich_text(element: &Value) -> Checked {
    let map = object(element)?;
    match kind(element)? {
        "rich_text_section" => only(map, &["type", "elements"])?,
        "rich_text_quote" | "rich_text_preformatted" => {
            only(map, &["type", "elements", "border", "language"])?
        }
        "rich_text_list" => {
            only(
                map,
                &["type", "elements", "style", "indent", "offset", "border"],
            )?;
            let items = element["elements"]
                .as_array()
                .ok_or("`elements` is missing")?;
            return items.iter().try_for_each(rich_text);
        }
        other => return Err(format!("unsupported rich text element {other}")),
    }
    let pieces = element["elements"]
        .as_array()
        .ok_or("`elements` is missing")?;
    pieces.iter().try_for_each(check_piece)
}

/// Checks a piece of rich text: literal text, a link, a mention, an emoji or a date.
fn check_piece(piece: &Value) -> Checked {
    let map = object(piece)?;
    match kind(piece)? {
        "text" => {
            only(map, &["type", "text", "style"])?;
            let text = piece["text"].as_str().ok_or("`text` is not a string")?;
            within("text", text.chars().count(), 1, usize::MAX)
        }
        "link" => {
            only(map, &["type", "url", "text", "unsafe", "style"])?;
            string(map, "url", 3000)
        }
        "user" => {
            only(map, &["type", "user_id", "style"])?;
            string(map, "user_id", 255)
        }
        "channel" => {
            only(map, &["type", "channel_id", "style"])?;
            string(map, "channel_id", 255)
        }
        "usergroup" => {
            only(map, &["type", "usergroup_id", "style"])?;
            string(map, "usergroup_id", 255)
        }
        "broadcast" => {
            only(map, &["type", "range", "style"])?;
            string(map, "range", 255)
        }
        "emoji" => {
            only(map, &["type", "name", "unicode", "skin_tone", "style"])?;
            string(map, "name", 255)
        }
        "date" => {
            only(
                map,
                &["type", "timestamp", "format", "url", "fallback", "style"],
            )?;
            string(map, "format", 3000)
        }
        other => Err(format!("unsupported rich text element {other}")),
    }
}
