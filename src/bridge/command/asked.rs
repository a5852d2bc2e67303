//! What stands behind `available`, `away` or `dnd`: who, until when, why.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::config::{Config, Person, parse_duration};
use crate::slack::mrkdwn::{Names, plain_text};

/// What stands after `available`, `away` or `dnd`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    pub(super) person: Option<&'a Person>,
    pub(super) until: Option<Timestamp>,
    pub(super) reason: String,
}

/// Why nothing is done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotUnderstood {
    /// It looks like a time and is none.
    Time(String),
    /// Somebody in Slack whom calls do not ring. Taken for a reason it would send the writer away instead.
    Person(String),
}

/// A name and a time in either order, then the reason.
pub(super) fn parse<'a>(
    words: &[&str],
    config: &'a Config,
    now: Timestamp,
    zone: &TimeZone,
) -> Result<Asked<'a>, NotUnderstood> {
    let mut asked = Asked {
        person: None,
        until: None,
        reason: String::new(),
    };
    let mut rest = words;
    while let Some((word, after)) = rest.split_first() {
        if asked.person.is_none()
            && let Some(person) = named(word, config)
        {
            asked.person = Some(person);
        } else if asked.until.is_none() && word.eq_ignore_ascii_case("until") {
            let Some((time, later)) = after.split_first() else {
                return Err(NotUnderstood::Time((*word).to_owned()));
            };
            let bad = || NotUnderstood::Time((*time).to_owned());
            asked.until = Some(next_at(time, now, zone).ok_or_else(bad)?);
            rest = later;
            continue;
        } else if asked.until.is_none() && word.starts_with(|first: char| first.is_ascii_digit()) {
            let bad = || NotUnderstood::Time((*word).to_owned());
            let lasts = parse_duration(word)
                .filter(|lasts| !lasts.is_zero())
                .and_then(|lasts| SignedDuration::try_from(lasts).ok())
                .ok_or_else(bad)?;
            asked.until = Some(now.checked_add(lasts).map_err(|_| bad())?);
        } else if asked.person.is_none() && word.starts_with("<@") {
            return Err(NotUnderstood::Person(plain(word)));
        } else {
            break;
        }
        rest = after;
    }
    asked.reason = plain(&rest.join(" "));
    Ok(asked)
}

/// Slack's markup as words: a colleague who is mentioned in a reason is not to be rung by it.
fn plain(text: &str) -> String {
    plain_text(text, &Names::default())
}

/// The person whom a word names: by name, with or without `@`, or by a mention.
fn named<'a>(word: &str, config: &'a Config) -> Option<&'a Person> {
    match word
        .strip_prefix("<@")
        .and_then(|rest| rest.strip_suffix('>'))
    {
        Some(mention) => config.person_in_slack(mention.split('|').next().unwrap_or_default()),
        None => config.person(word.trim_start_matches('@')),
    }
}

