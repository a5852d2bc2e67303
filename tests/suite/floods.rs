//! A flood of one caller is gathered and holds nobody up.

use crate::desk::{ALICE, BOB, CHANNEL, Database, Desk, LINE, PATIENCE};

stories! {
    a_flood_is_gathered_and_complete,
}

async fn a_flood_is_gathered_and_complete(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.slack.down().await;
    for n in 1..=40 {
        desk.twilio
            .text(ALICE, LINE, &format!("<text> number {n:02} & more"))
            .await;
    }
    desk.twilio.text(BOB, LINE, "I am Bob").await;
    desk.slack.up().await.unwrap();
    desk.expect_words_in_thread(&root.ts, "number 40 & more")
        .await;
    let bob = desk
        .slack
        .wait_until(|world| world.roots(CHANNEL).len() == 2, PATIENCE)
        .await;
    assert!(bob, "Bob is not held up");
    desk.expect_quiet().await;
    let posts = desk.replies(&root.ts);
    assert!(posts.len() < 20, "{} posts", posts.len());
    let shown = posts.join("\n");
    let mut from = 0;
    for n in 1..=40 {
        let words = format!("<text> number {n:02} & more");
        assert_eq!(shown.matches(&words).count(), 1, "{words}");
        let at = shown.find(&words).unwrap();
        assert!(at >= from, "in order: {words}");
        from = at;
    }
    desk.close().await;
}
