//! A database that an earlier release left with rows in flight is opened, and everything in it is delivered once.

use std::collections::HashMap;
use std::time::Duration;

use qdn_sandbox::twilio::Callbacks;
use qdn_sandbox::{slack, twilio};
use serde_json::{Value, json};
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, Executor};

use crate::desk::{ALICE, BOB, CHANNEL, Created, DORA, Database, Desk, LINE, PATIENCE, http};

stories! {
    what_an_earlier_release_left_in_flight_is_delivered_once,
}

/// Written by the release before payloads carried a version; its head says what is in it.
const BEFORE_10: &str = include_str!("fixtures/qdn-before-10.sql");

/// The last migration of that release.
const LAST_BEFORE_10: i64 = 13;

const CAROL: &str = "+16195550144";
const DAVE: &str = "+16195550145";
const EVE: &str = "+16195550146";
const HANK: &str = "+16195550149";

/// The text about which a person had to decide, and the reply whose writer had been asked.
const UNDECIDED: &str = "6tzxf1a30tcx";
const ASKED: &str = "kzvcjgvv3kfa";

/// The dump as this desk can use it: times are moved to now, and the vendors' ids are those that the stand-ins gave.
struct Dump {
    sql: Vec<String>,
}

/// The words of the head's lines that begin with `what`.
fn head(what: &str) -> impl Iterator<Item = Vec<&str>> {
    BEFORE_10
        .lines()
        .filter_map(|line| line.strip_prefix("-- "))
        .map(|line| line.splitn(4, ' ').collect::<Vec<_>>())
        .filter(move |words| words[0] == what)
}

impl Dump {
    /// Puts what the vendors had into the stand-ins, and their new ids into the dump.
    async fn prepare(desk: &Desk) -> Dump {
        let mut ids: HashMap<String, String> = HashMap::new();
        for root in head("root") {
            ids.insert(root[1].to_owned(), post_root(desk, root[2]).await);
        }
        for reply in head("reply") {
            let said = desk.slack.say(DORA, CHANNEL, reply[3]);
            let ts = said.in_thread(&ids[reply[2]]).withheld().send().await;
            ids.insert(reply[1].to_owned(), ts);
        }
        for sent in head("sent") {
            let sid = create_text(desk, sent[2], sent[3]).await;
            ids.insert(sent[1].to_owned(), sid);
        }
        for file in head("file") {
            let (caller, words) = file[3].split_once(' ').unwrap();
            let text = desk.twilio.inbound(caller, LINE, words);
            let text = text.media("image/png", b"a picture".to_vec());
            let sid = text.withhold_webhook().send().await.sid;
            let media = desk.twilio.message(&sid).unwrap().media_urls.remove(0);
            let media = media.rsplit('/').next().unwrap().to_owned();
            ids.insert(file[1].to_owned(), sid);
            ids.insert(file[2].to_owned(), media);
        }
        let made: i64 = head("made").next().unwrap()[1].parse().unwrap();
        let later = qdn_relay::clock::Clock::System.now().as_millisecond() - made;
        let is_row = |line: &&str| !line.starts_with("--");
        let sql = BEFORE_10.lines().filter(is_row).map(|line| {
            // What the audit says is hashed: not a letter of it may change.
            match line.starts_with("insert into audit ") {
                true => line.to_owned(),
                false => moved(line, later, &ids),
            }
        });
        Dump { sql: sql.collect() }
    }

    /// Makes the database as the earlier release had it.
    async fn load(self, connection: &mut AnyConnection) {
        let all = Migrator::new(std::path::Path::new("migrations"))
            .await
            .unwrap();
        let known = all.iter().filter(|one| one.version <= LAST_BEFORE_10);
        Migrator::with_migrations(known.cloned().collect())
            .run_direct(None, connection, false)
            .await
            .unwrap();
        connection.execute("begin").await.unwrap();
        for statement in self.sql {
            let done = connection
                .execute(sqlx::AssertSqlSafe(statement.clone()))
                .await;
            done.unwrap_or_else(|error| panic!("{error}: {statement}"));
        }
        connection.execute("commit").await.unwrap();
    }
}

