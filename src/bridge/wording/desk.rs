//! Where conversations stand: what the root of a thread shows, and what its buttons answer.

use jiff::SignedDuration;
use serde_json::Value;

use crate::delivery::Content;
use crate::phone::Address;
use crate::slack::blocks::{self, Button};
use crate::slack::mrkdwn::escape;
use crate::store::conversation_status::ConversationStatus;
use crate::store::conversation_status::Status;

/// The buttons of a root.
pub(crate) const BUTTON_CLAIM: &str = "desk_claim";
pub(crate) const BUTTON_RELEASE: &str = "desk_release";
pub(crate) const BUTTON_CLOSE: &str = "desk_close";
pub(crate) const BUTTON_REOPEN: &str = "desk_reopen";

/// How many blocks of what a thread began with are shown: Slack takes 50 in all.
const BODY: usize = 45;

/// Everything a root shows besides what its thread began with.
pub(crate) struct Head<'a> {
    pub(crate) caller: &'a Address,
    pub(crate) name: Option<&'a str>,
    pub(crate) place: &'a str,
    pub(crate) line: Option<&'a str>,
    pub(crate) status: &'a ConversationStatus,
    /// The address of the thread before.
    pub(crate) previous: Option<String>,
    /// The address of the thread after.
    pub(crate) next: Option<String>,
    /// Whether there is a thread after.
    pub(crate) is_over: bool,
}

/// The emoji by which the channel can be scanned.
pub(crate) fn emoji(status: Status) -> &'static str {
    match status {
        Status::New => "",
        Status::Waiting => ":red_circle:",
        Status::Claimed => ":large_yellow_circle:",
        Status::Answered => ":large_green_circle:",
        Status::Closed => ":white_circle:",
    }
}

/// "Ana López (619) 555-0142", or the number alone.
pub(crate) fn who(caller: &Address, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{} {}", escape(name), escape(&caller.display())),
        None => escape(&caller.display()),
    }
}

/// "*Ana López* (619) 555-0142": what people look for in bold.
pub(crate) fn who_bold(caller: &Address, name: Option<&str>) -> String {
    match name {
        Some(name) => format!(
            "*{}* {}",
            escape(&one_line(name)),
            escape(&caller.display())
        ),
        None => format!("*{}*", escape(&caller.display())),
    }
}

fn one_line(name: &str) -> String {
    name.replace('*', "")
}

/// A root: who it is, where it stands, what it began with, and the buttons.
pub(crate) fn root(head: &Head<'_>, body: &Content) -> Content {
    let mut line = if head.is_over {
        ":arrow_right: ".to_owned()
    } else {
        match emoji(head.status.status()) {
            "" => String::new(),
            emoji => format!("{emoji} "),
        }
    };
    line.push_str(&who_bold(head.caller, head.name));
    for more in [
        Some(head.place).filter(|place| !place.is_empty()),
        head.line,
    ]
    .into_iter()
    .flatten()
    {
        line.push_str(" · ");
        line.push_str(&escape(more));
    }
    let mut shown = vec![blocks::section(&line)];
    let told = told(head);
    if !told.is_empty() {
        shown.push(blocks::context(&told));
    }
    match body.blocks.as_ref().and_then(Value::as_array) {
        Some(list) => shown.extend(list.iter().take(BODY).cloned()),
        None => shown.push(blocks::section(&body.text)),
    }
    if !head.is_over {
        shown.push(blocks::actions("desk", &buttons(head)));
    }
    Content {
        text: format!("{}: {}", who(head.caller, head.name), body.text),
        blocks: Some(Value::Array(shown)),
    }
}

fn told(head: &Head<'_>) -> String {
    let status = head.status;
    let mut told = Vec::new();
    if head.is_over {
        told.push(match &head.next {
            Some(link) => format!("This conversation goes on <{link}|in a newer thread>."),
            None => "This conversation goes on in a newer thread.".to_owned(),
        });
    } else {
        match status.status() {
            Status::Closed => told.push(format!("Closed by {}.", status.closed_by)),
            Status::Answered => told.push(format!("Answered by {}.", status.answered_by)),
            Status::New | Status::Waiting | Status::Claimed => {}
        }
        if !status.claimed_by.is_empty() && status.status() != Status::Closed {
            told.push(format!("<@{}> has it.", status.claimed_by));
        }
    }
    if let Some(link) = &head.previous {
        told.push(format!("Goes on from <{link}|an earlier thread>."));
    }
    told.join(" ")
}

