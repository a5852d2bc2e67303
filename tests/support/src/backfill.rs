//! Old threads for stories about backfill, and its rounds to wait for.

use std::time::Duration;

use sqlx::{Connection, Executor};

use super::{CHANNEL, Desk, PATIENCE};

/// The age of an old thread.
pub const FORTY_DAYS: Duration = Duration::from_secs(40 * 24 * 3_600);

const WATERMARKS: &str = "select value from kv where name like 'backfill.%' order by name";

impl Desk {
    /// Adds a message of ours that was posted forty days ago. Returns its `ts`.
    pub async fn aged_root(&self) -> String {
        self.slack
            .say("U0QDNBOT", CHANNEL, "an old conversation")
            .as_bot("B0QDN")
            .aged(FORTY_DAYS)
            .withheld()
            .send()
            .await
    }

    /// Records this thread as an earlier one of Alice's conversation.
    pub async fn had_thread(&self, channel: &str, root: &str) {
        self.change(format!(
            "insert into thread (channel, ts, conversation_id, opened_at)
             select '{channel}', '{root}', conversation_id, opened_at - {} from thread limit 1",
            FORTY_DAYS.as_millis()
        ))
        .await;
    }

    pub async fn change(&self, sql: String) {
        let mut connection = self.connection().await;
        connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        connection.close().await.unwrap();
    }

    pub async fn watermark_of_calls(&self) -> Vec<String> {
        let name = "backfill.calls.+16195550100";
        self.words(format!("select value from kv where name = '{name}'"))
            .await
    }

    /// Waits until backfill has made a whole round of looking for calls.
    pub async fn expect_watermarks_to_move(&self) {
        self.expect_to_move("calls").await;
    }

    /// Waits until backfill has made a whole round of looking for texts.
    pub async fn expect_rounds_of_texts(&self) {
        self.expect_to_move("texts").await;
    }

    pub async fn expect_to_move(&self, what: &str) {
        let sql = format!("select value from kv where name = 'backfill.{what}.+16195550100'");
        for _ in 0..3 {
            let before = self.words(sql.clone()).await;
            let deadline = tokio::time::Instant::now() + PATIENCE;
            while self.words(sql.clone()).await == before {
                assert!(tokio::time::Instant::now() < deadline, "backfill goes on");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// The watermark of the line's texts.
    pub async fn watermark(&self) -> Vec<String> {
        self.words("select value from kv where name = 'backfill.texts.+16195550100'".to_owned())
            .await
    }

    /// Waits until backfill has made this many more rounds through Twilio's log and Slack's threads.
    pub async fn expect_rounds(&self, rounds: usize) {
        for _ in 0..rounds {
            let before = self.words(WATERMARKS.to_owned()).await;
            let deadline = tokio::time::Instant::now() + PATIENCE;
            // A round that was under way at the beginning does not count: both have to move.
            while self
                .words(WATERMARKS.to_owned())
                .await
                .iter()
                .zip(&before)
                .any(|(now, before)| now == before)
            {
                assert!(tokio::time::Instant::now() < deadline, "backfill goes on");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Waits until this many more reads of Twilio's log have failed.
    pub async fn expect_failed_rounds(&mut self, rounds: usize) {
        self.expect_failed_rounds_of("texts", rounds).await;
    }

    /// Waits until this many more reads of Twilio's texts or calls have failed.
    pub async fn expect_failed_rounds_of(&mut self, what: &str, rounds: usize) {
        let failed = format!("qdn_backfill_failed_total{{what=\"{what}\"}}");
        let wanted = self.metric(&failed).await + rounds as f64;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.metric(&failed).await < wanted {
            assert!(tokio::time::Instant::now() < deadline, "backfill goes on");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
