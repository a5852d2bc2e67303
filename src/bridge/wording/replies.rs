//! Replies that are asked about, edited or taken away, and who may not be texted.

use serde_json::{Value, json};

use crate::conversation::confirmation::Why;
use crate::conversation::limit::{Reached, Whose};
use crate::delivery::Content;
use crate::phone::{Address, NotTexted};
use crate::slack::blocks::{self, Button, Style};
use crate::slack::mrkdwn::{Names, escape, plain_text};

/// The button that sends a held reply.
pub(crate) const HELD_SEND: &str = "held_send";
/// The button that keeps it inside.
pub(crate) const HELD_INSIDE: &str = "held_inside";

/// Asks the writer of a reply, who alone sees it. `message` is the id that the buttons carry.
///
/// `long`: it takes many parts, whatever else it is held for.
pub(crate) fn question(why: &Why, long: Option<&Why>, message: &str) -> Content {
    let mut sentence = match why {
        Why::Colleague => {
            "Not texted to the caller, because it begins with a colleague's name. Send it all the same?".to_owned()
        }
        Why::Command => {
            "Not texted to the caller, because it begins with `/` like a command. Commands are typed in the channel, not in a thread. Send it all the same?".to_owned()
        }
        Why::Collision { by, seconds } => {
            format!("<@{by}> answered {seconds} s ago, so yours was not sent yet. Send it as well?")
        }
        Why::Long { parts } => {
            format!("Not sent yet: this is long and goes out, and is billed, as {parts} texts. Send it all the same?")
        }
        Why::Limit { reached, at } => {
            format!("{} Send it then?", limit_reached(reached, at))
        }
    };
    if let (Some(Why::Long { parts }), false) = (long, matches!(why, Why::Long { .. })) {
        sentence.push_str(&format!(
            " It is long: it goes out, and is billed, as {parts} texts."
        ));
    }
    let shown = vec![blocks::section(&sentence), held_buttons(message)];
    Content {
        text: sentence,
        blocks: Some(Value::Array(shown)),
    }
}

