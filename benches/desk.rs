//! How fast the service is: the release binary with a database of its own, asked as Twilio asks, posting to a stand-in for Slack.
//!
//! `cargo bench` prints a table. The stand-in and this program use the same machine, so the service alone is faster.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use qdn_sandbox::faults::Effect;
use qdn_sandbox::slack::{self, SlackStandIn};
use qdn_sandbox::twilio::signature;
use qdn_sandbox::twilio::{self, TwilioStandIn};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Where Twilio thinks the service is.
const PUBLIC_URL: &str = "https://desk.example.com";
/// Lines, each with a channel and a caller of its own.
const LINES: usize = 40;
const STARTS: usize = 21;
const CALLS: usize = 2_000;
/// Texts a second, as a busy desk never gets them, and how many.
const RATE: u32 = 20;
const TEXTS: usize = 600;
/// Texts that come at once.
const BURST: usize = 1_000;
/// Replies, at the same rate.
const REPLIES: usize = 400;
/// Texts that wait for Slack at once.
const WAITING: usize = 100_000;
/// Who answers in Slack.
const DISPATCHER: &str = "U0DORA";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        anyhow::bail!("TLS was set up twice");
    }
    let desk = Desk::new().await?;
    println!("{:<52} {:>10} {:>10}   target", "", "median", "p99");

    let mut starts = Vec::new();
    for run in 0..=STARTS {
        let before = Instant::now();
        let service = desk.start().await?;
        // The first one made the database.
        if run > 0 {
            starts.push(before.elapsed());
        }
        service.stop().await?;
    }
    row("start to ready, existing database", starts, "200 ms");

    let service = desk.start().await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = service.memory()?;
    single("memory, idle", &format!("{idle:.1} MiB"), "40 MiB");

    for call in 0..100 {
        desk.call(&service, call).await?;
    }
    let mut answers = Vec::new();
    for call in 100..100 + CALLS {
        answers.push(desk.call(&service, call).await?);
    }
    row("a call answered", answers, "5 ms");

    let posts = Posts::watch(desk.slack.clone());
    let mut every = tokio::time::interval(Duration::from_secs(1) / RATE);
    let mut sent = Vec::new();
    for number in 0..TEXTS {
        every.tick().await;
        let (desk, service) = (desk.clone(), service.clone());
        let at = Instant::now();
        sent.push((
            at,
            tokio::spawn(async move { desk.text(&service, number).await }),
        ));
    }
    let mut acknowledged = Vec::new();
    let mut posted = Vec::new();
    for (number, (at, answer)) in sent.into_iter().enumerate() {
        acknowledged.push(answer.await??);
        posted.push(posts.wait_for(&words(number)).await? - at);
    }
    row(
        &format!("a text acknowledged, {RATE} a second on {LINES} lines"),
        acknowledged,
        "",
    );
    row("the same text shown in Slack", posted, "20 / 100 ms");

    let replied = replies(&desk, &service).await?;
    row(
        "a reply in Twilio's hands, since it was written",
        replied,
        "20 / 100 ms",
    );

    let before = Instant::now();
    let all = (TEXTS..TEXTS + BURST).map(|number| desk.text(&service, number));
    let burst = try_join_all(all).await?;
    let took = before.elapsed();
    row(
        &format!("one of {BURST} texts at once acknowledged"),
        burst,
        "",
    );
    let rate = BURST as f64 / took.as_secs_f64();
    single(
        &format!("all {BURST} acknowledged"),
        &format!("{:.2} s", took.as_secs_f64()),
        "3 s",
    );
    single("texts acknowledged a second", &format!("{rate:.0}"), "");
    single(
        "memory, after all this",
        &format!("{:.1} MiB", service.memory()?),
        "",
    );
    service.stop().await?;
    waiting().await
}

