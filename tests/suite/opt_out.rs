//! Callers who text STOP, and START again.

use qdn_relay::sandbox::slack::Message;

use crate::desk::{ALICE, BOB, CHANNEL, Database, Desk, LINE, SECOND_LINE};

stories! {
    after_stop_nothing_is_sent_until_start,
    only_the_whole_message_is_a_keyword,
    advanced_opt_out_says_it_by_itself,
    a_refusal_in_the_callback_counts_as_stop,
    stop_silences_one_line_only,
}

/// How many attempts to text have been made.
async fn requests(desk: &Desk) -> usize {
    desk.numbers(
        "select a.n from attempt a join outbox o on o.id = a.outbox_id where o.kind = 'sms'".into(),
    )
    .await
    .len()
}

async fn expect_refused(desk: &Desk, root: &Message, words: &str) {
    let before = requests(desk).await;
    let reply = desk.reply(root, words).await;
    desk.expect_marks(&reply, &["x"]).await;
    desk.expect_words_in_thread(&root.ts, "the caller has texted STOP")
        .await;
    assert_eq!(requests(desk).await, before, "nothing was asked of Twilio");
}

async fn after_stop_nothing_is_sent_until_start(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let held = desk.reply(&root, "<@U0SERGIO> is coming").await;
    desk.twilio.text(ALICE, LINE, " stop ").await;
    desk.twilio.text(ALICE, LINE, "STOP").await;
    desk.expect_words_in_thread(&root.ts, "wants no more texts")
        .await;
    expect_refused(&desk, &root, "Hello?").await;
    let question = desk
        .expect_ephemeral(crate::desk::DORA, "begins with a colleague")
        .await;
    desk.slack
        .press(crate::desk::DORA, CHANNEL, &question.ts, "held_send")
        .await;
    desk.expect_ephemeral(crate::desk::DORA, "has texted STOP")
        .await;
    desk.expect_marks(&held, &[]).await;
    desk.expect_quiet().await;
    let said = desk.replies(&root.ts);
    let told = said
        .iter()
        .filter(|one| one.contains("wants no more texts"));
    assert_eq!(told.count(), 1, "{said:#?}");
    desk.expect_texted(ALICE, &[]).await;
    desk.twilio.text(ALICE, LINE, "Start").await;
    desk.expect_words_in_thread(&root.ts, "wants texts from this number again")
        .await;
    desk.reply(&root, "Welcome back").await;
    desk.expect_texted(ALICE, &["Welcome back"]).await;
    assert_eq!(desk.audited("opted_out").await, 1);
    assert_eq!(desk.audited("opted_in").await, 1);
    desk.close().await;
}

async fn only_the_whole_message_is_a_keyword(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    for words in ["Stop the car", "stop it", "YES", "START", "the end", "HELP"] {
        desk.twilio.text(ALICE, LINE, words).await;
    }
    desk.reply(&root, "We did").await;
    desk.expect_texted(ALICE, &["We did"]).await;
    desk.expect_quiet().await;
    assert_eq!(desk.audited("opted_out").await, 0);
    assert_eq!(desk.audited("opted_in").await, 0);
    desk.close().await;
}

async fn advanced_opt_out_says_it_by_itself(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.twilio
        .inbound(ALICE, LINE, "arret")
        .opt_out_type("STOP")
        .send()
        .await;
    expect_refused(&desk, &root, "Hello?").await;
    desk.twilio
        .inbound(ALICE, LINE, "encore")
        .opt_out_type("START")
        .send()
        .await;
    desk.reply(&root, "Welcome back").await;
    desk.expect_texted(ALICE, &["Welcome back"]).await;
    desk.close().await;
}

async fn a_refusal_in_the_callback_counts_as_stop(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.reply(&root, "Hello").await;
    let sms = desk.expect_sms(1).await.remove(0);
    desk.twilio
        .deliver_status(&sms.sid, "failed", Some(21610))
        .await;
    desk.expect_words_in_thread(&root.ts, "Twilio error 21610")
        .await;
    expect_refused(&desk, &root, "Hello?").await;
    desk.expect_sms(1).await;
    assert_eq!(desk.audited("opted_out").await, 1);
    desk.close().await;
}

async fn stop_silences_one_line_only(database: Database) {
    let desk = Desk::on(database)
        .replace(
            "[delivery]",
            &format!("[[lines]]\nname = \"Second\"\nnumber = \"{SECOND_LINE}\"\nchannel = \"#qdn-dispatch\"\nring = [{{ people = [\"Sergio\"], seconds = 15 }}]\n[delivery]"),
        )
        .start()
        .await;
    let first = desk.open(ALICE).await;
    let bob = desk.open(BOB).await;
    desk.twilio.text(ALICE, SECOND_LINE, "Help").await;
    let second = desk.expect_roots(3).await.remove(2);
    desk.twilio.text(ALICE, LINE, "UNSUBSCRIBE").await;
    expect_refused(&desk, &first, "Hello?").await;
    desk.reply(&second, "On this line").await;
    desk.reply(&bob, "Hello Bob").await;
    desk.expect_texted(ALICE, &["On this line"]).await;
    desk.expect_texted(BOB, &["Hello Bob"]).await;
    desk.close().await;
}
