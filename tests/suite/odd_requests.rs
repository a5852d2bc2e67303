//! Genuine requests that lack something, or have it in a shape that nobody documents: a caller waits behind each.

use qdn_sandbox::slack::signature as slack_signature;
use qdn_sandbox::twilio;
use qdn_sandbox::twilio::signature;

use crate::desk::{
    ALICE, BACKUP_PHONE, CHANNEL, DORA, Database, Desk, LINE, PUBLIC_URL, SERGIO_PHONE,
};
use crate::forged::{
    Answer, Pairs, command_params, encoded, now, pairs, post_to_slack_route, post_to_twilio_route,
    sid, slack_secret,
};

stories! {
    a_voice_webhook_is_answered_whatever_is_missing,
    odd_texts_are_shown,
    u0000_is_shown_as_its_picture,
}

async fn signed(desk: &mut Desk, path: &str, params: &Pairs) -> Answer {
    let token = twilio::Settings::default().auth_token;
    let signature = signature::sign(&token, &format!("{PUBLIC_URL}{path}"), params);
    post_to_twilio_route(desk, path, &signature, params).await
}

fn expect_twiml(answer: &Answer, what: &str) {
    let content_type = answer.headers.get("content-type");
    let content_type = content_type.map(|value| value.to_str().unwrap());
    assert_eq!(
        (answer.status, content_type),
        (200, Some("text/xml")),
        "{what}"
    );
    assert!(answer.body.contains("<Response"), "{what}: {}", answer.body);
}

/// The path of the first address of this kind in TwiML.
fn address(twiml: &str, what: &str) -> String {
    let path = format!("/api/twilio/{what}/");
    let at = twiml
        .find(&path)
        .unwrap_or_else(|| panic!("{path} in {twiml}"));
    twiml[at..].split('"').next().unwrap().to_owned()
}

fn of_call(call: &str) -> Pairs {
    let account = twilio::Settings::default().account_sid;
    pairs(&[
        ("CallSid", call),
        ("AccountSid", &account),
        ("From", ALICE),
        ("To", LINE),
        ("CallStatus", "in-progress"),
        ("Direction", "inbound"),
    ])
}

/// The form without each of its parameters, and with each in a shape of no use.
fn spoiled(params: &Pairs) -> Vec<(String, Pairs)> {
    let mut all = Vec::new();
    for (index, (name, _)) in params.iter().enumerate() {
        let mut without = params.clone();
        without.remove(index);
        all.push((format!("without {name}"), without));
        // Another account is refused, and nobody may wonder at it.
        for odd in ["", "\0", "💥 <&>", &"9".repeat(2_000)] {
            let mut misshapen = params.clone();
            misshapen[index].1 = odd.to_owned();
            if name != "AccountSid" {
                all.push((format!("{name} = {odd:.10}"), misshapen));
            }
        }
    }
    all
}

