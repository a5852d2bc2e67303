//! Too much at once, nobody there, and things that no program expects.

use std::time::Duration;

use futures_util::StreamExt;
use qdn_sandbox::faults::Effect;

use crate::desk::{ALICE, BOB, CHANNEL, Database, Desk, LINE, PATIENCE};

stories! {
    too_many_requests_to_twilio_are_slowed_down_in_order,
    too_many_posts_are_slowed_down_in_order,
    twilio_is_away_and_comes_back,
    slack_is_away_and_comes_back,
    names_that_do_not_resolve_lose_nothing,
    a_flood_from_one_number_holds_no_other_up [busy],
    poison_harms_only_itself,
}

/// How far apart in the attempts table the first two tries at one delivery of this kind are, in milliseconds.
async fn first_wait(desk: &Desk, kind: &str) -> i64 {
    let sql = format!(
        "select second.started_at - first.started_at from attempt first \
         join attempt second on second.outbox_id = first.outbox_id and second.n = 2 \
         join outbox on outbox.id = first.outbox_id \
         where first.n = 1 and outbox.kind = '{kind}' order by first.started_at limit 1"
    );
    desk.numbers(sql).await[0]
}

async fn too_many_requests_to_twilio_are_slowed_down_in_order(database: Database) {
    let desk = Desk::on(database).start().await;
    let alice = desk.open(ALICE).await;
    let bob = desk.open(BOB).await;
    let faults = desk.twilio.faults();
    let limited = |retry_after| Effect::RateLimited { retry_after }.not_accepted();
    faults.push("Messages.create", limited(Some(2)));
    faults.push_many("Messages.create", 3, limited(None));
    for number in 1..=3 {
        desk.reply(&alice, &format!("to Alice {number}")).await;
        desk.reply(&bob, &format!("to Bob {number}")).await;
    }
    desk.expect_texted(ALICE, &["to Alice 1", "to Alice 2", "to Alice 3"])
        .await;
    desk.expect_texted(BOB, &["to Bob 1", "to Bob 2", "to Bob 3"])
        .await;
    let waited = first_wait(&desk, "sms").await;
    assert!(waited >= 2_000, "Retry-After is honoured: {waited} ms");
    assert_eq!(desk.audited("unknown").await, 0);
    desk.close().await;
}

async fn too_many_posts_are_slowed_down_in_order(database: Database) {
    let desk = Desk::on(database).start().await;
    let faults = desk.slack.faults();
    let limited = |retry_after| Effect::RateLimited { retry_after }.not_accepted();
    faults.push("chat.postMessage", limited(Some(2)));
    faults.push_many("chat.postMessage", 2, limited(None));
    faults.push(
        "chat.postMessage",
        Effect::Error("ratelimited".into()).not_accepted(),
    );
    for words in ["first", "second", "third"] {
        desk.twilio.text(ALICE, LINE, words).await;
    }
    let root = desk.expect_thread().await;
    assert!(desk.slack.rendered(&root).contains("first"));
    desk.expect_in_thread(&root.ts, &["second", "third"]).await;
    let waited = first_wait(&desk, "post").await;
    assert!(waited >= 2_000, "Retry-After is honoured: {waited} ms");
    desk.close().await;
}

async fn twilio_is_away_and_comes_back(database: Database) {
    let desk = Desk::on(database).start().await;
    let alice = desk.open(ALICE).await;
    let bob = desk.open(BOB).await;
    desk.twilio.down().await;
    for number in 1..=3 {
        desk.reply(&alice, &format!("to Alice {number}")).await;
        desk.reply(&bob, &format!("to Bob {number}")).await;
    }
    tried(&desk, "sms", 4).await;
    desk.twilio.up().await.unwrap();
    desk.expect_texted(ALICE, &["to Alice 1", "to Alice 2", "to Alice 3"])
        .await;
    desk.expect_texted(BOB, &["to Bob 1", "to Bob 2", "to Bob 3"])
        .await;
    assert_eq!(
        desk.audited("unknown").await,
        0,
        "what never left is no doubt"
    );
    desk.close().await;
}

async fn slack_is_away_and_comes_back(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.slack.down().await;
    for words in ["one", "two", "three"] {
        let receipt = desk.twilio.text(ALICE, LINE, words).await;
        assert_eq!(receipt.status, 200);
        desk.twilio.text(BOB, LINE, words).await;
    }
    tried(&desk, "post", 4).await;
    desk.slack.up().await.unwrap();
    desk.expect_in_thread(&root.ts, &["one", "two", "three"])
        .await;
    let bob = desk.expect_roots(2).await.remove(1);
    desk.expect_in_thread(&bob.ts, &["two", "three"]).await;
    desk.close().await;
}

