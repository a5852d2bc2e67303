//! Signed requests that no vendor would send: every route, with fields that are missing, doubled, odd, huge or no text at all.
//!
//! `cargo test --test suite -- --ignored fuzz --nocapture`; QDN_FUZZ_SEED repeats a run, QDN_FUZZ_COUNT says how many requests.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::StreamExt;
use qdn_relay::twilio::form;
use qdn_sandbox::slack::signature as slack_signature;
use qdn_sandbox::twilio::signature as twilio_signature;
use qdn_sandbox::{slack, twilio};
use serde_json::{Value, json};

use crate::desk::{ALICE, BOB, CHANNEL, DORA, Database, Desk, LINE, PUBLIC_URL, SERGIO, http};
use crate::forged::{CARRIED, routes};

/// How many requests where nothing else is asked for.
const COUNT: u64 = 2_000;

/// Stands in every text, and may stand in no log.
const MARK: &str = "zqfuzzwords";

/// A known caller whom no odd request is about: the backlog of others does not hold up their text.
const CANARY: &str = "+16195550150";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a fuzz run"]
async fn nothing_that_is_signed_breaks_it_on_sqlite() {
    run(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a fuzz run"]
async fn nothing_that_is_signed_breaks_it_on_postgres() {
    if Database::has_postgres().await {
        run(Database::Postgres).await;
    }
}

/// SplitMix64: the same numbers for the same seed, whatever version of whatever library.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// True once in `n` times.
    fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn sid(&mut self, kind: &str) -> String {
        // Few of them, so that requests meet what others left, and none that the stand-in gives: the canary's text would be
        // one that has come already.
        format!("{kind}f{:031x}", self.below(40))
    }
}

fn setting(name: &str) -> Option<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a run of tests has no configuration file"
    )]
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// Values that some program somewhere stumbles over, as bytes.
fn odd(dice: &mut Dice) -> Vec<u8> {
    let long = [64, 4_096, 60_000][dice.below(3)];
    let texts: [&str; 30] = [
        "",
        " ",
        "0",
        "-1",
        "1",
        "99999999999999999999",
        "1e9",
        "NaN",
        "null",
        "true",
        "\u{0}",
        "a\u{0}b",
        "\u{fffd}",
        "\u{202e}abc",
        "👩‍👩‍👧‍👧🇺🇸",
        "' or 1=1 --",
        "<!channel> <@U0SERGIO>",
        "{\"a\":[",
        "%00",
        "+16195550199",
        "+",
        "anonymous",
        "rcs:agent",
        "whatsapp:+16195550142",
        "STOP",
        "https://evil.example/",
        "file:///etc/passwd",
        "CA",
        "2026-11-25T00:00:00Z",
        "\r\nx: y",
    ];
    match dice.below(40) {
        n if n < 30 => texts[n].as_bytes().to_vec(),
        30 => vec![0xff, 0xfe, 0x00, 0x80],
        31 => b"\xc3\x28\xed\xa0\x80".to_vec(),
        32 => vec![b'a'; long],
        33 => "é".repeat(long / 2).into_bytes(),
        34 => "\u{0}".repeat(long).into_bytes(),
        35 => format!("{MARK} \u{0} {MARK}").into_bytes(),
        _ => format!("{MARK} {}", dice.next()).into_bytes(),
    }
}

