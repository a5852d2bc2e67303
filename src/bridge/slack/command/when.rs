//! Until when somebody is away, found in what they typed: `30m`, `half an hour`, `until 2pm`, first or last.
//!
//! Words that look like a time and are not understood are asked about. Taken for a reason they would send somebody away
//! for good.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A time and where it stands among the words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) until: Timestamp,
    pub(super) first: usize,
    /// Behind its last word.
    pub(super) end: usize,
}

/// The one time in these words, `None` where there is nothing like one. The error is what looks like a time and is not
/// understood.
pub(super) fn find(
    words: &[&str],
    now: Timestamp,
    zone: &TimeZone,
) -> Result<Option<Found>, String> {
    let plain: Vec<String> = words.iter().map(|word| plain(word)).collect();
    let plain: Vec<&str> = plain.iter().map(String::as_str).collect();
    let here = Here { now, zone };
    for first in 0..plain.len() {
        match here.phrase(&plain[first..]) {
            Phrase::Until(until, length) => {
                let end = first + length;
                // "from 2pm until 4pm": nobody is away from later on, and two times contradict each other.
                let others = plain[..first].iter().chain(&plain[end..]);
                if others.clone().any(|word| is_time_for_certain(word))
                    || starts_later(&plain[..first])
                {
                    return Err(words.join(" "));
                }
                return Ok(Some(Found { until, first, end }));
            }
            Phrase::NotUnderstood(from, end) => {
                return Err(words[first + from..first + end].join(" "));
            }
            Phrase::Other => {}
        }
    }
    match plain.iter().position(|word| looks_like_a_time(word)) {
        Some(at) => Err(words[at].to_owned()),
        None => Ok(None),
    }
}

/// In small letters, without the punctuation around it. Slack's own markup is no time.
fn plain(word: &str) -> String {
    if word.starts_with('<') {
        return String::new();
    }
    let around = |letter: char| ",.;:!?()[]\"-–—".contains(letter);
    word.trim_matches(around).to_lowercase().replace('’', "'")
}

enum Phrase {
    /// A time of that many words.
    Until(Timestamp, usize),
    /// It begins like one: from and to which word that goes.
    NotUnderstood(usize, usize),
    Other,
}

struct Here<'a> {
    now: Timestamp,
    zone: &'a TimeZone,
}

impl Here<'_> {
    /// What the words begin with.
    fn phrase(&self, words: &[&str]) -> Phrase {
        let until = match words {
            ["until" | "till" | "til" | "'til" | "'till", rest @ ..] => {
                Some((self.moment(rest), 1))
            }
            ["back", "at" | "by", rest @ ..] => Some((self.moment(rest), 2)),
            ["back", "in", rest @ ..] => Some((self.lasting(rest), 2)),
            ["for", rest @ ..] => {
                return match self.lasting(rest).or_else(|| self.rest_of_the_day(rest)) {
                    Some((until, length)) => Phrase::Until(until, length + 1),
                    None => Phrase::Other,
                };
            }
            _ => None,
        };
        if let Some((found, before)) = until {
            return match found {
                Some((until, length)) => Phrase::Until(until, length + before),
                None if before == words.len() => Phrase::NotUnderstood(0, before),
                None => Phrase::NotUnderstood(before, words.len()),
            };
        }
        if let Some((until, length)) = self.rest_of_the_day(words).or_else(|| self.lasting(words)) {
            return Phrase::Until(until, length);
        }
        match duration(words) {
            // Nothing, or longer than there are dates.
            Some((_, length)) => Phrase::NotUnderstood(0, length),
            None => Phrase::Other,
        }
    }

    /// So long from now.
    fn lasting(&self, words: &[&str]) -> Option<(Timestamp, usize)> {
        let (seconds, length) = duration(words)?;
        let lasts = SignedDuration::try_from_secs_f64(seconds).ok()?;
        let until = self.now.checked_add(lasts).ok()?;
        (lasts.as_secs() > 0).then_some((until, length))
    }

    /// "today", "all day": to its end.
    fn rest_of_the_day(&self, words: &[&str]) -> Option<(Timestamp, usize)> {
        let length = match words {
            ["rest", "of", "the" | "today", "day", ..] => 4,
            ["the", "rest", "of", "the", "day", ..] => 5,
            ["all" | "whole", "day", ..] => 2,
            ["today", ..] => 1,
            _ => return None,
        };
        let tomorrow = self.today().tomorrow().ok()?;
        Some((self.shown_on(tomorrow, Time::midnight())?, length))
    }

    /// "14:00", "2 pm", "tomorrow at 9am", "9am on Monday".
    fn moment(&self, words: &[&str]) -> Option<(Timestamp, usize)> {
        if let Some((day, after)) = self.day(words) {
            let at = usize::from(words.get(after) == Some(&"at"));
            let (time, length) = clock(words.get(after + at..)?)?;
            return Some((self.shown_on(day, time)?, after + at + length));
        }
        let (time, length) = clock(words)?;
        let on = usize::from(words.get(length) == Some(&"on"));
        if let Some((day, more)) = self.day(words.get(length + on..)?) {
            return Some((self.shown_on(day, time)?, length + on + more));
        }
        Some((self.next(time)?, length))
    }

    /// A day by its name, and how many words that is.
    fn day(&self, words: &[&str]) -> Option<(Date, usize)> {
        let today = self.today();
        match *words.first()? {
            "today" => Some((today, 1)),
            "tomorrow" => Some((today.tomorrow().ok()?, 1)),
            name => Some((today.nth_weekday(1, weekday(name)?).ok()?, 1)),
        }
    }

    fn today(&self) -> Date {
        self.now.to_zoned(self.zone.clone()).date()
    }

    /// When the clock shows this on that day, if that is to come.
    fn shown_on(&self, date: Date, time: Time) -> Option<Timestamp> {
        let at = self.zone.to_ambiguous_zoned(date.to_datetime(time));
        let at = at.compatible().ok()?.timestamp();
        (at > self.now).then_some(at)
    }

    /// The next time the clock shows this, today or tomorrow. A time that a change of the clock leaves out is shown an hour
    /// later, and one that it repeats is shown twice.
    fn next(&self, time: Time) -> Option<Timestamp> {
        let today = self.today();
        [today, today.tomorrow().ok()?]
            .into_iter()
            .flat_map(|date| {
                let shown = || self.zone.to_ambiguous_zoned(date.to_datetime(time));
                [shown().compatible(), shown().later()]
            })
            .filter_map(|at| Some(at.ok()?.timestamp()))
            .find(|at| *at > self.now)
    }
}