/// The confirmation for everybody in the thread, after the writer has not answered it.
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
    if sent {
        format!("<@{by}> has it sent.")
    } else {
        format!("<@{by}> keeps it inside. The caller does not get it.")
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

/// The button that sends the new words of a reply that had left.
pub(crate) const CORRECT: &str = "edit_send";

/// A reply was edited that had left. `edit` is the id that the button carries.
pub(crate) fn edited(edit: &str, got: &str, reached: bool) -> Content {
    let (sentence, button) = if reached {
        (
            "This edit did not reach the caller. What was texted:",
            "Send a correction",
        )
    } else {
        (
            "This edit did not reach the caller, and neither did the reply, which was not delivered:",
            "Send it now",
        )
    };
    let button = Button::new(CORRECT, button, edit).style(Style::Primary);
    let shown = vec![
        blocks::section(sentence),
        blocks::literal(got),
        blocks::actions("edit", &[button]),
    ];
    Content {
        text: sentence.to_owned(),
        blocks: Some(Value::Array(shown)),
    }
}

/// A reply says again what the caller got.
pub(crate) fn edited_back() -> String {
    "The reply says again what was texted: there is nothing to correct.".into()
}

/// The new words were sent.
pub(crate) fn corrected(by: &str) -> String {
    format!("<@{by}> has the reply sent as it stands now.")
}

/// A held reply was deleted.
pub(crate) fn deleted_unsent() -> String {
    "The reply was deleted before it was sent. The caller did not get it.".into()
}

/// An edited reply was deleted before its correction was sent.
pub(crate) fn deleted_edit() -> String {
    "The reply was deleted: there is nothing to correct any more.".into()
}

/// A reply was deleted that had left.
pub(crate) fn cannot_be_unsent(got: &str) -> Content {
    let sentence = "A reply was deleted here, but a text cannot be unsent. What was texted:";
    let shown = vec![blocks::section(sentence), blocks::literal(got)];
    Content {
        text: sentence.to_owned(),
        blocks: Some(Value::Array(shown)),
    }
}

/// A caller does not want our texts.
pub(crate) fn left() -> String {
    "The caller wants no more texts from this number, and Twilio lets none through. Only they can undo that, by texting START. Call if you have to.".into()
}

/// A caller wants our texts again.
pub(crate) fn came_back() -> String {
    "The caller wants texts from this number again. You can write.".into()
}

/// A reply to a caller who does not want our texts.
pub(crate) fn opted_out() -> String {
    "Not sent: the caller has texted STOP. Only they can undo that, by texting START. Call if you have to.".into()
}

/// A limit of texts within an hour is reached; `at` is when the next may leave.
pub(crate) fn limit_reached(reached: &Reached, at: &str) -> String {
    let Reached { whose, limit, .. } = reached;
    let what = match whose {
        Whose::Person => format!("you have sent {limit} texts within an hour"),
        Whose::Number => format!("this number was sent {limit} texts within an hour"),
        Whose::Line => format!("the line has sent {limit} texts within an hour"),
    };
    format!("Not sent: {what}, which is the limit. The next can leave at {at}.")
}

/// Why a number is not texted.
pub(crate) fn number_not_texted(why: &NotTexted) -> String {
    match why {
        NotTexted::Emergency => {
            "Not sent: that is an emergency number. It cannot be texted from here; call it from a telephone.".into()
        }
        NotTexted::ShortCode => {
            "Not sent: that is the short code of a service, not a telephone.".into()
        }
        NotTexted::Special => {
            "Not sent: that is a special number. Texts to it cost extra or reach nobody.".into()
        }
        NotTexted::Country(Some(country)) => format!(
            "Not sent: this line does not text numbers of {country}. The operator can allow it with `allow_countries`."
        ),
        NotTexted::Country(None) => {
            "Not sent: it cannot be told to which country that number belongs.".into()
        }
        NotTexted::NotANumber => {
            "Not sent: that is not a whole telephone number. Write it with its area code, such as (619) 555-0142, or with + and the country code.".into()
        }
    }
}

/// One of our own numbers.
pub(crate) fn our_own_line(name: &str) -> String {
    format!("Not sent: that is our own line {}.", escape(name))
}

/// There are several lines.
pub(crate) fn which_line() -> String {
    "There are several lines: type the command in the channel of the one that shall send it.".into()
}

/// How somebody is texted first.
pub(crate) fn how_to_text(command: &str) -> String {
    format!("Write `{command} text (619) 555-0142 Your driver is outside.`")
}

/// A command's text was not sent: its words come back, or they would be lost.
pub(crate) fn not_texted(sentence: &str, words: &str) -> String {
    format!("{sentence}\nYour words: {}", escape(words))
}

/// A command's text is on its way.
pub(crate) fn texting(to: &Address, channel: &str) -> String {
    format!(
        "Texting {}. It stands in its thread in {}, with a mark that says what becomes of it.",
        escape(&to.display()),
        escape(channel)
    )
}

/// A command's text or a form's is long: its writer is asked in the channel.
pub(crate) fn asked_about_length(parts: usize, channel: &str) -> String {
    format!(
        "Not sent yet: this is long and goes out, and is billed, as {parts} texts. You are asked in {} whether to send it.",
        escape(channel)
    )
}

/// What a thread begins with that the desk began.
pub(crate) fn root_by_us(by: &str, words: &str) -> Content {
    let shown = vec![
        blocks::context(&format!("<@{by}> texted first:")),
        blocks::literal(words),
        blocks::context(
            "Reply in this thread and it is texted. Begin with `note:` to keep a note inside.",
        ),
    ];
    Content {
        text: format!("<@{by}> texted first"),
        blocks: Some(Value::Array(shown)),
    }
}

/// A text of the desk in a thread that is there already.
pub(crate) fn texted_by_us(by: &str, words: &str) -> Content {
    let sentence = format!("<@{by}> texted:");
    let shown = vec![blocks::context(&sentence), blocks::literal(words)];
    Content {
        text: sentence,
        blocks: Some(Value::Array(shown)),
    }
}

/// The form for a text to somebody. `lines` are names and numbers, `once` makes it count once.
pub(crate) fn new_text_form(callback_id: &str, lines: &[(&str, &str)], once: &str) -> Value {
    let plain = |text: &str| json!({ "type": "plain_text", "text": text });
    let input = |id: &str, label: &str, element: Value| json!({ "type": "input", "block_id": id, "label": plain(label), "element": element });
    let mut shown = Vec::new();
    if lines.len() > 1 {
        let option =
            |(name, number): &(&str, &str)| json!({ "text": plain(name), "value": number });
        let options: Vec<Value> = lines.iter().map(option).collect();
        let select = json!({ "type": "static_select", "action_id": "line", "options": options, "initial_option": options[0] });
        shown.push(input("line", "From", select));
    }
    let number = json!({ "type": "plain_text_input", "action_id": "number", "placeholder": plain("(619) 555-0142") });
    shown.push(input("number", "To", number));
    let words = json!({ "type": "plain_text_input", "action_id": "words", "multiline": true });
    shown.push(input("words", "Text", words));
    json!({
        "type": "modal",
        "callback_id": callback_id,
        "private_metadata": once,
        "title": plain("New text"),
        "submit": plain("Send"),
        "close": plain("Cancel"),
        "blocks": shown,
    })
}
