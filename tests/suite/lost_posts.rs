//! Slack's answer to a post was lost, or the place it belongs in is gone.

use std::time::Duration;

use qdn_sandbox::faults::Effect;
use qdn_sandbox::slack::{Message, World};

use crate::desk::{ALICE, BOB, CHANNEL, DORA, Database, Desk, LINE, PATIENCE};

stories! {
    a_post_whose_answer_was_lost_is_seen_once,
    a_root_whose_answer_was_lost_is_seen_once,
    a_post_that_was_not_made_is_made_after_all,
    a_copy_that_is_accepted_late_is_taken_away,
    a_root_that_is_accepted_late_and_answered_stays,
    a_copy_that_a_look_finds_answered_stays,
    a_post_made_again_is_known_however_slow_the_look_after_it_is,
    a_reply_under_a_root_not_known_yet_is_texted,
    a_deleted_root_gives_way_to_a_new_one,
    an_archived_channel_holds_what_is_for_it,
    a_revoked_token_holds_what_is_for_slack,
    a_bot_that_was_removed_holds_what_is_for_the_channel,
    a_channel_made_anew_takes_over,
    a_message_that_its_writer_took_away_needs_no_mark,
}

/// Every way in which Slack's answer can be lost.
fn losses() -> [Effect; 8] {
    [
        Effect::Reset,
        Effect::Hang,
        Effect::Status(500),
        Effect::Garbage,
        Effect::Empty,
        Effect::CutShort,
        Effect::Error("fatal_error".into()),
        Effect::Error("internal_error".into()),
    ]
}

async fn a_post_whose_answer_was_lost_is_seen_once(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let mut expected = Vec::new();
    for (index, loss) in losses().into_iter().enumerate() {
        desk.slack
            .faults()
            .push("chat.postMessage", loss.accepted());
        for words in ["the same words".to_owned(), format!("after loss {index}")] {
            desk.twilio.text(ALICE, LINE, &words).await;
            expected.push(words);
        }
        let so_far: Vec<&str> = expected.iter().map(String::as_str).collect();
        desk.expect_in_thread(&root.ts, &so_far).await;
    }
    desk.expect_quiet().await;
    assert_eq!(desk.replies(&root.ts), expected);
    assert_eq!(desk.slack.posts().len(), 1 + expected.len());
    desk.close().await;
}

async fn a_root_whose_answer_was_lost_is_seen_once(database: Database) {
    let desk = Desk::on(database).start().await;
    for (index, loss) in losses().into_iter().enumerate() {
        desk.slack
            .faults()
            .push("chat.postMessage", loss.accepted());
        let caller = format!("+1619555016{index}");
        desk.twilio.text(&caller, LINE, "first").await;
        desk.twilio.text(&caller, LINE, "second").await;
        let root = desk.expect_roots(index + 1).await.remove(index);
        desk.expect_in_thread(&root.ts, &["second"]).await;
    }
    desk.expect_quiet().await;
    desk.expect_roots(losses().len()).await;
    assert_eq!(desk.slack.posts().len(), 2 * losses().len());
    desk.close().await;
}

async fn a_post_that_was_not_made_is_made_after_all(database: Database) {
    let desk = Desk::on(database).start().await;
    let mut expected = Vec::new();
    for loss in losses() {
        if loss != Effect::CutShort {
            desk.slack
                .faults()
                .push("chat.postMessage", loss.not_accepted());
            expected.push(format!("text {}", expected.len()));
        }
    }
    desk.twilio.text(ALICE, LINE, "first").await;
    for words in &expected {
        desk.twilio.text(ALICE, LINE, words).await;
    }
    let root = desk.expect_thread().await;
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    desk.expect_in_thread(&root.ts, &expected).await;
    desk.expect_quiet().await;
    assert_eq!(desk.slack.posts().len(), 1 + expected.len());
    desk.close().await;
}

