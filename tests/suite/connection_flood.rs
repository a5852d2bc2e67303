//! Calls while thousands hold connections open or send what nobody signed. A measurement on this machine's loopback:
//! `cargo test --release --test suite -- --ignored connection_flood --nocapture --test-threads=1`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use qdn_sandbox::twilio;
use qdn_sandbox::twilio::signature;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::task::JoinSet;

use crate::connections::{memory, unsigned_event};
use crate::desk::{ALICE, Database, Desk, LINE, PUBLIC_URL, Raw, http};

/// How many connections a flood holds.
const FLOOD: usize = 3_000;

/// How many calls are measured.
const CALLS: usize = 300;

const ROUTE: &str = "/api/twilio/dispatch-route";

/// This process holds the other ends.
fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}

/// What each connection of a flood does, again and again.
#[derive(Debug, Clone, Copy)]
enum Does {
    Nothing,
    HalfAHead,
    /// A body of 1 MiB whose signature has the right shape, without its end.
    Body,
    /// A body of 1 MiB with something for a signature.
    Scribble,
}

impl Does {
    /// How long after its end a connection is made anew: a flood of connections and bodies, but not one of connecting. Sender
    /// and service share this machine, and 3,000 senders of a MiB every ten seconds already move 300 MiB a second.
    fn pause(self) -> Duration {
        match self {
            Does::Nothing | Does::HalfAHead => Duration::from_millis(500),
            Does::Body | Does::Scribble => Duration::from_secs(10),
        }
    }
}

/// Connections that are made anew whenever they are closed, until the flood is dropped.
struct Flood {
    _tasks: JoinSet<()>,
}

impl Flood {
    async fn of(desk: &mut Desk, does: Does) -> Flood {
        let address = desk.relay().address;
        let mut tasks = JoinSet::new();
        let body: Arc<[u8]> = vec![b'a'; (1 << 20) - 1].into();
        for _ in 0..FLOOD {
            let body = body.clone();
            tasks.spawn(async move {
                loop {
                    let Ok(mut one) = Raw::try_connect(address).await else {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    };
                    match does {
                        Does::Nothing => {}
                        Does::HalfAHead => {
                            one.send("POST /api/twilio/dispatch-route HT").await;
                        }
                        Does::Body => {
                            one.send(unsigned_event(1 << 20)).await;
                            one.send(&body).await;
                        }
                        Does::Scribble => {
                            let head = unsigned_event(1 << 20).replace("v0=", "x");
                            one.send(head).await;
                            one.send(&body).await;
                        }
                    }
                    one.ended().await;
                    tokio::time::sleep(does.pause()).await;
                }
            });
        }
        // It stands before anything is measured.
        tokio::time::sleep(Duration::from_secs(4)).await;
        Flood { _tasks: tasks }
    }
}

/// Rings once; how long the answer took.
async fn call(url: &str, number: usize) -> Duration {
    let settings = twilio::Settings::default();
    let params: Vec<(String, String)> = [
        ("CallSid", format!("CA{number:032x}")),
        ("AccountSid", settings.account_sid),
        ("From", ALICE.to_owned()),
        ("To", LINE.to_owned()),
        ("CallStatus", "ringing".to_owned()),
        ("Direction", "inbound".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    let signed = signature::sign(
        &settings.auth_token,
        &format!("{PUBLIC_URL}{ROUTE}"),
        &params,
    );
    let begun = Instant::now();
    let request = http().post(url).form(&params);
    let answer = request.header("x-twilio-signature", signed).send().await;
    let answer = answer.expect("a call is answered");
    assert_eq!(answer.status().as_u16(), 200);
    assert!(answer.text().await.unwrap().contains("<Dial"));
    begun.elapsed()
}

/// Rings [`CALLS`] times, one after the other; prints the times and returns the 99th percentile.
async fn measure(desk: &mut Desk, what: &str, first: usize) -> Duration {
    let url = desk.url(ROUTE);
    let pid = desk.relay().pid();
    let over = Arc::new(AtomicBool::new(false));
    let peak = tokio::spawn({
        let over = over.clone();
        async move {
            let mut most = 0.0_f64;
            while !over.load(Ordering::Relaxed) {
                most = most.max(memory(pid));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            most
        }
    });
    let mut took = Vec::with_capacity(CALLS);
    for number in 0..CALLS {
        took.push(call(&url, first + number).await);
    }
    over.store(true, Ordering::Relaxed);
    took.sort();
    let (median, p99) = (took[CALLS / 2], took[CALLS * 99 / 100]);
    println!(
        "{what}: calls' median {:.1} ms, p99 {:.1} ms, longest {:.1} ms; memory at most {:.0} MiB; open {:.0}, displaced {:.0}, broken off {:.0}",
        median.as_secs_f64() * 1e3,
        p99.as_secs_f64() * 1e3,
        took[CALLS - 1].as_secs_f64() * 1e3,
        peak.await.unwrap(),
        desk.metric("qdn_connections").await,
        desk.metric("qdn_connections_displaced_total").await,
        desk.metric("qdn_bodies_broken_off_total").await,
    );
    p99
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn calls_are_answered_under_3000_connections() {
    raise_limit();
    let mut desk = Desk::on(Database::Sqlite).start().await;
    measure(&mut desk, "warming up", 0).await;
    let mut first = CALLS;
    for (what, does, most) in [
        ("no flood", None, 0.5),
        ("3,000 idle", Some(Does::Nothing), 0.5),
        ("3,000 half heads", Some(Does::HalfAHead), 0.5),
        (
            "3,000 bodies of 1 MiB, signature of the right shape",
            Some(Does::Body),
            2.0,
        ),
        (
            "3,000 bodies of 1 MiB, any signature",
            Some(Does::Scribble),
            2.0,
        ),
    ] {
        let flood = match does {
            Some(does) => Some(Flood::of(&mut desk, does).await),
            None => None,
        };
        let p99 = measure(&mut desk, what, first).await;
        assert!(p99.as_secs_f64() < most, "{what}: {p99:?}");
        let used = memory(desk.relay().pid());
        assert!(used < 400.0, "{what}: {used} MiB");
        drop(flood);
        first += CALLS;
    }
    let begun = Instant::now();
    let _flood = Flood::of(&mut desk, Does::HalfAHead).await;
    let stopped = Instant::now();
    assert_eq!(desk.relay().terminate().await, Some(0));
    println!(
        "SIGTERM under 3,000 half heads: {:.1} s (the whole took {:.0} s)",
        stopped.elapsed().as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
}