/// The next time the clock shows this, today or tomorrow. A time that a change of the clock leaves out is shown an hour
/// later, and one that it repeats is shown twice.
fn next_at(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let time = Time::strptime("%H:%M", text).ok()?;
    let today = now.to_zoned(zone.clone()).date();
    [today, today.tomorrow().ok()?]
        .into_iter()
        .flat_map(|date| {
            let shown = || zone.to_ambiguous_zoned(date.to_datetime(time));
            [shown().compatible(), shown().later()]
        })
        .filter_map(|at| Some(at.ok()?.timestamp()))
        .find(|at| *at > now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    fn config() -> Config {
        let text = r##"
            public_url = "https://desk.example"
            people = [
                { name = "Sergio", phone = "+16195550111", slack = "U0SERGIO" },
                { name = "Backup", phone = "+18585550112" },
            ]
            lines = [{ name = "QDN", number = "+16195550100", channel = "#qdn-dispatch", ring = [{ people = ["Sergio"], seconds = 15 }] }]
        "##;
        Config::parse(text, &Environment::default()).unwrap()
    }

    #[test]
    fn a_name_a_time_and_a_reason_are_told_apart() {
        let config = config();
        let zone = TimeZone::get("America/Los_Angeles").unwrap();
        // 12:00 in San Diego.
        let now: Timestamp = "2026-07-01T19:00:00Z".parse().unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for (text, person, until, reason) in [
            ("", None, None, ""),
            ("30m", None, Some(at("2026-07-01T19:30:00Z")), ""),
            (
                "30m lunch with Sergio",
                None,
                Some(at("2026-07-01T19:30:00Z")),
                "lunch with Sergio",
            ),
            ("until 14:00", None, Some(at("2026-07-01T21:00:00Z")), ""),
            (
                "until 11:00 early",
                None,
                Some(at("2026-07-02T18:00:00Z")),
                "early",
            ),
            ("Sergio", Some("Sergio"), None, ""),
            (
                "sergio 2h",
                Some("Sergio"),
                Some(at("2026-07-01T21:00:00Z")),
                "",
            ),
            (
                "2h @Backup dentist",
                Some("Backup"),
                Some(at("2026-07-01T21:00:00Z")),
                "dentist",
            ),
            (
                "<@U0SERGIO|serge> 1d",
                Some("Sergio"),
                Some(at("2026-07-02T19:00:00Z")),
                "",
            ),
            ("dentist 2h", None, None, "dentist 2h"),
            (
                "a &amp; b with <@U0DORA|dora>, &lt;!here&gt;",
                None,
                None,
                "a & b with @dora, <!here>",
            ),
        ] {
            let words: Vec<&str> = text.split_whitespace().collect();
            let asked = parse(&words, &config, now, &zone).unwrap();
            assert_eq!(
                (
                    asked.person.map(|person| person.name.as_str()),
                    asked.until,
                    asked.reason.as_str()
                ),
                (person, until, reason),
                "{text}"
            );
        }
        for (text, word) in [
            ("30", "30"),
            ("until noon", "noon"),
            ("until", "until"),
            ("25:00", "25:00"),
            ("until 25:00", "25:00"),
            ("0m", "0m"),
            ("99999999999h", "99999999999h"),
        ] {
            let words: Vec<&str> = text.split_whitespace().collect();
            assert_eq!(
                parse(&words, &config, now, &zone),
                Err(NotUnderstood::Time(word.to_owned())),
                "{text}"
            );
        }
        for (now, text, until) in [
            // Over midnight.
            ("2026-07-02T06:50:00Z", "00:15", "2026-07-02T07:15:00Z"),
            ("2026-07-02T06:50:00Z", "23:50", "2026-07-03T06:50:00Z"),
            ("2026-07-02T06:50:00Z", "9:05", "2026-07-02T16:05:00Z"),
            // The clock goes forward from 2:00 to 3:00, and back from 2:00 to 1:00.
            ("2026-03-08T09:00:00Z", "02:30", "2026-03-08T10:30:00Z"),
            ("2026-03-08T09:00:00Z", "14:00", "2026-03-08T21:00:00Z"),
            ("2026-03-07T23:00:00Z", "14:00", "2026-03-08T21:00:00Z"),
            ("2026-11-01T07:30:00Z", "01:30", "2026-11-01T08:30:00Z"),
            ("2026-11-01T08:45:00Z", "01:30", "2026-11-01T09:30:00Z"),
            ("2026-11-01T09:45:00Z", "01:30", "2026-11-02T09:30:00Z"),
            ("2026-11-01T08:45:00Z", "14:00", "2026-11-01T22:00:00Z"),
        ] {
            assert_eq!(
                next_at(text, at(now), &zone),
                Some(at(until)),
                "{text} at {now}"
            );
        }
        let stranger = parse(&["1h", "<@U0DORA|dora>"], &config, now, &zone);
        assert_eq!(stranger, Err(NotUnderstood::Person("@dora".to_owned())));
    }
}
