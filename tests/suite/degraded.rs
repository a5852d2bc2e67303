//! Calls while everything else stands still.

use std::time::Duration;

use futures_util::StreamExt;
use qdn_sandbox::twilio::{CallStory, Caller, Outcome, Phone};
use sqlx::{AnyConnection, Connection, Executor};

use crate::desk::{
    BACKUP_PHONE, DORA, Database, Desk, LINE, PATIENCE, Proxy, SERGIO_PHONE, silence,
};

stories! {
    calls_find_their_way_while_everything_else_stands_still [busy],
}

/// How many calls come: a busy hour of one desk.
const CALLS: usize = 200;

/// As many as one desk gets in a bad week, for the benchmark.
const MANY_CALLS: usize = 1_000;

/// How many go on at a time.
const AT_ONCE: usize = 16;

/// Holds the whole database: nothing can be written, and on Postgres nothing read.
async fn lock(desk: &Desk, database: Database) -> AnyConnection {
    let mut holder = desk.connection().await;
    match database {
        Database::Sqlite => holder.execute("begin exclusive").await.unwrap(),
        Database::Postgres => {
            holder.execute("begin").await.unwrap();
            // Whoever writes begins here: taken first, nobody is left holding what the rest waits for.
            holder
                .execute("lock table audit_head in access exclusive mode")
                .await
                .unwrap();
            let tables = "lock table presence_override, audit, message, outbox, lane, call, ring_outcome, call_event \
                          in access exclusive mode";
            holder.execute(tables).await.unwrap()
        }
    };
    holder
}

async fn desk_with_silent_sources(database: Database) -> Desk {
    Desk::on(database)
        .toml(&format!(
            "\n[availability.status_urls]\nSergio = \"http://{}/\"\nBackup = \"http://{}/\"\n",
            silence().await,
            silence().await
        ))
        .variable("QDN_REDIS_URL", &format!("redis://{}", silence().await))
        .start()
        .await
}

fn caller(n: usize) -> String {
    format!("+1619555{n:04}")
}

/// Plays this many calls of callers who soon hang up.
async fn calls(desk: &Desk, count: usize) -> Vec<CallStory> {
    let one = |n: usize| {
        let caller = Caller::hanging_up_after(3);
        desk.twilio
            .calling(&self::caller(2_000 + n), LINE)
            .caller(caller)
            .place()
    };
    futures_util::stream::iter(0..count)
        .map(one)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

/// The right TwiML is a ring at whoever can be rung, asked when they pick up.
fn expect_right(stories: &[CallStory]) {
    for story in stories {
        assert_eq!(story.outcome, Outcome::HungUpByCaller, "{story:#?}");
        assert_eq!(story.rang(), [BACKUP_PHONE], "{story:#?}");
        for part in ["<Dial ", "answerOnBridge=\"true\"", "/api/twilio/screen/"] {
            assert!(story.first_twiml.contains(part), "{}", story.first_twiml);
        }
    }
}

async fn expect_calls(desk: &Desk, count: i64) {
    let deadline = tokio::time::Instant::now() + PATIENCE * 4;
    loop {
        let ended = "select count(*) from call where state = 'hung_up'";
        let found = desk.query_one(ended).await;
        if found == count {
            return;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{count} calls in the database, but there are {found}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn calls_while_all_stands_still(database: Database, count: usize) -> (Desk, Vec<CallStory>) {
    let desk = desk_with_silent_sources(database).await;
    desk.type_until(DORA, "away Sergio", "Sergio is away").await;
    let mut holder = lock(&desk, database).await;
    desk.slack.down().await;
    let stories = calls(&desk, count).await;
    expect_right(&stories);
    holder.execute("rollback").await.unwrap();
    holder.close().await.unwrap();
    // What could not be written is written after. Slack stays away: it takes a message a second and would be at it for long.
    expect_calls(&desk, count as i64).await;
    (desk, stories)
}

async fn calls_find_their_way_while_everything_else_stands_still(database: Database) {
    let (desk, _) = calls_while_all_stands_still(database, CALLS).await;
    desk.close().await;
}

/// A benchmark, since it measures the machine too: `cargo test --release --test suite -- --ignored in_time`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a benchmark"]
async fn calls_are_answered_in_time_while_everything_else_stands_still() {
    let (desk, stories) = calls_while_all_stands_still(Database::Sqlite, MANY_CALLS).await;
    let mut took: Vec<Duration> = stories
        .iter()
        .flat_map(|story| story.exchanges.iter().map(|exchange| exchange.took))
        .collect();
    took.sort();
    let p = |part: f64| took[((took.len() - 1) as f64 * part) as usize];
    println!(
        "{} answers: p50 {:?}, p99 {:?}, worst {:?}",
        took.len(),
        p(0.5),
        p(0.99),
        p(1.0)
    );
    assert!(p(0.99) < Duration::from_millis(500), "p99 is {:?}", p(0.99));
    desk.close().await;
}

/// Postgres goes away in the middle, silently or not, and comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_find_their_way_without_postgres() {
    if !Database::has_postgres().await {
        return;
    }
    let desk = Desk::on(Database::Postgres).prepare().await;
    let url = desk.database.url();
    let (login, rest) = url.split_once('@').unwrap();
    let (there, name) = rest.split_once('/').unwrap();
    let proxy = Proxy::to(there).await;
    let mut desk = desk.with_variable(
        "QDN_DATABASE_URL",
        &format!("{login}@{}/{name}", proxy.address),
    );
    desk.start_relay().await;
    // sqlx says so itself.
    desk.expect_error("after_connect");
    desk.twilio
        .set_phone(SERGIO_PHONE, Phone::pick_up(1).pressing("1").talking(10));
    let mut sids = Vec::new();
    for (n, silent) in [false, true].into_iter().enumerate() {
        desk.twilio.call(&caller(3_000 + n), LINE).await;
        match silent {
            true => proxy.fall_silent(),
            false => proxy.cut(),
        }
        for m in 0..3 {
            let story = desk.twilio.call(&caller(3_100 + 10 * n + m), LINE).await;
            assert!(
                matches!(&story.outcome, Outcome::Bridged { with, .. } if with == SERGIO_PHONE),
                "{story:#?}"
            );
            sids.push(story.sid);
        }
        proxy.open();
    }
    let deadline = tokio::time::Instant::now() + PATIENCE * 2;
    for sid in sids {
        while desk.audit(&["--call", &sid]).await.len() < 4 {
            assert!(
                tokio::time::Instant::now() < deadline,
                "what happened is written after"
            );
        }
    }
    desk.close().await;
}
