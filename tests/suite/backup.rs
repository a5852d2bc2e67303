//! A copy of the database of a running service, and the way back to it after the world has gone on.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use qdn_sandbox::twilio::Callbacks;

use crate::desk::{ALICE, BOB, Database, Desk, LINE, PATIENCE};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_copy_sends_nothing_twice_and_loses_nothing() {
    let mut desk = Desk::on(Database::Sqlite).start().await;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    let copy = copy.to_str().unwrap();

    desk.twilio
        .set_callbacks(Callbacks::automatic(Duration::from_millis(40)));
    let alice = desk.open(ALICE).await;
    let before = desk.reply(&alice, "before the copy").await;
    desk.expect_sms(1).await;
    desk.expect_quiet().await;
    // One waits when the copy is made, and leaves soon after.
    desk.twilio.down().await;
    desk.reply(&alice, "around the copy").await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while desk
        .numbers("select count(*) from outbox where kind = 'sms' and state = 'waiting'".into())
        .await
        != [1]
    {
        assert!(tokio::time::Instant::now() < deadline, "nothing waits");
    }
    let said = desk.run(&["backup", copy]).await.unwrap();
    assert!(said.contains("the chain intact"), "{said}");
    let mode = std::fs::metadata(copy).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    desk.twilio.up().await.unwrap();
    desk.expect_sms(2).await;
    desk.reply(&alice, "after the copy").await;
    desk.twilio.text(BOB, LINE, "from Bob").await;
    let sent = desk.expect_sms(3).await;
    desk.expect_roots(2).await;
    desk.expect_quiet().await;

    let running = desk.run(&["restore", "--yes", copy]).await.unwrap_err();
    assert!(running.contains("stop it first"), "{running}");
    desk.relay().terminate().await;
    let unasked = desk.run(&["restore", copy]).await.unwrap_err();
    assert!(unasked.contains("nothing was changed"), "{unasked}");
    let said = desk.run(&["restore", "--yes", copy]).await.unwrap();
    assert!(said.contains("Restored."), "{said}");

    desk.start_relay().await;
    // What was written after the copy is asked about, not sent again.
    desk.expect_words_in_thread(&alice.ts, "Send it now?").await;
    // What came from Bob after it is in Twilio's log.
    desk.expect_roots(3).await;
    desk.expect_marks(&before, &["white_check_mark"]).await;
    desk.expect_quiet().await;
    assert_eq!(
        desk.expect_sms(3).await.len(),
        sent.len(),
        "nothing was sent again"
    );
    let rows = desk.audit(&[]).await;
    let decisions: Vec<&str> = rows
        .iter()
        .filter_map(|row| row["decision"].as_str())
        .collect();
    assert!(
        decisions.contains(&"backed_up") && decisions.contains(&"restored"),
        "{decisions:?}"
    );
    desk.close().await;
}

#[tokio::test]
async fn neither_takes_what_it_cannot_use() {
    let mut desk = Desk::on(Database::Sqlite).start().await;
    desk.relay().terminate().await;
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there.db");
    std::fs::write(&there, "something").unwrap();
    let there = there.to_str().unwrap();
    for (arguments, words) in [
        (vec!["backup", there], "is there already"),
        (vec!["backup", "/nowhere/copy.db"], "cannot be made"),
        (
            vec!["restore", "--yes", "/nowhere/copy.db"],
            "there is no file",
        ),
        (vec!["restore", "--yes", there], "no database of ours"),
    ] {
        let said = desk.run(&arguments).await.unwrap_err();
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    assert_eq!(std::fs::read(there).unwrap(), b"something");
    let postgres = [(
        "QDN_DATABASE_URL".to_owned(),
        "postgres://127.0.0.1/none".to_owned(),
    )];
    let said = desk
        .run_with(&postgres, &["backup", "copy.db"])
        .await
        .unwrap_err();
    assert!(said.contains("pg_dump"), "{said}");
}
