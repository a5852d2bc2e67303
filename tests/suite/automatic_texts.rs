//! What a line texts by itself never takes from what people may text, and a flood never holds up a question to them.

use futures_util::StreamExt;

use crate::desk::{ALICE, CHANNEL, DORA, Database, Desk, LINE};

stories! {
    automatic_texts_take_nothing_from_peoples,
    a_question_passes_a_flood [busy],
}

const TEXT: &str = "Sorry we missed you, write here and we answer.";

async fn automatic_texts_take_nothing_from_peoples(database: Database) {
    let desk = Desk::on(database)
        .replace(
            "number = \"+16195550100\"",
            &format!("number = \"+16195550100\"\nmissed_call_text = \"{TEXT}\""),
        )
        .toml("\n[limits]\nline_per_hour = 3\nnumber_per_hour = 3\nautomatic_per_hour = 4\n")
        .start()
        .await;
    let root = desk.open(ALICE).await;
    for n in 0..6 {
        desk.twilio.call(&format!("+1619555015{n}"), LINE).await;
    }
    desk.twilio.call(ALICE, LINE).await;
    desk.expect_audited("caller_texted", 4).await;
    desk.expect_audited("caller_not_texted", 3).await;
    for words in ["help", "is on", "its way"] {
        desk.reply(&root, words).await;
    }
    desk.expect_texted(ALICE, &["help", "is on", "its way"])
        .await;
    desk.reply(&root, "now").await;
    desk.expect_ephemeral(DORA, "this number was sent 3 texts")
        .await;
    // What people sent does not count for the line itself either.
    desk.execute("update text_count set at = at - 3600000 where author = ''")
        .await;
    desk.twilio.call("+16195550158", LINE).await;
    desk.expect_audited("caller_texted", 5).await;
    desk.expect_quiet().await;
    desk.close().await;
}

/// How many callers nobody knows write at once: more than the channel takes in the time of a story.
const FLOOD: usize = 60;

async fn a_question_passes_a_flood(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    let flood = (0..FLOOD).map(|n| {
        let (caller, twilio) = (format!("+1858555{:04}", 120 + n), &desk.twilio);
        async move { twilio.text(&caller, LINE, "a flood").await }
    });
    let flood = futures_util::stream::iter(flood).buffer_unordered(8);
    assert_eq!(flood.count().await, FLOOD);
    desk.reply(&root, "<@U0SERGIO> can you take this one?")
        .await;
    let roots = |desk: &Desk| desk.slack.roots(CHANNEL).len();
    desk.expect_ephemeral(DORA, "begins with a colleague").await;
    assert!(roots(&desk) < FLOOD, "its writer is asked before the flood");
    desk.expect_words_in_thread(&root.ts, "has not said whether")
        .await;
    assert!(roots(&desk) < FLOOD, "and so is the thread");
    desk.close().await;
}
