//! Requests that are not what they claim to be change nothing and learn nothing.

use qdn_sandbox::slack::signature as slack_signature;
use qdn_sandbox::twilio::signature as twilio_signature;
use qdn_sandbox::{slack, twilio};
use reqwest::header::{HOST, HeaderMap, HeaderName, HeaderValue};

use crate::desk::{ALICE, CHANNEL, DORA, Database, Desk, LINE, PUBLIC_URL, SERGIO, http};

stories! {
    forged_requests_of_twilios_change_nothing,
    forged_requests_of_slacks_change_nothing,
    what_a_proxy_says_does_not_matter,
    signed_requests_told_again_change_nothing,
    a_signature_is_good_for_its_own_url_and_body,
    other_accounts_and_workspaces_are_refused,
    bodies_larger_than_anything_genuine_are_refused,
    secrets_can_be_rotated,
    slack_finds_the_owner_of_the_url,
}

/// The routes as they stand in the code, so that a new one is tried as well.
const ROUTES: &str = include_str!("../../src/http/mod.rs");

pub(crate) fn routes(vendor: &str) -> Vec<String> {
    let prefix = format!("/api/{vendor}/");
    let found: Vec<String> = ROUTES
        .split(".route(")
        .filter(|route| route.contains("post("))
        .filter_map(|route| route.split('"').nth(1))
        .filter(|path| path.starts_with(&prefix))
        .map(|path| path.replace("{carried}", CARRIED))
        .collect();
    assert!(found.len() >= 3, "{found:?}");
    found
}

/// What an address of ours may carry.
pub(crate) const CARRIED: &str = "eyJ2IjoxfQ";

/// Everything that a request can leave behind.
const TRACES: &str = "select (select count(*) from message) + (select count(*) from conversation) + (select count(*) from outbox)
    + (select count(*) from audit) + (select count(*) from presence_override) + (select count(*) from sms)
    + (select count(*) from deferred_status) + (select count(*) from deferred_reply) + (select count(*) from kv where name not like 'slack.%' and name <> 'readyz' and name not like 'backfill.%' and name not like 'twilio.fallback.%')";

pub(crate) type Pairs = Vec<(String, String)>;

pub(crate) fn pairs(list: &[(&str, &str)]) -> Pairs {
    list.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

pub(crate) fn encoded(params: &Pairs) -> String {
    serde_urlencoded::to_string(params).unwrap()
}

pub(crate) fn sid(kind: &str, digit: char) -> String {
    format!("{kind}{}", digit.to_string().repeat(32))
}

/// What every route of Twilio's would act on.
pub(crate) fn twilio_params() -> Pairs {
    let mut params = pairs(&[
        ("From", ALICE),
        ("To", LINE),
        ("Body", "a forged text"),
        ("NumMedia", "0"),
        ("MessageStatus", "delivered"),
        ("CallStatus", "in-progress"),
        ("DialCallStatus", "no-answer"),
    ]);
    params.push(("AccountSid".into(), twilio::Settings::default().account_sid));
    params.push(("MessageSid".into(), sid("SM", '7')));
    params.push(("CallSid".into(), sid("CA", '7')));
    params
}

/// A query that means something to the routes that have one.
const QUERY: &str = "?o=row&a=1&step=0&tried=%2B16195550111";

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// `None` where the connection was closed before everything was sent.
async fn try_post(
    desk: &mut Desk,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> Option<Answer> {
    let request = http()
        .post(desk.url(path))
        .header("content-type", "application/x-www-form-urlencoded")
        .headers(named(headers));
    let response = request.body(body).send().await.ok()?;
    Some(Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.text().await.ok()?,
    })
}

pub(crate) async fn post(
    desk: &mut Desk,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> Answer {
    try_post(desk, path, headers, body)
        .await
        .expect("an answer")
}

fn named(headers: &[(&str, &str)]) -> HeaderMap {
    headers
        .iter()
        .map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        })
        .collect()
}

