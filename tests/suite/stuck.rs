//! Work that got stuck shows itself: in the thread, on the command line and in the metrics.

use qdn_sandbox::faults::Effect;
use qdn_sandbox::twilio::Callbacks;

use crate::desk::{ALICE, BOB, Database, Desk, PATIENCE};

stories! {
    a_reply_that_does_not_leave_says_so,
    a_reply_that_waits_as_twilio_asked_says_so_too,
    refused_credentials_hold_replies_and_alarm,
    the_operator_sees_retries_and_drops,
    the_operator_cannot_have_a_text_sent_twice,
}

async fn a_reply_that_does_not_leave_says_so(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.twilio.down().await;
    desk.reply(&root, "On our way").await;
    desk.reply(&root, "Ten minutes").await;
    let listed = wait_for_list(&desk, |listed| listed.contains("sms")).await;
    assert_eq!(listed.matches("sms").count(), 2, "{listed}");
    desk.expect_words_in_thread(&root.ts, "Not sent yet").await;
    assert_eq!(
        desk.metric("qdn_outbox_deliveries{state=\"held\"}").await,
        0.0
    );
    // Now and then one of them is just being tried.
    expect_metrics(&mut desk, |series| {
        let waiting = series("qdn_outbox_deliveries{state=\"waiting\"}");
        let sending = series("qdn_outbox_deliveries{state=\"sending\"}");
        waiting + sending >= 2.0
            && series("qdn_outbox_oldest_seconds{state=\"waiting\"}") > 1.0
            && series("qdn_retries_total{kind=\"sms\"}") >= 1.0
    })
    .await;
    desk.twilio.up().await.unwrap();
    desk.expect_texted(ALICE, &["On our way", "Ten minutes"])
        .await;
    desk.expect_quiet().await;
    let told = desk.replies(&root.ts);
    assert_eq!(
        told.iter()
            .filter(|words| words.contains("Not sent yet"))
            .count(),
        1,
        "{told:?}"
    );
    desk.close().await;
}

async fn a_reply_that_waits_as_twilio_asked_says_so_too(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let wait = Effect::RateLimited {
        retry_after: Some(4),
    };
    let faults = desk.twilio.faults();
    faults.always("Messages.create", wait.not_accepted());
    desk.reply(&root, "On our way").await;
    desk.expect_words_in_thread(&root.ts, "Not sent yet").await;
    faults.clear("Messages.create");
    desk.expect_texted(ALICE, &["On our way"]).await;
    desk.close().await;
}

async fn refused_credentials_hold_replies_and_alarm(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_error("held until this is mended");
    let root = desk.open(ALICE).await;
    desk.twilio.set_api_key_valid(false);
    desk.reply(&root, "On our way").await;
    desk.relay()
        .wait_for_log(|line| {
            line["level"] == "ERROR" && line["message"].to_string().contains("held")
        })
        .await;
    desk.expect_words_in_thread(&root.ts, "Not sent yet").await;
    desk.twilio.set_api_key_valid(true);
    desk.expect_texted(ALICE, &["On our way"]).await;
    desk.twilio.take_violations();
    desk.close().await;
}

