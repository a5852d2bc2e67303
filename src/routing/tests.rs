use super::*;
use crate::availability::Source;
use crate::config::{RingStep, Speech};
use crate::vocabulary::AvailabilityState;

const SERGIO: &str = "+16195550111";
const BACKUP: &str = "+18585550112";
const NIGHT: &str = "+18585550113";

fn people() -> Vec<Person> {
    [
        ("Sergio", SERGIO),
        ("Backup", BACKUP),
        ("Night", NIGHT),
        ("Serge", SERGIO),
    ]
    .map(|(name, phone)| Person {
        name: name.into(),
        phone: PhoneNumber::parse(phone).unwrap(),
        slack: None,
        language: None,
    })
    .to_vec()
}

fn line(steps: &[(&[&str], bool)]) -> Line {
    let ring = steps
        .iter()
        .map(|(people, always)| RingStep {
            people: people.iter().map(|name| (*name).to_owned()).collect(),
            seconds: 15,
            always: *always,
        })
        .collect();
    Line {
        name: "QDN".into(),
        number: PhoneNumber::parse("+16195550100").unwrap(),
        channel: "#qdn-dispatch".into(),
        screen: true,
        speech: Speech::default(),
        ring,
        allow_countries: Vec::new(),
        missed_call_text: None,
        away_text: None,
    }
}

fn phones(list: &[&str]) -> HashSet<PhoneNumber> {
    list.iter()
        .map(|phone| PhoneNumber::parse(phone).unwrap())
        .collect()
}

fn situation(said: &[(&str, AvailabilityState)], tried: &[&str]) -> Situation {
    let availability = said
        .iter()
        .map(|(name, state)| {
            let known = Availability {
                state: *state,
                source: Source::Override { by: "U1".into() },
                age: None,
            };
            ((*name).to_owned(), known)
        })
        .collect();
    Situation {
        availability,
        tried: phones(tried),
        ..Situation::default()
    }
}

fn rung(decision: &Decision) -> (Option<usize>, Vec<&str>) {
    match &decision.next {
        Next::Ring { step, people, .. } => (
            Some(*step),
            people.iter().map(|(name, _)| name.as_str()).collect(),
        ),
        Next::Nobody => (None, Vec::new()),
    }
}

const CHAIN: &[(&[&str], bool)] = &[(&["Sergio"], false), (&["Backup"], true)];
const GROUP: &[(&[&str], bool)] = &[(&["Sergio", "Backup"], false), (&["Night"], false)];

#[test]
fn the_first_step_with_somebody_available_rings() {
    use AvailabilityState::{Available, Away, Dnd};
    for (steps, states, from, tried, expected) in [
        (CHAIN, vec![], 0, vec![], (Some(0), vec!["Sergio"])),
        (
            CHAIN,
            vec![("Sergio", Available)],
            0,
            vec![],
            (Some(0), vec!["Sergio"]),
        ),
        (
            CHAIN,
            vec![("Sergio", Away)],
            0,
            vec![],
            (Some(1), vec!["Backup"]),
        ),
        (
            CHAIN,
            vec![("Sergio", Dnd), ("Backup", Away)],
            0,
            vec![],
            (Some(1), vec!["Backup"]),
        ),
        (CHAIN, vec![], 1, vec![SERGIO], (Some(1), vec!["Backup"])),
        (CHAIN, vec![], 2, vec![SERGIO, BACKUP], (None, vec![])),
        (
            GROUP,
            vec![("Sergio", Away)],
            0,
            vec![],
            (Some(0), vec!["Backup"]),
        ),
        (
            GROUP,
            vec![("Sergio", Away), ("Backup", Dnd)],
            0,
            vec![],
            (Some(1), vec!["Night"]),
        ),
        (
            GROUP,
            vec![("Sergio", Away), ("Backup", Dnd), ("Night", Away)],
            0,
            vec![],
            (Some(1), vec!["Night"]),
        ),
        (GROUP, vec![], 0, vec![SERGIO], (Some(0), vec!["Backup"])),
        (
            GROUP,
            vec![],
            0,
            vec![SERGIO, BACKUP],
            (Some(1), vec!["Night"]),
        ),
        (
            GROUP,
            vec![("Night", Away)],
            1,
            vec![SERGIO],
            (Some(1), vec!["Night"]),
        ),
        (
            GROUP,
            vec![],
            1,
            vec![SERGIO, BACKUP, NIGHT],
            (None, vec![]),
        ),
    ] {
        let situation = situation(&states, &tried);
        let decision = decide(&line(steps), &people(), &situation, from);
        assert_eq!(
            rung(&decision),
            expected,
            "steps {steps:?}, {states:?}, from {from}, tried {tried:?}"
        );
    }
}

