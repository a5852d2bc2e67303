//! Calls that reach a person: whoever picks up is asked, and everything else goes on.

use qdn_sandbox::twilio::{CallCallbacks, CallStory, Caller, Event, Outcome, Party, Phone};

use crate::desk::{ALICE, BACKUP_PHONE, BOB, Builder, Database, Desk, LINE, SERGIO_PHONE};

stories! {
    a_mailbox_does_not_swallow_a_call,
    whoever_presses_another_key_is_not_connected,
    without_screening_the_chain_works_as_twilio_reports_it,
    people_of_one_step_ring_together,
    a_group_is_rung_again_without_the_mailbox_that_picked_up_first,
    whoever_declined_is_left_out_of_the_next_step,
    everybody_is_asked_in_their_language,
    whoever_is_on_the_phone_is_passed_over,
    whoever_is_on_the_phone_is_rung_when_nobody_else_is_left,
    callbacks_do_no_harm_however_they_come,
    the_same_request_gets_the_same_answer,
    a_withheld_caller_is_shown_our_number,
}

const NIGHT_PHONE: &str = "+18585550113";

fn group(database: Database) -> Builder {
    Desk::on(database)
        .replace(
            "[[lines]]",
            "[[people]]\nname = \"Night\"\nphone = \"+18585550113\"\n\n[[lines]]",
        )
        .replace(
            "{ people = [\"Sergio\"], seconds = 15 }",
            "{ people = [\"Sergio\", \"Night\"], seconds = 15 }",
        )
}

/// Which telephones rang, in order.
fn rang(story: &CallStory) -> Vec<&str> {
    story
        .events
        .iter()
        .filter_map(|happened| match &happened.event {
            Event::Ringing { number } => Some(number.as_str()),
            _ => None,
        })
        .collect()
}

fn is_bridged_with(story: &CallStory, number: &str) -> bool {
    matches!(&story.outcome, Outcome::Bridged { with, .. } if with == number)
}

async fn a_mailbox_does_not_swallow_a_call(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio.set_phone(SERGIO_PHONE, Phone::mailbox(3));
    let backup = Phone::pick_up(4).pressing("1").talking(128);
    desk.twilio.set_phone(BACKUP_PHONE, backup);
    let story = desk.twilio.call(ALICE, LINE).await;
    assert!(is_bridged_with(&story, BACKUP_PHONE), "{story:#?}");
    let asked = story.events.iter().any(|happened| {
        matches!(&happened.event, Event::Heard { who: Party::Phone(number), words }
            if number == SERGIO_PHONE && words == "Call for QDN, press 1 to take it.")
    });
    assert!(asked, "{story:#?}");
    let root = desk.expect_thread().await;
    desk.expect_root_words(&root.ts, "Sergio did not answer, Backup took it")
        .await;
    desk.expect_root_words(&root.ts, "Call, 2 min 1").await;
    desk.expect_root_words(&root.ts, "(619) 555-0142").await;
    desk.close().await;
}

async fn whoever_presses_another_key_is_not_connected(database: Database) {
    let desk = Desk::on(database).start().await;
    let refuses = Phone::pick_up(3).pressing("2");
    desk.twilio.set_phone(SERGIO_PHONE, refuses);
    desk.twilio
        .set_phone(BACKUP_PHONE, Phone::pick_up(4).pressing("#"));
    let story = desk.twilio.call(ALICE, LINE).await;
    assert!(
        matches!(story.outcome, Outcome::Voicemail { .. }),
        "{story:#?}"
    );
    let root = desk.expect_thread_of_call().await;
    desk.expect_root_words(&root, "Sergio declined, Backup declined")
        .await;
    desk.close().await;
}

async fn without_screening_the_chain_works_as_twilio_reports_it(database: Database) {
    let desk = Desk::on(database)
        .replace(
            "channel = \"#qdn-dispatch\"",
            "channel = \"#qdn-dispatch\"\nscreen = false",
        )
        .start()
        .await;
    desk.twilio
        .set_phone(BACKUP_PHONE, Phone::pick_up(2).talking(30));
    let story = desk.twilio.call(ALICE, LINE).await;
    assert!(is_bridged_with(&story, BACKUP_PHONE), "{story:#?}");
    assert!(!story.first_twiml.contains("url="), "{}", story.first_twiml);
    let root = desk.expect_thread().await;
    desk.expect_root_words(
        &root.ts,
        "Call, 30 s, Sergio did not answer, Backup took it",
    )
    .await;
    desk.close().await;
}

