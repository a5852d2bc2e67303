//! Every sentence that a person can read: plain, short, no jargon.

pub(crate) mod calls;
pub(crate) mod delivery;
pub(crate) mod desk;
pub(crate) mod found;
pub(crate) mod home;
pub(crate) mod newcomers;
pub(crate) mod opt_outs;
pub(crate) mod pictures;
pub(crate) mod reasons;
pub(crate) mod replies;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use serde_json::{Value, json};

use crate::availability::{Availability, Source};
use crate::delivery::Content;
use crate::phone::Address;
use crate::slack::blocks::{self, Button, Style};
use crate::slack::mrkdwn::escape;
use crate::twilio::error_code::Meaning;
use crate::vocabulary::AvailabilityState;

/// A caller's text as it is shown.
pub(crate) struct TextIn<'a> {
    pub(crate) body: &'a str,
    /// The names of the files that follow it.
    pub(crate) media: &'a [String],
    /// That it is shown late, where it is: when it came, and whether a later text stands above it.
    pub(crate) late: Option<&'a str>,
}

/// The first message of a thread below its head: the first text, how to answer.
pub(crate) fn root(caller: &Address, text: &TextIn<'_>) -> Content {
    let mut shown = words(text);
    shown.push(blocks::context(how_to_answer(caller)));
    Content {
        text: escape(&text.shown()),
        blocks: Some(Value::Array(shown)),
    }
}

/// How to answer in a thread.
fn how_to_answer(caller: &Address) -> &'static str {
    if caller.can_be_texted() {
        "Reply in this thread and it is texted back. Begin with `note:` to keep a note inside."
    } else {
        "This sender cannot be texted back."
    }
}

/// A later text of the same caller.
pub(crate) fn text_in(text: &TextIn<'_>) -> Content {
    Content {
        text: escape(&text.shown()),
        blocks: Some(Value::Array(words(text))),
    }
}

fn words(text: &TextIn<'_>) -> Vec<Value> {
    let mut shown = Vec::new();
    if !text.body.trim().is_empty() || text.media.is_empty() {
        shown.push(blocks::literal(&text.shown()));
    }
    if !text.media.is_empty() {
        shown.push(blocks::context(&pictures::follow(text.media)));
    }
    if let Some(late) = text.late {
        shown.push(blocks::context(late));
    }
    shown
}

impl TextIn<'_> {
    fn shown(&self) -> String {
        match (self.body.trim().is_empty(), self.media.len()) {
            (false, _) => self.body.to_owned(),
            (true, 0) => "(an empty text)".to_owned(),
            (true, _) => format!("({})", pictures::count(self.media)),
        }
    }
}

/// A text of which Slack takes nothing else.
pub(crate) const NO_WORDS: &str = "(a text that Slack does not show)";

/// What a caller reads in place of a person whom Slack does not name.
pub(crate) const SOMEBODY: &str = "somebody";

/// What a caller reads in place of a channel that Slack does not name.
pub(crate) const A_CHANNEL: &str = "a channel";

/// The sender of a text has no telephone that takes texts.
pub(crate) fn cannot_be_texted(caller: &Address) -> String {
    if caller.is_withheld() {
        "Not sent: the caller withheld the number, so there is nothing to text to.".into()
    } else {
        format!("Not sent: {} cannot be texted.", escape(&caller.display()))
    }
}

/// A reply has no words for a telephone.
pub(crate) fn nothing_to_send() -> String {
    "Not sent: there are no words in it that a phone could show.".into()
}

/// One reply led to two texts.
pub(crate) fn sent_twice() -> String {
    "Heads up: the caller got the last reply twice. Twilio's answer to the first try was lost; it has turned up now.".into()
}

/// A reply, or a part of one, whose fate cannot be found out. `row` is the id of its delivery, which the buttons carry.
pub(crate) fn undecided(row: &str, words: &str) -> Content {
    let sentence = "Twilio does not say whether this reply reached the caller. Nothing was sent a second time. What now?";
    decision(
        sentence,
        words,
        &[
            Button::new(BUTTON_SEND, "Send again", row).style(Style::Primary),
            Button::new(BUTTON_ARRIVED, "It arrived", row),
            Button::new(BUTTON_LEAVE, "Leave it", row),
        ],
    )
}

/// A reply that is proved not to have left, and is not sent again unasked.
pub(crate) fn did_not_leave(row: &str, words: &str) -> Content {
    let sentence = "This reply did not reach the caller: Twilio has no such text, and nothing is sent again unasked. What now?";
    decision(
        sentence,
        words,
        &[
            Button::new(BUTTON_SEND, "Send again", row).style(Style::Primary),
            Button::new(BUTTON_LEAVE, "Leave it", row),
        ],
    )
}

