//! What is left to do when a delivery has met trouble: parts, notices, threads that are gone, lines that come and go.

use std::time::Duration;

use qdn_sandbox::faults::Effect;
use qdn_sandbox::twilio::Callbacks;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::desk::{ALICE, BOB, CHANNEL, DORA, Database, Desk, PATIENCE, SECOND_LINE};

stories! {
    a_long_reply_ends_where_a_part_is_refused,
    each_part_has_a_question_of_its_own,
    a_notice_that_begins_a_thread_says_whom_it_is_about,
    a_reply_under_a_deleted_root_is_found,
    channels_are_known_while_slack_is_down,
    texts_to_a_number_are_found_when_it_becomes_a_line,
    what_waits_for_a_line_that_is_gone_is_said,
    what_is_not_signed_is_refused_before_its_body_comes,
    a_command_that_only_looks_makes_no_database,
}

fn carriers_are_silent(desk: &Desk) {
    desk.twilio.set_callbacks(Callbacks {
        copies: 0,
        ..Callbacks::automatic(Duration::from_millis(30))
    });
}

/// Nobody is asked first for what it costs: that is another story.
const UNASKED: &str = "\n[desk]\nwarn_segments = 20\n";

/// Words for more than one text.
fn long(begins: &str) -> String {
    format!("{begins} {}", "and on and on it goes ".repeat(100))
}

async fn a_long_reply_ends_where_a_part_is_refused(database: Database) {
    let desk = Desk::on(database).toml(UNASKED).start().await;
    carriers_are_silent(&desk);
    let root = desk.open(ALICE).await;
    desk.twilio.faults().push(
        "Messages.create",
        Effect::Error("21614".into()).not_accepted(),
    );
    let refused = desk.reply(&root, &long("First")).await;
    desk.expect_marks(&refused, &["x"]).await;
    desk.expect_words_in_thread(&root.ts, "Twilio error 21614")
        .await;
    desk.reply(&root, "Short").await;
    desk.expect_texted(ALICE, &["Short"]).await;
    assert_eq!(desk.audited("refused").await, 1);
    assert!(desk.audited("part_dropped").await >= 1);
    desk.close().await;
}

async fn each_part_has_a_question_of_its_own(database: Database) {
    let desk = Desk::on(database).toml(UNASKED).start().await;
    carriers_are_silent(&desk);
    let root = desk.open(ALICE).await;
    let faults = desk.twilio.faults();
    for _ in 0..2 {
        faults.push("Messages.create", Effect::Reset.accepted());
    }
    faults.always("Messages.list", Effect::Status(500).not_accepted());
    desk.reply(&root, &long("Twice")).await;
    let question = desk.expect_words_in_thread(&root.ts, "What now?").await;
    let asked = |world: &qdn_sandbox::slack::World| {
        let shown = world.thread(CHANNEL, &root.ts);
        let asks = shown
            .iter()
            .filter(|reply| world.rendered(reply).contains("What now?"));
        asks.count() == 2
    };
    assert!(desk.slack.wait_until(asked, PATIENCE).await);
    let sent = desk.texted(ALICE);
    assert_eq!(sent.len(), 2);
    desk.slack
        .press(DORA, CHANNEL, &question.ts, "reply_send")
        .await;
    desk.expect_texted(ALICE, &[&sent[0], &sent[1], &sent[0]])
        .await;
    desk.expect_quiet().await;
    desk.expect_sms(3).await;
    desk.close().await;
}

async fn a_notice_that_begins_a_thread_says_whom_it_is_about(database: Database) {
    let desk = Desk::on(database).start().await;
    let old = desk.open(ALICE).await;
    desk.reply(&old, "On our way").await;
    let sms = desk.expect_sms(1).await.remove(0);
    desk.expect_quiet().await;
    desk.slack.delete_message(CHANNEL, &old.ts);
    desk.twilio
        .deliver_status(&sms.sid, "undelivered", Some(30006))
        .await;
    let is_new = |world: &qdn_sandbox::slack::World| {
        world.roots(CHANNEL).iter().any(|root| {
            let shown = world.rendered(root);
            root.ts != old.ts && shown.contains("(619) 555-0142") && shown.contains("30006")
        })
    };
    let reached = desk.slack.wait_until(is_new, PATIENCE).await;
    assert!(reached, "{:#?}", desk.slack.roots(CHANNEL));
    desk.close().await;
}

