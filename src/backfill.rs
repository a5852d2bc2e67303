//! Reads Twilio's log and Slack's threads, and processes what never reached us by a webhook.
//!
//! Each read begins a margin before its watermark. The watermark only moves after a complete read whose findings are all
//! saved, since an incomplete read proves nothing. A message that arrives by a webhook and by the backfill is saved once.

mod calls;
mod clock;
mod fallback;
mod open_calls;
mod slack;
mod statuses;
mod texts;
mod thread;
mod unreadable;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::app::App;
use crate::clients::Clients;
use crate::config::Line;
use crate::store::scrub::{self, Scrubbed};
use crate::store::{forget, kv, upkeep};

/// How far before its watermark a read begins. Twilio lists a message some time after it arrives.
const MARGIN: SignedDuration = SignedDuration::from_mins(15);

/// Runs the backfill at the start and then every `delivery.backfill_every`, until `stop`.
pub(crate) async fn run(app: App, clients: Clients, mut stop: watch::Receiver<bool>) {
    let reads = slack::Reads::new(app.config.delivery.settle_after);
    let rounds = async {
        for turn in 0.. {
            round(&app, &clients, (&reads, turn)).await;
            tokio::time::sleep(app.config.delivery.backfill_every).await;
        }
    };
    let fallbacks = async {
        loop {
            fallback::look(&app, &clients).await;
            tokio::time::sleep(fallback::EVERY).await;
        }
    };
    // A round can be aborted anywhere: its watermark has not moved then.
    tokio::select! {
        () = rounds => {}
        () = fallbacks => {}
        () = slack::compare_wanted(&app, &clients, &reads) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// Holds back the replies that are in the queue at the start, until their threads have been read. Call it before the workers
/// start.
pub(crate) async fn hold_replies_back(app: &App) -> anyhow::Result<()> {
    slack::hold_replies_back(app).await
}

async fn round(app: &App, clients: &Clients, (reads, turn): (&slack::Reads, usize)) {
    for line in &app.config.lines {
        report("texts", line, texts::catch_up(app, clients, line).await);
        report("calls", line, calls::catch_up(app, clients, line).await);
        report(
            "ends of calls",
            line,
            open_calls::catch_up(app, clients, line).await,
        );
    }
    // The reads are limited, so each round begins with another line.
    let lines = &app.config.lines;
    for line in lines
        .iter()
        .cycle()
        .skip(turn % lines.len().max(1))
        .take(lines.len())
    {
        report(
            "replies",
            line,
            slack::catch_up(app, clients, line, (reads, turn)).await,
        );
    }
    if let Err(error) = statuses::catch_up(app, clients).await {
        tracing::warn!(
            error = format!("{error:#}"),
            "looking up message statuses failed; trying again"
        );
    }
    match upkeep::sweep(&app.store).await {
        Ok(0) => {}
        Ok(rows) => tracing::debug!(rows, "removed old finished rows"),
        Err(error) => tracing::warn!(
            error = format!("{error:#}"),
            "removing old finished rows failed; trying again"
        ),
    }
    if let Some(keep_texts) = app.config.desk.keep_texts
        && let Err(error) = take_old_words_away(app, keep_texts).await
    {
        tracing::warn!(
            error = format!("{error:#}"),
            "removing texts older than desk.keep_texts failed; trying again"
        );
    }
    match scrub::run(&app.store).await {
        Ok(Scrubbed::Done) => {}
        Ok(Scrubbed::NotYet) => {
            tracing::debug!("removed texts are still in the write-ahead log; trying again");
        }
        Err(error) => tracing::warn!(
            error = format!("{error:#}"),
            "removed texts are still in the write-ahead log; trying again"
        ),
    }
    // Compare the clocks last, so that Twilio's time is known in the first round.
    clock::compare(app, clients);
}

async fn take_old_words_away(app: &App, keep_texts: Duration) -> anyhow::Result<()> {
    let before = app
        .store
        .now()
        .checked_sub(SignedDuration::try_from(keep_texts)?)?;
    let rows = forget::older_than(&app.store, before).await?;
    if rows > 0 {
        metrics::counter!("qdn_words_removed_total").increment(rows);
        tracing::info!(rows, "texts older than desk.keep_texts were removed");
    }
    Ok(())
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
                "the backfill found what no webhook had reported"
            );
        }
        Err(error) => {
            metrics::counter!("qdn_backfill_failed_total", "what" => what).increment(1);
            tracing::warn!(
                line = line.name,
                what,
                error = format!("{error:#}"),
                "the backfill failed; trying again"
            );
        }
    }
}

/// Returns the time from which to read: the margin before the watermark `name`. The first time, sets the watermark to now.
async fn begin(app: &App, clients: &Clients, name: &str) -> anyhow::Result<Timestamp> {
    let Some(watermark) = kv::read(&app.store, name).await? else {
        let now = clock::now(app, clients);
        move_watermark(app, name, now).await?;
        return Ok(now.checked_sub(SignedDuration::from_secs(1))?);
    };
    let watermark = Timestamp::from_millisecond(watermark.parse()?)?;
    Ok(watermark.checked_sub(MARGIN)?)
}

/// How long to wait for an item's webhook, which has more information than the log and for which Twilio tries 15 s. It is a
/// fraction of `settle_after`, so that it scales with the other times: 20 s of 95 s.
const LEFT_TO_WEBHOOK: f64 = 20.0 / 95.0;

fn left_to_webhook(app: &App) -> SignedDuration {
    let left = app.config.delivery.settle_after.mul_f64(LEFT_TO_WEBHOOK);
    SignedDuration::try_from(left).unwrap_or_default()
}

/// Moves the watermark `name` to `to`, up to which everything is saved.
async fn move_watermark(app: &App, name: &str, to: Timestamp) -> anyhow::Result<()> {
    crate::faultpoints::point("backfill.before_watermark");
    let mut tx = app.store.begin().await?;
    kv::write(&mut tx, name, &to.as_millisecond().to_string()).await?;
    tx.commit().await
}
