//! What stories expect. Each function waits for its condition, or fails and says what it saw.

use qdn_sandbox::slack::Message;
use qdn_sandbox::twilio::Created;
use serde_json::Value;
use sqlx::{AnyConnection, Connection, Executor};

use super::{CHANNEL, Desk, PATIENCE, http};

impl Desk {
    /// Waits for the only thread in the channel.
    pub async fn expect_thread(&self) -> Message {
        self.expect_roots(1).await.remove(0)
    }

    /// Waits for exactly this many messages in the channel, oldest first.
    pub async fn expect_roots(&self, count: usize) -> Vec<Message> {
        let reached = self
            .slack
            .wait_until(|world| world.roots(CHANNEL).len() >= count, PATIENCE)
            .await;
        let roots = self.slack.roots(CHANNEL);
        assert!(
            reached && roots.len() == count,
            "{count} messages in the channel, but there are: {:#?}",
            self.shown(&roots)
        );
        roots
    }

    /// Waits until the thread has exactly these replies, oldest first, as people see them.
    pub async fn expect_in_thread(&self, root: &str, expected: &[&str]) {
        let reached = self
            .slack
            .wait_until(
                |world| world.thread(CHANNEL, root).len() >= expected.len(),
                PATIENCE,
            )
            .await;
        let shown = self.replies(root);
        assert!(
            reached && shown == expected,
            "in the thread: {expected:#?}, but there is: {shown:#?}"
        );
    }

    /// The replies of a thread, as people see them.
    pub fn replies(&self, root: &str) -> Vec<String> {
        self.shown(&self.slack.thread(CHANNEL, root))
    }

    fn shown(&self, messages: &[Message]) -> Vec<String> {
        messages
            .iter()
            .map(|message| self.slack.rendered(message))
            .collect()
    }

    /// Waits for a reply in the thread that contains these words.
    pub async fn expect_words_in_thread(&self, root: &str, words: &str) -> Message {
        let found = |desk: &Desk| {
            desk.slack
                .thread(CHANNEL, root)
                .into_iter()
                .find(|message| desk.slack.rendered(message).contains(words))
        };
        let slack = &self.slack;
        let reached = slack
            .wait_until(
                |world| {
                    world
                        .thread(CHANNEL, root)
                        .iter()
                        .any(|message| world.rendered(message).contains(words))
                },
                PATIENCE,
            )
            .await;
        match found(self) {
            Some(message) if reached => message,
            _ => panic!(
                "\"{words}\" in the thread, but there is: {:#?}",
                self.replies(root)
            ),
        }
    }

    /// Waits until exactly this many SMS are created at Twilio, in order.
    pub async fn expect_sms(&self, count: usize) -> Vec<Created> {
        let created = self.twilio.wait_for_created(count, PATIENCE).await.unwrap();
        assert_eq!(
            created.len(),
            count,
            "SMS created: {:#?}",
            created.iter().map(|sms| &sms.body).collect::<Vec<_>>()
        );
        created
    }

    /// Waits until a message has exactly these marks.
    pub async fn expect_marks(&self, ts: &str, marks: &[&str]) {
        let reached = self
            .slack
            .wait_until(|world| world.reactions(CHANNEL, ts) == marks, PATIENCE)
            .await;
        assert!(
            reached,
            "marks {marks:?}, but there are {:?}",
            self.slack.reactions(CHANNEL, ts)
        );
    }

    /// Waits until nothing is left to deliver in the outbox.
    pub async fn expect_quiet(&self) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let mut pending = self.pending().await;
            if pending == 0 && self.call_events_waiting().await == 0 {
                // What was just written about a call may have asked for a delivery.
                pending = self.pending().await;
                if pending == 0 {
                    return;
                }
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{pending} deliveries are still pending"
            );
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// How many call events the database has not taken yet; 0 if the service does not run.
    async fn call_events_waiting(&self) -> i64 {
        let Some(relay) = &self.relay else {
            return 0;
        };
        let page = http().get(format!("http://{}/metrics", relay.address));
        let Ok(page) = page.send().await else {
            return 0;
        };
        let page = page.text().await.unwrap_or_default();
        let waiting = page
            .lines()
            .find_map(|line| line.strip_prefix("qdn_call_events_waiting "));
        waiting.map_or(0, |waiting| waiting.trim().parse().unwrap())
    }

    /// The number of deliveries that are still to be tried.
    async fn pending(&self) -> i64 {
        // A mark that waits for the carrier's silence is no unfinished business.
        self.query_one("select count(*) from outbox where pending = 1 and (kind <> 'mark' or state <> 'waiting')").await
    }

    /// Reads one number from the database.
    pub async fn query_one(&self, sql: &'static str) -> i64 {
        let mut connection = self.connection().await;
        let number = sqlx::query_scalar(sql)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        number
    }

    /// Runs `erase --yes` once nothing of the number is being delivered; its last mark may be.
    pub async fn erase(&self, more: &[&str]) -> Result<String, String> {
        let arguments = [&["erase", "--yes"], more].concat();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let said = self.run(&arguments).await;
            let is_busy = matches!(&said, Err(why) if why.contains("are just being made"));
            if !is_busy || tokio::time::Instant::now() > deadline {
                return said;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Changes the database without the service.
    pub async fn execute(&self, sql: &'static str) {
        let mut connection = self.connection().await;
        connection.execute(sql).await.unwrap();
        connection.close().await.unwrap();
    }

    /// A connection of the story's own to the database.
    pub async fn connection(&self) -> AnyConnection {
        sqlx::any::install_default_drivers();
        AnyConnection::connect(&self.database.url()).await.unwrap()
    }

    /// The rows of the audit trail that pass these filters.
    pub async fn audit(&self, filters: &[&str]) -> Vec<Value> {
        let arguments = [&["audit", "--format", "jsonl"], filters].concat();
        let printed = self.run(&arguments).await.unwrap();
        printed
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}
