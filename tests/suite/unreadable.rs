//! A delivery that cannot be read is put before a person and holds up nothing.

use qdn_sandbox::faults::Effect;
use sqlx::{Connection, Executor};

use crate::desk::{ALICE, BOB, Database, Desk, LINE, PATIENCE};

stories! {
    a_reply_that_cannot_be_read_is_told_once_and_the_next_one_leaves,
    a_post_that_cannot_be_read_does_not_hold_up_its_thread,
    a_row_of_a_kind_or_state_that_is_not_known_is_shown_to_a_person,
}

/// Changes the one delivery that holds these words behind the service's back.
async fn spoil(desk: &Desk, words: &str, change: &str) {
    let sql = format!("update outbox set {change} where pending = 1 and payload like '%{words}%'");
    let mut connection = desk.connection().await;
    let done = connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{words}");
}

/// Waits until that many deliveries of this kind wait.
async fn expect_waiting(desk: &Desk, kind: &str, count: usize) {
    let sql = format!("select seq from outbox where kind = '{kind}' and pending = 1");
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while desk.numbers(sql.clone()).await.len() < count {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{count} {kind} wait"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// How often the log says that a delivery cannot be read.
fn alarms(desk: &mut Desk) -> usize {
    let log = desk.relay().log();
    let alarms = log
        .iter()
        .filter(|line| line.contains("cannot be read and is set aside"));
    alarms.count()
}

async fn a_reply_that_cannot_be_read_is_told_once_and_the_next_one_leaves(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_error("cannot be read and is set aside");
    let root = desk.open(ALICE).await;
    let faults = desk.twilio.faults().clone();
    faults.always(
        "Messages.create",
        Effect::RateLimited {
            retry_after: Some(1),
        }
        .not_accepted(),
    );
    let spoiled = desk.reply(&root, "from a later version").await;
    desk.reply(&root, "and the next one").await;
    expect_waiting(&desk, "sms", 2).await;
    desk.relay().kill().await;
    spoil(
        &desk,
        "from a later version",
        r#"payload = '{"kind":"sms","v":99,"body":"from a later version"}'"#,
    )
    .await;
    faults.clear("Messages.create");
    desk.start_relay().await;

    desk.expect_texted(ALICE, &["and the next one"]).await;
    desk.expect_words_in_thread(&root.ts, "this version of the service cannot read it")
        .await;
    desk.expect_marks(&spoiled, &["grey_question"]).await;
    desk.expect_quiet().await;
    let listed = desk.run(&["outbox", "list"]).await.unwrap();
    assert!(
        listed.contains("undecided") && listed.contains("version 99"),
        "{listed}"
    );
    assert_eq!(alarms(&mut desk), 1);
    assert_eq!(desk.audited("undecided").await, 1);
    let tried = "select max(attempts) from outbox where state = 'undecided'";
    assert!(
        desk.query_one(tried).await <= 2,
        "it is not tried again and again"
    );
    let told = desk.replies(&root.ts);
    assert_eq!(
        told.iter()
            .filter(|words| words.contains("cannot read it"))
            .count(),
        1
    );
    // A version that can read it delivers it.
    let row = desk
        .words("select id from outbox where state = 'undecided'".to_owned())
        .await
        .remove(0);
    desk.execute("update outbox set payload = '{\"kind\":\"sms\",\"body\":\"readable again\"}' where state = 'undecided'").await;
    desk.run(&["outbox", "retry", &row]).await.unwrap();
    desk.expect_texted(ALICE, &["and the next one", "readable again"])
        .await;
    desk.close().await;
}

async fn a_post_that_cannot_be_read_does_not_hold_up_its_thread(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_error("cannot be read and is set aside");
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    let faults = desk.slack.faults().clone();
    faults.always("chat.postMessage", Effect::Status(503).not_accepted());
    faults.always("conversations.history", Effect::Status(503).not_accepted());
    faults.always("conversations.replies", Effect::Status(503).not_accepted());
    // The first one is looked for when it is found to be unreadable: it may have been posted.
    desk.twilio.text(ALICE, LINE, "is not JSON any more").await;
    desk.expect_audited("unknown", 1).await;
    desk.twilio.text(ALICE, LINE, "shown all the same").await;
    expect_waiting(&desk, "post", 2).await;
    desk.relay().kill().await;
    spoil(
        &desk,
        "is not JSON any more",
        "payload = 'is not JSON any more'",
    )
    .await;
    faults.clear_all();
    desk.start_relay().await;

    desk.expect_words_in_thread(&root.ts, "shown all the same")
        .await;
    desk.expect_words_in_thread(&root.ts, "this version of the service cannot read it")
        .await;
    desk.expect_quiet().await;
    assert_eq!(alarms(&mut desk), 1);
    desk.close().await;
}

async fn a_row_of_a_kind_or_state_that_is_not_known_is_shown_to_a_person(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_error("cannot be read and is set aside");
    let faults = desk.twilio.faults().clone();
    let mut roots = Vec::new();
    for caller in [ALICE, BOB] {
        roots.push(desk.open(caller).await);
    }
    faults.always(
        "Messages.create",
        Effect::RateLimited {
            retry_after: Some(1),
        }
        .not_accepted(),
    );
    for root in &roots {
        desk.reply(root, &format!("spoiled for {}", root.ts)).await;
        desk.reply(root, "behind it").await;
    }
    expect_waiting(&desk, "sms", 4).await;
    desk.relay().kill().await;
    let kind = format!("spoiled for {}", roots[0].ts);
    spoil(
        &desk,
        &kind,
        r#"kind = 'fax', payload = '{"kind":"fax","v":1}'"#,
    )
    .await;
    let state = format!("spoiled for {}", roots[1].ts);
    spoil(&desk, &state, "state = 'paused'").await;
    faults.clear("Messages.create");
    desk.start_relay().await;

    for (caller, root) in [ALICE, BOB].iter().zip(&roots) {
        desk.expect_texted(caller, &["behind it"]).await;
        desk.expect_words_in_thread(&root.ts, "this version of the service cannot read it")
            .await;
    }
    desk.expect_quiet().await;
    let listed = desk.run(&["outbox", "list"]).await.unwrap();
    assert!(
        listed.contains("fax") && listed.contains("its state"),
        "{listed}"
    );
    assert_eq!(alarms(&mut desk), 2);
    desk.close().await;
}
