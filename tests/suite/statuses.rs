//! Status reports in every order, doubled, early and for texts nobody knows: always the same end.

use std::time::Duration;

use proptest::prelude::*;
use qdn_sandbox::faults::Effect;
use qdn_sandbox::twilio::{Callbacks, Forgery, TwilioStandIn};

use crate::desk::{ALICE, BOB, Database, Desk, PATIENCE, PUBLIC_URL};

stories! {
    reports_in_any_order_end_alike,
    reports_before_the_creates_answer_are_kept,
    a_report_on_an_unknown_text_is_parked_until_it_is_known,
    a_failure_is_told_once,
}

/// Every order of the reports on one text.
fn permutations<'a>(words: &[&'a str]) -> Vec<Vec<&'a str>> {
    if words.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for index in 0..words.len() {
        let mut rest = words.to_vec();
        let first = rest.remove(index);
        for mut tail in permutations(&rest) {
            tail.insert(0, first);
            all.push(tail);
        }
    }
    all
}

async fn reports_in_any_order_end_alike(database: Database) {
    let desk = Desk::on(database).start().await;
    let alice = desk.open(ALICE).await;
    // Every order of these, and some with doubles among them.
    let mut orders = permutations(&["queued", "sending", "sent", "delivered"]);
    orders.retain(|order| order[0] != "queued");
    orders.extend([
        vec!["sent", "sent", "delivered", "delivered", "sent"],
        vec!["delivered", "delivered", "queued", "queued"],
        vec!["delivered"],
    ]);
    // They arrive, and only the reports that follow tell of it.
    desk.twilio.set_callbacks(Callbacks {
        copies: 0,
        ..Callbacks::automatic(Duration::from_millis(10))
    });
    for number in 0..orders.len() {
        desk.reply(&alice, &format!("reply number {number}")).await;
    }
    let created = desk.expect_sms(orders.len()).await;
    let all_arrived = |twilio: &TwilioStandIn| {
        created.iter().all(|sms| {
            twilio
                .message(&sms.sid)
                .is_some_and(|message| message.status == "delivered")
        })
    };
    assert!(desk.twilio.wait_until(PATIENCE, all_arrived).await);
    desk.twilio.set_callbacks(Callbacks::default());
    let reports = created.iter().zip(&orders).map(|(sms, order)| {
        let desk = &desk;
        async move {
            for status in order {
                let answered = desk.twilio.deliver_callback(&sms.sid, status, None).await;
                assert_eq!(answered, Some(204));
            }
        }
    });
    futures_util::future::join_all(reports).await;
    let ends = desk
        .words("select distinct status || ' ' || rank from sms".to_owned())
        .await;
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert!(ends[0].starts_with("delivered"), "{ends:?}");
    assert_eq!(desk.audited("sms_sent").await, orders.len());
    desk.close().await;
}

async fn reports_before_the_creates_answer_are_kept(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.twilio.set_callbacks(Callbacks {
        before_answer: true,
        copies: 3,
        ..Callbacks::automatic(Duration::from_millis(5))
    });
    for number in 0..4 {
        let reply = desk.reply(&root, &format!("reply {number}")).await;
        desk.expect_marks(&reply, &["white_check_mark"]).await;
    }
    // The answer comes long after the last report.
    desk.twilio.faults().push(
        "Messages.create",
        Effect::Slow(Duration::from_millis(300)).accepted(),
    );
    let reply = desk.reply(&root, "slowly").await;
    desk.reply(&root, "and on").await;
    desk.expect_marks(&reply, &["white_check_mark"]).await;
    desk.expect_texted(
        ALICE,
        &[
            "reply 0", "reply 1", "reply 2", "reply 3", "slowly", "and on",
        ],
    )
    .await;
    desk.expect_quiet().await;
    assert_eq!(desk.audited("sms_sent").await, 6);
    assert_eq!(desk.audited("unknown").await, 0);
    desk.close().await;
}

async fn a_report_on_an_unknown_text_is_parked_until_it_is_known(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.twilio.set_callbacks(Callbacks {
        copies: 0,
        ..Callbacks::default()
    });
    // Reports without our own words in the URL, as those of another program's texts: they cannot be ours yet.
    let url = format!("{PUBLIC_URL}/api/twilio/status");
    let answer_is_late = Effect::Hang.accepted();
    desk.twilio.faults().push("Messages.create", answer_is_late);
    desk.twilio
        .faults()
        .push_many("Messages.list", 2, Effect::Status(500).not_accepted());
    let reply = desk.reply(&root, "On our way").await;
    let sms = desk.expect_sms(1).await.remove(0);
    for sid in [sms.sid.as_str(), "SM99999999999999999999999999999999"] {
        for status in ["delivered", "sent", "sent"] {
            let params = [
                ("MessageSid", sid),
                ("MessageStatus", status),
                (
                    "AccountSid",
                    &qdn_sandbox::twilio::Settings::default().account_sid,
                ),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
            let answered = desk
                .twilio
                .forge_callback(&url, &params, Forgery::None)
                .await;
            assert_eq!(answered, Some(204));
        }
    }
    desk.expect_marks(&reply, &["white_check_mark"]).await;
    let parked = desk
        .words("select distinct sid from deferred_status".to_owned())
        .await;
    assert_eq!(parked, ["SM99999999999999999999999999999999"]);
    assert!(desk.metric("qdn_status_callbacks_parked_total").await >= 3.0);
    desk.expect_texted(ALICE, &["On our way"]).await;
    desk.close().await;
}

async fn a_failure_is_told_once(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(BOB).await;
    let reply = desk.reply(&root, "On our way").await;
    let sms = desk.expect_sms(1).await.remove(0);
    for status in ["undelivered", "failed", "undelivered", "sent", "delivered"] {
        desk.twilio
            .deliver_callback(&sms.sid, status, Some(30003))
            .await;
    }
    desk.expect_marks(&reply, &["x"]).await;
    desk.expect_words_in_thread(&root.ts, "Twilio error 30003")
        .await;
    desk.expect_quiet().await;
    assert_eq!(
        desk.replies(&root.ts).len(),
        2,
        "{:?}",
        desk.replies(&root.ts)
    );
    desk.close().await;
}

proptest! {
    #[test]
    fn every_order_is_tried(length in 0..5_usize) {
        let words = ["a", "b", "c", "d", "e"];
        let found = permutations(&words[..length]);
        let distinct: std::collections::HashSet<_> = found.iter().collect();
        prop_assert_eq!(distinct.len(), (1..=length).product::<usize>());
    }
}