/// Replies in every line's thread; how long until Twilio has taken each.
async fn replies(desk: &Desk, service: &Service) -> anyhow::Result<Vec<Duration>> {
    desk.slack.set_relay(PUBLIC_URL, Some(service.address));
    let roots: Vec<String> = (0..LINES)
        .map(|line| {
            let root = desk.slack.roots(&channel(line)).into_iter().next();
            root.map(|root| root.ts).context("a thread")
        })
        .collect::<anyhow::Result<_>>()?;
    let taken: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
    let (twilio, seen) = (desk.twilio.clone(), taken.clone());
    let mut changes = twilio.changes();
    let watcher = tokio::spawn(async move {
        while changes.changed().await.is_ok() {
            let now = Instant::now();
            if let Ok(mut seen) = seen.lock() {
                for sms in twilio.created() {
                    seen.entry(sms.body).or_insert(now);
                }
            }
        }
    });
    let mut every = tokio::time::interval(Duration::from_secs(1) / RATE);
    let mut written = Vec::new();
    for number in 0..REPLIES {
        every.tick().await;
        let (slack, root) = (desk.slack.clone(), roots[number % LINES].clone());
        let words = format!("reply number {number}.");
        written.push((words.clone(), Instant::now()));
        tokio::spawn(async move {
            let said = slack.say(DISPATCHER, &channel(number % LINES), &words);
            said.in_thread(&root).send().await
        });
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut took = Vec::new();
    for (words, at) in written {
        let taken_at = loop {
            if let Some(at) = taken
                .lock()
                .ok()
                .and_then(|taken| taken.get(&words).copied())
            {
                break at;
            }
            ensure!(
                Instant::now() < deadline,
                "\"{words}\" never reached Twilio"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        took.push(taken_at - at);
    }
    watcher.abort();
    Ok(took)
}

/// The memory of a service for whose Slack a great many texts wait.
async fn waiting() -> anyhow::Result<()> {
    let desk = Desk::new().await?;
    let hour = Effect::RateLimited {
        retry_after: Some(3_600),
    };
    desk.slack
        .faults()
        .always("chat.postMessage", hour.not_accepted());
    let service = desk.start().await?;
    for chunk in 0..WAITING / BURST {
        let all = (chunk * BURST..(chunk + 1) * BURST).map(|number| desk.text(&service, number));
        try_join_all(all).await?;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    single(
        &format!("memory, {WAITING} texts waiting"),
        &format!("{:.1} MiB", service.memory()?),
        "150 MiB",
    );
    service.stop().await
}

fn row(what: &str, mut times: Vec<Duration>, target: &str) {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part).round() as usize];
    let ms = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1_000.0);
    println!(
        "{what:<52} {:>10} {:>10}   {target}",
        ms(at(0.5)),
        ms(at(0.99))
    );
}

fn single(what: &str, value: &str, target: &str) {
    println!("{what:<52} {value:>10} {:>10}   {target}", "");
}

/// Numbers reserved for examples: a line's, and its caller's.
fn line_number(line: usize) -> String {
    format!("+1619555{:04}", 100 + line)
}

fn caller_number(line: usize) -> String {
    format!("+1858555{:04}", 100 + line)
}

fn channel(line: usize) -> String {
    format!("C0LINE{line}")
}

fn words(number: usize) -> String {
    format!("text number {number}.")
}

/// What the service needs around it.
#[derive(Clone)]
struct Desk {
    slack: SlackStandIn,
    twilio: TwilioStandIn,
    folder: Arc<tempfile::TempDir>,
    account_sid: String,
    auth_token: String,
    environment: Vec<(String, String)>,
    http: reqwest::Client,
}

impl Desk {
    async fn new() -> anyhow::Result<Desk> {
        let twilio_settings = twilio::Settings {
            numbers: (0..LINES).map(line_number).collect(),
            ..twilio::Settings::default()
        };
        let slack_settings = slack::Settings::default();
        let environment = [
            ("TWILIO_ACCOUNT_SID", &twilio_settings.account_sid),
            ("TWILIO_AUTH_TOKEN", &twilio_settings.auth_token),
            ("TWILIO_API_KEY", &twilio_settings.api_key),
            ("TWILIO_API_SECRET", &twilio_settings.api_secret),
            ("SLACK_BOT_TOKEN", &slack_settings.bot_token),
            ("SLACK_SIGNING_SECRET", &slack_settings.signing_secret),
        ]
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .to_vec();
        let (account_sid, auth_token) = (
            twilio_settings.account_sid.clone(),
            twilio_settings.auth_token.clone(),
        );
        let twilio = TwilioStandIn::start(twilio_settings).await?;
        let slack = SlackStandIn::start(slack_settings).await?;
        let folder = tempfile::tempdir()?;
        let mut toml = format!(
            "public_url = \"{PUBLIC_URL}\"\nlisten = \"127.0.0.1:0\"\n\
             [twilio]\napi_url = \"{}\"\n[slack]\napi_url = \"{}\"\n\
             [[people]]\nname = \"Sergio\"\nphone = \"+16195550199\"\n",
            twilio.url(),
            slack.url()
        );
        slack.add_user(DISPATCHER, "Dora");
        for line in 0..LINES {
            slack.add_channel(&channel(line), &format!("line-{line}"), false);
            slack.invite_bot(&channel(line));
            slack.join(&channel(line), DISPATCHER);
            toml.push_str(&format!(
                "[[lines]]\nname = \"Line {line}\"\nnumber = \"{}\"\nchannel = \"{}\"\n\
                 ring = [{{ people = [\"Sergio\"], seconds = 15 }}]\n",
                line_number(line),
                channel(line)
            ));
        }
        std::fs::write(folder.path().join("qdn.toml"), toml)?;
        Ok(Desk {
            slack,
            twilio,
            folder: Arc::new(folder),
            account_sid,
            auth_token,
            environment,
            http: reqwest::Client::builder().no_proxy().build()?,
        })
    }

    /// Starts the service; back when it answers that it is ready.
    async fn start(&self) -> anyhow::Result<Service> {
        Service::start(self.folder.path(), &self.environment, &self.http).await
    }

    /// A caller rings; how long until Twilio knows what to do.
    async fn call(&self, service: &Service, number: usize) -> anyhow::Result<Duration> {
        let line = number % LINES;
        let sid = format!("CA{number:032x}");
        self.ask(
            service,
            line,
            &[("CallSid", &sid), ("CallStatus", "ringing")],
        )
        .await
    }

    /// A text comes in; how long until it is kept.
    async fn text(&self, service: &Service, number: usize) -> anyhow::Result<Duration> {
        let line = number % LINES;
        let sid = format!("SM{number:032x}");
        let body = words(number);
        let params = [
            ("MessageSid", sid.as_str()),
            ("Body", body.as_str()),
            ("NumMedia", "0"),
            ("FromCity", "SAN DIEGO"),
            ("FromState", "CA"),
            ("FromCountry", "US"),
        ];
        self.ask(service, line, &params).await
    }

    async fn ask(
        &self,
        service: &Service,
        line: usize,
        params: &[(&str, &str)],
    ) -> anyhow::Result<Duration> {
        const PATH: &str = "/api/twilio/dispatch-route";
        let (from, to) = (caller_number(line), line_number(line));
        let all: Vec<(String, String)> = [
            ("AccountSid", self.account_sid.as_str()),
            ("From", &from),
            ("To", &to),
        ]
        .iter()
        .chain(params)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
        let signed = signature::sign(&self.auth_token, &format!("{PUBLIC_URL}{PATH}"), &all);
        let request = self
            .http
            .post(format!("http://{}{PATH}", service.address))
            .header("X-Twilio-Signature", signed)
            .form(&all);
        let before = Instant::now();
        let response = request.send().await?;
        let status = response.status();
        let body = response.text().await?;
        let took = before.elapsed();
        ensure!(
            status == 200 && body.contains("<Response"),
            "{status}: {body}"
        );
        Ok(took)
    }
}

/// The service's process.
#[derive(Clone)]
struct Service {
    address: SocketAddr,
    pid: u32,
    child: Arc<tokio::sync::Mutex<Child>>,
    // A service whose output nobody reads would stand still.
    _reader: Arc<tokio::task::JoinHandle<()>>,
}

impl Service {
    async fn start(
        folder: &Path,
        environment: &[(String, String)],
        http: &reqwest::Client,
    ) -> anyhow::Result<Service> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_qdn-relay"))
            .arg("serve")
            .current_dir(folder)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().context("its output")?;
        let mut lines = BufReader::new(stdout).lines();
        let address = ready(&mut lines).await?;
        let answer = http.get(format!("http://{address}/readyz")).send().await?;
        ensure!(answer.status() == 200, "/readyz: {}", answer.status());
        let reader =
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Service {
            address,
            pid: child.id().context("it runs")?,
            child: Arc::new(tokio::sync::Mutex::new(child)),
            _reader: Arc::new(reader),
        })
    }

    /// Resident memory in MiB.
    fn memory(&self) -> anyhow::Result<f64> {
        let path = PathBuf::from(format!("/proc/{}/status", self.pid));
        let status = std::fs::read_to_string(path)?;
        let kib: f64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next())
            .context("VmRSS")?
            .parse()?;
        Ok(kib / 1_024.0)
    }

    async fn stop(self) -> anyhow::Result<()> {
        let pid = self.pid.to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await?;
        let status = self.child.lock().await.wait().await?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }
}

