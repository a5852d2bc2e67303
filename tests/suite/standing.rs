//! Who has a conversation, and whether its caller waits, was answered or needs nothing more.

use qdn_sandbox::slack::Forgery;
use qdn_sandbox::twilio::{Caller, Phone};

use crate::desk::{
    ALICE, BOB, CHANNEL, DORA, Database, Desk, LINE, PATIENCE, SERGIO, SERGIO_PHONE, STRANGER,
};

stories! {
    a_root_shows_where_its_conversation_stands,
    a_press_has_one_effect_and_whoever_is_late_is_told,
    a_stranger_changes_nothing,
    who_waits_is_listed_longest_first,
    an_idle_conversation_goes_on_in_a_new_thread,
    a_named_caller_is_called_so_everywhere,
    a_missed_call_waits_and_a_taken_one_is_answered,
    a_reply_that_never_arrived_is_no_answer,
    a_reply_that_is_held_once_its_names_are_known_is_no_answer,
    who_waited_when_it_was_closed_waits_when_it_is_reopened,
    a_call_a_day_later_does_not_answer_a_text,
    a_text_of_ours_reopens_what_was_closed,
    who_wants_no_texts_waits_for_none,
}

async fn a_root_shows_where_its_conversation_stands(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let shown = desk.expect_root(&root, "(emoji red_circle)").await;
    assert!(shown.contains("[Claim] [Close]"), "{shown}");

    desk.press(DORA, &root, "desk_claim").await;
    let shown = desk.expect_root(&root, "@Dora has it.").await;
    assert!(shown.contains("(emoji large_yellow_circle)"), "{shown}");
    assert!(shown.contains("Help"), "the text stays: {shown}");
    assert!(shown.contains("[Release]"), "{shown}");

    desk.reply(&root, "On our way").await;
    desk.expect_root(&root, "Answered by @Dora. @Dora has it.")
        .await;
    desk.expect_root(&root, "(emoji large_green_circle)").await;

    desk.twilio.text(ALICE, LINE, "How long?").await;
    desk.expect_root(&root, "(emoji large_yellow_circle)").await;

    desk.press(DORA, &root, "desk_release").await;
    desk.expect_root(&root, "(emoji red_circle)").await;

    desk.press(SERGIO, &root, "desk_close").await;
    let shown = desk.expect_root(&root, "Closed by @Sergio.").await;
    assert!(shown.contains("(emoji white_circle)"), "{shown}");
    assert!(shown.contains("[Reopen]"), "{shown}");

    desk.twilio.text(ALICE, LINE, "One more thing").await;
    let shown = desk.expect_root(&root, "(emoji red_circle)").await;
    assert!(shown.contains("[Claim] [Close]"), "{shown}");
    desk.expect_quiet().await;
    for decision in ["claimed", "released", "closed"] {
        let rows = desk.audit(&[]).await;
        let found = rows.iter().filter(|row| row["decision"] == decision);
        assert_eq!(found.count(), 1, "{decision}");
    }
    desk.close().await;
}

async fn a_press_has_one_effect_and_whoever_is_late_is_told(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let late = desk
        .slack
        .press_payload(SERGIO, CHANNEL, &root.ts, "desk_claim")
        .unwrap();
    let twice = desk
        .slack
        .press_payload(DORA, CHANNEL, &root.ts, "desk_claim")
        .unwrap();
    let mut again = twice.clone();
    again["trigger_id"] = "another.press".into();
    for payload in [&twice, &again, &late] {
        let reply = desk
            .slack
            .send_interaction(payload, Forgery::Genuine)
            .await
            .unwrap();
        assert_eq!(reply.status, 200);
    }
    desk.expect_told(DORA, "That is so already. Nothing was changed.")
        .await;
    desk.expect_told(SERGIO, "@Dora has it already.").await;
    desk.expect_root(&root, "@Dora has it.").await;
    desk.expect_quiet().await;

    // Its conversation is not known any more.
    desk.execute("delete from conversation").await;
    desk.press(DORA, &root, "desk_close").await;
    desk.expect_told(DORA, "This conversation is gone.").await;
    desk.close().await;
}

async fn a_stranger_changes_nothing(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.press(STRANGER, &root, "desk_claim").await;
    desk.expect_told(STRANGER, "Only members of #qdn-dispatch can change that.")
        .await;
    desk.expect_quiet().await;
    let root = desk.slack.message(CHANNEL, &root.ts).unwrap();
    let shown = desk.slack.rendered(&root);
    assert!(shown.contains("(emoji red_circle)"), "{shown}");
    desk.close().await;
}

