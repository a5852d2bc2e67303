//! Calls find a person: who is rung, in what order, and what is kept of the decision.

use std::time::Duration;

use qdn_sandbox::twilio::{CallStory, Caller, Event, Outcome, Phone};
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection, Executor};

use crate::desk::{
    ALICE, BACKUP_PHONE, BOB, DORA, Database, Desk, LINE, SECOND_LINE, SERGIO_PHONE,
};

stories! {
    whoever_is_rung_first_can_take_the_call,
    the_backup_rings_when_sergio_does_not_take_it,
    people_who_are_away_are_skipped,
    who_is_rung_always_is_never_skipped,
    the_last_step_rings_whatever_was_said,
    people_of_one_step_ring_together,
    a_call_is_answered_while_the_database_is_locked_and_slack_is_down,
    what_was_said_is_known_after_a_restart_even_with_the_database_locked,
    every_decision_is_kept_with_its_reasons,
    a_caller_who_hangs_up_stops_the_ringing,
    a_call_to_a_number_without_a_line_reaches_somebody,
}

/// Nobody has to press a key: that is another story.
fn desk(database: Database) -> crate::desk::Builder {
    Desk::on(database).replace(
        "channel = \"#qdn-dispatch\"",
        "channel = \"#qdn-dispatch\"\nscreen = false",
    )
}

fn bridged_with(story: &CallStory) -> Option<&str> {
    match &story.outcome {
        Outcome::Bridged { with, .. } => Some(with),
        _ => None,
    }
}

/// When a phone began to ring, and when it stopped without having been picked up.
fn rang(story: &CallStory, phone: &str) -> (Option<Duration>, Option<Duration>) {
    let at = |is_it: &dyn Fn(&Event) -> bool| {
        let found = story.events.iter().find(|happened| is_it(&happened.event));
        found.map(|happened| happened.at)
    };
    let began = at(&|event| matches!(event, Event::Ringing { number } if number == phone));
    let stopped =
        at(&|event| matches!(event, Event::StoppedRinging { number, .. } if number == phone));
    (began, stopped)
}

async fn say(desk: &Desk, words: &str) {
    let name = words.split(' ').nth(1).unwrap();
    desk.type_until(DORA, words, &format!("{name} is ")).await;
}

async fn whoever_is_rung_first_can_take_the_call(database: Database) {
    let desk = desk(database).start().await;
    desk.twilio
        .set_phone(SERGIO_PHONE, Phone::pick_up(5).talking(90));
    let story = desk.twilio.call(ALICE, LINE).await;
    assert_eq!(
        story.outcome,
        Outcome::Bridged {
            with: SERGIO_PHONE.into(),
            seconds: 90
        }
    );
    assert_eq!(story.rang(), [SERGIO_PHONE]);
    // The caller hears ringing at once, and pays for nothing before somebody is there.
    for part in [
        "<Dial ",
        "timeout=\"15\"",
        "answerOnBridge=\"true\"",
        "action=\"https://desk.example.com/api/twilio/",
    ] {
        assert!(
            story.first_twiml.contains(part),
            "{part} in {}",
            story.first_twiml
        );
    }
    desk.close().await;
}

async fn the_backup_rings_when_sergio_does_not_take_it(database: Database) {
    let desk = desk(database).start().await;
    desk.twilio.set_phone(BACKUP_PHONE, Phone::pick_up(3));
    for phone in [
        Phone::NoAnswer,
        Phone::Busy,
        Phone::decline(4),
        Phone::Failed,
    ] {
        desk.twilio.set_phone(SERGIO_PHONE, phone.clone());
        let story = desk.twilio.call(ALICE, LINE).await;
        assert_eq!(story.rang(), [SERGIO_PHONE, BACKUP_PHONE], "{phone:?}");
        assert_eq!(bridged_with(&story), Some(BACKUP_PHONE), "{phone:?}");
        let (began, stopped) = rang(&story, SERGIO_PHONE);
        assert_eq!(began, Some(Duration::ZERO));
        if phone == Phone::NoAnswer {
            assert_eq!(stopped, Some(Duration::from_secs(15)));
        }
        assert!(
            stopped <= Some(Duration::from_secs(15)),
            "{phone:?}: {stopped:?}"
        );
        assert_eq!(
            rang(&story, BACKUP_PHONE).0,
            stopped,
            "the backup rings at once"
        );
    }
    // Nobody at all: it ends, and nobody is rung twice.
    desk.twilio.set_phone(SERGIO_PHONE, Phone::NoAnswer);
    desk.twilio.set_phone(BACKUP_PHONE, Phone::NoAnswer);
    let story = desk.twilio.call(ALICE, LINE).await;
    assert_eq!(story.rang(), [SERGIO_PHONE, BACKUP_PHONE]);
    assert_eq!(story.ring_time, Duration::from_secs(35));
    desk.close().await;
}

