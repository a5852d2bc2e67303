//! Calls that never reached us are found in Twilio's log, and their callers' threads say so.

use std::time::Duration;

use qdn_sandbox::faults::Effect;
use qdn_sandbox::twilio::{Caller, Outcome, Party, Phone};

use crate::desk::{ALICE, BACKUP_PHONE, BOB, CHANNEL, Database, Desk, LINE, PATIENCE};

stories! {
    a_call_made_while_the_service_was_down_is_found,
    a_call_that_the_fallback_put_through_says_to_whom,
    withheld_calls_are_found_in_threads_of_their_own,
    a_call_that_was_answered_is_not_found_again,
    a_broken_list_of_calls_is_read_again,
    a_call_that_goes_on_is_found_when_it_is_over,
}

const MISSED: &str = "while I could not be reached: nobody was rung";

async fn a_call_made_while_the_service_was_down_is_found(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    desk.expect_watermarks_to_move().await;
    desk.relay().kill().await;
    for (caller, age) in [(BOB, 300), (ALICE, 120)] {
        let story = desk
            .twilio
            .calling(caller, LINE)
            .caller(Caller::hanging_up_after(20))
            .aged(Duration::from_secs(age))
            .place()
            .await;
        assert!(
            matches!(story.outcome, Outcome::Error { .. }),
            "{:?}",
            story.outcome
        );
    }
    desk.start_relay().await;
    desk.expect_words_in_thread(&root.ts, MISSED).await;
    // Alice's is shown in the channel too, so that somebody calls back.
    let shown = desk.expect_roots(3).await;
    let of_bob = shown
        .iter()
        .find(|root| desk.slack.rendered(root).contains("(619) 555-0143"));
    let bob = of_bob.unwrap();
    assert!(desk.slack.rendered(bob).contains(MISSED));
    desk.expect_watermarks_to_move().await;
    desk.expect_quiet().await;
    assert_eq!(desk.audited("call_found_late").await, 2);
    assert_eq!(desk.slack.posts().len(), 3, "each is told once");
    let waiting = "select count(*) from conversation_status where waiting_since is not null";
    assert_eq!(desk.query_one(waiting).await, 2);
    // A reply in the thread that the call has begun reaches its caller.
    desk.reply(bob, "You called?").await;
    desk.expect_texted(BOB, &["You called?"]).await;
    desk.close().await;
}

async fn a_call_that_the_fallback_put_through_says_to_whom(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_watermarks_to_move().await;
    desk.twilio.configure_number(LINE, |number| {
        number.voice_fallback_url =
            format!("https://twimlets.com/forward?PhoneNumber={BACKUP_PHONE}").replace('+', "%2B");
    });
    desk.relay().kill().await;
    desk.twilio
        .set_phone(BACKUP_PHONE, Phone::pick_up(2).talking(70));
    desk.twilio.call(ALICE, LINE).await;
    desk.twilio.set_phone(BACKUP_PHONE, Phone::NoAnswer);
    desk.twilio.call(BOB, LINE).await;
    desk.start_relay().await;
    // Two conversations: either may be posted first.
    let roots = desk.expect_roots(2).await;
    let shown: Vec<String> = roots.iter().map(|root| desk.slack.rendered(root)).collect();
    for (caller, words) in [
        (
            "(619) 555-0142",
            "Twilio put it through to Backup by itself, 1 min 10 s",
        ),
        (
            "(619) 555-0143",
            "Twilio rang Backup by itself, without an answer",
        ),
    ] {
        let of_caller = shown.iter().find(|header| header.contains(caller));
        assert!(of_caller.is_some_and(|it| it.contains(words)), "{shown:?}");
    }
    desk.close().await;
}

async fn withheld_calls_are_found_in_threads_of_their_own(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_watermarks_to_move().await;
    desk.relay().kill().await;
    for from in ["anonymous", "+266696687"] {
        desk.twilio.call(from, LINE).await;
    }
    desk.start_relay().await;
    for root in desk.expect_roots(2).await {
        let shown = desk.slack.rendered(&root);
        assert!(
            shown.contains("a withheld number") && shown.contains(MISSED),
            "{shown}"
        );
    }
    desk.close().await;
}

async fn a_call_that_was_answered_is_not_found_again(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_watermarks_to_move().await;
    desk.twilio
        .set_phone(BACKUP_PHONE, Phone::pick_up(2).pressing("1"));
    desk.twilio.call(ALICE, LINE).await;
    desk.expect_thread_of_call().await;
    desk.expect_quiet().await;
    let posts = desk.slack.posts().len();
    desk.relay().kill().await;
    desk.start_relay().await;
    desk.expect_watermarks_to_move().await;
    desk.expect_watermarks_to_move().await;
    desk.expect_quiet().await;
    assert_eq!(desk.slack.posts().len(), posts);
    assert_eq!(desk.audited("call_found_late").await, 0);
    desk.close().await;
}

async fn a_broken_list_of_calls_is_read_again(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_watermarks_to_move().await;
    desk.relay().kill().await;
    desk.twilio.set_page_size_limit(1);
    for _ in 0..3 {
        desk.twilio.call(ALICE, LINE).await;
    }
    for effect in [
        Effect::Status(500),
        Effect::CutShort,
        Effect::Garbage,
        Effect::Empty,
    ] {
        desk.twilio
            .faults()
            .push("Calls.list", effect.not_accepted());
    }
    let before = desk.watermark_of_calls().await;
    desk.start_relay().await;
    let root = desk.expect_thread().await;
    let reached = desk
        .slack
        .wait_until(|world| world.thread(CHANNEL, &root.ts).len() == 2, PATIENCE)
        .await;
    assert!(reached, "{:?}", desk.replies(&root.ts));
    desk.expect_watermarks_to_move().await;
    assert!(desk.watermark_of_calls().await > before);
    desk.twilio
        .faults()
        .always("Calls.list", Effect::Status(500).not_accepted());
    let mut stands = Vec::new();
    for failed in [1, 2] {
        desk.expect_failed_rounds_of("calls", failed).await;
        stands.push(desk.watermark_of_calls().await);
    }
    assert_eq!(stands[0], stands[1], "a broken read moves nothing");
    desk.close().await;
}

async fn a_call_that_goes_on_is_found_when_it_is_over(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_watermarks_to_move().await;
    desk.twilio.configure_number(LINE, |number| {
        number.voice_fallback_url =
            format!("https://twimlets.com/forward?PhoneNumber={BACKUP_PHONE}").replace('+', "%2B");
    });
    desk.twilio.set_phone(BACKUP_PHONE, Phone::Live);
    desk.relay().kill().await;
    let call = desk.twilio.calling(ALICE, LINE).start(1.0);
    desk.expect_ringing(&call, BACKUP_PHONE).await;
    desk.start_relay().await;
    desk.expect_rounds_of_texts().await;
    let held = desk.watermark_of_calls().await;
    desk.expect_rounds_of_texts().await;
    assert_eq!(
        desk.watermark_of_calls().await,
        held,
        "it does not pass a call that goes on"
    );
    assert_eq!(desk.slack.roots(CHANNEL).len(), 0);
    call.hang_up(&Party::Caller);
    let root = desk.expect_thread().await;
    let shown = desk.slack.rendered(&root);
    assert!(shown.contains("Twilio rang Backup by itself"), "{shown}");
    desk.close().await;
}