async fn ready(lines: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<SocketAddr> {
    while let Some(line) = lines.next_line().await? {
        let line: Value = serde_json::from_str(&line)?;
        if line["message"] == "ready" {
            return Ok(line["address"].as_str().context("its address")?.parse()?);
        }
    }
    anyhow::bail!("the service ended before it was ready")
}

/// When Slack took which text.
#[derive(Clone)]
struct Posts {
    seen: Arc<Mutex<HashMap<String, Instant>>>,
    slack: SlackStandIn,
}

impl Posts {
    fn watch(slack: SlackStandIn) -> Posts {
        let posts = Posts {
            seen: Arc::default(),
            slack: slack.clone(),
        };
        let seen = posts.seen.clone();
        let mut changes = slack.changes();
        let mut known = slack.read(|world| world.accepted().len());
        tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                let now = Instant::now();
                let new: Vec<String> = slack.read(|world| {
                    let new = &world.accepted()[known..];
                    known += new.len();
                    new.iter()
                        .filter_map(|call| text_in(&call.arguments))
                        .collect()
                });
                if let Ok(mut seen) = seen.lock() {
                    seen.extend(new.into_iter().map(|text| (text, now)));
                }
            }
        });
        posts
    }

    async fn wait_for(&self, words: &str) -> anyhow::Result<Instant> {
        let mut changes = self.slack.changes();
        let found = async {
            loop {
                if let Some(at) = self.seen.lock().ok()?.get(words) {
                    return Some(*at);
                }
                // The watcher may be a moment behind the change.
                let _ = tokio::time::timeout(Duration::from_millis(20), changes.changed()).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), found)
            .await
            .ok()
            .flatten()
            .with_context(|| format!("\"{words}\" never reached Slack"))
    }
}

/// The words as [`words`] makes them, wherever they stand in a post.
fn text_in(arguments: &Value) -> Option<String> {
    let text = arguments["text"].as_str()?;
    Some(text[text.find("text number")?..].to_owned())
}