#[test]
fn everybody_who_was_thought_of_is_kept_with_why() {
    let situation = situation(&[("Sergio", AvailabilityState::Away)], &[]);
    let decision = decide(&line(CHAIN), &people(), &situation, 0);
    let kept: Vec<_> = decision
        .considered
        .iter()
        .map(|one| (one.step, one.name.as_str(), one.verdict))
        .collect();
    assert_eq!(
        kept,
        [
            (0, "Sergio", Verdict::Skipped),
            (1, "Backup", Verdict::RungAlways)
        ]
    );
}

#[test]
fn whoever_is_on_the_phone_is_passed_over_until_nobody_else_is_left() {
    let busy = |names: &[&str], tried: &[&str], rung: &[&str]| Situation {
        on_the_phone: names.iter().map(|name| (*name).to_owned()).collect(),
        rung: phones(rung),
        ..situation(&[], tried)
    };
    for (steps, situation, from, expected) in [
        (
            CHAIN,
            busy(&["Sergio"], &[], &[]),
            0,
            (Some(1), vec!["Backup"]),
        ),
        (
            GROUP,
            busy(&["Sergio"], &[], &[]),
            0,
            (Some(0), vec!["Backup"]),
        ),
        // Backup did not answer, so Sergio is rung after all, once.
        (
            CHAIN,
            busy(&["Sergio"], &[], &[BACKUP]),
            2,
            (Some(0), vec!["Sergio"]),
        ),
        (
            CHAIN,
            busy(&["Sergio"], &[BACKUP], &[]),
            2,
            (Some(0), vec!["Sergio"]),
        ),
        (
            CHAIN,
            busy(&["Sergio"], &[], &[BACKUP, SERGIO]),
            2,
            (None, vec![]),
        ),
        // His other call has ended in the meantime.
        (
            CHAIN,
            busy(&[], &[], &[BACKUP]),
            2,
            (Some(0), vec!["Sergio"]),
        ),
        (CHAIN, busy(&[], &[], &[BACKUP, SERGIO]), 2, (None, vec![])),
        (
            CHAIN,
            busy(&["Sergio", "Backup"], &[], &[]),
            0,
            (Some(0), vec!["Sergio"]),
        ),
        (
            CHAIN,
            busy(&["Sergio", "Backup"], &[], &[SERGIO]),
            2,
            (Some(1), vec!["Backup"]),
        ),
    ] {
        let decision = decide(&line(steps), &people(), &situation, from);
        assert_eq!(rung(&decision), expected, "{situation:?} from {from}");
    }
}

#[test]
fn one_telephone_rings_once_whoever_shares_it() {
    let steps: &[(&[&str], bool)] = &[(&["Sergio", "Serge"], false)];
    let decision = decide(&line(steps), &people(), &Situation::default(), 0);
    assert_eq!(rung(&decision), (Some(0), vec!["Sergio"]));
    let away = situation(
        &[
            ("Sergio", AvailabilityState::Away),
            ("Serge", AvailabilityState::Away),
        ],
        &[],
    );
    let decision = decide(&line(steps), &people(), &away, 0);
    assert_eq!(rung(&decision), (Some(0), vec!["Sergio"]));
}
