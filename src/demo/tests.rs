use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::*;
use qdn_sandbox::{slack, twilio};

/// The page's server, with stand-ins behind it and no relay.
async fn served() -> (Demo, String) {
    let slack = SlackStandIn::start(slack::Settings::default())
        .await
        .unwrap();
    let twilio = TwilioStandIn::start(twilio::Settings::default())
        .await
        .unwrap();
    let demo = Demo::new(slack, twilio, "+16195550100");
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = router(demo.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (demo, address)
}

async fn act(address: &str, path: &str, body: Value) -> u16 {
    let request = reqwest::Client::new().post(format!("{address}/{path}"));
    request.json(&body).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn the_page_brings_everything_it_needs_and_allows_nothing_else() {
    let (_demo, address) = served().await;
    for (path, kind) in [
        ("", "text/html"),
        ("page.js", "text/javascript"),
        ("base.css", "text/css"),
    ] {
        let listed = files::ALL.iter().find(|file| file.0 == format!("/{path}"));
        assert!(
            listed.is_some_and(|file| file.1.starts_with(kind)),
            "{path}"
        );
    }
    for (path, kind, _) in files::ALL {
        let response = reqwest::get(format!("{address}{path}")).await.unwrap();
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert!(header("content-type").starts_with(kind), "{path}");
        assert!(header("content-security-policy").starts_with("default-src 'self'"));
        let text = response.text().await.unwrap();
        assert!(
            !text.contains("innerHTML") && !text.contains("https://"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_is_done_on_the_page_happens_in_the_stand_ins_and_shows() {
    let (demo, address) = served().await;
    let response = reqwest::get(format!("{address}/events")).await.unwrap();
    let mut stream = response.bytes_stream();
    let mut seen = String::new();
    let say = json!({"user": "U0DANA", "text": "a & b :lock: @Sergio", "thread_ts": null, "broadcast": false});
    assert_eq!(act(&address, "say", say).await, 200);
    let text = json!({"from": "+16195550142", "body": "hello <desk>", "picture": null});
    assert_eq!(act(&address, "text", text).await, 200);
    assert_eq!(
        demo.slack.roots("C0DISPATCH")[0].text,
        "a &amp; b :lock: <@U0SERGIO>"
    );
    assert_eq!(demo.twilio.messages()[0].body, "hello <desk>");
    // Slack's client takes it for a command, and knows none in threads.
    let root = demo.slack.roots("C0DISPATCH")[0].ts.clone();
    for text in ["/qdn who", "// a note"] {
        let say = json!({"user": "U0DANA", "text": text, "thread_ts": root, "broadcast": false});
        assert_eq!(act(&address, "say", say).await, 200);
    }
    assert!(demo.slack.thread("C0DISPATCH", &root).is_empty());
    let shown = async {
        while !(seen.contains("a &amp; b") && seen.contains("hello <desk>")) {
            seen.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
        }
    };
    tokio::time::timeout(Duration::from_secs(5), shown)
        .await
        .unwrap();
    assert!(seen.contains("event: state"));
    assert!(seen.contains("\"lock\":\"🔒\""));
}

#[tokio::test]
async fn strangers_to_the_page_and_broken_requests_are_refused() {
    let (_demo, address) = served().await;
    let text = json!({"from": "+16195550199", "body": "x", "picture": null});
    assert_eq!(act(&address, "text", text).await, 404);
    let picture = json!({"name": "x", "content_type": "image/png", "base64": "%"});
    let text = json!({"from": "+16195550142", "body": "x", "picture": picture});
    assert_eq!(act(&address, "text", text).await, 400);
    assert_eq!(act(&address, "say", json!({})).await, 422);
    let nowhere = json!({"act": "kill"});
    assert_eq!(act(&address, "relay", nowhere).await, 404);
    let form = reqwest::Client::new()
        .post(format!("{address}/say"))
        .body("user=U0DANA");
    assert_eq!(form.send().await.unwrap().status(), 415);
}

#[tokio::test]
async fn one_caller_more_can_text_until_there_are_enough() {
    let (demo, address) = served().await;
    let ken = json!({"from": "+16195550151", "body": "I am new", "picture": null});
    assert_eq!(act(&address, "text", ken.clone()).await, 404);
    assert_eq!(act(&address, "caller", json!({})).await, 200);
    assert_eq!(act(&address, "text", ken).await, 200);
    while act(&address, "caller", json!({})).await == 200 {}
    assert_eq!(act(&address, "caller", json!({})).await, 409);
    assert_eq!(demo.callers.list().len(), 8);
}

#[tokio::test]
async fn trouble_comes_and_goes() {
    let (demo, address) = served().await;
    let is_up = async |url: String| reqwest::get(url).await.is_ok();
    for (what, url) in [
        ("slack_down", demo.slack.url()),
        ("twilio_down", demo.twilio.url()),
    ] {
        for on in [true, false] {
            let body = json!({"what": what, "on": on});
            assert_eq!(act(&address, "trouble", body).await, 200);
            assert_eq!(is_up(url.clone()).await, !on, "{what}");
            assert_eq!(demo.trouble.shown()[what], on);
        }
    }
    for on in [true, false] {
        let body = json!({"what": "answers_lost", "on": on});
        assert_eq!(act(&address, "trouble", body).await, 200);
        let lost = demo.twilio.faults().next("Messages.create");
        assert_eq!(lost.is_some(), on);
    }
}

/// A relay that only knows how to ring Sergio.
async fn voice() -> String {
    let twiml =
        "<Response><Dial answerOnBridge=\"true\"><Number>+16195550111</Number></Dial></Response>";
    let answer = move || async move { ([(header::CONTENT_TYPE, "text/xml")], twiml) };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn a_call_rings_the_desk_s_phones_and_is_answered_on_the_page() {
    let (demo, address) = served().await;
    demo.twilio.set_relay(&voice().await, None);
    assert_eq!(
        act(&address, "call", json!({"from": "+16195550142"})).await,
        200
    );
    let sid = demo.twilio.live_calls()[0].sid().to_owned();
    for (what, next) in [("", "ringing"), ("pick_up", "talking"), ("hang_up", "idle")] {
        if !what.is_empty() {
            let body = json!({"sid": sid, "number": "+16195550111", "act": what});
            assert_eq!(act(&address, "call-act", body).await, 200);
        }
        let reached = demo.twilio.wait_until(Duration::from_secs(5), |_| {
            calls::shown(&demo)[0]["phones"][0]["is"] == next
        });
        assert!(reached.await, "{next}: {}", calls::shown(&demo));
    }
    let over = |_: &TwilioStandIn| calls::shown(&demo)[0]["is_over"] == true;
    assert!(demo.twilio.wait_until(Duration::from_secs(5), over).await);
    let call = calls::shown(&demo)[0].clone();
    assert!(
        call["outcome"]
            .as_str()
            .unwrap()
            .starts_with("talked to Sergio"),
        "{call}"
    );
    assert_eq!(demo.twilio.violations(), Vec::<String>::new());
    let nothing = json!({"sid": "CA0", "number": null, "act": "hang_up"});
    assert_eq!(act(&address, "call-act", nothing).await, 404);
}
