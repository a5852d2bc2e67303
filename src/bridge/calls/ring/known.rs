//! Loads what a routing decision needs: from the cache and by small reads, each within its budget, all at once.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::app::App;
use crate::calls::cache::{self, Leg, Talk};
use crate::routing::Situation;
use crate::store::calls::Call;
use crate::store::ring_outcomes;
use crate::store::{call_events, calls};
use crate::vocabulary::RingOutcome;

/// How long a call waits for the database to say what it knows.
const BUDGET: Duration = Duration::from_millis(250);

/// The stored answer to this request, if the database responds in time.
pub(super) async fn kept_answer(app: &App, sid: &str, event: &str) -> Option<String> {
    let store = app.store.for_calls();
    let read = call_events::answer(&store, sid, event);
    within(read, "an earlier answer").await.flatten()
}

/// All stored answers of this call, if the database responds in time.
pub(super) async fn answers(app: &App, sid: &str) -> Vec<String> {
    let read = call_events::answers(&app.store, sid);
    within(read, "what a call was answered")
        .await
        .unwrap_or_default()
}

/// The stored call, if the database responds in time.
pub(super) async fn call(app: &App, sid: &str) -> Option<Call> {
    within(calls::by_sid(&app.store, sid), "a call")
        .await
        .flatten()
}

/// The last round in which this person was thought of.
pub(super) async fn last_round_of(app: &App, sid: &str, person: &str) -> Option<i64> {
    let turns = within(ring_outcomes::of_call(&app.store, sid), "who was rung").await?;
    let of_person = turns.iter().filter(|turn| turn.person == person);
    of_person.map(|turn| turn.round).max()
}

/// The legs of a call by CallSid, merged from the cache and the database.
pub(super) async fn legs(app: &App, sid: &str) -> HashMap<String, Leg> {
    let store = app.store.for_calls();
    let read = ring_outcomes::of_call(&store, sid);
    let mut legs: HashMap<String, Leg> = within(read, "who picked up")
        .await
        .unwrap_or_default()
        .into_iter()
        .filter(|turn| !turn.leg_sid.is_empty())
        .map(|turn| {
            let status = match turn.outcome() {
                RingOutcome::Busy => "busy",
                RingOutcome::Failed => "failed",
                _ => "",
            };
            let leg = Leg {
                round: turn.round,
                person: turn.person,
                keys: turn.keys,
                status: status.to_owned(),
            };
            (turn.leg_sid, leg)
        })
        .collect();
    legs.extend(app.calls.cache.legs(sid));
    legs
}

async fn within<T>(read: impl Future<Output = anyhow::Result<T>>, what: &str) -> Option<T> {
    match tokio::time::timeout(BUDGET, read).await {
        Ok(Ok(found)) => Some(found),
        Ok(Err(error)) => {
            tracing::warn!(
                what,
                error = format!("{error:#}"),
                "a call goes on without the database"
            );
            None
        }
        Err(_) => {
            tracing::warn!(
                what,
                "a call goes on without the database: it takes too long"
            );
            None
        }
    }
}

/// Everybody's availability now, and who talks with another caller.
pub(crate) async fn situation(app: &App, sid: &str) -> Situation {
    let now = app.clock.now();
    let store = app.store.for_calls();
    let talking = async {
        let since = now.checked_sub(cache::LONGEST_TALK).unwrap_or(now);
        let read = within(calls::talking(&store, since), "who is on the phone");
        let talking = read.await.unwrap_or_default().into_iter();
        let talks = talking.map(|(person, call, since)| Talk {
            person,
            call,
            since: Timestamp::from_millisecond(since).unwrap_or(now),
        });
        talks.collect()
    };
    let everybody = app.sources.read(&app.config, &store, &app.clock);
    let (talking, everybody) = tokio::join!(talking, everybody);
    Situation {
        availability: everybody.availability,
        on_the_phone: app.calls.cache.on_the_phone(talking, sid, now),
        ..Situation::default()
    }
}
