//! A desk for one story or one cell of the fault matrix: the real binary as a process, its database, and the stand-ins
//! for Twilio and Slack.
//!
//! A story ends with [`Desk::close`], which fails on anything unexpected: a request that the vendors would not accept,
//! an error in the log, a text, a number or a secret in it, a broken audit chain, a process that does not stop by
//! itself.

#![expect(
    clippy::unwrap_used,
    reason = "what a test takes for granted fails it where it stands"
)]

mod backfill;
mod database;
mod delivery;
mod expect;
mod expect_calls;
pub mod gate;
mod log;
pub mod manifest;
mod presence;
mod process;
mod proxy;
mod raw;
mod replies;
mod standing;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use qdn_sandbox::slack::{self, SlackStandIn};
use qdn_sandbox::twilio::{self, TwilioStandIn};

pub use backfill::FORTY_DAYS;
pub use database::{Created, Database};
pub use presence::{Redis, StatusPage, silence};
pub use process::{Launch, Relay, run, signal};
pub use proxy::Proxy;
pub use raw::{Raw, post};

/// Our number.
pub const LINE: &str = "+16195550100";
/// Another number of ours, for desks with two lines.
pub const SECOND_LINE: &str = "+16195550101";
/// A caller.
pub const ALICE: &str = "+16195550142";
/// Another caller.
pub const BOB: &str = "+16195550143";
/// Sergio's telephone.
pub const SERGIO_PHONE: &str = "+16195550111";
/// The backup dispatcher's telephone.
pub const BACKUP_PHONE: &str = "+18585550112";
/// `#qdn-dispatch`.
pub const CHANNEL: &str = "C0DISPATCH";
/// Sergio in Slack.
pub const SERGIO: &str = "U0SERGIO";
/// A dispatcher.
pub const DORA: &str = "U0DORA";
/// A member of the workspace who is not in the channel.
pub const STRANGER: &str = "U0STRANGER";
/// The public URL of the service that Twilio and Slack know.
pub const PUBLIC_URL: &str = "https://desk.example.com";

/// How long to wait for a condition. Only a failing test waits this long.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// The settings of a desk that is not started yet.
pub struct Builder {
    database: Database,
    toml: String,
    environment: Vec<(String, String)>,
}

impl Builder {
    /// Appends lines to `qdn.toml`.
    pub fn toml(mut self, more: &str) -> Builder {
        self.toml.push_str(more);
        self
    }

    /// Replaces a part of `qdn.toml`.
    pub fn replace(mut self, from: &str, to: &str) -> Builder {
        assert!(
            self.toml.contains(from),
            "{from} does not stand in the configuration"
        );
        self.toml = self.toml.replace(from, to);
        self
    }

    /// Adds a variable to the environment of the service.
    pub fn variable(mut self, name: &str, value: &str) -> Builder {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the stand-ins and the service, and waits until it is ready.
    pub async fn start(self) -> Desk {
        let desk = self.prepare().await;
        desk.started().await
    }

    /// Starts the stand-ins and prepares the configuration, without starting the service.
    pub async fn prepare(self) -> Desk {
        // Ignoring "installed already": every desk of this process asks for the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let twilio = TwilioStandIn::start(twilio_settings()).await.unwrap();
        let slack = SlackStandIn::start(slack_settings()).await.unwrap();
        slack.add_channel(CHANNEL, "qdn-dispatch", false);
        slack.invite_bot(CHANNEL);
        for (id, name) in [(SERGIO, "Sergio"), (DORA, "Dora"), (STRANGER, "Stranger")] {
            slack.add_user(id, name);
        }
        slack.join(CHANNEL, SERGIO);
        slack.join(CHANNEL, DORA);
        let folder = tempfile::tempdir().unwrap();
        let database = self.database.create(folder.path()).await;
        let apis = format!(
            "[twilio]\napi_url = \"{}\"\n[slack]\napi_url = \"{}\"\n",
            twilio.url(),
            slack.url()
        );
        let config = folder.path().join("qdn.toml");
        let listen = format!("listen = \"{}:0\"", own_address());
        let toml = self.toml.replace("listen = \"127.0.0.1:0\"", &listen);
        std::fs::write(&config, format!("{toml}\n{apis}")).unwrap();
        Desk {
            twilio,
            slack,
            _folder: folder,
            program: process::program(),
            config,
            database,
            environment: self.environment,
            relay: None,
            expected_errors: Vec::new(),
        }
    }
}

/// The address on which this desk's services listen. A request to one that is gone must not reach the service of
/// another desk, which may have its port by then. Linux has a whole network for loopback, other systems a single
/// address.
pub fn own_address() -> Ipv4Addr {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    if !cfg!(target_os = "linux") {
        return Ipv4Addr::LOCALHOST;
    }
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let [_, a, b, c] = (std::process::id() << 10).wrapping_add(count).to_be_bytes();
    // 127.0.0.1 is the stand-ins', and the last of a network is a broadcast.
    Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254))
}

