//! What is kept of a call: enough for anyone to reconstruct it, and for the same request to get the same answer.

use qdn_sandbox::twilio::signature;
use qdn_sandbox::twilio::{CallStory, Event, Party, Phone};
use serde_json::{Value, json};

use crate::desk::{ALICE, BACKUP_PHONE, DORA, Database, Desk, LINE, PUBLIC_URL, SERGIO_PHONE};

stories! {
    the_audit_tells_the_whole_call,
    the_same_request_gets_the_same_answer_after_a_restart,
    a_call_goes_on_over_a_restart,
}

async fn rows(desk: &Desk, sid: &str) -> Vec<Value> {
    desk.expect_quiet().await;
    desk.audit(&["--call", sid]).await
}

async fn the_audit_tells_the_whole_call(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio
        .set_phone(SERGIO_PHONE, Phone::pick_up(3).pressing("5"));
    let story = desk.twilio.call(ALICE, LINE).await;
    let kept = rows(&desk, &story.sid).await;
    let decisions: Vec<&str> = kept
        .iter()
        .map(|row| row["decision"].as_str().unwrap())
        .collect();
    assert_eq!(
        decisions,
        [
            "ring",
            "phone_picked_up",
            "key_pressed",
            "ring",
            "nobody_left",
            "message_left",
            "message_transcribed",
        ]
    );
    // Who was thought of and why they were rung or not.
    let people = kept[0]["detail"]["people"].as_array().unwrap();
    assert_eq!(
        people[0],
        json!({
            "step": 1, "person": "Sergio", "availability": "available", "source": {"source": "assumed"},
            "age_seconds": null, "verdict": "rung", "verdict_code": "rung",
        })
    );
    assert_eq!(
        kept[0]["detail"]["result"],
        json!({"step": 1, "rung": ["Sergio"], "seconds": 15})
    );
    assert_eq!(kept[2]["detail"]["keys"], "5");
    // How each telephone fared stands with what it led to.
    let rang = &kept[3]["detail"]["rang"];
    assert_eq!(rang["dial_call_status"], "completed");
    assert_eq!(rang["dial_bridged"], false);
    assert_eq!(
        (&rang["people"][0]["person"], &rang["people"][0]["keys"]),
        (&json!("Sergio"), &json!("5"))
    );
    assert_eq!(
        kept[4]["detail"]["rang"]["people"][0]["status"],
        "no-answer"
    );
    assert!(
        kept[5]["detail"]["recording"]
            .as_str()
            .unwrap()
            .starts_with("RE")
    );
    assert_eq!(kept[5]["detail"]["seconds"], 10);
    // What was said is nobody's business there.
    assert!(
        !kept
            .iter()
            .any(|row| row.to_string().contains("call me back"))
    );
    desk.close().await;
}

/// Makes every request of a call again, signed as Twilio signs them; each must get the answer it got.
async fn repeat(desk: &mut Desk, story: &CallStory) {
    let token = qdn_sandbox::twilio::Settings::default().auth_token;
    let http = reqwest::Client::new();
    for exchange in &story.exchanges {
        let path = exchange.url.strip_prefix(PUBLIC_URL).unwrap();
        let answer = http
            .post(desk.url(path))
            .header(
                "x-twilio-signature",
                signature::sign(&token, &exchange.url, &exchange.params),
            )
            .form(&exchange.params)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), exchange.status);
        assert_eq!(answer.text().await.unwrap(), exchange.body, "{path}");
    }
}

async fn the_same_request_gets_the_same_answer_after_a_restart(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.twilio.set_phone(SERGIO_PHONE, Phone::mailbox(2));
    desk.twilio
        .set_phone(BACKUP_PHONE, Phone::pick_up(2).pressing("1").talking(20));
    let answered = desk.twilio.call(ALICE, LINE).await;
    desk.twilio.set_phone(BACKUP_PHONE, Phone::NoAnswer);
    let missed = desk.twilio.call(ALICE, LINE).await;
    // By now everything would be decided otherwise.
    for name in ["Sergio", "Backup"] {
        desk.type_until(DORA, &format!("away {name}"), &format!("{name} is away"))
            .await;
    }
    let before = [
        rows(&desk, &answered.sid).await,
        rows(&desk, &missed.sid).await,
    ];
    let shown = desk.slack.accepted().len();
    repeat(&mut desk, &answered).await;
    assert_eq!(desk.relay().terminate().await, Some(0));
    desk.start_relay().await;
    repeat(&mut desk, &answered).await;
    repeat(&mut desk, &missed).await;
    let after = [
        rows(&desk, &answered.sid).await,
        rows(&desk, &missed.sid).await,
    ];
    assert_eq!(after, before, "nothing has happened a second time");
    assert_eq!(desk.slack.accepted().len(), shown);
    desk.close().await;
}

async fn a_call_goes_on_over_a_restart(database: Database) {
    let mut desk = Desk::on(database)
        .replace(
            "[[lines]]",
            "[[people]]\nname = \"Night\"\nphone = \"+18585550113\"\n\n[[lines]]",
        )
        .replace(
            "{ people = [\"Sergio\"], seconds = 15 }",
            "{ people = [\"Sergio\", \"Night\"], seconds = 600 }",
        )
        .start()
        .await;
    let call = desk.twilio.calling(ALICE, LINE).start(1.0);
    desk.expect_ringing(&call, SERGIO_PHONE).await;
    call.let_mailbox_answer(SERGIO_PHONE);
    let asked = |event: &Event| {
        matches!(
            event,
            Event::Heard {
                who: Party::Phone(_),
                ..
            }
        )
    };
    desk.expect_event(&call, asked).await;
    desk.relay().kill().await;
    desk.start_relay().await;
    // The mailbox hangs up; the group is rung again without it, though nobody here remembers whose it was.
    call.hang_up(&Party::Phone(SERGIO_PHONE.to_owned()));
    desk.expect_ringing(&call, "+18585550113").await;
    assert_eq!(call.ringing(), ["+18585550113"]);
    call.hang_up(&Party::Caller);
    call.finished().await;
    let root = desk.expect_thread_of_call().await;
    desk.expect_root_words(
        &root,
        "Sergio did not answer, the caller hung up while Night's phone rang",
    )
    .await;
    desk.close().await;
}
