//! What stories about calls expect.

use qdn_sandbox::twilio::{Event, LiveCall};

use super::{CHANNEL, Desk, PATIENCE};

impl Desk {
    /// Adds a variable to the environment of the service.
    pub fn with_variable(mut self, name: &str, value: &str) -> Desk {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Waits for a call's thread: the `ts` of the first message in the channel.
    pub async fn expect_thread_of_call(&self) -> String {
        let reached = self
            .slack
            .wait_until(|world| !world.roots(CHANNEL).is_empty(), PATIENCE)
            .await;
        assert!(reached, "a call's thread in the channel");
        self.slack.roots(CHANNEL).remove(0).ts
    }

    /// Waits until a message of ours contains these words.
    pub async fn expect_root_words(&self, ts: &str, words: &str) {
        let says = |shown: Option<String>| shown.is_some_and(|shown| shown.contains(words));
        let reached = self
            .slack
            .wait_until(
                |world| {
                    let message = world.message(CHANNEL, ts);
                    says(message.map(|message| world.rendered(message)))
                },
                PATIENCE,
            )
            .await;
        let shown = self.slack.message(CHANNEL, ts);
        let shown = shown.map(|message| self.slack.rendered(&message));
        assert!(reached, "\"{words}\", but there is: {shown:#?}");
    }

    /// Waits until this phone rings in a call.
    pub async fn expect_ringing(&self, call: &LiveCall, number: &str) {
        self.until(|| call.ringing().iter().any(|rings| rings == number))
            .await;
    }

    /// Waits for an event of a call.
    pub async fn expect_event(&self, call: &LiveCall, is_it: impl Fn(&Event) -> bool) {
        self.until(|| call.events().iter().any(|happened| is_it(&happened.event)))
            .await;
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        let mut changes = self.twilio.changes();
        let waited = tokio::time::timeout(PATIENCE, async {
            while !is_so() {
                changes.changed().await.unwrap();
            }
        });
        assert!(waited.await.is_ok(), "it did not happen in the call");
    }
}
