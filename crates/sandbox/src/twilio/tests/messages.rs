use super::*;
use crate::faults::Effect;
use crate::twilio::Callbacks;

#[tokio::test]
async fn a_create_is_answered_as_twilio_does_and_logged() {
    let (stand_in, _relay, _host) = start_quiet().await;
    let form = [
        ("To", CALLER),
        ("From", OURS),
        ("Body", "hello"),
        ("StatusCallback", "https://relay.example/s?id=1"),
        ("ValidityPeriod", "60"),
    ];
    let (status, json) = post(&stand_in, "/Messages.json", &form).await;
    assert_eq!(status, 201);
    assert_eq!(json["status"], "queued");
    assert_eq!(json["direction"], "outbound-api");
    assert_eq!(json["num_segments"], "1");
    assert_eq!(json["date_sent"], Value::Null);
    let created = stand_in.wait_for_created(1, SOON).await.unwrap();
    assert_eq!(created[0].body, "hello");
    assert_eq!(created[0].validity_period, Some(60));
    assert_eq!(created[0].sid, json["sid"]);
    assert_eq!(created[0].sid.len(), 34);
    let (status, fetched) = get(&stand_in, &format!("/Messages/{}.json", created[0].sid)).await;
    assert_eq!((status, &fetched["body"]), (200, &json["body"]));
    assert_eq!(stand_in.violations(), Vec::<String>::new());
    assert_eq!(stand_in.uses_of_auth_token(), 0);
}

