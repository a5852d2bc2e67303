//! Replies that their writer is asked about before they leave.

use std::time::Duration;

use qdn_sandbox::faults::Effect;
use qdn_sandbox::slack::{Forgery, User};

use crate::desk::{ALICE, BOB, CHANNEL, DORA, Database, Desk, SERGIO, STRANGER};

stories! {
    words_to_a_colleague_leave_only_when_their_writer_says_so,
    words_to_a_colleague_can_be_kept_inside,
    a_colleagues_name_or_a_command_at_the_beginning_is_asked_about,
    of_two_who_answer_at_once_the_second_is_asked,
    the_collision_guard_can_be_switched_off,
    a_dear_reply_is_asked_about,
    a_forgotten_question_is_asked_in_the_thread,
    only_who_may_decides_and_only_once,
    a_colleague_is_known_before_anybody_has_mentioned_them,
    a_held_reply_with_a_mention_counts_in_parts,
    a_correction_with_a_mention_is_counted_once,
    questions_for_a_channel_that_the_bot_has_left_hold_nobody,
}

async fn words_to_a_colleague_leave_only_when_their_writer_says_so(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let held = desk.reply(&root, "<@U0SERGIO> is on his way").await;
    let question = desk.expect_ephemeral(DORA, "begins with a colleague").await;
    assert_eq!(question.buttons(), ["held_send", "held_inside"]);
    desk.reply(&root, "Ten minutes").await;
    desk.expect_texted(ALICE, &["Ten minutes"]).await;
    desk.expect_marks(&held, &[]).await;
    desk.slack
        .press(DORA, CHANNEL, &question.ts, "held_send")
        .await;
    desk.expect_texted(ALICE, &["Ten minutes", "@Sergio is on his way"])
        .await;
    desk.expect_ephemeral(DORA, "has it sent").await;
    let sms = desk.expect_sms(2).await.remove(1);
    desk.twilio
        .deliver_status(&sms.sid, "delivered", None)
        .await;
    desk.expect_marks(&held, &["white_check_mark"]).await;
    assert_eq!(desk.audited("asked_writer").await, 1);
    assert_eq!(desk.audited("decided_send").await, 1);
    desk.close().await;
}

async fn words_to_a_colleague_can_be_kept_inside(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let held = desk.reply(&root, "<@U0SERGIO> can you take it?").await;
    let question = desk.expect_ephemeral(DORA, "begins with a colleague").await;
    desk.slack
        .press(DORA, CHANNEL, &question.ts, "held_inside")
        .await;
    desk.expect_marks(&held, &["lock"]).await;
    desk.expect_ephemeral(DORA, "keeps it inside").await;
    desk.expect_quiet().await;
    desk.expect_texted(ALICE, &[]).await;
    assert_eq!(desk.audited("decided_inside").await, 1);
    desk.close().await;
}

async fn a_colleagues_name_or_a_command_at_the_beginning_is_asked_about(database: Database) {
    let desk = Desk::on(database)
        .toml("\n[desk]\ncollision_guard = false\n")
        .start()
        .await;
    let root = desk.open(ALICE).await;
    let asked = |user: &str| desk.slack.ephemerals(user).len();
    for (n, words) in [
        "Sergio can you take this one?",
        "sergio, yours?",
        "@Sergio yours?",
        "*Backup*: call him",
    ]
    .into_iter()
    .enumerate()
    {
        desk.reply(&root, words).await;
        desk.expect_audited("asked_writer", n + 1).await;
        desk.expect_ephemeral(DORA, "begins with a colleague").await;
    }
    desk.reply(&root, "/qdn away 30m").await;
    let command = desk.expect_ephemeral(DORA, "like a command").await;
    assert_eq!(command.buttons(), ["held_send", "held_inside"]);
    for note in ["private: he sounds drunk", ";; he sounds drunk"] {
        let note = desk.reply(&root, note).await;
        desk.expect_marks(&note, &["lock"]).await;
    }
    // One's own name is told to callers; others' are other words, or stand elsewhere.
    desk.says(SERGIO, &root, "Sergio here, on my way").await;
    desk.reply(&root, "Sergio's car is white").await;
    desk.reply(&root, "Look for <@U0DORA> at the gate").await;
    let sent = [
        "Sergio here, on my way",
        "Sergio's car is white",
        "Look for @Dora at the gate",
    ];
    desk.expect_texted(ALICE, &sent).await;
    // By now the desk knows her too.
    desk.says(SERGIO, &root, "Dora, are you there?").await;
    desk.expect_ephemeral(SERGIO, "begins with a colleague")
        .await;
    desk.slack
        .press(DORA, CHANNEL, &command.ts, "held_send")
        .await;
    desk.expect_texted(ALICE, &[&sent[..], &["/qdn away 30m"]].concat())
        .await;
    desk.expect_quiet().await;
    assert_eq!((asked(DORA), asked(SERGIO)), (5, 1));
    desk.close().await;
}