/// A time of day, and how many words that is. An hour without minutes has to say which half of the day it is in.
fn clock(words: &[&str]) -> Option<(Time, usize)> {
    let word = *words.first()?;
    match word {
        "noon" | "midday" => return Some((Time::constant(12, 0, 0, 0), 1)),
        "midnight" => return Some((Time::midnight(), 1)),
        _ => {}
    }
    if let Ok(time) = Time::strptime("%H:%M", word) {
        return match words.get(1).and_then(|next| afternoon(next)) {
            Some(afternoon) => Some((on_twelve(time.hour(), time.minute(), afternoon)?, 2)),
            None => Some((time, 1)),
        };
    }
    let digits = word.trim_end_matches(|letter: char| letter.is_alphabetic() || letter == '.');
    let (half, length) = match &word[digits.len()..] {
        "" => (afternoon(words.get(1)?)?, 2),
        half => (afternoon(half)?, 1),
    };
    let (hour, minute) = digits.split_once(':').unwrap_or((digits, "0"));
    let time = on_twelve(hour.parse().ok()?, minute.parse().ok()?, half)?;
    Some((time, length))
}

fn afternoon(word: &str) -> Option<bool> {
    match word {
        "am" | "a.m" | "a.m." => Some(false),
        "pm" | "p.m" | "p.m." => Some(true),
        _ => None,
    }
}

fn on_twelve(hour: i8, minute: i8, afternoon: bool) -> Option<Time> {
    let hour = (1..=12).contains(&hour).then_some(hour % 12)?;
    Time::new(hour + if afternoon { 12 } else { 0 }, minute, 0, 0).ok()
}

/// "1h30m", "30 minutes", "an hour and a half": seconds, and how many words that is.
fn duration(words: &[&str]) -> Option<(f64, usize)> {
    let (mut seconds, mut smallest, mut length) = one_duration(words)?;
    loop {
        let and = usize::from(words.get(length) == Some(&"and"));
        let more = words.get(length + and..).and_then(one_duration);
        // "1 h 30 min" is one time, "1 h 2 h" is two.
        let Some((more, unit, words)) = more.filter(|(more, ..)| *more < smallest) else {
            return Some((seconds, length));
        };
        seconds += more;
        smallest = unit;
        length += and + words;
    }
}

