//! Slack does not take a message, or a thread takes none: that holds nobody, and no words are lost.

use std::time::Duration;

use qdn_sandbox::faults::Effect;
use qdn_sandbox::slack::Message;
use serde_json::Value;

use crate::desk::{ALICE, BOB, CHANNEL, DORA, Database, Desk, LINE, PATIENCE};

stories! {
    a_message_that_slack_does_not_take_holds_nobody,
    a_trouble_of_slacks_own_ends_in_a_placeholder_too,
    a_trouble_of_slacks_own_counts_though_reads_fail_now_and_then,
    words_that_are_too_long_for_slack_are_shown_in_parts,
    a_root_that_slack_does_not_take_is_a_thread_all_the_same,
    words_that_are_refused_to_one_person_too_are_said_to_be_kept,
    an_old_thread_that_takes_no_words_holds_nobody,
    an_old_thread_that_is_gone_leaves_nothing_in_the_channel,
}

/// What Slack does not let through here.
const POISON: &str = "zzyzx";

const PLACEHOLDER: &str = "Slack refuses to show";

const ALARM: &str = "Slack does not take a message";

/// The ephemerals that show these words to Dora, once there are any.
async fn expect_alone(desk: &Desk, words: &str) -> Vec<String> {
    let found = desk.slack.wait_for(PATIENCE, |world| {
        let shown: Vec<String> = world
            .ephemerals(DORA)
            .map(|shown| shown.text.clone())
            .collect();
        shown
            .iter()
            .any(|text| text.contains(words))
            .then_some(shown)
    });
    found
        .await
        .unwrap_or_else(|| panic!("nobody is shown {words}: {:?}", desk.slack.ephemerals(DORA)))
}

async fn press_words(desk: &Desk, placeholder: &Message) {
    let answer = desk
        .slack
        .press(DORA, CHANNEL, &placeholder.ts, "show_words")
        .await;
    assert_eq!(answer.status, 200);
}

/// How often the alarm was given.
fn alarms(desk: &mut Desk) -> usize {
    let lines = desk.relay().log();
    let lines = lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| line["level"] == "ERROR" && line["message"].to_string().contains(ALARM))
        .count()
}

/// Alice's poisoned text and what follows it are shown, and so are others meanwhile: by the order of posts.
async fn goes_on(database: Database, error: &str) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_error(ALARM);
    let root = desk.open(ALICE).await;
    desk.slack.refuse_words("chat.postMessage", POISON, error);
    desk.twilio
        .text(ALICE, LINE, &format!("the {POISON} & more"))
        .await;
    desk.twilio.text(ALICE, LINE, "and this").await;
    // Three others have the same trouble, which must not shut the channel to Bob.
    for n in 5..8 {
        let caller = format!("+1619555014{n}");
        desk.twilio.text(&caller, LINE, POISON).await;
    }
    desk.twilio.text(BOB, LINE, "I am Bob").await;
    let placeholder = desk.expect_words_in_thread(&root.ts, PLACEHOLDER).await;
    desk.expect_words_in_thread(&root.ts, "and this").await;
    desk.expect_quiet().await;
    let shown = desk.replies(&root.ts);
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown[0].contains(PLACEHOLDER), "in order: {shown:?}");
    let bob = desk.slack.read(|world| {
        let roots = world.roots(CHANNEL).into_iter();
        let bob = roots
            .clone()
            .find(|root| world.rendered(root).contains("I am Bob"));
        bob.map(|root| root.ts.clone())
    });
    assert!(
        bob.is_some_and(|bob| bob < placeholder.ts),
        "Bob was not held up"
    );
    press_words(&desk, &placeholder).await;
    expect_alone(&desk, &format!("the {POISON} &amp; more")).await;
    assert_eq!(alarms(&mut desk), 4, "once for each");
    assert_eq!(desk.audited("held").await, 0);
    desk.slack.let_words_through();
    desk.expect_quiet().await;
    desk.close().await;
}

async fn a_message_that_slack_does_not_take_holds_nobody(database: Database) {
    goes_on(database, "an_error_nobody_knows").await;
}

async fn a_trouble_of_slacks_own_ends_in_a_placeholder_too(database: Database) {
    goes_on(database, "internal_error").await;
}

