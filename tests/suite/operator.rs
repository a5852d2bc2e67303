//! What the operator sees and does: health, metrics, the audit, starting and stopping, what the program refuses.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use qdn_relay::config::{Config, Environment};
use qdn_sandbox::faults::Effect;
use qdn_sandbox::slack::SlackStandIn;
use qdn_sandbox::twilio::signature;
use qdn_sandbox::twilio::{self, Phone};
use serde_json::Value;
use sqlx::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::desk::{
    self, ALICE, BACKUP_PHONE, BOB, CHANNEL, DORA, Database, Desk, LINE, PATIENCE, PUBLIC_URL,
    SERGIO, TOML, manifest,
};

stories! {
    health_readiness_and_metrics_can_be_asked_for,
    the_audit_is_printed_in_three_formats_with_filters,
    a_trail_that_was_tampered_with_is_not_intact,
    sigterm_lets_a_request_that_hangs_finish,
    sigterm_lets_a_delivery_that_is_under_way_finish,
    a_database_newer_than_the_program_is_refused,
    the_manifests_addresses_are_served,
}

async fn health_readiness_and_metrics_can_be_asked_for(database: Database) {
    let mut desk = Desk::on(database).start().await;
    assert_eq!(desk.get("/healthz").await.0, 200);
    let (status, _, body) = desk.get("/readyz").await;
    assert_eq!((status, body.as_str()), (200, "ready\n"));
    desk.twilio
        .inbound(ALICE, LINE, "a forged text")
        .forged(twilio::Forgery::Unsigned)
        .send()
        .await;
    let (status, content_type, body) = desk.get("/metrics").await;
    assert_eq!(status, 200);
    assert!(
        content_type.starts_with("text/plain; version=0.0.4"),
        "{content_type}"
    );
    assert!(
        body.contains("qdn_signatures_refused_total{vendor=\"twilio\"} 1"),
        "{body}"
    );
    for path in ["/", "/api", "/api/twilio/dispatch-route/", "/metrics/x"] {
        assert_eq!(desk.get(path).await.0, 404, "{path}");
    }
    desk.close().await;
}

// On SQLite a file that is open stays there for whoever has it open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_gone_is_not_ready() {
    if !Database::has_postgres().await {
        return;
    }
    let mut desk = Desk::on(Database::Postgres).start().await;
    // sqlx's own words for a connection that was ended before it was in use.
    desk.expect_error("error returned from after_connect");
    desk.rename_database("_away").await;
    assert_eq!(
        desk.get("/healthz").await.0,
        200,
        "restarting would not help"
    );
    let (status, _, body) = desk.get("/readyz").await;
    assert_eq!(
        (status, body.as_str()),
        (503, "the database does not answer\n")
    );
    desk.rename_database("").await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while desk.get("/readyz").await.0 != 200 {
        assert!(
            tokio::time::Instant::now() < deadline,
            "it does not become ready again"
        );
    }
    desk.close().await;
}

/// A desk at which a text came in, a reply went out, somebody went away and somebody called.
async fn eventful(database: Database) -> Desk {
    let desk = Desk::on(database)
        .replace("channel =", "screen = false\nchannel =")
        .start()
        .await;
    desk.twilio.text(ALICE, LINE, "Help").await;
    let root = desk.expect_thread().await;
    let reply = desk
        .slack
        .post_as(DORA, CHANNEL, Some(&root.ts), "On our way")
        .await;
    let sms = desk.expect_sms(1).await.remove(0);
    desk.twilio
        .deliver_status(&sms.sid, "delivered", None)
        .await;
    desk.expect_marks(&reply, &["white_check_mark"]).await;
    let typed = "away 1h =cmd|' /C calc'!A0, \"quoted\"";
    desk.type_until(SERGIO, typed, "Sergio is ").await;
    desk.twilio.set_phone(BACKUP_PHONE, Phone::pick_up(2));
    desk.twilio.call(BOB, LINE).await;
    desk.expect_quiet().await;
    desk
}

