//! Tests the client against a listener that misbehaves in the ways a network can.

mod files;
mod listener;
mod lists;
mod stand_in;

use std::sync::Mutex;
use std::time::Instant;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use listener::{Act, Listener};

use super::*;
use crate::phone::{Address, PhoneNumber};
use crate::remote::Failure;
use crate::twilio::MessageSid;
use crate::twilio::message::MessageState;

const TIMEOUT: Duration = Duration::from_millis(400);

fn client(url: &str) -> Client {
    // The first test in this process installs the provider for all.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new(Settings {
        api_url: url.to_owned(),
        account_sid: AccountSid::parse(ACCOUNT).unwrap(),
        api_key: "SK-key".to_owned(),
        api_secret: "secret".into(),
        request_timeout: TIMEOUT,
    })
    .unwrap()
}

const ACCOUNT: &str = "AC00000000000000000000000000000000";

fn sid(n: u32) -> String {
    format!("SM{n:032}")
}

fn number() -> PhoneNumber {
    PhoneNumber::parse("+16195550100").unwrap()
}

fn text() -> NewMessage {
    NewMessage {
        from: number(),
        to: Address::new("+16195550142"),
        body: "On our way & ready".to_owned(),
        media_urls: Vec::new(),
        status_callback: "https://example.com/status?m=1".to_owned(),
        validity_period: Duration::from_secs(60),
    }
}

#[tokio::test]
async fn a_text_is_asked_for_as_the_api_wants_it() {
    let twilio = Listener::always(
        "201 Created",
        json!({"sid": sid(1), "status": "queued"}).to_string(),
    )
    .await;
    let message = client(&format!("{}/", twilio.url))
        .create_message(&text())
        .await
        .unwrap();
    assert_eq!(
        (message.sid.as_str(), message.status),
        (sid(1).as_str(), MessageState::Queued)
    );

    let request = &twilio.requests()[0];
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with(&format!(
            "POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1\r\n"
        )),
        "{head}"
    );
    let head = head.to_lowercase();
    // `SK-key:secret` in base64.
    assert!(
        head.contains("authorization: basic u0sta2v5onnly3jlda=="),
        "{head}"
    );
    assert!(
        head.contains("content-type: application/x-www-form-urlencoded"),
        "{head}"
    );
    assert_eq!(
        body,
        "To=%2B16195550142&From=%2B16195550100&StatusCallback=https%3A%2F%2Fexample.com%2Fstatus%3Fm%3D1\
         &ValidityPeriod=60&Body=On+our+way+%26+ready"
    );
}

#[tokio::test]
async fn pictures_alone_have_no_body() {
    let twilio = Listener::always("201 Created", json!({"sid": sid(1)}).to_string()).await;
    let media_urls = vec!["https://m/1".to_owned(), "https://m/2".to_owned()];
    let new = NewMessage {
        body: String::new(),
        media_urls,
        validity_period: Duration::MAX,
        ..text()
    };
    client(&twilio.url).create_message(&new).await.unwrap();
    let request = &twilio.requests()[0];
    assert!(request.ends_with(
        "&ValidityPeriod=36000&MediaUrl=https%3A%2F%2Fm%2F1&MediaUrl=https%3A%2F%2Fm%2F2"
    ));
}

