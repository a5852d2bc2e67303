//! What never reached us while it happened is found afterwards.

use std::time::Duration;

use qdn_sandbox::faults::Effect;
use qdn_sandbox::twilio::Callbacks;

use crate::desk::{ALICE, BOB, CHANNEL, DORA, Database, Desk, LINE};

stories! {
    texts_whose_webhook_never_came_are_found,
    texts_sent_while_the_service_was_down_say_how_late_they_are,
    a_text_found_behind_a_newer_one_says_so,
    texts_whose_webhooks_come_in_the_wrong_order_are_told_apart,
    a_text_that_cannot_be_marked_holds_no_other,
    what_comes_twice_is_one_message,
    replies_whose_event_never_came_are_texted,
    old_replies_are_asked_about_first,
    an_event_that_comes_late_is_asked_about_too,
    a_broken_read_is_read_again,
    one_text_that_cannot_be_read_holds_no_other,
    statuses_that_never_came_are_asked_for,
    a_wrong_public_url_loses_no_text,
}

async fn texts_whose_webhook_never_came_are_found(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    for words in ["one", "two"] {
        desk.twilio
            .inbound(ALICE, LINE, words)
            .withhold_webhook()
            .send()
            .await;
    }
    desk.twilio
        .inbound(ALICE, LINE, "three, with a picture")
        .media("image/jpeg", &b"not really a picture"[..])
        .withhold_webhook()
        .send()
        .await;
    desk.expect_words_in_thread(&root.ts, "three, with a picture")
        .await;
    let shown = desk.replies(&root.ts);
    assert_eq!(
        &shown[..2],
        ["one", "two"],
        "in order, and not called late: {shown:?}"
    );
    assert!(
        shown[2].contains("image/jpeg") || shown[2].to_lowercase().contains("picture"),
        "{shown:?}"
    );
    assert!(!shown[2].contains("delivered late"), "{shown:?}");
    let backfilled = desk.metric("qdn_backfilled_total{what=\"texts\"}").await;
    assert_eq!(backfilled, 3.0);
    desk.close().await;
}

async fn texts_sent_while_the_service_was_down_say_how_late_they_are(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    desk.relay().kill().await;
    for (words, minutes) in [("older", 5), ("newer", 2)] {
        desk.twilio
            .inbound(ALICE, LINE, words)
            .aged(Duration::from_secs(minutes * 60))
            .withhold_webhook()
            .send()
            .await;
    }
    desk.twilio
        .inbound(BOB, LINE, "just now")
        .withhold_webhook()
        .send()
        .await;
    desk.start_relay().await;
    desk.expect_words_in_thread(&root.ts, "newer").await;
    let shown = desk.replies(&root.ts);
    for (index, words) in ["older", "newer"].into_iter().enumerate() {
        assert!(
            shown[index].contains(words)
                && shown[index].contains("Received ")
                && shown[index].contains(", delivered late."),
            "{shown:?}"
        );
    }
    let roots = desk.expect_roots(2).await;
    let bob = desk.slack.rendered(&roots[1]);
    assert!(
        bob.contains("just now") && !bob.contains("delivered late"),
        "{bob}"
    );
    desk.close().await;
}

async fn a_text_found_behind_a_newer_one_says_so(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    // Twilio's log cannot be read before both are written: it would be found before the newer one otherwise.
    let faults = desk.twilio.faults();
    faults.always("Messages.list", Effect::Status(500).not_accepted());
    desk.twilio
        .inbound(BOB, LINE, "found at its place")
        .aged(Duration::from_secs(5))
        .withhold_webhook()
        .send()
        .await;
    desk.twilio
        .inbound(ALICE, LINE, "please send a taxi")
        .aged(Duration::from_secs(5))
        .withhold_webhook()
        .send()
        .await;
    desk.twilio
        .text(ALICE, LINE, "no wait, cancel that, please")
        .await;
    desk.expect_words_in_thread(&root.ts, "no wait, cancel that")
        .await;
    faults.clear("Messages.list");
    desk.expect_words_in_thread(&root.ts, "please send a taxi")
        .await;
    let shown = desk.replies(&root.ts);
    assert!(!shown[0].contains("delivered late"), "{shown:?}");
    assert!(
        shown[1].contains("Received ")
            && shown[1].ends_with(", delivered late. A text above was written after it."),
        "{shown:?}"
    );
    // Of another caller it is nothing to speak of.
    let roots = desk.expect_roots(2).await;
    let bob = desk.slack.rendered(&roots[1]);
    assert!(bob.contains("found at its place"), "{bob}");
    assert!(!bob.contains("delivered late"), "{bob}");
    desk.close().await;
}

