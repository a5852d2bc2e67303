//! The demo, as somebody in front of its page uses it.

use std::process::Stdio;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::desk::gate::{self, Turn};
use crate::desk::{BACKUP_PHONE, PATIENCE, SERGIO, SERGIO_PHONE, signal};

/// The first caller on the page.
const ROSA: &str = "+16195550142";
/// A dispatcher on the page.
const DANA: &str = "U0DANA";

/// A demo that runs, and its page.
pub(crate) struct Demo {
    child: Child,
    stdout: BufReader<tokio::process::ChildStdout>,
    /// What it printed so far.
    printed: Vec<String>,
    /// `http://127.0.0.1:port`
    pub(crate) address: String,
    pub(crate) http: reqwest::Client,
    /// Where it keeps its files while it runs.
    temporary: tempfile::TempDir,
    _turn: Turn,
}

impl Demo {
    /// Starts it with nothing at all in its environment but where temporary files go.
    pub(crate) async fn start() -> Demo {
        Demo::start_in(gate::turn("").await).await
    }

    /// Starts it for a story that has its turn already.
    pub(crate) async fn start_in(turn: Turn) -> Demo {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let temporary = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_qdn-relay"))
            .args(["demo", "--port", "0"])
            .env_clear()
            .env("TMPDIR", temporary.path())
            .current_dir(temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut printed = Vec::new();
        for _ in 0..2 {
            let mut line = String::new();
            stdout.read_line(&mut line).await.unwrap();
            printed.push(line);
        }
        let address = printed[0]
            .split_whitespace()
            .find(|word| word.starts_with("http://"))
            .unwrap_or_else(|| panic!("an address in {printed:?}"))
            .trim_end_matches('/')
            .to_owned();
        Demo {
            child,
            stdout,
            printed,
            address,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            temporary,
            _turn: turn,
        }
    }

    /// Does something on the page.
    async fn act(&self, what: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}/{what}", self.address));
        let response = request.json(&body).send().await.unwrap();
        assert_eq!(response.status(), 200, "{what}");
        response.json().await.unwrap()
    }

    /// Watches the page until it shows this.
    async fn expect<T>(&self, what: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        let mut last = Value::Null;
        let watched = tokio::time::timeout(PATIENCE, async {
            let url = format!("{}/events", self.address);
            let mut stream = self.http.get(url).send().await.unwrap().bytes_stream();
            let mut text = Vec::new();
            while let Some(more) = stream.next().await {
                text.extend_from_slice(&more.unwrap());
                while let Some(end) = text.windows(2).position(|two| two == b"\n\n") {
                    let event: Vec<u8> = text.drain(..end + 2).collect();
                    let event = String::from_utf8(event).unwrap();
                    if let Some(state) = event.lines().find_map(|line| line.strip_prefix("data: "))
                    {
                        last = serde_json::from_str(state).unwrap();
                        if let Some(found) = find(&last) {
                            return found;
                        }
                    }
                }
            }
            panic!("the page's events ended");
        })
        .await;
        watched.unwrap_or_else(|_| panic!("{what}, but the page shows {last:#}"))
    }

    /// Where its relay is.
    async fn relay(&self) -> String {
        self.expect("the relay's address", |state| {
            state["relay"]["url"].as_str().map(str::to_owned)
        })
        .await
    }

    /// The relay is the demo's only child.
    async fn pid_of_relay(&self) -> u32 {
        let demo = self.child.id().unwrap();
        let children = format!("/proc/{demo}/task");
        let mut tasks = tokio::fs::read_dir(children).await.unwrap();
        while let Some(task) = tasks.next_entry().await.unwrap() {
            let children = tokio::fs::read_to_string(task.path().join("children")).await;
            let first = children.unwrap_or_default();
            if let Some(pid) = first.split_whitespace().next() {
                return pid.parse().unwrap();
            }
        }
        panic!("the demo has no child");
    }

