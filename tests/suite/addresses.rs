//! The addresses that Twilio is given: what they carry stands in the path, and a call goes on whatever became of it.

use qdn_sandbox::twilio;
use qdn_sandbox::twilio::signature;

use crate::desk::{ALICE, BACKUP_PHONE, BOB, Database, Desk, LINE, PUBLIC_URL, SERGIO_PHONE};
use crate::forged::{Answer, Pairs, pairs, post_to_twilio_route, sid};

stories! {
    every_address_carries_what_it_does_in_its_path,
    addresses_of_an_older_version_still_count,
    a_call_whose_address_cannot_be_read_goes_on,
}

/// A request that Twilio signed for exactly this path.
async fn signed(desk: &mut Desk, path: &str, params: &Pairs) -> Answer {
    let token = twilio::Settings::default().auth_token;
    let signature = signature::sign(&token, &format!("{PUBLIC_URL}{path}"), params);
    post_to_twilio_route(desk, path, &signature, params).await
}

/// What every request of a call has.
fn of_call(call: &str, more: &[(&str, &str)]) -> Pairs {
    let account = twilio::Settings::default().account_sid;
    let common = [
        ("CallSid", call),
        ("AccountSid", account.as_str()),
        ("From", ALICE),
        ("To", LINE),
        ("CallStatus", "in-progress"),
    ];
    [pairs(&common), pairs(more)].concat()
}

fn expect_twiml(answer: &Answer, part: &str) {
    let content_type = answer.headers.get("content-type");
    let content_type = content_type.map(|value| value.to_str().unwrap());
    assert_eq!((answer.status, content_type), (200, Some("text/xml")));
    assert!(answer.body.contains(part), "{part} in {}", answer.body);
}

async fn every_address_carries_what_it_does_in_its_path(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(BOB).await;
    desk.reply(&root, "On our way").await;
    let sms = desk.expect_sms(1).await.remove(0);
    let story = desk.twilio.call(ALICE, LINE).await;
    assert_eq!(story.rang(), [SERGIO_PHONE, BACKUP_PHONE]);
    desk.expect_quiet().await;
    let mut addresses = vec![sms.status_callback.unwrap()];
    for exchange in &story.exchanges {
        for attribute in ["action=", "url=", "statusCallback=", "Callback="] {
            for (_, rest) in exchange
                .body
                .match_indices(attribute)
                .map(|(at, _)| exchange.body[at..].split_once('"').unwrap())
            {
                addresses.push(rest.split('"').next().unwrap().to_owned());
            }
        }
    }
    for what in [
        "status",
        "dial",
        "screen",
        "leg",
        "recorded",
        "recording",
        "transcription",
    ] {
        let begins = format!("{PUBLIC_URL}/api/twilio/{what}/");
        let of_kind: Vec<&str> = addresses
            .iter()
            .filter_map(|url| url.strip_prefix(&begins))
            .collect();
        assert!(!of_kind.is_empty(), "{what}: {addresses:?}");
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        assert!(
            of_kind.iter().all(|value| value.bytes().all(is_plain)),
            "{of_kind:?}"
        );
    }
    assert!(
        addresses.iter().all(|url| url.starts_with(PUBLIC_URL)),
        "{addresses:?}"
    );
    assert_eq!(desk.metric("qdn_signatures_refused_total").await, 0.0);
    desk.close().await;
}

