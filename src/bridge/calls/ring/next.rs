//! Decides the next step of a call: ring the next phones, take a message, or hang up.

use std::collections::HashSet;

use serde_json::json;

use super::dial::{self, Progress, Round};
use super::ring_end::Ended;
use super::{OfCall, explained};
use crate::app::App;
use crate::bridge::calls::voicemail;
use crate::calls::event::{CallEvent, Change};
use crate::phone::PhoneNumber;
use crate::routing::{self, Next, Situation};
use crate::twilio::form::{DialCallStatus, DialResult};
use crate::twilio::twiml::{Response, Verb};
use crate::vocabulary::{Decision, RingOutcome};

/// A decision about a call: the TwiML to answer and the event to record.
pub(super) struct CallStep {
    pub(super) response: Response,
    pub(super) event: CallEvent,
}

/// Decides the next step after a ring has ended.
pub(super) fn after_ring(
    app: &App,
    of_call: &OfCall<'_>,
    ended: &Ended,
    result: &DialResult,
    progress: &Progress,
    situation: &mut Situation,
) -> CallStep {
    let round = progress.round;
    let step = progress.step + 1;
    let mut event = of_call.event(app);
    let phones = |names: &[&str]| -> HashSet<PhoneNumber> {
        let people = names.iter().filter_map(|name| app.config.person(name));
        people.map(|person| person.phone.clone()).collect()
    };
    situation.tried = phones(&progress.out());
    situation.rung = phones(&progress.rung());
    app.calls.cache.nobody_talks(of_call.sid, app.clock.now());
    let (others, from, reason) = match ended {
        Ended::Answered { person } => {
            app.calls.cache.is_over(of_call.sid, app.clock.now());
            let seconds = i64::from(result.dial_call_duration.unwrap_or_default());
            event.changes.push(Change::RingOutcome {
                round,
                person: person.clone(),
                leg: String::new(),
                keys: String::new(),
                outcome: RingOutcome::Took,
            });
            if person.is_empty() {
                event.changes.pop();
            }
            let others = RingOutcome::CutOff;
            event.changes.push(Change::RoundEnded { round, others });
            event.changes.push(Change::Answered {
                person: person.clone(),
                seconds,
            });
            let mut entry = of_call.entry(app, Decision::CallAnswered, "somebody took the call");
            entry.detail =
                json!({ "step": step, "round": round, "person": person, "seconds": seconds });
            event.audit.push(entry);
            let response = Response::new([Verb::Hangup]);
            return CallStep { response, event };
        }
        Ended::CallerGone => {
            app.calls.cache.is_over(of_call.sid, app.clock.now());
            let others = RingOutcome::CutOff;
            event.changes.push(Change::RoundEnded { round, others });
            event.changes.push(Change::HungUp);
            let mut entry = of_call.entry(
                app,
                Decision::CallerHungUp,
                "the caller hung up before anybody answered",
            );
            entry.detail = json!({ "step": step, "round": round, "rang": progress.now() });
            event.audit.push(entry);
            let response = Response::empty();
            return CallStep { response, event };
        }
        Ended::Swallowed {
            by: Some(person),
            declined,
        } => {
            let names = declined.iter().chain([person]).map(String::as_str);
            situation.tried.extend(phones(&names.collect::<Vec<_>>()));
            // The others were cut off by it: they have not had their turn.
            let from = progress.again();
            let reason =
                format!("step {step}: {person}'s phone was picked up, but nobody took the call");
            (RingOutcome::CutOff, from, reason)
        }
        Ended::Swallowed { by: None, declined } => {
            let names: Vec<&str> = declined.iter().map(String::as_str).collect();
            situation.tried.extend(phones(&names));
            situation.rung.extend(phones(&progress.now()));
            let reason = format!("step {step}: a phone was picked up, but nobody took the call");
            (RingOutcome::CutOff, progress.then, reason)
        }
        Ended::Unanswered { declined } => {
            let names: Vec<&str> = declined.iter().map(String::as_str).collect();
            situation.tried.extend(phones(&names));
            situation.rung.extend(phones(&progress.now()));
            let status = result.dial_call_status.as_str();
            let reason = format!("step {step} ended with {status}");
            (RingOutcome::NoAnswer, progress.then, reason)
        }
    };
    let who_is = |person: &String, outcome| Change::RingOutcome {
        round,
        person: person.clone(),
        leg: String::new(),
        keys: String::new(),
        outcome,
    };
    if let Ended::Swallowed {
        by: Some(person), ..
    } = ended
    {
        event.changes.push(who_is(person, RingOutcome::NotTaken));
    }
    match ended {
        Ended::Swallowed { declined, .. } | Ended::Unanswered { declined } => {
            let outcome = match &result.dial_call_status {
                DialCallStatus::Failed => RingOutcome::Failed,
                _ => RingOutcome::Busy,
            };
            event
                .changes
                .extend(declined.iter().map(|person| who_is(person, outcome)));
        }
        _ => {}
    }
    event.changes.push(Change::RoundEnded { round, others });
    event.changes.push(Change::NobodyTalks);
    let rang = RingPosition {
        from,
        round: round + 1,
        last: Some(progress.step),
    };
    let mut step = lead_on(app, of_call, situation, &rang, &reason);
    event.changes.append(&mut step.event.changes);
    event.audit.append(&mut step.event.audit);
    CallStep {
        response: step.response,
        event,
    }
}

/// The position in the ring steps.
pub(super) struct RingPosition {
    /// The step to go on with, from 0.
    pub(super) from: usize,
    /// The round that is next, from 1.
    pub(super) round: i64,
    /// The step that rang last.
    pub(super) last: Option<usize>,
}

/// Rings the next people, or lets the caller leave a message.
pub(super) fn lead_on(
    app: &App,
    of_call: &OfCall<'_>,
    situation: &Situation,
    rang: &RingPosition,
    reason: &str,
) -> CallStep {
    let line = of_call.line;
    let round = rang.round;
    let decision = routing::decide(line, &app.config.people, situation, rang.from);
    let mut event = of_call.event(app);
    event.changes.push(Change::Round {
        round,
        turns: explained::turns(&decision),
    });
    let (word, response) = match &decision.next {
        Next::Ring {
            step,
            then,
            people,
            seconds,
        } => {
            let ring = Round {
                round,
                step: *step,
                then: *then,
                people,
                seconds: if rang.last == Some(*step) {
                    dial::seconds_again(*seconds)
                } else {
                    *seconds
                },
                situation,
            };
            (Decision::Ring, dial::twiml(app, of_call, &ring))
        }
        Next::Nobody => {
            event.changes.push(Change::Missed);
            (Decision::NobodyLeft, voicemail::ask(app, of_call))
        }
    };
    let mut entry = of_call.entry(app, word, reason);
    entry.detail = explained::decision(&decision, round);
    event.audit.push(entry);
    CallStep { response, event }
}
