//! Replies that their writer changes or takes away, before and after they have left.

use qdn_sandbox::slack::Forgery;

use crate::desk::{ALICE, CHANNEL, DORA, Database, Desk, PATIENCE, SERGIO, STRANGER};

stories! {
    an_edit_before_a_reply_leaves_changes_what_leaves,
    an_edit_can_make_a_note_of_what_has_not_left,
    a_reply_deleted_before_it_leaves_does_not_leave,
    an_edit_of_what_has_left_is_told_and_can_be_sent_once,
    edits_that_nobody_made_do_nothing,
    a_deleted_reply_cannot_be_unsent,
    a_held_reply_can_be_edited_and_taken_away,
    an_edit_that_comes_before_its_message_is_the_message,
    edits_made_while_the_service_was_down_are_found,
    a_correction_is_sent_by_members_only,
}

async fn an_edit_before_a_reply_leaves_changes_what_leaves(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.hold_back(&root).await;
    let first = desk.reply(&root, "Tuesday").await;
    let named = desk.reply(&root, "<@U0SERGIO> or me").await;
    let long = desk.reply(&root, "Short").await;
    let question = desk.expect_ephemeral(DORA, "begins with a colleague").await;
    desk.slack
        .press(DORA, CHANNEL, &question.ts, "held_inside")
        .await;
    desk.edits(&first, "Wednesday").await;
    desk.edits(&first, "Thursday").await;
    desk.edits(&named, "Nothing").await;
    let two = format!("{} {}", "a".repeat(200), "b".repeat(200));
    desk.edits(&long, &two).await;
    desk.expect_texted(ALICE, &["Wait", "Thursday", &two]).await;
    desk.expect_quiet().await;
    assert_eq!(desk.audited("reply_edited").await, 3);
    desk.close().await;
}

async fn an_edit_can_make_a_note_of_what_has_not_left(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.hold_back(&root).await;
    let reply = desk.reply(&root, "He sounds drunk").await;
    let other = desk.reply(&root, "Ask Sergio").await;
    desk.edits(&reply, "// He sounds drunk").await;
    desk.edits(&other, "<@U0SERGIO> ask him").await;
    desk.expect_ephemeral(DORA, "begins with a colleague").await;
    desk.expect_marks(&reply, &["lock"]).await;
    desk.reply(&root, "Hello").await;
    desk.expect_texted(ALICE, &["Wait", "Hello"]).await;
    desk.close().await;
}

async fn a_reply_deleted_before_it_leaves_does_not_leave(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.hold_back(&root).await;
    let reply = desk.reply(&root, "Wrong thread").await;
    desk.deletes(&reply).await;
    desk.reply(&root, "Hello").await;
    desk.expect_texted(ALICE, &["Wait", "Hello"]).await;
    desk.expect_quiet().await;
    desk.expect_texted(ALICE, &["Wait", "Hello"]).await;
    assert_eq!(desk.audited("reply_deleted").await, 1);
    desk.close().await;
}

async fn an_edit_of_what_has_left_is_told_and_can_be_sent_once(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let reply = desk.reply(&root, "Gate 4").await;
    desk.expect_texted(ALICE, &["Gate 4"]).await;
    desk.expect_quiet().await;
    desk.edits(&reply, "Gate 5").await;
    let told = desk.expect_edit_told(&root).await;
    assert_eq!(told.buttons(), ["edit_send"]);
    assert!(desk.slack.rendered(&told).contains("Gate 4"));
    desk.expect_quiet().await;
    // A later edit takes the place of the one before: what is sent is what stands there.
    desk.edits(&reply, "Gate 6").await;
    desk.expect_quiet().await;
    desk.expect_texted(ALICE, &["Gate 4"]).await;
    let press = desk
        .slack
        .press_payload(SERGIO, CHANNEL, &told.ts, "edit_send")
        .unwrap();
    for trigger in ["one.press", "another.press"] {
        let mut press = press.clone();
        press["trigger_id"] = trigger.into();
        desk.slack
            .send_interaction(&press, Forgery::Genuine)
            .await
            .unwrap();
    }
    desk.expect_texted(ALICE, &["Gate 4", "Gate 6"]).await;
    desk.expect_words_in_thread(&root.ts, "sent as it stands now")
        .await;
    desk.expect_ephemeral(SERGIO, "decided that already").await;
    desk.edits(&reply, "Gate 7").await;
    let again = desk.expect_edit_told(&root).await;
    assert!(desk.slack.rendered(&again).contains("Gate 6"));
    desk.edits(&reply, "Gate 6").await;
    desk.expect_words_in_thread(&root.ts, "there is nothing to correct")
        .await;
    desk.expect_quiet().await;
    desk.expect_texted(ALICE, &["Gate 4", "Gate 6"]).await;
    assert_eq!(desk.audited("correction_sent").await, 1);
    desk.close().await;
}