async fn the_audit_is_printed_in_three_formats_with_filters(database: Database) {
    let desk = eventful(database).await;
    let rows = desk.audit(&[]).await;
    assert!(rows.len() >= 6, "{rows:#?}");
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row["id"], index + 1);
        for key in [
            "time", "line", "number", "subject", "decision", "reason", "previous", "hash",
        ] {
            assert!(row[key].is_string(), "{key} in {row}");
        }
        assert!(
            row["detail"].is_object() || row["detail"].is_null(),
            "{row}"
        );
    }
    let decisions: Vec<&str> = rows
        .iter()
        .filter_map(|row| row["decision"].as_str())
        .collect();
    for decision in ["availability_changed", "ring", "call_answered"] {
        assert!(decisions.contains(&decision), "{decision} in {decisions:?}");
    }

    let table = desk.run(&["audit"]).await.unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), rows.len() + 1, "{table}");
    for heading in [
        "id",
        "time (UTC)",
        "line",
        "number",
        "decision",
        "subject",
        "why",
    ] {
        assert!(lines[0].contains(heading), "{heading} in {}", lines[0]);
    }
    for (line, row) in lines[1..].iter().zip(&rows) {
        for key in ["line", "number", "subject", "decision", "reason"] {
            assert!(line.contains(row[key].as_str().unwrap()), "{key} in {line}");
        }
    }

    let csv = desk.run(&["audit", "--format", "csv"]).await.unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "id,time,line,number,subject,decision,reason,detail,previous,hash"
    );
    assert_eq!(lines.len(), rows.len() + 1, "{csv}");
    for (line, row) in lines[1..].iter().zip(&rows) {
        let fields: Vec<&str> = line.split("\",\"").collect();
        assert!(line.starts_with(&format!("\"{}\",\"", row["id"])), "{line}");
        assert_eq!(fields[5], row["decision"].as_str().unwrap());
    }

    let call = rows.iter().find(|row| row["decision"] == "ring").unwrap()["subject"]
        .as_str()
        .unwrap();
    let at = |row: &Value| {
        row["time"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    let count = |is_it: &dyn Fn(&Value) -> bool| rows.iter().filter(|row| is_it(row)).count();
    for (filters, expected) in [
        (vec!["--call", call], count(&|row| row["subject"] == call)),
        (
            vec!["--number", ALICE],
            count(&|row| row["number"] == ALICE),
        ),
        (
            vec!["--number", "(619) 555-0143"],
            count(&|row| row["number"] == BOB),
        ),
        (
            vec!["--number", BOB, "--call", call],
            count(&|row| row["subject"] == call),
        ),
        (vec!["--since", "1h"], rows.len()),
        (vec!["--until", "1h"], 0),
        (
            vec![
                "--since",
                rows[2]["time"].as_str().unwrap(),
                "--until",
                "2100-01-01",
            ],
            count(&|row| at(row) >= at(&rows[2])),
        ),
        (vec!["--since", "2100-01-01"], 0),
        (vec!["--call", "CA0"], 0),
    ] {
        let found = desk.audit(&filters).await;
        assert_eq!(found.len(), expected, "{filters:?}: {found:#?}");
    }
    for (filters, words) in [
        (
            ["--number", "anonymous"],
            "--number anonymous: it must be a phone number",
        ),
        (
            ["--since", "yesterday"],
            "--since yesterday: it must be a day",
        ),
        (["--format", "xml"], "possible values: table, jsonl, csv"),
    ] {
        let refused = desk
            .run(&[&["audit"], &filters[..]].concat())
            .await
            .unwrap_err();
        assert!(
            refused.starts_with("exit status: 2") && refused.contains(words),
            "{refused}"
        );
    }
    desk.close().await;
}

async fn a_trail_that_was_tampered_with_is_not_intact(database: Database) {
    let desk = eventful(database).await;
    let intact = desk.run(&["audit", "verify"]).await.unwrap();
    let rows = desk.audit(&[]).await.len();
    let expected = format!("{rows} rows, the chain is intact. It ends with {rows}:");
    assert!(intact.starts_with(&expected), "{intact}");
    let tampering: [(&'static str, &'static str, &str); 8] = [
        (
            "update audit set reason = reason || ' ' where seq = 3",
            "update audit set reason = substr(reason, 1, length(reason) - 1) where seq = 3",
            "row 3: this row was changed",
        ),
        (
            "update audit set number = '+16195550199' where seq = 1",
            "update audit set number = '+16195550142' where seq = 1",
            "row 1: this row was changed",
        ),
        (
            "update audit set at = at + 1 where seq = 2",
            "update audit set at = at - 1 where seq = 2",
            "row 2: this row was changed",
        ),
        (
            "update audit set detail = detail || ' ' where seq = 4",
            "update audit set detail = substr(detail, 1, length(detail) - 1) where seq = 4",
            "row 4: this row was changed",
        ),
        (
            "update audit set seq = -3 where seq = 3",
            "update audit set seq = 3 where seq = -3",
            "row 3: this row is missing",
        ),
        (
            "update audit set seq = -1 where seq = 1",
            "update audit set seq = 1 where seq = -1",
            "row 1: this row is missing",
        ),
        (
            "update audit set seq = -seq where seq = (select seq from audit_head)",
            "update audit set seq = -seq where seq < 0",
            "rows are missing at the end",
        ),
        (
            "update audit_head set hash = hash || '0'",
            "update audit_head set hash = substr(hash, 1, length(hash) - 1)",
            "the trail's end does not match",
        ),
    ];
    for (change, back, words) in tampering {
        desk.execute(change).await;
        let refused = desk.run(&["audit", "verify"]).await.expect_err(change);
        assert!(refused.starts_with("exit status: 1"), "{refused}");
        assert!(
            refused.contains("the chain is broken at") && refused.contains(words),
            "{change}: {refused}"
        );
        desk.execute(back).await;
        assert_eq!(
            desk.run(&["audit", "verify"]).await.unwrap(),
            intact,
            "{back}"
        );
    }
    desk.close().await;
}

async fn sigterm_lets_a_request_that_hangs_finish(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let path = "/api/twilio/dispatch-route";
    let account = twilio::Settings::default();
    let params: Vec<(String, String)> = [
        ("AccountSid", account.account_sid.as_str()),
        ("MessageSid", "SM77777777777777777777777777777777"),
        ("From", ALICE),
        ("To", LINE),
        ("Body", "slow but genuine"),
        ("NumMedia", "0"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let signed = signature::sign(&account.auth_token, &format!("{PUBLIC_URL}{path}"), &params);
    let body = serde_urlencoded::to_string(&params).unwrap();
    let (first, rest) = body.split_at(20);
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: desk.example.com\r\nx-twilio-signature: {signed}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(desk.relay().address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // "Go on" says that the request is being handled.
    let mut buffer = [0; 1024];
    let read = stream.read(&mut buffer).await.unwrap();
    assert!(
        buffer[..read].starts_with(b"HTTP/1.1 100"),
        "{:?}",
        String::from_utf8_lossy(&buffer[..read])
    );
    stream.write_all(first.as_bytes()).await.unwrap();

    desk.relay().signal("TERM").await;
    desk.relay()
        .wait_for_log(|line| {
            line["message"]
                .as_str()
                .is_some_and(|words| words.starts_with("stopping"))
        })
        .await;
    stream.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("<Response/>"),
        "{answer}"
    );
    assert_eq!(desk.relay().ended().await, Some(0));
    assert!(
        TcpStream::connect(desk.relay().address).await.is_err(),
        "nobody listens any more"
    );
    assert_eq!(
        desk.query_one("select count(*) from message").await,
        1,
        "200 means kept"
    );
    desk.start_relay().await;
    desk.expect_thread().await;
    desk.close().await;
}

async fn sigterm_lets_a_delivery_that_is_under_way_finish(database: Database) {
    let mut desk = Desk::on(database)
        .replace("request_timeout = \"500ms\"", "request_timeout = \"5s\"")
        .replace("settle_after = \"2s\"", "settle_after = \"12s\"")
        .start()
        .await;
    desk.twilio.text(ALICE, LINE, "Help").await;
    let root = desk.expect_thread().await;
    desk.expect_quiet().await;
    desk.twilio.faults().push(
        "Messages.create",
        Effect::Slow(Duration::from_secs(1)).accepted(),
    );
    desk.slack
        .post_as(DORA, CHANNEL, Some(&root.ts), "On our way")
        .await;
    // Twilio has it, and has not answered yet.
    desk.expect_sms(1).await;
    assert_eq!(desk.relay().terminate().await, Some(0));
    let unsettled = "select count(*) from attempt where finished_at is null";
    assert_eq!(
        desk.query_one(unsettled).await,
        0,
        "its outcome was recorded"
    );
    desk.start_relay().await;
    desk.expect_quiet().await;
    desk.expect_sms(1).await;
    desk.close().await;
}

async fn a_database_newer_than_the_program_is_refused(database: Database) {
    let mut desk = Desk::on(database).start().await;
    assert_eq!(desk.relay().terminate().await, Some(0));
    desk.execute(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'later', true, '', 0)",
    )
    .await;
    for command in ["serve", "audit"] {
        let refused = desk.run(&[command]).await.unwrap_err();
        assert!(refused.starts_with("exit status: 1"), "{refused}");
        assert!(
            refused.contains("the database is newer than this program") && refused.contains("9999"),
            "{refused}"
        );
    }
    desk.execute("delete from _sqlx_migrations where version = 9999")
        .await;
    desk.start_relay().await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_is_created_and_kept_as_durability_needs_it() {
    let desk = Desk::on(Database::Sqlite).start().await;
    let mut connection = desk.connection().await;
    let mode: String = sqlx::query_scalar("pragma journal_mode")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    assert_eq!(mode, "wal");
    desk.close().await;
}

async fn the_manifests_addresses_are_served(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let urls: Vec<&str> = [manifest::values("url"), manifest::values("request_url")].concat();
    let mut paths: Vec<&str> = urls
        .iter()
        .map(|url| url.strip_prefix(PUBLIC_URL).unwrap())
        .collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "/api/slack/commands",
            "/api/slack/events",
            "/api/slack/interactions"
        ]
    );
    for path in paths {
        // Forbidden, and not unknown.
        let url = desk.url(path);
        assert_eq!(
            desk::http().post(url).send().await.unwrap().status(),
            403,
            "{path}"
        );
    }
    let printed = desk.run(&["manifest"]).await.unwrap();
    assert_eq!(printed, manifest::TEXT);
    let elsewhere = [(
        "QDN_PUBLIC_URL".to_owned(),
        "https://desk.example.org".to_owned(),
    )];
    let printed = desk::run(&desk::Launch::new(&desk.config, &elsewhere), &["manifest"])
        .await
        .unwrap();
    assert_eq!(
        printed,
        manifest::TEXT.replace("https://desk.example.com", "https://desk.example.org")
    );
    desk.close().await;
}

/// Every method of Slack's that stands in the code.
fn methods_called() -> Vec<String> {
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/slack/client");
    let mut sources = vec![std::fs::read_to_string(client.with_extension("rs")).unwrap()];
    for file in std::fs::read_dir(client).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() && path.file_stem().is_some_and(|name| name != "tests") {
            sources.push(std::fs::read_to_string(path).unwrap());
        }
    }
    let words = sources
        .iter()
        .flat_map(|source| source.split('"').skip(1).step_by(2));
    let mut methods: Vec<String> = words
        .filter(|word| SlackStandIn::scopes_of(word).is_some())
        .map(str::to_owned)
        .collect();
    methods.sort_unstable();
    methods.dedup();
    methods
}