async fn a_voice_webhook_is_answered_whatever_is_missing(database: Database) {
    let mut desk = Desk::on(database).start().await;
    for words in [
        "a call came for a number that is no line",
        "does not say which call",
        "cannot be written down",
    ] {
        desk.expect_error(words);
    }
    let route = "/api/twilio/dispatch-route";
    let call = sid("CA", '1');
    let first = signed(&mut desk, route, &of_call(&call)).await;
    for (what, params) in spoiled(&of_call(&call)) {
        let answer = signed(&mut desk, route, &params).await;
        expect_twiml(&answer, &what);
        assert!(answer.body.contains("<Dial"), "{what}: {}", answer.body);
    }
    // The end of a ring that does not say how it ended leads to the next step.
    let dial = address(&first.body, "dial");
    let ended = [of_call(&call), pairs(&[("DialBridged", "false")])].concat();
    let next = signed(&mut desk, &dial, &ended).await;
    assert!(next.body.contains(BACKUP_PHONE), "{}", next.body);
    let all = [
        ("DialCallStatus", "no-answer"),
        ("DialCallSid", &sid("CA", '2')),
        ("DialCallDuration", "3"),
        ("DialBridged", "false"),
    ];
    for (what, params) in spoiled(&[of_call(&call), pairs(&all)].concat()) {
        let answer = signed(&mut desk, &dial, &params).await;
        expect_twiml(&answer, &what);
        assert!(
            !answer.body.contains(SERGIO_PHONE),
            "{what}: {}",
            answer.body
        );
    }
    let leg = sid("CA", '3');
    let more = pairs(&[("ParentCallSid", &call), ("Digits", "1")]);
    let of_leg = [of_call(&leg), more].concat();
    let screen = address(&first.body, "screen");
    let asked = signed(&mut desk, &screen, &of_leg).await;
    let key = address(&asked.body, "key");
    let voicemail = signed(&mut desk, &address(&next.body, "dial"), &ended).await;
    let recorded = address(&voicemail.body, "recorded");
    for (path, params) in [
        (&screen, &of_leg),
        (&key, &of_leg),
        (
            &recorded,
            &[
                of_call(&call),
                pairs(&[("RecordingUrl", "x"), ("RecordingDuration", "3")]),
            ]
            .concat(),
        ),
    ] {
        expect_twiml(&signed(&mut desk, path, &Vec::new()).await, path);
        for (what, params) in spoiled(params) {
            expect_twiml(
                &signed(&mut desk, path, &params).await,
                &format!("{path} {what}"),
            );
        }
    }
    for what in ["leg", "recording", "transcription"] {
        let path = match what {
            "leg" => address(&first.body, what),
            _ => address(&voicemail.body, what),
        };
        let all = [
            ("RecordingSid", "RE1"),
            ("RecordingStatus", "completed"),
            ("TranscriptionStatus", "completed"),
        ];
        for (how, params) in spoiled(&[of_call(&call), pairs(&all)].concat()) {
            let answer = signed(&mut desk, &path, &params).await;
            assert_eq!(answer.status, 204, "{what} {how}");
        }
    }
    desk.close().await;
}

async fn odd_texts_are_shown(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    // By RCS from the same telephone, to what RCS calls us: the same conversation.
    let rcs = format!("rcs:{ALICE}");
    let by_rcs = desk
        .twilio
        .inbound(&rcs, LINE, "by RCS")
        .param("To", "rcs:qdn_agent");
    let odd = [
        by_rcs,
        desk.twilio
            .inbound(&rcs, LINE, "")
            .without("Body")
            .param("ButtonText", "Yes, please"),
        desk.twilio
            .inbound(ALICE, LINE, "")
            .without("Body")
            .param("Latitude", "32.7")
            .param("Longitude", "-117.1"),
        desk.twilio
            .inbound(ALICE, LINE, "no count")
            .without("NumMedia"),
        desk.twilio
            .inbound(ALICE, LINE, "odd count")
            .param("NumMedia", "several"),
        desk.twilio
            .inbound(ALICE, LINE, "odd word")
            .param("OptOutType", "SNOOZE"),
        desk.twilio
            .inbound(ALICE, LINE, "other names")
            .without("MessageSid"),
        desk.twilio
            .inbound(ALICE, LINE, "no account")
            .without("AccountSid"),
        desk.twilio.inbound(ALICE, LINE, "").without("Body"),
    ];
    for text in odd {
        assert_eq!(text.send().await.status, 200);
    }
    let words = [
        "by RCS",
        "Yes, please",
        "32.7, -117.1",
        "no count",
        "odd count",
        "odd word",
        "other names",
        "no account",
        "(an empty text)",
    ];
    for words in words {
        desk.expect_words_in_thread(&root.ts, words).await;
    }
    desk.reply(&root, "Got it").await;
    desk.expect_texted(ALICE, &["Got it"]).await;

    // Other channels' addresses are nobody's telephone: each has a thread of its own, and is not texted.
    let others = [
        "whatsapp:+16195550143",
        "messenger:1234567890",
        "rcs:no_number",
    ];
    for (nth, from) in others.into_iter().enumerate() {
        let text = desk.twilio.inbound(from, LINE, "from elsewhere");
        assert_eq!(text.send().await.status, 200, "{from}");
        let root = desk.expect_roots(2 + nth).await.remove(1 + nth);
        desk.expect_root(&root, from).await;
        desk.reply(&root, "Hello?").await;
        desk.expect_words_in_thread(&root.ts, "cannot be texted")
            .await;
    }
    desk.expect_quiet().await;
    desk.expect_sms(1).await;
    // An unknown OptOutType does not hide a STOP.
    let stop = desk
        .twilio
        .inbound(ALICE, LINE, "STOP")
        .param("OptOutType", "SNOOZE");
    assert_eq!(stop.send().await.status, 200);
    desk.expect_audited("opted_out", 1).await;
    desk.close().await;
}

