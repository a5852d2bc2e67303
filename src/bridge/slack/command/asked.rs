//! What stands behind `available`, `away` or `dnd`: who, until when, why.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::when;
use crate::config::{Config, Person};
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

/// A name and a time in either order, then the reason; or the time behind the reason.
pub(super) fn parse<'a>(
    words: &[&str],
    config: &'a Config,
    now: Timestamp,
    zone: &TimeZone,
) -> Result<Asked<'a>, NotUnderstood> {
    let mut person = words.first().and_then(|word| named(word, config));
    let mut rest = words[usize::from(person.is_some())..].to_vec();
    let found = when::find(&rest, now, zone).map_err(|words| NotUnderstood::Time(plain(&words)))?;
    if let Some(found) = &found {
        rest.drain(found.first..found.end);
    }
    if person.is_none()
        && let Some(first) = rest.first()
    {
        person = named(first, config);
        if person.is_none() && first.starts_with("<@") {
            return Err(NotUnderstood::Person(plain(first)));
        }
        if person.is_some() {
            rest.remove(0);
        }
    }
    // "lunch, 30m"
    let reason = plain(&rest.join(" "));
    Ok(Asked {
        person,
        until: found.map(|found| found.until),
        reason: reason
            .trim_end_matches([',', ';', ':', '-', '–'])
            .trim_end()
            .to_owned(),
    })
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
            (
                "dentist, 2h",
                None,
                Some(at("2026-07-01T21:00:00Z")),
                "dentist",
            ),
            (
                "Sergio lunch 30m",
                Some("Sergio"),
                Some(at("2026-07-01T19:30:00Z")),
                "lunch",
            ),
            (
                "Sergio half an hour",
                Some("Sergio"),
                Some(at("2026-07-01T19:30:00Z")),
                "",
            ),
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
            ("Sergio until the parade", "the parade"),
            ("tomorrow", "tomorrow"),
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
        let stranger = parse(&["1h", "<@U0DORA|dora>"], &config, now, &zone);
        assert_eq!(stranger, Err(NotUnderstood::Person("@dora".to_owned())));
    }
}
