//! What people do in Slack, and what only they see.

use std::time::Duration;

use qdn_sandbox::faults::Effect;
use qdn_sandbox::slack::{Ephemeral, Message, World};

use super::{CHANNEL, DORA, Desk, PATIENCE};

impl Desk {
    /// Waits for an ephemeral message of this person that contains these words.
    pub async fn expect_ephemeral(&self, user: &str, words: &str) -> Ephemeral {
        self.expect_newer_ephemeral(user, words, None).await
    }

    /// Waits for an ephemeral message of this person that contains these words and is newer than `than`.
    pub async fn expect_newer_ephemeral(
        &self,
        user: &str,
        words: &str,
        than: Option<&Ephemeral>,
    ) -> Ephemeral {
        let is_newer = |one: &&Ephemeral| than.is_none_or(|than| one.ts > than.ts);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let told = self.slack.ephemerals(user);
            let mut found = told.iter().filter(|one| one.text.contains(words));
            if let Some(last) = found.rfind(is_newer) {
                return last.clone();
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{user} should be told \"{words}\", but was told {told:#?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn says(&self, user: &str, root: &Message, words: &str) -> String {
        self.slack
            .post_as(user, CHANNEL, Some(&root.ts), words)
            .await
    }

    pub async fn commands(&self, user: &str, text: &str) -> String {
        self.slack.command(user, CHANNEL, "/qdn", text).await.text
    }

    /// Waits until a person's Home tab shows these words. Returns what it shows.
    pub async fn expect_home(&self, user: &str, words: &str) -> String {
        let shown = |world: &World| {
            let home = world.home(user)?;
            Some(world.rendered_blocks(&home.view["blocks"]))
        };
        let says = |world: &World| shown(world).is_some_and(|home| home.contains(words));
        let reached = self.slack.wait_until(says, PATIENCE).await;
        let home = self.slack.read(shown);
        assert!(reached, "\"{words}\" in {user}'s home: {home:#?}");
        home.unwrap()
    }

    pub async fn edits(&self, ts: &str, words: &str) {
        self.slack.edit_as(DORA, CHANNEL, ts, words);
        assert!(self.slack.wait_until_delivered(PATIENCE).await);
    }

    pub async fn deletes(&self, ts: &str) {
        self.slack.delete_message(CHANNEL, ts);
        assert!(self.slack.wait_until_delivered(PATIENCE).await);
    }

    /// Sends a reply that Twilio asks us to send later, so that further replies wait behind it.
    pub async fn hold_back(&self, root: &Message) {
        let wait = Effect::RateLimited {
            retry_after: Some(6),
        };
        self.twilio
            .faults()
            .push("Messages.create", wait.not_accepted());
        self.reply(root, "Wait").await;
        let waits = "select a.n from attempt a join outbox o on o.id = a.outbox_id where o.kind = 'sms' and o.state = 'waiting'";
        while self.numbers(waits.to_owned()).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn expect_edit_told(&self, root: &Message) -> Message {
        self.expect_words_in_thread(&root.ts, "This edit did not reach the caller")
            .await
    }
}
