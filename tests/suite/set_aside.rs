//! Callbacks of calls of which nothing is known hold up no other call, and are placed once it is known.

use qdn_sandbox::twilio;
use qdn_sandbox::twilio::signature;

use crate::desk::{ALICE, Database, Desk, LINE, PUBLIC_URL, http};

stories! {
    callbacks_of_unknown_calls_hold_up_no_other,
}

const UNKNOWN: &str = "CA77777777777777777777777777777777";

async fn send(desk: &mut Desk, path: &str, params: &[(&str, &str)]) -> u16 {
    let settings = twilio::Settings::default();
    let mut params: Vec<(String, String)> = params
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    params.push(("AccountSid".into(), settings.account_sid));
    let url = format!("{PUBLIC_URL}{path}");
    let signed = signature::sign(&settings.auth_token, &url, &params);
    let request = http().post(desk.url(path)).form(&params);
    let answer = request.header("x-twilio-signature", signed).send().await;
    answer.unwrap().status().as_u16()
}

async fn callbacks_of_unknown_calls_hold_up_no_other(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_error("something that happened in a call cannot be written down");
    let line = LINE.replace('+', "%2B");
    for n in 0..40 {
        let path = format!("/api/twilio/transcription?line={line}");
        let (call, recording) = match n {
            0 => (UNKNOWN.to_owned(), format!("RE{n:032x}")),
            n => (format!("CA{n:032x}"), format!("RE{n:032x}")),
        };
        let told = [
            ("CallSid", call.as_str()),
            ("RecordingSid", &recording),
            ("TranscriptionSid", "TR00000000000000000000000000000001"),
            ("TranscriptionStatus", "completed"),
            ("TranscriptionText", "please call me back"),
        ];
        assert_eq!(send(&mut desk, &path, &told).await, 204);
    }
    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(desk.twilio.call(ALICE, LINE).await.sid);
    }
    let rung = format!(
        "select seq from audit where decision = 'ring' and subject in ('{}')",
        calls.join("', '")
    );
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(15);
    while desk.numbers(rung.clone()).await.len() < calls.len() {
        let in_time = tokio::time::Instant::now() < deadline;
        assert!(in_time, "the audit of calls waits for callbacks of others");
    }
    // The beginning of one of them is heard of after all.
    let begins = [
        ("CallSid", UNKNOWN),
        ("From", ALICE),
        ("To", LINE),
        ("Direction", "inbound"),
        ("CallStatus", "ringing"),
    ];
    assert_eq!(
        send(&mut desk, "/api/twilio/dispatch-route", &begins).await,
        200
    );
    desk.expect_audited("message_transcribed", transcribed(&desk, &calls).await + 1)
        .await;
    desk.close().await;
}

/// How many messages of these calls were put in writing: the calls that nobody took left one.
async fn transcribed(desk: &Desk, calls: &[String]) -> usize {
    desk.expect_quiet().await;
    let sql = format!(
        "select seq from audit where decision = 'message_transcribed' and subject in ('{}')",
        calls.join("', '")
    );
    desk.numbers(sql).await.len()
}
