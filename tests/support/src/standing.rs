//! What stories expect of a thread's root and its buttons.

use qdn_sandbox::slack::Message;

use super::{CHANNEL, Desk, PATIENCE};

impl Desk {
    /// Waits until the root shows these words. Returns what people see of it.
    pub async fn expect_root(&self, root: &Message, words: &str) -> String {
        self.expect_root_words(&root.ts, words).await;
        let root = self.slack.message(CHANNEL, &root.ts).unwrap();
        self.slack.rendered(&root)
    }

    /// Types a command until its answer has these words. On a busy machine Slack may not say in time who may type it.
    pub async fn type_until(&self, user: &str, text: &str, answered: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.slack.command(user, CHANNEL, "/qdn", text).await.text;
            if answer.contains(answered) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{text}: {answer}");
        }
    }

    /// Presses a button of the root.
    pub async fn press(&self, user: &str, root: &Message, action: &str) {
        let answer = self.slack.press(user, CHANNEL, &root.ts, action).await;
        assert_eq!(answer.status, 200, "{action}: {answer:?}");
    }

    /// Waits for an ephemeral message of this person that contains these words.
    pub async fn expect_told(&self, user: &str, words: &str) {
        let reached = self
            .slack
            .wait_until(
                |world| {
                    world
                        .ephemerals(user)
                        .any(|told| world.rendered_ephemeral(told).contains(words))
                },
                PATIENCE,
            )
            .await;
        assert!(
            reached,
            "\"{words}\", but {user} was told: {:?}",
            self.slack.ephemerals(user)
        );
    }
}
