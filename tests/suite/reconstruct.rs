//! Whoever has nothing but the audit can say what happened in a call.

use qdn_sandbox::twilio::{CallStory, Caller, Event, Party, Phone};
use serde_json::Value;

use crate::desk::{ALICE, BACKUP_PHONE, BOB, DORA, Database, Desk, LINE, SERGIO_PHONE};

stories! {
    a_call_is_rebuilt_from_its_audit_alone,
}

const NIGHT_PHONE: &str = "+18585550113";

fn name(phone: &str) -> &'static str {
    match phone {
        SERGIO_PHONE => "Sergio",
        NIGHT_PHONE => "Night",
        BACKUP_PHONE => "Backup",
        _ => panic!("nobody has {phone}"),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

/// The course of a call as the rows of its audit tell it, and how the telephones fared that nobody picked up.
fn rebuilt(rows: &[Value]) -> (Vec<String>, Vec<String>) {
    let (mut course, mut fared) = (Vec::new(), Vec::new());
    for row in rows {
        let detail = &row["detail"];
        // What a row was decided on: how the telephones of the round before fared.
        for one in list(&detail["rang"], "people") {
            if matches!(text(one, "status"), "busy" | "failed" | "no-answer") {
                fared.push(format!("{} {}", text(one, "person"), text(one, "status")));
            }
        }
        match text(row, "decision") {
            "ring" => course.extend(
                list(&detail["result"], "rung")
                    .map(|person| format!("{} rings", person.as_str().unwrap())),
            ),
            "phone_picked_up" => course.push(format!("{} picks up", text(detail, "person"))),
            "key_pressed" => course.push(format!(
                "{} presses {}",
                text(detail, "person"),
                text(detail, "keys")
            )),
            "call_answered" => course.push(format!("{} talks", text(detail, "person"))),
            "caller_hung_up" => course.push("the caller hangs up".to_owned()),
            "nobody_left" => course.push("the caller may speak".to_owned()),
            "message_left" => course.push(format!("a message of {} s", detail["seconds"])),
            _ => {}
        }
    }
    (course, fared)
}

/// The course of a call and each person's result, as its participants saw them.
fn seen(story: &CallStory) -> (Vec<String>, Vec<String>) {
    let (mut course, mut fared) = (Vec::new(), Vec::new());
    let mut connected = false;
    for happened in &story.events {
        course.push(match &happened.event {
            Event::Ringing { number } => format!("{} rings", name(number)),
            Event::StoppedRinging { number, status } if status != "canceled" => {
                fared.push(format!("{} {status}", name(number)));
                continue;
            }
            Event::PickedUp { number, .. } => format!("{} picks up", name(number)),
            Event::Pressed {
                who: Party::Phone(number),
                keys,
            } => format!("{} presses {keys}", name(number)),
            Event::Bridged { number } => {
                connected = true;
                format!("{} talks", name(number))
            }
            Event::Beep => "the caller may speak".to_owned(),
            Event::Recorded { seconds, .. } => format!("a message of {seconds} s"),
            Event::HungUp { who: Party::Caller } if !connected => "the caller hangs up".to_owned(),
            _ => continue,
        });
    }
    // Whoever hangs up while or after speaking has left a message.
    if course.iter().any(|step| step == "the caller may speak") {
        course.retain(|step| step != "the caller hangs up");
    }
    (course, fared)
}

async fn a_call_is_rebuilt_from_its_audit_alone(database: Database) {
    let desk = Desk::on(database)
        .replace(
            "[[lines]]",
            "[[people]]\nname = \"Night\"\nphone = \"+18585550113\"\n\n[[lines]]",
        )
        .replace(
            "{ people = [\"Sergio\"], seconds = 15 }",
            "{ people = [\"Sergio\", \"Night\"], seconds = 15 }",
        )
        .start()
        .await;
    let mut told = Vec::new();
    for (caller, patience, said, sergio, night, backup) in [
        // A mailbox, then the rest of the group, then the next step.
        (
            ALICE,
            None,
            "available Night",
            Phone::mailbox(3),
            Phone::NoAnswer,
            Phone::pick_up(4).pressing("1").talking(30),
        ),
        // One declines, one presses another key, one is engaged.
        (
            BOB,
            None,
            "available Night",
            Phone::decline(2),
            Phone::pick_up(5).pressing("7"),
            Phone::Busy,
        ),
        // One is left out, and the caller does not wait.
        (
            "+16195550144",
            Some(17),
            "dnd Night training",
            Phone::NoAnswer,
            Phone::NoAnswer,
            Phone::NoAnswer,
        ),
    ] {
        desk.type_until(DORA, said, "Night is ").await;
        desk.twilio.set_phone(SERGIO_PHONE, sergio);
        desk.twilio.set_phone(NIGHT_PHONE, night);
        desk.twilio.set_phone(BACKUP_PHONE, backup);
        let who = patience.map_or_else(Caller::default, Caller::hanging_up_after);
        let calling = desk.twilio.calling(caller, LINE).caller(who);
        let story = calling.place().await;
        desk.expect_quiet().await;
        let rows = desk.audit(&["--call", &story.sid]).await;
        let (course, mut fared) = rebuilt(&rows);
        let (course_seen, mut fared_seen) = seen(&story);
        assert_eq!(course, course_seen, "{rows:#?}\n{story:#?}");
        // These stand with what they led to, and not in the order in which they became known.
        fared.sort();
        fared_seen.sort();
        assert_eq!(fared, fared_seen, "{rows:#?}\n{story:#?}");
        told.push((caller, story, rows));
    }
    // Who called which line, and when, and how long they talked.
    let (_, story, rows) = &told[0];
    assert_eq!(
        (text(&rows[0], "number"), text(&rows[0], "line")),
        (ALICE, "QDN")
    );
    let answered = rows.last().unwrap();
    assert_eq!(answered["detail"]["seconds"], 32, "{story:#?}");
    let time = |row: &Value| text(row, "time").parse::<jiff::Timestamp>().unwrap();
    let times: Vec<jiff::Timestamp> = rows.iter().map(time).collect();
    assert!(times.is_sorted(), "{times:?}");
    // Who was left out, and by whose word.
    let (.., rows) = &told[2];
    let night = list(&rows[0]["detail"], "people").find(|one| one["person"] == "Night");
    let night = night.unwrap();
    assert_eq!(text(night, "verdict"), "skipped: not available");
    assert_eq!(night["source"]["by"], DORA);
    let change = desk
        .audit(&[])
        .await
        .into_iter()
        .rfind(|row| row["decision"] == "availability_changed" && row["subject"] == "Night");
    assert_eq!(change.unwrap()["detail"]["state"], "dnd");

    // In plain words the same is told in Slack, by the number's last digits.
    for (caller, ..) in &told {
        let digits = &caller[caller.len() - 4..];
        let command = format!("why {digits}");
        let said = match *caller {
            ALICE => "Backup was connected with the caller, 32 s in all.",
            BOB => "Night pressed another key than 1.",
            _ => "Night was left out: not to be disturbed",
        };
        for words in [said, &format!("555-{digits}")] {
            desk.type_until(DORA, &command, words).await;
        }
    }
    desk.close().await;
}