fn buttons(head: &Head<'_>) -> Vec<Button> {
    let id = head.status.conversation_id.as_str();
    let claimed = if head.status.claimed_by.is_empty() {
        Button::new(BUTTON_CLAIM, "Claim", id)
    } else {
        Button::new(BUTTON_RELEASE, "Release", id)
    };
    match head.status.status() {
        Status::Closed => vec![Button::new(BUTTON_REOPEN, "Reopen", id)],
        _ => vec![claimed, Button::new(BUTTON_CLOSE, "Close", id)],
    }
}

/// Stands at the end of a thread whose conversation goes on in another.
pub(crate) fn goes_on(link: Option<&str>) -> String {
    match link {
        Some(link) => format!(
            "This conversation goes on <{link}|in a newer thread>. What is written here still reaches the caller."
        ),
        None => "This conversation goes on in a newer thread. What is written here still reaches the caller.".to_owned(),
    }
}

/// Somebody else has it.
pub(crate) fn has_it(user: &str) -> String {
    format!("<@{user}> has it already. Nothing was changed; press Release first to take it over.")
}

/// The button's wish is true already.
pub(crate) fn is_so_already() -> String {
    "That is so already. Nothing was changed.".into()
}

/// The conversation has left this thread.
pub(crate) fn is_over(link: Option<&str>) -> String {
    match link {
        Some(link) => {
            format!("This conversation goes on <{link}|in a newer thread>. Nothing was changed.")
        }
        None => "This conversation goes on in a newer thread. Nothing was changed.".into(),
    }
}

/// The conversation is not known any more.
pub(crate) fn is_gone() -> String {
    "This conversation is gone. Nothing was changed.".into()
}

/// Somebody who waits.
pub(crate) struct Waits<'a> {
    /// In Slack's markup.
    pub(crate) who: String,
    pub(crate) line: Option<&'a str>,
    pub(crate) age: SignedDuration,
    pub(crate) claimed_by: &'a str,
    pub(crate) link: Option<String>,
}

/// One line of `/qdn open`.
pub(crate) fn waits(waits: &Waits<'_>) -> String {
    let status = match waits.claimed_by {
        "" => Status::Waiting,
        _ => Status::Claimed,
    };
    let mut line = format!("{} {}", emoji(status), waits.who);
    if let Some(name) = waits.line {
        line.push_str(&format!(" · {}", escape(name)));
    }
    line.push_str(&format!(" · waits {}", lasting(waits.age)));
    if !waits.claimed_by.is_empty() {
        line.push_str(&format!(" · <@{}> has it", waits.claimed_by));
    }
    if let Some(link) = &waits.link {
        line.push_str(&format!(" · <{link}|open>"));
    }
    line
}

