//! Renders messages as people see them: entities resolved, formatting marks and emoji codes replaced.

use serde_json::Value;

use super::{Piece, pieces, unescape};
use crate::slack::message::{Ephemeral, Message};
use crate::slack::world::World;

impl World {
    /// What a person sees of a message: its blocks, or its text where it has none.
    pub fn rendered(&self, message: &Message) -> String {
        match &message.blocks {
            Some(blocks) if message.is_by_app() => self.rendered_blocks(blocks),
            _ if message.plain => self.plain(&message.text),
            _ => self.rendered_mrkdwn(&message.text),
        }
    }

    /// What a person sees of an ephemeral message.
    pub fn rendered_ephemeral(&self, ephemeral: &Ephemeral) -> String {
        match &ephemeral.blocks {
            Some(blocks) => self.rendered_blocks(blocks),
            None => self.rendered_mrkdwn(&ephemeral.text),
        }
    }

    /// What a person sees of blocks, one line each, with buttons as `[label]`.
    pub fn rendered_blocks(&self, blocks: &Value) -> String {
        let lines: Vec<String> = blocks
            .as_array()
            .into_iter()
            .flatten()
            .map(|block| self.rendered_block(block))
            .collect();
        lines.join("\n")
    }

    fn rendered_block(&self, block: &Value) -> String {
        let all = |list: &Value, separator: &str| {
            let parts: Vec<String> = list
                .as_array()
                .into_iter()
                .flatten()
                .map(|element| self.rendered_element(element))
                .collect();
            parts.join(separator)
        };
        match block["type"].as_str().unwrap_or_default() {
            "section" => {
                let mut parts = Vec::new();
                if !block["text"].is_null() {
                    parts.push(self.rendered_element(&block["text"]));
                }
                if !block["fields"].is_null() {
                    parts.push(all(&block["fields"], "\n"));
                }
                if !block["accessory"].is_null() {
                    parts.push(self.rendered_element(&block["accessory"]));
                }
                parts.join(" ")
            }
            "header" => self.rendered_element(&block["text"]),
            "input" => self.rendered_element(&block["label"]),
            "image" => format!(
                "[image: {}]",
                block["alt_text"].as_str().unwrap_or_default()
            ),
            "divider" => "---".to_owned(),
            "rich_text" => all(&block["elements"], "\n"),
            _ => all(&block["elements"], " "),
        }
    }

    fn rendered_element(&self, element: &Value) -> String {
        let text = |key: &str| element[key].as_str().unwrap_or_default();
        match text("type") {
            "mrkdwn" => self.rendered_mrkdwn(text("text")),
            "plain_text" if element["emoji"] == false => text("text").to_owned(),
            "plain_text" => emoji_shown(text("text")),
            "text" => text("text").to_owned(),
            "link" if element["text"].is_null() => text("url").to_owned(),
            "link" => format!("{} ({})", text("text"), text("url")),
            "user" => self.user_shown(text("user_id")),
            "channel" => self.channel_shown(text("channel_id")),
            "broadcast" => format!("@{}", text("range")),
            "usergroup" => format!("@{}", text("usergroup_id")),
            "emoji" => format!("(emoji {})", text("name")),
            "image" => format!("[image: {}]", text("alt_text")),
            "button" => format!("[{}]", self.rendered_element(&element["text"])),
            _ => {
                let parts: Vec<String> = element["elements"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|element| self.rendered_element(element))
                    .collect();
                parts.concat()
            }
        }
    }

    /// What a person sees of mrkdwn: entities resolved, formatting marks removed, emoji codes as `(emoji name)`.
    pub fn rendered_mrkdwn(&self, text: &str) -> String {
        self.resolve(text, |words| emoji_shown(&without_marks(words)))
    }

    /// What a person sees of a text with `mrkdwn: false`: formatting marks stay.
    fn plain(&self, text: &str) -> String {
        self.resolve(text, emoji_shown)
    }

