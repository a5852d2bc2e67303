//! The app's home.

use serde_json::{Value, json};

use crate::slack::blocks::{self, Button};
use crate::slack::mrkdwn::escape;

/// The buttons beside each person.
pub(crate) const BUTTON_AVAILABLE: &str = "home_available";
pub(crate) const BUTTON_AWAY: &str = "home_away";
pub(crate) const BUTTON_DND: &str = "home_dnd";

/// Slack takes 100 blocks in a home; people take two each.
const MOST_PEOPLE: usize = 30;

/// Everything a home shows.
pub(crate) struct Page<'a> {
    /// What came of the button that was pressed; mostly empty.
    pub(crate) notice: &'a str,
    /// Everybody's name and how they are, in Slack's markup.
    pub(crate) people: Vec<(String, String)>,
    /// Who waits, a line each in Slack's markup.
    pub(crate) waiting: Vec<String>,
    pub(crate) day: Day,
    pub(crate) undecided: i64,
    pub(crate) held: i64,
    pub(crate) refused: i64,
    /// Each line's name, and where its calls go while we are down.
    pub(crate) fallbacks: Vec<(&'a str, Fallback)>,
    /// "14:02".
    pub(crate) at: String,
}

/// What today brought.
pub(crate) struct Day {
    pub(crate) texts: i64,
    pub(crate) replies: i64,
    pub(crate) calls: i64,
    pub(crate) missed: i64,
}

/// Whether Twilio forwards a line's calls while we are down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fallback {
    NotChecked,
    Set,
    Missing,
}

impl Fallback {
    /// The word it is kept by.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Fallback::NotChecked => "",
            Fallback::Set => "set",
            Fallback::Missing => "missing",
        }
    }

    pub(crate) fn parse(word: Option<&str>) -> Fallback {
        [Fallback::Set, Fallback::Missing]
            .into_iter()
            .find(|fallback| Some(fallback.as_str()) == word)
            .unwrap_or(Fallback::NotChecked)
    }
}

/// A member's home.
pub(crate) fn page(page: &Page<'_>) -> Value {
    let mut shown = Vec::new();
    if !page.notice.is_empty() {
        shown.push(blocks::section(&format!(
            ":information_source: {}",
            page.notice
        )));
        shown.push(blocks::divider());
    }
    shown.push(blocks::section("*Who calls ring*"));
    for (n, (name, line)) in page.people.iter().take(MOST_PEOPLE).enumerate() {
        shown.push(blocks::section(line));
        let buttons = [
            Button::new(BUTTON_AVAILABLE, "Available", name),
            Button::new(BUTTON_AWAY, "Away", name),
            Button::new(BUTTON_DND, "Do not disturb", name),
        ];
        shown.push(blocks::actions(&format!("person_{n}"), &buttons));
    }
    shown.push(blocks::divider());
    shown.push(blocks::section("*Who waits for an answer*"));
    if page.waiting.is_empty() {
        shown.push(blocks::section("Nobody."))
    } else {
        shown.extend(blocks::sections(&page.waiting.join("\n")))
    }
    shown.push(blocks::divider());
    shown.push(blocks::section(&today(&page.day)));
    shown.push(blocks::section(&trouble(page)));
    shown.push(blocks::section(&fallbacks(&page.fallbacks)));
    shown.push(blocks::context(&format!("As of {}.", page.at)));
    json!({ "type": "home", "blocks": shown })
}

fn today(day: &Day) -> String {
    let missed = match day.missed {
        0 => String::new(),
        missed => format!(", {missed} missed"),
    };
    format!(
        "*Today*: {} in, {} out, {}{missed}.",
        several(day.texts, "text"),
        several(day.replies, "reply"),
        several(day.calls, "call")
    )
}

fn several(count: i64, what: &str) -> String {
    match (count, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (count, Some(stem)) => format!("{count} {stem}ies"),
        (count, None) => format!("{count} {what}s"),
    }
}

fn trouble(page: &Page<'_>) -> String {
    let told: Vec<String> = [
        (
            page.undecided,
            "not certain to have arrived: decide in its thread",
        ),
        (
            page.held,
            "held until the channel or the account is mended: tell the operator",
        ),
        (page.refused, "given up today"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    if told.is_empty() {
        "*Deliveries*: all is well.".to_owned()
    } else {
        format!(":warning: *Deliveries*: {}.", told.join("; "))
    }
}

fn fallbacks(of_lines: &[(&str, Fallback)]) -> String {
    let told: Vec<String> = of_lines
        .iter()
        .map(|(line, fallback)| {
            let how = match fallback {
                Fallback::NotChecked => "not checked yet",
                Fallback::Set => "calls are forwarded to the backup",
                Fallback::Missing => {
                    ":warning: calls would ring nowhere. The operator runs `qdn-relay setup`"
                }
            };
            format!("{}: {how}", escape(line))
        })
        .collect();
    format!("*While this service is down*\n{}", told.join("\n"))
}

/// The home of somebody who is in no line's channel.
pub(crate) fn closed(channels: &[&str]) -> Value {
    let words = format!(
        "The desk is shown to members of {}. Join the channel and open this again.",
        escape(&channels.join(" or "))
    );
    json!({ "type": "home", "blocks": [blocks::section(&words)] })
}

/// The person of a button is no longer in the configuration.
pub(crate) fn person_is_gone() -> String {
    "That person is no longer in the configuration. Nothing was changed.".into()
}