async fn of_two_who_answer_at_once_the_second_is_asked(database: Database) {
    let desk = Desk::on(database).start().await;
    let (alice, bob) = (desk.open(ALICE).await, desk.open(BOB).await);
    desk.reply(&alice, "On our way").await;
    desk.says(SERGIO, &alice, "I am coming").await;
    // Nobody else has answered these.
    desk.says(SERGIO, &bob, "Hello Bob").await;
    desk.says(SERGIO, &bob, "Which gate?").await;
    desk.reply(&alice, "Ten minutes").await;
    let question = desk.expect_ephemeral(SERGIO, "<@U0DORA> answered").await;
    desk.expect_texted(ALICE, &["On our way", "Ten minutes"])
        .await;
    desk.expect_texted(BOB, &["Hello Bob", "Which gate?"]).await;
    desk.slack
        .press(SERGIO, CHANNEL, &question.ts, "held_send")
        .await;
    desk.expect_texted(ALICE, &["On our way", "Ten minutes", "I am coming"])
        .await;
    assert!(desk.slack.ephemerals(DORA).is_empty());
    desk.close().await;
}

async fn the_collision_guard_can_be_switched_off(database: Database) {
    let desk = Desk::on(database)
        .toml("\n[desk]\ncollision_guard = false\n")
        .start()
        .await;
    let root = desk.open(ALICE).await;
    desk.reply(&root, "On our way").await;
    desk.says(SERGIO, &root, "I am coming").await;
    desk.expect_texted(ALICE, &["On our way", "I am coming"])
        .await;
    desk.close().await;
}

async fn a_dear_reply_is_asked_about(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let fits = "a".repeat(4 * 153);
    let dear = "b".repeat(4 * 153 + 1);
    let named = format!("{} <@U0SERGIO>", "c".repeat(4 * 153));
    for words in [&fits, &dear, &named] {
        desk.reply(&root, words).await;
    }
    let question = desk.expect_ephemeral(DORA, "as 5 texts").await;
    desk.expect_quiet().await;
    let asked = desk.slack.ephemerals(DORA);
    assert_eq!(asked.len(), 2, "{asked:?}");
    desk.expect_texted(ALICE, &[&fits]).await;
    for question in asked.iter().filter(|one| one.ts != question.ts) {
        desk.slack
            .press(DORA, CHANNEL, &question.ts, "held_send")
            .await;
    }
    desk.slack
        .press(DORA, CHANNEL, &question.ts, "held_inside")
        .await;
    desk.expect_sms(2).await;
    desk.expect_quiet().await;
    desk.expect_sms(2).await;
    desk.close().await;
}

async fn a_forgotten_question_is_asked_in_the_thread(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let held = desk.reply(&root, "<@U0SERGIO> is on his way").await;
    let asked = desk
        .expect_words_in_thread(&root.ts, "has not said whether")
        .await;
    assert_eq!(asked.buttons(), ["held_send", "held_inside"]);
    // Now everybody in the channel may decide.
    desk.slack
        .press(SERGIO, CHANNEL, &asked.ts, "held_inside")
        .await;
    desk.expect_marks(&held, &["lock"]).await;
    desk.expect_words_in_thread(&root.ts, "keeps it inside")
        .await;
    let question = desk.expect_ephemeral(DORA, "begins with a colleague").await;
    desk.slack
        .press(DORA, CHANNEL, &question.ts, "held_send")
        .await;
    desk.expect_ephemeral(DORA, "decided that already").await;
    desk.expect_quiet().await;
    desk.expect_texted(ALICE, &[]).await;
    desk.close().await;
}

