//! The desk texts somebody first, and how much people may text.

use qdn_sandbox::slack::Forgery;

use crate::desk::{
    ALICE, BOB, CHANNEL, DORA, Database, Desk, LINE, PATIENCE, SECOND_LINE, SERGIO, STRANGER,
};

stories! {
    a_member_texts_somebody_first,
    a_known_caller_is_texted_in_their_thread,
    what_may_not_be_texted_is_refused_with_a_sentence,
    the_form_texts_somebody_once,
    the_form_says_what_is_wrong,
    a_form_chooses_among_lines,
    nobody_texts_more_than_the_limits_allow,
    replies_go_to_telephones_only,
    a_long_text_is_asked_about_and_counts_in_parts,
}

fn with_second_line(toml: &str) -> String {
    format!(
        "[[lines]]\nname = \"Second\"\nnumber = \"{SECOND_LINE}\"\nchannel = \"#qdn-dispatch\"\nring = [{{ people = [\"Sergio\"], seconds = 15 }}]\n{toml}"
    )
}

async fn a_member_texts_somebody_first(database: Database) {
    let desk = Desk::on(database).start().await;
    let typed = "text (619) 555-0142 Your driver is outside &amp; waits – 2 min";
    desk.type_until(DORA, typed, "Texting (619) 555-0142").await;
    let root = desk.expect_thread().await;
    let shown = desk.slack.rendered(&root);
    assert!(
        shown.contains("(619) 555-0142") && shown.contains("texted first"),
        "{shown}"
    );
    let sms = desk.expect_sms(1).await.remove(0);
    assert_eq!(
        (sms.from.as_str(), sms.to.as_str(), sms.body.as_str()),
        (LINE, ALICE, "Your driver is outside & waits - 2 min")
    );
    desk.twilio
        .deliver_status(&sms.sid, "delivered", None)
        .await;
    desk.expect_marks(&root.ts, &["white_check_mark"]).await;
    desk.twilio.text(ALICE, LINE, "Coming").await;
    desk.expect_words_in_thread(&root.ts, "Coming").await;
    desk.reply(&root, "Good").await;
    desk.expect_sms(2).await;
    assert_eq!(desk.audited("texted_first").await, 1);
    desk.close().await;
}

async fn a_known_caller_is_texted_in_their_thread(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.type_until(DORA, "text 6195550142 We are on our way", "Texting")
        .await;
    desk.expect_words_in_thread(&root.ts, "We are on our way")
        .await;
    desk.expect_texted(ALICE, &["We are on our way"]).await;
    desk.expect_roots(1).await;
    desk.close().await;
}

async fn what_may_not_be_texted_is_refused_with_a_sentence(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(BOB).await;
    desk.twilio.text(BOB, LINE, "STOP").await;
    desk.expect_words_in_thread(&root.ts, "wants no more texts")
        .await;
    for (typed, sentence) in [
        ("text 911 help", "emergency number"),
        ("text 28849 YES", "short code"),
        ("text 900 555 0142 hello", "cost extra"),
        ("text +1 500 555 0142 hello", "cost extra"),
        ("text 622 555 0142 hello", "cost extra"),
        ("text +442079460123 hello", "does not text numbers of GB"),
        ("text 619 555 0100 hello", "our own line QDN"),
        ("text 619 555 0143 hello", "has texted STOP"),
        ("text 555 0142 hello", "not a whole telephone number"),
        ("text Alice hello", "not a whole telephone number"),
        ("text 619 555 0142", "Write `/qdn text"),
        ("text", "Write `/qdn text"),
    ] {
        desk.type_until(DORA, typed, sentence).await;
    }
    desk.type_until(STRANGER, "text 6195550142 hello", "Only members")
        .await;
    desk.expect_quiet().await;
    desk.expect_sms(0).await;
    desk.expect_roots(1).await;
    desk.close().await;
}

