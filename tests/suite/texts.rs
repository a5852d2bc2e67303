//! Texts that come in.

use crate::desk::{ALICE, BOB, CHANNEL, Database, Desk, LINE, PATIENCE, SECOND_LINE};

stories! {
    a_text_becomes_a_thread,
    a_text_told_many_times_is_posted_once,
    texts_are_shown_as_they_were_typed,
    odd_texts_arrive,
    conversations_do_not_mix,
    texts_in_a_row_keep_their_order,
}

async fn a_text_becomes_a_thread(database: Database) {
    let desk = Desk::on(database).start().await;
    let receipt = desk
        .twilio
        .inbound(ALICE, LINE, "My car broke down")
        .place("SAN DIEGO", "CA", "US")
        .send()
        .await;
    assert_eq!(
        (receipt.status, receipt.content_type.as_str()),
        (200, "text/xml")
    );
    assert!(receipt.body.ends_with("<Response/>"), "{}", receipt.body);
    let root = desk.expect_thread().await;
    let shown = desk.slack.rendered(&root);
    for expected in [
        "(619) 555-0142",
        "San Diego, CA",
        "My car broke down",
        "Reply in this thread",
    ] {
        assert!(shown.contains(expected), "{expected} in the root: {shown}");
    }
    assert!(!shown.contains("QDN"), "one line needs no name: {shown}");

    desk.twilio
        .text(ALICE, LINE, "Highway 94, near the bridge")
        .await;
    desk.expect_in_thread(&root.ts, &["Highway 94, near the bridge"])
        .await;
    desk.close().await;
}

async fn a_text_told_many_times_is_posted_once(database: Database) {
    let desk = Desk::on(database).start().await;
    let receipts = desk
        .twilio
        .inbound(ALICE, LINE, "Are you open?")
        .repeat(64)
        .send_all()
        .await;
    assert!(
        receipts.iter().all(|receipt| receipt.status == 200),
        "{receipts:?}"
    );
    desk.expect_thread().await;
    desk.expect_quiet().await;
    assert_eq!(desk.slack.posts().len(), 1);
    desk.close().await;
}

async fn texts_are_shown_as_they_were_typed(database: Database) {
    let desk = Desk::on(database).start().await;
    let tricky = [
        "<!channel> <!here> @channel @here",
        "<@U0SERGIO> <#C0DISPATCH> <!subteam^S1>",
        "<https://evil.example|your bank> & <b>bold</b>",
        "*bold* _italics_ ~gone~ `code` ```block``` :wave:",
        "&lt;!channel&gt; &amp; 1 < 2 > 0",
        "> quoted\n• point\n1. one",
    ];
    desk.twilio.text(ALICE, LINE, "first").await;
    let root = desk.expect_thread().await;
    for text in tricky {
        desk.twilio.text(ALICE, LINE, text).await;
    }
    desk.expect_in_thread(&root.ts, &tricky).await;
    // A root shows the first text just the same.
    for text in tricky {
        desk.twilio.text(BOB, LINE, text).await;
    }
    let roots = desk.expect_roots(2).await;
    assert!(desk.slack.rendered(&roots[1]).contains(tricky[0]));
    let every = desk
        .slack
        .thread(CHANNEL, &root.ts)
        .into_iter()
        .chain(roots);
    for message in every {
        assert_eq!(message.pings(), Vec::<String>::new(), "{message:?}");
    }
    desk.close().await;
}

async fn odd_texts_arrive(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio.text(ALICE, LINE, "first").await;
    let root = desk.expect_thread().await;
    let long = "long ".repeat(319) + "texts";
    assert_eq!(long.len(), 1_600);
    desk.twilio.text(ALICE, LINE, "before\u{0}after").await;
    desk.twilio.text(ALICE, LINE, "").await;
    desk.twilio.text(ALICE, LINE, &long).await;
    desk.twilio.text(ALICE, LINE, "שלום, \u{202e}abc").await;
    desk.twilio.text(ALICE, LINE, "👩‍👩‍👧 🇲🇽 ok").await;
    desk.expect_in_thread(
        &root.ts,
        &[
            "before\u{2400}after",
            "(an empty text)",
            &long,
            "שלום, \u{202e}abc",
            "👩‍👩‍👧 🇲🇽 ok",
        ],
    )
    .await;

    desk.twilio.text("28849", LINE, "Your code is 1234").await;
    desk.expect_roots(2).await;
    desk.twilio.text("ACME", LINE, "Delivery today").await;
    let roots = desk.expect_roots(3).await;
    let shown: Vec<String> = roots.iter().map(|root| desk.slack.rendered(root)).collect();
    assert!(shown[1].contains("short code 28849"), "{}", shown[1]);
    assert!(
        shown[2].contains("ACME") && shown[2].contains("cannot be texted back"),
        "{}",
        shown[2]
    );
    desk.close().await;
}

async fn conversations_do_not_mix(database: Database) {
    let desk = Desk::on(database)
        .toml(
            r##"
[[lines]]
name = "Airport"
number = "+16195550101"
channel = "#airport"
ring = [{ people = ["Sergio"], seconds = 15 }]
"##,
        )
        .prepare()
        .await;
    desk.slack.add_channel("C0AIRPORT", "airport", true);
    desk.slack.invite_bot("C0AIRPORT");
    let desk = desk.started().await;
    desk.twilio.text(ALICE, LINE, "to the desk").await;
    desk.twilio.text(BOB, LINE, "to the desk too").await;
    desk.twilio.text(ALICE, SECOND_LINE, "to the airport").await;
    let roots = desk.expect_roots(2).await;
    let posted = desk
        .slack
        .wait_until(|world| world.roots("C0AIRPORT").len() == 1, PATIENCE)
        .await;
    assert!(posted, "a thread at the airport");
    let airport = desk.slack.roots("C0AIRPORT").remove(0);
    let shown = desk.slack.rendered(&airport);
    assert!(
        shown.contains("Airport") && shown.contains("to the airport"),
        "several lines are told apart: {shown}"
    );
    assert!(
        roots
            .iter()
            .all(|root| desk.slack.rendered(root).contains("QDN"))
    );
    desk.close().await;
}

async fn texts_in_a_row_keep_their_order(database: Database) {
    let desk = Desk::on(database).start().await;
    let texts: Vec<String> = (1..=9)
        .map(|number| format!("text number {number}"))
        .collect();
    desk.twilio.text(ALICE, LINE, "first").await;
    for text in &texts {
        desk.twilio.text(ALICE, LINE, text).await;
    }
    let root = desk.expect_thread().await;
    desk.expect_in_thread(
        &root.ts,
        &texts.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .await;
    desk.close().await;
}
