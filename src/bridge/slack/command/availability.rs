//! `/qdn available`, `away`, `dnd`, `status`: who can be rung, said by whoever may say so.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::asked::{self, NotUnderstood};
use crate::app::App;
use crate::availability::Availability;
use crate::bridge::desk::away_text;
use crate::bridge::desk::membership;
use crate::bridge::wording::{self, Announced, Moment};
use crate::config::{Config, Line, Person};
use crate::delivery::{self, Delivery};
use crate::slack::UserId;
use crate::slack::event::SlashCommand;
use crate::slack::mrkdwn::escape;
use crate::store::audit::NewEntry;
use crate::store::availability::NewOverride;
use crate::store::{self, Tx};
use crate::vocabulary::AvailabilityState;
use crate::vocabulary::Decision;

/// How long a command is remembered so that nobody does it a second time: a signature of Slack's is good for five
/// minutes before and after its own time.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(10);

/// How long Slack may take to say whose colleague somebody is who asks how people are.
const OWN_BUDGET: Duration = Duration::from_secs(1);

pub(super) async fn status(app: &App, user: &UserId) -> String {
    if app.config.people.is_empty() {
        return wording::no_people();
    }
    let all: Vec<&Line> = app.config.lines.iter().collect();
    // How people are is told all the same where Slack is slow: then without the reasons.
    let own = tokio::time::timeout(OWN_BUDGET, membership::own_lines(app, &all, user)).await;
    let own = own.map(Result::unwrap_or_default).unwrap_or_default();
    let told = lines(app, &own).await;
    let told: Vec<String> = told.into_iter().map(|(_, line)| line).collect();
    told.join("\n")
}

/// Everybody's name and how they are; why, only for those who are rung on one of these lines: a reason is for colleagues.
pub(crate) async fn lines(app: &App, own: &[&Line]) -> Vec<(String, String)> {
    let now = app.clock.now();
    let everybody = app.sources.read(&app.config, &app.store, &app.clock).await;
    app.config
        .people
        .iter()
        .map(|person| {
            let holding = everybody.overrides.get(&person.name);
            let known = everybody
                .availability
                .get(&person.name)
                .cloned()
                .unwrap_or_else(Availability::assumed);
            let until = holding.and_then(|said| said.until);
            let is_colleague = lines_of(&app.config, person)
                .iter()
                .any(|line| own.iter().any(|own| own.number == line.number));
            let reason = holding
                .filter(|_| is_colleague)
                .map_or("", |said| said.reason.as_str());
            let line = wording::status_line(
                &person.name,
                &known,
                until.map(|until| Moment::new(until, now, &app.config.desk.timezone)),
                reason,
            );
            (person.name.clone(), line)
        })
        .collect()
}

pub(super) async fn change(
    app: &App,
    command: &SlashCommand,
    state: AvailabilityState,
    words: Vec<&str>,
) -> anyhow::Result<String> {
    let zone = &app.config.desk.timezone;
    let now = app.clock.now();
    let asked = match asked::parse(&words, &app.config, now, zone) {
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
    let said = Saying {
        state,
        until: asked.until,
        reason: asked.reason,
        by: &command.user_id,
        trigger: command.trigger_id.as_deref(),
        with: &command.command,
    };
    set(app, person, said).await
}

/// Something said of a person's availability.
pub(crate) struct Saying<'a> {
    pub(crate) state: AvailabilityState,
    pub(crate) until: Option<Timestamp>,
    pub(crate) reason: String,
    pub(crate) by: &'a UserId,
    /// What it came with; the same does nothing twice.
    pub(crate) trigger: Option<&'a str>,
    /// How it was said: the command, or a place with buttons.
    pub(crate) with: &'a str,
}

/// Keeps what was said, if whoever said it may; back comes the sentence for them.
pub(crate) async fn set(app: &App, person: &Person, said: Saying<'_>) -> anyhow::Result<String> {
    let lines = lines_of(&app.config, person);
    if let Err(refusal) = membership::may_act_on_one(app, &lines, said.by).await {
        return Ok(refusal);
    }
    let state = said.state;
    let until = said.until.filter(|_| state != AvailabilityState::Available);
    let by = said.by.as_str();
    let mut tx = app.store.begin().await?;
    if !is_new(&mut tx, person, said.trigger).await? {
        tracing::warn!("a change of availability that was made already was told again");
        return Ok(wording::done_already());
    }
    let before = store::availability::of(&mut tx, &person.name).await?;
    let is_new = before.is_none_or(|before| {
        before.state != state || before.until() != until || before.reason != said.reason
    });
    let new = NewOverride {
        person: &person.name,
        state,
        until,
        reason: &said.reason,
        said_by: by,
    };
    store::availability::set(&mut tx, &new).await?;
    let (zone, now) = (&app.config.desk.timezone, app.clock.now());
    let told = Announced {
        state,
        until: until.map(|until| Moment::new(until, now, zone)),
        lasts: until.map(|until| until.duration_since(now)),
        reason: &said.reason,
    };
    if is_new {
        announce(&mut tx, app, lines, (&person.name, by), &told).await?;
    }
    store::home_views::mark_stale(&mut tx).await?;
    tx.audit(entry(said.with, &new));
    tx.commit().await?;
    // It is kept: whoever said it need not wait for what follows.
    let app = app.clone();
    tokio::spawn(async move {
        // A call that finds the database locked goes by what this process heard last.
        app.sources.overrides.read(&app.store).await;
        if let Err(error) = away_text::tick(&app).await {
            tracing::warn!(
                error = format!("{error:#}"),
                "whether everybody is away is seen later"
            );
        }
    });
    Ok(wording::availability_kept(&person.name, &told, is_new))
}

fn entry(with: &str, new: &NewOverride<'_>) -> NewEntry {
    NewEntry {
        line: String::new(),
        number: String::new(),
        subject: new.person.to_owned(),
        decision: Decision::AvailabilityChanged,
        // Their own words stay out of it: the trail is kept for ever and read by others.
        reason: format!("{with} said {}", new.state.as_str()),
        detail: json!({
            "state": new.state, "until": new.until.map(|at| at.to_string()), "by": new.said_by,
        }),
        at: None,
    }
}

/// Tells the channels of the person's lines.
async fn announce(
    tx: &mut Tx,
    app: &App,
    lines: Vec<&Line>,
    (person, by): (&str, &str),
    told: &Announced<'_>,
) -> anyhow::Result<()> {
    let writer = app.config.person_in_slack(by);
    let writer = writer.map_or_else(|| format!("<@{by}>"), |writer| escape(&writer.name));
    for line in one_of_each_channel(lines) {
        let announce = Delivery::Announce {
            channel: line.channel.clone(),
            content: wording::availability_changed(person, &writer, told).into(),
            thread_ts: String::new(),
        };
        let lane = delivery::channel_lane(line.number.as_str());
        delivery::enqueue(tx, &lane, None, None, &announce).await?;
    }
    Ok(())
}

/// Whether the command comes for the first time. Slack does not tell a command twice, but whoever got hold of a signed
/// one could.
async fn is_new(tx: &mut Tx, person: &Person, trigger: Option<&str>) -> anyhow::Result<bool> {
    let Some(trigger) = trigger else {
        return Ok(true);
    };
    let fact = format!("slack.commands.{}", person.name);
    let kept = store::kv::read(&mut *tx, &fact).await?;
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
    done.push((now.as_millisecond(), trigger.to_owned()));
    store::kv::write(tx, &fact, &serde_json::to_string(&done)?).await?;
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
