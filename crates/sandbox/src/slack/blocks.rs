//! Checks Block Kit as strictly as Slack: anything unknown, too long or misplaced is `invalid_blocks`.
//!
//! Source: <https://docs.slack.dev/reference/block-kit>, one page per block and element.

mod element;
mod rich_text;
mod shape;

use serde_json::{Value, json};

use self::element::{check_element, image};
use self::rich_text::rich_text;
use self::shape::{elements, kind, object, only, plain_text, string_within, text, within};

/// The most blocks of a message.
pub(super) const MESSAGE_LIMIT: usize = 50;
/// The most blocks of a view.
const VIEW_LIMIT: usize = 100;

type Checked = Result<(), String>;

/// Checks the blocks of a message or a view.
pub(super) fn check(blocks: &Value, limit: usize) -> Checked {
    let blocks = blocks.as_array().ok_or("blocks is not an array")?;
    if blocks.len() > limit {
        return Err(format!("more than {limit} blocks"));
    }
    let mut ids: Vec<&str> = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        check_block(block)
            .map_err(|why| format!("[ERROR] {why} [json-pointer:/blocks/{index}]"))?;
        if let Some(id) = block["block_id"].as_str() {
            if ids.contains(&id) {
                return Err(format!("`block_id` {id} is given twice"));
            }
            ids.push(id);
        }
    }
    Ok(())
}

/// Checks a modal or a home tab.
pub(super) fn check_view(view: &Value) -> Checked {
    let map = object(view)?;
    let is_modal = view["type"] == "modal";
    let mut known = vec![
        "type",
        "blocks",
        "private_metadata",
        "callback_id",
        "external_id",
    ];
    if is_modal {
        known.extend([
            "title",
            "submit",
            "close",
            "clear_on_close",
            "notify_on_close",
        ]);
    }
    only(map, &known)?;
    if is_modal {
        plain_text(&view["title"], 24)?;
        for label in ["submit", "close"] {
            if !view[label].is_null() {
                plain_text(&view[label], 24)?;
            }
        }
    }
    string_within(map, "private_metadata", 3000)?;
    string_within(map, "callback_id", 255)?;
    check(&view["blocks"], VIEW_LIMIT)?;
    let has_input = view["blocks"]
        .as_array()
        .is_some_and(|blocks| blocks.iter().any(|block| block["type"] == "input"));
    if is_modal && has_input && view["submit"].is_null() {
        return Err("a modal with an input needs `submit`".to_owned());
    }
    Ok(())
}

/// The blocks, each with its `block_id` or a new one.
pub(super) fn with_ids(mut blocks: Value, mut next: impl FnMut() -> String) -> Value {
    for block in blocks.as_array_mut().into_iter().flatten() {
        if block["block_id"].is_null() {
            block["block_id"] = json!(next());
        }
    }
    blocks
}

/// Names a button, a menu or another interactive element.
#[derive(Clone, Copy)]
pub(super) struct ElementId<'a> {
    /// `None`: the first block that has such an element.
    pub(super) block_id: Option<&'a str>,
    pub(super) action_id: &'a str,
}

/// The element and the `block_id` of its block.
pub(super) fn find_action(blocks: &Value, id: ElementId<'_>) -> Option<(String, Value)> {
    let blocks = blocks.as_array()?.iter();
    blocks
        .filter(|block| id.block_id.is_none_or(|id| block["block_id"] == id))
        .find_map(|block| {
            let block_id = block["block_id"].as_str().unwrap_or_default().to_owned();
            let elements = block["elements"].as_array().into_iter().flatten();
            let single = [&block["accessory"], &block["element"]];
            elements
                .chain(single)
                .find(|element| element["action_id"] == id.action_id)
                .map(|element| (block_id, element.clone()))
        })
}

fn check_block(block: &Value) -> Checked {
    let map = object(block)?;
    string_within(map, "block_id", 255)?;
    match kind(block)? {
        "section" => section(block),
        "context" => {
            only(map, &["type", "block_id", "elements"])?;
            let elements = elements(block, 10)?;
            elements
                .iter()
                .try_for_each(|element| match kind(element)? {
                    "image" => image(element),
                    _ => text(element, 3000),
                })
        }
        "actions" => actions(block),
        "divider" => only(map, &["type", "block_id"]),
        "header" => {
            only(map, &["type", "block_id", "text"])?;
            plain_text(&block["text"], 150)
        }
        "image" => image(block),
        "input" => input(block),
        "rich_text" => {
            only(map, &["type", "block_id", "elements"])?;
            let elements = block["elements"]
                .as_array()
                .ok_or("`elements` is missing")?;
            elements.iter().try_for_each(rich_text)
        }
        other => Err(format!("unsupported block type {other}")),
    }
}

fn section(block: &Value) -> Checked {
    only(
        object(block)?,
        &["type", "block_id", "text", "fields", "accessory", "expand"],
    )?;
    let fields = block["fields"].as_array();
    if block["text"].is_null() && fields.is_none() {
        return Err("a section needs `text` or `fields`".to_owned());
    }
    if !block["text"].is_null() {
        text(&block["text"], 3000)?;
    }
    if let Some(fields) = fields {
        within("fields", fields.len(), 1, 10)?;
        fields.iter().try_for_each(|field| text(field, 2000))?;
    }
    if !block["accessory"].is_null() {
        check_element(&block["accessory"])?;
    }
    Ok(())
}

fn actions(block: &Value) -> Checked {
    only(object(block)?, &["type", "block_id", "elements"])?;
    let elements = elements(block, 25)?;
    let mut ids: Vec<&str> = Vec::new();
    for element in elements {
        check_element(element)?;
        let id = element["action_id"].as_str().unwrap_or_default();
        if ids.contains(&id) {
            return Err(format!("`action_id` {id} is given twice in a block"));
        }
        ids.push(id);
    }
    Ok(())
}

fn input(block: &Value) -> Checked {
    only(
        object(block)?,
        &[
            "type",
            "block_id",
            "label",
            "element",
            "dispatch_action",
            "hint",
            "optional",
        ],
    )?;
    plain_text(&block["label"], 2000)?;
    if !block["hint"].is_null() {
        plain_text(&block["hint"], 2000)?;
    }
    check_element(&block["element"])
}
