//! Whom a call would ring, and why one went where it went.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::availability::{Availability, Source};
use crate::phone::Address;
use crate::routing::{Considered, Verdict};
use crate::slack::mrkdwn::escape;

use super::{ago, desk, state_in_words};

/// Whom a call would ring now, in what order, and why.
pub(crate) fn who(
    line: Option<&str>,
    rounds: &[(Vec<String>, u32)],
    considered: &[Considered],
) -> String {
    let mut told = vec![match line {
        Some(line) => format!("A call to *{}* would ring now:", escape(line)),
        None => "A call would ring now:".to_owned(),
    }];
    for (n, (people, seconds)) in rounds.iter().enumerate() {
        let people: Vec<String> = people.iter().map(|name| escape(name)).collect();
        let people = people.join(" and ");
        told.push(format!("{}. *{people}*, for {seconds} s", n + 1));
    }
    told.push(format!(
        "{}. then the caller can leave a message",
        rounds.len() + 1
    ));
    for one in considered {
        let name = escape(&one.name);
        let known = availability(&one.availability);
        told.push(match one.verdict {
            Verdict::Rung => format!("• {name}: {known}"),
            Verdict::RungAlways => format!("• {name}: rung in any case ({known})"),
            Verdict::RungAsLast => {
                format!("• {name}: {known}, but rung because nobody else is left")
            }
            Verdict::RungThoughOnThePhone | Verdict::OnThePhone => {
                format!("• {name}: on the phone with another caller, rung when nobody else is left")
            }
            Verdict::Skipped => format!("• {name}: left out, because {known}"),
            Verdict::AlreadyTried => format!("• {name}: not a second time"),
            Verdict::SameTelephone => format!("• {name}: has the same telephone as somebody else"),
        });
    }
    told.join("\n")
}

/// "away, said 3 min ago".
fn availability(known: &Availability) -> String {
    let state = state_in_words(known.state);
    match (&known.source, known.age) {
        (Source::Assumed, _) => format!("{state}, assumed: nobody has said otherwise"),
        (Source::Override { .. }, Some(age)) => format!("{state}, said {}", ago(age)),
        (Source::Override { .. }, None) => format!("{state}, as was said"),
        (Source::Redis, _) => format!("{state}, says their presence signal"),
        (Source::StatusUrl, _) => format!("{state}, says their status page"),
    }
}

/// "1 Jul, 14:02", in the desk's time zone.
pub(crate) fn when(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%-d %b, %H:%M")
        .to_string()
}

/// Which call is explained.
pub(crate) fn title(caller: &Address, name: Option<&str>, at: &str) -> String {
    let who = desk::who(caller, name).replace('*', "");
    format!("*The call from {who}, {at}*")
}

/// Why somebody was rung or not.
pub(crate) fn person(one: &Considered, seconds: Option<u64>) -> String {
    let name = escape(&one.name);
    let known = availability(&one.availability);
    let lasting = seconds.map_or_else(String::new, |seconds| format!(" for {seconds} s"));
    match one.verdict {
        Verdict::Rung => format!("• {name} was rung{lasting}: {known}."),
        Verdict::RungAlways => format!("• {name} was rung{lasting}, as always ({known})."),
        Verdict::RungAsLast => {
            format!("• {name} was rung{lasting} although {known}: nobody else was left.")
        }
        Verdict::RungThoughOnThePhone => format!(
            "• {name} was rung{lasting} although on the phone with another caller: nobody else was left."
        ),
        Verdict::Skipped => format!("• {name} was left out: {known}."),
        Verdict::OnThePhone => {
            format!("• {name} was left out: on the phone with another caller.")
        }
        Verdict::AlreadyTried => format!("• {name} was left out: had their turn already."),
        Verdict::SameTelephone => {
            format!("• {name} was left out: has the same telephone as somebody else.")
        }
    }
}

/// One thing that happened, in the audit's own words.
pub(crate) fn happened(reason: &str) -> String {
    let mut letters = reason.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!(
        "• {}{}.",
        first.unwrap_or_default(),
        escape(letters.as_str())
    )
}

/// Nobody was left to ring.
pub(crate) fn nobody() -> String {
    "• Nobody was left to ring: the caller was asked to leave a message.".to_owned()
}

/// Somebody talked with the caller.
pub(crate) fn answered(person: &str, seconds: i64) -> String {
    let who = match person {
        "" => "Somebody".to_owned(),
        person => escape(person),
    };
    format!(
        "• {who} was connected with the caller, {} in all.",
        super::calls::duration(seconds)
    )
}

/// There is no such call.
pub(crate) fn no_such_call(digits: &str) -> String {
    match digits {
        "" => "There has been no call yet.".to_owned(),
        digits => format!("There has been no call from a number that ends with {digits}."),
    }
}

/// What stands after `why` is no number.
pub(crate) fn of_what(command: &str) -> String {
    format!(
        "Write `{command} why` for the last call, or `{command} why 0142` for the last one from a number that ends so."
    )
}

/// The database does not answer.
pub(crate) fn cannot_look_up() -> String {
    "That cannot be looked up just now. Try again in a minute.".to_owned()
}