#[tokio::test]
async fn an_answer_says_whether_the_text_was_sent() {
    let refused = |code: &str, message: &str| Failure::Refused {
        code: code.to_owned(),
        message: message.to_owned(),
    };
    let error = |code: u32, message: &str| {
        json!({"code": code, "message": message, "status": 400}).to_string()
    };
    let limited = |seconds| Failure::RateLimited {
        retry_after: seconds,
    };
    let table = [
        (
            "400 Bad Request",
            error(21610, "unsubscribed"),
            refused("21610", "unsubscribed"),
        ),
        (
            "400 Bad Request",
            error(
                21211,
                "The 'To' number +16195550142 is not valid: 16195550142 at 12:30",
            ),
            refused("21211", "The 'To' number …42 is not valid: …42 at 12:30"),
        ),
        (
            "401 Unauthorized",
            error(20003, "Authenticate"),
            refused("20003", "Authenticate"),
        ),
        (
            "404 Not Found",
            "<html>".to_owned(),
            refused("http 404", ""),
        ),
        ("400 Bad Request", String::new(), refused("http 400", "")),
        ("400 Bad Request", "[]".to_owned(), refused("http 400", "")),
        (
            "429 Too Many Requests\r\nretry-after: 7",
            error(20429, ""),
            limited(Some(Duration::from_secs(7))),
        ),
        (
            "429 Too Many Requests\r\nretry-after: soon",
            String::new(),
            limited(None),
        ),
        ("429 Too Many Requests", String::new(), limited(None)),
        (
            "429 Too Many Requests",
            error(63038, "daily limit"),
            refused("63038", "daily limit"),
        ),
    ];
    for (status, body, expected) in table {
        let twilio = Listener::always(status, body).await;
        assert_eq!(
            client(&twilio.url).create_message(&text()).await,
            Err(expected),
            "{status}"
        );
        assert_eq!(twilio.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn what_cannot_be_known_is_unknown_and_never_tried_again() {
    let whole = json!({"sid": sid(1)}).to_string();
    let cut = format!("HTTP/1.1 201 Created\r\ncontent-length: 4000\r\n\r\n{whole}");
    let table: Vec<(&str, Act)> = vec![
        ("hang", Act::Hang),
        ("close", Act::Close),
        ("reset", Act::Reset),
        ("not HTTP", Act::Raw("hello\r\n\r\n".to_owned())),
        ("half a status", Act::Raw("HTTP/1.1 201".to_owned())),
        ("half a body", Act::Raw(cut)),
        ("nothing in it", Act::Answer("201 Created", String::new())),
        ("no JSON", Act::Answer("201 Created", "<html>".to_owned())),
        ("no SID", Act::Answer("201 Created", "{}".to_owned())),
        (
            "too much",
            Act::Answer("201 Created", "x".repeat(2_000_000)),
        ),
        (
            "500",
            Act::Answer("500 Internal Server Error", whole.clone()),
        ),
        (
            "503",
            Act::json(
                "503 Service Unavailable",
                json!({"code": 20503, "message": "down"}),
            ),
        ),
        ("408", Act::Answer("408 Request Timeout", String::new())),
        (
            "redirect",
            Act::Answer("307 Temporary Redirect\r\nlocation: /elsewhere", whole),
        ),
    ];
    for (name, act) in table {
        let act = Mutex::new(Some(act));
        let twilio =
            Listener::start(move |_, _| act.lock().unwrap().take().unwrap_or(Act::Close)).await;
        let began = Instant::now();
        let result = client(&twilio.url).create_message(&text()).await;
        assert!(
            matches!(result, Err(Failure::Unknown { .. })),
            "{name}: {result:?}"
        );
        assert!(
            began.elapsed() < TIMEOUT * 4,
            "{name}: {:?}",
            began.elapsed()
        );
        assert_eq!(twilio.requests().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn what_never_left_is_not_sent() {
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let result = client(&format!("http://{free}"))
        .create_message(&text())
        .await;
    assert!(matches!(result, Err(Failure::NotSent { .. })), "{result:?}");

    // The first server never answers the TLS handshake, the second answers with something that is not TLS.
    let silent = Listener::start(|_, _| Act::Close).await;
    let rude = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rude_url = format!("https://{}", rude.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = rude.accept().await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
    });
    for url in [silent.url.replace("http:", "https:"), rude_url] {
        let result = client(&url).create_message(&text()).await;
        assert!(matches!(result, Err(Failure::NotSent { .. })), "{result:?}");
    }
}

#[tokio::test]
async fn no_failure_names_a_number() {
    let twilio = Listener::start(|_, _| Act::Close).await;
    let filter = MessageFilter {
        to: Some(Address::new("+16195550142")),
        ..Default::default()
    };
    let failure = client(&twilio.url)
        .list_messages(&filter, None)
        .await
        .unwrap_err();
    assert!(
        !format!("{failure} {failure:?}").contains("5550142"),
        "{failure:?}"
    );
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let settings = |url: &str| Settings {
        api_url: url.to_owned(),
        account_sid: AccountSid::parse(ACCOUNT).unwrap(),
        api_key: String::new(),
        api_secret: "secret".into(),
        request_timeout: TIMEOUT,
    };
    for url in [
        "",
        "api.twilio.com",
        "ftp://api.twilio.com",
        "https://api.twilio.com?x",
        "https://api.twilio.com#x",
    ] {
        assert!(Client::new(settings(url)).is_err(), "{url}");
    }
    assert!(!format!("{:?}", settings("https://api.twilio.com")).contains("secret\""));
}

#[tokio::test]
async fn one_message_and_its_media_can_be_asked_for() {
    let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages/{}", sid(1));
    let uri = format!("{path}/Media/ME1.json");
    let media = json!([{"sid": "ME1", "content_type": "image/png", "uri": uri}]);
    let answer =
        json!({"sid": sid(1), "status": "delivered", "media_list": media, "next_page_uri": null});
    let twilio = Listener::always("200 OK", answer.to_string()).await;
    let sid = MessageSid::parse(&sid(1)).unwrap();
    assert_eq!(
        client(&twilio.url).message(&sid).await.unwrap().status,
        MessageState::Delivered
    );
    let media = client(&twilio.url).media(&sid).await.unwrap();
    assert_eq!(
        media,
        [MediaResource {
            sid: "ME1".to_owned(),
            content_type: "image/png".to_owned(),
            uri
        }]
    );
    assert_eq!(
        twilio.lines(),
        [
            format!("GET {path}.json"),
            format!("GET {path}/Media.json?PageSize=50")
        ]
    );
}

#[tokio::test]
async fn calls_are_listed() {
    let call = json!({
        "sid": format!("CA{:032}", 1), "from": "+16195550142", "to": "+16195550100", "status": "completed",
        "direction": "inbound", "start_time": "Sun, 01 Nov 2026 10:00:00 +0000", "duration": "15", "parent_call_sid": null,
    });
    let twilio = Listener::always(
        "200 OK",
        json!({"calls": [call], "next_page_uri": null}).to_string(),
    )
    .await;
    let start_time_after = Some("2026-11-01T09:00:00Z".parse().unwrap());
    let filter = CallFilter {
        to: Some(number().into()),
        from: None,
        start_time_after,
        parent_call_sid: None,
    };
    let calls = client(&twilio.url).list_calls(&filter).await.unwrap();
    assert!(calls[0].direction.is_inbound());
    assert_eq!(
        (calls[0].duration, calls[0].status.as_str()),
        (Some(15), "completed")
    );
    assert!(twilio.lines()[0].ends_with(
        "/Calls.json?To=%2B16195550100&StartTime%3E=2026-11-01T09%3A00%3A00Z&PageSize=50"
    ));
}

#[tokio::test]
async fn a_number_is_found_and_pointed_elsewhere() {
    let entry = |phone: &str| json!({"sid": "PN1", "phone_number": phone, "sms_url": "https://a", "voice_url": ""});
    let found = json!({"incoming_phone_numbers": [entry("+161955501000"), entry("+16195550100")], "next_page_uri": null});
    let twilio = Listener::start(move |n, _| match n {
        0 => Act::json("200 OK", found.clone()),
        1 => Act::json(
            "200 OK",
            json!({"incoming_phone_numbers": [entry("+1619555010")], "next_page_uri": null}),
        ),
        _ => Act::json("200 OK", json!({"sid": "PN1", "sms_url": "https://b"})),
    })
    .await;
    let client = client(&twilio.url);
    let found = client
        .incoming_phone_number(&number())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.sms_url.as_deref(), found.voice_url),
        (Some("https://a"), None)
    );
    assert_eq!(client.incoming_phone_number(&number()).await, Ok(None));
    let changed = client
        .update_incoming_phone_number("PN1", &[("SmsUrl", "https://b")])
        .await
        .unwrap();
    assert_eq!(changed.sms_url.as_deref(), Some("https://b"));
    let request = &twilio.requests()[2];
    assert!(
        request.contains("/IncomingPhoneNumbers/PN1.json ")
            && request.ends_with("SmsUrl=https%3A%2F%2Fb")
    );
}

#[tokio::test]
async fn the_account_can_be_asked_for() {
    let account =
        json!({"sid": ACCOUNT, "friendly_name": "Desk", "status": "active", "type": "Trial"});
    let twilio = Listener::always("200 OK", account.to_string()).await;
    let account = client(&twilio.url).fetch_account().await.unwrap();
    assert_eq!(
        (account.status.as_str(), account.kind.as_str()),
        ("active", "Trial")
    );
    assert_eq!(
        twilio.lines(),
        [format!("GET /2010-04-01/Accounts/{ACCOUNT}.json")]
    );
}