/// A client for a story's own requests. It keeps no connections, because every story has a runtime of its own.
pub fn http() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let builder = reqwest::Client::builder().no_proxy();
        builder.pool_max_idle_per_host(0).build().unwrap()
    })
}

/// A desk, its stand-ins and its service.
pub struct Desk {
    pub twilio: TwilioStandIn,
    pub slack: SlackStandIn,
    _folder: tempfile::TempDir,
    /// The program that this desk runs: the one built with the tests, unless a test sets another.
    pub program: PathBuf,
    pub config: PathBuf,
    pub database: database::Created,
    pub environment: Vec<(String, String)>,
    pub relay: Option<Relay>,
    expected_errors: Vec<String>,
}

/// The account at Twilio. It has two numbers; most desks use one.
fn twilio_settings() -> twilio::Settings {
    let numbers = [LINE, SECOND_LINE].map(str::to_owned).to_vec();
    twilio::Settings {
        numbers,
        ..twilio::Settings::default()
    }
}

/// The app at Slack. It has only what the manifest asks for, so a missing scope or event fails stories.
fn slack_settings() -> slack::Settings {
    slack::Settings {
        scopes: manifest::list("bot"),
        subscriptions: manifest::list("bot_events"),
        ..slack::Settings::default()
    }
}

/// The configuration of every desk: QDN with Sergio and a backup dispatcher, and with short timers.
pub const TOML: &str = r##"
public_url = "https://desk.example.com"
listen = "127.0.0.1:0"

[[people]]
name = "Sergio"
phone = "+16195550111"
slack = "U0SERGIO"

[[people]]
name = "Backup"
phone = "+18585550112"

[[lines]]
name = "QDN"
number = "+16195550100"
channel = "#qdn-dispatch"
ring = [
  { people = ["Sergio"], seconds = 15 },
  { people = ["Backup"], seconds = 20, always = true },
]

[delivery]
request_timeout = "500ms"
validity = "1s"
settle_after = "2s"
backfill_every = "1s"
stale_reply = "10m"
"##;

impl Desk {
    /// The settings of a desk on this database.
    pub fn on(database: Database) -> Builder {
        Builder {
            database,
            toml: TOML.to_owned(),
            environment: Vec::new(),
        }
    }

    /// Starts the service of a desk that was only prepared.
    pub async fn started(mut self) -> Desk {
        self.start_relay().await;
        self
    }

    /// Starts the service, again or for the first time, and directs Twilio's and Slack's requests to it.
    pub async fn start_relay(&mut self) {
        let relay = Relay::start(&self.launch()).await;
        self.lead_to(relay.address);
        self.relay = Some(relay);
    }

    /// Starts the service on a socket that outlives it and is passed as systemd does.
    pub async fn start_relay_on(&mut self, socket: &std::net::TcpListener) {
        let relay = Relay::start_on(socket, &self.launch()).await;
        self.lead_to(relay.address);
        self.relay = Some(relay);
    }

    /// Starts the service so that a full disk fails writes instead of killing it.
    pub async fn start_relay_that_may_run_out_of_room(&mut self) {
        let relay = Relay::start_without_xfsz(&self.launch()).await;
        self.lead_to(relay.address);
        self.relay = Some(relay);
    }

    /// Starts the service with a limit of 160 open files.
    pub async fn start_relay_with_few_files(&mut self) {
        let relay = Relay::start_with_few_files(&self.launch()).await;
        self.lead_to(relay.address);
        self.relay = Some(relay);
    }

    /// Directs the requests of Twilio and Slack, which know the public URL, to this address.
    pub fn lead_to(&self, address: SocketAddr) {
        self.twilio.set_relay(PUBLIC_URL, Some(address));
        self.slack.set_relay(PUBLIC_URL, Some(address));
    }

    /// Starts the service with this umask.
    pub async fn start_relay_with_umask(&mut self, umask: &str) {
        let relay = Relay::start_with_umask(umask, &self.launch()).await;
        self.lead_to(relay.address);
        self.relay = Some(relay);
    }

    /// The running service.
    pub fn relay(&mut self) -> &mut Relay {
        self.relay.as_mut().expect("the service runs")
    }

    /// The address of the service, for a request of the story's own.
    pub fn url(&mut self, path: &str) -> String {
        format!("http://{}{path}", self.relay().address)
    }

