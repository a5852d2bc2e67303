//! What stories about delivery look at: conversations, the audit trail, the metrics.

use qdn_sandbox::slack::Message;
use sqlx::Connection;

use super::{CHANNEL, DORA, Desk, LINE, PATIENCE};

impl Desk {
    /// Sends a caller's first text. Returns the root of its thread.
    pub async fn open(&self, caller: &str) -> Message {
        let known = self.slack.roots(CHANNEL).len();
        self.twilio.text(caller, LINE, "Help").await;
        self.expect_roots(known + 1).await.remove(known)
    }

    /// Writes a reply as Dora.
    pub async fn reply(&self, root: &Message, words: &str) -> String {
        self.slack
            .post_as(DORA, CHANNEL, Some(&root.ts), words)
            .await
    }

    /// The words of every SMS to `caller` that Twilio accepted, in order.
    pub fn texted(&self, caller: &str) -> Vec<String> {
        let created = self.twilio.created().into_iter();
        created
            .filter(|sms| sms.to == caller)
            .map(|sms| sms.body)
            .collect()
    }

    /// Waits until exactly these texts were sent to `caller`.
    pub async fn expect_texted(&self, caller: &str, expected: &[&str]) {
        let reached = self
            .twilio
            .wait_until(PATIENCE, |_| self.texted(caller).len() >= expected.len())
            .await;
        assert!(
            reached && self.texted(caller) == expected,
            "texted: {expected:?}, but there is: {:?}",
            self.texted(caller)
        );
    }

    /// How often the audit trail has this decision.
    pub async fn audited(&self, decision: &str) -> usize {
        let sql = format!("select seq from audit where decision = '{decision}'");
        self.numbers(sql).await.len()
    }

    /// Reads a column of numbers from the database.
    pub async fn numbers(&self, sql: String) -> Vec<i64> {
        sqlx::any::install_default_drivers();
        let mut connection = sqlx::AnyConnection::connect(&self.database.url())
            .await
            .unwrap();
        let numbers = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        numbers
    }

    /// Reads a column of words from the database.
    pub async fn words(&self, sql: String) -> Vec<String> {
        sqlx::any::install_default_drivers();
        let mut connection = sqlx::AnyConnection::connect(&self.database.url())
            .await
            .unwrap();
        let words = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        words
    }

    /// Waits until the audit trail has this decision this often.
    pub async fn expect_audited(&self, decision: &str, times: usize) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let found = self.audited(decision).await;
            if found == times {
                return;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{decision} {times} times in the audit trail, but it is there {found} times"
            );
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Waits until a count in the database has this value.
    pub async fn expect_count(&self, sql: &'static str, count: i64) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let found = self.query_one(sql).await;
            if found == count {
                return;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{sql} gives {found} and not {count}"
            );
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// The value of a series in `/metrics`; 0 if it is not there.
    pub async fn metric(&mut self, series: &str) -> f64 {
        let url = self.url("/metrics");
        let page = reqwest::get(url).await.unwrap().text().await.unwrap();
        page.lines()
            .find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
            .unwrap_or_default()
    }
}