async fn a_reply_under_a_deleted_root_is_found(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.reply(&root, "On our way").await;
    desk.expect_texted(ALICE, &["On our way"]).await;
    desk.slack.delete_message(CHANNEL, &root.ts);
    desk.slack
        .say(DORA, CHANNEL, "Nearly there")
        .in_thread(&root.ts)
        .withheld()
        .send()
        .await;
    desk.expect_texted(ALICE, &["On our way", "Nearly there"])
        .await;
    desk.close().await;
}

async fn channels_are_known_while_slack_is_down(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    // The service stores the IDs in the background.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let stored =
        "select count(*) from kv where name = 'slack.team_id' or name like 'slack.channel_id.%'";
    while desk.query_one(stored).await < 2 {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the IDs are not stored"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    desk.relay().kill().await;
    for method in ["auth.test", "conversations.list"] {
        desk.slack
            .faults()
            .always(method, Effect::Status(503).not_accepted());
    }
    desk.start_relay().await;
    desk.open(BOB).await;
    desk.reply(&root, "On our way").await;
    desk.expect_texted(ALICE, &["On our way"]).await;
    desk.close().await;
}

async fn texts_to_a_number_are_found_when_it_becomes_a_line(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_error("a text was sent to a number that no line has");
    let receipt = desk
        .twilio
        .text(ALICE, SECOND_LINE, "Is this the new one?")
        .await;
    assert_eq!(receipt.status, 422);
    desk.twilio.take_violations();
    assert_eq!(desk.relay().terminate().await, Some(0));
    let toml = std::fs::read_to_string(&desk.config).unwrap();
    let line = format!(
        "[[lines]]\nname = \"New\"\nnumber = \"{SECOND_LINE}\"\nchannel = \"#qdn-dispatch\"\n\
         ring = [{{ people = [\"Sergio\"], seconds = 15 }}]\n"
    );
    std::fs::write(&desk.config, format!("{toml}\n{line}")).unwrap();
    desk.start_relay().await;
    let root = desk.expect_thread().await;
    let shown = desk.slack.rendered(&root);
    assert!(shown.contains("Is this the new one?"), "{shown}");
    desk.close().await;
}

async fn what_waits_for_a_line_that_is_gone_is_said(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    desk.twilio.faults().always(
        "Messages.create",
        Effect::RateLimited { retry_after: None }.not_accepted(),
    );
    desk.reply(&root, "Still waiting").await;
    desk.expect_audited("reply_received", 1).await;
    desk.relay().kill().await;
    let toml = std::fs::read_to_string(&desk.config).unwrap();
    let another = "number = \"+16195550101\"";
    std::fs::write(
        &desk.config,
        toml.replace("number = \"+16195550100\"", another),
    )
    .unwrap();
    desk.expect_error("a line that is no longer in the configuration");
    desk.start_relay().await;
    desk.relay()
        .wait_for_log(|line| {
            line.to_string()
                .contains("a line that is no longer in the configuration")
        })
        .await;
    desk.close().await;
}

async fn what_is_not_signed_is_refused_before_its_body_comes(database: Database) {
    let mut desk = Desk::on(database).start().await;
    for path in ["/api/twilio/dispatch-route", "/api/slack/events"] {
        let mut stream = tokio::net::TcpStream::connect(desk.relay().address)
            .await
            .unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: desk\r\nContent-Length: 1000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        let read = stream.read_exact(&mut answer);
        tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
        assert_eq!(&answer, b"HTTP/1.1 403");
    }
    desk.close().await;
}

async fn a_command_that_only_looks_makes_no_database(database: Database) {
    let desk = Desk::on(database).start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slip.db");
    let url = format!("sqlite://{}", file.display());
    let mut desk = desk.with_variable("QDN_DATABASE_URL", &url);
    for command in [&["audit"][..], &["outbox", "list"]] {
        let said = desk.run(command).await.unwrap_err();
        assert!(said.contains("there is no database"), "{said}");
        assert!(!file.exists());
    }
    desk.environment.pop();
    desk.close().await;
}
