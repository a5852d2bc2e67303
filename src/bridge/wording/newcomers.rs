//! Lists of new callers: who they are, and how each gets a thread.

use serde_json::Value;

use super::{desk, how_to_answer as how};
use crate::delivery::Content;
use crate::phone::Address;
use crate::slack::blocks::{self, Button};
use crate::slack::mrkdwn::escape;

/// The button beside a listed caller.
pub(crate) const BUTTON_OPEN: &str = "open_thread";

/// The beginning of a list.
pub(crate) fn head(callers: usize, is_open: bool) -> String {
    let who = match callers {
        1 => "A new caller".to_owned(),
        many => format!("{many} new callers"),
    };
    if is_open {
        format!(
            "*{who}* in one message, because many write at once. Each gets a thread when there is room; to answer now, press *Open thread*."
        )
    } else {
        format!("*{who}* wrote while many did:")
    }
}

/// A caller in a list.
pub(crate) fn who(caller: &Address, name: Option<&str>, place: &str) -> String {
    let who = desk::who_bold(caller, name);
    match place {
        "" => format!(":red_circle: {who}"),
        place => format!(":red_circle: {who} · {}", escape(place)),
    }
}

/// The button that opens the thread of the caller of this conversation.
pub(crate) fn open_button(conversation: &str) -> Button {
    Button::new(BUTTON_OPEN, "Open thread", conversation)
}

/// A caller of a list who has a thread since.
pub(crate) fn has_a_thread(who: &str, link: Option<&str>) -> String {
    let who = who.trim_start_matches(":red_circle: ");
    match link {
        Some(link) => format!(":arrow_right: {who} · <{link}|in a thread>"),
        None => format!(":arrow_right: {who} · in a thread"),
    }
}

/// Every caller of a list has a thread since.
pub(crate) fn all_have_threads() -> String {
    "These callers have threads of their own now.".into()
}

/// Stands below what was listed of a caller, in the root of their thread.
pub(crate) fn how_to_answer(caller: &Address) -> Content {
    Content {
        text: String::new(),
        blocks: Some(Value::Array(vec![blocks::context(how(caller))])),
    }
}

/// The caller has a thread already, or it is being opened.
pub(crate) fn is_open_already(link: Option<&str>) -> String {
    match link {
        Some(link) => format!("This caller has a thread already: <{link}|open it>."),
        None => "The thread of this caller is being opened.".into(),
    }
}

/// Words under a list reach nobody.
pub(crate) fn nobodys_thread() -> String {
    "Not sent: this is a list of several callers. Press *Open thread* beside the one you mean and write there.".into()
}