/// Waits until deliveries of this kind were tried again that often.
async fn tried(desk: &Desk, kind: &str, times: usize) {
    let sql = format!(
        "select attempt.n from attempt join outbox on outbox.id = attempt.outbox_id \
         where outbox.kind = '{kind}' and attempt.outcome = 'not sent'"
    );
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while desk.numbers(sql.clone()).await.len() < times {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{kind} is tried again"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn names_that_do_not_resolve_lose_nothing(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.relay().terminate().await;
    let right = std::fs::read_to_string(&desk.config).unwrap();
    // RFC 6761: this never resolves.
    let wrong = [desk.twilio.url(), desk.slack.url()]
        .iter()
        .fold(right.clone(), |text, url| {
            text.replace(url, "https://nowhere.invalid/api/")
        });
    assert_ne!(wrong, right);
    std::fs::write(&desk.config, wrong).unwrap();
    desk.start_relay().await;
    let receipt = desk.twilio.text(ALICE, LINE, "Anybody?").await;
    assert_eq!(receipt.status, 200);
    desk.reply(&root, "Coming").await;
    tried(&desk, "post", 2).await;
    tried(&desk, "sms", 2).await;
    desk.relay().terminate().await;
    std::fs::write(&desk.config, right).unwrap();
    desk.start_relay().await;
    desk.expect_words_in_thread(&root.ts, "Anybody?").await;
    desk.expect_texted(ALICE, &["Coming"]).await;
    assert_eq!(desk.audited("unknown").await, 0);
    desk.close().await;
}

/// How many texts of a flood come at the same time: a slow machine keeps so many within the budget of a webhook.
const AT_ONCE: usize = 8;

async fn a_flood_from_one_number_holds_no_other_up(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.slack.set_rate_limit(true);
    let alice = desk.open(ALICE).await;
    let bob = desk.open(BOB).await;
    let flood = (0..60).map(|number| {
        let desk = &desk;
        async move {
            desk.twilio
                .text(ALICE, LINE, &format!("flood {number}"))
                .await
        }
    });
    let flood = futures_util::stream::iter(flood).buffer_unordered(AT_ONCE);
    let receipts: Vec<_> = flood.collect().await;
    assert!(receipts.iter().all(|receipt| receipt.status == 200));
    let before = desk.slack.posts().len();
    desk.twilio.text(BOB, LINE, "one quiet word").await;
    desk.expect_words_in_thread(&bob.ts, "one quiet word").await;
    let between = desk.slack.posts().len() - before;
    assert!(between <= 5, "{between} posts came before it");
    let so_far = desk.slack.thread(CHANNEL, &alice.ts).len();
    assert!(so_far < 60, "the flood is still under way");
    assert!(
        desk.slack.rate_limited() <= 2,
        "{} were refused",
        desk.slack.rate_limited()
    );
    desk.close().await;
}

async fn poison_harms_only_itself(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let long = "a long story ".repeat(3_077);
    assert_eq!(long.len(), 40_001);
    let mut media = desk.twilio.inbound(ALICE, LINE, "eleven pictures");
    for number in 0..11_u8 {
        media = media.media("image/png", vec![number]);
    }
    let receipts = [
        desk.twilio.text(ALICE, LINE, &long).await,
        desk.twilio.text(ALICE, LINE, "nul \u{0} nul").await,
        desk.twilio
            .inbound(ALICE, LINE, "")
            .raw_body(b"not \xff\xfe utf-8")
            .send()
            .await,
        media.send().await,
        desk.twilio.text(ALICE, LINE, "").await,
        desk.twilio.text(ALICE, LINE, "the end").await,
    ];
    for receipt in &receipts {
        assert_eq!(receipt.status, 200, "{receipt:?}");
    }
    desk.twilio.text(BOB, LINE, "Hello").await;
    desk.expect_roots(2).await;
    desk.expect_words_in_thread(&root.ts, "the end").await;
    // The pictures themselves have no words.
    let mut shown = desk.replies(&root.ts);
    shown.retain(|words| !words.is_empty());
    let left_out = shown.remove(4);
    assert!(left_out.starts_with("One more file came"), "{left_out}");
    assert_eq!(shown.len(), receipts.len(), "{shown:?}");
    assert!(
        shown[0].trim_end().len() >= 40_000,
        "{} bytes of it are shown",
        shown[0].len()
    );
    assert_eq!(shown[1], "nul \u{2400} nul");
    assert_eq!(shown[2], "not \u{fffd}\u{fffd} utf-8");
    assert!(shown[3].contains("eleven pictures"), "{}", shown[3]);
    assert_eq!(shown[4], "(an empty text)");

    // The other way round.
    let replies = [long.as_str(), "nul \u{0} nul", " \u{200b}", "and goodbye"];
    for words in replies {
        desk.reply(&root, words).await;
    }
    let reached = desk
        .twilio
        .wait_until(PATIENCE, |_| {
            desk.texted(ALICE)
                .last()
                .is_some_and(|body| body == "and goodbye")
        })
        .await;
    assert!(reached, "{:?}", desk.texted(ALICE).len());
    assert!(
        desk.texted(ALICE)
            .iter()
            .all(|body| body.chars().count() <= 1_600)
    );
    let whole: String = desk.texted(ALICE).concat();
    assert!(
        whole.contains("nul \u{2400} nul"),
        "what a phone can show of it"
    );
    desk.expect_quiet().await;

    // Requests that mean nothing are refused, each for itself.
    let url = desk.url("/api/twilio/dispatch-route");
    let nonsense = reqwest::Client::new()
        .post(url)
        .body(vec![0xff; 100])
        .send()
        .await
        .unwrap();
    assert_eq!(nonsense.status(), 403);
    desk.twilio.text(BOB, LINE, "Still there?").await;
    let bob = desk.expect_roots(2).await.remove(1);
    desk.expect_in_thread(&bob.ts, &["Still there?"]).await;
    desk.close().await;
}
