mod listener;
mod stand_in;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::slack::MessageTs;
use listener::{Listener, Reply, http, json as ok};

const TOKEN: &str = "xoxb-not-a-real-token";

fn client(url: &str) -> Client {
    // The first test in this process installs the provider for all.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    Client::new(Settings {
        api_url: url.to_owned(),
        bot_token: TOKEN.into(),
        request_timeout: Duration::from_millis(400),
    })
    .unwrap()
}

fn channel() -> ChannelId {
    ChannelId::new("C1")
}

fn ts(text: &str) -> MessageTs {
    MessageTs::parse(text).unwrap()
}

fn post() -> Post {
    Post {
        channel: channel(),
        thread_ts: Some(ts("1531420618.000200")),
        text: "hold the gate".into(),
        blocks: Some(json!([{"type": "divider"}])),
        reply_broadcast: false,
        metadata: Some(Metadata {
            event_type: "qdn_delivery".into(),
            event_payload: BTreeMap::from([("outbox_id".to_owned(), "7".to_owned())]),
        }),
    }
}

async fn post_to(reply: Reply) -> Result<Posted, Failure> {
    let slack = Listener::start(vec![reply]).await;
    client(&slack.url).post_message(&post()).await
}

#[tokio::test]
async fn a_post_says_where_and_what_and_gets_its_ts() {
    let slack = Listener::start(vec![ok(&json!({
        "ok": true, "channel": "C1", "ts": "1531420700.000300", "warning": "missing_charset",
        "message": {"text": "hold the gate", "thread_ts": "1531420618.000200",
                    "metadata": {"event_type": "odd", "event_payload": {"n": 1, "deep": {}}}},
    }))])
    .await;
    let posted = client(&slack.url).post_message(&post()).await.unwrap();
    assert_eq!(posted.ts, ts("1531420700.000300"));
    assert_eq!(posted.thread_ts, Some(ts("1531420618.000200")));
    let asked = &slack.asked()[0];
    assert_eq!(asked.line, "POST /api/chat.postMessage HTTP/1.1");
    assert!(
        asked
            .head
            .contains(&format!("authorization: bearer {TOKEN}"))
    );
    assert!(
        asked
            .head
            .contains("content-type: application/json; charset=utf-8")
    );
    let expected = json!({
        "channel": "C1", "text": "hold the gate", "thread_ts": "1531420618.000200", "blocks": [{"type": "divider"}],
        "unfurl_links": false, "unfurl_media": false,
        "metadata": {"event_type": "qdn_delivery", "event_payload": {"outbox_id": "7"}},
    });
    assert_eq!(asked.json(), expected);
}

#[tokio::test]
async fn a_post_whose_root_is_gone_has_no_thread() {
    let answer =
        json!({"ok": true, "channel": "C1", "ts": "1531420700.000300", "message": {"text": "x"}});
    assert_eq!(post_to(ok(&answer)).await.unwrap().thread_ts, None);
}

#[tokio::test]
async fn nothing_listening_means_not_sent() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api", free.local_addr().unwrap());
    drop(free);
    let failure = client(&url).post_message(&post()).await.unwrap_err();
    assert!(matches!(failure, Failure::NotSent { .. }), "{failure:?}");
}

#[tokio::test]
async fn a_name_that_leads_nowhere_means_not_sent() {
    let client = client("https://slack.invalid/api/");
    let failure = client.post_message(&post()).await.unwrap_err();
    assert!(matches!(failure, Failure::NotSent { .. }), "{failure:?}");
}

#[tokio::test]
async fn a_handshake_that_fails_or_hangs_means_not_sent() {
    for reply in [http("400 Bad Request", "", "no TLS here"), Reply::Hang] {
        let slack = Listener::start(vec![reply]).await;
        let url = slack.url.replace("http://", "https://");
        let failure = client(&url).post_message(&post()).await.unwrap_err();
        assert!(matches!(failure, Failure::NotSent { .. }), "{failure:?}");
    }
}

