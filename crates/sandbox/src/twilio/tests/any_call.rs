//! Random plans and people: each call ends as a second, simpler computation says.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::twilio::{CallStory, Event, Outcome, Phone};

/// The seconds that a step rings, and the phones that ring in it.
type Step = (u64, Vec<Phone>);

fn number(step: usize, n: usize) -> String {
    format!("+1619555010{}", 1 + step * 3 + n)
}

/// Writes the plan as TwiML: a `Dial` with screening for every step, then a recording.
fn relay_of(plan: Vec<Step>) -> impl Fn(&Seen) -> Response {
    let document = move |step: usize| match plan.get(step) {
        None => "<Response><Record action='/recorded'/></Response>".to_owned(),
        Some((timeout, phones)) => {
            let numbers = (0..phones.len())
                .map(|n| format!("<Number url='/screen'>{}</Number>", number(step, n)));
            let numbers: String = numbers.collect();
            let next = step + 1;
            format!(
                "<Response><Dial timeout='{timeout}' answerOnBridge='true' action='/step/{next}'>\
                 {numbers}</Dial></Response>"
            )
        }
    };
    move |seen| match seen.path.as_str() {
        "/api/twilio/dispatch-route" => twiml(&document(0)),
        "/screen" => twiml(
            "<Response><Gather numDigits='1' action='/key'><Say>Press one</Say></Gather><Hangup/></Response>",
        ),
        "/key" if seen.param("Digits") != "1" => twiml("<Response><Hangup/></Response>"),
        path => match path.strip_prefix("/step/") {
            Some(step) if seen.param("DialBridged") != "true" => {
                twiml(&document(step.parse().unwrap()))
            }
            _ => twiml("<Response/>"),
        },
    }
}

/// Who is reached in the end: in each step the first to pick up in time decides.
fn reckon(plan: &[Step]) -> Option<String> {
    plan.iter()
        .enumerate()
        .find_map(|(step, (timeout, phones))| {
            let picked_up = phones.iter().enumerate().filter_map(|(n, phone)| {
                let (after, presses_1) = match phone {
                    Phone::Mailbox { after } => (after, false),
                    Phone::PickUp(person) => {
                        let pressed = person.presses.first();
                        (&person.after, pressed.is_some_and(|(_, keys)| keys == "1"))
                    }
                    _ => return None,
                };
                (after.as_secs() <= *timeout).then_some((*after, n, presses_1))
            });
            let (_, n, presses_1) = picked_up.min()?;
            presses_1.then(|| number(step, n))
        })
}

fn phone() -> impl Strategy<Value = Phone> {
    let after = 0u64..25;
    prop_oneof![
        Just(Phone::NoAnswer),
        Just(Phone::Busy),
        Just(Phone::Failed),
        after.clone().prop_map(Phone::decline),
        after.clone().prop_map(Phone::mailbox),
        after.clone().prop_map(Phone::pick_up),
        (after, "[12]").prop_map(|(after, key)| Phone::pick_up(after).pressing(&key)),
    ]
}

fn expect_sound(story: &CallStory) {
    let mut ringing: Vec<&str> = Vec::new();
    let mut last = Duration::ZERO;
    for happened in &story.events {
        assert!(happened.at >= last, "{story:#?}");
        last = happened.at;
        match &happened.event {
            Event::Ringing { number } => ringing.push(number),
            Event::StoppedRinging { number, .. } | Event::PickedUp { number, .. } => {
                assert!(ringing.contains(&number.as_str()), "{story:#?}");
                ringing.retain(|rings| rings != number);
            }
            Event::Bridged { .. } | Event::Beep => assert!(ringing.is_empty(), "{story:#?}"),
            _ => {}
        }
    }
    assert!(ringing.is_empty(), "{story:#?}");
}

#[test]
fn a_call_ends_as_its_plan_and_its_people_have_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let step = (5u64..30, prop::collection::vec(phone(), 1..=3));
    let plans = prop::collection::vec(step, 1..=3);
    let config = Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let tried = runner.run(&plans, |plan| {
        runtime.block_on(async {
            let expected = reckon(&plan);
            let (stand_in, _relay, _host) = start(relay_of(plan.clone())).await;
            for (step, (_, phones)) in plan.iter().enumerate() {
                for (n, phone) in phones.iter().enumerate() {
                    stand_in.set_phone(&number(step, n), phone.clone());
                }
            }
            let story = stand_in.call(CALLER, OURS).await;
            expect_sound(&story);
            match (&expected, &story.outcome) {
                (Some(expected), Outcome::Bridged { with, seconds: 60 }) => {
                    assert_eq!(expected, with, "{story:#?}");
                }
                (None, Outcome::Voicemail { .. }) => {}
                _ => panic!("expected {expected:?} in {story:#?}"),
            }
            let bound: u64 = plan.iter().map(|(timeout, _)| timeout).sum();
            assert!(story.ring_time.as_secs() <= bound);
            assert_eq!(stand_in.violations(), Vec::<String>::new());
        });
        Ok(())
    });
    tried.unwrap();
}