async fn who_waits_is_listed_longest_first(database: Database) {
    let desk = Desk::on(database).start().await;
    let answer = desk.slack.command(DORA, CHANNEL, "/qdn", "open").await;
    assert_eq!(answer.text, "Nobody waits for an answer.");
    let alice = desk.open(ALICE).await;
    let bob = desk.open(BOB).await;
    desk.press(DORA, &bob, "desk_claim").await;
    desk.expect_quiet().await;
    let answer = desk.slack.command(DORA, CHANNEL, "/qdn", "open").await.text;
    let listed: Vec<&str> = answer.lines().collect();
    assert_eq!(listed.len(), 2, "{answer}");
    let link = |ts: &str| {
        format!(
            "<https://qdn.slack.com/archives/{CHANNEL}/p{}|open>",
            ts.replace('.', "")
        )
    };
    assert!(
        listed[0].contains("(619) 555-0142") && listed[0].contains(&link(&alice.ts)),
        "{answer}"
    );
    assert!(listed[0].starts_with(":red_circle:"), "{answer}");
    assert!(
        listed[1].contains("(619) 555-0143") && listed[1].contains(&link(&bob.ts)),
        "{answer}"
    );
    assert!(listed[1].contains(&format!("<@{DORA}> has it")), "{answer}");
    let refused = desk.slack.command(STRANGER, CHANNEL, "/qdn", "open").await;
    assert!(
        refused.text.starts_with("Only members of"),
        "{}",
        refused.text
    );
    desk.reply(&alice, "Here").await;
    desk.expect_root(&alice, "Answered by @Dora").await;
    let answer = desk.slack.command(DORA, CHANNEL, "/qdn", "open").await.text;
    assert!(!answer.contains("0142"), "{answer}");
    desk.close().await;
}

async fn an_idle_conversation_goes_on_in_a_new_thread(database: Database) {
    let desk = Desk::on(database).start().await;
    let old = desk.open(ALICE).await;
    desk.press(DORA, &old, "desk_claim").await;
    desk.expect_root(&old, "@Dora has it.").await;
    desk.expect_quiet().await;
    // A day and a half passes.
    desk.execute("update conversation set last_at = last_at - 129600000")
        .await;
    let late = desk
        .slack
        .press_payload(DORA, CHANNEL, &old.ts, "desk_close")
        .unwrap();
    desk.twilio.text(ALICE, LINE, "It broke down again").await;
    let new = desk.expect_roots(2).await.remove(1);
    let shown = desk.slack.rendered(&new);
    assert!(shown.contains("It broke down again"), "{shown}");
    assert!(shown.contains("Goes on from an earlier thread."), "{shown}");
    assert!(
        shown.contains("(emoji red_circle)"),
        "nobody has it: {shown}"
    );
    desk.expect_root(&old, "This conversation goes on in a newer thread.")
        .await;
    desk.expect_words_in_thread(&old.ts, "goes on in a newer thread")
        .await;
    let shown = desk.expect_root(&old, "Help").await;
    assert!(!shown.contains("[Claim]"), "{shown}");

    // A reply in the old thread still reaches the caller, and answers it.
    desk.reply(&old, "Again?").await;
    desk.expect_texted(ALICE, &["Again?"]).await;
    desk.expect_root(&new, "Answered by @Dora").await;

    desk.slack
        .send_interaction(&late, Forgery::Genuine)
        .await
        .unwrap();
    desk.expect_told(DORA, "This conversation goes on in a newer thread.")
        .await;
    desk.expect_quiet().await;
    desk.close().await;
}

async fn a_named_caller_is_called_so_everywhere(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.type_until(DORA, "name", "Write `/qdn name").await;
    desk.type_until(STRANGER, "name 619-555-0142 Ana", "Only members of")
        .await;
    let named = "name (619) 555-0142 Ana <!channel> *López*";
    desk.type_until(DORA, named, "(619) 555-0142 is *Ana").await;
    let shown = desk.expect_root(&root, "López").await;
    assert!(shown.contains("(619) 555-0142"), "{shown}");
    let message = desk.slack.message(CHANNEL, &root.ts).unwrap();
    assert_eq!(message.pings(), Vec::<String>::new());
    for (typed, answered) in [
        ("name 6195550142 Ana López", "from now on."),
        ("name +16195550142", "(619) 555-0142 is *Ana López*."),
        ("open", "*Ana López* (619) 555-0142"),
        (
            "name 619-555-0142 remove",
            "(619) 555-0142 has no name any more.",
        ),
        (
            "name 619-555-0142 remove",
            "(619) 555-0142 had no name. Nothing was changed.",
        ),
    ] {
        desk.type_until(DORA, typed, answered).await;
    }
    desk.expect_quiet().await;
    let root = desk.slack.message(CHANNEL, &root.ts).unwrap();
    assert!(!desk.slack.rendered(&root).contains("Ana"));
    desk.close().await;
}

