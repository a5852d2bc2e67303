//! Renders one round of ringing as TwiML, with the progress of the call in its URLs.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::OfCall;
use crate::app::App;
use crate::callback;
use crate::config::Line;
use crate::phone::PhoneNumber;
use crate::routing::Situation;
use crate::twilio::twiml::{CallEvent, Dial, Number, Response, Verb};

/// How long the rest of a group is rung at most once a mailbox has cut them off: ten mailboxes in one step must not keep
/// a caller waiting for ten times its length.
const AGAIN_AT_MOST: u32 = 60;

/// How long a step rings that was cut off.
pub(super) fn seconds_again(seconds: u32) -> u32 {
    seconds.min(AGAIN_AT_MOST)
}

/// The progress of a call, carried in the action URL of `Dial`.
///
/// People stand in it by their names with spaces between them, which no name has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// The caller's CallSid and our number, for a request that lacks them.
    #[serde(default)]
    pub(super) call: String,
    #[serde(default)]
    pub(super) line: String,
    /// Counts the times that telephones were rung, from 1.
    pub(crate) round: i64,
    /// The step that rings, from 0.
    pub(crate) step: usize,
    /// The step to go on with when nobody answers.
    pub(crate) then: usize,
    /// Who rings.
    #[serde(default)]
    now: String,
    /// Who rang to the end of an earlier round.
    #[serde(default)]
    rung: String,
    /// Who had their turn for good: declined, or a mailbox picked up.
    #[serde(default)]
    out: String,
}

impl Progress {
    /// The progress of a call of which nothing is known: no step is left, so whoever can be reached is rung as a last
    /// resort, and then the caller leaves a message.
    pub(super) fn unknown(round: i64, line: &Line) -> Progress {
        Progress {
            round,
            step: line.ring.len().saturating_sub(1),
            then: line.ring.len(),
            ..Progress::default()
        }
    }

    pub(super) fn now(&self) -> Vec<&str> {
        self.now.split_whitespace().collect()
    }

    pub(super) fn rung(&self) -> Vec<&str> {
        self.rung.split_whitespace().collect()
    }

    pub(super) fn out(&self) -> Vec<&str> {
        self.out.split_whitespace().collect()
    }

    /// The next step after a round that was cut short: the current one, for the people who are left.
    pub(super) fn again(&self) -> usize {
        if self.then == self.step + 1 {
            self.step
        } else {
            // It was rung after all the steps, as a last resort.
            self.then
        }
    }
}

/// The person and call of a leg, carried in the URLs of its `<Number>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LegOf {
    /// The caller's CallSid: the request itself is about another leg.
    pub(crate) call: String,
    /// Our number, E.164.
    pub(crate) line: String,
    pub(crate) round: i64,
    pub(crate) person: String,
}

/// A round of ringing.
pub(super) struct Round<'a> {
    pub(super) round: i64,
    pub(super) step: usize,
    pub(super) then: usize,
    pub(super) people: &'a [(String, PhoneNumber)],
    pub(super) seconds: u32,
    pub(super) situation: &'a Situation,
}

pub(super) fn twiml(app: &App, of_call: &OfCall<'_>, round: &Round<'_>) -> Response {
    let names = round.people.iter().map(|(name, _)| name.as_str());
    let progress = Progress {
        call: of_call.sid.to_owned(),
        line: of_call.line.number.as_str().to_owned(),
        round: round.round,
        step: round.step,
        then: round.then,
        now: names.collect::<Vec<_>>().join(" "),
        rung: names_of(app, &round.situation.rung),
        out: names_of(app, &round.situation.tried),
    };
    // A caller without a number of their own cannot be shown to whoever is rung; our number can.
    // Nor is one of our own people's: a call that seems to come from their own telephone is let into a mailbox.
    let is_own = |from: &PhoneNumber| app.config.people.iter().any(|one| one.phone == *from);
    let shown = of_call.from.phone().filter(|from| !is_own(from));
    let has_number = shown.is_some() && !of_call.from.is_withheld();
    Response::new([Verb::Dial(Dial {
        action: Some(address(app, "dial", &progress)),
        timeout: Some(round.seconds),
        answer_on_bridge: true,
        caller_id: (!has_number).then(|| of_call.line.number.clone()),
        numbers: round
            .people
            .iter()
            .map(|(name, phone)| number(app, of_call, round.round, name, phone))
            .collect(),
        ..Dial::default()
    })])
}

fn number(app: &App, of_call: &OfCall<'_>, round: i64, name: &str, phone: &PhoneNumber) -> Number {
    let leg = LegOf {
        call: of_call.sid.to_owned(),
        line: of_call.line.number.as_str().to_owned(),
        round,
        person: name.to_owned(),
    };
    Number {
        url: of_call.line.screen.then(|| address(app, "screen", &leg)),
        status_callback: Some(address(app, "leg", &leg)),
        status_callback_event: vec![CallEvent::Answered, CallEvent::Completed],
        ..Number::new(phone.clone())
    }
}

/// One of our addresses for Twilio.
pub(crate) fn address(app: &App, what: &str, carried: &impl Serialize) -> String {
    callback::address(&app.config.public_url, what, carried)
}

fn names_of(app: &App, phones: &HashSet<PhoneNumber>) -> String {
    let people = app.config.people.iter();
    let names = people.filter(|person| phones.contains(&person.phone));
    names
        .map(|person| person.name.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}
