//! A headless Chromium in front of the demo's page, led by chromedriver over WebDriver (<https://www.w3.org/TR/webdriver2/>).
//!
//! WebDriver is JSON over HTTP, and a story needs five of its requests: a library for it would bring more code than is here.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use crate::demo::Demo;
use crate::desk::{PATIENCE, gate};

const DRIVER: &str = "chromedriver";

/// How often the page is looked at while a story waits for something on it.
const LOOK: Duration = Duration::from_millis(40);

/// How often a browser is started that does not come up: on a machine with much to do it may give up on itself.
const STARTS: usize = 3;

/// The key as WebDriver types it.
pub(crate) const ENTER: char = '\u{E007}';

/// Nothing of a browser that has not to do with the page.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1280,900",
];

/// What is looked through: a desk's screen or a phone's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Screen {
    Desktop,
    /// 390 pixels wide.
    Phone,
}

/// The demo's page in a browser of its own.
pub(crate) struct Page {
    http: reqwest::Client,
    port: u16,
    /// `http://127.0.0.1:port/session/id`
    session: String,
    _driver: Child,
    _stdout: BufReader<ChildStdout>,
    _profile: tempfile::TempDir,
}

impl Page {
    /// Opens the demo's page; `None`, and said aloud, where there is no browser.
    pub(crate) async fn open(demo: &Demo, screen: Screen) -> Option<Page> {
        let mut page = None;
        for attempt in 1..=STARTS {
            match Page::start(&demo.http, screen).await {
                Ok(started) => page = Some(started),
                Err(why) if why.contains("cannot find") || why.contains("cannot be started") => {
                    gate::skip("the stories in a browser", &why);
                    return None;
                }
                Err(why) => assert!(attempt < STARTS, "no browser: {why}"),
            }
            if page.is_some() {
                break;
            }
        }
        let page = page?;
        page.ask("url", json!({"url": demo.address})).await;
        page.expect("#live", "live").await;
        Some(page)
    }

    /// A browser with nothing in it, or why there is none.
    async fn start(http: &reqwest::Client, screen: Screen) -> Result<Page, String> {
        let profile = tempfile::tempdir().unwrap();
        let (driver, stdout, port) = start_driver().await?;
        let path = profile.path().to_str().unwrap();
        let wanted = json!({"capabilities": {"alwaysMatch": capabilities(path, screen)}});
        let asked = http.post(format!("http://127.0.0.1:{port}/session"));
        let created = asked
            .json(&wanted)
            .send()
            .await
            .map_err(|error| error.to_string())?;
        let created: Value = created.json().await.map_err(|error| error.to_string())?;
        let id = created["value"]["sessionId"].as_str();
        let id = id.ok_or_else(|| created["value"]["message"].to_string())?;
        Ok(Page {
            http: http.clone(),
            port,
            session: format!("http://127.0.0.1:{port}/session/{id}"),
            _driver: driver,
            _stdout: stdout,
            _profile: profile,
        })
    }