async fn people_who_are_away_are_skipped(database: Database) {
    let desk = desk(database).start().await;
    desk.twilio.set_phone(SERGIO_PHONE, Phone::pick_up(1));
    desk.twilio.set_phone(BACKUP_PHONE, Phone::pick_up(1));
    for (words, rung) in [
        ("away Sergio", BACKUP_PHONE),
        ("available Sergio", SERGIO_PHONE),
        ("dnd Sergio 1h", BACKUP_PHONE),
        ("away Sergio until 23:59", BACKUP_PHONE),
        ("available Sergio", SERGIO_PHONE),
    ] {
        say(&desk, words).await;
        let story = desk.twilio.call(ALICE, LINE).await;
        assert_eq!(story.rang(), [rung], "{words}");
    }
    desk.close().await;
}

async fn who_is_rung_always_is_never_skipped(database: Database) {
    let desk = desk(database).start().await;
    desk.twilio.set_phone(BACKUP_PHONE, Phone::pick_up(1));
    for words in ["away Backup", "dnd Backup", "away Sergio"] {
        say(&desk, words).await;
        let story = desk.twilio.call(ALICE, LINE).await;
        assert_eq!(bridged_with(&story), Some(BACKUP_PHONE), "{words}");
    }
    desk.close().await;
}

async fn the_last_step_rings_whatever_was_said(database: Database) {
    let desk = desk(database).replace(", always = true", "").start().await;
    desk.twilio.set_phone(BACKUP_PHONE, Phone::pick_up(1));
    say(&desk, "away Sergio").await;
    say(&desk, "dnd Backup").await;
    let story = desk.twilio.call(ALICE, LINE).await;
    assert_eq!(story.rang(), [BACKUP_PHONE]);
    desk.close().await;
}

async fn people_of_one_step_ring_together(database: Database) {
    let desk = desk(database)
        .replace(
            "{ people = [\"Sergio\"], seconds = 15 },",
            "{ people = [\"Sergio\", \"Backup\"], seconds = 15 },",
        )
        .start()
        .await;
    desk.twilio.set_phone(SERGIO_PHONE, Phone::pick_up(9));
    desk.twilio.set_phone(BACKUP_PHONE, Phone::pick_up(8));
    let story = desk.twilio.call(ALICE, LINE).await;
    assert_eq!(bridged_with(&story), Some(BACKUP_PHONE));
    for phone in [SERGIO_PHONE, BACKUP_PHONE] {
        assert_eq!(
            rang(&story, phone).0,
            Some(Duration::ZERO),
            "both ring from the beginning"
        );
    }
    desk.close().await;
}

/// Longer than no answer to a call may take when everything else stands still. Whoever waited for the database would do so
/// for 5 s; the rest is room for a busy machine.
const AT_MOST: Duration = Duration::from_secs(4);

/// Holds the whole database, so that nothing can be written; on Postgres what was said cannot even be read.
async fn lock(desk: &Desk, database: Database) -> AnyConnection {
    let mut holder = desk.connection().await;
    match database {
        Database::Sqlite => holder.execute("begin exclusive").await.unwrap(),
        Database::Postgres => {
            holder.execute("begin").await.unwrap();
            let tables = "lock table presence_override, audit, audit_head, message, outbox, lane in access exclusive mode";
            holder.execute(tables).await.unwrap()
        }
    };
    holder
}

async fn unlock(mut holder: AnyConnection) {
    holder.execute("rollback").await.unwrap();
    holder.close().await.unwrap();
}

fn expect_answered_in_time(story: &CallStory) {
    for exchange in &story.exchanges {
        assert_eq!(exchange.status, 200, "{}", exchange.url);
        assert!(
            exchange.took < AT_MOST,
            "{} took {:?}",
            exchange.url,
            exchange.took
        );
    }
}

async fn a_call_is_answered_while_the_database_is_locked_and_slack_is_down(database: Database) {
    let desk = desk(database).start().await;
    desk.twilio
        .set_phones(SERGIO_PHONE, [Phone::NoAnswer, Phone::pick_up(2)]);
    desk.twilio.set_phone(BACKUP_PHONE, Phone::pick_up(2));
    say(&desk, "away Sergio").await;
    say(&desk, "available Sergio").await;
    desk.expect_quiet().await;
    let holder = lock(&desk, database).await;
    desk.slack.down().await;
    let alice = desk.twilio.call(ALICE, LINE).await;
    let bob = desk.twilio.call(BOB, LINE).await;
    for story in [&alice, &bob] {
        expect_answered_in_time(story);
    }
    assert_eq!(alice.rang(), [SERGIO_PHONE, BACKUP_PHONE]);
    assert_eq!(
        (bridged_with(&alice), bridged_with(&bob)),
        (Some(BACKUP_PHONE), Some(SERGIO_PHONE))
    );
    unlock(holder).await;
    desk.slack.up().await.unwrap();
    // What could not be kept before the answer was kept after it, in order, with the time of the decision.
    for (story, rows) in [(&alice, 3), (&bob, 2)] {
        let kept = expect_rows(&desk, &story.sid, rows).await;
        let decisions: Vec<&Value> = kept.iter().map(|row| &row["decision"]).collect();
        assert_eq!(
            decisions.last(),
            Some(&&json!("call_answered")),
            "{kept:#?}"
        );
        assert!(
            decisions[..rows - 1]
                .iter()
                .all(|decision| **decision == "ring"),
            "{kept:#?}"
        );
    }
    desk.close().await;
}