/// A desk where the second try is answered in time on a busy machine too, and not looked for at once.
async fn patient(database: Database) -> Desk {
    Desk::on(database)
        .replace("request_timeout = \"500ms\"", "request_timeout = \"3s\"")
        .replace("settle_after = \"2s\"", "settle_after = \"12s\"")
        .start()
        .await
}

/// Slack cuts a post off and accepts it after it has been looked for in vain and made again.
fn accepted_late(desk: &Desk) {
    let late = Effect::Late(Duration::from_millis(500));
    desk.slack
        .faults()
        .push("chat.postMessage", late.not_accepted());
}

async fn a_copy_that_is_accepted_late_is_taken_away(database: Database) {
    let desk = patient(database).await;
    let root = desk.open(ALICE).await;
    accepted_late(&desk);
    desk.twilio.text(ALICE, LINE, "only once").await;
    let both = |world: &World| world.thread(CHANNEL, &root.ts).len() == 2;
    assert!(desk.slack.wait_until(both, PATIENCE).await, "a copy");
    let known =
        "select external_id from outbox where kind = 'post' order by created_at desc limit 1";
    desk.expect_quiet().await;
    let left: Vec<String> = desk
        .slack
        .thread(CHANNEL, &root.ts)
        .into_iter()
        .map(|it| it.ts)
        .collect();
    assert_eq!(left, desk.words(known.to_owned()).await);
    desk.close().await;
}

async fn a_root_that_is_accepted_late_and_answered_stays(database: Database) {
    let desk = patient(database).await;
    accepted_late(&desk);
    desk.twilio.text(ALICE, LINE, "Help").await;
    let copy = desk.expect_roots(2).await.remove(1);
    desk.reply(&copy, "On our way").await;
    desk.expect_texted(ALICE, &["On our way"]).await;
    desk.expect_quiet().await;
    desk.expect_roots(2).await;
    desk.close().await;
}

async fn a_copy_that_a_look_finds_answered_stays(database: Database) {
    let desk = patient(database).await;
    let faults = desk.slack.faults();
    let late = Effect::Late(Duration::from_millis(400));
    faults.push("chat.postMessage", late.not_accepted());
    // Where the second try has come to nobody knows either.
    faults.push("chat.postMessage", Effect::Hang.accepted());
    desk.twilio.text(ALICE, LINE, "Help").await;
    let first = |world: &World| !world.roots(CHANNEL).is_empty();
    assert!(desk.slack.wait_until(first, PATIENCE).await, "a root");
    let unreadable = Effect::Status(500).not_accepted();
    faults.always("conversations.history", unreadable);
    let copy = desk.expect_roots(2).await.remove(1);
    desk.reply(&copy, "On our way").await;
    faults.clear("conversations.history");
    desk.expect_texted(ALICE, &["On our way"]).await;
    desk.expect_quiet().await;
    desk.expect_roots(2).await;
    assert_eq!(desk.audited("copy_kept").await, 1);
    desk.close().await;
}

async fn a_post_made_again_is_known_however_slow_the_look_after_it_is(database: Database) {
    let desk = Desk::on(database)
        .replace("request_timeout = \"500ms\"", "request_timeout = \"1s\"")
        .replace("settle_after = \"2s\"", "settle_after = \"4s\"")
        .start()
        .await;
    let old = desk.open(ALICE).await;
    desk.expect_quiet().await;
    desk.slack.delete_message(CHANNEL, &old.ts);
    let faults = desk.slack.faults();
    let slow = || Effect::Slow(Duration::from_millis(800)).accepted();
    faults.push("chat.postMessage", Effect::Reset.not_accepted());
    faults.push("chat.postMessage", slow());
    faults.push("chat.update", slow());
    desk.twilio.text(ALICE, LINE, "Are you there?").await;
    // It is posted and made a root, and then looked for: all of it together takes longer than a delivery may.
    desk.expect_roots(1).await;
    for read in ["conversations.history", "conversations.replies"] {
        faults.always(read, slow());
    }
    let made_again = "select count(*) from attempt where n = 2 and outcome <> ''";
    while desk.query_one(made_again).await == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let ended = "select outcome from attempt where n = 2".to_owned();
    assert_eq!(desk.words(ended).await, ["delivered"]);
    assert_eq!(desk.audited("unknown").await, 1, "only the first try");
    desk.close().await;
}