#[tokio::test]
async fn after_the_first_byte_nothing_is_known() {
    let json_type = "content-type: application/json\r\n";
    let html_type = "content-type: text/html\r\n";
    let fatal = r#"{"ok":false,"error":"fatal_error"}"#;
    let cut_short = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"ok\":tr".to_owned();
    for (what, reply) in [
        ("hang", Reply::Hang),
        ("reset", Reply::Reset),
        ("cut short", Reply::Bytes(cut_short)),
        ("not HTTP", Reply::Bytes("SSH-2.0-x\r\n".into())),
        ("closed", Reply::Bytes(String::new())),
        ("500", http("500 Internal Server Error", "", "")),
        (
            "503 with a word",
            http(
                "503 Service Unavailable",
                json_type,
                r#"{"ok":false,"error":"is_archived"}"#,
            ),
        ),
        ("408", http("408 Request Timeout", "", "")),
        (
            "redirect",
            http("302 Found", "location: https://x.example/\r\n", ""),
        ),
        ("empty", http("200 OK", json_type, "")),
        ("no content", http("204 No Content", "", "")),
        ("garbage", http("200 OK", json_type, "<html>")),
        (
            "a page",
            http("200 OK", html_type, "<html>signed out</html>"),
        ),
        ("neither yes nor no", http("200 OK", json_type, "{}")),
        (
            "no without a word",
            http("200 OK", json_type, r#"{"ok":false}"#),
        ),
        (
            "yes and no",
            http("200 OK", json_type, r#"{"ok":true,"error":"x"}"#),
        ),
        (
            "yes without a ts",
            http("200 OK", json_type, r#"{"ok":true,"channel":"C1"}"#),
        ),
        (
            "a ts that is a number",
            http(
                "200 OK",
                json_type,
                r#"{"ok":true,"channel":"C1","ts":1531420700.0003}"#,
            ),
        ),
        ("fatal_error", http("200 OK", json_type, fatal)),
    ] {
        let failure = post_to(reply).await.unwrap_err();
        assert!(
            matches!(failure, Failure::Unknown { .. }),
            "{what}: {failure:?}"
        );
        assert!(!failure.to_string().contains("hold"), "{what}: {failure}");
    }
}

#[tokio::test]
async fn too_many_requests_say_when_to_come_back() {
    let word = r#"{"ok":false,"error":"ratelimited"}"#;
    let json_type = "content-type: application/json\r\n";
    for (reply, expected) in [
        (
            http("429 Too Many Requests", "retry-after: 30\r\n", word),
            Some(30),
        ),
        (
            http("429 Too Many Requests", "retry-after: 1\r\n", ""),
            Some(1),
        ),
        (http("429 Too Many Requests", json_type, ""), None),
        (
            http("429 Too Many Requests", "retry-after: soon\r\n", "<html>"),
            None,
        ),
        (http("200 OK", json_type, word), None),
    ] {
        let retry_after = expected.map(Duration::from_secs);
        assert_eq!(
            post_to(reply).await,
            Err(Failure::RateLimited { retry_after })
        );
    }
}

#[tokio::test]
async fn a_no_is_a_no() {
    let json_type = "content-type: application/json\r\n";
    let scope =
        r#"{"ok":false,"error":"missing_scope","needed":"chat:write","provided":"users:read"}"#;
    for (reply, code, message) in [
        (
            ok(&json!({"ok": false, "error": "is_archived"})),
            "is_archived",
            "",
        ),
        (
            http("200 OK", "", r#"{"ok":false,"error":"no_text"}"#),
            "no_text",
            "",
        ),
        (
            http(
                "403 Forbidden",
                json_type,
                r#"{"ok":false,"error":"invalid_auth"}"#,
            ),
            "invalid_auth",
            "",
        ),
        (http("403 Forbidden", "", "<html>"), "http 403", ""),
        (
            ok(&serde_json::from_str(scope).unwrap()),
            "missing_scope",
            "needed chat:write; provided users:read",
        ),
    ] {
        let expected = Failure::Refused {
            code: code.into(),
            message: message.into(),
        };
        assert_eq!(post_to(reply).await, Err(expected));
    }
}

#[tokio::test]
async fn marks_that_are_there_or_gone_already_are_well() {
    let no = |error: &str| ok(&json!({"ok": false, "error": error}));
    let slack = Listener::start(vec![
        no("already_reacted"),
        no("no_reaction"),
        no("no_reaction"),
    ])
    .await;
    let client = client(&slack.url);
    let at = ts("1531420618.000200");
    let name = "white_check_mark";
    assert_eq!(client.add_reaction(&channel(), &at, name).await, Ok(()));
    assert_eq!(client.remove_reaction(&channel(), &at, name).await, Ok(()));
    assert!(client.add_reaction(&channel(), &at, name).await.is_err());
    let asked = slack.asked()[0].json();
    assert_eq!(
        asked,
        json!({"channel": "C1", "timestamp": "1531420618.000200", "name": name})
    );
}

#[tokio::test]
async fn a_thread_is_read_to_its_end() {
    let message = |ts: &str| json!({"ts": ts, "thread_ts": "1.000000", "user": "U1", "text": "x", "metadata": {"event_type": "t", "event_payload": {"id": 7}}});
    let slack = Listener::start(vec![
        ok(&json!({"ok": true, "messages": [message("1.000000"), message("2.000000")], "has_more": true,
                   "response_metadata": {"next_cursor": "bmV4dA=="}})),
        ok(&json!({"ok": true, "messages": [message("3.000000")], "has_more": false, "response_metadata": {"next_cursor": ""}})),
    ])
    .await;
    let root = ts("1.000000");
    let all = client(&slack.url)
        .replies(&channel(), &root, Some(&root))
        .await
        .unwrap();
    let read: Vec<&str> = all.iter().map(|message| message.ts.as_str()).collect();
    assert_eq!(read, ["1.000000", "2.000000", "3.000000"]);
    assert_eq!(all[0].metadata.as_ref().unwrap().event_payload["id"], "7");
    let lines: Vec<String> = slack.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(
        lines,
        [
            "GET /api/conversations.replies?channel=C1&ts=1.000000&oldest=1.000000&include_all_metadata=true&limit=200 HTTP/1.1",
            "GET /api/conversations.replies?channel=C1&ts=1.000000&oldest=1.000000&include_all_metadata=true&limit=200&cursor=bmV4dA%3D%3D HTTP/1.1",
        ]
    );
}

#[tokio::test]
async fn half_a_list_is_no_list() {
    let page = |more: serde_json::Value| {
        ok(
            &json!({"ok": true, "messages": [{"ts": "1.000000"}], "has_more": true, "response_metadata": more}),
        )
    };
    let next = || json!({"next_cursor": "again"});
    for (what, replies) in [
        ("broken off", vec![page(next()), Reply::Reset]),
        (
            "refused midway",
            vec![
                page(next()),
                ok(&json!({"ok": false, "error": "invalid_cursor"})),
            ],
        ),
        (
            "garbage midway",
            vec![page(next()), http("200 OK", "", "<html>")],
        ),
        ("more but not where", vec![page(json!({}))]),
        ("in a circle", vec![page(next()), page(next())]),
        ("no list", vec![ok(&json!({"ok": true}))]),
        (
            "a message without ts",
            vec![ok(&json!({"ok": true, "messages": [{"text": "x"}]}))],
        ),
    ] {
        let slack = Listener::start(replies).await;
        let read = client(&slack.url).history(&channel(), None, None).await;
        assert!(read.is_err(), "{what}: {read:?}");
    }
}

#[tokio::test]
async fn a_list_without_end_is_given_up() {
    let pages = (0..200).map(|n| ok(&json!({"ok": true, "members": ["U1"], "response_metadata": {"next_cursor": n.to_string()}})));
    let slack = Listener::start(pages.collect()).await;
    let members = client(&slack.url).members(&channel()).await;
    assert!(
        matches!(members, Err(Failure::Unknown { .. })),
        "{members:?}"
    );
}

#[tokio::test]
async fn people_are_called_what_they_call_themselves() {
    let user = |user: serde_json::Value| ok(&json!({"ok": true, "user": user}));
    for (reply, name) in [
        (
            user(
                json!({"id": "U1", "name": "s", "profile": {"display_name": "Sergio", "real_name": "Sergio R"}}),
            ),
            "Sergio",
        ),
        (
            user(
                json!({"id": "U1", "name": "s", "profile": {"display_name": " ", "real_name": "Sergio R"}}),
            ),
            "Sergio R",
        ),
        (
            user(
                json!({"id": "U1", "name": "s", "real_name": "Sergio R", "profile": {"display_name": ""}}),
            ),
            "Sergio R",
        ),
        (user(json!({"id": "U1", "name": "s"})), "s"),
        (user(json!({"id": "U1"})), "U1"),
    ] {
        let slack = Listener::start(vec![reply]).await;
        let found = client(&slack.url).user_name(&UserId::new("U1")).await;
        assert_eq!(found.as_deref(), Ok(name));
    }
}

#[tokio::test]
async fn guests_and_strangers_are_known() {
    let slack = Listener::start(vec![ok(&json!({"ok": true, "user": {
        "id": "U1", "team_id": "T2", "name": "s", "is_stranger": true, "is_restricted": true, "is_bot": false,
    }}))])
    .await;
    let user = client(&slack.url)
        .user_info(&UserId::new("U1"))
        .await
        .unwrap();
    assert!(user.is_stranger && user.is_restricted && !user.is_ultra_restricted);
    assert_eq!(user.team_id, Some(TeamId::new("T2")));
}

#[tokio::test]
async fn a_channel_is_found_by_name_and_the_live_one_first() {
    let channels = json!([
        {"id": "C1", "name": "qdn-dispatch-old"},
        {"id": "C2", "name": "qdn-dispatch", "is_archived": true},
        {"id": "C3", "name": "qdn-dispatch", "is_member": true},
    ]);
    let page = || ok(&json!({"ok": true, "channels": channels}));
    let slack = Listener::start(vec![page(), page()]).await;
    let client = client(&slack.url);
    let found = client.find_channel("#QDN-dispatch").await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.is_member), ("C3", true));
    assert_eq!(client.find_channel("qdn").await, Ok(None));
}

#[tokio::test]
async fn who_we_are_comes_with_what_we_may_do() {
    let body = json!({"ok": true, "url": "https://qdn.slack.com/", "team": "QDN", "user": "qdn", "team_id": "T1", "user_id": "UBOT", "bot_id": "B1"});
    let headers = "x-oauth-scopes: chat:write, users:read\r\n";
    let slack = Listener::start(vec![http("200 OK", headers, &body.to_string())]).await;
    let identity = client(&slack.url).auth_test().await.unwrap();
    assert_eq!(identity.user_id, UserId::new("UBOT"));
    assert_eq!(identity.bot_id.as_deref(), Some("B1"));
    let scopes = ["chat:write", "users:read"].map(str::to_owned);
    assert_eq!(identity.scopes.as_deref(), Some(&scopes[..]));
}

#[tokio::test]
async fn a_response_url_gets_the_words_and_never_the_token() {
    let replies = vec![
        http("200 OK", "content-type: text/html\r\n", "ok"),
        ok(&json!({"ok": true})),
        http("404 Not Found", "", "expired_url"),
        ok(&json!({"ok": false, "error": "used_url"})),
    ];
    let slack = Listener::start(replies).await;
    let client = client(&slack.url);
    let url = format!("{}../hooks/1", slack.url);
    let message = json!({"text": "done"});
    assert_eq!(client.respond(&url, &message).await, Ok(()));
    assert_eq!(client.respond(&url, &message).await, Ok(()));
    for code in ["http 404", "used_url"] {
        match client.respond(&url, &message).await {
            Err(Failure::Refused { code: said, .. }) => assert_eq!(said, code),
            other => panic!("{other:?}"),
        }
    }
    let asked = slack.asked();
    assert_eq!(asked[0].line, "POST /hooks/1 HTTP/1.1");
    assert!(
        asked
            .iter()
            .all(|asked| !asked.head.contains("authorization"))
    );
}

#[tokio::test]
async fn a_response_url_elsewhere_is_not_used() {
    let elsewhere = Listener::start(vec![ok(&json!({"ok": true}))]).await;
    let client = client("http://127.0.0.1:1/api/");
    let evil = elsewhere.url.replacen("http", "https", 1);
    for url in [
        elsewhere.url.as_str(),
        &evil,
        "https://hooks.slack.com.example/actions/1",
        "https://slack.example/hooks.slack.com/",
        "https://hooks.slack.com@slack.example/",
        "https://hooks.slack.com:8443/actions/1",
        "http://hooks.slack.com/actions/1",
        "ftp://x.example/",
        "no URL",
    ] {
        let refused = client.respond(url, &json!({"text": "x"})).await;
        assert!(
            matches!(refused, Err(Failure::Refused { .. })),
            "{url}: {refused:?}"
        );
    }
    assert!(elsewhere.asked().is_empty());
}

#[test]
fn the_last_slash_does_not_matter_and_nonsense_is_refused() {
    assert_eq!(
        client("https://slack.com/api").api_url.as_str(),
        "https://slack.com/api/"
    );
    assert_eq!(
        client("https://slack.com/api/").api_url.as_str(),
        "https://slack.com/api/"
    );
    for url in ["slack.com/api", "ftp://slack.com/api"] {
        let settings = Settings {
            api_url: url.into(),
            bot_token: TOKEN.into(),
            request_timeout: Duration::from_secs(1),
        };
        assert!(Client::new(settings).is_err(), "{url}");
    }
}

#[test]
fn debug_output_has_neither_token_nor_text() {
    let client = client("https://slack.com/api");
    assert!(!format!("{client:?}").contains(TOKEN));
    assert!(!format!("{:?}", post()).contains("gate"));
}