/// What is handled of the events that Slack sends, as it stands in the code.
const EVENTS: &str = include_str!("../../src/http/slack.rs");

fn events_handled() -> Vec<&'static str> {
    let names: [(&str, &[&str]); 4] = [
        ("Event::Message(", &["message.channels", "message.groups"]),
        ("Event::AppHomeOpened", &["app_home_opened"]),
        ("Event::MemberJoined", &["member_joined_channel"]),
        ("Event::MemberLeft", &["member_left_channel"]),
    ];
    let handled = names
        .into_iter()
        .filter(|(variant, _)| EVENTS.contains(variant));
    handled
        .flat_map(|(_, events)| events.iter().copied())
        .collect()
}

#[test]
fn the_manifest_asks_for_what_is_used_and_for_nothing_else() {
    let methods = methods_called();
    assert!(
        methods.len() >= 12 && methods.contains(&"chat.postMessage".to_owned()),
        "{methods:?}"
    );
    let mut events = manifest::list("bot_events");
    events.sort_unstable();
    let mut handled = events_handled();
    handled.sort_unstable();
    assert_eq!(events, handled);

    let mut needed: Vec<String> = methods
        .iter()
        .filter_map(|method| SlackStandIn::scopes_of(method))
        .flatten()
        .collect();
    // Messages are only told to whoever may read them.
    for event in &events {
        match event.strip_prefix("message.") {
            Some(kind) => needed.push(format!("{kind}:history")),
            None if event.starts_with("member_") => {
                needed.extend(["channels:read".to_owned(), "groups:read".to_owned()])
            }
            None => {}
        }
    }
    assert_eq!(manifest::values("command"), ["/qdn"]);
    needed.push("commands".to_owned());
    needed.sort_unstable();
    needed.dedup();
    assert_eq!(
        manifest::list("bot"),
        needed,
        "the scopes, in the order of the alphabet"
    );
}