async fn a_reply_under_a_root_not_known_yet_is_texted(database: Database) {
    let desk = Desk::on(database).start().await;
    let faults = desk.slack.faults();
    faults.push("chat.postMessage", Effect::Hang.accepted());
    faults.push_many(
        "conversations.history",
        3,
        Effect::Status(500).not_accepted(),
    );
    desk.twilio.text(ALICE, LINE, "Help").await;
    let root = desk.expect_thread().await;
    desk.reply(&root, "On our way").await;
    desk.reply(&root, "// he sounds calm").await;
    desk.reply(&root, "Ten minutes").await;
    desk.expect_texted(ALICE, &["On our way", "Ten minutes"])
        .await;
    desk.expect_quiet().await;
    assert_eq!(desk.texted(ALICE).len(), 2);
    desk.expect_roots(1).await;
    desk.close().await;
}

async fn a_deleted_root_gives_way_to_a_new_one(database: Database) {
    let desk = Desk::on(database).start().await;
    let old = desk.open(ALICE).await;
    desk.slack.delete_message(CHANNEL, &old.ts);
    desk.twilio.text(ALICE, LINE, "Are you there?").await;
    let found = |roots: &[Message]| roots.iter().find(|root| root.ts != old.ts).cloned();
    let reached = desk
        .slack
        .wait_until(
            |world| {
                world.roots(CHANNEL).iter().any(|root| {
                    world.rendered(root).contains("(619) 555-0142") && root.ts != old.ts
                })
            },
            PATIENCE,
        )
        .await;
    assert!(
        reached,
        "a new root that says who is texting: {:?}",
        desk.slack.roots(CHANNEL)
    );
    let new = found(&desk.slack.roots(CHANNEL)).expect("a new root");
    assert!(desk.slack.rendered(&new).contains("Are you there?"));
    desk.reply(&new, "Yes").await;
    desk.expect_texted(ALICE, &["Yes"]).await;
    desk.twilio.text(ALICE, LINE, "Thanks").await;
    desk.expect_words_in_thread(&new.ts, "Thanks").await;
    desk.expect_quiet().await;
    desk.close().await;
}

/// Two conversations, trouble, a text in each and a new caller: all of it is there once the trouble is over.
async fn held_until_mended(
    database: Database,
    code: &str,
    trouble: impl Fn(&Desk),
    mend: impl Fn(&Desk),
) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_error(code);
    let alice = desk.open(ALICE).await;
    let bob = desk.open(BOB).await;
    trouble(&desk);
    for caller in [ALICE, BOB, "+16195550144"] {
        for words in ["one", "two", "three"] {
            let receipt = desk.twilio.text(caller, LINE, words).await;
            assert_eq!(receipt.status, 200, "texts are taken all the while");
        }
    }
    let is_alarm = |line: &serde_json::Value| {
        line["level"] == "ERROR" && line["why"].as_str().is_some_and(|why| why.contains(code))
    };
    desk.relay().wait_for_log(is_alarm).await;
    desk.expect_audited("held", 3).await;
    // One of them may be under way again just now.
    while desk.metric("qdn_outbox_deliveries{state=\"held\"}").await < 3.0 {}
    // It is tried again, but not shouted again.
    let tried = "select count(*) from attempt where outcome = 'held'";
    while desk.query_one(tried).await < 9 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let alarms = desk
        .relay()
        .log()
        .iter()
        .filter(|line| serde_json::from_str(line).is_ok_and(|line| is_alarm(&line)))
        .count();
    assert!(alarms <= 4, "{alarms} alarms");
    let listed = desk.run(&["outbox", "list"]).await.unwrap();
    assert!(listed.contains("held") && listed.contains(code), "{listed}");
    mend(&desk);
    desk.expect_in_thread(&alice.ts, &["one", "two", "three"])
        .await;
    desk.expect_in_thread(&bob.ts, &["one", "two", "three"])
        .await;
    let roots = desk
        .slack
        .wait_until(
            |world| {
                world
                    .roots(CHANNEL)
                    .iter()
                    .filter(|root| root.is_by_app())
                    .count()
                    == 3
            },
            PATIENCE,
        )
        .await;
    assert!(roots, "the new caller's thread");
    let new = desk
        .slack
        .roots(CHANNEL)
        .into_iter()
        .rfind(Message::is_by_app)
        .expect("a root");
    desk.expect_in_thread(&new.ts, &["two", "three"]).await;
    desk.expect_quiet().await;
    desk.close().await;
}

