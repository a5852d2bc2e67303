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

/// A ring that has ended.
pub(super) struct RingEnd<'a> {
    pub(super) ended: &'a Ended,
    pub(super) result: &'a DialResult,
    pub(super) progress: &'a Progress,
}

/// Decides the next step after a ring has ended.
pub(super) fn after_ring(
    app: &App,
    of_call: &OfCall<'_>,
    end: &RingEnd<'_>,
    situation: &mut Situation,
) -> CallStep {
    situation.tried = phones(app, end.progress.out());
    situation.rung = phones(app, end.progress.rung());
    app.calls.cache.nobody_talks(of_call.sid, app.clock.now());
    let (others, from) = match end.ended {
        Ended::Answered { person } => return answered(app, of_call, end, person),
        Ended::CallerGone => return caller_gone(app, of_call, end),
        Ended::Swallowed { by, declined } => {
            situation.tried.extend(phones(app, declined));
            let from = if let Some(person) = by {
                situation.tried.extend(phones(app, [person]));
                // The others were cut off by it: they have not had their turn.
                end.progress.again()
            } else {
                situation.rung.extend(phones(app, end.progress.now()));
                end.progress.then
            };
            (RingOutcome::CutOff, from)
        }
        Ended::Unanswered { declined } => {
            situation.tried.extend(phones(app, declined));
            situation.rung.extend(phones(app, end.progress.now()));
            (RingOutcome::NoAnswer, end.progress.then)
        }
    };
    let round = end.progress.round;
    let mut event = of_call.event(app);
    event.changes = outcomes(end);
    event.changes.push(Change::RoundEnded { round, others });
    event.changes.push(Change::NobodyTalks);
    let rang = RingPosition {
        from,
        round: round + 1,
        last: Some(end.progress.step),
    };
    let mut step = lead_on(app, of_call, situation, &rang, &end.reason());
    event.changes.append(&mut step.event.changes);
    event.audit.append(&mut step.event.audit);
    CallStep {
        response: step.response,
        event,
    }
}

impl RingEnd<'_> {
    /// The step that rang, from 1.
    fn step(&self) -> usize {
        self.progress.step + 1
    }

    /// Why the call goes on, for the audit.
    fn reason(&self) -> String {
        let step = self.step();
        match self.ended {
            Ended::Swallowed {
                by: Some(person), ..
            } => format!("step {step}: {person}'s phone was picked up, but nobody took the call"),
            Ended::Swallowed { by: None, .. } => {
                format!("step {step}: a phone was picked up, but nobody took the call")
            }
            _ => format!(
                "step {step} ended with {}",
                self.result.dial_call_status.as_str()
            ),
        }
    }
}

/// The phones of these people.
fn phones<N: AsRef<str>>(app: &App, names: impl IntoIterator<Item = N>) -> HashSet<PhoneNumber> {
    let people = names
        .into_iter()
        .filter_map(|name| app.config.person(name.as_ref()));
    people.map(|person| person.phone.clone()).collect()
}

/// Somebody took the call.
fn answered(app: &App, of_call: &OfCall<'_>, end: &RingEnd<'_>, person: &str) -> CallStep {
    let round = end.progress.round;
    let seconds = i64::from(end.result.dial_call_duration.unwrap_or_default());
    app.calls.cache.is_over(of_call.sid, app.clock.now());
    let mut event = of_call.event(app);
    if !person.is_empty() {
        event
            .changes
            .push(outcome(round, person, RingOutcome::Took));
    }
    let others = RingOutcome::CutOff;
    event.changes.push(Change::RoundEnded { round, others });
    event.changes.push(Change::Answered {
        person: person.to_owned(),
        seconds,
    });
    let mut entry = of_call.entry(app, Decision::CallAnswered, "somebody took the call");
    entry.detail =
        json!({ "step": end.step(), "round": round, "person": person, "seconds": seconds });
    event.audit.push(entry);
    CallStep {
        response: Response::new([Verb::Hangup]),
        event,
    }
}

/// The caller hung up while it rang.
fn caller_gone(app: &App, of_call: &OfCall<'_>, end: &RingEnd<'_>) -> CallStep {
    let round = end.progress.round;
    app.calls.cache.is_over(of_call.sid, app.clock.now());
    let mut event = of_call.event(app);
    let others = RingOutcome::CutOff;
    event.changes.push(Change::RoundEnded { round, others });
    event.changes.push(Change::HungUp);
    let reason = "the caller hung up before anybody answered";
    let mut entry = of_call.entry(app, Decision::CallerHungUp, reason);
    entry.detail = json!({ "step": end.step(), "round": round, "rang": end.progress.now() });
    event.audit.push(entry);
    CallStep {
        response: Response::empty(),
        event,
    }
}

/// What is known of the phones that did not take the call.
fn outcomes(end: &RingEnd<'_>) -> Vec<Change> {
    let round = end.progress.round;
    let (by, declined) = match end.ended {
        Ended::Swallowed { by, declined } => (by.as_deref(), declined.as_slice()),
        Ended::Unanswered { declined } => (None, declined.as_slice()),
        Ended::Answered { .. } | Ended::CallerGone => return Vec::new(),
    };
    let of_declined = match &end.result.dial_call_status {
        DialCallStatus::Failed => RingOutcome::Failed,
        _ => RingOutcome::Busy,
    };
    let by = by.map(|person| outcome(round, person, RingOutcome::NotTaken));
    let declined = declined
        .iter()
        .map(|person| outcome(round, person, of_declined));
    by.into_iter().chain(declined).collect()
}

fn outcome(round: i64, person: &str, outcome: RingOutcome) -> Change {
    Change::RingOutcome {
        round,
        person: person.to_owned(),
        leg: String::new(),
        keys: String::new(),
        outcome,
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
