//! The relay of a demo: this program's own `serve`, as a process that can be killed.
//!
//! It has the demo's hand at its standard input and stops when that lets go, so that nothing is left running whatever
//! ends the demo.

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

/// How long it may take to be ready for work.
const START: Duration = Duration::from_secs(20);
/// How often it is asked whether it is.
const ASK: Duration = Duration::from_millis(25);
/// How long it may take to finish what is in flight: longer than it promises.
const STOP: Duration = Duration::from_secs(28);

/// How the relay is started.
#[derive(Debug, Clone)]
pub struct Program {
    /// This program.
    pub executable: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Where it is started, and keeps its files.
    pub folder: PathBuf,
    /// Everything in its environment.
    pub environment: Vec<(String, String)>,
    /// Where it listens, as `http://127.0.0.1:port`.
    pub url: String,
    /// Whether its log is wanted on our standard error.
    pub log: bool,
}

/// How the relay is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It has been started and is not ready yet.
    Starting,
    /// It takes work.
    Running,
    /// It was killed on purpose.
    Killed,
    /// It ended by itself, in this way.
    Died(String),
}

#[derive(Debug)]
enum Order {
    Kill,
    Start,
    Stop,
}

/// A demo's relay; clones are the same one.
#[derive(Debug, Clone)]
pub struct Relay {
    orders: mpsc::UnboundedSender<Order>,
    standing: watch::Receiver<Standing>,
    url: Arc<str>,
    keeper: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Relay {
    /// Starts it and waits until it is ready.
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

    /// How it is now.
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Where it is, or was.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Tells of every change.
    pub fn changes(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// SIGKILL, in the middle of whatever it does.
    pub fn kill(&self) {
        let _ = self.orders.send(Order::Kill);
    }

    /// Starts it again when it is not running.
    pub fn start_again(&self) {
        let _ = self.orders.send(Order::Start);
    }

    /// Has it finish what is in flight, and waits for its end.
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

/// One process, from its start to its end.
struct Life {
    child: Child,
    hand: Option<ChildStdin>,
    /// The last thing it said of what went wrong.
    last_words: Arc<Mutex<String>>,
}

impl Life {
    fn begin(program: &Program) -> anyhow::Result<Life> {
        let log = match program.log {
            true => Stdio::from(std::io::stderr()),
            false => Stdio::null(),
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

    /// Until it ends, and how it did; `None` if it was to stop.
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
        match words.is_empty() {
            true => how,
            false => format!("{how}: {words}"),
        }
    }
}

/// Comes back when the relay takes work.
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
