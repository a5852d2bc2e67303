//! SIGTERM in the middle of work.

use std::time::{Duration, Instant};

use qdn_sandbox::faults::Effect;

use crate::desk::{Database, Desk, LINE};

stories! {
    stopping_under_load_loses_nothing,
    stopping_does_not_wait_for_ever,
}

async fn stopping_under_load_loses_nothing(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let callers: Vec<String> = (0..3).map(|index| format!("+1619555016{index}")).collect();
    let mut roots = Vec::new();
    for caller in &callers {
        roots.push(desk.open(caller).await);
    }
    let mut accepted: Vec<(usize, String)> = Vec::new();
    for round in 0..3 {
        let pid = desk.relay().pid();
        let load = async {
            let texts = callers.iter().enumerate().map(|(index, caller)| {
                let (desk, root) = (&desk, &roots[index]);
                async move {
                    let mut taken = Vec::new();
                    for number in 0..2 {
                        let words = format!("round {round} text {number}");
                        let receipt = desk.twilio.text(caller, LINE, &words).await;
                        if receipt.status == 200 {
                            taken.push((index, words));
                        }
                        desk.reply(root, &format!("round {round} reply {number}"))
                            .await;
                    }
                    taken
                }
            });
            futures_util::future::join_all(texts).await.concat()
        };
        let stop = async {
            tokio::time::sleep(Duration::from_millis(60 * round)).await;
            tokio::process::Command::new("kill")
                .arg("-TERM")
                .arg(pid.to_string())
                .status()
                .await
                .unwrap()
        };
        let (taken, _) = tokio::join!(load, stop);
        accepted.extend(taken);
        let begun = Instant::now();
        assert_eq!(desk.relay().ended().await, Some(0));
        assert!(begun.elapsed() < Duration::from_secs(25));
        desk.start_relay().await;
    }
    for (index, root) in roots.iter().enumerate() {
        let expected: Vec<&String> = accepted
            .iter()
            .filter(|(of, _)| *of == index)
            .map(|(_, words)| words)
            .collect();
        if let Some(last) = expected.last() {
            desk.expect_words_in_thread(&root.ts, last).await;
        }
        // What was refused is in Twilio's log, and backfill brings it, all once.
        for round in 0..3 {
            for number in 0..2 {
                desk.expect_words_in_thread(&root.ts, &format!("round {round} text {number}"))
                    .await;
            }
        }
    }
    for caller in &callers {
        let replies = 6;
        let reached = desk
            .twilio
            .wait_until(crate::desk::PATIENCE, |_| {
                desk.texted(caller).len() >= replies
            })
            .await;
        assert!(reached, "{:?}", desk.texted(caller));
    }
    desk.expect_quiet().await;
    for (caller, root) in callers.iter().zip(&roots) {
        let mut texted = desk.texted(caller);
        assert_eq!(texted.len(), 6, "{texted:?}");
        texted.sort();
        texted.dedup();
        assert_eq!(texted.len(), 6, "none twice");
        let mut posts: Vec<String> = desk
            .replies(&root.ts)
            .into_iter()
            .filter(|words| words.contains(" text "))
            .collect();
        assert_eq!(posts.len(), 6, "{posts:?}");
        posts.sort();
        posts.dedup();
        assert_eq!(posts.len(), 6, "none twice");
    }
    desk.twilio.take_violations();
    desk.slack.take_violations();
    desk.close().await;
}

async fn stopping_does_not_wait_for_ever(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(crate::desk::ALICE).await;
    desk.twilio
        .faults()
        .always("Messages.create", Effect::Hang.not_accepted());
    desk.twilio
        .faults()
        .always("Messages.list", Effect::Hang.not_accepted());
    desk.slack
        .faults()
        .always("chat.postMessage", Effect::Hang.not_accepted());
    desk.reply(&root, "On our way").await;
    desk.twilio.text(crate::desk::ALICE, LINE, "Hurry").await;
    let begun = Instant::now();
    assert_eq!(desk.relay().terminate().await, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10));
    desk.twilio.faults().clear_all();
    desk.slack.faults().clear_all();
    desk.start_relay().await;
    desk.expect_texted(crate::desk::ALICE, &["On our way"])
        .await;
    desk.expect_words_in_thread(&root.ts, "Hurry").await;
    desk.close().await;
}
