//! What people wrote is taken away: one number's on request, everybody's after a time.

use std::time::Duration;

use qdn_sandbox::faults::Effect;
use qdn_sandbox::twilio::{Callbacks, Outcome};

use crate::desk::{ALICE, BOB, Database, Desk, LINE, PATIENCE};

stories! {
    one_numbers_words_are_erased_and_what_happened_stays,
    old_words_are_taken_away_by_themselves,
    what_twilio_keeps_is_deleted_there_too,
}

const SECRET: &str = "the code of the gate";

/// In how many rows these words stand.
async fn found(desk: &Desk, words: &str) -> i64 {
    let sql = format!(
        "select (select count(*) from message where body like '%{words}%')
              + (select count(*) from outbox where payload like '%{words}%')
              + (select count(*) from caller_name where name like '%{words}%')"
    );
    desk.numbers(sql).await[0]
}

async fn one_numbers_words_are_erased_and_what_happened_stays(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio
        .set_callbacks(Callbacks::automatic(Duration::from_millis(40)));
    let alice = desk.open(ALICE).await;
    desk.twilio.text(ALICE, LINE, SECRET).await;
    desk.reply(&alice, &format!("{SECRET}, understood")).await;
    let bob = desk.open(BOB).await;
    desk.twilio
        .text(BOB, LINE, &format!("Bob knows {SECRET}"))
        .await;
    let sent = desk.expect_sms(1).await;
    desk.expect_words_in_thread(&bob.ts, "Bob knows").await;
    desk.expect_quiet().await;
    let bobs = found(&desk, "Bob knows").await;
    let audited = desk.audit(&["--number", ALICE]).await.len();

    let unasked = desk.run(&["erase", ALICE]).await.unwrap_err();
    assert!(unasked.contains("nothing was changed"), "{unasked}");
    assert!(found(&desk, SECRET).await > bobs);
    let said = desk.erase(&[ALICE]).await.unwrap();
    assert!(said.contains("Erased: 3 messages"), "{said}");
    assert_eq!(found(&desk, SECRET).await, bobs, "Bob's words stay");
    let rows = desk.audit(&["--number", ALICE]).await;
    assert!(rows.len() > audited, "nothing of the trail is gone");
    let erased = rows.iter().filter(|row| row["decision"] == "erased");
    assert_eq!(erased.count(), 1);

    // The same text is still known, and what comes next begins anew.
    desk.expect_rounds(2).await;
    let known = desk.slack.roots(crate::desk::CHANNEL).len();
    desk.twilio.text(ALICE, LINE, "hello again").await;
    let root = desk.expect_roots(known + 1).await.remove(known);
    desk.reply(&root, "hello").await;
    desk.expect_sms(2).await;
    desk.expect_quiet().await;
    assert_eq!(sent.len(), 1);
    let said = desk
        .run(&["erase", "--yes", "+16195550199"])
        .await
        .unwrap_err();
    assert!(said.contains("nothing is kept of"), "{said}");
    let said = desk.run(&["erase", "--yes", "Alice"]).await.unwrap_err();
    assert!(said.contains("is no number"), "{said}");
    desk.close().await;
}