async fn the_form_texts_somebody_once(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.slack.shortcut(DORA, "new_text").await;
    let form = desk.slack.wait_for_modal(DORA, PATIENCE).await.unwrap();
    assert_eq!(form["callback_id"], "new_text");
    let values = [("number", "619-555-0142"), ("words", "Gate <4> & *5*")];
    let answer = desk.slack.submit_view(DORA, &values).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    desk.expect_texted(ALICE, &["Gate <4> & *5*"]).await;
    desk.expect_thread().await;
    // The same form once more, as whoever kept the request could send it.
    let view = serde_json::json!({
        "callback_id": "new_text", "type": "modal", "private_metadata": form["private_metadata"],
        "state": { "values": {
            "number": { "number": { "type": "plain_text_input", "value": "619-555-0142" } },
            "words": { "words": { "type": "plain_text_input", "value": "Again" } },
        } },
    });
    let payload = |user: &str| {
        serde_json::json!({
            "type": "view_submission", "user": { "id": user, "team_id": form["team_id"] },
            "team": { "id": form["team_id"] }, "view": view,
        })
    };
    let slack = &desk.slack;
    let forged = slack
        .send_interaction(&payload(DORA), Forgery::WrongSecret)
        .await;
    assert_eq!(forged.unwrap().status, 403);
    let again = slack
        .send_interaction(&payload(DORA), Forgery::Genuine)
        .await;
    assert_eq!(again.unwrap().status, 200);
    let stranger = slack
        .send_interaction(&payload(STRANGER), Forgery::Genuine)
        .await;
    assert!(stranger.unwrap().body.contains("Only members"));
    let mut elsewhere = payload(DORA);
    elsewhere["team"]["id"] = "T0OTHER".into();
    let elsewhere = slack.send_interaction(&elsewhere, Forgery::Genuine).await;
    assert_eq!(elsewhere.unwrap().status, 403);
    desk.expect_quiet().await;
    desk.expect_texted(ALICE, &["Gate <4> & *5*"]).await;
    desk.close().await;
}

async fn the_form_says_what_is_wrong(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.slack.shortcut(DORA, "new_text").await;
    desk.slack.wait_for_modal(DORA, PATIENCE).await.unwrap();
    for (number, field, sentence) in [
        ("911", "number", "emergency number"),
        ("+442079460123", "number", "does not text numbers of GB"),
        ("nobody", "number", "not a whole telephone number"),
    ] {
        let values = [("number", number), ("words", "Hello")];
        let answer = desk.slack.submit_view(DORA, &values).await.json.unwrap();
        assert_eq!(answer["response_action"], "errors");
        let told = answer["errors"][field].as_str().unwrap();
        assert!(told.contains(sentence), "{told}");
    }
    let values = [("number", "6195550142"), ("words", "Hello")];
    desk.slack.submit_view(DORA, &values).await;
    desk.expect_texted(ALICE, &["Hello"]).await;
    desk.close().await;
}

async fn a_form_chooses_among_lines(database: Database) {
    let desk = Desk::on(database)
        .replace(
            "[delivery]",
            &with_second_line("allow_countries = [\"US\", \"GB\"]\n[delivery]"),
        )
        .start()
        .await;
    // The command goes out on the first line of the channel where it is typed.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    // Which channel is which line's is asked for at the start.
    while !desk
        .commands(DORA, "text 6195550142 First")
        .await
        .contains("Texting")
    {
        assert!(tokio::time::Instant::now() < deadline, "no line is known");
    }
    desk.slack.shortcut(DORA, "new_text").await;
    desk.slack.wait_for_modal(DORA, PATIENCE).await.unwrap();
    let values = [
        ("line", SECOND_LINE),
        ("number", "+44 20 7946 0123"),
        ("words", "Second"),
    ];
    desk.slack.submit_view(DORA, &values).await;
    let sent = desk.expect_sms(2).await;
    let mut sent: Vec<(&str, &str)> = sent
        .iter()
        .map(|sms| (sms.from.as_str(), sms.to.as_str()))
        .collect();
    sent.sort_unstable();
    assert_eq!(sent, [(LINE, ALICE), (SECOND_LINE, "+442079460123")]);
    desk.close().await;
}

