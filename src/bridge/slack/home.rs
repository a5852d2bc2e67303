//! The Home tab: who is available, who waits, the day's numbers and what is stuck, for members of a line's channel.
//!
//! It is composed when it is sent. Opening it publishes it at once. Afterwards a change updates it for people who opened it
//! in the last [`OPEN_FOR`], for at most [`PEOPLE`] of them and at most once in [`APART`] each.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::app::App;
use crate::bridge::desk::membership;
use crate::bridge::slack::command::{availability, open};
use crate::bridge::wording::home::{self, Day, Fallback, Page};
use crate::config::Line;
use crate::delivery::{self, Delivery};
use crate::slack::UserId;
use crate::slack::event::BlockActions;
use crate::store::{self, Tx, daily_stats, home_views, kv};
use crate::vocabulary::AvailabilityState;
use crate::vocabulary::DeliveryState;

/// How often it is looked whether a home is out of date.
pub(crate) const LOOKS: Duration = Duration::from_secs(1);

/// How long after it was opened a home is kept up to date.
const OPEN_FOR: SignedDuration = SignedDuration::from_hours(8);

/// For how many people homes are kept up to date: each costs a request.
const PEOPLE: i64 = 50;

/// How far apart one person's updates are at least.
const APART: SignedDuration = SignedDuration::from_secs(10);

/// How many of those who wait are listed.
const LISTED: i64 = 15;

/// Somebody opened their home.
pub(crate) async fn receive(app: &App, user: &UserId) -> anyhow::Result<()> {
    let mut tx = app.store.begin().await?;
    home_views::opened(&mut tx, user.as_str()).await?;
    enqueue(&mut tx, user.as_str(), "").await?;
    tx.commit().await
}

/// Whether it stands in a home.
pub(crate) fn is_its_button(action: &str) -> bool {
    [home::BUTTON_AVAILABLE, home::BUTTON_AWAY, home::BUTTON_DND].contains(&action)
}

/// A button of a Home tab was pressed. The result is shown at the top of the tab.
pub(crate) async fn press(
    app: &App,
    pressed: &BlockActions,
    action: &str,
    person: &str,
) -> anyhow::Result<()> {
    let state = match action {
        home::BUTTON_AVAILABLE => AvailabilityState::Available,
        home::BUTTON_AWAY => AvailabilityState::Away,
        _ => AvailabilityState::Dnd,
    };
    let trigger = pressed.trigger_id.as_deref();
    let notice = match app.config.person(person) {
        Some(person) => {
            let said = availability::Saying {
                state,
                until: None,
                reason: String::new(),
                by: &pressed.user,
                trigger,
                with: "the app's home",
            };
            availability::set(app, person, said).await?
        }
        None => home::person_is_gone(),
    };
    let mut tx = app.store.begin().await?;
    home_views::opened(&mut tx, pressed.user.as_str()).await?;
    enqueue(&mut tx, pressed.user.as_str(), &notice).await?;
    tx.commit().await
}

/// Queues updates of the Home tabs that are out of date.
pub(crate) async fn tick(app: &App) -> anyhow::Result<()> {
    if !home_views::any_stale(&app.store).await? {
        return Ok(());
    }
    let mut tx = app.store.begin().await?;
    let (opened_after, published_before) = (
        tx.now().checked_sub(OPEN_FOR)?,
        tx.now().checked_sub(APART)?,
    );
    for person in home_views::take_stale(&mut tx, opened_after, published_before, PEOPLE).await? {
        enqueue(&mut tx, &person, "").await?;
    }
    tx.commit().await
}

async fn enqueue(tx: &mut Tx, person: &str, notice: &str) -> anyhow::Result<()> {
    let lane = delivery::home_lane(person);
    // What has yet to be made shows everything but somebody's answer.
    if notice.is_empty() && store::outbox::is_to_come(tx, &lane.id).await? {
        return Ok(());
    }
    let home = Delivery::Home {
        person: person.to_owned(),
        notice: notice.to_owned(),
    };
    delivery::enqueue(tx, &lane, None, None, &home).await?;
    Ok(())
}

/// Composes a person's Home tab from the current state.
pub(crate) async fn compose(app: &App, user: &UserId, notice: &str) -> anyhow::Result<Value> {
    // An error turns nobody away: the home is made again.
    let lines = membership::lines_of(app, user).await?;
    if lines.is_empty() {
        let channels = app.config.lines.iter().map(|line| line.channel.as_str());
        return Ok(home::closed(&channels.collect::<Vec<_>>()));
    }
    let zone = &app.config.desk.timezone;
    let now = app.store.now();
    let midnight = midnight(now, zone)?;
    let numbers: Vec<&str> = lines.iter().map(|line| line.number.as_str()).collect();
    let tally = daily_stats::since(&app.store, &numbers, midnight).await?;
    let refused = daily_stats::refused(&app.store, midnight).await?;
    let depths = store::outbox::depths(&app.store).await?;
    let stuck = |state: DeliveryState| {
        let found = depths.iter().find(|depth| depth.state == state);
        found.map_or(0, |depth| depth.deliveries)
    };
    let mut fallbacks = Vec::new();
    for line in &lines {
        let known = kv::read(&app.store, &fallback_fact(line)).await?;
        fallbacks.push((line.name.as_str(), Fallback::parse(known.as_deref())));
    }
    Ok(home::page(&Page {
        notice,
        people: availability::lines(app, &lines).await,
        waiting: open::list(app, &lines, LISTED).await?,
        day: Day {
            texts: tally.texts,
            replies: tally.replies,
            calls: tally.calls,
            missed: tally.missed,
        },
        undecided: stuck(DeliveryState::Undecided),
        held: stuck(DeliveryState::Blocked),
        refused,
        fallbacks,
        at: now.to_zoned(zone.clone()).strftime("%H:%M").to_string(),
    }))
}

/// The key of the record of how a line's calls are forwarded while the service is down.
pub(crate) fn fallback_fact(line: &Line) -> String {
    format!("twilio.fallback.{}", line.number.as_str())
}

fn midnight(now: jiff::Timestamp, zone: &TimeZone) -> anyhow::Result<jiff::Timestamp> {
    Ok(now.to_zoned(zone.clone()).start_of_day()?.timestamp())
}
