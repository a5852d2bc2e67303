//! What is said where deliveries met trouble.

use serde_json::Value;

use crate::delivery::Content;
use crate::slack::blocks::{self, Button};

/// Why the later parts of a long reply were not sent.
pub(crate) const EARLIER_PART_REFUSED: &str = "an earlier part of the same reply was refused";

/// The button of a placeholder, which shows the words to whoever presses it.
pub(crate) const BUTTON_WORDS: &str = "show_words";

/// Stands in place of a message that Slack does not take; `row` is its delivery, which the button carries.
pub(crate) fn placeholder(row: &str) -> Content {
    let sentence = "There is a message here that Slack refuses to show. Its words are kept: press *Show the words* to read them.";
    let button = Button::new(BUTTON_WORDS, "Show the words", row);
    Content {
        text: "There is a message here that Slack refuses to show. Its words are kept.".to_owned(),
        blocks: Some(Value::Array(vec![
            blocks::section(sentence),
            blocks::actions("words", &[button]),
        ])),
    }
}

/// The words behind a placeholder are not kept any more.
pub(crate) fn words_are_gone() -> String {
    "These words are not kept here any more. A caller's text may still stand in Twilio's message log.".into()
}

/// A delivery of this conversation that this version cannot read; `row` is its id on the command line.
pub(crate) fn unreadable(row: &str) -> String {
    format!(
        "Something that belongs here was not delivered: this version of the service cannot read it. It is kept as {row}, and \
         whoever runs the service sees it with `qdn-relay outbox list`."
    )
}

/// Slack refuses to show the words even to one person.
pub(crate) fn not_even_alone() -> String {
    "Slack refuses to show these words to you as well. A caller's text stands in Twilio's message log.".into()
}