    fn resolve(&self, text: &str, words_shown: impl Fn(&str) -> String) -> String {
        // Marks pair across entities, so entities are taken out first and put back after.
        let mut words = String::new();
        let mut entities = Vec::new();
        for piece in pieces(text) {
            match piece {
                Piece::Words(part) => words.push_str(part),
                Piece::Entity { target, label } => {
                    words.push('\u{FFFC}');
                    entities.push(self.entity_shown(target, label));
                }
            }
        }
        let mut entities = entities.into_iter();
        let mut shown = String::new();
        for part in words_shown(&words).split_inclusive('\u{FFFC}') {
            match part.strip_suffix('\u{FFFC}') {
                Some(before) => {
                    shown.push_str(&unescape(before));
                    shown.push_str(&entities.next().unwrap_or_default());
                }
                None => shown.push_str(&unescape(part)),
            }
        }
        shown
    }

    fn entity_shown(&self, target: &str, label: Option<&str>) -> String {
        if let Some(id) = target.strip_prefix('@') {
            return self.user_shown(id);
        }
        if let Some(id) = target.strip_prefix('#') {
            return self.channel_shown(id);
        }
        if let Some(special) = target.strip_prefix('!') {
            return match (special.starts_with("date^"), label) {
                (true, Some(fallback)) => unescape(fallback),
                _ => format!("@{special}"),
            };
        }
        match label {
            Some(label) => unescape(label),
            None => unescape(target),
        }
    }

    fn user_shown(&self, id: &str) -> String {
        match self.users.get(id) {
            Some(user) => format!("@{}", user.display_name),
            None => format!("@{id}"),
        }
    }

    fn channel_shown(&self, id: &str) -> String {
        match self.channels.get(id) {
            Some(channel) => format!("#{}", channel.name),
            None => "#private-channel".to_owned(),
        }
    }
}

/// Replaces `:name:` by `(emoji name)`, so that a test sees that Slack shows a picture.
fn emoji_shown(text: &str) -> String {
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_+-'".contains(c))
            && name
                .chars()
                .any(|c| c.is_ascii_lowercase() || c == '+' || c == '-')
    };
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(':') {
        shown.push_str(before);
        match after.split_once(':') {
            Some((name, tail)) if is_name(name) => {
                shown.push_str(&format!("(emoji {name})"));
                rest = tail;
            }
            _ => {
                shown.push(':');
                rest = after;
            }
        }
    }
    shown.push_str(rest);
    shown
}

/// Removes the marks of bold, italic, strikethrough and code where they pair within a line, and a quote's leading `>`.
fn without_marks(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(line_without_marks).collect();
    lines.join("\n")
}

fn line_without_marks(line: &str) -> String {
    let line = line.strip_prefix("&gt;").map_or(line, str::trim_start);
    let mut chars: Vec<char> = line.chars().collect();
    for mark in ['`', '*', '_', '~'] {
        let mut from = 0;
        while let Some((open, close)) = pair(&chars, mark, from) {
            chars.remove(close);
            chars.remove(open);
            from = close - 1;
        }
    }
    chars.into_iter().collect()
}

/// The next pair of marks: one before a word, one after a word, something between them.
fn pair(chars: &[char], mark: char, from: usize) -> Option<(usize, usize)> {
    let outside = |c: Option<&char>| c.is_none_or(|c| !c.is_alphanumeric() && *c != mark);
    let before = |i: usize| i.checked_sub(1).and_then(|i| chars.get(i));
    let open = (from..chars.len()).find(|&i| {
        chars[i] == mark
            && outside(before(i))
            && chars
                .get(i + 1)
                .is_some_and(|c| !c.is_whitespace() && *c != mark)
    })?;
    let close = (open + 2..chars.len()).find(|&i| {
        chars[i] == mark
            && outside(chars.get(i + 1))
            && before(i).is_some_and(|c| !c.is_whitespace())
    });
    match close {
        Some(close) => Some((open, close)),
        None => pair(chars, mark, open + 1),
    }
}
