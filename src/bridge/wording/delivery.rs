//! What is said where deliveries met trouble.

use serde_json::Value;

use crate::delivery::Content;
use crate::phone::Address;
use crate::slack::blocks;
use crate::slack::mrkdwn::escape;

/// A notice that begins a thread because the old one is gone: it says whom it is about.
pub(crate) fn root_of_notice(
    caller: &Address,
    place: &str,
    line: Option<&str>,
    notice: &Content,
) -> Content {
    let mut who = format!("*{}*", escape(&caller.display()));
    for more in [Some(place).filter(|place| !place.is_empty()), line]
        .into_iter()
        .flatten()
    {
        who.push_str(" · ");
        who.push_str(&escape(more));
    }
    let mut shown = vec![blocks::section(&who)];
    match &notice.blocks {
        Some(Value::Array(blocks)) => shown.extend(blocks.iter().cloned()),
        _ => shown.push(blocks::section(&notice.text)),
    }
    Content {
        text: format!("{}: {}", escape(&caller.display()), notice.text),
        blocks: Some(Value::Array(shown)),
    }
}

/// Why the later parts of a long reply were not sent.
pub(crate) const EARLIER_PART_REFUSED: &str = "an earlier part of the same reply was refused";