/// How long something has lasted: "12 min".
pub(crate) fn lasting(age: SignedDuration) -> String {
    match age.as_secs() {
        seconds @ ..60 => format!("{} s", seconds.max(0)),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// More wait than are listed.
pub(crate) fn and_others(count: i64) -> String {
    match count {
        1 => "… and one more.".into(),
        count => format!("… and {count} more."),
    }
}

/// `/qdn open` has nothing to list.
pub(crate) fn nobody_waits() -> String {
    "Nobody waits for an answer.".into()
}

/// How a caller is named.
pub(crate) fn name_whom(command: &str) -> String {
    format!(
        "Write `{command} name 619-555-0142 Ana López` to name a caller, and `{command} name 619-555-0142 remove` to forget the name."
    )
}

/// What a number is called.
pub(crate) fn is_called(caller: &Address, name: Option<&str>, command: &str) -> String {
    let number = escape(&caller.display());
    match name {
        Some(name) => format!(
            "{number} is *{}*. `{command} name {number} remove` forgets that.",
            escape(&one_line(name))
        ),
        None => {
            format!("{number} has no name yet. `{command} name {number} Ana López` gives it one.")
        }
    }
}

/// A caller was named.
pub(crate) fn is_called_now(caller: &Address, name: &str) -> String {
    format!(
        "{} is *{}* from now on.",
        escape(&caller.display()),
        escape(&one_line(name))
    )
}

/// A name was forgotten.
pub(crate) fn name_removed(caller: &Address) -> String {
    format!("{} has no name any more.", escape(&caller.display()))
}

/// There was no name to forget.
pub(crate) fn has_no_name(caller: &Address) -> String {
    format!(
        "{} had no name. Nothing was changed.",
        escape(&caller.display())
    )
}

/// A name does not fit beside the number.
pub(crate) fn name_too_long(most: usize) -> String {
    format!("That name is too long: {most} letters at most. Nothing was changed.")
}

/// A caller whom nobody answers.
pub(crate) struct Unanswered<'a> {
    pub(crate) caller: Address,
    pub(crate) name: Option<&'a str>,
    pub(crate) age: SignedDuration,
    pub(crate) claimed_by: &'a str,
    /// What they wrote last.
    pub(crate) words: &'a str,
    /// Whether their text came long before it was found.
    pub(crate) is_found_late: bool,
    pub(crate) link: Option<String>,
}

/// How many characters of a caller's words are repeated.
const REPEATED: usize = 150;

/// How many characters of the caller's text an escalation text repeats.
const REPEATED_IN_TEXT: usize = 80;

/// Calls a text out in the channel.
pub(crate) fn unanswered(one: &Unanswered<'_>) -> Content {
    let mut sentence = format!(
        ":bell: {} has waited {} for an answer.",
        who_bold(&one.caller, one.name),
        lasting(one.age)
    );
    if one.is_found_late {
        sentence.push_str(" The text was found late.");
    }
    if !one.claimed_by.is_empty() {
        sentence.push_str(&format!(" <@{}> has it.", one.claimed_by));
    }
    let mut shown = vec![blocks::section(&sentence)];
    if !one.words.trim().is_empty() {
        shown.push(blocks::literal(&clipped(one.words, REPEATED)));
    }
    Content {
        text: sentence,
        blocks: Some(Value::Array(shown)),
    }
}

/// Calls many out together: some of them, and how many they are.
pub(crate) fn many_unanswered(some: &[Unanswered<'_>], count: usize) -> Content {
    let mut lines = vec![format!(
        ":bell: *{count} callers* have waited too long for an answer. `/qdn open` lists them all; among them:"
    )];
    for one in some {
        let link = one
            .link
            .as_ref()
            .map_or_else(String::new, |link| format!(" · <{link}|open>"));
        lines.push(format!(
            "• {}, {}{link}",
            who_bold(&one.caller, one.name),
            lasting(one.age)
        ));
    }
    lines.join("\n").into()
}

/// A text to a person of the desk about one caller.
pub(crate) fn page_one(line: &str, one: &Unanswered<'_>) -> String {
    let who = match one.name {
        Some(name) => format!("{name} {}", one.caller.display()),
        None => one.caller.display(),
    };
    let words = clipped(one.words, REPEATED_IN_TEXT);
    let found_late = if one.is_found_late {
        " (the text was found late)"
    } else {
        ""
    };
    let link = one
        .link
        .as_ref()
        .map_or_else(String::new, |link| format!(" {link}"));
    format!(
        "{line}: {who} has waited {} for an answer{found_late}: \"{words}\".{link} Answer in Slack; what you text here does not reach them.",
        lasting(one.age)
    )
}

/// A text to a person of the desk about many callers.
pub(crate) fn page_many(line: &str, count: usize, link: Option<&str>) -> String {
    let link = link.map_or_else(String::new, |link| format!(" The first: {link}."));
    format!(
        "{line}: {count} callers have waited too long for an answer.{link} Answer in Slack; what you text here does not reach them."
    )
}

/// Told in the thread when people of the desk were texted.
pub(crate) fn paged(people: &[&str], age: SignedDuration) -> String {
    format!(
        ":pager: Nobody has answered for {}: {} was texted.",
        lasting(age),
        escape(&people.join(" and "))
    )
}

/// Told in the channel when people of the desk were texted about many callers at once.
pub(crate) fn paged_for_many(people: &[&str], count: usize) -> String {
    format!(
        ":pager: Nobody has answered *{count} callers* yet: {} was texted. `/qdn open` lists them.",
        escape(&people.join(" and "))
    )
}

/// What became of a text to a person of the desk.
pub(crate) fn about_page(person: &str, content: Content) -> Content {
    let about = format!("About the text to {}:", escape(person));
    let text = format!("{about} {}", content.text);
    // With its buttons, where it is a question.
    let blocks = content.blocks.map(|blocks| match blocks {
        Value::Array(shown) => Value::Array(
            std::iter::once(blocks::section(&about))
                .chain(shown)
                .collect(),
        ),
        other => other,
    });
    Content { text, blocks }
}

/// A text that nobody wrote, shown in its thread.
pub(crate) fn sent_automatically(words: &str) -> Content {
    let lead = "Texted automatically, because nobody is available:";
    Content {
        text: format!("{lead} {}", escape(words)),
        blocks: Some(Value::Array(vec![
            blocks::context(lead),
            blocks::literal(words),
        ])),
    }
}

fn clipped(words: &str, most: usize) -> String {
    let one_line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match one_line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &one_line[..end]),
        None => one_line,
    }
}
