//! The periodic work of the desk: reminders and escalations, ends of away times, updates of Home tabs.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::WARN_EVERY;
use crate::app::App;
use crate::bridge;
use crate::delivery;
use crate::log_limit::LogLimit;

/// The shortest and the longest pause between two checks for due reminders.
const LOOKS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// How many seconds after a start the first reminder may be sent: backfill first reads what was answered in the meantime.
const FIRST: f64 = 20.0;

/// How often it is checked whether somebody is available again.
const AWAY: Duration = Duration::from_secs(15);

/// Runs until `stop`.
pub(super) async fn watch(app: App, mut stop: watch::Receiver<bool>) {
    let desk = &app.config.desk;
    let every = (desk.remind_after.min(desk.page_after) / 5).clamp(LOOKS.0, LOOKS.1);
    let begun = Instant::now();
    let first = delivery::scaled(app.config.delivery.settle_after, FIRST);
    let mut away_at = begun;
    let warnings = LogLimit::every(WARN_EVERY);
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(every.min(bridge::slack::home::LOOKS)) => {}
            _ = stop.changed() => return,
        }
        let mut ended = vec![bridge::slack::home::tick(&app).await];
        if begun.elapsed() >= first {
            ended.push(bridge::desk::reminder::tick(&app).await);
        }
        if away_at <= Instant::now() {
            away_at = Instant::now() + AWAY;
            ended.push(bridge::desk::away_text::tick(&app).await);
        }
        for error in ended.into_iter().filter_map(Result::err) {
            if warnings.record().is_some() {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "what is due at the desk cannot be looked for; trying again"
                );
            }
        }
    }
}
