//! `/qdn available`, `away`, `dnd`, `status`: who can be rung, said by whoever may say so.

use std::collections::HashSet;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::app::App;
use crate::availability::{Availability, State};
use crate::bridge::wording::{self, Announced, Moment};
use crate::config::{Config, Line, Person, parse_duration};
use crate::delivery::{self, Delivery};
use crate::slack::event::SlashCommand;
use crate::slack::mrkdwn::{Names, escape, plain_text};
use crate::store::audit::NewEntry;
use crate::store::{self, Tx};

/// How long a command is remembered so that nobody does it a second time: a signature of Slack's is good for five
/// minutes before and after its own time.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(10);

pub(super) async fn status(app: &App) -> String {
    if app.config.people.is_empty() {
        return wording::no_people();
    }
    let now = app.clock.now();
    let everybody = app.sources.read(&app.config, &app.store, &app.clock).await;
    let lines: Vec<String> = app
        .config
        .people
        .iter()
        .map(|person| {
            let holding = everybody.said.get(&person.name);
            let known = everybody
                .availability
                .get(&person.name)
                .cloned()
                .unwrap_or_else(Availability::assumed);
            let until = holding.and_then(|said| said.until);
            let reason = holding.map_or("", |said| said.reason.as_str());
            wording::status_line(
                &person.name,
                &known,
                until.map(|until| Moment::new(until, now, &app.config.desk.timezone)),
                reason,
            )
        })
        .collect();
    lines.join("\n")
}

pub(super) async fn change(
    app: &App,
    command: &SlashCommand,
    state: State,
    words: Vec<&str>,
) -> anyhow::Result<String> {
    let zone = &app.config.desk.timezone;
    let now = app.clock.now();
    let asked = match parse(&words, &app.config, now, zone) {
        Ok(asked) => asked,
        Err(NotUnderstood::Time(word)) => return Ok(wording::bad_time(&word)),
        Err(NotUnderstood::Person(word)) => {
            return Ok(wording::unknown_person(&word, &names(&app.config)));
        }
    };
    let person = asked
        .person
        .or_else(|| app.config.person_in_slack(command.user_id.as_str()));
    let Some(person) = person else {
        return Ok(wording::who_are_you(&command.command, &names(&app.config)));
    };
    let lines = lines_of(&app.config, person);
    if let Err(refusal) = may_change(app, command, &lines).await {
        return Ok(refusal);
    }
    let until = asked.until.filter(|_| state != State::Available);
    let by = command.user_id.as_str();
    let mut tx = app.store.begin().await?;
    if !is_new(app, &mut tx, person, command).await? {
        tracing::warn!("a command that was done already was told again");
        return Ok(wording::done_already());
    }
    store::availability::say(
        &mut tx,
        &person.name,
        state.as_str(),
        until,
        &asked.reason,
        by,
    )
    .await?;
    let writer = app.config.person_in_slack(by);
    let writer = writer.map_or_else(|| format!("<@{by}>"), |writer| escape(&writer.name));
    let told = Announced {
        state,
        until: until.map(|until| Moment::new(until, now, zone)),
        reason: &asked.reason,
    };
    for line in one_of_each_channel(lines) {
        let content = wording::availability_changed(&person.name, &writer, &told).into();
        let announce = Delivery::Announce {
            channel: line.channel.clone(),
            content,
        };
        delivery::enqueue(
            &mut tx,
            &delivery::channel_lane(line.number.as_str()),
            "",
            "",
            &announce,
        )
        .await?;
    }
    tx.audit(NewEntry {
        line: String::new(),
        number: String::new(),
        subject: person.name.clone(),
        decision: "availability_changed",
        // Their own words stay out of the log, where this is printed.
        reason: format!("{} said {}", command.command, state.as_str()),
        detail: json!({
            "state": state, "until": until.map(|at| at.to_string()), "by": by, "words": asked.reason,
        }),
        at: None,
    });
    tx.commit().await?;
    // A call that finds the database locked goes by what this process heard last.
    app.sources.said.read(&app.store).await;
    Ok(wording::availability_kept(&person.name, &told))
}

/// Whether the command comes for the first time. Slack does not tell a command twice, but whoever got hold of a signed
/// one could.
async fn is_new(
    app: &App,
    tx: &mut Tx,
    person: &Person,
    command: &SlashCommand,
) -> anyhow::Result<bool> {
    let Some(trigger) = &command.trigger_id else {
        return Ok(true);
    };
    let fact = format!("slack.commands.{}", person.name);
    let kept = store::facts::read(&app.store, &fact).await?;
    let mut done: Vec<(i64, String)> = kept
        .and_then(|kept| serde_json::from_str(&kept).ok())
        .unwrap_or_default();
    if done.iter().any(|(_, known)| known == trigger) {
        return Ok(false);
    }
    let now = tx.now();
    let forgotten = now
        .checked_sub(REMEMBERED)
        .map_or(i64::MIN, |at| at.as_millisecond());
    done.retain(|(at, _)| *at > forgotten);
    done.push((now.as_millisecond(), trigger.clone()));
    store::facts::write(tx, &fact, &serde_json::to_string(&done)?).await?;
    Ok(true)
}

fn names(config: &Config) -> Vec<&str> {
    config
        .people
        .iter()
        .map(|person| person.name.as_str())
        .collect()
}

/// The lines on which the person is rung; all of them for somebody who is on none.
fn lines_of<'a>(config: &'a Config, person: &Person) -> Vec<&'a Line> {
    let rings = |line: &&Line| {
        line.ring
            .iter()
            .any(|step| step.people.contains(&person.name))
    };
    let lines: Vec<&Line> = config.lines.iter().filter(rings).collect();
    if lines.is_empty() {
        config.lines.iter().collect()
    } else {
        lines
    }
}

/// Two lines can share a channel, and one note is enough there.
fn one_of_each_channel(lines: Vec<&Line>) -> impl Iterator<Item = &Line> {
    let mut channels = HashSet::new();
    lines
        .into_iter()
        .filter(move |line| channels.insert(line.channel.as_str()))
}

/// Whether the writer is in the channel of one of these lines; otherwise what to tell them.
pub(super) async fn may_change(
    app: &App,
    command: &SlashCommand,
    lines: &[&Line],
) -> Result<(), String> {
    let mut refusal = wording::not_saved();
    for line in lines {
        let channel = match app.directory.channel_id(&line.channel).await {
            Ok(Some(channel)) => channel,
            Ok(None) | Err(_) => {
                refusal = wording::membership_unknown(&line.channel);
                continue;
            }
        };
        match app.directory.is_member(&channel, &command.user_id).await {
            Ok(true) => return Ok(()),
            Ok(false) => refusal = wording::members_only(&line.channel),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "membership is not known");
                refusal = wording::membership_unknown(&line.channel);
            }
        }
    }
    Err(refusal)
}

/// What stands after `available`, `away` or `dnd`.
#[derive(Debug, PartialEq, Eq)]
struct Asked<'a> {
    person: Option<&'a Person>,
    until: Option<Timestamp>,
    reason: String,
}

/// Why nothing is done.
#[derive(Debug, PartialEq, Eq)]
enum NotUnderstood {
    /// It looks like a time and is none.
    Time(String),
    /// Somebody in Slack whom calls do not ring. Taken for a reason it would send the writer away instead.
    Person(String),
}

/// A name and a time in either order, then the reason.
fn parse<'a>(
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
