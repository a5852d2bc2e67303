//! Replies leave in the order in which they were written, whatever became of their events.

use std::time::Duration;

use qdn_sandbox::faults::Effect;
use qdn_sandbox::slack::Forgery;
use qdn_sandbox::twilio::Callbacks;
use sqlx::{AnyConnection, Connection, Executor};

use crate::desk::{ALICE, CHANNEL, DORA, Database, Desk};

stories! {
    after_a_start_a_reply_waits_for_what_was_written_before_it,
    a_refused_event_is_not_passed_by_a_later_one,
    what_a_start_finds_waiting_waits_too,
    where_slack_cannot_be_read_replies_leave_all_the_same,
    when_slack_has_held_events_back_a_reply_waits_for_them,
    a_long_reply_that_has_begun_to_leave_is_not_split,
}

/// Longer than an event takes to come, shorter than a request may take.
fn slow() -> Effect {
    Effect::Slow(Duration::from_millis(300))
}

async fn after_a_start_a_reply_waits_for_what_was_written_before_it(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    desk.relay().kill().await;
    for words in ["first", "second"] {
        let said = desk.slack.say(DORA, CHANNEL, words).in_thread(&root.ts);
        said.withheld().send().await;
    }
    for read in ["conversations.history", "conversations.replies"] {
        desk.slack.faults().always(read, slow().accepted());
    }
    desk.start_relay().await;
    desk.reply(&root, "third").await;
    desk.expect_texted(ALICE, &["first", "second", "third"])
        .await;
    desk.expect_quiet().await;
    desk.close().await;
}

/// Holds what a reply has to be written to.
async fn lock(desk: &Desk, database: Database) -> AnyConnection {
    let mut holder = desk.connection().await;
    match database {
        Database::Sqlite => holder.execute("begin exclusive").await.unwrap(),
        Database::Postgres => {
            holder.execute("begin").await.unwrap();
            let lock = "lock table audit_head in access exclusive mode";
            holder.execute(lock).await.unwrap()
        }
    };
    holder
}

async fn a_refused_event_is_not_passed_by_a_later_one(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.reply(&root, "before").await;
    desk.expect_texted(ALICE, &["before"]).await;
    desk.expect_quiet().await;
    // The event is not told again while the story lasts.
    let hour = Duration::from_secs(3_600);
    desk.slack.set_retry_delays([hour; 3]);
    let mut holder = lock(&desk, database).await;
    desk.reply(&root, "first").await;
    for read in ["conversations.history", "conversations.replies"] {
        desk.slack.faults().always(read, slow().accepted());
    }
    holder.execute("rollback").await.unwrap();
    holder.close().await.unwrap();
    desk.reply(&root, "second").await;
    desk.expect_texted(ALICE, &["before", "first", "second"])
        .await;
    desk.expect_quiet().await;
    for words in ["could not be", "database", "went wrong", "failed"] {
        desk.expect_error(words);
    }
    desk.close().await;
}

async fn what_a_start_finds_waiting_waits_too(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    let twilio = desk.twilio.faults().clone();
    twilio.always("Messages.create", Effect::Hang.not_accepted());
    desk.reply(&root, "first").await;
    let unsettled = "select count(*) from outbox where kind = 'sms' and attempts > 0";
    while desk.query_one(unsettled).await == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // It is kept behind the first and was never tried; the one before it was never heard of.
    let said = desk.slack.say(DORA, CHANNEL, "second").in_thread(&root.ts);
    for read in ["conversations.history", "conversations.replies"] {
        let broken = Effect::Status(500).not_accepted();
        desk.slack.faults().always(read, broken);
    }
    said.withheld().send().await;
    desk.reply(&root, "third").await;
    desk.relay().kill().await;
    for read in ["conversations.history", "conversations.replies"] {
        desk.slack.faults().clear(read);
        desk.slack.faults().always(read, slow().accepted());
    }
    twilio.clear("Messages.create");
    // The first is found not to have left; by then the second may not be missing.
    desk.execute(
        "update outbox set state = 'dropped', pending = 0 where kind = 'sms' and attempts > 0",
    )
    .await;
    desk.start_relay().await;
    desk.expect_texted(ALICE, &["second", "third"]).await;
    desk.close().await;
}

async fn where_slack_cannot_be_read_replies_leave_all_the_same(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    desk.relay().kill().await;
    let unreadable = Effect::Status(500).not_accepted();
    desk.slack
        .faults()
        .always("conversations.replies", unreadable);
    desk.start_relay().await;
    desk.reply(&root, "first").await;
    desk.reply(&root, "second").await;
    desk.expect_texted(ALICE, &["first", "second"]).await;
    let lines = desk.relay().log();
    let told = lines
        .iter()
        .filter(|line| line.contains("whose replies wait"));
    assert_eq!(told.count(), 1, "however often it was tried");
    desk.close().await;
}

async fn a_long_reply_that_has_begun_to_leave_is_not_split(database: Database) {
    // Nobody is asked first for what it costs.
    let unasked = "\n[desk]\nwarn_segments = 20\n";
    let desk = Desk::on(database).toml(unasked).start().await;
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    // Its first text is in doubt while the event of an earlier reply comes, and no callback says what became of it.
    desk.twilio.set_callbacks(Callbacks {
        copies: 0,
        ..Callbacks::automatic(Duration::from_millis(30))
    });
    let twilio = desk.twilio.faults();
    twilio.push("Messages.create", Effect::Reset.accepted());
    twilio.always("Messages.list", Effect::Status(500).not_accepted());
    let long = "and on and on it goes ".repeat(100);
    desk.reply(&root, &long).await;
    let begun = "select count(*) from outbox where kind = 'sms' and attempts > 0";
    while desk.query_one(begun).await == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let said = desk.slack.say(DORA, CHANNEL, "Written before");
    let said = said.in_thread(&root.ts).aged(Duration::from_secs(30));
    said.send().await;
    let kept = "select count(*) from outbox where kind = 'sms' and pending = 1";
    while desk.query_one(kept).await < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    twilio.clear("Messages.list");
    let sent = desk.expect_sms(3).await;
    let sent: Vec<&str> = sent.iter().map(|sms| sms.body.as_str()).collect();
    assert_eq!(sent[2], "Written before", "{sent:?}");
    desk.expect_quiet().await;
    desk.expect_sms(3).await;
    desk.close().await;
}

async fn when_slack_has_held_events_back_a_reply_waits_for_them(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.reply(&root, "before").await;
    desk.expect_texted(ALICE, &["before"]).await;
    desk.expect_quiet().await;
    let said = desk.slack.say(DORA, CHANNEL, "first").in_thread(&root.ts);
    said.withheld().send().await;
    let limited = serde_json::json!({
        "token": "not-a-real-verification-token", "type": "app_rate_limited", "team_id": "T0QDN",
        "minute_rate_limited": 1_800_000_000, "api_app_id": "A0QDN",
    })
    .to_string();
    let (path, kind) = ("/api/slack/events", "application/json");
    let sent = desk.slack.send_raw(path, kind, &limited, Forgery::Genuine);
    assert_eq!(sent.await.unwrap().status, 200);
    desk.slack
        .faults()
        .always("conversations.replies", slow().accepted());
    desk.reply(&root, "second").await;
    desk.expect_texted(ALICE, &["before", "first", "second"])
        .await;
    desk.expect_quiet().await;
    desk.expect_error("Slack holds events back");
    desk.close().await;
}