#[tokio::test]
async fn what_a_client_should_not_send_is_refused_and_a_violation() {
    let (stand_in, _relay, _host) = start_quiet().await;
    let long = "x".repeat(1601);
    let to_from_body = |to, from, body| vec![("To", to), ("From", from), ("Body", body)];
    for (form, code) in [
        (to_from_body("", OURS, "x"), 21604),
        (to_from_body(CALLER, "", "x"), 21603),
        (to_from_body(CALLER, OURS, ""), 21602),
        (to_from_body(CALLER, OURS, &long), 21617),
        (to_from_body("6195550142", OURS, "x"), 21211),
        (to_from_body(CALLER, "+16195550199", "x"), 21606),
        (to_from_body(OURS, OURS, "x"), 21266),
        (
            [
                to_from_body(CALLER, OURS, "x"),
                vec![("ValidityPeriod", "0")],
            ]
            .concat(),
            21624,
        ),
        (
            [
                to_from_body(CALLER, OURS, "x"),
                vec![("StatusCallback", "https://a_b.example/")],
            ]
            .concat(),
            21609,
        ),
        (
            [
                to_from_body(CALLER, OURS, "x"),
                vec![("MediaUrl", "https://relay.example/"); 11],
            ]
            .concat(),
            21623,
        ),
    ] {
        let (status, json) = post(&stand_in, "/Messages.json", &form).await;
        assert_eq!(
            (status, json["code"].as_u64()),
            (400, Some(code)),
            "{form:?}"
        );
        assert_eq!(stand_in.take_violations().len(), 1, "{form:?}");
    }
    assert!(stand_in.created().is_empty());
    let form = [to_from_body(CALLER, OURS, "x"), vec![("Bdoy", "x")]].concat();
    assert_eq!(post(&stand_in, "/Messages.json", &form).await.0, 201);
    assert_eq!(stand_in.take_violations().len(), 1);
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let (stand_in, _relay, _host) = start_quiet().await;
    let url = account_url(&stand_in, "/Messages.json");
    let client = reqwest::Client::new();
    let bare = client.get(&url).send().await.unwrap();
    assert_eq!(bare.status(), 401);
    let wrong = client.get(&url).basic_auth("SK1", Some("x")).send();
    let json: Value = wrong.await.unwrap().json().await.unwrap();
    assert_eq!(json["code"], 20003);
    assert_eq!(get(&stand_in, "/Nothing.json").await.0, 404);
    assert_eq!(stand_in.take_violations().len(), 3);

    let settings = Settings::default();
    let account = format!(
        "{}/2010-04-01/Accounts/{}.json",
        stand_in.url(),
        settings.account_sid
    );
    assert_eq!(answer(client.get(&account)).await.0, 401);
    let token = client
        .get(&account)
        .basic_auth(settings.account_sid, Some(settings.auth_token));
    assert_eq!(token.send().await.unwrap().status(), 200);
    assert_eq!(stand_in.uses_of_auth_token(), 1);
    assert_eq!(stand_in.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn some_numbers_are_refused_without_anybodys_mistake() {
    let (stand_in, _relay, _host) = start_quiet().await;
    let form = [("To", CALLER), ("From", OURS), ("Body", "x")];
    stand_in.refuse_number(CALLER, Some(21614));
    let (status, json) = post(&stand_in, "/Messages.json", &form).await;
    assert_eq!((status, &json["code"]), (400, &21614.into()));
    stand_in.refuse_number(CALLER, None);
    stand_in.text(CALLER, OURS, " stop ").await;
    let (status, json) = post(&stand_in, "/Messages.json", &form).await;
    assert_eq!((status, &json["code"]), (400, &21610.into()));
    stand_in.text(CALLER, OURS, "Start").await;
    assert_eq!(post(&stand_in, "/Messages.json", &form).await.0, 201);
    assert_eq!(stand_in.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn the_list_has_pages_that_nothing_new_shifts() {
    let (stand_in, _relay, _host) = start_quiet().await;
    for n in 0..5 {
        stand_in.text(CALLER, OURS, &format!("in {n}")).await;
    }
    create(&stand_in, "out").await;
    let filter = "/Messages.json?To=%2B16195550100&PageSize=2&DateSent%3E=2026-01-01";
    let (_, first) = get(&stand_in, filter).await;
    assert_eq!(first["messages"][0]["body"], "in 4");
    assert_eq!(first["page_size"], 2);
    stand_in.text(CALLER, OURS, "new").await;
    let mut bodies = Vec::new();
    let mut page = first;
    loop {
        for message in page["messages"].as_array().unwrap() {
            bodies.push(message["body"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["next_page_uri"].as_str() else {
            break;
        };
        let url = format!("{}{next}", stand_in.url());
        page = answer(reqwest::Client::new().get(url)).await.1;
    }
    assert_eq!(bodies, ["in 4", "in 3", "in 2", "in 1", "in 0"]);
    let (_, all) = get(&stand_in, "/Messages.json").await;
    assert_eq!(all["messages"][0]["body"], "out");
    assert_eq!(get(&stand_in, "/Messages.json?Page=1").await.0, 400);
    assert_eq!(stand_in.violations(), Vec::<String>::new());
    stand_in.set_list_lag(Duration::from_secs(60));
    let (_, lagging) = get(&stand_in, "/Messages.json").await;
    assert_eq!(lagging["messages"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn a_message_is_sent_and_delivered_by_itself_when_told_so() {
    let (stand_in, relay, _host) = start(|_| StatusCode::NO_CONTENT.into_response()).await;
    let tick = Duration::from_millis(10);
    stand_in.set_callbacks(Callbacks {
        before_answer: true,
        copies: 2,
        ..Callbacks::automatic(tick)
    });
    stand_in.fail_number("+16195550143", "undelivered", 30005);
    let form = |to| {
        [
            ("To", to),
            ("From", OURS),
            ("Body", "x"),
            ("StatusCallback", "https://relay.example/s?id=1"),
        ]
    };
    post(&stand_in, "/Messages.json", &form(CALLER)).await;
    assert_eq!(relay.seen().len(), 2, "before the answer");
    post(&stand_in, "/Messages.json", &form("+16195550143")).await;
    assert!(
        stand_in
            .wait_until(SOON, |it| it.callbacks().len() == 8)
            .await
    );
    let seen = relay.seen();
    assert!(seen.iter().all(|seen| seen.signed && seen.path == "/s"));
    let failed: Vec<_> = seen
        .iter()
        .filter(|seen| seen.param("MessageStatus") == "undelivered")
        .collect();
    assert_eq!(failed.len(), 2);
    assert_eq!(failed[0].param("ErrorCode"), "30005");
    assert_eq!(stand_in.messages()[0].status, "delivered");
    assert_eq!(stand_in.messages()[1].error_code, Some(30005));
    assert_eq!(stand_in.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_message_still_queued_after_its_validity_fails() {
    let (stand_in, relay, _host) = start(|_| StatusCode::OK.into_response()).await;
    let form = [
        ("To", CALLER),
        ("From", OURS),
        ("Body", "x"),
        ("StatusCallback", "https://relay.example/s"),
        ("ValidityPeriod", "1"),
    ];
    let (_, json) = post(&stand_in, "/Messages.json", &form).await;
    let sid = json["sid"].as_str().unwrap();
    assert!(
        stand_in
            .wait_until(SOON, |it| it.callbacks().len() == 1)
            .await
    );
    assert_eq!(relay.seen()[0].param("ErrorCode"), "30036");
    assert_eq!(stand_in.deliver_status(sid, "sent", None).await, None);
    assert_eq!(stand_in.message(sid).unwrap().status, "failed");
    assert_eq!(
        stand_in.deliver_callback(sid, "sent", None).await,
        Some(200)
    );
}

#[tokio::test]
async fn a_fault_loses_the_answer_and_not_the_message() {
    let (stand_in, _relay, _host) = start_quiet().await;
    let faults = stand_in.faults();
    faults.push("Messages.create", Effect::Reset.accepted());
    faults.push("Messages.create", Effect::Status(503).not_accepted());
    faults.push(
        "Messages.create",
        Effect::Error("20429".into()).not_accepted(),
    );
    faults.push("Messages.list", Effect::CutShort.accepted());
    let form = [("To", CALLER), ("From", OURS), ("Body", "x")];
    let settings = Settings::default();
    let request = reqwest::Client::new()
        .post(account_url(&stand_in, "/Messages.json"))
        .basic_auth(&settings.api_key, Some(&settings.api_secret))
        .form(&form);
    assert!(request.send().await.is_err());
    assert_eq!(stand_in.created().len(), 1);
    assert_eq!(post(&stand_in, "/Messages.json", &form).await.0, 503);
    assert_eq!(post(&stand_in, "/Messages.json", &form).await.0, 429);
    assert_eq!(stand_in.created().len(), 1);
    let (status, json) = get(&stand_in, "/Messages.json").await;
    assert_eq!((status, json), (200, Value::Null), "the body breaks off");
    stand_in.down().await;
    assert!(reqwest::get(stand_in.url()).await.is_err());
    stand_in.up().await.unwrap();
    assert_eq!(get(&stand_in, "/Messages.json").await.0, 200);
}

#[tokio::test]
async fn a_number_can_be_found_and_pointed_elsewhere() {
    let (stand_in, _relay, _host) = start_quiet().await;
    let list = "/IncomingPhoneNumbers.json?PhoneNumber=%2B16195550100";
    let (_, json) = get(&stand_in, list).await;
    let number = &json["incoming_phone_numbers"][0];
    assert_eq!(
        number["sms_url"],
        "https://relay.example/api/twilio/dispatch-route"
    );
    let sid = number["sid"].as_str().unwrap().to_owned();
    let rest = format!("/IncomingPhoneNumbers/{sid}.json");
    let (status, _) = post(
        &stand_in,
        &rest,
        &[("VoiceFallbackUrl", "https://b.example/")],
    )
    .await;
    assert_eq!(status, 200);
    let settings = stand_in.number_settings(OURS).unwrap();
    assert_eq!(settings.voice_fallback_url, "https://b.example/");
    let (status, _) = post(&stand_in, &rest, &[("SmsMethod", "PUT"), ("Nonsense", "1")]).await;
    assert_eq!(status, 400);
    assert_eq!(stand_in.take_violations().len(), 1);
    assert_eq!(stand_in.number_settings(OURS), Some(settings));
}
