//! Finds the end of calls whose last webhook never reached us, in Twilio's log.

use jiff::{SignedDuration, Timestamp};

use crate::app::App;
use crate::bridge::calls::backfilled_end::{self, EndedCall};
use crate::clients::Clients;
use crate::config::Line;
use crate::phone::Address;
use crate::store::calls;
use crate::twilio::client::{CallFilter, CallResource};
use crate::vocabulary::CallState;

/// How old an open call may be to be looked up. Twilio limits calls to four hours.
const LOOKED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The largest expected difference between our clock and Twilio's.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// Ends every call to the line that has ended at Twilio and is open here. Returns their number.
pub(super) async fn catch_up(app: &App, clients: &Clients, line: &Line) -> anyhow::Result<usize> {
    let since = app.clock.now().checked_sub(LOOKED_FOR)?;
    let Some(first) = calls::first_open(&app.store, line.number.as_str(), since).await? else {
        return Ok(0);
    };
    // Read from the first open call on: without open calls no request is needed.
    let filter = CallFilter {
        to: Some(Address::from(&line.number)),
        start_time_after: Some(first.checked_sub(SKEW)?),
        ..CallFilter::default()
    };
    let mut found = 0;
    for call in clients.twilio.list_calls(&filter).await? {
        let Some(ended) = ended(app, clients, &call) else {
            continue;
        };
        let known = calls::by_sid(&app.store, call.sid.as_str()).await?;
        if !known
            .is_some_and(|known| matches!(known.state(), CallState::Ringing | CallState::Talking))
        {
            continue;
        }
        let unheard = EndedCall {
            sid: call.sid.as_str(),
            line,
            from: &call.from,
            status: &call.status,
            seconds: i64::from(call.duration.unwrap_or_default()),
            ended,
        };
        backfilled_end::receive(app, &unheard).await;
        found += 1;
    }
    Ok(found)
}

/// Returns when the call ended, if that is at least `settle_after` ago, so that no webhook can still arrive.
fn ended(app: &App, clients: &Clients, call: &CallResource) -> Option<Timestamp> {
    let now = clients.twilio.now().unwrap_or_else(|| app.clock.now());
    let ended = call.end_time?;
    let wait = SignedDuration::try_from(app.config.delivery.settle_after).ok()?;
    (now.duration_since(ended) >= wait).then_some(ended)
}