async fn texts_whose_webhooks_come_in_the_wrong_order_are_told_apart(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let faults = desk.twilio.faults();
    faults.always("Messages.list", Effect::Status(500).not_accepted());
    let mut late = Vec::new();
    for (caller, words) in [
        (ALICE, "please send a taxi"),
        (BOB, "good evening, it is Bob"),
    ] {
        let receipt = desk
            .twilio
            .inbound(caller, LINE, words)
            .aged(Duration::from_secs(5))
            .withhold_webhook()
            .send()
            .await;
        late.push(receipt.sid);
    }
    desk.twilio.text(BOB, LINE, "I am at the harbor").await;
    desk.twilio
        .text(ALICE, LINE, "no wait, cancel that, please")
        .await;
    for sid in &late {
        assert_eq!(desk.twilio.deliver_webhook(sid).await.status, 200);
    }
    desk.expect_words_in_thread(&root.ts, "please send a taxi")
        .await;
    let bob = desk.expect_roots(2).await.remove(1);
    desk.expect_words_in_thread(&bob.ts, "good evening").await;
    faults.clear("Messages.list");
    for root in [&root, &bob] {
        desk.expect_words_in_thread(&root.ts, "A text above was written after it.")
            .await;
        let shown = desk.replies(&root.ts);
        let last = shown.last().unwrap();
        assert!(
            last.contains("Received ") && last.contains(", delivered late."),
            "{shown:?}"
        );
    }
    assert!(!desk.replies(&root.ts)[0].contains("delivered late"));
    assert_eq!(desk.audited("text_marked_late").await, 2);
    // Once is enough.
    desk.expect_rounds(2).await;
    desk.expect_quiet().await;
    let shown = desk.replies(&root.ts).join("\n");
    assert_eq!(shown.matches("delivered late").count(), 1, "{shown}");
    assert_eq!(desk.audited("text_marked_late").await, 2);
    desk.close().await;
}

async fn a_text_that_cannot_be_marked_holds_no_other(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let faults = desk.twilio.faults();
    faults.always("Messages.list", Effect::Status(500).not_accepted());
    let late = desk
        .twilio
        .inbound(ALICE, LINE, "please send a taxi")
        .aged(Duration::from_secs(5))
        .withhold_webhook()
        .send()
        .await;
    desk.twilio.text(ALICE, LINE, "no wait, cancel that").await;
    assert_eq!(desk.twilio.deliver_webhook(&late.sid).await.status, 200);
    desk.expect_words_in_thread(&root.ts, "please send a taxi")
        .await;
    desk.expect_quiet().await;
    desk.execute("update message set conversation_id = 'nobody' where body = 'please send a taxi'")
        .await;
    desk.twilio
        .inbound(BOB, LINE, "nobody told of this")
        .aged(Duration::from_secs(5))
        .withhold_webhook()
        .send()
        .await;
    faults.clear("Messages.list");
    let bob = desk.expect_roots(2).await.remove(1);
    assert!(desk.slack.rendered(&bob).contains("nobody told of this"));
    desk.execute(
        "update message set conversation_id = (select id from conversation where caller = '+16195550142') \
         where body = 'please send a taxi'",
    )
    .await;
    desk.expect_words_in_thread(&root.ts, "A text above was written after it.")
        .await;
    desk.close().await;
}

async fn what_comes_twice_is_one_message(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio
        .set_callbacks(Callbacks::automatic(Duration::from_millis(20)));
    let root = desk.open(ALICE).await;
    let mut withheld = Vec::new();
    for number in 0..5 {
        let receipt = desk
            .twilio
            .inbound(ALICE, LINE, &format!("text {number}"))
            .withhold_webhook()
            .send()
            .await;
        withheld.push(receipt.sid);
    }
    // The webhooks come after all, while backfill is looking.
    let webhooks = withheld.iter().map(|sid| desk.twilio.deliver_webhook(sid));
    futures_util::future::join_all(webhooks).await;
    let reply = desk
        .slack
        .say(DORA, CHANNEL, "On our way")
        .in_thread(&root.ts)
        .withheld()
        .send()
        .await;
    desk.slack.deliver_message(CHANNEL, &reply).await;
    desk.expect_texted(ALICE, &["On our way"]).await;
    // Two more rounds of looking.
    desk.expect_rounds(2).await;
    desk.expect_quiet().await;
    assert_eq!(desk.slack.posts().len(), 6);
    assert_eq!(desk.audited("text_received").await, 6);
    desk.expect_texted(ALICE, &["On our way"]).await;
    desk.close().await;
}

