//! Finds calls whose webhook never reached us.

use jiff::{SignedDuration, Timestamp};

use super::{begin, clock, left_to_webhook, move_watermark};
use crate::app::App;
use crate::bridge::calls::backfilled::{self, Found};
use crate::clients::Clients;
use crate::clock::BootInstant;
use crate::config::Line;
use crate::phone::Address;
use crate::store::calls;
use crate::twilio::client::{CallFilter, CallResource};

/// The statuses of a call that has ended.
const OVER: [&str; 5] = ["completed", "busy", "failed", "no-answer", "canceled"];

/// Saves every call to the line that Twilio's log has and we do not. Returns their number.
pub(super) async fn catch_up(app: &App, clients: &Clients, line: &Line) -> anyhow::Result<usize> {
    let watermark = format!("backfill.calls.{}", line.number.as_str());
    let since = begin(app, clients, &watermark).await?;
    let (begun, by_our_clock) = (BootInstant::now(), app.clock.now());
    let filter = CallFilter {
        to: Some(Address::from(&line.number)),
        start_time_after: Some(since),
        ..CallFilter::default()
    };
    let mut listed = clients.twilio.list_calls(&filter).await?;
    let took = SignedDuration::try_from(begun.elapsed())?;
    let by_twilios = clients
        .twilio
        .now()
        .and_then(|now| now.checked_sub(took).ok());
    let mut complete_to = by_twilios.unwrap_or(by_our_clock);
    listed.retain(|call| call.direction.is_inbound() && call.parent_call_sid.is_none());
    // Oldest first.
    listed.reverse();
    let (mut found, mut failed) = (0, None);
    for call in listed {
        let sid = call.sid.as_str();
        if calls::by_sid(&app.store, sid).await?.is_some() {
            continue;
        }
        let Some(started) = call.start_time else {
            continue;
        };
        if app.calls.cache.knows(sid) || is_open(app, clients, &call, started) {
            // The call is being saved or is in progress. It may last longer than the margin, so the watermark stays before it.
            complete_to = complete_to.min(started);
            continue;
        }
        match take_in(app, clients, line, &call, started).await {
            Ok(true) => found += 1,
            Ok(false) => {}
            // A call that cannot be saved holds back the watermark, but not the other calls.
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        None => move_watermark(app, &watermark, complete_to).await?,
        Some(error) if found == 0 => return Err(error),
        Some(error) => tracing::warn!(
            error = format!("{error:#}"),
            "saving a call that no webhook reported failed; trying again"
        ),
    }
    Ok(found)
}

/// Whether the call is in progress or its webhook may still arrive.
fn is_open(app: &App, clients: &Clients, call: &CallResource, started: Timestamp) -> bool {
    let now = clock::now(app, clients);
    !OVER.contains(&call.status.as_str()) || now.duration_since(started) < left_to_webhook(app)
}

async fn take_in(
    app: &App,
    clients: &Clients,
    line: &Line,
    call: &CallResource,
    started: Timestamp,
) -> anyhow::Result<bool> {
    // The number's fallback may have forwarded the call, which is a leg of its own.
    let filter = CallFilter {
        parent_call_sid: Some(call.sid.clone()),
        ..CallFilter::default()
    };
    let mut legs = clients.twilio.list_calls(&filter).await?;
    legs.reverse();
    let rang = legs
        .into_iter()
        .map(|leg| {
            let talked = leg.duration.filter(|_| leg.status == "completed");
            (leg.to, talked)
        })
        .collect();
    let found = Found {
        sid: call.sid.as_str(),
        from: &call.from,
        started,
        rang,
    };
    backfilled::receive(app, line, &found).await
}
