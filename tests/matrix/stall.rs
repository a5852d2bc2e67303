//! Notices when the machine stands still: the scaled time-outs are shorter than some pauses of a busy one.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often it looks at the clock.
const BEAT: Duration = Duration::from_millis(20);

/// How late a beat may come. Requests are given up after 500 ms, and a process of its own waits as long again.
const LATE: Duration = Duration::from_millis(150);

static STALLS: Mutex<Vec<Instant>> = Mutex::new(Vec::new());

/// Watches for as long as the program runs.
pub(crate) async fn watch() {
    loop {
        let begun = Instant::now();
        tokio::time::sleep(BEAT).await;
        if begun.elapsed() > BEAT + LATE {
            STALLS.lock().unwrap().push(Instant::now());
        }
    }
}

/// Whether the machine stood still after `begun`.
pub(crate) fn since(begun: Instant) -> bool {
    STALLS.lock().unwrap().iter().any(|at| *at >= begun)
}