async fn what_was_said_is_known_after_a_restart_even_with_the_database_locked(database: Database) {
    let mut desk = desk(database).start().await;
    desk.twilio.set_phone(BACKUP_PHONE, Phone::pick_up(2));
    say(&desk, "away Sergio").await;
    desk.expect_quiet().await;
    assert_eq!(desk.relay().terminate().await, Some(0));
    desk.start_relay().await;
    let holder = lock(&desk, database).await;
    let story = desk.twilio.call(ALICE, LINE).await;
    expect_answered_in_time(&story);
    assert_eq!(story.rang(), [BACKUP_PHONE]);
    unlock(holder).await;
    expect_rows(&desk, &story.sid, 2).await;
    desk.close().await;
}

/// That many rows about a call come to be in the audit trail.
async fn expect_rows(desk: &Desk, sid: &str, count: usize) -> Vec<Value> {
    let deadline = tokio::time::Instant::now() + crate::desk::PATIENCE;
    loop {
        let rows = desk.audit(&["--call", sid]).await;
        if rows.len() >= count {
            assert_eq!(rows.len(), count, "{rows:#?}");
            return rows;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{count} rows, but there are {rows:#?}"
        );
    }
}

async fn every_decision_is_kept_with_its_reasons(database: Database) {
    let desk = desk(database).start().await;
    desk.twilio
        .set_phone(BACKUP_PHONE, Phone::pick_up(2).talking(30));
    say(&desk, "dnd Sergio 1h in a meeting").await;
    let skipped = desk.twilio.call(ALICE, LINE).await;
    say(&desk, "available Sergio").await;
    let tried = desk.twilio.call(BOB, LINE).await;

    let rows = expect_rows(&desk, &skipped.sid, 2).await;
    let ring = &rows[0];
    assert_eq!(
        (
            &ring["decision"],
            &ring["line"],
            &ring["number"],
            &ring["subject"]
        ),
        (
            &json!("ring"),
            &json!("QDN"),
            &json!(ALICE),
            &json!(skipped.sid)
        )
    );
    assert!(ring["id"].is_i64() && !ring["reason"].as_str().unwrap().is_empty());
    assert!(
        ring["time"].as_str().unwrap().ends_with('Z'),
        "{}",
        ring["time"]
    );
    let people = ring["detail"]["people"].as_array().unwrap();
    assert_eq!(people.len(), 2, "{people:#?}");
    let (sergio, backup) = (&people[0], &people[1]);
    assert_eq!(
        (&sergio["person"], &sergio["availability"]),
        (&json!("Sergio"), &json!("dnd"))
    );
    assert_eq!(sergio["source"], json!({"source": "said", "by": DORA}));
    assert!(sergio["age_seconds"].is_i64());
    assert_eq!(sergio["verdict"], "skipped: not available");
    assert_eq!(
        (&backup["person"], &backup["availability"]),
        (&json!("Backup"), &json!("available"))
    );
    assert_eq!(backup["source"], json!({"source": "assumed"}));
    assert_eq!(
        ring["detail"]["result"],
        json!({"step": 2, "rung": ["Backup"], "seconds": 20})
    );
    assert_eq!(rows[1]["decision"], "call_answered");
    assert_eq!(rows[1]["detail"]["seconds"], 30);

    let rows = expect_rows(&desk, &tried.sid, 3).await;
    let decisions: Vec<&Value> = rows.iter().map(|row| &row["decision"]).collect();
    assert_eq!(decisions, ["ring", "ring", "call_answered"]);
    assert_eq!(
        rows[0]["detail"]["result"],
        json!({"step": 1, "rung": ["Sergio"], "seconds": 15})
    );
    assert!(
        rows[1]["reason"].as_str().unwrap().contains("no-answer"),
        "{}",
        rows[1]["reason"]
    );
    assert_eq!(
        rows[2]["detail"]["step"], 2,
        "steps are counted as in the configuration, from 1, everywhere"
    );
    desk.close().await;
}

async fn a_caller_who_hangs_up_stops_the_ringing(database: Database) {
    let desk = desk(database).start().await;
    let calling = desk.twilio.calling(ALICE, LINE);
    let story = calling.caller(Caller::hanging_up_after(7)).place().await;
    assert_eq!(story.outcome, Outcome::HungUpByCaller);
    assert_eq!(story.rang(), [SERGIO_PHONE]);
    let rows = expect_rows(&desk, &story.sid, 2).await;
    assert_eq!(rows[1]["decision"], "caller_hung_up");
    desk.close().await;
}

async fn a_call_to_a_number_without_a_line_reaches_somebody(database: Database) {
    let mut desk = desk(database).start().await;
    desk.expect_error("a call came for a number that is no line");
    desk.twilio.set_phone(SERGIO_PHONE, Phone::pick_up(2));
    let story = desk.twilio.call(ALICE, SECOND_LINE).await;
    assert_eq!(bridged_with(&story), Some(SERGIO_PHONE));
    desk.close().await;
}