    /// A signal ends it with 0, and nothing is left behind.
    pub(crate) async fn expect_end(mut self, by: &str) {
        // A page that is open keeps nothing from ending.
        let open = self.http.get(format!("{}/events", self.address));
        let _open = open.send().await.unwrap();
        signal(self.child.id().unwrap(), by).await;
        let status = tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .expect("it ends")
            .unwrap();
        assert_eq!(status.code(), Some(0), "{by}");
        let mut more = String::new();
        self.stdout.read_to_string(&mut more).await.unwrap();
        let mut errors = self.child.stderr.take().unwrap();
        errors.read_to_string(&mut more).await.unwrap();
        assert_eq!(more, "", "it prints an address and how to stop");
        let left: Vec<_> = self.temporary.path().read_dir().unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// The message with these words.
fn message(state: &Value, words: &str) -> Option<Value> {
    let messages = state["messages"].as_array()?;
    let shows = |one: &&Value| {
        one["text"]
            .as_str()
            .is_some_and(|text| text.contains(words))
    };
    messages.iter().find(shows).cloned()
}

#[tokio::test]
async fn a_text_is_answered_on_the_page() {
    let demo = Demo::start().await;
    assert_eq!(demo.printed.len(), 2);
    let addresses = demo.printed.concat().matches("http://").count();
    assert_eq!(addresses, 1, "one address to open: {:?}", demo.printed);
    let page = demo.http.get(&demo.address).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("qdn-relay"));

    let text = json!({"from": ROSA, "body": "Is the boat tour on?", "picture": null});
    assert_eq!(demo.act("text", text).await["status"], 200);
    let root = demo
        .expect("a thread", |state| message(state, "Is the boat tour on?"))
        .await;
    let reply = json!({"user": DANA, "text": "It is, at *5 pm*", "thread_ts": root["ts"], "broadcast": false});
    demo.act("say", reply).await;
    demo.expect("the answer on the phone, delivered", |state| {
        let texts = state["callers"][0]["texts"].as_array()?;
        let answer = texts.iter().find(|text| text["inbound"] == false)?;
        (answer["body"] == "It is, at 5 pm" && answer["status"] == "delivered").then_some(())
    })
    .await;
    demo.expect("the mark on the reply", |state| {
        let reply = message(state, "5 pm")?;
        (reply["reactions"][0]["name"] == "white_check_mark").then_some(())
    })
    .await;
    demo.expect("no objections", |state| {
        (state["violations"] == json!([])).then_some(())
    })
    .await;
    demo.expect_end("TERM").await;
}

#[tokio::test]
async fn calls_ring_whoever_is_available() {
    let demo = Demo::start().await;
    let call = demo.act("call", json!({"from": ROSA})).await;
    let is = |person: usize, what: &'static str| {
        move |state: &Value| {
            let call = state["calls"].as_array()?.last()?;
            (call["phones"][person]["is"] == what).then_some(())
        }
    };
    demo.expect("Sergio's phone rings", is(0, "ringing")).await;
    let does = |act: &str, number: &str| json!({"sid": call["sid"], "number": number, "act": act});
    demo.act("call-act", does("pick_up", SERGIO_PHONE)).await;
    demo.expect("he is asked", is(0, "answered")).await;
    let mut one = does("press", SERGIO_PHONE);
    one["keys"] = json!("1");
    demo.act("call-act", one).await;
    demo.expect("they talk", is(0, "talking")).await;
    demo.act("call-act", does("hang_up", SERGIO_PHONE)).await;
    demo.expect("it ends", |state| {
        (state["calls"][0]["is_over"] == true).then_some(())
    })
    .await;

    let away = json!({"user": SERGIO, "text": "/qdn away 30m lunch"});
    assert_eq!(demo.act("command", away).await["status"], 200);
    demo.expect("the channel is told", |state| message(state, "(lunch)"))
        .await;
    demo.act("call", json!({"from": ROSA})).await;
    demo.expect("the backup's phone rings at once", is(1, "ringing"))
        .await;
    demo.expect("Sergio's does not", |state| {
        (state["calls"][1]["lines"].as_array()?.len() == 1).then_some(())
    })
    .await;

    let call = demo
        .expect("the second call", |state| {
            Some(state["calls"][1]["sid"].clone())
        })
        .await;
    let decline = json!({"sid": call, "number": BACKUP_PHONE, "act": "decline"});
    demo.act("call-act", decline).await;
    demo.expect("the beep", |state| {
        (state["calls"][1]["may_speak"] == true).then_some(())
    })
    .await;
    // Stopping in the middle of a call is no different.
    demo.expect_end("INT").await;
}

#[tokio::test]
async fn a_relay_that_is_killed_loses_nothing() {
    let demo = Demo::start().await;
    let running = |state: &Value| (state["relay"]["is"] == "running").then_some(());
    demo.expect("the relay", running).await;
    demo.act("relay", json!({"act": "kill"})).await;
    demo.expect("its end", |state| {
        (state["relay"]["is"] == "killed").then_some(())
    })
    .await;
    let text = json!({"from": ROSA, "body": "Is anybody there?", "picture": null});
    assert_eq!(demo.act("text", text).await["status"], 0);
    demo.expect("a text that waits", |state| {
        (state["tally"]["on_the_way"] == 1).then_some(())
    })
    .await;
    let call = demo.act("call", json!({"from": ROSA})).await;
    demo.expect("the backup's phone, which Twilio itself rings", |state| {
        (state["calls"][0]["phones"][1]["is"] == "ringing").then_some(())
    })
    .await;
    let hang_up = json!({"sid": call["sid"], "number": null, "act": "hang_up"});
    demo.act("call-act", hang_up).await;
    demo.act("relay", json!({"act": "start"})).await;
    demo.expect("the relay again", running).await;
    demo.expect("the text", |state| message(state, "Is anybody there?"))
        .await;
    demo.expect("nothing lost", |state| {
        let tally = &state["tally"];
        (tally["shown"] == 1 && tally["on_the_way"] == 0 && tally["twice"] == 0).then_some(())
    })
    .await;
    demo.expect("no objections", |state| {
        (state["violations"] == json!([])).then_some(())
    })
    .await;
    // A relay that lies dead keeps nothing from ending either.
    demo.act("relay", json!({"act": "kill"})).await;
    demo.expect_end("TERM").await;
}

#[tokio::test]
async fn a_relay_that_ends_by_itself_is_told_of_and_started_again() {
    let demo = Demo::start().await;
    let url = demo.relay().await;
    let pid = demo.pid_of_relay().await;
    signal(pid, "TERM").await;
    demo.expect("that it has ended", |state| {
        (state["relay"]["is"] == "died").then_some(())
    })
    .await;
    demo.act("relay", json!({"act": "start"})).await;
    demo.expect("the relay again", |state| {
        (state["relay"]["is"] == "running").then_some(())
    })
    .await;
    assert_eq!(demo.relay().await, url, "it is where it was");
    demo.expect_end("TERM").await;
}

#[tokio::test]
async fn a_demo_that_is_killed_leaves_no_relay_behind() {
    let mut demo = Demo::start().await;
    let health = format!("{}/healthz", demo.relay().await);
    let answer = demo.http.get(&health).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    demo.child.kill().await.unwrap();
    let gone = tokio::time::timeout(PATIENCE, async {
        while demo.http.get(&health).send().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    gone.await.expect("the relay ends with its demo");
}