pub(crate) async fn post_to_twilio_route(
    desk: &mut Desk,
    path: &str,
    signature: &str,
    params: &Pairs,
) -> Answer {
    post(
        desk,
        path,
        &[("x-twilio-signature", signature)],
        encoded(params),
    )
    .await
}

pub(crate) async fn post_to_slack_route(
    desk: &mut Desk,
    path: &str,
    timestamp: &str,
    signature: &str,
    body: &str,
) -> Answer {
    let headers = [
        ("x-slack-request-timestamp", timestamp),
        ("x-slack-signature", signature),
    ];
    post(desk, path, &headers, body.to_owned()).await
}

/// 403 and nothing else: no word, no hint at what would have been right.
fn expect_forbidden(answer: &Answer, what: &str) {
    assert_eq!((answer.status, answer.body.as_str()), (403, ""), "{what}");
    let names: Vec<&str> = answer.headers.keys().map(HeaderName::as_str).collect();
    assert!(
        names
            .iter()
            .all(|name| ["content-length", "date"].contains(name)),
        "{what}: {names:?}"
    );
}

pub(crate) fn now() -> i64 {
    qdn_relay::clock::Clock::System.now().as_second()
}

pub(crate) fn slack_secret() -> String {
    slack::Settings::default().signing_secret
}

async fn forged_requests_of_twilios_change_nothing(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.twilio.text(ALICE, LINE, "a genuine text").await;
    desk.expect_thread().await;
    desk.expect_quiet().await;
    let before = desk.query_one(TRACES).await;
    let token = twilio::Settings::default().auth_token;
    let params = twilio_params();
    let sign = |url: &str| twilio_signature::sign(&token, url, &params);
    for route in routes("twilio") {
        for path in [
            route.clone(),
            format!("{route}{QUERY}"),
            format!("{route}?a=what&step=-1"),
        ] {
            let url = format!("{PUBLIC_URL}{path}");
            let mut changed = params.clone();
            changed[2].1.push('!');
            let more = [params.clone(), pairs(&[("Extra", "")])].concat();
            let genuine = sign(&url);
            let signatures = [
                ("no signature", String::new()),
                ("no base64", "*".repeat(28)),
                (
                    "another token",
                    twilio_signature::sign("another-token", &url, &params),
                ),
                (
                    "another path",
                    sign(&format!("{PUBLIC_URL}/api/twilio/other")),
                ),
                ("without TLS", sign(&url.replace("https://", "http://"))),
                (
                    "another host",
                    sign(&format!("https://evil.example.com{path}")),
                ),
                ("where we listen", sign(&desk.url(&path))),
                ("another query", sign(&format!("{url}&more=1"))),
                ("cut short", genuine[..20].to_owned()),
                ("as for a GET", twilio_signature::sign(&token, &url, &[])),
            ];
            for (what, signature) in signatures {
                let answer = post_to_twilio_route(&mut desk, &path, &signature, &params).await;
                expect_forbidden(&answer, &format!("{path}: {what}"));
            }
            for (what, params) in [
                ("a changed value", &changed),
                ("one more field", &more),
                ("no field", &Vec::new()),
            ] {
                let answer = post_to_twilio_route(&mut desk, &path, &genuine, params).await;
                expect_forbidden(&answer, &format!("{path}: {what}"));
            }
            let answer = post(&mut desk, &path, &[], encoded(&params)).await;
            expect_forbidden(&answer, &format!("{path}: no header"));
            let as_json = post(
                &mut desk,
                &path,
                &[("x-twilio-signature", &genuine)],
                "{\"MessageSid\":1}",
            )
            .await;
            expect_forbidden(&as_json, &format!("{path}: another body"));
        }
    }
    desk.expect_quiet().await;
    assert_eq!(desk.query_one(TRACES).await, before);
    assert_eq!(desk.slack.posts().len(), 1);
    let metrics = desk.get("/metrics").await.2;
    assert!(
        metrics.contains("qdn_signatures_refused_total{vendor=\"twilio\"}"),
        "{metrics}"
    );
    desk.close().await;
}

