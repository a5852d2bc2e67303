//! Builds Block Kit blocks (<https://docs.slack.dev/reference/block-kit/blocks>).
//!
//! Put a person's words into [`literal`], where Slack parses nothing. Put our own sentences into [`section`] or [`context`]
//! in Slack's markup, with foreign text in them escaped by [`super::mrkdwn::escape`].

use serde_json::{Value, json};

/// The most characters in the text of a section or a context.
const MAX_TEXT: usize = 3_000;
/// The most characters on a button or on a confirmation's buttons. Slack refuses a message with a longer label.
const MAX_LABEL: usize = 75;
/// The most characters in a button's `value`.
const MAX_VALUE: usize = 2_000;
/// The most blocks in a message.
const MAX_BLOCKS: usize = 50;
/// The most elements in an actions block.
const MAX_ELEMENTS: usize = 25;
/// The most characters in a confirmation's title and in its text.
const MAX_CONFIRM: (usize, usize) = (100, 300);

/// Returns a block that shows the text as it is: Slack resolves no mention, link, emoji name or formatting in it.
///
/// Slack refuses an empty text and U+0000; they become a space and U+FFFD.
pub fn literal(text: &str) -> Value {
    let text = match text {
        "" => " ".to_owned(),
        text => text.replace('\0', "\u{FFFD}"),
    };
    json!({
        "type": "rich_text",
        "elements": [{
            "type": "rich_text_section",
            "elements": [{"type": "text", "text": text}],
        }],
    })
}

/// Returns a paragraph in Slack's markup. Cuts it at 3,000 characters with an ellipsis; use [`sections`] for longer texts.
pub fn section(mrkdwn: &str) -> Value {
    json!({"type": "section", "text": markup(mrkdwn)})
}

/// Returns a paragraph in Slack's markup with a button beside it; `block_id` is unique within a message.
pub fn section_with(block_id: &str, mrkdwn: &str, button: &Button) -> Value {
    json!({"type": "section", "block_id": block_id, "text": markup(mrkdwn), "accessory": button.to_value()})
}

/// Splits a long text in Slack's markup into sections, at line ends or spaces.
pub fn sections(mrkdwn: &str) -> Vec<Value> {
    let mut rest = mrkdwn;
    let mut sections = Vec::new();
    while let Some(end) = end_of(rest, MAX_TEXT) {
        let end = rest[..end]
            .rfind('\n')
            .or_else(|| rest[..end].rfind(' '))
            .filter(|at| *at > 0)
            .unwrap_or(end);
        let end = before_broken_entity(&rest[..end]).unwrap_or(end);
        sections.push(section(&rest[..end]));
        rest = rest[end..].trim_start_matches(['\n', ' ']);
    }
    if !rest.is_empty() {
        sections.push(section(rest));
    }
    sections
}

/// Returns a context block: small gray text, in Slack's markup.
pub fn context(mrkdwn: &str) -> Value {
    json!({"type": "context", "elements": [markup(mrkdwn)]})
}

/// Returns a divider.
pub fn divider() -> Value {
    json!({"type": "divider"})
}

/// Returns a row of buttons and leaves out those after the 25th. `block_id` is unique within a message; Slack returns it
/// with the press.
pub fn actions(block_id: &str, buttons: &[Button]) -> Value {
    let elements: Vec<Value> = buttons
        .iter()
        .take(MAX_ELEMENTS)
        .map(Button::to_value)
        .collect();
    json!({"type": "actions", "block_id": block_id, "elements": elements})
}

/// Returns the blocks of a message, without those after the 50th.
pub fn message(blocks: impl IntoIterator<Item = Value>) -> Value {
    blocks.into_iter().take(MAX_BLOCKS).collect()
}

/// A button.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Button {
    /// Identifies what the button does; unique within its block.
    pub action_id: String,
    /// The label.
    pub text: String,
    /// Identifies what the button acts on; up to 2,000 characters.
    pub value: String,
    pub style: Style,
    /// A question that Slack asks before it reports the press.
    pub confirm: Option<Confirm>,
}

/// A button's color.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    #[default]
    Plain,
    /// Green: the action that most people want.
    Primary,
    /// Red: an action that cannot be undone.
    Danger,
}

/// The question that Slack asks before it reports a press.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    pub title: String,
    pub text: String,
    /// The label of the button that confirms.
    pub confirm: String,
    /// The label of the button that cancels.
    pub deny: String,
}

impl Button {
    /// Returns a button of the plain style, without a confirmation.
    pub fn new(
        action_id: impl Into<String>,
        text: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        Self {
            action_id: action_id.into(),
            text: text.into(),
            value: value.into(),
            ..Self::default()
        }
    }

    /// Returns the button with another style.
    pub fn style(self, style: Style) -> Self {
        Self { style, ..self }
    }

    /// Returns the button with a confirmation.
    pub fn confirm(self, confirm: Confirm) -> Self {
        Self {
            confirm: Some(confirm),
            ..self
        }
    }

    fn to_value(&self) -> Value {
        let mut button = json!({
            "type": "button",
            "action_id": self.action_id,
            "text": plain(&self.text, MAX_LABEL),
            "value": shortened(&self.value, MAX_VALUE),
        });
        match self.style {
            Style::Plain => {}
            Style::Primary => button["style"] = "primary".into(),
            Style::Danger => button["style"] = "danger".into(),
        }
        if let Some(confirm) = &self.confirm {
            button["confirm"] = json!({
                "title": plain(&confirm.title, MAX_CONFIRM.0),
                "text": plain(&confirm.text, MAX_CONFIRM.1),
                "confirm": plain(&confirm.confirm, MAX_LABEL),
                "deny": plain(&confirm.deny, MAX_LABEL),
            });
        }
        button
    }
}

