//! A restart under a socket that stays: systemd's listens on while the service is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::desk::{self, ALICE, Database, Desk, LINE};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_refuses_no_connection_and_loses_no_text() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut desk = Desk::on(Database::Sqlite).prepare().await;
    desk.start_relay_on(&socket).await;
    let url = desk.url("/healthz");
    let (over, answered) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let asking = {
        let (over, answered) = (over.clone(), answered.clone());
        tokio::spawn(async move {
            let mut refused = Vec::new();
            while !over.load(Ordering::Relaxed) {
                match desk::http().get(&url).send().await {
                    Ok(_) => {
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    // What was taken at the very end may be broken off, and its sender asks again; it is not turned away.
                    Err(error) if error.is_connect() => refused.push(error.to_string()),
                    Err(_) => {}
                }
            }
            refused
        })
    };
    for round in 0..2 {
        let (twilio, words) = (desk.twilio.clone(), format!("during restart {round}"));
        let text = tokio::spawn(async move { twilio.text(ALICE, LINE, &words).await });
        assert_eq!(desk.relay().terminate().await, Some(0));
        desk.start_relay_on(&socket).await;
        text.await.unwrap();
    }
    let root = desk.expect_thread().await;
    let before = answered.load(Ordering::Relaxed);
    let deadline = tokio::time::Instant::now() + desk::PATIENCE;
    while answered.load(Ordering::Relaxed) < before + 3 {
        assert!(
            tokio::time::Instant::now() < deadline,
            "it is not reached any more"
        );
        tokio::task::yield_now().await;
    }
    over.store(true, Ordering::Relaxed);
    assert_eq!(asking.await.unwrap(), Vec::<String>::new());
    desk.twilio.text(ALICE, LINE, "after both").await;
    desk.expect_words_in_thread(&root.ts, "after both").await;
    let words = |message: &qdn_sandbox::slack::Message| message.text.contains("during restart");
    // One whose request was broken off by the stop is found in Twilio's log.
    let are_shown = desk
        .slack
        .wait_until(
            |world| {
                let messages = world.channel(desk::CHANNEL).unwrap().messages.values();
                messages.filter(|message| words(message)).count() == 2
            },
            desk::PATIENCE,
        )
        .await;
    assert!(are_shown);
    desk.expect_quiet().await;
    desk.close().await;
}