async fn people_of_one_step_ring_together(database: Database) {
    let desk = group(database).start().await;
    desk.twilio
        .set_phone(NIGHT_PHONE, Phone::pick_up(5).pressing("1"));
    let story = desk.twilio.call(ALICE, LINE).await;
    assert_eq!(rang(&story), [SERGIO_PHONE, NIGHT_PHONE]);
    assert!(is_bridged_with(&story, NIGHT_PHONE), "{story:#?}");
    let root = desk.expect_thread().await;
    desk.expect_root_words(&root.ts, "Night took it").await;
    desk.close().await;
}

async fn a_group_is_rung_again_without_the_mailbox_that_picked_up_first(database: Database) {
    let desk = group(database).start().await;
    desk.twilio.set_phone(SERGIO_PHONE, Phone::mailbox(0));
    desk.twilio
        .set_phone(NIGHT_PHONE, Phone::pick_up(8).pressing("1"));
    let story = desk.twilio.call(ALICE, LINE).await;
    assert_eq!(rang(&story), [SERGIO_PHONE, NIGHT_PHONE, NIGHT_PHONE]);
    assert!(is_bridged_with(&story, NIGHT_PHONE), "{story:#?}");
    let root = desk.expect_thread().await;
    desk.expect_root_words(&root.ts, "Sergio did not answer, Night took it")
        .await;
    desk.close().await;
}

async fn whoever_declined_is_left_out_of_the_next_step(database: Database) {
    let desk = group(database)
        .replace(
            "{ people = [\"Backup\"], seconds = 20, always = true }",
            "{ people = [\"Sergio\", \"Night\", \"Backup\"], seconds = 20 }",
        )
        .start()
        .await;
    desk.twilio.set_phone(SERGIO_PHONE, Phone::decline(2));
    desk.twilio.set_phones(
        NIGHT_PHONE,
        [Phone::NoAnswer, Phone::pick_up(3).pressing("1")],
    );
    let story = desk.twilio.call(ALICE, LINE).await;
    assert_eq!(
        rang(&story),
        [SERGIO_PHONE, NIGHT_PHONE, NIGHT_PHONE, BACKUP_PHONE]
    );
    assert!(is_bridged_with(&story, NIGHT_PHONE), "{story:#?}");
    desk.close().await;
}

async fn everybody_is_asked_in_their_language(database: Database) {
    let desk = Desk::on(database)
        .replace(
            "slack = \"U0SERGIO\"",
            "slack = \"U0SERGIO\"\nlanguage = \"es-MX\"",
        )
        .replace(
            "channel = \"#qdn-dispatch\"",
            "channel = \"#qdn-dispatch\"\nscreen_text = \"Dispatch, one to answer\"\nlanguage = \"en-GB\"\nvoice = \"Polly.Amy\"",
        )
        .start()
        .await;
    for phone in [SERGIO_PHONE, BACKUP_PHONE] {
        desk.twilio.set_phone(phone, Phone::pick_up(1));
    }
    let story = desk.twilio.call(ALICE, LINE).await;
    let documents: Vec<&str> = story
        .exchanges
        .iter()
        .filter(|exchange| exchange.url.contains("/screen"))
        .map(|exchange| exchange.body.as_str())
        .collect();
    assert!(documents[0].contains("<Say language=\"es-MX\">Llamada para QDN, pulse 1"));
    assert!(
        documents[1]
            .contains("<Say voice=\"Polly.Amy\" language=\"en-GB\">Dispatch, one to answer</Say>")
    );
    desk.close().await;
}

/// Sergio's phone rings until the story picks it up.
fn ringing_long(database: Database) -> Builder {
    Desk::on(database).replace("seconds = 15", "seconds = 600")
}

/// Begins a call in which Sergio talks with Bob until he hangs up.
async fn sergio_talks_with_bob(desk: &Desk) -> qdn_sandbox::twilio::LiveCall {
    let talk = desk.twilio.calling(BOB, LINE).start(1.0);
    desk.expect_ringing(&talk, SERGIO_PHONE).await;
    talk.pick_up(SERGIO_PHONE);
    desk.expect_event(&talk, |event| {
        matches!(
            event,
            Event::Heard {
                who: Party::Phone(_),
                ..
            }
        )
    })
    .await;
    talk.press(&Party::Phone(SERGIO_PHONE.to_owned()), "1");
    desk.expect_event(&talk, |event| matches!(event, Event::Bridged { .. }))
        .await;
    talk
}

