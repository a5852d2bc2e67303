use super::*;
use crate::twilio::Forgery;

#[tokio::test]
async fn a_text_arrives_signed_and_complete() {
    let (stand_in, relay, _host) = start_quiet().await;
    let text = stand_in.inbound(CALLER, OURS, "hello & goodbye ñ 👋");
    let receipt = text.place("SAN DIEGO", "CA", "US").send().await;
    assert_eq!(receipt.status, 200);
    let seen = &relay.seen()[0];
    assert!(seen.signed);
    assert_eq!(seen.path, "/api/twilio/dispatch-route");
    for (name, value) in [
        ("MessageSid", receipt.sid.as_str()),
        ("SmsMessageSid", &receipt.sid),
        ("From", CALLER),
        ("To", OURS),
        ("Body", "hello & goodbye ñ 👋"),
        ("NumMedia", "0"),
        ("NumSegments", "1"),
        ("FromCity", "SAN DIEGO"),
        ("SmsStatus", "received"),
        ("ApiVersion", "2010-04-01"),
    ] {
        assert_eq!(seen.param(name), value, "{name}");
    }
    assert!(stand_in.messages()[0].inbound);
    assert_eq!(stand_in.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_query_is_signed_as_given_and_requested_sorted() {
    let (stand_in, relay, _host) = start_quiet().await;
    for (given, requested, signed) in [
        ("/status?o=1&a=2", "a=2&o=1", false),
        ("/status?a=2&o=1", "a=2&o=1", true),
        ("/status/eyJ2IjoxfQ", "", true),
    ] {
        let url = format!("{BASE}{given}");
        stand_in.forge_callback(&url, &[], Forgery::None).await;
        let seen = relay.seen().pop().unwrap();
        assert_eq!((seen.query.as_str(), seen.signed), (requested, signed));
    }
}

#[tokio::test]
async fn a_text_may_come_often_or_only_be_in_the_log() {
    let (stand_in, relay, _host) = start_quiet().await;
    let receipts = stand_in
        .inbound(CALLER, OURS, "x")
        .repeat(64)
        .send_all()
        .await;
    assert_eq!(receipts.len(), 64);
    assert_eq!(stand_in.messages().len(), 1);
    let withheld = stand_in.inbound(CALLER, OURS, "y").withhold_webhook();
    let withheld = withheld.send().await;
    assert_eq!(relay.seen().len(), 64);
    assert_eq!(stand_in.messages().len(), 2);
    stand_in.deliver_webhook(&withheld.sid).await;
    assert_eq!(relay.seen()[64].param("MessageSid"), withheld.sid);
}

#[tokio::test]
async fn invalid_utf8_goes_out_as_it_is_and_is_signed_as_it_is_read() {
    let (stand_in, relay, _host) = start_quiet().await;
    let text = stand_in.inbound(CALLER, OURS, "").raw_body(b"a\xff\0b");
    assert_eq!(text.send().await.status, 200);
    assert!(relay.seen()[0].signed);
    assert_eq!(relay.seen()[0].param("Body"), "a\u{fffd}\0b");
    assert_eq!(stand_in.messages()[0].body, "a\u{fffd}\0b");
}

#[tokio::test]
async fn forged_texts_are_refused_and_leave_no_trace() {
    let (stand_in, relay, _host) = start_quiet().await;
    for forgery in [
        Forgery::Unsigned,
        Forgery::Token("other".into()),
        Forgery::Signature("AAAA".into()),
        Forgery::Url("http://127.0.0.1/".into()),
        Forgery::Changed("Body".into(), "changed".into()),
    ] {
        let text = stand_in.inbound(CALLER, OURS, "x").forged(forgery.clone());
        assert_eq!(text.send().await.status, 403, "{forgery:?}");
    }
    assert!(relay.seen().iter().all(|seen| !seen.signed));
    assert!(stand_in.messages().is_empty());
    assert_eq!(stand_in.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_that_is_not_twiml_is_a_violation() {
    for (content_type, body) in [
        ("text/plain", "ok"),
        ("application/json", "{}"),
        ("text/xml", "<Response>"),
        ("text/xml", "<Response><Say>x</Say></Response>"),
        ("text/xml", "<Response><Message>x</Message></Response>"),
    ] {
        let respond = move |_: &Seen| ([("content-type", content_type)], body).into_response();
        let (stand_in, _relay, _host) = start(respond).await;
        stand_in.text(CALLER, OURS, "x").await;
        assert!(!stand_in.violations().is_empty(), "{content_type} {body}");
    }
    let (stand_in, _relay, _host) = start(|_| StatusCode::BAD_GATEWAY.into_response()).await;
    assert_eq!(stand_in.text(CALLER, OURS, "x").await.status, 502);
    assert_eq!(stand_in.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn media_are_hosted_and_may_need_two_hops() {
    let (stand_in, relay, _host) = start_quiet().await;
    let text = stand_in
        .inbound(CALLER, OURS, "look")
        .media("image/png", &b"picture"[..]);
    let sid = text.send().await.sid;
    assert!(sid.starts_with("MM"));
    let seen = relay.seen()[0].clone();
    assert_eq!(seen.param("MediaContentType0"), "image/png");
    let url = seen.param("MediaUrl0");
    let bytes = reqwest::get(url).await.unwrap().bytes().await.unwrap();
    assert_eq!(&bytes[..], b"picture");

    stand_in.set_media_auth(true);
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    assert_eq!(client.get(url).send().await.unwrap().status(), 401);
    assert_eq!(stand_in.take_violations().len(), 1);
    let settings = Settings::default();
    let request = client
        .get(url)
        .basic_auth(&settings.api_key, Some(&settings.api_secret));
    let redirect = request.send().await.unwrap();
    assert_eq!(redirect.status(), 307);
    let second = redirect.headers()["location"].to_str().unwrap();
    let leaking = client
        .get(second)
        .basic_auth("a", Some("b"))
        .send()
        .await
        .unwrap();
    assert_eq!(leaking.status(), 400);
    assert_eq!(stand_in.take_violations().len(), 1);
    let bytes = client
        .get(second)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_eq!(&bytes[..], b"picture");
    let (_, list) = get(&stand_in, &format!("/Messages/{sid}/Media.json")).await;
    assert_eq!(list["media_list"][0]["content_type"], "image/png");
}

#[tokio::test]
async fn pictures_of_a_create_are_fetched_from_the_relay() {
    let script = |_: &Seen| ([("content-type", "image/jpeg")], "photo").into_response();
    let (stand_in, _relay, _host) = start(script).await;
    let form = [
        ("To", CALLER),
        ("From", OURS),
        ("MediaUrl", "https://relay.example/media/1?sig=x"),
    ];
    let (_, json) = post(&stand_in, "/Messages.json", &form).await;
    let sid = json["sid"].as_str().unwrap();
    assert!(
        stand_in
            .wait_until(SOON, |it| !it.media_of(sid).is_empty())
            .await
    );
    assert_eq!(stand_in.media_of(sid)[0].0, "image/jpeg");
}

#[tokio::test]
async fn a_relay_that_is_down_gets_no_text_and_the_fallback_does() {
    let (stand_in, relay, host) = start_quiet().await;
    stand_in.configure_number(OURS, |number| {
        number.sms_fallback_url = format!("{BASE}/fallback");
    });
    host.down().await;
    assert_eq!(stand_in.text(CALLER, OURS, "x").await.status, 0);
    assert_eq!(stand_in.messages().len(), 1);
    host.up().await.unwrap();
    stand_in.configure_number(OURS, |number| {
        number.sms_url = "http://127.0.0.1:9/".to_owned();
    });
    stand_in.text(CALLER, OURS, "x").await;
    let seen = relay.seen();
    assert_eq!(seen[0].path, "/fallback");
    assert_eq!(seen[0].param("ErrorCode"), "11205");
}

#[tokio::test]
async fn a_request_is_made_again_as_its_fragment_says() {
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = asked.clone();
    let script = move |_: &Seen| match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 | 1 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        _ => twiml("<Response/>"),
    };
    let (stand_in, relay, _host) = start(script).await;
    assert_eq!(stand_in.text(CALLER, OURS, "x").await.status, 503);
    stand_in.configure_number(OURS, |number| number.sms_url.push_str("#rc=2&rp=5xx,ct"));
    assert_eq!(stand_in.text(CALLER, OURS, "y").await.status, 200);
    let seen = relay.seen();
    assert!(
        seen.iter().all(|seen| seen.signed),
        "the fragment is no part of it"
    );
    let tokens: Vec<&str> = seen.iter().map(|seen| seen.token.as_str()).collect();
    assert_eq!(tokens.len(), 3);
    assert!(tokens[0] != tokens[1] && tokens[1] == tokens[2]);
    stand_in.configure_number(OURS, |number| number.sms_url.push_str(",3xx"));
    stand_in.text(CALLER, OURS, "z").await;
    assert_eq!(stand_in.violations().len(), 1);
}
