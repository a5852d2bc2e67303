//! Callers who want no more texts, as far as we keep that ourselves.

use serde_json::Value;

use crate::delivery::Content;
use crate::phone::Address;
use crate::slack::blocks::{self, Button};
use crate::slack::mrkdwn::escape;

/// The button that opts a caller out.
pub(crate) const BUTTON_OUT: &str = "opt_out";
/// The button that takes that back.
pub(crate) const BUTTON_IN: &str = "opt_in";

/// The code of a refusal of ours: the caller has opted out since the text was to be sent.
pub(crate) const OPTED_OUT: &str = "opted_out_here";

/// A text sounds as if its writer wants no more. `conversation` is the id that the button carries.
pub(crate) fn sounds_like_it(conversation: &str) -> Content {
    let sentence = "This sounds as if the caller wants no more texts from this number. If so, press *Opt out*: then none is sent until they text START or somebody here undoes it.";
    with_button(sentence, Button::new(BUTTON_OUT, "Opt out", conversation))
}

/// A caller has left in words that Twilio does not know.
pub(crate) fn left(conversation: &str) -> Content {
    let sentence = "The caller wants no more texts from this number. None is sent until they text START or somebody here presses *Undo*. Call if you have to.";
    with_button(sentence, Button::new(BUTTON_IN, "Undo", conversation))
}

/// A member has opted a caller out.
pub(crate) fn left_by_member(by: &str, conversation: &str) -> Content {
    let sentence = format!(
        "<@{by}> has opted the caller out: no text is sent until they text START or somebody here presses *Undo*. Call if you have to."
    );
    with_button(&sentence, Button::new(BUTTON_IN, "Undo", conversation))
}

fn with_button(sentence: &str, button: Button) -> Content {
    let shown = vec![
        blocks::section(sentence),
        blocks::actions("opt_out", &[button]),
    ];
    Content {
        text: sentence.to_owned(),
        blocks: Some(Value::Array(shown)),
    }
}

/// A member has taken an opt-out back.
pub(crate) fn undone(by: &str) -> String {
    format!("<@{by}> says that the caller wants texts again. You can write.")
}

/// A reply to a caller who has left in words that Twilio does not know, or whom a member has opted out.
pub(crate) fn not_sent() -> String {
    "Not sent: the caller wants no more texts from this number. That ends when they text START, or when somebody here presses *Undo* in this thread because they asked for it. Call if you have to.".into()
}

/// There is nothing to opt out of.
pub(crate) fn is_out_already() -> String {
    "That caller is opted out already. Nothing was changed.".into()
}

/// There is nothing to undo.
pub(crate) fn is_not_out() -> String {
    "That caller is not opted out. Nothing was changed.".into()
}

/// Twilio blocks the caller.
pub(crate) fn only_they_can() -> String {
    "The caller has texted STOP, and Twilio lets no text through. Only they can undo that, by texting START. Nothing was changed.".into()
}

/// How the command is written.
pub(crate) fn how_to(command: &str) -> String {
    format!(
        "Write `{command} optout (619) 555-0142`, or `{command} optout (619) 555-0142 undo` to take it back."
    )
}

/// There are several lines.
pub(crate) fn which_line() -> String {
    "There are several lines: type the command in the channel of the one whose texts it is about."
        .into()
}

/// The command did what it says.
pub(crate) fn done(caller: &Address, leaves: bool, command: &str) -> String {
    let caller = escape(&caller.display());
    if leaves {
        format!(
            "{caller} is sent no more texts, until they text START or somebody writes `{command} optout {caller} undo`."
        )
    } else {
        format!("{caller} can be texted again.")
    }
}