async fn edits_that_nobody_made_do_nothing(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let reply = desk.reply(&root, "See <https://maps.example>").await;
    let note = desk.reply(&root, "// inside").await;
    desk.expect_texted(ALICE, &["See https://maps.example"])
        .await;
    desk.expect_quiet().await;
    desk.slack.unfurl(CHANNEL, &reply);
    desk.edits(&reply, "See <https://maps.example>").await;
    desk.slack.unfurl(CHANNEL, &reply);
    desk.edits(&note, "not inside any more").await;
    assert!(desk.slack.wait_until_delivered(PATIENCE).await);
    desk.expect_quiet().await;
    assert_eq!(desk.replies(&root.ts).len(), 2, "nothing was said");
    desk.expect_texted(ALICE, &["See https://maps.example"])
        .await;
    desk.close().await;
}

async fn a_deleted_reply_cannot_be_unsent(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let reply = desk.reply(&root, "Wrong thread").await;
    let note = desk.reply(&root, "// a note").await;
    desk.expect_texted(ALICE, &["Wrong thread"]).await;
    desk.expect_quiet().await;
    desk.deletes(&reply).await;
    desk.deletes(&note).await;
    let told = desk
        .expect_words_in_thread(&root.ts, "cannot be unsent")
        .await;
    assert!(desk.slack.rendered(&told).contains("Wrong thread"));
    desk.expect_quiet().await;
    assert_eq!(desk.audited("reply_deleted").await, 1);
    desk.close().await;
}

async fn a_held_reply_can_be_edited_and_taken_away(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let edited = desk.reply(&root, "<@U0SERGIO> comes at 5").await;
    let question = desk.expect_ephemeral(DORA, "begins with a colleague").await;
    desk.edits(&edited, "He comes at 6").await;
    desk.slack
        .press(DORA, CHANNEL, &question.ts, "held_send")
        .await;
    desk.expect_texted(ALICE, &["He comes at 6"]).await;
    let deleted = desk.reply(&root, "<@U0SERGIO> and leaves at 7").await;
    let question = desk
        .expect_newer_ephemeral(DORA, "begins with a colleague", Some(&question))
        .await;
    desk.deletes(&deleted).await;
    desk.slack
        .press(DORA, CHANNEL, &question.ts, "held_send")
        .await;
    desk.expect_ephemeral(DORA, "not there any more").await;
    desk.expect_quiet().await;
    desk.expect_texted(ALICE, &["He comes at 6"]).await;
    desk.close().await;
}

async fn an_edit_that_comes_before_its_message_is_the_message(database: Database) {
    let desk = Desk::on(database)
        .replace("backfill_every = \"1s\"", "backfill_every = \"1h\"")
        .start()
        .await;
    let root = desk.open(ALICE).await;
    let late = |words: &str| {
        desk.slack
            .say(DORA, CHANNEL, words)
            .in_thread(&root.ts)
            .withheld()
    };
    let edited = late("Gate 4").send().await;
    desk.edits(&edited, "Gate 5").await;
    let deleted = late("Wrong thread").send().await;
    let event = desk.slack.message(CHANNEL, &deleted).unwrap();
    desk.deletes(&deleted).await;
    desk.slack.deliver_message(CHANNEL, &edited).await;
    desk.expect_texted(ALICE, &["Gate 5"]).await;
    desk.expect_quiet().await;
    desk.expect_texted(ALICE, &["Gate 5"]).await;
    assert_eq!(event.text, "Wrong thread");
    desk.close().await;
}

async fn edits_made_while_the_service_was_down_are_found(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let reply = desk.reply(&root, "Gate 4").await;
    desk.expect_texted(ALICE, &["Gate 4"]).await;
    desk.expect_quiet().await;
    desk.relay().kill().await;
    desk.slack.edit_as(DORA, CHANNEL, &reply, "Gate 5");
    desk.start_relay().await;
    desk.expect_edit_told(&root).await;
    desk.close().await;
}

async fn a_correction_is_sent_by_members_only(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let reply = desk.reply(&root, "Gate 4").await;
    desk.expect_texted(ALICE, &["Gate 4"]).await;
    desk.edits(&reply, "Gate 5").await;
    let told = desk.expect_edit_told(&root).await;
    let press = desk
        .slack
        .press_payload(STRANGER, CHANNEL, &told.ts, "edit_send")
        .unwrap();
    let forged = desk
        .slack
        .send_interaction(&press, Forgery::Unsigned)
        .await
        .unwrap();
    assert_eq!(forged.status, 403);
    desk.slack
        .send_interaction(&press, Forgery::Genuine)
        .await
        .unwrap();
    desk.expect_quiet().await;
    desk.expect_texted(ALICE, &["Gate 4"]).await;
    let mut unknown = press.clone();
    unknown["user"]["id"] = DORA.into();
    unknown["actions"][0]["value"] = "gone".into();
    desk.slack
        .send_interaction(&unknown, Forgery::Genuine)
        .await
        .unwrap();
    desk.expect_ephemeral(DORA, "not there any more").await;
    // The stranger was to be told, whom Slack shows nothing in a channel they are not in.
    desk.slack.take_violations();
    desk.close().await;
}
