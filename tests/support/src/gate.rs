//! Limits how many stories run at once.
//!
//! A story is real processes that mostly wait. Two per core keep the machine busy, and each is still answered in time.
//! `RUST_TEST_THREADS` (.cargo/config.toml) says how many can wait here for their turn.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use super::{Database, Redis};

/// How many stories run at once on each core.
const ON_A_CORE: usize = 2;

/// How long all stories take on two idle cores.
const USUALLY: &str = "all stories take about 15 minutes on two cores";

/// A story runs while it holds this.
#[derive(Debug)]
pub struct Turn {
    _places: OwnedSemaphorePermit,
    _alone: Option<OwnedSemaphorePermit>,
}

struct Gate {
    places: Arc<Semaphore>,
    count: usize,
    /// Held by the story that keeps the whole machine busy.
    busy: Arc<Semaphore>,
}

fn gate() -> &'static Gate {
    static GATE: OnceLock<Gate> = OnceLock::new();
    GATE.get_or_init(|| {
        let count = ON_A_CORE * std::thread::available_parallelism().map_or(1, usize::from);
        Gate {
            places: Arc::new(Semaphore::new(count)),
            count,
            busy: Arc::new(Semaphore::new(1)),
        }
    })
}

/// Waits until a story may run. A `busy` one takes half of the places, and only one runs at a time.
pub async fn turn(kind: &str) -> Turn {
    announce().await;
    let gate = gate();
    let (places, alone) = match kind {
        "busy" => (gate.count / 2, Some(acquire(&gate.busy, 1).await)),
        _ => (1, None),
    };
    Turn {
        _places: acquire(&gate.places, places).await,
        _alone: alone,
    }
}

async fn acquire(semaphore: &Arc<Semaphore>, places: usize) -> OwnedSemaphorePermit {
    let permit = semaphore.clone().acquire_many_owned(places as u32).await;
    permit.expect("nobody closes it")
}

/// Prints once how long this takes and what is skipped, before the first story begins.
async fn announce() {
    static SAID: OnceCell<()> = OnceCell::const_new();
    SAID.get_or_init(|| async {
        say(&format!("{} stories at once; {USUALLY}", gate().count));
        Database::has_postgres().await;
        Redis::is_there().await;
        if let Some(why) = no_browser() {
            skip("the stories in a browser", why);
        }
    })
    .await;
}

/// Why there is no browser, if there is none.
fn no_browser() -> Option<&'static str> {
    let answers = |program: &str| {
        let mut command = Command::new(program);
        command.arg("--version").stdin(Stdio::null());
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    (!answers("chromedriver")).then_some("chromedriver is missing: install chromium-driver")
}

/// Prints what is skipped; fails where nothing may be skipped.
pub fn skip(what: &str, why: &str) {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests have no configuration file"
    )]
    let in_ci = std::env::var_os("CI").is_some();
    assert!(!in_ci, "{what} have to be tried in CI: {why}");
    say(&format!("SKIPPED: {what}: {why}"));
}

/// Prints straight to the terminal, because the test harness hides what passing tests print.
fn say(words: &str) {
    let _ = writeln!(std::io::stderr(), "{words}");
}