async fn replies_whose_event_never_came_are_texted(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let alice = desk.open(ALICE).await;
    let bob = desk.open(BOB).await;
    desk.expect_quiet().await;
    desk.relay().kill().await;
    for (root, words) in [
        (&alice, "first"),
        (&alice, "// only for us"),
        (&alice, "<@U0SERGIO> you too"),
        (&bob, "to Bob"),
        (&alice, "second"),
    ] {
        desk.slack
            .say(DORA, CHANNEL, words)
            .in_thread(&root.ts)
            .withheld()
            .send()
            .await;
    }
    desk.start_relay().await;
    desk.expect_texted(ALICE, &["first", "second"]).await;
    desk.expect_texted(BOB, &["to Bob"]).await;
    desk.expect_rounds(2).await;
    desk.expect_quiet().await;
    desk.expect_sms(3).await;
    assert_eq!(desk.audited("kept_inside").await, 1);
    assert_eq!(desk.audited("asked_writer").await, 1);
    desk.close().await;
}

async fn old_replies_are_asked_about_first(database: Database) {
    let mut desk = Desk::on(database)
        .replace("stale_reply = \"10m\"", "stale_reply = \"5s\"")
        .start()
        .await;
    let alice = desk.open(ALICE).await;
    let bob = desk.open(BOB).await;
    desk.expect_quiet().await;
    desk.relay().kill().await;
    let mut old = Vec::new();
    for (root, words) in [
        (&alice, "Are you still there?"),
        (&alice, "note: he was angry"),
        (&bob, "Shall we still come?"),
    ] {
        let ts = desk
            .slack
            .say(DORA, CHANNEL, words)
            .in_thread(&root.ts)
            .aged(Duration::from_secs(8))
            .withheld()
            .send()
            .await;
        old.push(ts);
    }
    desk.slack
        .say(DORA, CHANNEL, "And this is new")
        .in_thread(&alice.ts)
        .withheld()
        .send()
        .await;
    desk.start_relay().await;
    desk.expect_texted(ALICE, &["And this is new"]).await;
    desk.expect_marks(&old[0], &["grey_question"]).await;
    desk.expect_marks(&old[1], &["lock"]).await;
    let ask = "reached me long after you wrote it";
    let question = desk.expect_words_in_thread(&alice.ts, ask).await;
    let shown = desk.slack.rendered(&question);
    assert!(shown.contains("Are you still there?"), "{shown}");
    assert_eq!(question.buttons(), ["reply_send", "reply_leave"]);
    let answer = desk
        .slack
        .press(DORA, CHANNEL, &question.ts, "reply_send")
        .await;
    assert_eq!(answer.status, 200);
    desk.expect_texted(ALICE, &["And this is new", "Are you still there?"])
        .await;
    let question = desk.expect_words_in_thread(&bob.ts, ask).await;
    desk.slack
        .press(DORA, CHANNEL, &question.ts, "reply_leave")
        .await;
    desk.expect_words_in_thread(&bob.ts, "leaves it as it is")
        .await;
    desk.expect_rounds(2).await;
    desk.expect_quiet().await;
    desk.expect_sms(2).await;
    assert_eq!(desk.audited("reply_found_late").await, 2);
    desk.close().await;
}

async fn an_event_that_comes_late_is_asked_about_too(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.slack
        .say(DORA, CHANNEL, "Written an hour ago")
        .in_thread(&root.ts)
        .aged(Duration::from_secs(3_600))
        .send()
        .await;
    let question = desk
        .expect_words_in_thread(&root.ts, "reached me long after you wrote it")
        .await;
    desk.expect_quiet().await;
    desk.expect_sms(0).await;
    desk.slack
        .press(DORA, CHANNEL, &question.ts, "reply_send")
        .await;
    desk.expect_texted(ALICE, &["Written an hour ago"]).await;
    desk.close().await;
}