/// Returns a text object in Slack's markup. It is `verbatim`: Slack resolves mentions and links that are marked up, but no
/// bare URLs and names.
fn markup(mrkdwn: &str) -> Value {
    let text = match mrkdwn {
        "" => " ",
        text => text,
    };
    json!({"type": "mrkdwn", "text": shortened(text, MAX_TEXT), "verbatim": true})
}

fn plain(text: &str, at_most: usize) -> Value {
    json!({"type": "plain_text", "text": shortened(text, at_most), "emoji": false})
}

/// Cuts the text to at most `at_most` characters, the last of which is then an ellipsis.
fn shortened(text: &str, at_most: usize) -> String {
    if end_of(text, at_most).is_none() {
        return text.to_owned();
    }
    let end = end_of(text, at_most - 1).unwrap_or(text.len());
    let end = before_broken_entity(&text[..end]).unwrap_or(end);
    format!("{}…", &text[..end])
}

/// Returns the byte offset behind the first `characters` characters; `None` if the text has no more than that.
fn end_of(text: &str, characters: usize) -> Option<usize> {
    text.char_indices().nth(characters).map(|(at, _)| at)
}

/// Returns where to cut a text instead if the cut leaves half a `&amp;` or half a `<@U1>` at its end.
fn before_broken_entity(text: &str) -> Option<usize> {
    let open = |from: char, to: char, longest: usize| {
        let at = text.rfind(from)?;
        let closed = text[at..].contains(to);
        (at > 0 && !closed && text.len() - at < longest).then_some(at)
    };
    open('<', '>', usize::MAX).or_else(|| open('&', ';', "&amp;".len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slack::mrkdwn::{Names, escape, plain_text};
    use proptest::prelude::*;

    fn text_of(section: &Value) -> &str {
        section["text"]["text"].as_str().unwrap()
    }

    #[test]
    fn words_of_others_are_shown_as_they_are() {
        let block = literal("<!channel> *hi* :wave:");
        let element = &block["elements"][0]["elements"][0];
        assert_eq!(element["type"], "text");
        assert_eq!(element["text"], "<!channel> *hi* :wave:");
    }

    #[test]
    fn what_slack_refuses_in_a_text_is_replaced() {
        let text = |text: &str| literal(text)["elements"][0]["elements"][0]["text"].clone();
        assert_eq!(text(""), " ");
        assert_eq!(text("a\0b"), "a\u{FFFD}b");
    }

    #[test]
    fn our_own_markup_is_verbatim() {
        assert_eq!(section("*hi*")["text"]["verbatim"], true);
        assert_eq!(context("hi")["elements"][0]["type"], "mrkdwn");
        assert_eq!(divider(), json!({"type": "divider"}));
    }

    #[test]
    fn buttons_say_what_they_do() {
        let ask = Confirm {
            title: "Send it again?".into(),
            text: "It may have arrived.".into(),
            confirm: "Send".into(),
            deny: "Leave it".into(),
        };
        let row = actions(
            "undecided",
            &[
                Button::new("again", "Send again", "42")
                    .style(Style::Danger)
                    .confirm(ask),
                Button::new("arrived", "It arrived", "42"),
            ],
        );
        assert_eq!(row["block_id"], "undecided");
        let [again, arrived] = row["elements"].as_array().unwrap().as_slice() else {
            panic!()
        };
        assert_eq!(
            (&again["action_id"], &again["value"], &again["style"]),
            (&json!("again"), &json!("42"), &json!("danger"))
        );
        assert_eq!(again["confirm"]["deny"]["text"], "Leave it");
        assert_eq!(arrived["text"]["emoji"], false);
        assert_eq!(arrived.get("style"), None);
    }

    #[test]
    fn limits_are_kept() {
        let long = "é".repeat(4_000);
        assert_eq!(text_of(&section(&long)).chars().count(), MAX_TEXT);
        let row = actions("b", &vec![Button::new("a", &long, &long); 30]);
        let buttons = row["elements"].as_array().unwrap();
        assert_eq!(buttons.len(), MAX_ELEMENTS);
        let count = |value: &Value| value.as_str().unwrap().chars().count();
        assert_eq!(count(&buttons[0]["text"]["text"]), MAX_LABEL);
        assert_eq!(count(&buttons[0]["value"]), MAX_VALUE);
        let all = message(std::iter::repeat_n(divider(), 60));
        assert_eq!(all.as_array().unwrap().len(), MAX_BLOCKS);
    }

    #[test]
    fn a_cut_leaves_no_half_entity() {
        for entity in ["&amp;", "<@U0SERGIO>", "<https://x.example|here>"] {
            for before in 2_980..3_000 {
                let text = format!("{}{entity} and on", "a".repeat(before));
                let shown = text_of(&section(&text)).to_owned();
                let rest = shown.trim_end_matches('…').trim_start_matches('a');
                assert!(
                    rest.is_empty() || rest.starts_with(entity),
                    "{before} {rest}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn sections_lose_nothing_but_space(text in "([a-z]{1,900}|[&<>] ?|é|\n| ){0,40}") {
            let all = sections(&escape(&text));
            let shown: String = all.iter().map(text_of).collect();
            prop_assert!(all.iter().all(|section| text_of(section).chars().count() <= MAX_TEXT));
            let without_space = |text: &str| text.replace(['\n', ' '], "");
            let back = plain_text(&shown, &Names::default());
            prop_assert_eq!(without_space(&back), without_space(&text));
        }
    }
}