async fn a_trouble_of_slacks_own_counts_though_reads_fail_now_and_then(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_error(ALARM);
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    desk.slack
        .refuse_words("chat.postMessage", POISON, "internal_error");
    desk.twilio.text(ALICE, LINE, POISON).await;
    let placed = || {
        let shown = desk.replies(&root.ts);
        shown.iter().any(|words| words.contains(PLACEHOLDER))
    };
    let attempts =
        "select count(*) from attempt a join outbox o on o.id = a.outbox_id where o.kind = 'post'";
    let (mut seen, deadline) = (1, tokio::time::Instant::now() + PATIENCE);
    while !placed() {
        assert!(tokio::time::Instant::now() < deadline, "no placeholder");
        let made = desk.query_one(attempts).await;
        if made > seen {
            // One look for each attempt fails.
            let fault = Effect::Status(500).not_accepted();
            desk.slack.faults().push("conversations.history", fault);
            seen = made;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    desk.slack.let_words_through();
    desk.expect_quiet().await;
    desk.close().await;
}

async fn words_that_are_too_long_for_slack_are_shown_in_parts(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_error(ALARM);
    let root = desk.open(ALICE).await;
    desk.slack
        .refuse_words("chat.postMessage", POISON, "msg_too_long");
    let long = format!("{POISON} {}the end", "again and ".repeat(400));
    desk.twilio.inbound(ALICE, LINE, &long).send().await;
    let placeholder = desk.expect_words_in_thread(&root.ts, PLACEHOLDER).await;
    press_words(&desk, &placeholder).await;
    let parts = expect_alone(&desk, "the end").await;
    assert_eq!(parts.concat(), long);
    desk.close().await;
}

async fn a_root_that_slack_does_not_take_is_a_thread_all_the_same(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_error(ALARM);
    desk.slack
        .refuse_words("chat.postMessage", POISON, "an_error_nobody_knows");
    // An edit of the root must not try the words again.
    desk.slack
        .refuse_words("chat.update", POISON, "an_error_nobody_knows");
    desk.twilio.text(ALICE, LINE, POISON).await;
    desk.twilio.text(ALICE, LINE, "second").await;
    let root = desk.expect_thread().await;
    let shown = desk.slack.rendered(&root);
    assert!(
        shown.contains(PLACEHOLDER) && shown.contains("(619) 555-0142"),
        "{shown}"
    );
    desk.expect_in_thread(&root.ts, &["second"]).await;
    desk.reply(&root, "On our way").await;
    desk.expect_texted(ALICE, &["On our way"]).await;
    press_words(&desk, &root).await;
    expect_alone(&desk, POISON).await;
    desk.expect_quiet().await;
    let refused = "select count(*) from outbox where state = 'refused'";
    assert_eq!(desk.query_one(refused).await, 0);
    desk.close().await;
}

async fn words_that_are_refused_to_one_person_too_are_said_to_be_kept(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_error(ALARM);
    let root = desk.open(ALICE).await;
    for method in ["chat.postMessage", "chat.postEphemeral"] {
        desk.slack
            .refuse_words(method, POISON, "an_error_nobody_knows");
    }
    desk.twilio.text(ALICE, LINE, POISON).await;
    let placeholder = desk.expect_words_in_thread(&root.ts, PLACEHOLDER).await;
    press_words(&desk, &placeholder).await;
    expect_alone(&desk, "Twilio's message log").await;
    desk.expect_quiet().await;
    desk.close().await;
}

/// Alice's next text begins a thread; the one before is as `trouble` makes it.
async fn with_an_old_thread(desk: &Desk, trouble: impl Fn(&Desk, &str)) -> Message {
    let old = desk.open(ALICE).await;
    trouble(desk, &old.ts);
    desk.execute("update conversation set last_at = 1000").await;
    desk.twilio.text(ALICE, LINE, "It is me again").await;
    let found = desk.slack.wait_for(PATIENCE, |world| {
        let roots = world.roots(CHANNEL).into_iter();
        let mut new = roots.filter(|root| world.rendered(root).contains("It is me again"));
        new.next().cloned()
    });
    let new = found.await.expect("a new thread");
    desk.twilio.text(ALICE, LINE, "and more").await;
    desk.expect_in_thread(&new.ts, &["and more"]).await;
    desk.expect_quiet().await;
    old
}

async fn an_old_thread_that_takes_no_words_holds_nobody(database: Database) {
    for error in [
        "restricted_action_thread_locked",
        "cannot_reply_to_message",
        "thread_not_found",
        "an_error_nobody_knows",
    ] {
        let desk = Desk::on(database).start().await;
        let old = with_an_old_thread(&desk, |desk, old| desk.slack.refuse_thread(old, error)).await;
        assert_eq!(desk.replies(&old.ts), Vec::<String>::new());
        assert_eq!(desk.audited("held").await, 0, "{error}");
        desk.close().await;
    }
}

async fn an_old_thread_that_is_gone_leaves_nothing_in_the_channel(database: Database) {
    let desk = Desk::on(database).start().await;
    with_an_old_thread(&desk, |desk, old| desk.slack.delete_message(CHANNEL, old)).await;
    let stray = desk.slack.read(|world| {
        let roots = world.roots(CHANNEL).into_iter();
        let mut said = roots.map(|root| world.rendered(root));
        said.any(|words| words.starts_with("This conversation goes on"))
    });
    assert!(!stray, "{:?}", desk.slack.roots(CHANNEL));
    desk.close().await;
}