/// A reply that reached us too late to be sent unasked.
pub(crate) fn stale(writer: &str, message: &str, words: &str) -> Content {
    let sentence = format!(
        "<@{writer}> this reached me long after you wrote it, so the caller has not got it. Send it now?"
    );
    decision(
        &sentence,
        words,
        &[
            Button::new(BUTTON_SEND, "Send it", message).style(Style::Primary),
            Button::new(BUTTON_LEAVE, "Leave it", message),
        ],
    )
}

fn decision(sentence: &str, words: &str, buttons: &[Button]) -> Content {
    let mut shown = vec![blocks::section(sentence)];
    if !words.is_empty() {
        shown.push(blocks::literal(words));
    }
    shown.push(blocks::actions("decision", buttons));
    Content {
        text: sentence.to_owned(),
        blocks: Some(Value::Array(shown)),
    }
}

/// The button that sends a reply whose fate is not known.
pub(crate) const BUTTON_SEND: &str = "reply_send";
/// The button that says it arrived.
pub(crate) const BUTTON_ARRIVED: &str = "reply_arrived";
/// The button that lets it be.
pub(crate) const BUTTON_LEAVE: &str = "reply_leave";

/// What stands in place of the buttons after one was pressed.
pub(crate) fn decided(action: &str, by: &str) -> String {
    match action {
        BUTTON_SEND => format!("<@{by}> has it sent."),
        BUTTON_ARRIVED => format!("<@{by}> says that it arrived."),
        _ => format!("<@{by}> leaves it as it is. It was not sent again."),
    }
}

/// A button whose question is answered already.
pub(crate) fn already_decided() -> String {
    "Somebody has decided that already. Nothing was changed.".into()
}

/// A button of a version of this program that is gone.
pub(crate) fn unknown_button() -> String {
    "That button does nothing any more. Nothing was changed.".into()
}

/// Twilio cannot be asked what became of a reply.
pub(crate) fn being_looked_for() -> String {
    "Not confirmed: Twilio's answer to the last reply was lost, and its log cannot be read right now. I keep asking and send nothing twice; if it stays unclear I ask you.".into()
}

/// What became of a reply is not known yet, and has not been for a while.
pub(crate) fn still_unclear() -> String {
    "Not confirmed: Twilio's answer to the last reply was lost. I look in its log until it is certain and send nothing twice; what you write now leaves after that.".into()
}

/// A reply waits for Twilio.
pub(crate) fn not_sent_yet() -> String {
    "Not sent yet: Twilio cannot be reached or takes nothing. The last reply leaves as soon as that is over; call if it is urgent.".into()
}

/// A text failed: what happened, and what to do.
pub(crate) fn not_delivered(meaning: Meaning, code: Option<u32>) -> String {
    let sentence = match meaning {
        Meaning::OptedOut => {
            "the caller has texted STOP. Only they can undo that, by texting START"
        }
        Meaning::Landline => "this is a landline or a carrier that takes no texts. Call instead",
        Meaning::NotAMobile => "this number cannot receive texts. Call instead",
        Meaning::Unreachable => "the phone is off or without signal. Try again later, or call",
        Meaning::UnknownNumber => "this number is not in service. Check it with the caller",
        Meaning::Blocked => "the caller's phone or carrier blocks our number. Call instead",
        Meaning::Filtered => {
            "the carrier took it for unwanted advertising. Say it in other words and without links"
        }
        Meaning::InvalidNumber => "this is not a valid phone number",
        Meaning::CountryNotEnabled => {
            "our Twilio account may not text this country. The operator can allow it under Messaging > Geo permissions"
        }
        Meaning::NoRoute => "Twilio has no way to text this number from ours. Call instead",
        Meaning::NotRegistered => {
            "our number is not registered with the carriers. Tell the operator; meanwhile call"
        }
        Meaning::StillBeingSetUp => {
            "our number is still being set up with the carriers. Try again later; meanwhile call"
        }
        Meaning::QueueFull => "too many texts are waiting at Twilio. Try again in a few minutes",
        Meaning::Congested => "the carrier is overloaded. Try again in a few minutes",
        Meaning::TrialAccount => {
            "a Twilio trial account can only text numbers it has verified. Tell the operator"
        }
        Meaning::AccountSuspended => {
            "our Twilio account is suspended. Tell the operator; meanwhile call from another phone"
        }
        Meaning::BadCredentials => {
            "Twilio does not accept our credentials. Tell the operator; meanwhile call"
        }
        Meaning::SenderNotOurs => {
            "our number cannot send this text. Tell the operator; meanwhile call"
        }
        Meaning::TooLong => "it is too long. Send it in shorter pieces",
        Meaning::NothingToSend => "there was nothing in it that a phone could show",
        Meaning::BadMedia => {
            "the file is too large or of a kind that phones do not take. Send the words alone"
        }
        Meaning::DailyLimit => "the carrier's limit for today is used up. Call instead",
        Meaning::Expired => {
            "it could not be sent in time and was dropped. Write it again if it still matters"
        }
        Meaning::TimedOutAtCarrier => {
            "the carrier did not answer. It may have arrived; ask before you send it again"
        }
        Meaning::PumpingBlock => "Twilio suspects fraud behind this number and blocks it",
        Meaning::BadRequest => "Twilio did not understand our request. Tell the operator",
        Meaning::Other => "Twilio or the carrier refused it. Call if it is urgent",
    };
    match code {
        Some(code) => format!("Not delivered: {sentence}. (Twilio error {code})"),
        None => format!("Not delivered: {sentence}."),
    }
}