async fn a_missed_call_waits_and_a_taken_one_is_answered(database: Database) {
    let desk = Desk::on(database)
        .replace(
            "channel = \"#qdn-dispatch\"",
            "channel = \"#qdn-dispatch\"\nscreen = false",
        )
        .start()
        .await;
    desk.type_until(DORA, "name 619-555-0142 Ana López", "from now on.")
        .await;
    desk.twilio.call(ALICE, LINE).await;
    let root = desk.expect_thread_of_call().await;
    desk.expect_root_words(&root, "(emoji red_circle) Ana López (619) 555-0142")
        .await;
    desk.expect_words_in_thread(&root, "Missed call from Ana López")
        .await;
    desk.expect_quiet().await;
    desk.expect_roots(1).await;
    desk.twilio
        .set_phone(SERGIO_PHONE, Phone::pick_up(5).talking(90));
    desk.twilio.call(ALICE, LINE).await;
    desk.expect_root_words(&root, "Answered by Sergio.").await;
    desk.close().await;
}

async fn a_reply_that_never_arrived_is_no_answer(database: Database) {
    let desk = Desk::on(database).start().await;
    let alice = desk.open(ALICE).await;
    let bob = desk.open(BOB).await;
    desk.twilio.fail_number(ALICE, "undelivered", 30_003);
    desk.twilio.refuse_number(BOB, Some(21_614));
    for root in [&alice, &bob] {
        desk.reply(root, "On our way").await;
        desk.expect_words_in_thread(&root.ts, "Not delivered").await;
        desk.expect_quiet().await;
        desk.expect_root(root, "(emoji red_circle)").await;
    }
    let clocks = "select count(*) from conversation_status where remind_at is not null";
    assert_eq!(desk.query_one(clocks).await, 2);
    desk.close().await;
}

async fn a_reply_that_is_held_once_its_names_are_known_is_no_answer(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let long = format!("Please ask <@{SERGIO}> about {}", "it, ".repeat(400));
    desk.reply(&root, &long).await;
    let asked = desk
        .slack
        .wait_until(|world| world.ephemerals(DORA).next().is_some(), PATIENCE)
        .await;
    assert!(asked, "its writer is asked");
    desk.expect_root(&root, "(emoji red_circle)").await;
    let counted = "select count(*) from text_count";
    assert_eq!(desk.query_one(counted).await, 0);
    desk.reply(&root, &format!("Please ask <@{SERGIO}>")).await;
    desk.expect_root(&root, "Answered by @Dora").await;
    assert_eq!(desk.query_one(counted).await, 1);
    desk.close().await;
}

async fn who_waited_when_it_was_closed_waits_when_it_is_reopened(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.press(DORA, &root, "desk_close").await;
    desk.expect_root(&root, "Closed by @Dora.").await;
    desk.type_until(DORA, "open", "Nobody waits for an answer.")
        .await;
    desk.press(DORA, &root, "desk_reopen").await;
    desk.expect_root(&root, "(emoji large_yellow_circle)").await;
    desk.type_until(DORA, "open", "(619) 555-0142").await;
    desk.close().await;
}

async fn a_call_a_day_later_does_not_answer_a_text(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.open(ALICE).await;
    desk.expect_quiet().await;
    desk.execute("update conversation set last_at = last_at - 129600000")
        .await;
    let caller = Caller::hanging_up_after(2);
    let calling = desk.twilio.calling(ALICE, LINE).caller(caller);
    calling.place().await;
    let new = desk.expect_roots(2).await.remove(1);
    desk.expect_root(&new, "(emoji red_circle) (619)").await;
    let clocks = "select count(*) from conversation_status where remind_at is not null and waiting_since is not null";
    assert_eq!(desk.query_one(clocks).await, 1);
    desk.close().await;
}

async fn a_text_of_ours_reopens_what_was_closed(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.press(SERGIO, &root, "desk_close").await;
    desk.expect_root(&root, "Closed by @Sergio.").await;
    desk.type_until(DORA, "text 619-555-0142 We are back", "Texting")
        .await;
    let shown = desk.expect_root(&root, "Answered by @Dora.").await;
    assert!(!shown.contains("Closed"), "{shown}");
    desk.close().await;
}

async fn who_wants_no_texts_waits_for_none(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio.text(ALICE, LINE, "STOP").await;
    let root = desk.expect_roots(1).await.remove(0);
    desk.expect_quiet().await;
    let shown = desk.expect_root(&root, "STOP").await;
    assert!(!shown.contains("red_circle"), "{shown}");
    desk.type_until(DORA, "open", "Nobody waits for an answer.")
        .await;
    desk.close().await;
}