async fn addresses_of_an_older_version_still_count(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let call = sid("CA", '7');
    let leg = sid("CA", '8');
    let first = signed(
        &mut desk,
        "/api/twilio/dispatch-route",
        &of_call(&call, &[]),
    )
    .await;
    expect_twiml(&first, SERGIO_PHONE);
    // In either order: as they were given, and as they are requested.
    let legs = format!("call={call}&line=%2B16195550100&round=1&person=Sergio");
    let sorted = format!("call={call}&line=%2B16195550100&person=Sergio&round=1");
    let picked_up = of_call(&leg, &[("ParentCallSid", &call)]);
    for query in [&legs, &sorted] {
        let asked = signed(
            &mut desk,
            &format!("/api/twilio/screen?{query}"),
            &picked_up,
        )
        .await;
        expect_twiml(&asked, "<Gather");
    }
    let told = signed(&mut desk, &format!("/api/twilio/leg?{sorted}"), &picked_up).await;
    assert_eq!(told.status, 204);
    let ended = of_call(&call, &[("DialCallStatus", "no-answer")]);
    let query = "now=Sergio&out=&round=1&rung=&step=0&then=1";
    let next = signed(&mut desk, &format!("/api/twilio/dial?{query}"), &ended).await;
    expect_twiml(&next, BACKUP_PHONE);
    let ended = of_call(&call, &[("DialCallStatus", "no-answer")]);
    let query = "round=2&step=1&then=2&now=Backup&rung=Sergio&out=";
    let next = signed(&mut desk, &format!("/api/twilio/dial?{query}"), &ended).await;
    expect_twiml(&next, "<Record");
    let recording = of_call(&call, &[("RecordingUrl", "https://api.twilio.com/x")]);
    let goodbye = signed(
        &mut desk,
        "/api/twilio/recorded?line=%2B16195550100",
        &recording,
    )
    .await;
    expect_twiml(&goodbye, "<Hangup");
    desk.close().await;
}

async fn a_call_whose_address_cannot_be_read_goes_on(database: Database) {
    let mut desk = Desk::on(database).start().await;
    for words in [
        "cannot be read",
        "goes on from what it was last answered",
        "does not say which call",
    ] {
        desk.expect_error(words);
    }
    let call = sid("CA", '7');
    let leg = sid("CA", '8');
    // {"v":2}, no base64, nothing, a query in which everything is missing.
    let unreadable = ["/eyJ2IjoyfQ", "/%21%21", "", "?x=1"];
    let first = signed(
        &mut desk,
        "/api/twilio/dispatch-route",
        &of_call(&call, &[]),
    )
    .await;
    expect_twiml(&first, SERGIO_PHONE);
    let picked_up = of_call(&leg, &[("ParentCallSid", &call)]);
    for end in unreadable {
        let asked = signed(&mut desk, &format!("/api/twilio/screen{end}"), &picked_up).await;
        expect_twiml(&asked, "<Gather");
        for (digits, then) in [("1", "<Response/>"), ("2", "<Hangup")] {
            let pressed = of_call(&sid("CA", '9'), &[("Digits", digits)]);
            let answer = signed(&mut desk, &format!("/api/twilio/key{end}"), &pressed).await;
            expect_twiml(&answer, then);
        }
        for what in ["leg", "recording", "transcription"] {
            let told = signed(&mut desk, &format!("/api/twilio/{what}{end}"), &picked_up).await;
            assert_eq!(told.status, 204, "{what}{end}");
        }
        let goodbye = signed(
            &mut desk,
            &format!("/api/twilio/recorded{end}"),
            &of_call(&call, &[]),
        )
        .await;
        expect_twiml(&goodbye, "<Hangup");
    }
    // The call goes from step to step as if nothing were wrong, and ends with a message.
    let ended = of_call(&call, &[("DialCallStatus", "no-answer")]);
    for (end, then) in [("/eyJ2IjoyfQ", BACKUP_PHONE), ("/%21%21", "<Record")] {
        let next = signed(&mut desk, &format!("/api/twilio/dial{end}"), &ended).await;
        expect_twiml(&next, then);
    }
    // Whoever talked has talked, and whoever hung up is gone.
    let talked = of_call(
        &call,
        &[("DialCallStatus", "completed"), ("DialBridged", "true")],
    );
    for end in unreadable {
        let other = sid("CA", '6');
        let params: Pairs = talked
            .iter()
            .map(|(name, value)| match name.as_str() {
                "CallSid" => (name.clone(), other.clone()),
                _ => (name.clone(), value.clone()),
            })
            .collect();
        let over = signed(&mut desk, &format!("/api/twilio/dial{end}"), &params).await;
        expect_twiml(&over, "<Hangup");
    }
    // Of a call that nobody here has heard of, somebody is rung, and then a message taken.
    let strange = sid("CA", '5');
    let ended = of_call(&strange, &[("DialCallStatus", "no-answer")]);
    for then in [SERGIO_PHONE, BACKUP_PHONE, "<Record"] {
        let next = signed(&mut desk, "/api/twilio/dial/%21%21", &ended).await;
        expect_twiml(&next, then);
    }
    desk.close().await;
}
