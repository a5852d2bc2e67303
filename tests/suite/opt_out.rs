//! Callers who text STOP, and START again.

use qdn_sandbox::slack::Message;

use crate::desk::{ALICE, BOB, CHANNEL, DORA, Database, Desk, LINE, SECOND_LINE, STRANGER};

stories! {
    after_stop_nothing_is_sent_until_start,
    only_the_whole_message_is_a_keyword,
    advanced_opt_out_says_it_by_itself,
    a_refusal_in_the_callback_counts_as_stop,
    stop_silences_one_line_only,
    opting_out_in_other_words_is_kept_by_us,
    what_only_sounds_like_it_is_asked_about,
    a_member_opts_a_number_out_and_takes_it_back,
    a_reply_that_waits_does_not_leave_after_an_opt_out,
    nothing_automatic_goes_to_who_opted_out,
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
    let question = desk.expect_ephemeral(DORA, "begins with a colleague").await;
    desk.slack
        .press(DORA, CHANNEL, &question.ts, "held_send")
        .await;
    desk.expect_ephemeral(DORA, "has texted STOP").await;
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

/// Twilio would have sent it, so that what keeps it back is the desk.
fn expect_not_blocked_by_twilio(desk: &Desk) {
    assert!(!desk.twilio.is_opted_out(LINE, ALICE));
}

async fn expect_not_sent(desk: &Desk, root: &Message, words: &str) {
    let before = requests(desk).await;
    let reply = desk.reply(root, words).await;
    desk.expect_marks(&reply, &["x"]).await;
    desk.expect_words_in_thread(
        &root.ts,
        "wants no more texts from this number. That ends when",
    )
    .await;
    assert_eq!(requests(desk).await, before, "nothing was asked of Twilio");
    expect_not_blocked_by_twilio(desk);
}

async fn opting_out_in_other_words_is_kept_by_us(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.twilio.text(ALICE, LINE, "Opt out.").await;
    let notice = desk
        .expect_words_in_thread(&root.ts, "The caller wants no more texts")
        .await;
    expect_not_sent(&desk, &root, "Hello?").await;
    // What may be an answer to something is no word for coming back.
    desk.twilio.text(ALICE, LINE, "yes").await;
    desk.twilio.text(ALICE, LINE, "opt out").await;
    expect_not_sent(&desk, &root, "Yes to what?").await;
    desk.twilio.text(ALICE, LINE, "START").await;
    desk.expect_words_in_thread(&root.ts, "wants texts from this number again")
        .await;
    desk.reply(&root, "Welcome back").await;
    desk.expect_texted(ALICE, &["Welcome back"]).await;

    // The button under what was said is for what stands now.
    desk.slack.press(DORA, CHANNEL, &notice.ts, "opt_in").await;
    desk.expect_told(DORA, "is not opted out").await;
    // Twilio's own word takes the place of ours: from then on only the caller can undo it.
    desk.twilio.text(ALICE, LINE, "optout please").await;
    let asked = desk
        .expect_words_in_thread(&root.ts, "sounds as if the caller")
        .await;
    desk.slack.press(DORA, CHANNEL, &asked.ts, "opt_out").await;
    desk.expect_words_in_thread(&root.ts, "has opted the caller out")
        .await;
    desk.twilio.text(ALICE, LINE, "STOP").await;
    desk.expect_words_in_thread(&root.ts, "Twilio lets none through")
        .await;
    desk.slack.press(DORA, CHANNEL, &asked.ts, "opt_in").await;
    desk.expect_told(DORA, "Only they can undo that").await;
    let decisions: Vec<(String, String)> = desk
        .audit(&["--number", ALICE])
        .await
        .iter()
        .filter(|row| row["decision"].as_str().unwrap().starts_with("opt"))
        .map(|row| {
            let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            (word(&row["decision"]), word(&row["detail"]["kept_by"]))
        })
        .collect();
    let expected = [
        ("opted_out", "us"),
        ("opted_in", ""),
        ("opt_out_asked", ""),
        ("opted_out", "us"),
        ("opted_out", "twilio"),
    ];
    assert_eq!(
        decisions,
        expected.map(|(decision, by)| (decision.to_owned(), by.to_owned()))
    );
    desk.close().await;
}

async fn what_only_sounds_like_it_is_asked_about(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.twilio
        .text(ALICE, LINE, "please stop texting me")
        .await;
    let asked = desk
        .expect_words_in_thread(&root.ts, "sounds as if the caller wants no more texts")
        .await;
    desk.reply(&root, "Is that so?").await;
    desk.expect_texted(ALICE, &["Is that so?"]).await;
    desk.slack
        .press(STRANGER, CHANNEL, &asked.ts, "opt_out")
        .await;
    desk.expect_quiet().await;
    assert_eq!(desk.audited("opted_out").await, 0, "members only");
    desk.slack.press(DORA, CHANNEL, &asked.ts, "opt_out").await;
    desk.expect_words_in_thread(&root.ts, "has opted the caller out")
        .await;
    expect_not_sent(&desk, &root, "Hello?").await;
    desk.expect_quiet().await;
    assert_eq!(desk.audited("opted_out").await, 1);
    desk.slack.press(DORA, CHANNEL, &asked.ts, "opt_in").await;
    desk.expect_words_in_thread(&root.ts, "says that the caller wants texts again")
        .await;
    desk.reply(&root, "As you wish").await;
    desk.expect_texted(ALICE, &["Is that so?", "As you wish"])
        .await;
    assert_eq!(desk.audited("opted_in").await, 1);
    // A machine's way out is no wish of anybody's.
    desk.twilio
        .text(ALICE, LINE, "Automated: reply STOP to unsubscribe")
        .await;
    desk.expect_words_in_thread(&root.ts, "Automated: reply STOP")
        .await;
    desk.expect_quiet().await;
    assert_eq!(desk.audited("opt_out_asked").await, 1);
    desk.close().await;
}

async fn a_member_opts_a_number_out_and_takes_it_back(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let type_as = async |user: &str, text: &str| {
        let answer = desk.slack.command(user, CHANNEL, "/qdn", text).await;
        answer.text
    };
    desk.type_until(DORA, "optout", "Write `/qdn optout").await;
    desk.type_until(DORA, "help", "optout 619-555-0142").await;
    desk.type_until(STRANGER, "optout 6195550142", "Only members")
        .await;
    assert_eq!(desk.audited("opted_out").await, 0);
    desk.type_until(DORA, "optout (619) 555-0142", "is sent no more texts")
        .await;
    desk.expect_words_in_thread(&root.ts, "has opted the caller out")
        .await;
    expect_not_sent(&desk, &root, "Hello?").await;
    let said = type_as(DORA, "text 6195550142 Hello?").await;
    assert!(said.contains("wants no more texts"), "{said}");
    let said = type_as(DORA, "optout 6195550142").await;
    assert!(said.contains("opted out already"), "{said}");
    desk.type_until(DORA, "optout 6195550142 undo", "can be texted again")
        .await;
    let said = type_as(DORA, "optout 6195550142 undo").await;
    assert!(said.contains("is not opted out"), "{said}");
    desk.reply(&root, "Here we are").await;
    desk.expect_texted(ALICE, &["Here we are"]).await;
    // Somebody who never wrote.
    desk.type_until(DORA, "optout 6195550143", "is sent no more texts")
        .await;
    let said = type_as(DORA, "text 6195550143 Hello?").await;
    assert!(said.contains("wants no more texts"), "{said}");
    desk.expect_quiet().await;
    desk.expect_sms(1).await;
    desk.close().await;
}

async fn a_reply_that_waits_does_not_leave_after_an_opt_out(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.twilio.down().await;
    let waiting = desk.reply(&root, "On our way").await;
    desk.expect_words_in_thread(&root.ts, "Not sent yet").await;
    desk.type_until(DORA, "optout 6195550142", "is sent no more texts")
        .await;
    desk.twilio.up().await.unwrap();
    desk.expect_marks(&waiting, &["x"]).await;
    desk.expect_words_in_thread(
        &root.ts,
        "wants no more texts from this number. That ends when",
    )
    .await;
    desk.expect_quiet().await;
    desk.expect_sms(0).await;
    desk.close().await;
}

async fn nothing_automatic_goes_to_who_opted_out(database: Database) {
    let desk = Desk::on(database)
        .replace(
            "number = \"+16195550100\"",
            "number = \"+16195550100\"\nmissed_call_text = \"Sorry we missed you\"\naway_text = \"We are away\"",
        )
        .start()
        .await;
    let root = desk.open(ALICE).await;
    desk.type_until(DORA, "away Sergio", "Sergio").await;
    desk.twilio.text(ALICE, LINE, "opt out").await;
    desk.expect_words_in_thread(&root.ts, "The caller wants no more texts")
        .await;
    desk.twilio.text(ALICE, LINE, "anybody there?").await;
    desk.twilio.call(ALICE, LINE).await;
    desk.expect_quiet().await;
    desk.expect_audited("caller_not_texted", 1).await;
    desk.expect_texted(ALICE, &[]).await;
    desk.close().await;
}