/// Seconds, the length of its smallest unit, and how many words that is.
fn one_duration(words: &[&str]) -> Option<(f64, f64, usize)> {
    let first = *words.first()?;
    if first.starts_with(|letter: char| letter.is_ascii_digit())
        && let Some((seconds, unit)) = glued(first)
    {
        return Some((seconds, unit, 1));
    }
    if first == "half" {
        let article = usize::from(matches!(words.get(1), Some(&"a" | &"an")));
        let unit = unit(words.get(1 + article)?).filter(|unit| *unit >= 60.0)?;
        return Some((unit / 2.0, unit, 2 + article));
    }
    let half = |at: usize| words.get(at..at + 3) == Some(&["and", "a", "half"]);
    let (mut count, mut length) = (number(first)?, 1);
    if half(length) {
        count += 0.5;
        length += 3;
    }
    let unit = unit(words.get(length)?)?;
    // "a second job" is no time: nobody is away for so few seconds that they are written in words.
    if unit < 60.0 && !first.starts_with(|letter: char| letter.is_ascii_digit()) {
        return None;
    }
    length += 1;
    if half(length) {
        count += 0.5;
        length += 3;
    }
    Some((count * unit, unit, length))
}

/// "1h30m", "45min", "1.5h": seconds, and the length of its last unit.
fn glued(word: &str) -> Option<(f64, f64)> {
    let (mut rest, mut seconds, mut last) = (word, 0.0, 0.0);
    while !rest.is_empty() {
        let of = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (count, behind) = rest.split_at(of);
        let end = behind
            .find(|letter: char| letter.is_ascii_digit())
            .unwrap_or(behind.len());
        last = unit(&behind[..end])?;
        seconds += count.parse::<f64>().ok()? * last;
        rest = &behind[end..];
    }
    Some((seconds, last))
}

/// A unit of time in seconds.
fn unit(word: &str) -> Option<f64> {
    match word {
        "s" | "sec" | "secs" | "second" | "seconds" => Some(1.0),
        "m" | "min" | "mins" | "minute" | "minutes" => Some(60.0),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some(3_600.0),
        "d" | "day" | "days" => Some(86_400.0),
        "w" | "wk" | "wks" | "week" | "weeks" => Some(604_800.0),
        _ => None,
    }
}

const NUMBERS: [(&str, f64); 17] = [
    ("a", 1.0),
    ("an", 1.0),
    ("one", 1.0),
    ("two", 2.0),
    ("three", 3.0),
    ("four", 4.0),
    ("five", 5.0),
    ("six", 6.0),
    ("seven", 7.0),
    ("eight", 8.0),
    ("nine", 9.0),
    ("ten", 10.0),
    ("fifteen", 15.0),
    ("twenty", 20.0),
    ("thirty", 30.0),
    ("forty", 40.0),
    ("ninety", 90.0),
];

fn number(word: &str) -> Option<f64> {
    if let Some((_, number)) = NUMBERS.iter().find(|(name, _)| *name == word) {
        return Some(*number);
    }
    let digits = word.starts_with(|letter: char| letter.is_ascii_digit());
    digits.then(|| word.parse().ok()).flatten()
}

fn weekday(word: &str) -> Option<Weekday> {
    match word {
        "monday" | "mon" => Some(Weekday::Monday),
        "tuesday" | "tue" | "tues" => Some(Weekday::Tuesday),
        "wednesday" | "wed" => Some(Weekday::Wednesday),
        "thursday" | "thu" | "thurs" => Some(Weekday::Thursday),
        "friday" | "fri" => Some(Weekday::Friday),
        "saturday" => Some(Weekday::Saturday),
        "sunday" => Some(Weekday::Sunday),
        _ => None,
    }
}

/// Words of times that cannot be told from the clock alone.
const VAGUE: &[&str] = &[
    "until",
    "till",
    "til",
    "'til",
    "'till",
    "today",
    "tomorrow",
    "tonight",
    "noon",
    "midday",
    "midnight",
    "morning",
    "afternoon",
    "evening",
    "night",
    "weekend",
    "half",
    "quarter",
    "hour",
    "hours",
    "minute",
    "minutes",
    "seconds",
    "secs",
    "min",
    "mins",
    "day",
    "days",
    "week",
    "weeks",
    "month",
    "months",
    "soon",
    "later",
    "while",
];

/// Whether a word may be meant for a time.
fn looks_like_a_time(word: &str) -> bool {
    word.chars().any(char::is_numeric) || VAGUE.contains(&word) || weekday(word).is_some()
}

/// Whether a word cannot be meant for anything else.
fn is_time_for_certain(word: &str) -> bool {
    let starts = word.starts_with(|letter: char| letter.is_ascii_digit());
    matches!(
        word,
        "until" | "till" | "til" | "tomorrow" | "noon" | "midnight"
    ) || weekday(word).is_some()
        || clock(&[word]).is_some()
        || (starts && glued(word).is_some())
}

/// "away in 30m": what is said holds from now on.
fn starts_later(before: &[&str]) -> bool {
    matches!(
        before.last(),
        Some(&"in" | &"after" | &"from" | &"at" | &"starting")
    )
}

#[cfg(test)]
mod tests;
