//! OUT: sends deliveries. Each is durable before it is sent, ordered within its lane, and settled if its result is unknown.
//!
//! Each throttle (a line's Slack channel, a line's Twilio number, the reactions) has its own worker, so trouble with one vendor
//! does not block another. A worker claims the due heads of lanes, and each claim commits an attempt before the request
//! leaves. An attempt found later without an outcome may have been acted on, so it is settled by asking the vendor and
//! never repeated blindly.

mod attempt;
mod clock_jump;
mod desk;
pub(crate) mod failed;
mod kinds;
#[cfg(test)]
mod model_test;
mod pace;
mod settle;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use crate::clients::Clients;
use crate::log_limit::LogLimit;
use crate::store::ahead::{self, Farthest};
use crate::{bridge, delivery, media, store};

/// Starts a worker for each throttle; they end after `stop` says so, with nothing in flight.
pub(crate) fn start(app: &App, clients: &Clients, stop: &watch::Receiver<bool>) -> JoinSet<()> {
    let owner: Arc<str> = crate::store::new_id().into();
    let mut workers = JoinSet::new();
    for line in &app.config.lines {
        let number = line.number.as_str();
        for (throttle, pace) in [
            (
                delivery::slack_throttle(number),
                pace::Pace::slack_channel(),
            ),
            (delivery::asks_throttle(number), pace::Pace::asks()),
            (delivery::twilio_throttle(number), pace::Pace::unlimited()),
            (delivery::pictures_throttle(number), pace::Pace::files()),
        ] {
            workers
                .spawn(worker::Worker::new(app, clients, throttle, pace, &owner).run(stop.clone()));
        }
    }
    let marks = worker::Worker::new(
        app,
        clients,
        delivery::MARKS_GATE.to_owned(),
        pace::Pace::reactions(),
        &owner,
    );
    workers.spawn(marks.run(stop.clone()));
    for throttle in [delivery::ROOTS_GATE, delivery::HOMES_GATE] {
        let (throttle, pace) = (throttle.to_owned(), pace::Pace::edits());
        workers.spawn(worker::Worker::new(app, clients, throttle, pace, &owner).run(stop.clone()));
    }
    let forms = worker::Worker::new(
        app,
        clients,
        delivery::FORMS_GATE.to_owned(),
        pace::Pace::unlimited(),
        &owner,
    );
    workers.spawn(forms.run(stop.clone()));
    workers.spawn(tell_stuck(app.clone(), stop.clone()));
    workers.spawn(open_newcomers(app.clone(), stop.clone()));
    workers.spawn(clear_media(app.clone(), stop.clone()));
    workers.spawn(desk::watch(app.clone(), stop.clone()));
    workers.spawn(clock_jump::watch(app.clone(), stop.clone()));
    workers
}

/// Resets due times that a clock ahead of ours has set too far in the future.
pub(crate) async fn bring_near(app: &App) -> anyhow::Result<()> {
    let desk = &app.config.desk;
    let farthest = Farthest {
        lease: worker::lease(&app.config),
        remind: desk.remind_after,
        page: desk.page_after.max(desk.remind_after),
    };
    let rows = ahead::bring_near(&app.store, farthest).await?;
    if rows > 0 {
        tracing::warn!(
            rows,
            "the clock was put back while the service was stopped: what waited for a time far off is brought near"
        );
    }
    Ok(())
}

/// Logs an ERROR for deliveries of a line that is no longer in the configuration: no worker serves their throttle.
pub(crate) async fn alarm_about_orphans(app: &App) -> anyhow::Result<()> {
    let mut served: Vec<String> = [
        delivery::MARKS_GATE,
        delivery::ROOTS_GATE,
        delivery::HOMES_GATE,
        delivery::FORMS_GATE,
    ]
    .map(str::to_owned)
    .to_vec();
    for line in &app.config.lines {
        let number = line.number.as_str();
        served.extend([
            delivery::slack_throttle(number),
            delivery::asks_throttle(number),
            delivery::pictures_throttle(number),
            delivery::twilio_throttle(number),
        ]);
    }
    for (throttle, deliveries) in crate::store::upkeep::waiting_by_throttle(&app.store).await? {
        if !served.contains(&throttle) {
            tracing::error!(
                throttle = worker::redacted(&throttle),
                deliveries,
                "deliveries wait for a line that is no longer in the configuration: add it again, or give them up with qdn-relay outbox drop"
            );
        }
    }
    Ok(())
}

