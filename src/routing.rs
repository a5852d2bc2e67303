//! Whom a call rings next: a pure decision over the line's ring steps, everybody's availability and what the call has been
//! through.
//!
//! The steps are gone through in order, each ringing those who are available. Whoever declined the call or let a mailbox
//! take it has had their turn. The last step rings whatever people said of themselves. Whoever is on the phone with another
//! caller is passed over while anybody else is left, and rung at the very end.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use crate::availability::Availability;
use crate::config::{Line, Person};
use crate::phone::PhoneNumber;

/// Somebody who was thought of, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Considered {
    /// Which ring step, from 0.
    pub step: usize,
    /// Who.
    pub name: String,
    /// Their availability at that moment.
    pub availability: Availability,
    /// What came of it.
    pub verdict: Verdict,
}

/// Why somebody is rung or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Available.
    Rung,
    /// The step says `always`.
    RungAlways,
    /// Nobody else is left.
    RungAsLast,
    /// On the phone with another caller, and nobody else is left.
    RungThoughOnThePhone,
    /// Away or on DND.
    Skipped,
    /// On the phone with another caller of this desk.
    OnThePhone,
    /// Declined this call, or let a mailbox take it.
    AlreadyTried,
    /// Somebody else of this step has the same telephone.
    SameTelephone,
}

impl Verdict {
    const ALL: [Verdict; 8] = [
        Verdict::Rung,
        Verdict::RungAlways,
        Verdict::RungAsLast,
        Verdict::RungThoughOnThePhone,
        Verdict::Skipped,
        Verdict::OnThePhone,
        Verdict::AlreadyTried,
        Verdict::SameTelephone,
    ];

    /// The verdict that the audit keeps like this.
    pub fn parse(text: &str) -> Option<Verdict> {
        Verdict::ALL
            .into_iter()
            .find(|verdict| verdict.as_str() == text)
    }

    /// As the audit keeps it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Rung => "rung",
            Verdict::RungAlways => "rung: always",
            Verdict::RungAsLast => "rung: nobody else is left",
            Verdict::RungThoughOnThePhone => {
                "rung: on the phone with another caller, but nobody else is left"
            }
            Verdict::Skipped => "skipped: not available",
            Verdict::OnThePhone => "skipped: on the phone with another caller",
            Verdict::AlreadyTried => "left out: already tried",
            Verdict::SameTelephone => "left out: same telephone as somebody else",
        }
    }

    /// Whether the telephone rings.
    pub fn rings(self) -> bool {
        matches!(
            self,
            Verdict::Rung
                | Verdict::RungAlways
                | Verdict::RungAsLast
                | Verdict::RungThoughOnThePhone
        )
    }
}

/// What the call does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Ring these telephones together.
    Ring {
        /// Which step, from 0.
        step: usize,
        /// The step to go on with when nobody answers.
        then: usize,
        /// Who and where; never empty, never more than the step has.
        people: Vec<(String, PhoneNumber)>,
        /// For how long.
        seconds: u32,
    },
    /// Nobody is left to ring.
    Nobody,
}

/// A decision with all that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What the call does next.
    pub next: Next,
    /// Everybody who was thought of, in order.
    pub considered: Vec<Considered>,
}

/// What is known when a call has to be led on.
#[derive(Debug, Clone, Default)]
pub struct Situation {
    /// By name; whoever is missing is assumed to be available.
    pub availability: HashMap<String, Availability>,
    /// The names of those who talk with another caller of this desk.
    pub on_the_phone: HashSet<String>,
    /// Telephones that declined this call, or whose mailbox took it.
    pub tried: HashSet<PhoneNumber>,
    /// Telephones that rang to the end of their step.
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

/// Decides from the step `from` on.
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

/// Everybody of one step, and whether they would be rung.
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

/// The last step is never emptied by what its people said of themselves.
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

/// Nobody else is left: whoever could be rung and was not, because of another caller, is rung now, step by step.
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
                // It was passed over for another call that has ended meanwhile.
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
