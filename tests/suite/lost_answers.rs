//! Twilio's answer to a reply was lost: nothing is sent twice, nothing is left out.

use std::time::Duration;

use qdn_sandbox::faults::Effect;
use qdn_sandbox::slack::Forgery;
use qdn_sandbox::twilio::Callbacks;

use crate::desk::{ALICE, BOB, CHANNEL, DORA, Database, Desk, SERGIO};

/// A third caller.
const CAROL: &str = "+16195550144";

stories! {
    an_accepted_text_whose_answer_was_lost_is_found_in_twilios_log,
    an_accepted_text_whose_answer_was_lost_is_known_by_its_callback,
    a_text_that_was_not_accepted_is_sent_once_after_proof,
    a_read_that_breaks_off_proves_nothing,
    while_twilios_log_cannot_be_read_a_person_decides,
    a_text_that_turns_up_twice_is_said_loudly,
    a_text_that_did_not_leave_twice_is_said_not_to_have_arrived,
    a_page_that_is_not_twilios_refuses_nothing,
}

/// `settle_after` of every desk.
const SETTLE_AFTER: Duration = Duration::from_secs(2);

/// The desk's texts are delivered, but no status callback ever comes.
fn carriers_are_silent(desk: &Desk) {
    desk.twilio.set_callbacks(Callbacks {
        copies: 0,
        ..Callbacks::automatic(Duration::from_millis(30))
    });
}

/// Carriers take what Twilio has and say so; otherwise Twilio drops it when its validity ends.
fn carriers_report(desk: &Desk) {
    desk.twilio
        .set_callbacks(Callbacks::automatic(Duration::from_millis(30)));
}

/// Every way in which an answer can be lost.
fn losses() -> [Effect; 7] {
    [
        Effect::Reset,
        Effect::Hang,
        Effect::Status(500),
        Effect::Status(503),
        Effect::Garbage,
        Effect::Empty,
        Effect::CutShort,
    ]
}