/// After how many seconds a reply that has not left counts as stuck.
const STUCK: f64 = 15.0;

/// After how many seconds an unanswered confirmation is repeated in the thread.
const FORGOTTEN: f64 = 120.0;

/// The shortest pause, however short the other times are configured.
const LEAST_STUCK: Duration = Duration::from_secs(2);

/// Looks for stuck replies, three times as often as they take to count as such.
async fn tell_stuck(app: App, mut stop: watch::Receiver<bool>) {
    let patience = delivery::scaled(app.config.delivery.settle_after, STUCK).max(LEAST_STUCK);
    let warnings = LogLimit::every(WARN_EVERY);
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(patience / 3) => {}
            _ = stop.changed() => return,
        }
        let ago = |patience: Duration| {
            let patience = jiff::SignedDuration::try_from(patience).ok()?;
            app.clock.now().checked_sub(patience).ok()
        };
        let forgotten = delivery::scaled(app.config.delivery.settle_after, FORGOTTEN);
        let (Some(since), Some(asked)) = (ago(patience), ago(forgotten.max(LEAST_STUCK))) else {
            continue;
        };
        let told = match bridge::desk::stuck::tell(&app, since).await {
            Ok(()) => bridge::replies::confirmation::remind(&app, asked).await,
            failed => failed,
        };
        match told {
            Err(error) if warnings.record().is_some() => tracing::warn!(
                error = format!("{error:#}"),
                "stuck replies cannot be looked for; trying again"
            ),
            _ => {}
        }
    }
}

/// How many seconds between two threads opened for listed callers: other posts fit in between.
const OPEN_NEXT: f64 = 2.0;

/// The shortest pause, however short the other times are configured.
const LEAST_OPEN_NEXT: Duration = Duration::from_millis(200);

/// Opens the threads of listed callers, one after another, while a line's channel has room.
async fn open_newcomers(app: App, mut stop: watch::Receiver<bool>) {
    let every = delivery::scaled(app.config.delivery.settle_after, OPEN_NEXT).max(LEAST_OPEN_NEXT);
    let warnings = LogLimit::every(WARN_EVERY);
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = stop.changed() => return,
        }
        match bridge::desk::newcomers::open_next(&app).await {
            Err(error) if warnings.record().is_some() => tracing::warn!(
                error = format!("{error:#}"),
                "listed callers cannot be looked for; trying again"
            ),
            _ => {}
        }
    }
}

/// How often files are looked through that may not be needed any more.
const CLEAR_EVERY: Duration = Duration::from_mins(10);

/// How long a file stays whose text has left: longer than its address is good, and Twilio has it long before.
const KEPT_FOR: Duration = Duration::from_hours(2);

/// How long the file of an undecided text stays.
const KEPT_AT_MOST: Duration = Duration::from_hours(7 * 24);

/// Removes files that were sent.
async fn clear_media(app: App, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = clear_media_once(&app).await {
            tracing::warn!(
                error = format!("{error:#}"),
                "files that were sent could not be removed; trying again"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(CLEAR_EVERY) => {}
            _ = stop.changed() => return,
        }
    }
}

async fn clear_media_once(app: &App) -> anyhow::Result<()> {
    let kept_for = KEPT_FOR + app.config.delivery.validity;
    let mut tx = app.store.begin().await?;
    let now = tx.now();
    let before = |age: Duration| anyhow::Ok(now.checked_sub(jiff::SignedDuration::try_from(age)?)?);
    store::media::forget(&mut tx, before(kept_for)?, before(KEPT_AT_MOST)?).await?;
    tx.commit().await?;
    let known = store::media::ids(&app.store).await?;
    let is_known = |id: &str| known.iter().any(|known| known == id);
    media::remove_others(&app.config.media_folder(), now, kept_for, is_known).await
}

/// A loop that fails repeats its warning no more often than this.
const WARN_EVERY: Duration = Duration::from_secs(10);
