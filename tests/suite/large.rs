//! How long a call waits while ten people open the app's home over a million messages. It is measured, not judged:
//!
//! ```sh
//! cargo test --test suite -- --ignored --nocapture calls_while_homes_are_opened
//! ```
//!
//! `QDN_LARGE_MESSAGES` names another number of messages.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use qdn_sandbox::twilio;
use qdn_sandbox::twilio::signature;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, SqliteConnection};

use crate::desk::{ALICE, CHANNEL, Database, Desk, LINE, PUBLIC_URL, http};

const PATH: &str = "/api/twilio/dispatch-route";
const CALLS: usize = 150;
const VIEWERS: usize = 10;

/// How often each of them opens their home at least.
const OPENED: usize = 20;

#[expect(
    clippy::disallowed_methods,
    reason = "tests have no configuration file"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Messages of the last hundred days in a tenth as many conversations, each with its delivery and its audit row.
async fn fill(file: &std::path::Path, messages: u64) {
    let url = format!("sqlite://{}", file.display());
    let options = SqliteConnectOptions::from_str(&url).unwrap();
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    let conversations = messages / 10;
    let numbers = |count: u64| {
        format!("with recursive n(i) as (select 1 union all select i + 1 from n where i < {count})")
    };
    let now = "cast(unixepoch() as bigint) * 1000";
    let at = format!("{now} - (i * 8640000000 / {messages})");
    for sql in [
        "pragma synchronous = off".to_owned(),
        "begin".to_owned(),
        format!(
            "{} insert into conversation (id, line, caller, place, channel, thread_ts, opened_at, last_at)
             select 'c' || i, '{LINE}', '+1' || (2000000000 + i), '', '{CHANNEL}', printf('1700000000.%06d', i), {at}, {at} from n",
            numbers(conversations)
        ),
        format!(
            "{} insert into conversation_status (conversation_id, claimed_by, answered_by, closed_by, waiting_since, changed_at)
             select 'c' || i, '', 'somebody', '', case when i <= 20 then {at} end, {at} from n",
            numbers(conversations)
        ),
        format!(
            "{} insert into message (id, conversation_id, origin, external_id, author, body, channel, ts, internal, mark, created_at)
             select 'm' || i, 'c' || (i % {conversations} + 1), case i % 2 when 0 then 'twilio' else 'slack' end, 'e' || i, '',
                 'Is there a car for four at seven, please?', '', '', 0, '', {at} from n",
            numbers(messages)
        ),
        format!(
            "{} insert into outbox (id, lane, seq, part, conversation_id, message_id, kind, payload, state, pending, attempts, next_at,
                 last_error, notified, external_id, created_at, updated_at)
             select 'o' || i, 'thread:c' || (i % {conversations} + 1), i, 0, 'c' || (i % {conversations} + 1), 'm' || i, 'post',
                 '{{}}', case when i % 100000 = 0 then 'refused' else 'delivered' end, 0, 1, 0, '', 0, 'x', {at}, {at} from n",
            numbers(messages)
        ),
        "commit".to_owned(),
    ] {
        database.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    // The days are summed up as the migration did it.
    let sums = include_str!("../../migrations/0013_day_tallies.sql");
    let insert = sums
        .split(';')
        .find(|sql| sql.trim_start().starts_with("insert into tally"))
        .map(|sql| {
            sql.replace("insert into tally", "insert into daily_stat")
                .replace("m.kept_inside", "m.internal")
        });
    let insert = AssertSqlSafe(insert.unwrap());
    database.execute(insert).await.unwrap();
    database.close().await.unwrap();
}

/// A call comes in: how long until it is answered.
async fn call(url: &str, number: usize) -> Duration {
    let account = twilio::Settings::default();
    let sid = format!("CA{number:032x}");
    let params: Vec<(String, String)> = [
        ("AccountSid", account.account_sid.as_str()),
        ("From", ALICE),
        ("To", LINE),
        ("CallSid", &sid),
        ("CallStatus", "ringing"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let signature = signature::sign(&account.auth_token, &format!("{PUBLIC_URL}{PATH}"), &params);
    let began = Instant::now();
    let request = http().post(format!("{url}{PATH}"));
    let answer = request
        .header("X-Twilio-Signature", signature)
        .form(&params)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let took = began.elapsed();
    answer.bytes().await.unwrap();
    took
}

fn row(what: &str, mut took: Vec<Duration>) -> Duration {
    took.sort();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    println!(
        "{what:<40} median {:>7.1} ms   p99 {:>7.1} ms",
        at(50).as_secs_f64() * 1e3,
        at(99).as_secs_f64() * 1e3
    );
    at(99)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures, and needs half a gigabyte"]
async fn calls_while_homes_are_opened() {
    let messages =
        variable("QDN_LARGE_MESSAGES").map_or(1_000_000, |number| number.parse().unwrap());
    let mut desk = Desk::on(Database::Sqlite).start().await;
    assert_eq!(desk.relay().terminate().await, Some(0));
    let file = desk
        .database
        .url()
        .trim_start_matches("sqlite://")
        .to_owned();
    fill(std::path::Path::new(&file), messages).await;
    desk.start_relay().await;
    let url = desk.url("");
    let mut alone = Vec::new();
    for number in 0..CALLS {
        alone.push(call(&url, number).await);
    }
    let alone = row("a call, nothing else", alone);
    for viewer in 0..VIEWERS {
        let user = format!("U0VIEWER{viewer}");
        desk.slack.add_user(&user, &format!("Viewer {viewer}"));
        desk.slack.join(CHANNEL, &user);
    }
    let over = Arc::new(AtomicBool::new(false));
    let opened = Arc::new(AtomicUsize::new(0));
    let opening: Vec<_> = (0..VIEWERS)
        .map(|viewer| {
            let (slack, over, opened) = (desk.slack.clone(), over.clone(), opened.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    slack.open_home(&format!("U0VIEWER{viewer}")).await;
                    opened.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            })
        })
        .collect();
    let mut beside = Vec::new();
    // Calls are faster than homes: they go on until many homes have been opened beside them.
    while beside.len() < CALLS || opened.load(Ordering::Relaxed) < OPENED * VIEWERS {
        beside.push(call(&url, CALLS + beside.len()).await);
    }
    over.store(true, Ordering::Relaxed);
    for opening in opening {
        opening.await.unwrap();
    }
    let opened = opened.load(Ordering::Relaxed);
    let beside = row(&format!("a call beside {opened} opened homes"), beside);
    println!(
        "{messages} messages: p99 beside homes is {:.1} times that alone",
        beside.as_secs_f64() / alone.as_secs_f64()
    );
    desk.relay().kill().await;
}