async fn the_operator_sees_retries_and_drops(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.twilio
        .set_callbacks(Callbacks::automatic(std::time::Duration::from_millis(20)));
    let alice = desk.open(ALICE).await;
    let bob = desk.open(BOB).await;
    desk.twilio.refuse_number(ALICE, Some(21211));
    let refused = desk.reply(&alice, "to be tried again").await;
    desk.expect_marks(&refused, &["x"]).await;
    let listed = wait_for_list(&desk, |listed| listed.contains("refused")).await;
    let id = id_of(&listed, "refused");
    let shown = desk.run(&["outbox", "show", &id]).await.unwrap();
    for expected in [
        "kind        sms",
        "state       refused",
        "caller      (619) 555-0142",
        "21211",
        "attempt 1",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    assert!(!shown.contains("to be tried again"), "{shown}");
    desk.twilio.refuse_number(ALICE, None);
    desk.run(&["outbox", "retry", &id]).await.unwrap();
    desk.expect_texted(ALICE, &["to be tried again"]).await;
    desk.expect_marks(&refused, &["white_check_mark"]).await;
    assert_eq!(desk.audited("operator_retry").await, 1);

    desk.twilio.down().await;
    let dropped = desk.reply(&bob, "to be given up").await;
    desk.reply(&bob, "what stands behind it").await;
    // A request may be under way just when the operator looks.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let listed = wait_for_list(&desk, |listed| listed.contains("sms ")).await;
        let id = id_of(&listed, "sms ");
        match desk.run(&["outbox", "drop", &id]).await {
            Ok(_) => break,
            Err(why) => assert!(why.contains("is sending"), "{why}"),
        }
        assert!(tokio::time::Instant::now() < deadline);
    }
    desk.twilio.up().await.unwrap();
    desk.expect_texted(BOB, &["what stands behind it"]).await;
    desk.expect_marks(&dropped, &["grey_question"]).await;
    assert_eq!(desk.audited("operator_drop").await, 1);
    let unknown = desk.run(&["outbox", "retry", "zzzzzzzzzzzz"]).await;
    assert!(
        unknown
            .as_ref()
            .is_err_and(|why| why.contains("there is no delivery zzzzzzzzzzzz")),
        "{unknown:?}"
    );
    let metrics = desk
        .metric("qdn_outbox_deliveries{state=\"refused\"}")
        .await;
    assert_eq!(metrics, 0.0);
    desk.close().await;
}

async fn the_operator_cannot_have_a_text_sent_twice(database: Database) {
    let desk = Desk::on(database)
        // It is sending until the story cuts its connection.
        .replace("request_timeout = \"500ms\"", "request_timeout = \"60s\"")
        .replace("settle_after = \"2s\"", "settle_after = \"180s\"")
        .start()
        .await;
    let root = desk.open(ALICE).await;
    desk.twilio.set_callbacks(Callbacks {
        copies: 0,
        ..Callbacks::default()
    });
    let faults = desk.twilio.faults();
    faults.always("Messages.list", Effect::Status(500).not_accepted());
    faults.push("Messages.create", Effect::Hang.accepted());
    desk.reply(&root, "once").await;
    desk.expect_sms(1).await;
    // Other deliveries than the SMS may be under way too.
    let in_state = |listed: &str, state: &str| {
        let mut lines = listed.lines();
        let line = lines.find(|line| line.contains("sms ") && line.contains(state));
        line.and_then(|line| line.split_whitespace().next())
            .map(str::to_owned)
    };
    for state in ["sending", "unknown"] {
        let listed = wait_for_list(&desk, |listed| in_state(listed, state).is_some()).await;
        let id = in_state(&listed, state).unwrap();
        let refused = desk.run(&["outbox", "retry", &id]).await;
        assert!(
            refused
                .as_ref()
                .is_err_and(|why| why.contains(&format!("{id} is {state}"))),
            "{refused:?}"
        );
        if state == "sending" {
            desk.twilio.down().await;
            desk.twilio.up().await.unwrap();
        }
    }
    faults.clear("Messages.list");
    desk.expect_quiet().await;
    desk.expect_texted(ALICE, &["once"]).await;
    desk.close().await;
}

/// Waits until one page of `/metrics` is as wanted. A series that is not there is 0.
async fn expect_metrics(desk: &mut Desk, is_it: impl Fn(&dyn Fn(&str) -> f64) -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let (_, _, page) = desk.get("/metrics").await;
        let series = |name: &str| {
            let mut lines = page.lines();
            lines
                .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
                .unwrap_or_default()
        };
        if is_it(&series) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{page}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// `outbox list`, once it is as wanted.
async fn wait_for_list(desk: &Desk, is_it: impl Fn(&str) -> bool) -> String {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let listed = desk.run(&["outbox", "list"]).await.unwrap();
        if is_it(&listed) {
            return listed;
        }
        assert!(tokio::time::Instant::now() < deadline, "{listed}");
    }
}

/// The id on the first line that has these words.
fn id_of(listed: &str, words: &str) -> String {
    let line = listed.lines().find(|line| line.contains(words)).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}
