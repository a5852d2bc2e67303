//! What follows: the next telephones ring, or the caller leaves a message, or it is over.

use std::collections::HashSet;

use serde_json::json;

use super::dial::{self, Progress, Round};
use super::ring_end::Ended;
use super::{OfCall, explained};
use crate::app::App;
use crate::bridge::calls::voicemail;
use crate::calls::event::{Change, Fact};
use crate::phone::PhoneNumber;
use crate::routing::{self, Next, Situation};
use crate::twilio::form::{DialCallStatus, DialResult};
use crate::twilio::twiml::{Response, Verb};
use crate::vocabulary::{Decision, Turn};

/// A decision about a call: what it is answered and what it leaves behind.
pub(super) struct Led {
    pub(super) response: Response,
    pub(super) fact: Fact,
}

/// What follows from the end of a ring.
pub(super) fn follow(
    app: &App,
    of_call: &OfCall<'_>,
    ended: &Ended,
    result: &DialResult,
    progress: &Progress,
    situation: &mut Situation,
) -> Led {
    let round = progress.round;
    let step = progress.step + 1;
    let mut fact = of_call.fact(app);
    let phones = |names: &[&str]| -> HashSet<PhoneNumber> {
        let people = names.iter().filter_map(|name| app.config.person(name));
        people.map(|person| person.phone.clone()).collect()
    };
    situation.tried = phones(&progress.out());
    situation.rung = phones(&progress.rung());
    app.calls.memory.nobody_talks(of_call.sid);
    let (others, from, reason) = match ended {
        Ended::Answered { person } => {
            app.calls.memory.is_over(of_call.sid, app.clock.now());
            let seconds = i64::from(result.dial_call_duration.unwrap_or_default());
            fact.changes.push(Change::Turn {
                round,
                person: person.clone(),
                leg: String::new(),
                keys: String::new(),
                outcome: Turn::Took,
            });
            if person.is_empty() {
                fact.changes.pop();
            }
            let others = Turn::CutOff;
            fact.changes.push(Change::RoundEnded { round, others });
            fact.changes.push(Change::Answered {
                person: person.clone(),
                seconds,
            });
            let mut entry = of_call.entry(app, Decision::CallAnswered, "somebody took the call");
            entry.detail =
                json!({ "step": step, "round": round, "person": person, "seconds": seconds });
            fact.audit.push(entry);
            let response = Response::new([Verb::Hangup]);
            return Led { response, fact };
        }
        Ended::CallerGone => {
            app.calls.memory.is_over(of_call.sid, app.clock.now());
            let others = Turn::CutOff;
            fact.changes.push(Change::RoundEnded { round, others });
            fact.changes.push(Change::HungUp);
            let mut entry = of_call.entry(
                app,
                Decision::CallerHungUp,
                "the caller hung up before anybody answered",
            );
            entry.detail = json!({ "step": step, "round": round, "rang": progress.now() });
            fact.audit.push(entry);
            let response = Response::empty();
            return Led { response, fact };
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
            (Turn::CutOff, from, reason)
        }
        Ended::Swallowed { by: None, declined } => {
            let names: Vec<&str> = declined.iter().map(String::as_str).collect();
            situation.tried.extend(phones(&names));
            situation.rung.extend(phones(&progress.now()));
            let reason = format!("step {step}: a phone was picked up, but nobody took the call");
            (Turn::CutOff, progress.then, reason)
        }
        Ended::Unanswered { declined } => {
            let names: Vec<&str> = declined.iter().map(String::as_str).collect();
            situation.tried.extend(phones(&names));
            situation.rung.extend(phones(&progress.now()));
            let status = result.dial_call_status.as_str();
            let reason = format!("step {step} ended with {status}");
            (Turn::NoAnswer, progress.then, reason)
        }
    };
    let who_is = |person: &String, outcome| Change::Turn {
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
        fact.changes.push(who_is(person, Turn::NotTaken));
    }
    match ended {
        Ended::Swallowed { declined, .. } | Ended::Unanswered { declined } => {
            let outcome = match &result.dial_call_status {
                DialCallStatus::Failed => Turn::Failed,
                _ => Turn::Busy,
            };
            fact.changes
                .extend(declined.iter().map(|person| who_is(person, outcome)));
        }
        _ => {}
    }
    fact.changes.push(Change::RoundEnded { round, others });
    fact.changes.push(Change::NobodyTalks);
    let rang = Rang {
        from,
        round: round + 1,
        last: Some(progress.step),
    };
    let mut led = lead_on(app, of_call, situation, &rang, &reason);
    fact.changes.append(&mut led.fact.changes);
    fact.audit.append(&mut led.fact.audit);
    Led {
        response: led.response,
        fact,
    }
}

/// How far the ringing has got.
pub(super) struct Rang {
    /// The step to go on with, from 0.
    pub(super) from: usize,
    /// The round that is next, from 1.
    pub(super) round: i64,
    /// The step that rang last.
    pub(super) last: Option<usize>,
}

/// Rings whoever is next, or lets the caller leave a message.
pub(super) fn lead_on(
    app: &App,
    of_call: &OfCall<'_>,
    situation: &Situation,
    rang: &Rang,
    reason: &str,
) -> Led {
    let line = of_call.line;
    let round = rang.round;
    let decision = routing::decide(line, &app.config.people, situation, rang.from);
    let mut fact = of_call.fact(app);
    fact.changes.push(Change::Round {
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
                seconds: match rang.last == Some(*step) {
                    true => dial::seconds_again(*seconds),
                    false => *seconds,
                },
                situation,
            };
            (Decision::Ring, dial::twiml(app, of_call, &ring))
        }
        Next::Nobody => {
            fact.changes.push(Change::Missed);
            (Decision::NobodyLeft, voicemail::ask(app, of_call))
        }
    };
    let mut entry = of_call.entry(app, word, reason);
    entry.detail = explained::decision(&decision, round);
    fact.audit.push(entry);
    Led { response, fact }
}