async fn a_broken_read_is_read_again(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.twilio.set_page_size_limit(2);
    let faults = desk.twilio.faults().clone();
    for effect in [
        Effect::Status(500),
        Effect::Garbage,
        Effect::Empty,
        Effect::CutShort,
        Effect::RateLimited { retry_after: None },
    ] {
        faults.push("Messages.list", effect.not_accepted());
    }
    desk.slack
        .faults()
        .push("conversations.replies", Effect::Garbage.not_accepted());
    let expected: Vec<String> = (0..6).map(|number| format!("text {number}")).collect();
    for words in &expected {
        desk.twilio
            .inbound(ALICE, LINE, words)
            .withhold_webhook()
            .send()
            .await;
    }
    desk.slack
        .say(DORA, CHANNEL, "On our way")
        .in_thread(&root.ts)
        .withheld()
        .send()
        .await;
    let before = desk.watermark().await;
    desk.expect_texted(ALICE, &["On our way"]).await;
    desk.expect_words_in_thread(&root.ts, "text 5").await;
    let texts: Vec<String> = desk
        .replies(&root.ts)
        .into_iter()
        .filter(|words| words.starts_with("text"))
        .collect();
    assert_eq!(texts, expected);
    desk.expect_rounds(1).await;
    assert!(desk.watermark().await > before);
    // From here on no read is complete: the watermark stays where it is.
    faults.always("Messages.list", Effect::Status(500).not_accepted());
    desk.expect_failed_rounds(1).await;
    let stands = desk.watermark().await;
    desk.expect_failed_rounds(2).await;
    assert_eq!(desk.watermark().await, stands);
    desk.close().await;
}

async fn one_text_that_cannot_be_read_holds_no_other(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let faults = desk.twilio.faults();
    faults.always("Media.list", Effect::Status(500).not_accepted());
    desk.twilio
        .inbound(ALICE, LINE, "with a picture")
        .media("image/png", &b"picture"[..])
        .withhold_webhook()
        .send()
        .await;
    for (caller, words) in [(ALICE, "after the picture"), (BOB, "Hello")] {
        desk.twilio
            .inbound(caller, LINE, words)
            .withhold_webhook()
            .send()
            .await;
    }
    let roots = desk.expect_roots(2).await;
    assert!(desk.slack.rendered(&roots[1]).contains("Hello"));
    assert_eq!(
        desk.replies(&root.ts),
        Vec::<String>::new(),
        "nothing overtakes"
    );
    faults.clear("Media.list");
    desk.expect_words_in_thread(&root.ts, "after the picture")
        .await;
    let shown = desk.replies(&root.ts);
    assert!(shown[0].contains("with a picture"), "{shown:?}");
    desk.close().await;
}

async fn statuses_that_never_came_are_asked_for(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio.set_callbacks(Callbacks {
        copies: 0,
        ..Callbacks::automatic(Duration::from_millis(20))
    });
    let alice = desk.open(ALICE).await;
    let bob = desk.open(BOB).await;
    desk.twilio.fail_number(BOB, "undelivered", 30006);
    // One that Twilio does not know any more is no reason not to ask about the others.
    desk.twilio.faults().push(
        "Messages.fetch",
        Effect::Error("20404".into()).not_accepted(),
    );
    let arrived = desk.reply(&alice, "On our way").await;
    let failed = desk.reply(&bob, "On our way too").await;
    desk.expect_marks(&arrived, &["white_check_mark"]).await;
    desk.expect_marks(&failed, &["x"]).await;
    desk.expect_words_in_thread(&bob.ts, "Twilio error 30006")
        .await;
    assert_eq!(desk.twilio.callbacks(), []);
    desk.close().await;
}

async fn a_wrong_public_url_loses_no_text(database: Database) {
    let mut desk = Desk::on(database)
        .replace("https://desk.example.com", "https://old.example.com")
        .start()
        .await;
    let receipt = desk.twilio.text(ALICE, LINE, "Can you hear me?").await;
    assert_eq!(receipt.status, 403);
    desk.relay()
        .wait_for_log(|line| {
            line.to_string()
                .contains("https://old.example.com/api/twilio/dispatch-route")
        })
        .await;
    let root = desk.expect_thread().await;
    assert!(desk.slack.rendered(&root).contains("Can you hear me?"));
    assert_eq!(
        desk.metric("qdn_signatures_refused_total{vendor=\"twilio\"}")
            .await,
        1.0
    );
    let violations = desk.twilio.take_violations();
    assert!(
        violations.iter().all(|violation| violation.contains("403")),
        "{violations:?}"
    );
    desk.close().await;
}