async fn u0000_is_shown_as_its_picture(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_error("a call came for a number that is no line");
    // A text, wherever it may have one.
    let text =
        desk.twilio
            .inbound(ALICE, LINE, "nul \0 in words")
            .place("SAN\0DIEGO", "C\0", "U\0");
    assert_eq!(text.param("Extra\0", "\0").send().await.status, 200);
    let root = desk.expect_thread().await;
    desk.expect_root(&root, "nul \u{2400} in words").await;
    let from_nul = desk.twilio.inbound("AC\0ME", LINE, "nul in the sender");
    assert_eq!(from_nul.send().await.status, 200);
    desk.expect_roots(2).await;

    // A reply, a command, a form, a press.
    let words = "nul \0 in a reply";
    desk.slack
        .post_as(DORA, CHANNEL, Some(&root.ts), words)
        .await;
    desk.expect_texted(ALICE, &["nul \u{2400} in a reply"])
        .await;
    let sms = desk.expect_sms(1).await.remove(0);
    let at = now().to_string();
    let mut command = command_params(DORA, "away Sergio lu\0nch", "trigger.nul");
    command.push(("user_name\0".into(), "\0".into()));
    let press = r#"{"type":"block_actions","user":{"id":"U0DORA"},"team":{"id":"T0QDN"},"trigger_id":"t\u0000","actions":[{"action_id":"held_send\u0000","value":"\u0000"}]}"#;
    for (path, body) in [
        ("/api/slack/commands", encoded(&command)),
        ("/api/slack/interactions", encoded(&pairs(&[("payload", press)]))),
        ("/api/slack/events", r#"{"type":"event_callback","team_id":"T0QDN","event":{"type":"message","channel":"C0DISPATCH","user":"U0DORA","text":"a\u0000","ts":"1800000000.000100"}}"#.to_owned()),
    ] {
        let signature = slack_signature::sign(&slack_secret(), &at, body.as_bytes());
        let answer = post_to_slack_route(&mut desk, path, &at, &signature, &body).await;
        assert_eq!(answer.status, 200, "{path}");
    }

    // Calls, and what is told of them and of texts.
    let call = sid("CA", '1');
    let account = twilio::Settings::default().account_sid;
    let odd = |more: &[(&str, &str)]| {
        let common = [
            ("CallSid", call.as_str()),
            ("AccountSid", &account),
            ("To", LINE),
        ];
        [pairs(&common), pairs(more)].concat()
    };
    let began = odd(&[
        ("From", "no\0number"),
        ("CallStatus", "ring\0ing"),
        ("FromCity", "SAN\0"),
    ]);
    let first = signed(&mut desk, "/api/twilio/dispatch-route", &began).await;
    expect_twiml(&first, "a call");
    let (dial, leg) = (address(&first.body, "dial"), address(&first.body, "leg"));
    let told = odd(&[("From", "no\0number"), ("CallStatus", "in-\0progress")]);
    assert_eq!(signed(&mut desk, &leg, &told).await.status, 204);
    let ended = odd(&[("From", "no\0number"), ("DialCallStatus", "no\0answer")]);
    let voicemail = signed(&mut desk, &dial, &ended).await;
    expect_twiml(&voicemail, "nobody is left");
    let said = odd(&[
        ("RecordingSid", "RE\0"),
        ("TranscriptionStatus", "completed"),
        ("TranscriptionText", "nul \0 in a message"),
    ]);
    let transcription = address(&voicemail.body, "transcription");
    assert_eq!(signed(&mut desk, &transcription, &said).await.status, 204);
    let status = sms.status_callback.unwrap();
    let report = pairs(&[
        ("MessageSid", &sms.sid),
        ("AccountSid", &account),
        ("MessageStatus", "deliv\0ered"),
    ]);
    let answer = signed(&mut desk, status.strip_prefix(PUBLIC_URL).unwrap(), &report).await;
    assert_eq!(answer.status, 204);
    desk.expect_roots(4).await;
    desk.expect_quiet().await;
    let facts = "select count(*) from call_event where call_sid like 'CA1111%'";
    assert_eq!(
        desk.query_one(facts).await,
        4,
        "nothing of the call was dropped"
    );
    desk.close().await;
}
