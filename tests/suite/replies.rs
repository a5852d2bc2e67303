//! Replies that go out, and what becomes of them.

use crate::desk::{ALICE, CHANNEL, DORA, Database, Desk, LINE, PUBLIC_URL};

stories! {
    a_reply_in_the_thread_becomes_an_sms,
    a_reply_told_many_times_is_texted_once,
    what_is_not_a_reply_is_not_texted,
    notes_stay_inside,
    slacks_markup_becomes_plain_text,
    a_long_reply_goes_out_in_parts_in_order,
    a_delivered_reply_gets_its_mark,
    a_failed_reply_says_why,
    statuses_never_go_back,
    a_refused_reply_says_why_and_holds_nothing_up,
}

async fn a_reply_in_the_thread_becomes_an_sms(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio.text(ALICE, LINE, "Help").await;
    let root = desk.expect_thread().await;
    desk.slack
        .post_as(DORA, CHANNEL, Some(&root.ts), "On our way, 20 minutes")
        .await;
    let sms = desk.expect_sms(1).await.remove(0);
    assert_eq!(
        (sms.from.as_str(), sms.to.as_str(), sms.body.as_str()),
        (LINE, ALICE, "On our way, 20 minutes")
    );
    assert_eq!(sms.validity_period, Some(1));
    assert!(
        sms.status_callback
            .is_some_and(|url| url.starts_with(&format!("{PUBLIC_URL}/api/twilio/status/")))
    );
    desk.expect_quiet().await;
    desk.close().await;
}

async fn a_reply_told_many_times_is_texted_once(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio.text(ALICE, LINE, "Help").await;
    let root = desk.expect_thread().await;
    desk.slack
        .say(DORA, CHANNEL, "Same event ids")
        .in_thread(&root.ts)
        .repeated(11, false)
        .send()
        .await;
    desk.slack
        .say(DORA, CHANNEL, "New event ids")
        .in_thread(&root.ts)
        .repeated(11, true)
        .send()
        .await;
    desk.expect_sms(2).await;
    desk.expect_quiet().await;
    desk.expect_sms(2).await;
    desk.close().await;
}

async fn what_is_not_a_reply_is_not_texted(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.slack.add_channel("C0OTHER", "other", false);
    desk.slack.invite_bot("C0OTHER");
    desk.slack.join("C0OTHER", DORA);
    desk.twilio.text(ALICE, LINE, "Help").await;
    let root = desk.expect_thread().await;
    let slack = &desk.slack;
    slack.post_as(DORA, CHANNEL, None, "in the channel").await;
    let own = slack
        .post_as(DORA, CHANNEL, None, "a thread of our own")
        .await;
    slack
        .post_as(DORA, CHANNEL, Some(&own), "in that thread")
        .await;
    let elsewhere = slack
        .post_as(DORA, "C0OTHER", None, "another channel")
        .await;
    slack
        .post_as(DORA, "C0OTHER", Some(&elsewhere), "its thread")
        .await;
    slack
        .say(DORA, CHANNEL, "by a bot")
        .in_thread(&root.ts)
        .as_bot("B0OTHER")
        .send()
        .await;
    slack
        .say(DORA, CHANNEL, "by a guest")
        .in_thread(&root.ts)
        .from_workspace("T0GUEST")
        .send()
        .await;
    slack
        .say(DORA, CHANNEL, "by Slack itself")
        .in_thread(&root.ts)
        .subtype("channel_join")
        .send()
        .await;
    let reply = slack
        .post_as(DORA, CHANNEL, Some(&root.ts), "a plain reply")
        .await;
    slack.unfurl(CHANNEL, &reply);
    slack
        .say(DORA, CHANNEL, "a broadcast")
        .in_thread(&root.ts)
        .broadcast()
        .send()
        .await;
    slack
        .say(DORA, CHANNEL, "waves")
        .in_thread(&root.ts)
        .subtype("me_message")
        .send()
        .await;
    assert!(slack.wait_until_delivered(crate::desk::PATIENCE).await);
    let bodies: Vec<String> = desk
        .expect_sms(3)
        .await
        .into_iter()
        .map(|sms| sms.body)
        .collect();
    assert_eq!(bodies, ["a plain reply", "a broadcast", "waves"]);
    desk.expect_quiet().await;
    desk.expect_sms(3).await;
    desk.close().await;
}

async fn notes_stay_inside(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio.text(ALICE, LINE, "Help").await;
    let root = desk.expect_thread().await;
    let mut inside = Vec::new();
    for words in ["// he sounds drunk", "note: ask Sergio"] {
        inside.push(
            desk.slack
                .post_as(DORA, CHANNEL, Some(&root.ts), words)
                .await,
        );
    }
    for ts in &inside {
        desk.expect_marks(ts, &["lock"]).await;
    }
    desk.expect_quiet().await;
    desk.expect_sms(0).await;
    assert_eq!(desk.slack.ephemerals(DORA).len(), 0);
    desk.close().await;
}