    async fn ask(&self, what: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}/{what}", self.session));
        let answer = request.json(&body).send().await.unwrap();
        let status = answer.status();
        let answer: Value = answer.json().await.unwrap();
        assert!(status.is_success(), "{what} {body}: {answer}");
        answer["value"].clone()
    }

    /// Runs a script in the page; what it returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.ask("execute/sync", json!({"script": script, "args": []}))
            .await
    }

    async fn text(&self, selector: &str) -> String {
        let script = format!(
            "return [...document.querySelectorAll({})].map((one) => one.innerText).join('\\n')",
            json!(selector)
        );
        self.run(&script)
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Waits until a script returns true.
    pub(crate) async fn wait(&self, what: &str, script: &str) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while self.run(&format!("return Boolean({script})")).await != true {
                tokio::time::sleep(LOOK).await;
            }
        });
        if waited.await.is_err() {
            panic!("{what}, but the page shows\n{}", self.text("body").await);
        }
    }

    /// Waits until what can be seen at `selector` has these words.
    pub(crate) async fn expect(&self, selector: &str, words: &str) {
        let script = format!(
            "[...document.querySelectorAll({})].some((one) => one.innerText.includes({}))",
            json!(selector),
            json!(words)
        );
        self.wait(&format!("{words:?} at {selector}"), &script)
            .await;
    }

    async fn element(&self, selector: &str) -> String {
        self.wait(
            &format!("something at {selector}"),
            &format!("document.querySelector({})", json!(selector)),
        )
        .await;
        let found = json!({"using": "css selector", "value": selector});
        let found = self.ask("element", found).await;
        let id = found.as_object().and_then(|ids| ids.values().next());
        id.and_then(Value::as_str).unwrap().to_owned()
    }

    /// Clicks like a mouse does: on what can be seen there.
    pub(crate) async fn click(&self, selector: &str) {
        let id = self.element(selector).await;
        self.ask(&format!("element/{id}/click"), json!({})).await;
    }

    /// Clicks the button with these words.
    pub(crate) async fn press(&self, within: &str, words: &str) {
        let find = format!(
            "[...document.querySelectorAll({})].find((one) => one.innerText.includes({}) && one.offsetParent)",
            json!(format!("{within} button")),
            json!(words)
        );
        self.wait(&format!("the button {words:?} in {within}"), &find)
            .await;
        self.run(&format!(
            "const one = {find}; one.scrollIntoView({{block: 'nearest'}}); one.click()"
        ))
        .await;
    }

    /// Types keys into a field.
    pub(crate) async fn type_in(&self, selector: &str, text: &str) {
        let id = self.element(selector).await;
        self.ask(&format!("element/{id}/value"), json!({"text": text}))
            .await;
    }

    /// The page has nothing to complain of; the browser goes.
    pub(crate) async fn close(self) {
        let log = self.ask("se/log", json!({"type": "browser"})).await;
        let objections = self
            .run("return [...document.querySelectorAll('#objections li')].map((one) => one.innerText)")
            .await;
        assert_eq!(log, json!([]), "the browser's console");
        assert_eq!(
            objections,
            json!([]),
            "what a vendor would have objected to"
        );
    }
}

impl Drop for Page {
    /// The browser ends with its session, but not with chromedriver; a story that failed cannot wait for anything.
    fn drop(&mut self) {
        let (_, path) = self
            .session
            .split_at(self.session.find("/session").unwrap_or(0));
        let request =
            format!("DELETE {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        if let Ok(mut driver) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ = driver.write_all(request.as_bytes());
            let _ = driver.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = driver.read(&mut [0; 64]);
        }
    }
}

fn capabilities(profile: &str, screen: Screen) -> Value {
    let mut flags: Vec<String> = FLAGS.map(str::to_owned).to_vec();
    flags.push(format!("--user-data-dir={profile}"));
    let mut options = json!({"args": flags});
    if screen == Screen::Phone {
        // A window is never that narrow.
        options["mobileEmulation"] =
            json!({"deviceMetrics": {"width": 390, "height": 844, "pixelRatio": 2.0}});
    }
    json!({
        "browserName": "chrome",
        "goog:chromeOptions": options,
        "goog:loggingPrefs": {"browser": "ALL"},
    })
}

/// chromedriver, what it prints, and the port that it has found for itself.
async fn start_driver() -> Result<(Child, BufReader<ChildStdout>, u16), String> {
    let mut driver = Command::new(DRIVER)
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{DRIVER} cannot be started ({error})"))?;
    let mut stdout = BufReader::new(driver.stdout.take().unwrap());
    let mut line = String::new();
    loop {
        line.clear();
        let read = stdout.read_line(&mut line).await.unwrap();
        if read == 0 {
            return Err(format!("{DRIVER} ended before it said its port"));
        }
        let said = line.trim().trim_end_matches('.').rsplit(' ').next();
        if line.contains("on port")
            && let Some(Ok(port)) = said.map(str::parse)
            && port != 0
        {
            return Ok((driver, stdout, port));
        }
    }
}