    /// Sends a GET request; returns status, content type and body.
    pub async fn get(&mut self, path: &str) -> (u16, String, String) {
        let response = http().get(self.url(path)).send().await.unwrap();
        let content_type = response.headers().get("content-type");
        let content_type = content_type.map_or("", |value| value.to_str().unwrap());
        let (status, content_type) = (response.status().as_u16(), content_type.to_owned());
        (status, content_type, response.text().await.unwrap())
    }

    /// Sends a GET request; returns status, content type and body as bytes.
    pub async fn get_bytes(&mut self, path: &str) -> (u16, String, Vec<u8>) {
        let response = http().get(self.url(path)).send().await.unwrap();
        let content_type = response.headers().get("content-type");
        let content_type = content_type.map_or("", |value| value.to_str().unwrap());
        let (status, content_type) = (response.status().as_u16(), content_type.to_owned());
        let bytes = response.bytes().await.unwrap().to_vec();
        (status, content_type, bytes)
    }

    /// Takes the story's Postgres database away; an empty suffix brings it back.
    pub async fn rename_database(&self, suffix: &str) {
        self.database.rename(suffix).await;
    }

    /// The environment of the service.
    pub fn variables(&self) -> Vec<(String, String)> {
        let twilio = twilio_settings();
        let slack = slack::Settings::default();
        let mut variables: Vec<(String, String)> = [
            ("TWILIO_ACCOUNT_SID", twilio.account_sid),
            ("TWILIO_AUTH_TOKEN", twilio.auth_token),
            ("TWILIO_API_KEY", twilio.api_key),
            ("TWILIO_API_SECRET", twilio.api_secret),
            ("SLACK_BOT_TOKEN", slack.bot_token),
            ("SLACK_SIGNING_SECRET", slack.signing_secret),
            ("QDN_DATABASE_URL", self.database.url()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
        variables.extend(self.environment.iter().cloned());
        variables
    }

    /// How the service is started.
    pub fn launch(&self) -> Launch {
        Launch {
            program: self.program.clone(),
            ..Launch::new(&self.config, &self.variables())
        }
    }

    /// Allows an error line with these words in the log.
    pub fn expect_error(&mut self, words: &str) {
        self.expected_errors.push(words.to_owned());
    }

    /// Runs another command of the program beside the service. Returns its standard output if it succeeds.
    pub async fn run(&self, arguments: &[&str]) -> Result<String, String> {
        process::run(&self.launch(), arguments).await
    }

    /// Runs another command of the program with these variables in place of its own.
    pub async fn run_with(
        &self,
        variables: &[(String, String)],
        arguments: &[&str],
    ) -> Result<String, String> {
        let mut launch = self.launch();
        launch.variables.extend(variables.iter().cloned());
        process::run(&launch, arguments).await
    }

    /// Ends the story; fails on anything unexpected.
    pub async fn close(mut self) {
        if let Some(mut relay) = self.relay.take() {
            let code = relay.terminate().await;
            assert_eq!(
                code,
                Some(0),
                "SIGTERM ends the service with 0; its log:\n{}",
                relay.log().join("\n")
            );
            log::check(&relay.log(), &self.expected_errors, &self.said());
        }
        let verified = self.run(&["audit", "verify"]).await;
        let is_intact = match &verified {
            Ok(said) => said.contains("intact"),
            // Of a service that was never started.
            Err(said) => said.contains("there is no database"),
        };
        assert!(is_intact, "the audit chain: {verified:?}");
        assert_eq!(
            self.twilio.violations(),
            Vec::<String>::new(),
            "Twilio would not have it"
        );
        assert_eq!(
            self.slack.violations(),
            Vec::<String>::new(),
            "Slack would not have it"
        );
        assert_eq!(
            self.twilio.uses_of_auth_token(),
            0,
            "the auth token is for signatures only"
        );
    }

    /// Everything that people said. The log must not contain it.
    fn said(&self) -> Vec<String> {
        let texts = self
            .twilio
            .messages()
            .into_iter()
            .map(|message| message.body);
        let posts = self
            .slack
            .roots(CHANNEL)
            .into_iter()
            .map(|message| message.text);
        // Short ones stand in a log by chance.
        texts
            .chain(posts)
            .filter(|words| words.len() >= 8)
            .collect()
    }
}

/// Makes each story two tests, on SQLite and on Postgres. `[busy]` marks one that keeps every core busy.
#[macro_export]
macro_rules! stories {
    ($($story:ident $([$kind:ident])?),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                let _turn = $crate::gate::turn(stringify!($($kind)?)).await;
                super::$story($crate::Database::Sqlite).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                if $crate::Database::has_postgres().await {
                    let _turn = $crate::gate::turn(stringify!($($kind)?)).await;
                    super::$story($crate::Database::Postgres).await;
                }
            })*
        }
    };
}
