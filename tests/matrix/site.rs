//! A desk that may die and be started again, and everything its processes logged.

use std::time::Duration;

use sqlx::{AnyConnection, Connection};

use crate::cells::Cell;
use crate::checker::{self, Seen};
use crate::desk::{CHANNEL, DORA, Database, Desk, Relay};
use crate::load::Load;

/// How long everything may take to come right once the trouble is over. A net: a cell that comes right is done earlier.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// How long nothing may move before the end is believed: longer than the next comparison with Twilio's log takes.
const STILL: Duration = Duration::from_millis(1_600);

/// How often everything is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Nobody is reminded and nobody is paged: that depends on how fast replies come, and stories check it.
const NO_ALARMS: &str = "
[desk]
remind_after = \"12h\"
page_after = \"12h\"
";

/// The promise's times where they differ from the stories'. A request that is given up because this machine is busy looks
/// like a fault that the cell did not bring about, so requests get longer here, and `settle_after` with them.
const TIMES: [(&str, &str); 2] = [
    (
        "request_timeout = \"500ms\"",
        "request_timeout = \"1500ms\"",
    ),
    ("settle_after = \"2s\"", "settle_after = \"4s\""),
];

pub(crate) struct Site {
    pub desk: Desk,
    /// Another process on the same database.
    pub second: Option<Relay>,
    pub problems: Vec<String>,
    earlier_log: Vec<String>,
}

impl Site {
    /// The stand-ins and a database; nothing runs yet.
    pub(crate) async fn prepare(database: Database, variables: &[(&str, &str)]) -> Site {
        let mut builder = Desk::on(database).toml(NO_ALARMS);
        for (usual, here) in TIMES {
            builder = builder.replace(usual, here);
        }
        for (name, value) in variables {
            builder = builder.variable(name, value);
        }
        let desk = builder.prepare().await;
        desk.slack
            .set_retry_delays([50, 700, 2_000].map(Duration::from_millis));
        desk.twilio
            .set_callbacks(qdn_sandbox::twilio::Callbacks::automatic(
                Duration::from_millis(40),
            ));
        Site {
            desk,
            second: None,
            problems: Vec::new(),
            earlier_log: Vec::new(),
        }
    }

    /// Every line so far, those of processes that are gone too.
    pub(crate) fn log(&self) -> Vec<String> {
        let mut log = self.earlier_log.clone();
        let running = self.desk.relay.iter().chain(&self.second);
        log.extend(running.flat_map(Relay::log));
        log
    }

    /// Waits until the process has died by itself; whether it did.
    pub(crate) async fn wait_for_death(&mut self, patience: Duration) -> bool {
        let child = &mut self.desk.relay().child;
        tokio::time::timeout(patience, child.wait()).await.is_ok()
    }

    /// SIGKILL.
    pub(crate) async fn kill(&mut self) {
        self.desk.relay().kill().await;
    }

    /// The process is gone: whatever it acknowledged has to be on disk.
    pub(crate) async fn examine_remains(&mut self, load: &Load) {
        let log = self.log();
        self.earlier_log = log;
        self.desk.relay = None;
        self.check_now(load).await;
    }

    /// What must hold at every moment holds now.
    pub(crate) async fn check_now(&mut self, load: &Load) {
        match Seen::take(self, load.said()).await {
            Ok(seen) => self.problems.extend(checker::run(&checker::ALWAYS, &seen)),
            Err(error) => self.problems.push(format!("the database: {error}")),
        }
    }

    /// Whether a reply waits for a person's decision.
    pub(crate) async fn asks(&mut self, load: &Load) -> bool {
        match Seen::take(self, load.said()).await {
            Ok(seen) => seen.outbox.iter().any(|row| row.state == "undecided"),
            Err(error) => {
                self.problems.push(format!("the database: {error}"));
                false
            }
        }
    }

    /// Starts the service again, without what made it die.
    pub(crate) async fn restart(&mut self) {
        self.desk
            .environment
            .retain(|(name, _)| name != "QDN_FAULT_DIE_AT");
        self.desk.start_relay().await;
    }

    /// Waits until everything has come right, or gives what has not; people answer what they are asked meanwhile.
    pub(crate) async fn come_right(&mut self, load: &Load, cell: &Cell, patience: Duration) {
        let deadline = tokio::time::Instant::now() + patience;
        let mut right_since = None;
        loop {
            let seen = match Seen::take(self, load.said()).await {
                Ok(seen) => seen,
                Err(error) => {
                    self.problems.push(format!("the database: {error}"));
                    return;
                }
            };
            self.problems.extend(checker::run(&checker::ALWAYS, &seen));
            if !cell.asks {
                let silences = cell.trouble.silences();
                let asked = checker::asked_without_need(&seen, silences);
                self.problems.extend(asked);
            }
            if !self.problems.is_empty() {
                return;
            }
            let late = checker::run(&checker::AT_THE_END, &seen);
            let now = tokio::time::Instant::now();
            if late.is_empty() {
                let since = *right_since.get_or_insert(now);
                if now.duration_since(since) >= STILL {
                    return;
                }
            } else {
                right_since = None;
                self.decide(&seen).await;
            }
            if now >= deadline {
                self.problems = late;
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Somebody who has looked at Twilio's log presses the right button.
    async fn decide(&self, seen: &Seen) {
        for row in seen.outbox.iter().filter(|row| row.state == "undecided") {
            let questions = seen.questions.iter();
            let Some((ts, _)) = questions
                .rev()
                .find(|(_, of)| *of == row.message_id || *of == row.id)
            else {
                continue;
            };
            let arrived = seen
                .created
                .iter()
                .filter_map(Seen::origin_of)
                .any(|(id, _)| id == row.id);
            let action = if arrived {
                "reply_arrived"
            } else {
                "reply_send"
            };
            self.desk.slack.press(DORA, CHANNEL, ts, action).await;
        }
    }

    /// Puts the log where QDN_TEST_TRACES says, to be looked at.
    pub(crate) fn keep_traces(&self, name: &str) {
        #[expect(
            clippy::disallowed_methods,
            reason = "tests have no configuration file"
        )]
        let Some(folder) = std::env::var_os("QDN_TEST_TRACES") else {
            return;
        };
        let name = name.replace([' ', '/', '\''], "_");
        let file = std::path::Path::new(&folder).join(format!("{name}.log"));
        let _ = std::fs::write(file, self.log().join("\n"));
    }

    /// Stops everything, and looks at the audit's chain.
    pub(crate) async fn close(mut self) -> Vec<String> {
        let running = self.desk.relay.take().into_iter().chain(self.second.take());
        for mut relay in running {
            let code = relay.terminate().await;
            if code != Some(0) {
                self.problems
                    .push(format!("SIGTERM ended it with {code:?}"));
            }
        }
        let verified = self.desk.run(&["audit", "verify"]).await;
        if !verified.as_ref().is_ok_and(|said| said.contains("intact")) {
            self.problems
                .push(format!("the audit's chain: {verified:?}"));
        }
        self.problems
    }

    /// A connection of our own to the database.
    pub(crate) async fn connection(&self) -> AnyConnection {
        sqlx::any::install_default_drivers();
        AnyConnection::connect(&self.desk.database.url())
            .await
            .unwrap()
    }
}