async fn old_words_are_taken_away_by_themselves(database: Database) {
    let desk = Desk::on(database)
        .toml("\n[desk]\nkeep_texts = \"1d\"\n")
        .start()
        .await;
    let alice = desk.open(ALICE).await;
    desk.twilio.text(ALICE, LINE, SECRET).await;
    desk.reply(&alice, "a reply of long ago").await;
    desk.expect_sms(1).await;
    desk.expect_quiet().await;
    desk.execute("update message set created_at = created_at - 90000000")
        .await;
    desk.execute("update outbox set created_at = created_at - 90000000")
        .await;
    desk.twilio.text(BOB, LINE, "of today").await;
    desk.expect_roots(2).await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while found(&desk, SECRET).await + found(&desk, "of long ago").await > 0 {
        assert!(
            tokio::time::Instant::now() < deadline,
            "old words are still there"
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(found(&desk, "of today").await > 0);
    desk.twilio.text(ALICE, LINE, "and now").await;
    desk.expect_words_in_thread(&alice.ts, "and now").await;
    desk.expect_quiet().await;
    desk.close().await;
}

async fn what_twilio_keeps_is_deleted_there_too(database: Database) {
    let desk = Desk::on(database)
        // Twilio must not drop by itself what is on its way.
        .replace("validity = \"1s\"", "validity = \"50s\"")
        .replace("settle_after = \"2s\"", "settle_after = \"60s\"")
        .start()
        .await;
    desk.twilio
        .set_callbacks(Callbacks::automatic(Duration::from_millis(20)));
    let alice = desk.open(ALICE).await;
    desk.twilio
        .inbound(ALICE, LINE, SECRET)
        .media("image/jpeg", &b"a picture"[..])
        .send()
        .await;
    for n in 1..=3 {
        desk.twilio.text(ALICE, LINE, &format!("text {n}")).await;
    }
    let marked = desk.reply(&alice, "a reply that arrives").await;
    desk.expect_marks(&marked, &["white_check_mark"]).await;
    desk.twilio.text(BOB, LINE, "Bob writes as well").await;
    let recorded = [
        desk.twilio.call(ALICE, LINE).await,
        desk.twilio.call(BOB, LINE).await,
    ];
    assert!(
        recorded
            .iter()
            .all(|story| matches!(story.outcome, Outcome::Voicemail { .. }))
    );
    desk.expect_quiet().await;
    // One that Twilio is not through with.
    desk.twilio.set_callbacks(Callbacks::default());
    desk.reply(&alice, "a reply on its way").await;
    let unfinished = desk.expect_sms(2).await.remove(1);
    desk.expect_quiet().await;
    assert_eq!(desk.twilio.recordings_and_transcriptions(), (2, 2));

    desk.twilio.set_page_size_limit(2);
    let busy = Effect::RateLimited {
        retry_after: Some(0),
    };
    desk.twilio
        .faults()
        .push("Messages.delete", busy.not_accepted());
    let erase = ["--at-twilio", ALICE];
    let said = desk.erase(&erase).await.unwrap_err();
    assert!(said.starts_with("exit status: 1"), "{said}");
    let named = format!("Not deleted: message {}: refused: 20009", unfinished.sid);
    assert!(said.contains(&named), "{said}");
    assert!(said.contains("1 could not be deleted"), "{said}");
    let kept = |it: &Desk, number: &str| {
        let messages = it.twilio.messages().into_iter();
        messages
            .filter(|one| one.from == number || one.to == number)
            .map(|one| one.sid)
            .collect::<Vec<_>>()
    };
    assert_eq!(kept(&desk, ALICE).join(" "), unfinished.sid);
    assert_eq!(kept(&desk, BOB).len(), 1, "Bob's is nobody's business");
    assert_eq!(desk.twilio.recordings_and_transcriptions(), (1, 1));

    desk.twilio
        .deliver_status(&unfinished.sid, "delivered", None)
        .await;
    let said = desk.erase(&erase).await.unwrap();
    assert!(said.contains("Deleted at Twilio: 1 messages"), "{said}");
    assert!(kept(&desk, ALICE).is_empty());
    let said = desk.erase(&erase).await.unwrap();
    assert!(said.contains("Deleted at Twilio: 0 messages"), "{said}");
    // Somebody of whom only Twilio knows.
    let said = desk
        .run(&["erase", "--yes", "--at-twilio", "+16195550199"])
        .await
        .unwrap();
    assert!(said.contains("Deleted at Twilio: 0 messages"), "{said}");
    assert_eq!(desk.audited("erased_at_twilio").await, 4);
    desk.close().await;
}