/// A row with its ids replaced and its times moved by `later` milliseconds.
fn moved(line: &str, later: i64, ids: &HashMap<String, String>) -> String {
    let mut moved = String::with_capacity(line.len());
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '.';
    let mut rest = line;
    while let Some(start) = rest.find(is_word) {
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(|one| !is_word(one)).unwrap_or(from.len()));
        moved.push_str(before);
        moved.push_str(&match (ids.get(word), word.split_once('.')) {
            (Some(id), _) => id.clone(),
            (None, None) if word.len() == 13 => match word.parse::<i64>() {
                Ok(time) => (time + later).to_string(),
                Err(_) => word.to_owned(),
            },
            (None, Some((seconds, more))) if seconds.len() == 10 => match seconds.parse::<i64>() {
                Ok(time) => format!("{}.{more}", time + later / 1_000),
                Err(_) => word.to_owned(),
            },
            _ => word.to_owned(),
        });
        rest = after;
    }
    moved + rest
}

/// A root as the service posts one: of which row it is, where that matters.
async fn post_root(desk: &Desk, row: &str) -> String {
    let settings = slack::Settings::default();
    let payload = json!({"outbox": row, "attempt": "1"});
    let message = json!({
        "channel": CHANNEL, "text": "a root of the earlier release",
        "metadata": {"event_type": "qdn_delivery", "event_payload": payload},
    });
    let url = format!("{}chat.postMessage", desk.slack.url());
    let request = http().post(url).bearer_auth(settings.bot_token);
    let answer: Value = request
        .json(&message)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    answer["ts"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
        .to_owned()
}

/// A text that Twilio has accepted; its SID.
async fn create_text(desk: &Desk, to: &str, body: &str) -> String {
    let settings = twilio::Settings::default();
    let url = format!(
        "{}/2010-04-01/Accounts/{}/Messages.json",
        desk.twilio.url(),
        settings.account_sid
    );
    let form = [("From", LINE), ("To", to), ("Body", body)];
    let request = http()
        .post(url)
        .basic_auth(settings.api_key, Some(settings.api_secret));
    let answer: Value = request
        .form(&form)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    answer["sid"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
        .to_owned()
}

/// How often these words are shown in the channel and its threads.
fn times_shown(desk: &Desk, words: &str) -> usize {
    desk.slack.read(|world| {
        let messages = world.channel(CHANNEL).unwrap().messages.values();
        messages
            .filter(|message| world.rendered(message).contains(words))
            .count()
    })
}

async fn what_an_earlier_release_left_in_flight_is_delivered_once(database: Database) {
    let mut desk = Desk::on(database).prepare().await;
    desk.slack.set_rate_limit(false);
    let dump = Dump::prepare(&desk).await;
    desk.slack.set_rate_limit(true);
    desk.twilio
        .set_callbacks(Callbacks::automatic(Duration::from_millis(30)));
    if let Created::Sqlite(file) = &desk.database {
        std::fs::File::create(file).unwrap();
    }
    dump.load(&mut desk.connection().await).await;
    desk.start_relay().await;

    // What waited, what was found in Twilio's log, what had not left, and what stood under a root of which nothing was known.
    desk.expect_texted(ALICE, &["Waiting one", "Waiting two"])
        .await;
    desk.expect_texted(BOB, &["Lost but sent"]).await;
    desk.expect_texted(EVE, &["Never left"]).await;
    desk.expect_texted(HANK, &["It is open"]).await;
    let numbers = (0..14).map(|n| format!("Number {n:02} asks"));
    let texts: Vec<String> = ["Look at this", "And another thing"]
        .map(str::to_owned)
        .into_iter()
        .chain(numbers)
        .collect();
    for words in &texts {
        let shown = desk.slack.wait_until(
            |world| {
                world
                    .channel(CHANNEL)
                    .unwrap()
                    .messages
                    .values()
                    .any(|message| world.rendered(message).contains(words))
            },
            PATIENCE,
        );
        assert!(shown.await, "{words} is not shown");
    }
    // What a person has to decide about has not left, and leaves when they say so.
    desk.expect_texted(CAROL, &[]).await;
    desk.expect_texted(DAVE, &[]).await;
    for row in [UNDECIDED, ASKED] {
        desk.run(&["outbox", "retry", row]).await.unwrap();
    }
    desk.expect_texted(CAROL, &["did you get this?"]).await;
    desk.expect_texted(DAVE, &["@Sergio is on his way"]).await;
    desk.expect_quiet().await;

    for words in &texts {
        assert_eq!(times_shown(&desk, words), 1, "{words}");
    }
    assert_eq!(
        desk.twilio.created().len(),
        7,
        "{:#?}",
        desk.twilio.created()
    );
    let left = "select id || ' ' || kind || ' ' || state || ' ' || last_error from outbox where state not in ('delivered', 'dropped')";
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let left = desk.words(left.to_owned()).await;
        if left.is_empty() {
            break;
        }
        let in_time = tokio::time::Instant::now() < deadline;
        assert!(in_time, "not delivered: {left:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    desk.close().await;
}