/// A change of somebody's availability, told in the channel. `by` is mrkdwn: a mention or an escaped name.
pub(crate) fn availability_changed(person: &str, by: &str, said: &Announced<'_>) -> String {
    let mut sentence = format!("*{}* is {}", escape(person), state_in_words(said.state));
    if let Some(until) = &said.until {
        sentence.push_str(&format!(" until {}", until.shown()));
    }
    if !said.reason.is_empty() {
        sentence.push_str(&format!(" ({})", escape(said.reason)));
    }
    sentence.push_str(&format!(", says {by}."));
    sentence
}

/// What is told of a change.
pub(crate) struct Announced<'a> {
    pub(crate) state: AvailabilityState,
    pub(crate) until: Option<Moment>,
    /// For how long that is.
    pub(crate) lasts: Option<SignedDuration>,
    pub(crate) reason: &'a str,
}

/// A moment as people at the desk read it: "14:00", and the day where it is not today.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    at: Zoned,
    today: Date,
}

impl Moment {
    pub(crate) fn new(at: Timestamp, now: Timestamp, zone: &TimeZone) -> Moment {
        Moment {
            at: at.to_zoned(zone.clone()),
            today: now.to_zoned(zone.clone()).date(),
        }
    }

    pub(crate) fn shown(&self) -> String {
        let format = if self.at.date() == self.today {
            "%H:%M"
        } else {
            "%a, %b %-d, %H:%M"
        };
        self.at.strftime(format).to_string()
    }
}

/// The answer to who made a change, or said what was known.
pub(crate) fn availability_kept(person: &str, said: &Announced<'_>, is_new: bool) -> String {
    let already = if is_new { "" } else { "already " };
    let mut sentence = format!(
        "{} is {already}{}",
        escape(person),
        state_in_words(said.state)
    );
    match (&said.until, said.lasts) {
        (Some(until), Some(lasts)) => {
            sentence.push_str(&format!(" until {} ({}).", until.shown(), how_long(lasts)));
        }
        _ if said.state == AvailabilityState::Available => sentence.push('.'),
        _ => sentence.push_str(" until you change it."),
    }
    if said.state != AvailabilityState::Available {
        sentence.push_str(" Calls go to the others meanwhile.");
    }
    sentence
}

/// "30 min", "1 h 30 min", "2 days 3 h".
fn how_long(lasts: SignedDuration) -> String {
    let seconds = lasts.as_secs() + i64::from(lasts.subsec_millis() > 0);
    let minutes = (seconds + 30) / 60;
    let day = |days| if days == 1 { "day" } else { "days" };
    match (minutes / 1_440, minutes / 60 % 24, minutes % 60) {
        _ if seconds < 60 => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} {}", day(days)),
        (days, hours, _) => format!("{days} {} {hours} h", day(days)),
    }
}

pub(super) fn state_in_words(state: AvailabilityState) -> &'static str {
    match state {
        AvailabilityState::Available => "available",
        AvailabilityState::Away => "away",
        AvailabilityState::Dnd => "not to be disturbed",
    }
}