async fn nobody_texts_more_than_the_limits_allow(database: Database) {
    let desk = Desk::on(database)
        .toml("\n[limits]\nperson_per_hour = 3\nnumber_per_hour = 4\n[desk]\ncollision_guard = false\n")
        .start()
        .await;
    let alice = desk.open(ALICE).await;
    for words in ["one", "two", "three"] {
        desk.reply(&alice, words).await;
    }
    let held = desk.reply(&alice, "four").await;
    let question = desk
        .expect_ephemeral(DORA, "you have sent 3 texts within an hour")
        .await;
    for told in ["3 texts within an hour", "hello"] {
        desk.type_until(DORA, "text 6195550143 hello", told).await;
    }
    desk.says(SERGIO, &alice, "four, by Sergio").await;
    desk.says(SERGIO, &alice, "five, by Sergio").await;
    desk.expect_ephemeral(SERGIO, "this number was sent 4 texts")
        .await;
    desk.slack
        .press(DORA, CHANNEL, &question.ts, "held_send")
        .await;
    desk.expect_ephemeral(DORA, "The next can leave at").await;
    desk.expect_quiet().await;
    desk.expect_texted(ALICE, &["one", "two", "three", "four, by Sergio"])
        .await;
    desk.expect_marks(&held, &[]).await;
    // An hour later.
    desk.execute("update text_count set at = at - 3600000")
        .await;
    desk.slack
        .press(DORA, CHANNEL, &question.ts, "held_send")
        .await;
    desk.expect_texted(ALICE, &["one", "two", "three", "four, by Sergio", "four"])
        .await;
    desk.close().await;
}

async fn replies_go_to_telephones_only(database: Database) {
    let desk = Desk::on(database).start().await;
    for (sender, why) in [
        ("28849", "cannot be texted"),
        ("+19005550142", "cannot be texted"),
        (BOB, ""),
    ] {
        let root = desk.open(sender).await;
        let reply = desk.reply(&root, "On our way").await;
        if sender == BOB {
            desk.expect_texted(sender, &["On our way"]).await;
            continue;
        }
        desk.expect_marks(&reply, &["x"]).await;
        desk.expect_words_in_thread(&root.ts, why).await;
    }
    desk.expect_sms(1).await;
    desk.close().await;
}

async fn a_long_text_is_asked_about_and_counts_in_parts(database: Database) {
    let desk = Desk::on(database)
        .toml("\n[limits]\nperson_per_hour = 6\n")
        // The channel is not asked before its writer has answered.
        .replace("settle_after = \"2s\"", "settle_after = \"20s\"")
        .start()
        .await;
    let long = "b".repeat(4 * 153 + 1);
    let told = desk
        .commands(DORA, &format!("text 6195550142 {long}"))
        .await;
    assert!(
        told.contains("Not sent yet") && told.contains("as 5 texts"),
        "{told}"
    );
    let question = desk.expect_ephemeral(DORA, "Send it all the same").await;
    assert_eq!(question.buttons(), ["held_send", "held_inside"]);
    desk.expect_sms(0).await;
    desk.expect_roots(0).await;
    desk.slack
        .press(DORA, CHANNEL, &question.ts, "held_send")
        .await;
    desk.expect_texted(ALICE, &[&long]).await;
    let root = desk.expect_thread().await;
    assert!(desk.slack.rendered(&root).contains(&long));
    let sms = desk.expect_sms(1).await.remove(0);
    desk.twilio
        .deliver_status(&sms.sid, "delivered", None)
        .await;
    desk.expect_marks(&root.ts, &["white_check_mark"]).await;
    // Five parts of six are spent: two more are too many, one is not.
    desk.reply(&root, &"c".repeat(161)).await;
    desk.expect_ephemeral(DORA, "which is the limit").await;
    desk.reply(&root, "Coming").await;
    desk.expect_texted(ALICE, &[&long, "Coming"]).await;
    desk.slack.shortcut(SERGIO, "new_text").await;
    desk.slack.wait_for_modal(SERGIO, PATIENCE).await.unwrap();
    let values = [("number", "619-555-0143"), ("words", long.as_str())];
    let answer = desk.slack.submit_view(SERGIO, &values).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    let question = desk.expect_ephemeral(SERGIO, "as 5 texts").await;
    desk.slack
        .press(SERGIO, CHANNEL, &question.ts, "held_inside")
        .await;
    desk.expect_ephemeral(SERGIO, "keeps it inside").await;
    desk.expect_quiet().await;
    desk.expect_sms(2).await;
    assert_eq!(desk.texted(BOB), Vec::<String>::new());
    desk.close().await;
}