#[test]
fn the_example_shows_every_key_and_its_default() {
    let example = include_str!("../../qdn.example.toml");
    let parse = |text: &str| {
        Config::parse(text, &Environment::default()).unwrap_or_else(|error| panic!("{error}"))
    };
    let shown = parse(example);
    let least = parse(TOML.split("[delivery]").next().unwrap());
    assert_eq!(
        shown.listen,
        least
            .listen
            .to_string()
            .replace(":0", ":8080")
            .parse()
            .unwrap()
    );
    assert_eq!(shown.database_url, least.database_url);
    assert_eq!(shown.redis_url, None);
    assert_eq!(
        (&shown.twilio_api_url, &shown.slack_api_url),
        (&least.twilio_api_url, &least.slack_api_url)
    );
    assert_eq!((&shown.people, &shown.lines), (&least.people, &least.lines));
    assert_eq!(shown.availability, least.availability);
    assert_eq!(
        (&shown.delivery, &shown.desk),
        (&least.delivery, &least.desk)
    );

    // What is left out there is known as well.
    let with_all: String = example
        .lines()
        .map(|line| format!("{}\n", without_mark(line)))
        .collect();
    let all = parse(&with_all);
    assert!(all.redis_url.is_some() && all.availability.status_urls.len() == 1);
    assert!(all.lines[0].missed_call_text.is_some() && all.lines[0].away_text.is_some());
    let keys: Vec<&str> = with_all
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(key, _)| key)
        .collect();
    for key in "public_url listen database_url redis_url api_url name phone slack number channel screen ring missed_call_text \
                away_text ttl Sergio request_timeout validity settle_after backfill_every stale_reply timezone \
                new_thread_after renotify_after remind_after page_after"
        .split_whitespace()
    {
        assert!(keys.contains(&key), "{key} in {keys:?}");
    }
    for line in example
        .lines()
        .filter(|line| without_mark(line).contains(" = \""))
    {
        let is_again = line.starts_with("name = \"Backup\"") || line.starts_with("phone = \"+1858");
        assert!(
            line.contains("  # ")
                || is_again
                || line.starts_with("#Sergio")
                || line.contains("{ people"),
            "a comment: {line}"
        );
    }
}

