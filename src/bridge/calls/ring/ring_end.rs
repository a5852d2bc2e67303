//! Classifies how a ring ended: whether somebody talked with the caller, and who declined or did not pick up.

use std::collections::HashMap;

use super::dial::Progress;
use crate::calls::cache::Leg;
use crate::config::Line;
use crate::twilio::form::{DialCallStatus, DialResult};

/// How a ring ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Somebody talked with the caller.
    Answered { person: String },
    /// The caller is gone.
    CallerGone,
    /// Somebody or something picked up and did not take the call; some may have declined before.
    Swallowed {
        by: Option<String>,
        declined: Vec<String>,
    },
    /// Nobody picked up; some may have declined.
    Unanswered { declined: Vec<String> },
}

impl Ended {
    /// A mailbox that picks up is reported as completed too. What counts is that the parties were connected, or on a
    /// screened line that our own question was answered on that leg.
    pub(super) fn of(
        result: &DialResult,
        progress: &Progress,
        line: &Line,
        legs: &HashMap<String, Leg>,
    ) -> Ended {
        let rung = progress.now();
        let of_round = |leg: &&Leg| leg.round == progress.round;
        let leg = result.dial_call_sid.as_ref();
        let leg = leg.and_then(|sid| legs.get(sid.as_str()));
        // Whose telephone it was is also clear where only one rang.
        let person = leg
            .map(|leg| leg.person.clone())
            .or_else(|| match rung[..] {
                [only] => Some(only.to_owned()),
                _ => None,
            });
        let pressed = match (leg, &result.dial_call_sid) {
            (Some(leg), _) => Some(leg).filter(|leg| leg.took_it()),
            (None, Some(_)) => None,
            (None, None) => legs.values().filter(of_round).find(|leg| leg.took_it()),
        };
        let picked_up = matches!(
            result.dial_call_status,
            DialCallStatus::Completed | DialCallStatus::Answered
        );
        // Whoever takes the call can be gone before the two are put together: a caller who is still there goes on.
        let put_through = result.dial_bridged != Some(false) || result.call_status == "completed";
        let connected = if line.screen {
            result.dial_bridged == Some(true) || (pressed.is_some() && put_through)
        } else {
            result.dial_bridged.unwrap_or(picked_up)
        };
        if connected {
            let person = pressed.map(|leg| leg.person.clone()).or(person);
            return Ended::Answered {
                person: person.unwrap_or_default(),
            };
        }
        if is_over(&result.call_status) {
            return Ended::CallerGone;
        }
        let declined = declined(result, progress, legs);
        if picked_up {
            Ended::Swallowed {
                by: person,
                declined,
            }
        } else {
            Ended::Unanswered { declined }
        }
    }
}

/// Whose phone was busy or could not be reached in this round.
fn declined(result: &DialResult, progress: &Progress, legs: &HashMap<String, Leg>) -> Vec<String> {
    let refuses = |status: &str| matches!(status, "busy" | "failed");
    let mut declined: Vec<String> = legs
        .values()
        .filter(|leg| leg.round == progress.round && refuses(&leg.status))
        .map(|leg| leg.person.clone())
        .collect();
    if let ([only], true) = (
        &progress.now()[..],
        refuses(result.dial_call_status.as_str()),
    ) {
        declined.push((*only).to_owned());
    }
    declined.sort();
    declined.dedup();
    declined
}

/// Whether the caller's side has ended: any `CallStatus` that is final.
fn is_over(call_status: &str) -> bool {
    matches!(
        call_status,
        "completed" | "busy" | "failed" | "no-answer" | "canceled"
    )
}

#[cfg(test)]
mod tests;