fn percent_encoded(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(*byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

type Fields = Vec<(String, Vec<u8>)>;

fn mutate(dice: &mut Dice, fields: &mut Fields) {
    for _ in 0..dice.below(5) {
        if fields.is_empty() {
            return;
        }
        let at = dice.below(fields.len());
        match dice.below(6) {
            0 => drop(fields.remove(at)),
            1 => {
                let twice = fields[at].clone();
                fields.push(twice);
            }
            2 => {
                let other = (fields[at].0.clone(), odd(dice));
                fields.push(other);
            }
            3 => {
                let name = odd(dice);
                fields[at].0 = percent_encoded(&name);
            }
            _ => fields[at].1 = odd(dice),
        }
    }
    if dice.once_in(200) {
        fields.clear();
    }
}

fn encoded(fields: &Fields) -> String {
    let pairs = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", percent_encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

struct Request {
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// Everything that any of Twilio's requests carries.
fn of_twilio(dice: &mut Dice, routes: &[String]) -> Request {
    let words = |list: &[&str], dice: &mut Dice| (*dice.of(list)).to_owned();
    let ends = [
        "completed",
        "busy",
        "no-answer",
        "failed",
        "canceled",
        "in-progress",
        "ringing",
    ];
    let states = [
        "queued",
        "sent",
        "delivered",
        "undelivered",
        "failed",
        "read",
    ];
    let account = twilio::Settings::default().account_sid;
    let mut known = vec![
        ("AccountSid", account.clone()),
        (
            "From",
            words(
                &[ALICE, ALICE, BOB, "anonymous", "+266696687", "262966"],
                dice,
            ),
        ),
        ("To", LINE.to_owned()),
        ("Body", format!("{MARK} {}", dice.below(1_000))),
        ("NumMedia", words(&["0", "0", "1", "3"], dice)),
        (
            "MediaUrl0",
            format!("https://api.twilio.com/2010-04-01/Accounts/{account}/Messages/MM0/Media/ME0"),
        ),
        (
            "MediaContentType0",
            words(&["image/png", "text/vcard", "video/mp4"], dice),
        ),
        ("FromCity", "SAN DIEGO".to_owned()),
        ("FromState", "CA".to_owned()),
        ("OptOutType", words(&["STOP", "START", "HELP"], dice)),
        ("MessageStatus", words(&states, dice)),
        ("SmsStatus", words(&states, dice)),
        ("ErrorCode", words(&["30003", "30006", "21610", "0"], dice)),
        ("CallStatus", words(&ends, dice)),
        ("DialCallStatus", words(&ends, dice)),
        ("DialBridged", words(&["true", "false"], dice)),
        ("DialCallDuration", "12".to_owned()),
        ("DialCallSid", dice.sid("CA")),
        ("ParentCallSid", dice.sid("CA")),
        ("CallSid", dice.sid("CA")),
        ("CallDuration", "12".to_owned()),
        ("Digits", words(&["1", "2", "#"], dice)),
        ("RecordingSid", dice.sid("RE")),
        (
            "RecordingUrl",
            format!(
                "https://api.twilio.com/2010-04-01/Accounts/{account}/Recordings/{}",
                dice.sid("RE")
            ),
        ),
        ("RecordingStatus", "completed".to_owned()),
        ("RecordingDuration", "5".to_owned()),
        ("TranscriptionSid", dice.sid("TR")),
        ("TranscriptionStatus", "completed".to_owned()),
        ("TranscriptionText", format!("{MARK} said")),
        ("Timestamp", "Wed, 25 Nov 2026 00:00:00 +0000".to_owned()),
        ("SequenceNumber", "0".to_owned()),
        ("Direction", "inbound".to_owned()),
    ];
    if dice.once_in(2) {
        known.push(("MessageSid", dice.sid("SM")));
    }
    let mut fields: Fields = known
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into_bytes()))
        .collect();
    mutate(dice, &mut fields);
    let body = encoded(&fields).into_bytes();
    let path = filled(dice, routes);
    let mut query: Fields = [
        ("o", "row"),
        ("a", "1"),
        ("round", "1"),
        ("step", "0"),
        ("person", "Sergio"),
        ("tried", SERGIO),
        ("line", LINE),
    ]
    .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
    .to_vec();
    mutate(dice, &mut query);
    let path = format!("{path}?{}", encoded(&query));
    let token = twilio::Settings::default().auth_token;
    let signed =
        twilio_signature::sign(&token, &format!("{PUBLIC_URL}{path}"), &form::parse(&body));
    Request {
        path,
        headers: vec![("x-twilio-signature", signed)],
        body,
    }
}

/// One of the routes, with something in the place of what an address of ours carries.
fn filled(dice: &mut Dice, routes: &[String]) -> String {
    let parts = dice.of(routes).split('/').map(str::to_owned);
    let parts: Vec<String> = parts
        .map(|part| if part == CARRIED { carried(dice) } else { part })
        .collect();
    parts.join("/")
}

/// A value that reads, one that reads as something else, or none that does.
fn carried(dice: &mut Dice) -> String {
    if dice.once_in(4) {
        return CARRIED.to_owned();
    }
    if dice.once_in(3) {
        return percent_encoded(&odd(dice)).chars().take(2_000).collect();
    }
    let mut value = json!({
        "v": 1, "o": "row", "a": 1, "round": 1, "step": 0, "person": "Sergio", "tried": [SERGIO], "line": LINE,
    });
    mutate_json(dice, &mut value);
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Replaces parts of a document with what should not stand there.
fn mutate_json(dice: &mut Dice, value: &mut Value) {
    if dice.once_in(12) {
        *value = match dice.below(9) {
            0 => Value::Null,
            1 => json!(dice.next()),
            2 => json!(-1.5e300),
            3 => json!([]),
            4 => json!({}),
            5 => json!([[[[{"a": [null]}]]]]),
            6 => json!(true),
            _ => json!(String::from_utf8_lossy(&odd(dice))),
        };
        return;
    }
    match value {
        Value::Object(fields) => {
            if dice.once_in(10)
                && let Some(name) = fields.keys().nth(dice.below(fields.len().max(1))).cloned()
            {
                fields.remove(&name);
            }
            fields
                .values_mut()
                .for_each(|field| mutate_json(dice, field));
        }
        Value::Array(list) => list.iter_mut().for_each(|one| mutate_json(dice, one)),
        _ => {}
    }
}

/// What the desk knows that requests can be about.
struct Known {
    root: String,
    conversation: String,
}

fn of_slack(dice: &mut Dice, known: &Known) -> Request {
    let user = json!({ "id": *dice.of(&[DORA, SERGIO]), "team_id": "T0QDN" });
    let trigger = format!("{}.{}", dice.next(), dice.next());
    let (path, body) = match dice.below(3) {
        0 => (
            "/api/slack/events",
            event(dice, known).to_string().into_bytes(),
        ),
        1 => ("/api/slack/commands", command(dice, &trigger)),
        _ => {
            let mut payload = interaction(dice, known, &user, &trigger);
            mutate_json(dice, &mut payload);
            let mut fields = vec![("payload".to_owned(), payload.to_string().into_bytes())];
            if dice.once_in(20) {
                mutate(dice, &mut fields);
            }
            ("/api/slack/interactions", encoded(&fields).into_bytes())
        }
    };
    let at = qdn_relay::clock::Clock::System
        .now()
        .as_second()
        .to_string();
    let secret = slack::Settings::default().signing_secret;
    let signed = slack_signature::sign(&secret, &at, &body);
    Request {
        path: path.to_owned(),
        headers: vec![
            ("x-slack-request-timestamp", at),
            ("x-slack-signature", signed),
        ],
        body,
    }
}

fn event(dice: &mut Dice, known: &Known) -> Value {
    let ts = format!(
        "{}.{:06}",
        1_800_000_000 + dice.below(1_000),
        dice.below(1_000_000)
    );
    let message = json!({
        "type": "message", "channel": CHANNEL, "user": DORA, "team": "T0QDN", "ts": ts, "thread_ts": known.root,
        "text": format!("note: {MARK} {}", dice.below(1_000)),
        "files": [{ "id": "F1", "mimetype": "image/png", "url_private": "https://files.slack.com/x", "size": 12 }],
    });
    let event = match dice.below(4) {
        0 => json!({ "type": "app_home_opened", "user": DORA, "tab": "home" }),
        1 => {
            json!({ "type": "message", "subtype": "message_changed", "channel": CHANNEL, "message": message,
                     "previous_message": message, "ts": ts })
        }
        2 => {
            json!({ "type": "message", "subtype": "message_deleted", "channel": CHANNEL, "deleted_ts": ts,
                     "previous_message": message })
        }
        _ => message,
    };
    let mut envelope = json!({
        "type": "event_callback", "team_id": "T0QDN", "api_app_id": "A0QDN", "event_id": "Ev1", "event": event,
    });
    mutate_json(dice, &mut envelope);
    envelope
}

fn command(dice: &mut Dice, trigger: &str) -> Vec<u8> {
    let texts = [
        "away 30m lunch",
        "away Sergio",
        "available",
        "dnd until 14:00",
        "status",
        "who",
        "why",
        "open",
        "help",
        "name 619-555-0142 Ana",
        "text 911 help",
        "optout 619-555-0142",
    ];
    let mut fields: Fields = [
        ("team_id", "T0QDN"),
        ("channel_id", CHANNEL),
        ("user_id", DORA),
        ("command", "/qdn"),
        ("text", *dice.of(&texts)),
        ("trigger_id", trigger),
    ]
    .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
    .to_vec();
    mutate(dice, &mut fields);
    encoded(&fields).into_bytes()
}

fn interaction(dice: &mut Dice, known: &Known, user: &Value, trigger: &str) -> Value {
    let actions = [
        "desk_claim",
        "desk_release",
        "desk_close",
        "desk_reopen",
        "held_send",
        "held_inside",
        "edit_send",
        "reply_send",
        "reply_arrived",
        "reply_leave",
        "home_away",
        "home_available",
    ];
    let view = json!({
        "callback_id": "new_text", "private_metadata": trigger,
        "state": { "values": { "number": { "number": { "type": "plain_text_input", "value": "911" } },
                               "words": { "words": { "type": "plain_text_input", "value": MARK } } } },
    });
    let team = json!({ "id": "T0QDN" });
    match dice.below(4) {
        0 => {
            json!({ "type": "view_submission", "user": user, "team": team, "view": view, "trigger_id": trigger })
        }
        1 => {
            json!({ "type": "shortcut", "callback_id": "new_text", "user": user, "team": team, "trigger_id": trigger })
        }
        _ => json!({
            "type": "block_actions", "user": user, "team": team, "trigger_id": trigger,
            "channel": { "id": CHANNEL },
            "container": { "message_ts": known.root, "channel_id": CHANNEL, "is_ephemeral": dice.once_in(2) },
            "actions": [{ "action_id": *dice.of(&actions), "block_id": "b",
                          "value": *dice.of(&[known.conversation.as_str(), "Sergio", "nothing"]) }],
            "response_url": "https://hooks.slack.com.example/actions/1",
        }),
    }
}

async fn run(database: Database) {
    let seed = setting("QDN_FUZZ_SEED").unwrap_or_else(|| {
        u64::try_from(qdn_relay::clock::Clock::System.now().as_millisecond()).unwrap()
    });
    let count = setting("QDN_FUZZ_COUNT").unwrap_or(COUNT);
    println!("{database:?}: QDN_FUZZ_SEED={seed} QDN_FUZZ_COUNT={count}");
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(CANARY).await;
    let known = Known {
        root: root.ts.clone(),
        conversation: desk
            .words("select id from conversation".into())
            .await
            .remove(0),
    };
    let twilio_routes = routes("twilio");
    let mut dice = Dice(seed);
    let requests: Vec<Request> = (0..count)
        .map(|_| match dice.once_in(3) {
            true => of_slack(&mut dice, &known),
            false => of_twilio(&mut dice, &twilio_routes),
        })
        .collect();
    let base = desk.url("");
    let statuses: Vec<(u16, String)> = futures_util::stream::iter(requests)
        .map(|request| send(&base, request))
        .buffered(4)
        .collect()
        .await;
    let mut by_status: BTreeMap<u16, usize> = BTreeMap::new();
    for (status, _) in &statuses {
        *by_status.entry(*status).or_default() += 1;
    }
    println!("{database:?}: answers by status: {by_status:?}");
    judge(&mut desk, &statuses).await;

    desk.twilio.text(CANARY, LINE, "the canary sings").await;
    desk.expect_words_in_thread(&root.ts, "the canary sings")
        .await;
    assert_eq!(desk.get("/healthz").await.0, 200);
    assert_eq!(desk.relay().terminate().await, Some(0));
    let log = desk.relay().log();
    let verified = desk.run(&["audit", "verify"]).await;
    assert!(verified.is_ok_and(|said| said.contains("intact")));
    let told = log.iter().find(|line| line.contains(MARK));
    assert_eq!(told, None, "words in the log");
}

async fn send(base: &str, request: Request) -> (u16, String) {
    let mut post = http()
        .post(format!("{base}{}", request.path))
        .header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in &request.headers {
        post = post.header(*name, value);
    }
    let route = request.path.split('?').next().unwrap_or_default();
    // Who still sends what is refused as too large may find the connection closed before the answer is read.
    let is_too_large = request.body.len() > 64 * 1024 || request.path.len() > 16 * 1024;
    let status = match post.body(request.body).send().await {
        Ok(answer) => answer.status().as_u16(),
        Err(_) if is_too_large => 0,
        Err(error) => panic!("{route} got no answer: {error}"),
    };
    (status, route.chars().take(60).collect())
}

/// Fails on a panic, on a status that no request may get, and on a refusal that no declared budget explains.
async fn judge(desk: &mut Desk, statuses: &[(u16, String)]) {
    let log = desk.relay().log();
    let panics: Vec<&String> = log
        .iter()
        .filter(|line| line.contains("panicked"))
        .collect();
    assert!(panics.is_empty(), "{panics:#?}");
    let broken: Vec<_> = statuses
        .iter()
        .filter(|(status, _)| *status >= 500 && *status != 503)
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
    let mut causes: BTreeMap<String, usize> = BTreeMap::new();
    for line in &log {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        let is_lost = line["message"] == "saving a request failed"
            || line["message"] == "what happened in calls waits for the database";
        let cause = line["error"].as_str().unwrap_or_default();
        let is_known = cause.contains("took longer than")
            || cause.contains("nothing was heard of the beginning");
        if is_lost && !is_known {
            *causes.entry(cause.to_owned()).or_default() += 1;
        }
    }
    assert!(causes.is_empty(), "not kept: {causes:#?}");
}