async fn forged_requests_of_slacks_change_nothing(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.twilio.text(ALICE, LINE, "a genuine text").await;
    let root = desk.expect_thread().await;
    desk.expect_quiet().await;
    let before = desk.query_one(TRACES).await;
    let secret = slack_secret();
    let bodies = [
        format!(
            r#"{{"type":"event_callback","team_id":"T0QDN","api_app_id":"A0QDN","event_id":"Ev1","event":{{"type":"message","channel":"{CHANNEL}","user":"{DORA}","text":"a forged reply","ts":"1800000000.000100","thread_ts":"{}"}}}}"#,
            root.ts
        ),
        r#"{"type":"url_verification","challenge":"to-be-learned"}"#.to_owned(),
        encoded(&command_params(SERGIO, "away", "trigger.1")),
        "ssl_check=1".to_owned(),
        encoded(&pairs(&[("payload", r#"{"type":"block_actions"}"#)])),
    ];
    for path in &routes("slack") {
        for body in &bodies {
            let bytes = body.as_bytes();
            let at = now().to_string();
            let signed_at = |at: &str| slack_signature::sign(&secret, at, bytes);
            let genuine = signed_at(&at);
            let (past, future) = ((now() - 310).to_string(), (now() + 310).to_string());
            let long_ago = "0".to_owned();
            let cases = [
                ("no signature", &at, String::new()),
                ("no timestamp", &String::new(), signed_at("")),
                ("no number", &"now".to_owned(), signed_at("now")),
                (
                    "another secret",
                    &at,
                    slack_signature::sign("another-secret", &at, bytes),
                ),
                (
                    "another body",
                    &at,
                    slack_signature::sign(&secret, &at, b"{}"),
                ),
                ("another time", &(now() - 1).to_string(), genuine.clone()),
                ("too old", &past, signed_at(&past)),
                ("too new", &future, signed_at(&future)),
                ("far too old", &long_ago, signed_at(&long_ago)),
                ("another version", &at, genuine.replacen("v0=", "v1=", 1)),
                ("no version", &at, genuine.replacen("v0=", "", 1)),
                ("cut short", &at, genuine[..40].to_owned()),
                ("longer", &at, format!("{genuine}00")),
            ];
            for (what, timestamp, signature) in cases {
                let answer =
                    post_to_slack_route(&mut desk, path, timestamp, &signature, body).await;
                expect_forbidden(&answer, &format!("{path}: {what}: {body}"));
            }
            let answer = post(&mut desk, path, &[], body.clone()).await;
            expect_forbidden(&answer, &format!("{path}: no header"));
        }
    }
    for forgery in [
        slack::Forgery::Unsigned,
        slack::Forgery::WrongSecret,
        slack::Forgery::Tampered,
        slack::Forgery::Aged(310),
        slack::Forgery::Aged(-310),
    ] {
        desk.slack
            .say(DORA, CHANNEL, "a forged reply")
            .in_thread(&root.ts)
            .forged(forgery)
            .send()
            .await;
    }
    desk.expect_quiet().await;
    assert_eq!(desk.query_one(TRACES).await, before);
    desk.expect_sms(0).await;
    desk.close().await;
}

pub(crate) fn command_params(user: &str, text: &str, trigger: &str) -> Pairs {
    pairs(&[
        ("team_id", "T0QDN"),
        ("channel_id", CHANNEL),
        ("user_id", user),
        ("command", "/qdn"),
        ("text", text),
        ("api_app_id", "A0QDN"),
        ("trigger_id", trigger),
    ])
}

async fn what_a_proxy_says_does_not_matter(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let lies = [
        (HOST.as_str(), "evil.example.com"),
        ("x-forwarded-host", "evil.example.com"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", "8080"),
        ("x-forwarded-for", "127.0.0.1"),
        (
            "forwarded",
            "for=127.0.0.1;host=evil.example.com;proto=http",
        ),
        ("x-original-url", "/healthz"),
        ("x-rewrite-url", "/healthz"),
    ];
    let path = "/api/twilio/dispatch-route";
    let token = twilio::Settings::default().auth_token;
    let params = twilio_params();
    for base in [
        "http://evil.example.com",
        "https://evil.example.com",
        "http://evil.example.com:8080",
    ] {
        let signature = twilio_signature::sign(&token, &format!("{base}{path}"), &params);
        let headers = [&lies[..], &[("x-twilio-signature", &signature)]].concat();
        let answer = post(&mut desk, path, &headers, encoded(&params)).await;
        expect_forbidden(&answer, base);
    }
    assert_eq!(desk.query_one("select count(*) from message").await, 0);
    let signature = twilio_signature::sign(&token, &format!("{PUBLIC_URL}{path}"), &params);
    let headers = [&lies[..], &[("x-twilio-signature", &signature)]].concat();
    let answer = post(&mut desk, path, &headers, encoded(&params)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    desk.expect_thread().await;
    desk.close().await;
}

async fn signed_requests_told_again_change_nothing(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let token = twilio::Settings::default().auth_token;

    // A text, long after it was answered.
    let path = "/api/twilio/dispatch-route";
    let text = [twilio_params()].concat();
    let signature = twilio_signature::sign(&token, &format!("{PUBLIC_URL}{path}"), &text);
    for _ in 0..3 {
        let answer = post_to_twilio_route(&mut desk, path, &signature, &text).await;
        assert_eq!(answer.status, 200);
        desk.expect_quiet().await;
    }
    let root = desk.expect_thread().await;

    // A reply, and what became of it.
    desk.slack
        .post_as(DORA, CHANNEL, Some(&root.ts), "On our way")
        .await;
    let sms = desk.expect_sms(1).await.remove(0);
    desk.twilio
        .deliver_status(&sms.sid, "delivered", None)
        .await;
    desk.expect_quiet().await;
    let before = desk.query_one(TRACES).await;
    let url = sms.status_callback.unwrap();
    let path = url.strip_prefix(PUBLIC_URL).unwrap();
    for status in ["delivered", "sent", "failed"] {
        let report = [
            pairs(&[("MessageSid", &sms.sid), ("MessageStatus", status)]),
            pairs(&[("AccountSid", &twilio::Settings::default().account_sid)]),
        ]
        .concat();
        let signature = twilio_signature::sign(&token, &url, &report);
        for _ in 0..2 {
            let answer = post_to_twilio_route(&mut desk, path, &signature, &report).await;
            assert_eq!(answer.status, 204, "{status}");
        }
    }
    desk.expect_quiet().await;
    assert_eq!(
        desk.query_one(TRACES).await,
        before,
        "a final status is final"
    );

    // A command: away for a while, and back before somebody repeats the first, which is only answered again.
    let away = encoded(&command_params(SERGIO, "away 4h lunch", "trigger.lunch"));
    let back = encoded(&command_params(SERGIO, "available", "trigger.back"));
    let at = now().to_string();
    let signed = |body: &str| slack_signature::sign(&slack_secret(), &at, body.as_bytes());
    for (body, words) in [
        (&away, "Sergio is away until"),
        (&back, "Sergio is available."),
        (&away, "Sergio is away until"),
        (&back, "Sergio is available."),
    ] {
        let answer =
            post_to_slack_route(&mut desk, "/api/slack/commands", &at, &signed(body), body).await;
        assert!(
            answer.status == 200 && answer.body.contains(words),
            "{words}: {}",
            answer.body
        );
    }
    desk.expect_quiet().await;
    let available = "select count(*) from presence_override where state = 'available'";
    assert_eq!(desk.query_one(available).await, 1);
    desk.expect_roots(3).await;
    desk.close().await;
}

async fn a_signature_is_good_for_its_own_url_and_body(database: Database) {
    let mut desk = Desk::on(database).start().await;
    // Slack signs no URL: what was signed for one is malformed at the others, and changes nothing there.
    desk.expect_error("a signed request could not be parsed");
    let before = desk.query_one(TRACES).await;
    let at = now().to_string();
    let event =
        r#"{"type":"event_callback","team_id":"T0QDN","event":{"type":"message"}}"#.to_owned();
    let command = encoded(&command_params(SERGIO, "away", "trigger.1"));
    let press = encoded(&pairs(&[(
        "payload",
        r#"{"type":"block_actions","user":{"id":"U0SERGIO"},"actions":[]}"#,
    )]));
    for (path, bodies) in [
        ("/api/slack/events", [&command, &press]),
        ("/api/slack/commands", [&event, &press]),
        ("/api/slack/interactions", [&event, &command]),
    ] {
        for body in bodies {
            let signature = slack_signature::sign(&slack_secret(), &at, body.as_bytes());
            let answer = post_to_slack_route(&mut desk, path, &at, &signature, body).await;
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (400, ""),
                "{path}: {body}"
            );
        }
    }
    assert_eq!(desk.query_one(TRACES).await, before);
    desk.close().await;
}

async fn other_accounts_and_workspaces_are_refused(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_error("a request of another Twilio account was refused");
    desk.twilio.text(ALICE, LINE, "a genuine text").await;
    let root = desk.expect_thread().await;
    desk.expect_quiet().await;
    let before = desk.query_one(TRACES).await;

    let token = twilio::Settings::default().auth_token;
    let mut params = twilio_params();
    params.retain(|(name, _)| name != "AccountSid");
    params.push(("AccountSid".into(), sid("AC", '9')));
    for route in routes("twilio") {
        let path = format!("{route}{QUERY}");
        let signature = twilio_signature::sign(&token, &format!("{PUBLIC_URL}{path}"), &params);
        let answer = post_to_twilio_route(&mut desk, &path, &signature, &params).await;
        expect_forbidden(&answer, &path);
    }

    desk.slack
        .say(DORA, CHANNEL, "from another workspace")
        .in_thread(&root.ts)
        .from_workspace("T0OTHER")
        .send()
        .await;
    let mut command = command_params(SERGIO, "away", "trigger.1");
    command[0].1 = "T0OTHER".into();
    let (at, body) = (now().to_string(), encoded(&command));
    let signature = slack_signature::sign(&slack_secret(), &at, body.as_bytes());
    let answer =
        post_to_slack_route(&mut desk, "/api/slack/commands", &at, &signature, &body).await;
    expect_forbidden(&answer, "a command of another workspace");
    desk.expect_quiet().await;
    assert_eq!(desk.query_one(TRACES).await, before);
    desk.expect_sms(0).await;
    desk.close().await;
}

/// So many bytes in pieces, with no length announced.
fn in_pieces(size: usize) -> reqwest::Body {
    let pieces = (0..size / 1024).map(|_| Ok::<_, std::io::Error>(vec![b'a'; 1024]));
    reqwest::Body::wrap_stream(futures_util::stream::iter(pieces))
}

/// Who sends on and on may find the connection closed before the answer is read.
fn expect_too_large(answer: Option<Answer>, what: &str) {
    if let Some(answer) = answer {
        assert_eq!((answer.status, answer.body.as_str()), (413, ""), "{what}");
    }
}

async fn bodies_larger_than_anything_genuine_are_refused(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let before = desk.query_one(TRACES).await;
    let token = twilio::Settings::default().auth_token;
    for path in &routes("twilio") {
        let mut params = twilio_params();
        params[2].1 = "a".repeat(64 * 1024);
        let url = format!("{PUBLIC_URL}{path}");
        for signature in [
            twilio_signature::sign(&token, &url, &params),
            twilio_signature::sign("another-token", &url, &params),
        ] {
            let headers = [("x-twilio-signature", signature.as_str())];
            let answer = try_post(&mut desk, path, &headers, encoded(&params)).await;
            expect_too_large(answer, path);
        }
        let forged = twilio_signature::sign("another-token", &url, &params);
        let forged = [("x-twilio-signature", forged.as_str())];
        let answer = try_post(&mut desk, path, &forged, in_pieces(128 * 1024)).await;
        expect_too_large(answer, path);
    }
    for path in &routes("slack") {
        let body = "a".repeat(1024 * 1024 + 1);
        let at = now().to_string();
        let signature = slack_signature::sign(&slack_secret(), &at, body.as_bytes());
        let headers = [
            ("x-slack-request-timestamp", at.as_str()),
            ("x-slack-signature", signature.as_str()),
        ];
        expect_too_large(try_post(&mut desk, path, &headers, body).await, path);
        let forged = format!("v0={}", "0".repeat(64));
        let forged = [headers[0], ("x-slack-signature", forged.as_str())];
        let answer = try_post(&mut desk, path, &forged, in_pieces(2 * 1024 * 1024)).await;
        expect_too_large(answer, path);
        // Exactly as much as there may be is read, and refused for its signature alone.
        let answer = post(&mut desk, path, &forged, "a".repeat(1024 * 1024)).await;
        expect_forbidden(&answer, path);
    }
    assert_eq!(desk.query_one(TRACES).await, before);
    desk.close().await;
}

async fn secrets_can_be_rotated(database: Database) {
    let new_token = "0ddba11f0ddba11f0ddba11f0ddba11f";
    let new_secret = "f01dab1ef01dab1ef01dab1ef01dab1e";
    let desk = Desk::on(database)
        .variable("TWILIO_AUTH_TOKEN", new_token)
        .variable("TWILIO_AUTH_TOKEN_PREVIOUS", twilio::AUTH_TOKEN)
        .variable("SLACK_SIGNING_SECRET", new_secret)
        .variable("SLACK_SIGNING_SECRET_PREVIOUS", slack::SIGNING_SECRET)
        .start()
        .await;
    let with_old = desk
        .twilio
        .text(ALICE, LINE, "signed with the old token")
        .await;
    desk.twilio.rotate_auth_token(new_token);
    let with_new = desk
        .twilio
        .text(ALICE, LINE, "signed with the new token")
        .await;
    assert_eq!((with_old.status, with_new.status), (200, 200));
    let root = desk.expect_thread().await;
    let forged = desk
        .twilio
        .inbound(ALICE, LINE, "signed with another token")
        .forged(twilio::Forgery::Token("not-a-real-auth-token".into()))
        .send()
        .await;
    assert_eq!(forged.status, 403);

    desk.slack
        .post_as(DORA, CHANNEL, Some(&root.ts), "with the old secret")
        .await;
    desk.slack.set_signing_secret(new_secret);
    desk.slack
        .post_as(DORA, CHANNEL, Some(&root.ts), "with the new secret")
        .await;
    desk.slack
        .say(DORA, CHANNEL, "with another secret")
        .in_thread(&root.ts)
        .forged(slack::Forgery::WrongSecret)
        .send()
        .await;
    let texted: Vec<String> = desk
        .expect_sms(2)
        .await
        .into_iter()
        .map(|sms| sms.body)
        .collect();
    assert_eq!(texted, ["with the old secret", "with the new secret"]);
    desk.expect_quiet().await;
    desk.expect_sms(2).await;
    desk.close().await;
}

async fn slack_finds_the_owner_of_the_url(database: Database) {
    let mut desk = Desk::on(database).start().await;
    assert!(desk.slack.verify_url().await);
    let body = r#"{"type":"url_verification","challenge":"to-be-learned"}"#;
    for (age, status) in [(290, 200), (-290, 200), (310, 403), (-310, 403)] {
        let reply = desk
            .slack
            .send_raw(
                "/api/slack/events",
                "application/json",
                body,
                slack::Forgery::Aged(age),
            )
            .await
            .unwrap();
        assert_eq!(reply.status, status, "{age} s old");
        assert_eq!(reply.body.contains("to-be-learned"), status == 200);
    }
    let check = desk
        .slack
        .send_raw(
            "/api/slack/commands",
            "application/x-www-form-urlencoded",
            "ssl_check=1&token=t",
            slack::Forgery::Genuine,
        )
        .await
        .unwrap();
    assert_eq!(check.status, 200);
    assert_eq!(desk.get("/api/slack/events").await.0, 405);
    desk.close().await;
}