async fn whoever_is_on_the_phone_is_passed_over(database: Database) {
    let desk = ringing_long(database).start().await;
    let talk = sergio_talks_with_bob(&desk).await;
    desk.twilio
        .set_phone(BACKUP_PHONE, Phone::pick_up(2).pressing("1"));
    let story = desk.twilio.call(ALICE, LINE).await;
    assert_eq!(rang(&story), [BACKUP_PHONE]);
    talk.hang_up(&Party::Caller);
    talk.finished().await;
    // Now he can be rung again.
    let story = desk.twilio.call(ALICE, LINE).await;
    assert_eq!(rang(&story), [SERGIO_PHONE, BACKUP_PHONE]);
    desk.close().await;
}

async fn whoever_is_on_the_phone_is_rung_when_nobody_else_is_left(database: Database) {
    let desk = ringing_long(database).start().await;
    let talk = sergio_talks_with_bob(&desk).await;
    desk.twilio
        .set_phone(SERGIO_PHONE, Phone::pick_up(2).pressing("1"));
    let story = desk.twilio.call(ALICE, LINE).await;
    assert_eq!(rang(&story), [BACKUP_PHONE, SERGIO_PHONE]);
    assert!(is_bridged_with(&story, SERGIO_PHONE), "{story:#?}");
    talk.hang_up(&Party::Caller);
    talk.finished().await;
    desk.close().await;
}

async fn callbacks_do_no_harm_however_they_come(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio.set_phone(SERGIO_PHONE, Phone::mailbox(2));
    desk.twilio
        .set_phone(BACKUP_PHONE, Phone::pick_up(2).pressing("1").talking(65));
    let callers = [ALICE, BOB, "+16195550144", "+16195550145", "+16195550146"];
    let ways = [
        CallCallbacks::InOrder,
        CallCallbacks::Dropped,
        CallCallbacks::Doubled,
        CallCallbacks::Late,
        CallCallbacks::Reversed,
    ];
    for (caller, way) in callers.into_iter().zip(ways) {
        let story = desk
            .twilio
            .calling(caller, LINE)
            .callbacks(way)
            .place()
            .await;
        assert!(is_bridged_with(&story, BACKUP_PHONE), "{way:?}: {story:#?}");
    }
    let roots = desk.expect_roots(callers.len()).await;
    for root in roots {
        desk.expect_root_words(&root.ts, "Sergio did not answer, Backup took it")
            .await;
    }
    desk.close().await;
}

async fn the_same_request_gets_the_same_answer(database: Database) {
    let desk = Desk::on(database)
        .toml("\n[desk]\ntimezone = \"UTC\"\n")
        .replace(
            "number = \"+16195550100\"",
            "number = \"+16195550100\"\nmissed_call_text = \"Sorry we missed you\"",
        )
        .start()
        .await;
    desk.twilio.set_phone(SERGIO_PHONE, Phone::decline(2));
    // The stand-in sees to it that all answers to one request are alike.
    let story = desk
        .twilio
        .calling(ALICE, LINE)
        .repeat_webhooks(8)
        .callbacks(CallCallbacks::Doubled)
        .caller(Caller::default())
        .place()
        .await;
    assert!(
        matches!(story.outcome, Outcome::Voicemail { .. }),
        "{story:#?}"
    );
    desk.expect_sms(1).await;
    desk.expect_quiet().await;
    let made = desk
        .query_one("select count(*) from audit where decision = 'ring'")
        .await;
    assert_eq!(made, 2);
    desk.close().await;
}

async fn a_withheld_caller_is_shown_our_number(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio
        .set_phone(SERGIO_PHONE, Phone::pick_up(2).pressing("1"));
    for from in ["anonymous", "anonymous", "+266696687", ""] {
        let story = desk.twilio.call(from, LINE).await;
        assert!(is_bridged_with(&story, SERGIO_PHONE), "{story:#?}");
        assert!(
            story.first_twiml.contains(&format!("callerId=\"{LINE}\"")),
            "{}",
            story.first_twiml
        );
    }
    let roots = desk.expect_roots(4).await;
    for root in roots {
        let shown = desk.slack.rendered(&root);
        assert!(shown.contains("a withheld number"), "{shown}");
    }
    desk.close().await;
}
