//! Decides whom a call rings next. The decision is a pure function of the line's ring steps, people's availability and the
//! call's history.
//!
//! Each step rings those of its people who are available. People who declined the call, or whose mailbox picked up, are not
//! rung again. The last step rings its people even if all of them are away. People who are on the phone with another caller
//! are skipped as long as anybody else is left, and rung at the very end.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use crate::availability::Availability;
use crate::config::{Line, Person};
use crate::phone::PhoneNumber;
pub use crate::vocabulary::Verdict;

/// A person in a decision, with the reason why they are rung or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Considered {
    /// The index of the ring step.
    pub step: usize,
    /// The person's name.
    pub name: String,
    /// The person's availability at the time.
    pub availability: Availability,
    /// Why the person is rung or not.
    pub verdict: Verdict,
}

/// The next action of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Ring these phones at once.
    Ring {
        /// The index of the ring step.
        step: usize,
        /// The index of the step to continue with if nobody answers.
        then: usize,
        /// Names and phones; never empty, and never more than the step has.
        people: Vec<(String, PhoneNumber)>,
        /// How long to ring, in seconds.
        seconds: u32,
    },
    /// Nobody is left to ring.
    Nobody,
}

/// A decision and its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The next action of a call.
    pub next: Next,
    /// All people who were considered, in order.
    pub considered: Vec<Considered>,
}

/// What a decision depends on besides the configuration.
#[derive(Debug, Clone, Default)]
pub struct Situation {
    /// The availability by person; a missing person is assumed to be available.
    pub availability: HashMap<String, Availability>,
    /// The names of the people who talk with another caller of this desk.
    pub on_the_phone: HashSet<String>,
    /// The phones that declined this call or whose mailbox picked up.
    pub tried: HashSet<PhoneNumber>,
    /// The phones that rang to the end of their step.
    pub rung: HashSet<PhoneNumber>,
}

impl Situation {
    fn availability_of(&self, name: &str) -> Availability {
        self.availability
            .get(name)
            .cloned()
            .unwrap_or_else(Availability::assumed)
    }
}

/// Decides the next action, from the step `from` on.
pub fn decide(line: &Line, people: &[Person], situation: &Situation, from: usize) -> Decision {
    let mut considered = Vec::new();
    for index in from..line.ring.len() {
        let of_step = consider(line, people, situation, index);
        let ring = ring_of(&of_step, people, line.ring[index].seconds, index + 1);
        considered.extend(of_step);
        if let Some(next) = ring {
            return Decision { next, considered };
        }
    }
    let next = as_last(line, people, from, &mut considered)
        .or_else(|| though_on_the_phone(line, people, situation, from, &mut considered))
        .unwrap_or(Next::Nobody);
    Decision { next, considered }
}

/// Returns the people of a step with their verdicts.
fn consider(
    line: &Line,
    people: &[Person],
    situation: &Situation,
    index: usize,
) -> Vec<Considered> {
    let step = &line.ring[index];
    let mut telephones = HashSet::new();
    members(line, people, index)
        .map(|person| {
            let availability = situation.availability_of(&person.name);
            // The order matters: the first reason that applies is the one that the audit shows.
            let verdict = if situation.tried.contains(&person.phone) {
                Verdict::AlreadyTried
            } else if !step.always && !availability.is_available() {
                Verdict::Skipped
            } else if situation.on_the_phone.contains(&person.name) {
                Verdict::OnThePhone
            } else if !telephones.insert(person.phone.clone()) {
                Verdict::SameTelephone
            } else if step.always {
                Verdict::RungAlways
            } else {
                Verdict::Rung
            };
            Considered {
                step: index,
                name: person.name.clone(),
                availability,
                verdict,
            }
        })
        .collect()
}

fn members<'a>(
    line: &'a Line,
    people: &'a [Person],
    index: usize,
) -> impl Iterator<Item = &'a Person> {
    line.ring[index]
        .people
        .iter()
        .filter_map(|name| people.iter().find(|person| person.name == *name))
}

fn ring_of(
    considered: &[Considered],
    people: &[Person],
    seconds: u32,
    then: usize,
) -> Option<Next> {
    let rung: Vec<_> = considered
        .iter()
        .filter(|one| one.verdict.rings())
        .filter_map(|one| people.iter().find(|person| person.name == one.name))
        .map(|person| (person.name.clone(), person.phone.clone()))
        .collect();
    let step = considered.first()?.step;
    (!rung.is_empty()).then_some(Next::Ring {
        step,
        then,
        people: rung,
        seconds,
    })
}

/// Rings the people of the last step who were skipped because they are away, so that a call always rings somebody.
fn as_last(
    line: &Line,
    people: &[Person],
    from: usize,
    considered: &mut [Considered],
) -> Option<Next> {
    let last = line.ring.len().checked_sub(1)?;
    if from > last {
        return None;
    }
    let of_last = considered.iter().position(|one| one.step == last)?;
    let of_last = &mut considered[of_last..];
    let mut telephones = HashSet::new();
    for one in of_last
        .iter_mut()
        .filter(|one| one.verdict == Verdict::Skipped)
    {
        let phone = people.iter().find(|person| person.name == one.name);
        one.verdict = if phone.is_some_and(|person| telephones.insert(&person.phone)) {
            Verdict::RungAsLast
        } else {
            Verdict::SameTelephone
        };
    }
    ring_of(of_last, people, line.ring[last].seconds, last + 1)
}

/// Rings people who were skipped because they were on the phone with another caller, from the first step on. Called when
/// nobody else is left.
fn though_on_the_phone(
    line: &Line,
    people: &[Person],
    situation: &Situation,
    from: usize,
    considered: &mut Vec<Considered>,
) -> Option<Next> {
    for index in 0..line.ring.len() {
        let mut telephones = HashSet::new();
        let mut of_step = consider(line, people, situation, index);
        for one in &mut of_step {
            let Some(person) = people.iter().find(|person| person.name == one.name) else {
                continue;
            };
            let is_new =
                !situation.rung.contains(&person.phone) && telephones.insert(&person.phone);
            one.verdict = match one.verdict {
                Verdict::OnThePhone if is_new => Verdict::RungThoughOnThePhone,
                // This person was skipped because of another call, which has ended in the meantime.
                Verdict::Rung | Verdict::RungAlways if is_new && index < from => one.verdict,
                Verdict::Rung | Verdict::RungAlways => Verdict::AlreadyTried,
                other => other,
            };
        }
        let then = line.ring.len();
        if let Some(next) = ring_of(&of_step, people, line.ring[index].seconds, then) {
            considered.retain(|one| one.step != index);
            considered.extend(of_step);
            return Some(next);
        }
    }
    None
}