/// One line of `/qdn status`.
pub(crate) fn status_line(
    person: &str,
    known: &Availability,
    until: Option<Moment>,
    reason: &str,
) -> String {
    let mut line = format!("*{}*: {}", escape(person), state_in_words(known.state));
    if let Some(until) = until {
        line.push_str(&format!(" until {}", until.shown()));
    }
    if !reason.is_empty() {
        line.push_str(&format!(" ({})", escape(reason)));
    }
    match (&known.source, known.age) {
        (Source::Assumed, _) => line.push_str(", assumed: nobody has said otherwise"),
        (Source::Override { .. }, Some(age)) => line.push_str(&format!(", said {}", ago(age))),
        (Source::Redis, _) => line.push_str(", says their presence signal"),
        (Source::StatusUrl, Some(age)) => {
            line.push_str(&format!(", said their status page {}", ago(age)));
        }
        (Source::StatusUrl, None) => line.push_str(", says their status page"),
        (Source::Override { .. }, None) => {}
    }
    line
}

/// Nobody can be rung: there are no people in the configuration.
pub(crate) fn no_people() -> String {
    "There is nobody in the configuration who could be rung.".into()
}

/// How the command is used.
pub(crate) fn usage(command: &str) -> String {
    format!(
        "`{command} available` – calls ring you again\n\
         `{command} away 30m lunch` – calls leave you out for 30 minutes; `until 2pm` works too, and so does no time at all\n\
         `{command} dnd 1h` – the same, for when you are there but must not be disturbed\n\
         `{command} away Sergio` – the same for a colleague\n\
         `{command} status` – who is available, and who says so\n\
         `{command} who` – whom a call would ring now, and why\n\
         `{command} why` – why the last call went where it went; `{command} why 0142` for the last one from a number ending so\n\
         `{command} open` – who waits for an answer, longest first\n\
         `{command} name 619-555-0142 Ana López` – what a caller is called, wherever the number is shown\n\
         `{command} text (619) 555-0142 Your driver is outside.` – texts somebody first\n\
         `{command} optout 619-555-0142` – texts this number no more; `undo` behind it takes that back\n\
         `{command} help` – this"
    )
}

/// An unknown word after the command.
pub(crate) fn unknown_word(command: &str, word: &str) -> String {
    format!(
        "There is no `{command} {}`. Here is what there is:\n{}",
        escape(&word.replace('`', "")),
        usage(command)
    )
}

/// The writer is nobody whom calls ring.
pub(crate) fn who_are_you(command: &str, people: &[&str]) -> String {
    format!(
        "Whom do you mean? Calls ring {}: write for example `{command} away {}`. To mean yourself without a name, the operator adds your Slack member ID to the configuration.",
        people.join(", "),
        people.first().unwrap_or(&"Sergio"),
    )
}

/// Somebody was named whom calls do not ring.
pub(crate) fn unknown_person(who: &str, people: &[&str]) -> String {
    format!(
        "Calls do not ring {}: they ring {}. Nothing was changed.",
        escape(who),
        people.join(", ")
    )
}

/// The answer to a command that was done already.
pub(crate) fn done_already() -> String {
    "That was done already. Nothing was changed again.".into()
}

/// Only members of the desk's channel change anything.
pub(crate) fn members_only(channel: &str) -> String {
    format!(
        "Only members of {} can change that. Join the channel and try again.",
        escape(channel)
    )
}

/// Slack does not say whether somebody is a member.
pub(crate) fn membership_unknown(channel: &str) -> String {
    format!(
        "Slack did not say in time whether you are in {}. Nothing was changed; try again, or type the command in that channel.",
        escape(channel)
    )
}

/// A time that has no meaning.
pub(crate) fn bad_time(word: &str) -> String {
    format!(
        "Until when? I do not understand the time \"{}\". Write 30m, 2h, until 2pm or until tomorrow 9am; without any time it holds until you change it. Nothing was changed.",
        escape(word)
    )
}

/// The database did not take a change.
pub(crate) fn not_saved() -> String {
    "That could not be saved just now. Nothing was changed; try again in a minute.".into()
}

/// A command goes on after the time in which Slack wants its answer.
pub(crate) fn not_known_yet(command: &str) -> String {
    format!(
        "That takes longer than usual, and whether it is done is not known yet. Look in the thread, or type `{command} status`, before you try again."
    )
}

/// What only tells something took too long.
pub(crate) fn not_told() -> String {
    "That took too long to find out. Try again in a minute.".into()
}

/// "3 min ago".
pub(super) fn ago(age: SignedDuration) -> String {
    match age.as_secs() {
        ..60 => "just now".to_owned(),
        seconds @ 60..3_600 => format!("{} min ago", seconds / 60),
        seconds @ 3_600..172_800 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

/// Answers that one person sees.
pub(crate) fn ephemeral(text: &str) -> Value {
    json!({ "response_type": "ephemeral", "text": text })
}

#[cfg(test)]
mod tests;