async fn only_who_may_decides_and_only_once(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.reply(&root, "<@U0SERGIO> is on his way").await;
    let question = desk.expect_ephemeral(DORA, "begins with a colleague").await;
    let press = desk
        .slack
        .press_payload(DORA, CHANNEL, &question.ts, "held_send")
        .unwrap();
    let by = |user: &str| {
        let mut payload = press.clone();
        payload["user"]["id"] = user.into();
        payload
    };
    let forged = desk
        .slack
        .send_interaction(&press, Forgery::WrongSecret)
        .await
        .unwrap();
    assert_eq!(forged.status, 403);
    for user in [SERGIO, STRANGER] {
        let sent = desk
            .slack
            .send_interaction(&by(user), Forgery::Genuine)
            .await;
        assert_eq!(sent.unwrap().status, 200);
    }
    desk.expect_ephemeral(SERGIO, "who wrote it, can decide")
        .await;
    desk.expect_texted(ALICE, &[]).await;
    let asked = desk
        .expect_words_in_thread(&root.ts, "has not said whether")
        .await;
    desk.slack.take_violations();
    let mut stranger = press.clone();
    stranger["user"]["id"] = STRANGER.into();
    stranger["container"]["is_ephemeral"] = false.into();
    stranger["container"]["message_ts"] = asked.ts.clone().into();
    let sent = desk
        .slack
        .send_interaction(&stranger, Forgery::Genuine)
        .await;
    assert_eq!(sent.unwrap().status, 200);
    desk.expect_quiet().await;
    desk.expect_texted(ALICE, &[]).await;
    let mut unknown = press.clone();
    unknown["actions"][0]["value"] = "m_gone".into();
    desk.slack
        .send_interaction(&unknown, Forgery::Genuine)
        .await
        .unwrap();
    desk.expect_ephemeral(DORA, "not there any more").await;
    for trigger in ["one.press", "another.press"] {
        let mut press = press.clone();
        press["trigger_id"] = trigger.into();
        desk.slack
            .send_interaction(&press, Forgery::Genuine)
            .await
            .unwrap();
    }
    desk.expect_ephemeral(DORA, "decided that already").await;
    desk.expect_texted(ALICE, &["@Sergio is on his way"]).await;
    desk.expect_quiet().await;
    desk.expect_texted(ALICE, &["@Sergio is on his way"]).await;
    assert_eq!(desk.audited("decided_send").await, 1);
    desk.slack.take_violations();
    desk.close().await;
}

async fn a_colleague_is_known_before_anybody_has_mentioned_them(database: Database) {
    let mut desk = Desk::on(database)
        .toml("\n[desk]\ncollision_guard = false\n")
        .prepare()
        .await;
    desk.slack.put_user(User {
        id: "U0MIKE".into(),
        display_name: "mo".into(),
        real_name: "Michael Ortega".into(),
        team_id: "T0QDN".into(),
        restricted: false,
        stranger: false,
        bot: false,
    });
    desk.slack.join(CHANNEL, "U0MIKE");
    desk.start_relay().await;
    let known = "select value from kv where name = 'slack.people'";
    while !desk
        .words(known.into())
        .await
        .iter()
        .any(|known| known.contains("Michael") && known.contains("Dora"))
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let root = desk.open(ALICE).await;
    desk.says(SERGIO, &root, "Dora, are you there?").await;
    desk.expect_audited("asked_writer", 1).await;
    desk.reply(&root, "Michael can you take this?").await;
    desk.expect_audited("asked_writer", 2).await;
    // Known over a restart, whatever Slack tells then.
    let silent = Effect::Error("fatal_error".into());
    for method in ["conversations.members", "users.info"] {
        desk.slack
            .faults()
            .always(method, silent.clone().not_accepted());
    }
    assert_eq!(desk.relay().terminate().await, Some(0));
    desk.start_relay().await;
    desk.reply(&root, "michael? He sounds drunk").await;
    desk.expect_audited("asked_writer", 3).await;
    desk.slack.faults().clear_all();
    // Whom Slack does not know is nobody's name.
    desk.reply(&root, "Ask <@U0NOBODY> at the gate").await;
    desk.expect_sms(1).await;
    desk.reply(&root, "Somebody will be there at 5").await;
    desk.expect_sms(2).await;
    desk.expect_quiet().await;
    assert_eq!(desk.audited("asked_writer").await, 3);
    desk.close().await;
}