async fn an_accepted_text_whose_answer_was_lost_is_found_in_twilios_log(database: Database) {
    let mut desk = Desk::on(database).start().await;
    carriers_are_silent(&desk);
    let root = desk.open(ALICE).await;
    let mut expected = Vec::new();
    for (index, loss) in losses().into_iter().enumerate() {
        desk.twilio
            .faults()
            .push("Messages.create", loss.accepted());
        // What was written before must not pass for it, even if it says the same.
        for words in [
            "the same words".to_owned(),
            format!("and after loss {index}"),
        ] {
            desk.reply(&root, &words).await;
            expected.push(words);
        }
        let so_far: Vec<&str> = expected.iter().map(String::as_str).collect();
        desk.expect_texted(ALICE, &so_far).await;
    }
    desk.expect_quiet().await;
    desk.expect_texted(
        ALICE,
        &expected.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .await;
    assert_eq!(desk.audited("sms_sent").await, expected.len());
    assert_eq!(desk.audited("unknown").await, losses().len());
    assert_eq!(desk.audited("settled_absent").await, 0);
    let unknown = desk.metric("qdn_unknown_total{kind=\"sms\"}").await;
    assert_eq!(unknown, losses().len() as f64);
    desk.close().await;
}

async fn an_accepted_text_whose_answer_was_lost_is_known_by_its_callback(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.twilio
        .set_callbacks(Callbacks::automatic(Duration::from_millis(30)));
    desk.twilio
        .faults()
        .always("Messages.list", Effect::Status(503).not_accepted());
    let mut expected = Vec::new();
    for (index, loss) in losses().into_iter().enumerate() {
        desk.twilio
            .faults()
            .push("Messages.create", loss.accepted());
        let lost = desk.reply(&root, &format!("answer {index} is lost")).await;
        desk.reply(&root, &format!("after answer {index}")).await;
        expected.push(format!("answer {index} is lost"));
        expected.push(format!("after answer {index}"));
        desk.expect_marks(&lost, &["white_check_mark"]).await;
    }
    desk.expect_texted(
        ALICE,
        &expected.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .await;
    desk.expect_quiet().await;
    assert_eq!(desk.texted(ALICE), expected);
    assert_eq!(desk.audited("undecided").await, 0);
    desk.close().await;
}

async fn a_text_that_was_not_accepted_is_sent_once_after_proof(database: Database) {
    let desk = Desk::on(database).start().await;
    carriers_report(&desk);
    let losses = [
        Effect::Reset,
        Effect::Hang,
        Effect::Status(500),
        Effect::Garbage,
        Effect::Empty,
    ];
    let callers: Vec<String> = (0..losses.len())
        .map(|index| format!("+1619555016{index}"))
        .collect();
    let mut roots = Vec::new();
    for caller in &callers {
        roots.push(desk.open(caller).await);
    }
    let mut lost = Vec::new();
    for (loss, root) in losses.into_iter().zip(&roots) {
        desk.twilio
            .faults()
            .push("Messages.create", loss.not_accepted());
        let reply = desk.reply(root, "once, please").await;
        lost.push(reply);
        desk.reply(root, "and this after it").await;
    }
    for caller in &callers {
        desk.expect_texted(caller, &["once, please", "and this after it"])
            .await;
    }
    for ts in &lost {
        desk.expect_marks(ts, &["white_check_mark"]).await;
    }
    desk.expect_quiet().await;
    assert_eq!(desk.twilio.created().len(), 2 * callers.len());
    assert_eq!(desk.audited("settled_absent").await, callers.len());
    // Not before what Twilio might still have queued can no longer leave, and on two complete looks.
    let waited = desk
        .numbers(
            "select min(second.started_at - first.started_at) from attempt first \
             join attempt second on second.outbox_id = first.outbox_id and second.n = 2 \
             join outbox on outbox.id = first.outbox_id and outbox.kind = 'sms' where first.n = 1"
                .to_owned(),
        )
        .await;
    assert!(
        waited[0] >= SETTLE_AFTER.as_millis() as i64,
        "{waited:?} ms"
    );
    let looks = desk
        .numbers(
            "select finished_at - absent_since from attempt where outcome = 'absent'".to_owned(),
        )
        .await;
    assert!(
        looks.len() == callers.len() && looks.iter().all(|apart| *apart > 0),
        "two looks some time apart: {looks:?} ms"
    );
    desk.close().await;
}

async fn a_read_that_breaks_off_proves_nothing(database: Database) {
    let desk = Desk::on(database).start().await;
    carriers_are_silent(&desk);
    let root = desk.open(ALICE).await;
    // The one that matters stands on the last of many pages.
    desk.twilio.set_page_size_limit(2);
    let faults = desk.twilio.faults();
    faults.push("Messages.create", Effect::Reset.accepted());
    for _ in 0..4 {
        for effect in [Effect::CutShort, Effect::Garbage, Effect::Hang] {
            faults.push("Messages.list", effect.not_accepted());
        }
    }
    desk.reply(&root, "only once").await;
    for number in 1..=5 {
        desk.reply(&root, &format!("later {number}")).await;
    }
    desk.expect_texted(
        ALICE,
        &[
            "only once",
            "later 1",
            "later 2",
            "later 3",
            "later 4",
            "later 5",
        ],
    )
    .await;
    desk.expect_quiet().await;
    assert_eq!(desk.texted(ALICE).len(), 6);
    assert_eq!(desk.audited("settled_absent").await, 0);
    desk.close().await;
}

async fn while_twilios_log_cannot_be_read_a_person_decides(database: Database) {
    let desk = Desk::on(database).start().await;
    carriers_report(&desk);
    let faults = desk.twilio.faults();
    let buttons = ["reply_send", "reply_arrived", "reply_leave"];
    let callers = [ALICE, BOB, CAROL];
    let mut roots = Vec::new();
    for caller in callers {
        roots.push(desk.open(caller).await);
    }
    faults.always("Messages.list", Effect::Status(503).not_accepted());
    faults.push_many("Messages.create", 3, Effect::Reset.not_accepted());
    let mut replies = Vec::new();
    for root in &roots {
        replies.push(desk.reply(root, "did you get this?").await);
    }
    for ((root, reply), caller) in roots.iter().zip(&replies).zip(callers) {
        desk.expect_marks(reply, &["grey_question"]).await;
        desk.expect_words_in_thread(&root.ts, "Not confirmed").await;
        assert_eq!(desk.texted(caller), Vec::<String>::new());
    }
    let mut pressed_again = Vec::new();
    for (root, button) in roots.iter().zip(buttons) {
        let question = desk
            .expect_words_in_thread(&root.ts, "does not say whether this reply reached")
            .await;
        assert!(desk.slack.rendered(&question).contains("did you get this?"));
        assert_eq!(question.buttons(), buttons);
        let payload = desk
            .slack
            .press_payload(SERGIO, CHANNEL, &question.ts, button)
            .expect("a button");
        let answer = desk.slack.press(DORA, CHANNEL, &question.ts, button).await;
        assert_eq!(answer.status, 200);
        pressed_again.push(payload);
    }
    for (root, answer) in
        roots
            .iter()
            .zip(["has it sent", "says that it arrived", "leaves it as it is"])
    {
        let answered = desk.expect_words_in_thread(&root.ts, answer).await;
        assert!(
            answered.buttons().is_empty(),
            "the question gives way to its answer"
        );
    }
    for payload in &pressed_again {
        let reply = desk
            .slack
            .send_interaction(payload, Forgery::Genuine)
            .await
            .expect("an answer");
        assert_eq!(reply.status, 200);
    }
    desk.expect_texted(ALICE, &["did you get this?"]).await;
    desk.expect_marks(&replies[0], &["white_check_mark"]).await;
    desk.expect_marks(&replies[1], &["white_check_mark"]).await;
    desk.expect_marks(&replies[2], &["grey_question"]).await;
    let told = desk
        .slack
        .wait_until(
            |world| {
                world
                    .ephemerals(SERGIO)
                    .filter(|told| told.text.contains("decided that already"))
                    .count()
                    == 3
            },
            crate::desk::PATIENCE,
        )
        .await;
    assert!(told, "{:?}", desk.slack.ephemerals(SERGIO));
    // The conversations went on meanwhile.
    for (root, caller) in roots.iter().zip(callers) {
        desk.reply(root, "and another thing").await;
        let before = usize::from(caller == ALICE);
        desk.expect_texted(
            caller,
            &["did you get this?", "and another thing"][1 - before..],
        )
        .await;
    }
    desk.expect_quiet().await;
    assert_eq!(desk.twilio.created().len(), 4);
    for decision in ["decided_send", "decided_arrived", "decided_leave"] {
        assert_eq!(desk.audited(decision).await, 1, "{decision}");
    }
    let by = desk
        .words("select detail from audit where decision like 'decided_%'".to_owned())
        .await;
    assert!(by.iter().all(|detail| detail.contains(DORA)), "{by:?}");
    assert_eq!(desk.audited("undecided").await, 3);
    desk.close().await;
}

async fn a_text_that_turns_up_twice_is_said_loudly(database: Database) {
    let mut desk = Desk::on(database).start().await;
    carriers_are_silent(&desk);
    desk.expect_error("duplicate_detected");
    let root = desk.open(ALICE).await;
    let faults = desk.twilio.faults();
    faults.always("Messages.list", Effect::Reset.not_accepted());
    faults.push("Messages.create", Effect::Reset.accepted());
    desk.reply(&root, "twice, it seems").await;
    let question = desk
        .expect_words_in_thread(&root.ts, "does not say whether this reply reached")
        .await;
    desk.slack
        .press(DORA, CHANNEL, &question.ts, "reply_send")
        .await;
    let created = desk.expect_sms(2).await;
    desk.expect_quiet().await;
    assert_eq!(desk.audited("duplicate_detected").await, 0);
    carriers_report(&desk);
    desk.twilio
        .deliver_callback(&created[0].sid, "delivered", None)
        .await;
    desk.expect_words_in_thread(&root.ts, "got the last reply twice")
        .await;
    assert_eq!(desk.audited("duplicate_detected").await, 1);
    assert_eq!(desk.metric("qdn_duplicates_detected_total").await, 1.0);
    desk.twilio
        .deliver_callback(&created[0].sid, "delivered", None)
        .await;
    desk.expect_quiet().await;
    assert_eq!(
        desk.audited("duplicate_detected").await,
        1,
        "once is enough"
    );
    desk.close().await;
}

async fn a_text_that_did_not_leave_twice_is_said_not_to_have_arrived(database: Database) {
    let desk = Desk::on(database).start().await;
    carriers_report(&desk);
    let root = desk.open(ALICE).await;
    let faults = desk.twilio.faults();
    faults.push_many("Messages.create", 2, Effect::Reset.not_accepted());
    let reply = desk.reply(&root, "on our way").await;
    let question = desk
        .expect_words_in_thread(&root.ts, "did not reach the caller")
        .await;
    assert!(desk.slack.rendered(&question).contains("on our way"));
    assert_eq!(question.buttons(), ["reply_send", "reply_leave"]);
    desk.expect_marks(&reply, &["x"]).await;
    assert_eq!(desk.texted(ALICE), Vec::<String>::new());
    let waiting = "select count(*) from conversation_status where waiting_since is not null";
    assert_eq!(desk.query_one(waiting).await, 1, "the caller waits on");
    desk.slack
        .press(DORA, CHANNEL, &question.ts, "reply_send")
        .await;
    desk.expect_texted(ALICE, &["on our way"]).await;
    desk.expect_marks(&reply, &["white_check_mark"]).await;
    desk.close().await;
}

async fn a_page_that_is_not_twilios_refuses_nothing(database: Database) {
    let mut desk = Desk::on(database).start().await;
    carriers_report(&desk);
    let root = desk.open(ALICE).await;
    let faults = desk.twilio.faults().clone();
    for status in [404, 413] {
        faults.always("Messages.create", Effect::Status(status).not_accepted());
        let words = format!("through a proxy that says {status}");
        let reply = desk.reply(&root, &words).await;
        let tried = "select max(attempts) from outbox where kind = 'sms' and state = 'held'";
        let deadline = tokio::time::Instant::now() + crate::desk::PATIENCE;
        while desk.numbers(format!("select coalesce(({tried}), 0)")).await[0] < 3 {
            assert!(tokio::time::Instant::now() < deadline, "it is tried again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // At the moment it may be on its way once more.
        let why = format!("http {status}, without an error");
        let mut listed = String::new();
        while !(listed.contains("held") && listed.contains(&why)) {
            assert!(tokio::time::Instant::now() < deadline, "{listed}");
            listed = desk.run(&["outbox", "list"]).await.unwrap();
        }
        faults.clear("Messages.create");
        desk.expect_marks(&reply, &["white_check_mark"]).await;
    }
    let log = desk.relay().log();
    let alarms = log
        .iter()
        .filter(|line| line.contains("held until this is mended"));
    assert_eq!(alarms.count(), 2, "one for each reply, none for each try");
    assert_eq!(desk.texted(ALICE).len(), 2);
    desk.expect_error("held until this is mended");
    desk.close().await;
}
