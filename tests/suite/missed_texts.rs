//! The text for missed calls: helpful once, a nuisance the second time.

use qdn_sandbox::twilio::{Caller, Party};

use crate::desk::{ALICE, BOB, Database, Desk, LINE, PATIENCE, SECOND_LINE, SERGIO_PHONE};

stories! {
    a_caller_who_rings_five_times_is_texted_once,
    lines_of_ours_do_not_text_each_other,
    people_of_the_desk_are_not_texted,
    a_false_number_is_not_texted_at_our_expense,
    a_line_texts_no_more_by_itself_than_its_limit,
    who_waits_through_the_first_ring_is_missed,
}

const TEXT: &str = "Sorry we missed you, write here and we answer.";

async fn desk(database: Database) -> Desk {
    Desk::on(database)
        .replace(
            "number = \"+16195550100\"",
            &format!("number = \"+16195550100\"\nmissed_call_text = \"{TEXT}\""),
        )
        .toml(
            "\n[[lines]]\nname = \"Airport\"\nnumber = \"+16195550101\"\nchannel = \"#qdn-dispatch\"\n\
             ring = [{ people = [\"Backup\"], seconds = 5 }]\n",
        )
        .start()
        .await
}

/// Whether the audit says of a call that its caller was texted, and why not.
async fn texted(desk: &Desk, call: &str) -> (bool, String) {
    let of_text = |row: &&serde_json::Value| {
        let decision = row["decision"].as_str().unwrap();
        matches!(decision, "caller_texted" | "caller_not_texted")
    };
    // A call is written down behind its answers.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut rows = desk.audit(&["--call", call]).await;
    while !rows.iter().any(|row| of_text(&row)) {
        assert!(tokio::time::Instant::now() < deadline, "{rows:#?}");
        rows = desk.audit(&["--call", call]).await;
    }
    let found: Vec<_> = rows.iter().filter(of_text).collect();
    assert_eq!(found.len(), 1, "{rows:#?}");
    let reason = found[0]["reason"].as_str().unwrap().to_owned();
    (found[0]["decision"] == "caller_texted", reason)
}

async fn a_caller_who_rings_five_times_is_texted_once(database: Database) {
    let desk = desk(database).await;
    for n in 0..5 {
        // Some wait for the beep, some do not.
        let caller = match n % 2 {
            0 => Caller::default(),
            _ => Caller::hanging_up_after(20),
        };
        let calling = desk.twilio.calling(ALICE, LINE).caller(caller);
        let story = calling.place().await;
        desk.expect_quiet().await;
        let (is_texted, reason) = texted(&desk, &story.sid).await;
        assert_eq!(is_texted, n == 0, "call {n}: {reason}");
        assert!(
            is_texted || reason.contains("less than an hour"),
            "{reason}"
        );
    }
    desk.expect_sms(1).await;
    // Another caller has a turn of their own.
    desk.twilio.call(BOB, LINE).await;
    assert_eq!(desk.expect_sms(2).await[1].to, BOB);
    // And so has the same one, another time.
    desk.execute("update call set started_at = started_at - 3600001")
        .await;
    desk.twilio.call(ALICE, LINE).await;
    assert_eq!(desk.expect_sms(3).await[2].to, ALICE);
    desk.expect_quiet().await;
    desk.close().await;
}

async fn lines_of_ours_do_not_text_each_other(database: Database) {
    let desk = desk(database).await;
    let story = desk.twilio.call(SECOND_LINE, LINE).await;
    desk.expect_quiet().await;
    let (is_texted, reason) = texted(&desk, &story.sid).await;
    assert!(!is_texted && reason.contains("our own lines"), "{reason}");
    desk.expect_sms(0).await;
    desk.close().await;
}

async fn people_of_the_desk_are_not_texted(database: Database) {
    let desk = desk(database).await;
    let story = desk.twilio.call(SERGIO_PHONE, LINE).await;
    desk.expect_quiet().await;
    let (is_texted, reason) = texted(&desk, &story.sid).await;
    assert!(!is_texted && reason.contains("own people"), "{reason}");
    desk.expect_sms(0).await;
    desk.close().await;
}

async fn a_false_number_is_not_texted_at_our_expense(database: Database) {
    let desk = desk(database).await;
    for (caller, why) in [
        ("+447700900123", "in a country the line does not serve"),
        ("+19005550123", "no number that takes texts"),
    ] {
        let story = desk.twilio.call(caller, LINE).await;
        desk.expect_quiet().await;
        let (is_texted, reason) = texted(&desk, &story.sid).await;
        assert!(!is_texted && reason.contains(why), "{caller}: {reason}");
    }
    desk.expect_sms(0).await;
    desk.close().await;
}

async fn a_line_texts_no_more_by_itself_than_its_limit(database: Database) {
    let desk = Desk::on(database)
        .replace(
            "number = \"+16195550100\"",
            &format!("number = \"+16195550100\"\nmissed_call_text = \"{TEXT}\""),
        )
        .toml("\n[limits]\nautomatic_per_hour = 1\n")
        .start()
        .await;
    for (caller, is_first) in [(ALICE, true), (BOB, false)] {
        let story = desk.twilio.call(caller, LINE).await;
        desk.expect_quiet().await;
        let (is_texted, reason) = texted(&desk, &story.sid).await;
        assert_eq!(is_texted, is_first, "{reason}");
        assert!(is_first || reason.contains("for an hour"), "{reason}");
    }
    desk.expect_sms(1).await;
    desk.close().await;
}

async fn who_waits_through_the_first_ring_is_missed(database: Database) {
    let desk = desk(database).await;
    for (caller, waits) in [(ALICE, false), (BOB, true)] {
        let call = desk.twilio.calling(caller, LINE).start(1.0);
        desk.expect_ringing(&call, SERGIO_PHONE).await;
        desk.expect_quiet().await;
        if waits {
            desk.execute("update call set started_at = started_at - 8000")
                .await;
        }
        call.hang_up(&Party::Caller);
        call.finished().await.unwrap();
        desk.expect_quiet().await;
    }
    let sms = desk.expect_sms(1).await.remove(0);
    assert_eq!(sms.to, BOB);
    let waiting = "select count(*) from conversation_status where waiting_since is not null";
    assert_eq!(desk.query_one(waiting).await, 1);
    desk.close().await;
}
