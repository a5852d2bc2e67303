//! The relay of the demo: this program's `serve` command as a child process that can be killed.
//!
//! The demo holds the child's standard input. When the demo ends for whatever reason, the input closes and the child
//! stops.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// How long the relay may take to become ready.
const START: Duration = Duration::from_secs(20);
/// How often readiness is checked.
const ASK: Duration = Duration::from_millis(25);
/// How long the relay may take to stop. Longer than its own promise.
const STOP: Duration = Duration::from_secs(28);

/// How the relay is started.
#[derive(Debug, Clone)]
pub struct Program {
    /// The path of this program.
    pub executable: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// The working directory, which also holds its files.
    pub folder: PathBuf,
    /// The complete environment.
    pub environment: Vec<(String, String)>,
    /// The URL at which it listens, as `http://127.0.0.1:port`.
    pub url: String,
    /// Whether its log goes to our standard error.
    pub log: bool,
}

/// The state of the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Started, not ready yet.
    Starting,
    /// Ready.
    Running,
    /// Killed on purpose.
    Killed,
    /// Ended by itself, with this reason.
    Died(String),
}

#[derive(Debug)]
enum Order {
    Kill,
    Start,
    Stop,
}

/// The relay of a demo. Clones share the same process.
#[derive(Debug, Clone)]
pub struct Relay {
    orders: mpsc::UnboundedSender<Order>,
    standing: watch::Receiver<Standing>,
    url: Arc<str>,
    keeper: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Relay {
    /// Starts the relay and waits until it is ready.
    pub async fn start(program: Program) -> anyhow::Result<Relay> {
        let (orders, received) = mpsc::unbounded_channel();
        let (tell, standing) = watch::channel(Standing::Starting);
        let url = program.url.as_str().into();
        let keeper = tokio::spawn(keep(program, received, tell));
        let relay = Relay {
            orders,
            standing,
            url,
            keeper: Arc::new(Mutex::new(Some(keeper))),
        };
        let mut standing = relay.standing.clone();
        let settled = standing
            .wait_for(|now| *now != Standing::Starting)
            .await
            .context("the relay's keeper ended")?
            .clone();
        match settled {
            Standing::Died(why) => bail!("the relay does not start: {why}"),
            _ => Ok(relay),
        }
    }

    /// Returns the current state.
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Returns the URL of the relay, running or not.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns a receiver that is notified of every change of state.
    pub fn changes(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Kills the relay with SIGKILL.
    pub fn kill(&self) {
        let _ = self.orders.send(Order::Kill);
    }

    /// Starts the relay again if it is not running.
    pub fn start_again(&self) {
        let _ = self.orders.send(Order::Start);
    }

    /// Stops the relay gracefully and waits for its end.
    pub async fn stop(&self) {
        let _ = self.orders.send(Order::Stop);
        let keeper = lock(&self.keeper).take();
        if let Some(keeper) = keeper {
            let _ = keeper.await;
        }
    }
}

async fn keep(
    program: Program,
    mut orders: mpsc::UnboundedReceiver<Order>,
    tell: watch::Sender<Standing>,
) {
    loop {
        tell.send_replace(Standing::Starting);
        let ended = match Life::begin(&program) {
            Ok(life) => life.last(&program, &mut orders, &tell).await,
            Err(error) => Some(Standing::Died(format!("{error:#}"))),
        };
        let Some(ended) = ended else { return };
        tell.send_replace(ended);
        loop {
            match orders.recv().await {
                Some(Order::Start) => break,
                Some(Order::Kill) => {}
                Some(Order::Stop) | None => return,
            }
        }
    }
}

/// One child process.
struct Life {
    child: Child,
    hand: Option<ChildStdin>,
    /// The last line of its standard error.
    last_words: Arc<Mutex<String>>,
}

impl Life {
    fn begin(program: &Program) -> anyhow::Result<Life> {
        let log = if program.log {
            Stdio::from(std::io::stderr())
        } else {
            Stdio::null()
        };
        let mut child = Command::new(&program.executable)
            .args(&program.arguments)
            .current_dir(&program.folder)
            .env_clear()
            .envs(
                program
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(Stdio::piped())
            // Ctrl-C in a terminal reaches a whole group: the demo alone decides when the relay stops.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("starting the relay")?;
        let last_words = Arc::new(Mutex::new(String::new()));
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(listen(BufReader::new(stderr), last_words.clone()));
        }
        Ok(Life {
            hand: child.stdin.take(),
            child,
            last_words,
        })
    }

    /// Waits for the end and returns its reason; `None` if it was asked to stop.
    async fn last(
        mut self,
        program: &Program,
        orders: &mut mpsc::UnboundedReceiver<Order>,
        tell: &watch::Sender<Standing>,
    ) -> Option<Standing> {
        let mut is_ready = false;
        let ready = tokio::time::timeout(START, ready(&program.url));
        tokio::pin!(ready);
        loop {
            tokio::select! {
                status = self.child.wait() => return Some(Standing::Died(self.why(status))),
                in_time = &mut ready, if !is_ready => {
                    is_ready = true;
                    if in_time.is_err() {
                        let _ = self.child.kill().await;
                        return Some(Standing::Died(format!("it was not ready within {START:?}")));
                    }
                    tell.send_replace(Standing::Running);
                }
                order = orders.recv() => match order {
                    Some(Order::Kill) => {
                        let _ = self.child.kill().await;
                        return Some(Standing::Killed);
                    }
                    Some(Order::Start) => {}
                    Some(Order::Stop) | None => {
                        drop(self.hand.take());
                        if tokio::time::timeout(STOP, self.child.wait()).await.is_err() {
                            let _ = self.child.kill().await;
                        }
                        return None;
                    }
                },
            }
        }
    }

    fn why(&self, status: std::io::Result<ExitStatus>) -> String {
        let how = match status {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let words = lock(&self.last_words);
        if words.is_empty() {
            how
        } else {
            format!("{how}: {words}")
        }
    }
}

/// Waits until the relay is ready.
async fn ready(url: &str) {
    let Ok(http) = reqwest::Client::builder().no_proxy().build() else {
        return std::future::pending().await;
    };
    let url = format!("{url}/readyz");
    loop {
        if let Ok(answer) = http.get(&url).send().await
            && answer.status().is_success()
        {
            return;
        }
        tokio::time::sleep(ASK).await;
    }
}

async fn listen(mut stderr: impl tokio::io::AsyncBufRead + Unpin, last_words: Arc<Mutex<String>>) {
    let mut line = String::new();
    while stderr.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        if !line.trim().is_empty() {
            line.trim().clone_into(&mut lock(&last_words));
        }
        line.clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
