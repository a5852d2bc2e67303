//! The database is in trouble: nothing is acknowledged that is not kept, calls are answered, all is caught up later.

use qdn_sandbox::twilio::{Outcome, Phone};
use serde_json::Value;
use sqlx::{Connection, Executor};

use crate::desk::{ALICE, BOB, Database, Desk, LINE, SERGIO_PHONE};

mod sqlite {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_locked_database_loses_nothing() {
        super::a_locked_database_loses_nothing().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_full_disk_loses_nothing() {
        super::a_full_disk_loses_nothing().await;
    }
}

mod postgres {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_restarted_database_loses_nothing() {
        if crate::desk::Database::has_postgres().await {
            super::a_restarted_database_loses_nothing().await;
        }
    }
}

/// What happens while the database takes nothing: texts are refused or kept, replies too, a call rings as always.
async fn work_meanwhile(desk: &Desk, root: &str) {
    desk.twilio
        .set_phone(SERGIO_PHONE, Phone::pick_up(3).pressing("1").talking(20));
    let texts = async {
        let mut accepted = Vec::new();
        for number in 0..3 {
            let receipt = desk
                .twilio
                .text(ALICE, LINE, &format!("meanwhile {number}"))
                .await;
            if receipt.status == 200 {
                accepted.push(number);
            }
        }
        accepted
    };
    let reply = async {
        desk.slack
            .post_as(
                crate::desk::DORA,
                crate::desk::CHANNEL,
                Some(root),
                "On our way",
            )
            .await
    };
    let call = desk.twilio.call(BOB, LINE);
    let (accepted, _, call) = tokio::join!(texts, reply, call);
    assert_eq!(accepted, Vec::<i32>::new(), "no 2xx without a commit");
    assert!(
        matches!(&call.outcome, Outcome::Bridged { with, .. } if with == SERGIO_PHONE),
        "{:?}",
        call.outcome
    );
}

async fn all_is_caught_up(mut desk: Desk, root: &str) {
    for number in 0..3 {
        desk.expect_words_in_thread(root, &format!("meanwhile {number}"))
            .await;
    }
    desk.expect_texted(ALICE, &["On our way"]).await;
    desk.expect_quiet().await;
    let mut texts: Vec<String> = desk
        .replies(root)
        .into_iter()
        .filter(|words| words.starts_with("meanwhile"))
        .collect();
    texts.sort();
    assert_eq!(texts, ["meanwhile 0", "meanwhile 1", "meanwhile 2"]);
    // A loop that cannot work does not fill the log.
    let lines = desk.relay().log();
    let warnings = lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["level"] == "WARN")
        .count();
    assert!(warnings < 60, "{warnings} warnings:\n{}", lines.join("\n"));
    // Twilio and Slack were answered 5xx, as it must be; nothing else may be wrong.
    for violations in [desk.twilio.take_violations(), desk.slack.take_violations()] {
        assert!(
            violations.iter().all(|violation| violation.contains("50")),
            "{violations:?}"
        );
    }
    for words in ["could not be", "database", "went wrong", "failed"] {
        desk.expect_error(words);
    }
    desk.close().await;
}

async fn a_locked_database_loses_nothing() {
    let desk = Desk::on(Database::Sqlite).start().await;
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    sqlx::any::install_default_drivers();
    let mut other = sqlx::AnyConnection::connect(&desk.database.url())
        .await
        .unwrap();
    other.execute("begin exclusive").await.unwrap();
    work_meanwhile(&desk, &root.ts).await;
    other.execute("rollback").await.unwrap();
    other.close().await.unwrap();
    all_is_caught_up(desk, &root.ts).await;
}

async fn a_full_disk_loses_nothing() {
    let mut desk = Desk::on(Database::Sqlite).start().await;
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    desk.relay().terminate().await;
    desk.start_relay_that_may_run_out_of_room().await;
    let pid = desk.relay().pid();
    // To SQLite the same as a disk with no room.
    limit_files(pid, "4096").await;
    work_meanwhile(&desk, &root.ts).await;
    limit_files(pid, "unlimited").await;
    all_is_caught_up(desk, &root.ts).await;
}

/// The largest file the process may write, in bytes.
async fn limit_files(pid: u32, bytes: &str) {
    let status = tokio::process::Command::new("prlimit")
        .arg("--pid")
        .arg(pid.to_string())
        .arg(format!("--fsize={bytes}:unlimited"))
        .status()
        .await
        .unwrap();
    assert!(status.success());
}

async fn a_restarted_database_loses_nothing() {
    let desk = Desk::on(Database::Postgres).start().await;
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    desk.database.refuse_connections(true).await;
    work_meanwhile(&desk, &root.ts).await;
    desk.database.refuse_connections(false).await;
    all_is_caught_up(desk, &root.ts).await;
}