/// A setting that is left out begins with `#` and no space.
fn without_mark(line: &str) -> &str {
    match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => setting,
        _ => line,
    }
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// All secrets but none of a real account.
const SECRETS: [(&str, &str); 6] = [
    ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000000"),
    ("TWILIO_AUTH_TOKEN", qdn_sandbox::twilio::AUTH_TOKEN),
    ("TWILIO_API_KEY", "SK00000000000000000000000000000000"),
    ("TWILIO_API_SECRET", "not-a-real-api-secret"),
    ("SLACK_BOT_TOKEN", "xoxb-not-a-real-token"),
    ("SLACK_SIGNING_SECRET", qdn_sandbox::slack::SIGNING_SECRET),
];

/// `serve` with this configuration and environment, which it refuses; what it says.
async fn refusal(folder: &Path, toml: &str, variables: &[(&str, &str)], status: i32) -> String {
    let config = folder.join("qdn.toml");
    std::fs::write(&config, toml).unwrap();
    let refused = desk::run(&desk::Launch::new(&config, &pairs(variables)), &["serve"])
        .await
        .unwrap_err();
    let said = refused.strip_prefix(&format!("exit status: {status}: "));
    said.unwrap_or_else(|| panic!("exit status {status}, but it says: {refused}"))
        .to_owned()
}

#[tokio::test]
async fn everything_that_is_wrong_with_the_configuration_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let toml = TOML
        .replace("https://desk", "http://desk")
        .replace("seconds = 15", "seconds = 1")
        .replace("stale_reply", "stale_replies");
    let said = refusal(
        folder.path(),
        &toml,
        &[("QDN_LISTEN", "8080"), ("SLACK_BOT_TOKEN", "xoxp-1111")],
        2,
    )
    .await;
    for words in [
        "the configuration is not right:",
        "public_url = http://desk.example.com: it must be the origin",
        "listen = 8080: it must be an address and a port",
        "lines[0].ring[0].seconds = 1: how long this step rings: whole seconds, 5 to 600",
        "delivery.stale_replies: there is no such key",
        "TWILIO_ACCOUNT_SID: it is not set",
        "TWILIO_AUTH_TOKEN: it is not set",
        "TWILIO_API_KEY: it is not set",
        "TWILIO_API_SECRET: it is not set",
        "SLACK_BOT_TOKEN = (not shown): it must begin with xoxb-",
        "SLACK_SIGNING_SECRET: it is not set",
    ] {
        assert!(said.contains(words), "{words} in:\n{said}");
    }
    assert_eq!(said.lines().count(), 11, "{said}");
    assert!(!said.contains("1111"), "{said}");
    assert!(!folder.path().join("qdn.db").exists(), "nothing was begun");
}