async fn slacks_markup_becomes_plain_text(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio.text(ALICE, LINE, "Help").await;
    let root = desk.expect_thread().await;
    let cases = [
        (
            "Bring tools &amp; a *spare* tyre &lt;soon&gt;",
            "Bring tools & a spare tyre <soon>",
        ),
        (
            "See <https://maps.example/x?a=1&amp;b=2|the map>",
            "See the map (https://maps.example/x?a=1&b=2)",
        ),
        ("<https://maps.example>", "https://maps.example"),
        (
            "Ask <@U0SERGIO> in <#C0DISPATCH>",
            "Ask @Sergio in #qdn-dispatch",
        ),
        (
            ":wave: done :white_check_mark: :our-own:",
            "👋 done ✅ :our-own:",
        ),
        ("_really_ ~not~ `code` 2*3*4", "really not code 2*3*4"),
    ];
    for (typed, _) in cases {
        desk.slack
            .post_as(DORA, CHANNEL, Some(&root.ts), typed)
            .await;
    }
    let bodies: Vec<String> = desk
        .expect_sms(cases.len())
        .await
        .into_iter()
        .map(|sms| sms.body)
        .collect();
    assert_eq!(bodies, cases.map(|(_, texted)| texted));
    desk.close().await;
}

async fn a_long_reply_goes_out_in_parts_in_order(database: Database) {
    let desk = Desk::on(database)
        .toml("\n[desk]\nwarn_segments = 100\n")
        .start()
        .await;
    desk.twilio.text(ALICE, LINE, "Help").await;
    let root = desk.expect_thread().await;
    let long: String = (1..=300).map(|number| format!("word{number} ")).collect();
    let last = "and this is after it";
    for words in [
        &format!("To <@U0DORA|d>: {long}"),
        &format!("{long} for <@U0SERGIO>"),
        last,
    ] {
        desk.slack
            .post_as(DORA, CHANNEL, Some(&root.ts), words)
            .await;
    }
    let bodies: Vec<String> = desk
        .expect_sms(5)
        .await
        .into_iter()
        .map(|sms| sms.body)
        .collect();
    let whole = bodies.concat().replace(' ', "");
    assert_eq!(
        whole,
        format!("To @Dora: {long}{long} for @Sergio{last}").replace(' ', "")
    );
    assert!(
        bodies
            .iter()
            .all(|body| body.len() <= 1_600 && !body.starts_with(' '))
    );
    assert_eq!(bodies.last().map(String::as_str), Some(last));
    desk.close().await;
}

async fn a_delivered_reply_gets_its_mark(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio.text(ALICE, LINE, "Help").await;
    let root = desk.expect_thread().await;
    let reply = desk
        .slack
        .post_as(DORA, CHANNEL, Some(&root.ts), "On our way")
        .await;
    let sms = desk.expect_sms(1).await.remove(0);
    desk.twilio.deliver_status(&sms.sid, "sent", None).await;
    desk.expect_marks(&reply, &[]).await;
    desk.twilio
        .deliver_status(&sms.sid, "delivered", None)
        .await;
    desk.expect_marks(&reply, &["white_check_mark"]).await;
    desk.close().await;
}

async fn a_failed_reply_says_why(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio.text(ALICE, LINE, "Help").await;
    let root = desk.expect_thread().await;
    let reply = desk
        .slack
        .post_as(DORA, CHANNEL, Some(&root.ts), "On our way")
        .await;
    let sms = desk.expect_sms(1).await.remove(0);
    desk.twilio
        .deliver_status(&sms.sid, "undelivered", Some(30006))
        .await;
    desk.expect_marks(&reply, &["x"]).await;
    desk.expect_words_in_thread(
        &root.ts,
        "this is a landline or a carrier that takes no texts. Call instead. (Twilio error 30006)",
    )
    .await;
    desk.close().await;
}

async fn statuses_never_go_back(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio.text(ALICE, LINE, "Help").await;
    let root = desk.expect_thread().await;
    let reply = desk
        .slack
        .post_as(DORA, CHANNEL, Some(&root.ts), "On our way")
        .await;
    let sms = desk.expect_sms(1).await.remove(0);
    desk.twilio
        .deliver_status(&sms.sid, "delivered", None)
        .await;
    desk.expect_marks(&reply, &["white_check_mark"]).await;
    for late in ["sent", "queued", "delivered", "sent"] {
        desk.twilio.deliver_status(&sms.sid, late, None).await;
    }
    desk.expect_quiet().await;
    desk.expect_marks(&reply, &["white_check_mark"]).await;
    assert_eq!(
        desk.replies(&root.ts).len(),
        1,
        "nothing was said in the thread but the reply"
    );
    desk.close().await;
}

async fn a_refused_reply_says_why_and_holds_nothing_up(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio.text(ALICE, LINE, "Help").await;
    let root = desk.expect_thread().await;
    desk.twilio.refuse_number(ALICE, Some(21610));
    let refused = desk
        .slack
        .post_as(DORA, CHANNEL, Some(&root.ts), "On our way")
        .await;
    desk.expect_marks(&refused, &["x"]).await;
    desk.expect_words_in_thread(&root.ts, "the caller has texted STOP")
        .await;
    desk.twilio.refuse_number(ALICE, None);
    desk.twilio.text(ALICE, LINE, "START").await;
    desk.expect_words_in_thread(&root.ts, "wants texts from this number again")
        .await;
    desk.slack
        .post_as(DORA, CHANNEL, Some(&root.ts), "Welcome back")
        .await;
    assert_eq!(desk.expect_sms(1).await[0].body, "Welcome back");
    desk.close().await;
}