async fn an_archived_channel_holds_what_is_for_it(database: Database) {
    let set = |archived| move |desk: &Desk| desk.slack.set_archived(CHANNEL, archived);
    held_until_mended(database, "is_archived", set(true), set(false)).await;
}

async fn a_revoked_token_holds_what_is_for_slack(database: Database) {
    let set = |revoked| move |desk: &Desk| desk.slack.set_token_revoked(revoked);
    held_until_mended(database, "token_revoked", set(true), set(false)).await;
}

async fn a_bot_that_was_removed_holds_what_is_for_the_channel(database: Database) {
    held_until_mended(
        database,
        "not_in_channel",
        |desk| desk.slack.kick_bot(CHANNEL),
        |desk| desk.slack.invite_bot(CHANNEL),
    )
    .await;
}

async fn a_channel_made_anew_takes_over(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_error("is_archived");
    desk.open(ALICE).await;
    desk.slack.set_archived(CHANNEL, true);
    desk.twilio.text(ALICE, LINE, "Still there?").await;
    desk.expect_audited("held", 1).await;
    // Slack frees the name of an archived channel once it is renamed.
    let archived = qdn_sandbox::slack::Channel {
        name: "qdn-dispatch-old".into(),
        ..desk
            .slack
            .read(|world| world.channel(CHANNEL).cloned().expect("the channel"))
    };
    desk.slack.put_channel(archived);
    desk.slack.add_channel("C0NEW", "qdn-dispatch", false);
    desk.slack.invite_bot("C0NEW");
    desk.slack.join("C0NEW", DORA);
    let reached = desk
        .slack
        .wait_until(
            |world| world.roots("C0NEW").iter().any(|root| root.is_by_app()),
            PATIENCE,
        )
        .await;
    assert!(reached, "the conversation goes on in the new channel");
    let root = desk
        .slack
        .roots("C0NEW")
        .into_iter()
        .find(Message::is_by_app)
        .expect("a root");
    let shown = desk.slack.rendered(&root);
    assert!(
        shown.contains("(619) 555-0142") && shown.contains("Still there?"),
        "{shown}"
    );
    desk.slack
        .post_as(DORA, "C0NEW", Some(&root.ts), "We are")
        .await;
    desk.expect_texted(ALICE, &["We are"]).await;
    desk.expect_quiet().await;
    desk.close().await;
}

async fn a_message_that_its_writer_took_away_needs_no_mark(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let reply = desk.reply(&root, "On our way").await;
    let sms = desk.expect_sms(1).await.remove(0);
    desk.slack.delete_message(CHANNEL, &reply);
    desk.twilio
        .deliver_status(&sms.sid, "delivered", None)
        .await;
    desk.expect_quiet().await;
    assert_eq!(
        desk.query_one("select count(*) from outbox where state = 'refused'")
            .await,
        0
    );
    desk.close().await;
}
