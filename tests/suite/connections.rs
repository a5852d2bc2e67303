//! Connections that are only held open, and bodies that nobody signed, keep nobody out.

use std::time::{Duration, Instant};

use qdn_sandbox::twilio;
use qdn_sandbox::twilio::signature;

use crate::desk::{ALICE, Database, Desk, LINE, PATIENCE, PUBLIC_URL, Raw, post};

/// Few and short, so that a story reaches them.
const FEW: &str = "\n[connections]\nmax = 40\nheader_timeout = \"1s\"\n";

/// Few, and none of them is closed by time.
const FEW_AND_PATIENT: &str = "\n[connections]\nmax = 40\nheader_timeout = \"60s\"\n";

const ROUTE: &str = "/api/twilio/dispatch-route";
const EVENTS: &str = "/api/slack/events";

/// A text as Twilio sends it: the request's head and its body.
pub(crate) fn text(number: usize) -> (String, String) {
    let settings = twilio::Settings::default();
    let params: Vec<(String, String)> = [
        ("MessageSid", format!("SM{number:032x}")),
        ("AccountSid", settings.account_sid),
        ("From", ALICE.to_owned()),
        ("To", LINE.to_owned()),
        ("Body", format!("text number {number}")),
        ("NumMedia", "0".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    let signed = signature::sign(
        &settings.auth_token,
        &format!("{PUBLIC_URL}{ROUTE}"),
        &params,
    );
    let body = serde_urlencoded::to_string(&params).unwrap();
    let head = post(ROUTE, &[("x-twilio-signature", &signed)], body.len());
    (head, body)
}

/// The head of an event of so many bytes whose signature only looks like one.
pub(crate) fn unsigned_event(length: usize) -> String {
    let at = qdn_relay::clock::Clock::System
        .now()
        .as_second()
        .to_string();
    let signature = format!("v0={}", "0a".repeat(32));
    let headers = [
        ("x-slack-request-timestamp", at.as_str()),
        ("x-slack-signature", &signature),
    ];
    post(EVENTS, &headers, length)
}

/// How much memory a process has, in MiB.
pub(crate) fn memory(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse().unwrap();
    kib / 1024.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_give_way() {
    let mut desk = Desk::on(Database::Sqlite)
        .toml(FEW_AND_PATIENT)
        .start()
        .await;
    let address = desk.relay().address;
    let mut silent = Vec::new();
    for n in 0..120 {
        let mut one = Raw::connect(address).await;
        match n % 3 {
            0 => {}
            1 => assert!(one.send("POST /api/twilio/dispatch-route HT").await),
            _ => assert!(one.send("PRI * HTTP/2.0\r\n\r").await),
        }
        silent.push(one);
        if n % 40 == 39 {
            let call = desk.twilio.call(ALICE, LINE).await;
            assert!(call.exchanges.iter().all(|one| one.status < 300));
            let receipt = desk.twilio.text(ALICE, LINE, &format!("text {n}")).await;
            assert_eq!(receipt.status, 200);
        }
    }
    assert!(desk.metric("qdn_connections_displaced_total").await >= 60.0);
    drop(silent);
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_are_closed() {
    let mut desk = Desk::on(Database::Sqlite).toml(FEW).start().await;
    let address = desk.relay().address;
    let mut silent = Vec::new();
    for begun in [
        "",
        "POST /api/twilio/dispatch-route HT",
        "PRI * HTTP/2.0\r\n\r",
    ] {
        let mut one = Raw::connect(address).await;
        assert!(one.send(begun).await);
        silent.push(one);
    }
    for one in &mut silent {
        one.closed().await;
    }
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_open_files_are_not_used_up() {
    let mut desk = Desk::on(Database::Sqlite).prepare().await;
    // In a rush, connections come faster than those that gave way are closed.
    desk.expect_error("accepting a connection failed");
    desk.start_relay_with_few_files().await;
    let address = desk.relay().address;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(Raw::connect(address).await);
    }
    let call = desk.twilio.call(ALICE, LINE).await;
    assert!(call.exchanges.iter().all(|one| one.status < 300));
    let receipt = desk.twilio.text(ALICE, LINE, "and a text").await;
    assert_eq!(receipt.status, 200);
    let root = desk.expect_thread_of_call().await;
    desk.expect_words_in_thread(&root, "and a text").await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_signed_keeps_the_connection() {
    let mut desk = Desk::on(Database::Sqlite).toml(FEW).start().await;
    let address = desk.relay().address;
    let mut genuine = Raw::connect(address).await;
    let mut ask = async |number| {
        let (head, body) = text(number);
        assert!(genuine.send(head + &body).await);
        genuine.status().await
    };
    assert_eq!(ask(1).await, 200);
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(Raw::connect(address).await);
    }
    assert_eq!(ask(2).await, 200);
    for one in &mut silent {
        one.closed().await;
    }
    assert_eq!(ask(3).await, 200, "it outlives a head's time");
    let root = desk.expect_thread().await;
    desk.expect_in_thread(&root.ts, &["text number 2", "text number 3"])
        .await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_whole_requests_only() {
    let mut desk = Desk::on(Database::Sqlite).start().await;
    let address = desk.relay().address;
    let mut halves = Vec::new();
    for n in 0..20 {
        let mut one = Raw::connect(address).await;
        if n % 2 == 0 {
            assert!(one.send("POST /api/twilio/dispatch-route HT").await);
        }
        halves.push(one);
    }
    let mut begun = Raw::connect(address).await;
    let (head, body) = text(1);
    assert!(begun.send(head + &body[..10]).await);
    // What came on another connection later was answered: this has been seen.
    assert_eq!(desk.get("/healthz").await.0, 200);
    let stopped = Instant::now();
    desk.relay().signal("TERM").await;
    desk.relay()
        .wait_for_log(|line| {
            line["message"]
                .as_str()
                .is_some_and(|it| it.starts_with("stopping"))
        })
        .await;
    assert!(begun.send(&body[10..]).await);
    assert_eq!(begun.status().await, 200);
    assert_eq!(desk.relay().ended().await, Some(0));
    assert!(
        stopped.elapsed() < Duration::from_secs(9),
        "shorter than a head may take"
    );
    desk.start_relay().await;
    desk.expect_thread().await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_genuine_is_refused_before_its_body_comes() {
    let mut desk = Desk::on(Database::Sqlite).start().await;
    let address = desk.relay().address;
    let now = qdn_relay::clock::Clock::System.now().as_second();
    let (fresh, stale) = (now.to_string(), (now - 310).to_string());
    let shaped = format!("v0={}", "0a".repeat(32));
    let slack = |at: &str, signature: &str, length| {
        let headers = [
            ("x-slack-request-timestamp", at),
            ("x-slack-signature", signature),
        ];
        post(EVENTS, &headers, length)
    };
    let twilio =
        |signature: &str, length| post(ROUTE, &[("x-twilio-signature", signature)], length);
    let forged = signature::sign("another-token", PUBLIC_URL, &[]);
    for (head, status, what) in [
        (slack(&stale, &shaped, 1_000), 403, "stale"),
        (slack("now", &shaped, 1_000), 403, "no time"),
        (
            slack(&fresh, "v0=forged", 1_000),
            403,
            "no signature of Slack's",
        ),
        (slack(&fresh, &shaped, 2 << 20), 413, "too large for Slack"),
        (twilio("forged", 1_000), 403, "no signature of Twilio's"),
        (twilio(&forged, 65 << 10), 413, "too large for Twilio"),
        (post(ROUTE, &[], 1_000), 403, "no signature"),
    ] {
        let mut one = Raw::connect(address).await;
        assert!(one.send(head).await);
        assert_eq!(one.status().await, status, "{what}");
    }
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unsigned_bodies_share_a_little_memory() {
    let mut desk = Desk::on(Database::Sqlite).start().await;
    let (address, pid) = (desk.relay().address, desk.relay().pid());
    let before = memory(pid);
    let (mib, most) = (1 << 20, vec![b'a'; (1 << 20) - 1]);
    let mut bodies = Vec::new();
    for n in 0..90 {
        let mut one = Raw::connect(address).await;
        one.send(unsigned_event(mib)).await;
        one.send(&most).await;
        bodies.push(one);
        if n % 30 == 29 {
            let receipt = desk.twilio.text(ALICE, LINE, &format!("text {n}")).await;
            assert_eq!(receipt.status, 200, "who has signed is heard");
        }
    }
    let (head, _) = bodies[0].answer().await.expect("an answer");
    assert!(head.starts_with("http/1.1 503"), "{head}");
    assert!(head.contains("retry-after: 1"), "{head}");
    let grown = memory(pid) - before;
    assert!(grown < 80.0, "{grown} MiB for 90 MiB of bodies");
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while desk.metric("qdn_bodies_broken_off_total").await < 50.0 {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut last = bodies.pop().unwrap();
    assert!(last.send("a").await);
    assert_eq!(
        last.status().await,
        403,
        "what is read to its end is judged"
    );
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_of_http_are_spoken() {
    let mut desk = Desk::on(Database::Sqlite).start().await;
    let url = desk.url("/healthz");
    let builder = || reqwest::Client::builder().no_proxy();
    let two = builder().http2_prior_knowledge().build().unwrap();
    for (client, version) in [
        (builder().build().unwrap(), reqwest::Version::HTTP_11),
        (two, reqwest::Version::HTTP_2),
    ] {
        for _ in 0..3 {
            let answer = client.get(&url).send().await.unwrap();
            assert_eq!((answer.version(), answer.status().as_u16()), (version, 200));
        }
    }
    let mut old = Raw::connect(desk.relay().address).await;
    assert!(old.send("GET /healthz HTTP/1.0\r\n\r\n").await);
    assert_eq!(old.status().await, 200);
    old.closed().await;
    desk.close().await;
}
