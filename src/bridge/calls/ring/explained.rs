//! Renders a routing decision for the audit and the thread.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::dial::Progress;
use crate::availability::Availability;
use crate::calls::cache::Leg;
use crate::routing::{Considered, Decision, Next, Verdict};
use crate::twilio::form::DialResult;
use crate::vocabulary::AvailabilityState;
use crate::vocabulary::RingOutcome;

/// The result of every leg of a round, for the audit.
pub(super) fn how_it_rang(
    result: &DialResult,
    progress: &Progress,
    legs: &HashMap<String, Leg>,
) -> Value {
    let of_person = |name: &str| {
        let leg = legs
            .iter()
            .find(|(_, leg)| leg.round == progress.round && leg.person == name);
        match leg {
            Some((sid, leg)) => {
                json!({ "person": name, "leg": sid, "status": leg.status, "keys": leg.keys })
            }
            None => json!({ "person": name }),
        }
    };
    json!({
        "round": progress.round,
        "dial_call_status": result.dial_call_status.as_str(),
        "dial_bridged": result.dial_bridged,
        "people": progress.now().into_iter().map(of_person).collect::<Vec<_>>(),
    })
}

/// Every person considered, for the thread.
pub(super) fn turns(decision: &Decision) -> Vec<(String, RingOutcome)> {
    let turn = |one: &Considered| {
        Some(match one.verdict {
            verdict if verdict.rings() => RingOutcome::Rings,
            Verdict::OnThePhone => RingOutcome::OnThePhone,
            Verdict::Skipped if one.availability.state == AvailabilityState::Dnd => {
                RingOutcome::Dnd
            }
            Verdict::Skipped => RingOutcome::Away,
            _ => return None,
        })
    };
    let mut turns: Vec<(String, RingOutcome)> = Vec::new();
    for one in &decision.considered {
        let Some(outcome) = turn(one) else { continue };
        // Somebody who is in two steps rings in one of them.
        match turns.iter_mut().find(|(name, _)| *name == one.name) {
            Some(known) if outcome == RingOutcome::Rings => known.1 = outcome,
            Some(_) => {}
            None => turns.push((one.name.clone(), outcome)),
        }
    }
    turns
}

/// A decision as the audit keeps it.
pub(super) fn decision(decision: &Decision, round: i64) -> Value {
    let people: Vec<Value> = decision
        .considered
        .iter()
        .map(
            |Considered {
                 step,
                 name,
                 availability,
                 verdict,
             }| {
                let Availability { state, source, age } = availability;
                json!({
                    "step": step + 1, "person": name, "availability": state, "source": source,
                    "age_seconds": age.map(|age| age.as_secs()), "verdict": verdict.in_words(), "verdict_code": verdict,
                })
            },
        )
        .collect();
    match &decision.next {
        Next::Ring {
            step,
            people: rung,
            seconds,
            ..
        } => {
            let rung: Vec<&str> = rung.iter().map(|(name, _)| name.as_str()).collect();
            json!({
                "round": round, "people": people,
                "result": { "step": step + 1, "rung": rung, "seconds": seconds },
            })
        }
        Next::Nobody => {
            json!({ "round": round, "people": people, "result": "nobody left to ring" })
        }
    }
}
