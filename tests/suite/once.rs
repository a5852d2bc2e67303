//! What Slack signed is done once, and only for members of the channel that it is about.

use std::time::Duration;

use qdn_sandbox::faults::Effect;
use qdn_sandbox::slack::Forgery;
use serde_json::Value;
use sqlx::{Connection, Executor};

use crate::desk::{ALICE, CHANNEL, DORA, Database, Desk, STRANGER};

stories! {
    a_copy_of_a_press_changes_nothing,
    a_copy_of_a_command_or_a_form_is_answered_the_same,
    a_button_asks_who_is_in_its_conversations_channel,
    a_text_that_takes_too_long_to_keep_is_not_said_to_be_lost,
}

async fn send(desk: &Desk, payload: &Value) -> String {
    let sent = desk.slack.send_interaction(payload, Forgery::Genuine).await;
    let reply = sent.unwrap();
    assert_eq!(reply.status, 200);
    reply.body
}

async fn a_copy_of_a_press_changes_nothing(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let claim = desk
        .slack
        .press_payload(DORA, CHANNEL, &root.ts, "desk_claim")
        .unwrap();
    let copies = (0..8).map(|_| send(&desk, &claim));
    futures_util::future::join_all(copies).await;
    desk.expect_root(&root, "@Dora has it.").await;
    desk.press(DORA, &root, "desk_release").await;
    desk.expect_root(&root, "(emoji red_circle)").await;
    send(&desk, &claim).await;
    assert_eq!(desk.relay().terminate().await, Some(0));
    desk.start_relay().await;
    send(&desk, &claim).await;
    desk.expect_quiet().await;
    assert_eq!(desk.audited("claimed").await, 1);
    let root = desk.slack.message(CHANNEL, &root.ts).unwrap();
    let shown = desk.slack.rendered(&root);
    assert!(shown.contains("(emoji red_circle)"), "{shown}");
    assert!(desk.slack.ephemerals(DORA).is_empty(), "nobody is bothered");
    desk.close().await;
}

async fn a_copy_of_a_command_or_a_form_is_answered_the_same(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let command = |text: &str, trigger: &str| {
        serde_urlencoded::to_string([
            ("team_id", "T0QDN"),
            ("channel_id", CHANNEL),
            ("user_id", DORA),
            ("command", "/qdn"),
            ("text", text),
            ("trigger_id", trigger),
        ])
        .unwrap()
    };
    let kind = "application/x-www-form-urlencoded";
    let say = async |body: &str| {
        let path = "/api/slack/commands";
        let sent = desk
            .slack
            .send_raw(path, kind, body, Forgery::Genuine)
            .await;
        let reply = sent.unwrap();
        assert_eq!(reply.status, 200);
        reply.body
    };
    let ana = command("name 619-555-0142 Ana", "1.1");
    let bea = command("name 619-555-0142 Bea", "1.2");
    let first = say(&ana).await;
    assert!(first.contains("Ana"), "{first}");
    say(&bea).await;
    desk.expect_root(&root, "Bea").await;
    assert_eq!(say(&ana).await, first);
    desk.expect_quiet().await;
    assert_eq!(desk.audited("caller_named").await, 2);
    let names = desk.words("select name from caller_name".into()).await;
    assert_eq!(names, ["Bea"]);

    let text = command("text 619-555-0142 Your driver is outside", "1.3");
    let first = say(&text).await;
    assert_eq!(say(&text).await, first);
    desk.expect_texted(ALICE, &["Your driver is outside"]).await;

    let form = |number: &str| {
        let field = |value: &str| serde_json::json!({ "type": "plain_text_input", "value": value });
        serde_json::json!({
            "type": "view_submission", "trigger_id": "1.4", "team": { "id": "T0QDN" },
            "user": { "id": DORA, "team_id": "T0QDN" },
            "view": {
                "callback_id": "new_text", "private_metadata": "form-1",
                "state": { "values": { "number": { "number": field(number) }, "words": { "words": field("Gate 4") } } },
            },
        })
    };
    let wrong = send(&desk, &form("911")).await;
    assert!(wrong.contains("errors"), "{wrong}");
    assert_eq!(send(&desk, &form("911")).await, wrong);
    assert_eq!(desk.audited("text_refused").await, 1);
    for _ in 0..2 {
        assert_eq!(send(&desk, &form("619-555-0142")).await, "");
    }
    desk.expect_texted(ALICE, &["Your driver is outside", "Gate 4"])
        .await;
    desk.close().await;
}

async fn a_button_asks_who_is_in_its_conversations_channel(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.slack.add_channel("C0OTHER", "other", false);
    desk.slack.invite_bot("C0OTHER");
    desk.slack.join("C0OTHER", STRANGER);
    let root = desk.open(ALICE).await;
    for action in ["desk_claim", "desk_close"] {
        let press = desk
            .slack
            .press_payload(STRANGER, CHANNEL, &root.ts, action)
            .unwrap();
        let mut elsewhere = press.clone();
        elsewhere["channel"]["id"] = "C0OTHER".into();
        elsewhere["container"]["channel_id"] = "C0OTHER".into();
        let mut nowhere = press.clone();
        nowhere.as_object_mut().unwrap().remove("channel");
        let container = nowhere["container"].as_object_mut().unwrap();
        container.remove("channel_id");
        for payload in [&press, &elsewhere, &nowhere] {
            send(&desk, payload).await;
        }
    }
    desk.expect_told(STRANGER, "Only members of #qdn-dispatch can change that.")
        .await;
    desk.expect_quiet().await;
    assert_eq!(desk.audited("claimed").await, 0);
    assert_eq!(desk.audited("closed").await, 0);
    desk.close().await;
}

async fn a_text_that_takes_too_long_to_keep_is_not_said_to_be_lost(database: Database) {
    let desk = Desk::on(database)
        .replace("request_timeout = \"500ms\"", "request_timeout = \"3s\"")
        .replace("settle_after = \"2s\"", "settle_after = \"12s\"")
        .start()
        .await;
    desk.open(ALICE).await;
    desk.expect_quiet().await;
    // The command is taken; before its text is kept, somebody holds the database.
    let slow = Effect::Slow(Duration::from_millis(1_500));
    desk.slack
        .faults()
        .always("conversations.members", slow.not_accepted());
    let text = "text 619-555-0142 Gate 4";
    let typed = async { desk.slack.command(DORA, CHANNEL, "/qdn", text).await.text };
    let hold = async {
        let mut holder = desk.connection().await;
        while desk
            .words("select key from taken_request".into())
            .await
            .is_empty()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        match database {
            Database::Sqlite => holder.execute("begin immediate").await.unwrap(),
            Database::Postgres => {
                holder.execute("begin").await.unwrap();
                let held = "lock table message in access exclusive mode";
                holder.execute(held).await.unwrap()
            }
        };
        holder
    };
    let (told, mut holder) = tokio::join!(typed, hold);
    assert!(told.contains("not known yet"), "{told}");
    holder.execute("rollback").await.unwrap();
    holder.close().await.unwrap();
    desk.slack.faults().clear("conversations.members");
    desk.expect_texted(ALICE, &["Gate 4"]).await;
    desk.expect_quiet().await;
    // What it came to is kept for a copy of the command.
    let kept = "select answer from taken_request where is_answered = 1";
    let answers = desk.words(kept.into()).await;
    assert!(
        answers.len() == 1 && answers[0].contains("Texting"),
        "{answers:?}"
    );
    desk.close().await;
}
