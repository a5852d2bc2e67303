//! A reply whose event was lost is found, however old its thread is.

use std::time::Duration;

use qdn_sandbox::faults::Effect;

use crate::desk::{ALICE, BOB, CHANNEL, DORA, Database, Desk, FORTY_DAYS};

stories! {
    a_lost_reply_in_a_thread_of_forty_days_is_found,
    the_current_thread_and_those_before_it_are_compared,
    a_reply_waits_for_each_thread_of_its_conversation_that_is_in_doubt,
    threads_in_a_channel_that_the_bot_has_left_fail_no_round,
}

async fn a_lost_reply_in_a_thread_of_forty_days_is_found(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.open(ALICE).await;
    desk.open(BOB).await;
    desk.expect_quiet().await;
    desk.relay().kill().await;
    let old = desk.aged_root().await;
    let ago = FORTY_DAYS.as_millis();
    let bob = format!("(select id from conversation where caller = '{BOB}')");
    desk.change(format!(
        "update thread set ts = '{old}', opened_at = opened_at - {ago} where conversation_id = {bob}"
    ))
    .await;
    desk.change(format!(
        "update conversation set thread_ts = '{old}', last_at = last_at - {ago} where caller = '{BOB}'"
    ))
    .await;
    desk.slack
        .say(DORA, CHANNEL, "Tomorrow as always?")
        .in_thread(&old)
        .withheld()
        .send()
        .await;
    desk.start_relay().await;
    desk.expect_texted(BOB, &["Tomorrow as always?"]).await;
    desk.expect_rounds(2).await;
    desk.expect_quiet().await;
    desk.expect_sms(1).await;
    desk.close().await;
}

async fn the_current_thread_and_those_before_it_are_compared(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    let old = desk.aged_root().await;
    desk.had_thread(CHANNEL, &old).await;
    let say = |root: &str, words: &str| {
        let said = desk.slack.say(DORA, CHANNEL, words).in_thread(root);
        said.withheld().send()
    };
    say(&old, "in the old thread").await;
    desk.expect_texted(ALICE, &["in the old thread"]).await;
    say(&root.ts, "in the new one").await;
    desk.expect_texted(ALICE, &["in the old thread", "in the new one"])
        .await;
    // A root that is gone holds up no other thread.
    desk.slack.delete_message(CHANNEL, &old);
    say(&root.ts, "and again").await;
    desk.expect_sms(3).await;
    let failed = "qdn_backfill_failed_total{what=\"replies\"}";
    assert_eq!(desk.metric(failed).await, 0.0);
    desk.close().await;
}

async fn a_reply_waits_for_each_thread_of_its_conversation_that_is_in_doubt(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    let old = desk.aged_root().await;
    desk.had_thread(CHANNEL, &old).await;
    desk.relay().kill().await;
    let say = |words: &str| {
        let said = desk.slack.say(DORA, CHANNEL, words).in_thread(&old);
        said.withheld().send()
    };
    say("first").await;
    let second = say("second").await;
    let slow = Effect::Slow(Duration::from_millis(250)).accepted();
    desk.slack.faults().always("conversations.replies", slow);
    desk.start_relay().await;
    // The thread of this one is compared before the old one is.
    desk.reply(&root, "third").await;
    desk.slack.deliver_message(CHANNEL, &second).await;
    desk.expect_texted(ALICE, &["first", "second", "third"])
        .await;
    desk.expect_quiet().await;
    desk.close().await;
}

async fn threads_in_a_channel_that_the_bot_has_left_fail_no_round(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    desk.slack.add_channel("C0LEFT", "qdn-before", false);
    let old = desk.aged_root().await;
    desk.had_thread("C0LEFT", &old).await;
    let told = |line: &serde_json::Value| line.to_string().contains("cannot be read any more");
    desk.relay().wait_for_log(told).await;
    desk.expect_rounds(3).await;
    let said = desk.slack.say(DORA, CHANNEL, "On our way");
    said.in_thread(&root.ts).withheld().send().await;
    desk.expect_texted(ALICE, &["On our way"]).await;
    let failed = "qdn_backfill_failed_total{what=\"replies\"}";
    assert_eq!(desk.metric(failed).await, 0.0);
    let lines = desk.relay().log();
    let times = lines
        .iter()
        .filter(|line| line.contains("cannot be read any more"));
    assert_eq!(times.count(), 1);
    desk.close().await;
}
