//! The end of a call whose last webhook never came: the request was lost, or came while the service was down. Twilio's
//! log has it.

use jiff::Timestamp;
use serde_json::json;

use crate::app::App;
use crate::calls::event::{CallEvent, Change, FollowUp};
use crate::config::Line;
use crate::phone::Address;
use crate::store::Tx;
use crate::store::audit::NewEntry;
use crate::store::calls::{self, Call};
use crate::store::ring_outcomes::{self, RingUpdate};
use crate::vocabulary::{CallState, Decision, RingOutcome};

/// A call as Twilio's log has it.
pub(crate) struct EndedCall<'a> {
    pub(crate) sid: &'a str,
    pub(crate) line: &'a Line,
    pub(crate) from: &'a Address,
    /// Of the caller's side; final.
    pub(crate) status: &'a str,
    /// Since the caller's side was picked up, which happens when somebody takes the call.
    pub(crate) seconds: i64,
    pub(crate) ended: Timestamp,
}

/// Applies the end from Twilio's log, once. Does nothing if the call has ended in the meantime.
pub(crate) async fn receive(app: &App, call: &EndedCall<'_>) {
    app.calls.cache.is_over(call.sid, app.clock.now());
    let talked = call.status == "completed" && call.seconds > 0;
    let entry = NewEntry {
        line: call.line.name.clone(),
        number: call.from.as_str().to_owned(),
        subject: call.sid.to_owned(),
        decision: Decision::CallEndedUnheard,
        reason: "nothing was heard of the end of the call: Twilio's log has it".to_owned(),
        detail: json!({ "status": call.status, "seconds": call.seconds }),
        at: Some(app.clock.now()),
    };
    let event = CallEvent {
        call: call.sid.to_owned(),
        event: "over".to_owned(),
        answer: String::new(),
        line: Some(call.line.number.as_str().to_owned()),
        from: Some(call.from.clone()),
        place: String::new(),
        at: call.ended,
        changes: vec![Change::Over {
            talked: talked.then_some(call.seconds),
        }],
        audit: vec![entry],
    };
    app.calls.write_queue.put(event).wait().await;
}

/// Whether the call has ended by now: its last webhook was on its way while Twilio's log was read.
pub(crate) fn is_outdated(event: &CallEvent, call: &Call) -> bool {
    let tells_the_end = |change: &Change| matches!(change, Change::Over { .. });
    let is_open = matches!(call.state(), CallState::Ringing | CallState::Talking);
    event.changes.iter().any(tells_the_end) && !is_open
}

/// The call is over: somebody has talked with the caller for so long, or nobody has.
pub(crate) async fn end(
    tx: &mut Tx,
    call: &str,
    talked: Option<i64>,
) -> anyhow::Result<Option<FollowUp>> {
    let turns = ring_outcomes::of_call(&mut *tx, call).await?;
    let is_taken = turns.iter().any(|turn| turn.outcome() == RingOutcome::Took);
    for turn in turns {
        let came_to = match turn.outcome() {
            RingOutcome::Rings => RingOutcome::CutOff,
            RingOutcome::PickedUp if talked.is_some() && !is_taken => RingOutcome::Took,
            RingOutcome::PickedUp => RingOutcome::NotTaken,
            _ => continue,
        };
        let update = RingUpdate::outcome(turn.round, &turn.person, came_to);
        ring_outcomes::put(tx, call, &update).await?;
    }
    if let Some(seconds) = talked {
        // Who it was stands in the turns, where it is known.
        calls::advance(tx, call, CallState::Answered, "", seconds).await?;
        return Ok(None);
    }
    let hung_up = true;
    let moved = calls::advance(tx, call, CallState::HungUp, "", 0).await?;
    Ok(moved.then_some(FollowUp::Missed { hung_up }))
}