async fn a_held_reply_with_a_mention_counts_in_parts(database: Database) {
    let desk = Desk::on(database)
        .toml("\n[limits]\nperson_per_hour = 8\n[desk]\ncollision_guard = false\n")
        .start()
        .await;
    let root = desk.open(ALICE).await;
    let dear = format!("<@U0SERGIO> {}", "c".repeat(5 * 153));
    desk.reply(&root, &dear).await;
    let question = desk.expect_ephemeral(DORA, "begins with a colleague").await;
    assert!(question.text.contains("as 6 texts"), "{}", question.text);
    desk.slack
        .press(DORA, CHANNEL, &question.ts, "held_send")
        .await;
    desk.expect_sms(1).await;
    let counted = "select cast(parts as text) from text_count".to_owned();
    desk.expect_quiet().await;
    assert_eq!(desk.words(counted.clone()).await, ["6"]);
    // Two more may leave: this is asked about as a whole before any of it does.
    let again = desk
        .reply(&root, &format!("<@U0SERGIO> {}", "d".repeat(3 * 153)))
        .await;
    desk.expect_audited("asked_writer", 2).await;
    let asked = desk.slack.wait_for(crate::desk::PATIENCE, |world| {
        world
            .ephemerals(DORA)
            .filter(|one| one.text.contains("colleague") && one.ts != question.ts)
            .last()
            .cloned()
    });
    let asked = asked.await.expect("a second question");
    desk.slack
        .press(DORA, CHANNEL, &asked.ts, "held_send")
        .await;
    desk.expect_ephemeral(DORA, "The next can leave at").await;
    desk.expect_marks(&again, &[]).await;
    desk.expect_quiet().await;
    assert_eq!(desk.words(counted).await, ["6"]);
    desk.close().await;
}

async fn a_correction_with_a_mention_is_counted_once(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let reply = desk.reply(&root, "Gate 4").await;
    desk.expect_texted(ALICE, &["Gate 4"]).await;
    desk.expect_quiet().await;
    desk.slack
        .edit_as(DORA, CHANNEL, &reply, "Gate 5, ask for <@U0SERGIO>");
    let told = desk
        .expect_words_in_thread(&root.ts, "This edit did not reach the caller")
        .await;
    desk.slack.press(DORA, CHANNEL, &told.ts, "edit_send").await;
    desk.expect_texted(ALICE, &["Gate 4", "Gate 5, ask for @Sergio"])
        .await;
    desk.expect_quiet().await;
    let counted = "select cast(parts as text) from text_count order by at".to_owned();
    assert_eq!(desk.words(counted).await, ["1", "1"]);
    desk.close().await;
}

async fn questions_for_a_channel_that_the_bot_has_left_hold_nobody(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.slack.faults().push(
        "chat.postEphemeral",
        Effect::Error("not_in_channel".into()).not_accepted(),
    );
    desk.reply(&root, "<@U0SERGIO> is on his way").await;
    desk.reply(&root, "<@U0SERGIO> has a white car").await;
    // The first is asked about in the thread, the second of its writer.
    let question = desk.expect_ephemeral(DORA, "begins with a colleague").await;
    desk.slack
        .press(DORA, CHANNEL, &question.ts, "held_send")
        .await;
    desk.expect_texted(ALICE, &["@Sergio has a white car"])
        .await;
    desk.expect_words_in_thread(&root.ts, "has not said whether")
        .await;
    desk.expect_quiet().await;
    let kept = "select state from outbox where kind = 'ephemeral' order by seq".to_owned();
    let states = desk.words(kept).await;
    assert_eq!(states[0], "refused", "{states:?}");
    desk.close().await;
}
