//! Compares Twilio's log and Slack's threads with what we have kept, and takes in what never reached us.
//!
//! Each read begins a margin before its watermark, and the watermark moves only when a read was complete and all it
//! found is kept: a broken read proves nothing. What live webhooks and backfill both bring is one message.

mod fallback;
mod open_calls;
mod slack;
mod statuses;
mod texts;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::app::App;
use crate::config::Line;
use crate::outbox::Outside;
use crate::remote::Failure;
use crate::store::facts;

/// How far before its watermark a read begins: Twilio lists a message some time after it came.
const MARGIN: SignedDuration = SignedDuration::from_mins(15);

/// Looks on start and then regularly, until `stop` says so.
pub(crate) async fn run(app: App, outside: Outside, mut stop: watch::Receiver<bool>) {
    let rounds = async {
        loop {
            round(&app, &outside).await;
            tokio::time::sleep(app.config.delivery.backfill_every).await;
        }
    };
    let fallbacks = async {
        loop {
            fallback::look(&app, &outside).await;
            tokio::time::sleep(fallback::EVERY).await;
        }
    };
    // A round may be cut anywhere: its watermark has not moved then.
    tokio::select! {
        () = rounds => {}
        () = fallbacks => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

async fn round(app: &App, outside: &Outside) {
    for line in &app.config.lines {
        report("texts", line, texts::catch_up(app, outside, line).await);
        report(
            "ends of calls",
            line,
            open_calls::catch_up(app, outside, line).await,
        );
        report("replies", line, slack::catch_up(app, outside, line).await);
    }
    if let Err(error) = statuses::catch_up(app, outside).await {
        tracing::warn!(
            error = format!("{error:#}"),
            "statuses could not be looked up; trying again"
        );
    }
}

fn report(what: &'static str, line: &Line, found: anyhow::Result<usize>) {
    match found {
        Ok(0) => {}
        Ok(found) => {
            metrics::counter!("qdn_backfilled_total", "what" => what).increment(found as u64);
            tracing::info!(
                line = line.name,
                what,
                found,
                "found what had not reached us"
            );
        }
        Err(error) => {
            metrics::counter!("qdn_backfill_failed_total", "what" => what).increment(1);
            tracing::warn!(
                line = line.name,
                what,
                error = format!("{error:#}"),
                "could not compare; trying again"
            );
        }
    }
}

/// From when on to read: the watermark of `name` less the margin. The first time ever, that is now.
async fn begin(app: &App, name: &str) -> anyhow::Result<Timestamp> {
    let Some(watermark) = facts::read(&app.store, name).await? else {
        let now = app.clock.now();
        move_watermark(app, name, now).await?;
        return Ok(now.checked_sub(SignedDuration::from_secs(1))?);
    };
    let watermark = Timestamp::from_millisecond(watermark.parse()?)?;
    Ok(watermark.checked_sub(MARGIN)?)
}

/// All up to `to` is kept.
async fn move_watermark(app: &App, name: &str, to: Timestamp) -> anyhow::Result<()> {
    crate::trial::point("backfill.before_watermark");
    let mut tx = app.store.begin().await?;
    facts::write(&mut tx, name, &to.as_millisecond().to_string()).await?;
    tx.commit().await
}

/// A read that failed, as an error with a cause; in the trial of a mistake it passes for an empty one.
fn read<T: Default>(result: Result<T, Failure>) -> anyhow::Result<T> {
    match result {
        Err(_) if crate::trial::mistake("watermark_over_broken_read") => Ok(T::default()),
        result => Ok(result?),
    }
}
