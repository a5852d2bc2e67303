//! A reply whose event was lost is found, however old its thread is.

use std::time::Duration;

use sqlx::{Connection, Executor};

use crate::desk::{ALICE, BOB, CHANNEL, DORA, Database, Desk};

stories! {
    a_lost_reply_in_a_thread_of_forty_days_is_found,
    the_current_thread_and_those_before_it_are_compared,
}

const FORTY_DAYS: Duration = Duration::from_secs(40 * 24 * 3_600);

impl Desk {
    /// A root of ours that was posted forty days ago.
    async fn aged_root(&self) -> String {
        self.slack
            .say("U0QDNBOT", CHANNEL, "an old conversation")
            .as_bot("B0QDN")
            .aged(FORTY_DAYS)
            .withheld()
            .send()
            .await
    }

    async fn change(&self, sql: String) {
        let mut connection = self.connection().await;
        connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        connection.close().await.unwrap();
    }
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
    // A thread that the conversation had before.
    desk.change(format!(
        "insert into thread (channel, ts, conversation_id, opened_at)
         select channel, '{old}', conversation_id, opened_at - {} from thread",
        FORTY_DAYS.as_millis()
    ))
    .await;
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
