//! Replies that are asked about, edited or taken away, and who may not be texted.

use serde_json::Value;

use crate::bridge::held::Why;
use crate::delivery::Content;
use crate::slack::blocks::{self, Button, Style};
use crate::slack::mrkdwn::{Names, plain_text};

/// The button that sends a held reply.
pub(crate) const HELD_SEND: &str = "held_send";
/// The button that keeps it inside.
pub(crate) const HELD_INSIDE: &str = "held_inside";

/// Asks the writer of a reply, who alone sees it. `message` is the id that the buttons carry.
pub(crate) fn question(why: &Why, message: &str) -> Content {
    let sentence = match why {
        Why::Colleague => {
            "Not texted to the caller, because it begins with a colleague's name. Send it all the same?".to_owned()
        }
        Why::Collision { by, seconds } => {
            format!("<@{by}> answered {seconds} s ago, so yours was not sent yet. Send it as well?")
        }
        Why::Long { parts } => {
            format!("Not sent yet: this is long and goes out, and is billed, as {parts} texts. Send it all the same?")
        }
    };
    let shown = vec![blocks::section(&sentence), held_buttons(message)];
    Content {
        text: sentence,
        blocks: Some(Value::Array(shown)),
    }
}

/// The same for everybody in the thread, when the writer has not answered.
pub(crate) fn still_held(writer: &str, message: &str, words: &str) -> Content {
    let sentence = format!(
        "Not sent yet: <@{writer}> wrote this and has not said whether it goes to the caller. It does not leave before somebody decides."
    );
    let mut shown = vec![blocks::section(&sentence)];
    if !words.trim().is_empty() {
        shown.push(blocks::literal(&plain_text(words, &Names::default())));
    }
    shown.push(held_buttons(message));
    Content {
        text: sentence,
        blocks: Some(blocks::message(shown)),
    }
}

fn held_buttons(message: &str) -> Value {
    blocks::actions(
        "held",
        &[
            Button::new(HELD_SEND, "Send it", message).style(Style::Primary),
            Button::new(HELD_INSIDE, "Keep it inside", message),
        ],
    )
}

/// What stands in place of the question.
pub(crate) fn held_decided(sent: bool, by: &str) -> String {
    match sent {
        true => format!("<@{by}> has it sent."),
        false => format!("<@{by}> keeps it inside. The caller does not get it."),
    }
}

/// The reply that a button is about is not there any more.
pub(crate) fn nothing_held() -> String {
    "That reply is not there any more. Nothing was sent.".into()
}

/// Somebody else's question.
pub(crate) fn only_its_writer(writer: &str) -> String {
    format!("Only <@{writer}>, who wrote it, can decide that now. Nothing was changed.")
}