#[tokio::test]
async fn secrets_of_an_impossible_shape_are_refused_by_serve_and_check() {
    let folder = tempfile::tempdir().unwrap();
    for (name, wrong, sentence) in [
        (
            "TWILIO_AUTH_TOKEN",
            "zqx",
            "it must be 32 hexadecimal digits: it is the Auth Token",
        ),
        (
            "SLACK_SIGNING_SECRET",
            "zqx",
            "it must be 32 letters and digits: it is the Signing Secret",
        ),
        (
            "TWILIO_AUTH_TOKEN_PREVIOUS",
            "zqx",
            "it must be 32 hexadecimal digits",
        ),
        ("TWILIO_WEBHOOK_KEYS", "zqx", "it must be ID:SECRET"),
    ] {
        let others = SECRETS.into_iter().filter(|(known, _)| *known != name);
        let variables: Vec<(&str, &str)> = others.chain([(name, wrong)]).collect();
        let said = refusal(folder.path(), TOML, &variables, 2).await;
        let config = folder.path().join("qdn.toml");
        let checked = desk::run(&desk::Launch::new(&config, &pairs(&variables)), &["check"])
            .await
            .unwrap_err();
        for said in [said, checked] {
            assert!(said.contains(&format!("{name} = (not shown)")), "{said}");
            assert!(said.contains(sentence) && !said.contains("zqx"), "{said}");
        }
    }
}

#[tokio::test]
async fn serve_needs_every_secret() {
    let folder = tempfile::tempdir().unwrap();
    for (missing, _) in SECRETS {
        for empty in [false, true] {
            let variables: Vec<(&str, &str)> = SECRETS
                .into_iter()
                .filter(|(name, _)| empty || *name != missing)
                .map(|(name, value)| (name, if name == missing { "" } else { value }))
                .collect();
            let said = refusal(folder.path(), TOML, &variables, 2).await;
            assert!(
                said.contains(&format!("{missing}: it is not set. It is the ")),
                "{said}"
            );
            assert!(
                said.contains(&format!("{missing}_FILE=path")) && said.contains("SECRETS_FILE"),
                "{said}"
            );
            assert_eq!(said.lines().count(), 2, "{said}");
        }
    }
}

#[tokio::test]
async fn a_secrets_file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.env");
    let written: String = SECRETS
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    std::fs::write(&file, written).unwrap();
    let path = file.to_str().unwrap();
    for mode in [0o644, 0o640, 0o620, 0o601] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let said = refusal(folder.path(), TOML, &[("SECRETS_FILE", path)], 2).await;
        assert!(said.contains(&format!("run: chmod 600 {path}")), "{said}");
        assert_eq!(said.lines().count(), 2, "{said}");
        assert!(!said.contains("not-a-real"), "{said}");
    }
    // With the right mode it gets as far as the address, which is taken.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for mode in [0o600, 0o400] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let variables = [("SECRETS_FILE", path), ("QDN_LISTEN", &address)];
        let said = refusal(folder.path(), TOML, &variables, 1).await;
        assert!(
            said.contains(&format!("listen = {address}")) && said.contains("another service"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_opened_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere.toml");
    let refused = desk::run(&desk::Launch::new(&nowhere, &pairs(&SECRETS)), &["serve"])
        .await
        .unwrap_err();
    assert!(
        refused.starts_with("exit status: 2") && refused.contains("copy qdn.example.toml"),
        "{refused}"
    );

    for url in [
        "sqlite://no/such/folder/qdn.db",
        "postgres://127.0.0.1:1/qdn",
    ] {
        let variables = [&SECRETS[..], &[("QDN_DATABASE_URL", url)]].concat();
        let said = refusal(folder.path(), TOML, &variables, 1).await;
        assert!(
            said.contains("the database cannot be opened") && said.contains("Check database_url"),
            "{said}"
        );
    }
    let said = desk::run(&desk::Launch::new(&nowhere, &[]), &["surf"])
        .await
        .unwrap_err();
    assert!(
        said.starts_with("exit status: 2") && said.contains("unrecognized subcommand"),
        "{said}"
    );
}
