//! What a reply costs: typography that makes it dear is made plain.

use crate::desk::{ALICE, Database, Desk};

stories! {
    typography_does_not_make_a_reply_dear,
    the_operator_may_want_typography_as_it_is,
}

async fn typography_does_not_make_a_reply_dear(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.reply(&root, "Don’t worry – we’re “close”…").await;
    desk.reply(&root, "Don’t worry 👍").await;
    desk.expect_texted(
        ALICE,
        &["Don't worry - we're \"close\"...", "Don’t worry 👍"],
    )
    .await;
    desk.close().await;
}

async fn the_operator_may_want_typography_as_it_is(database: Database) {
    let desk = Desk::on(database)
        .toml("\n[desk]\nsmart_encoding = false\n")
        .start()
        .await;
    let root = desk.open(ALICE).await;
    desk.reply(&root, "Don’t worry").await;
    desk.expect_texted(ALICE, &["Don’t worry"]).await;
    desk.close().await;
}
