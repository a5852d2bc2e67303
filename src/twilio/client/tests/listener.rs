use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How the listener treats one request.
pub(super) enum Act {
    Answer(&'static str, String),
    /// Sends nothing until the client disconnects.
    Hang,
    /// Closes the connection without sending anything.
    Close,
    /// Resets the connection.
    Reset,
    /// Sends these bytes and closes the connection.
    Raw(String),
}

impl Act {
    pub(super) fn json(status: &'static str, body: Value) -> Self {
        Self::Answer(status, body.to_string())
    }
}

/// A listener that records the full text of each request.
#[derive(Clone)]
pub(super) struct Listener {
    pub(super) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    pub(super) async fn start(act: impl Fn(usize, &str) -> Act + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        tokio::spawn(async move {
            for n in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read_request(&mut stream).await;
                let act = act(n, &request);
                seen.lock().unwrap().push(request);
                perform(stream, act).await;
            }
        });
        Self { url, requests }
    }

    /// Starts a listener that answers every request alike.
    pub(super) async fn always(status: &'static str, body: impl Into<String>) -> Self {
        let body = body.into();
        Self::start(move |_, _| Act::Answer(status, body.clone())).await
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Returns the request lines, without the HTTP version.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |request: &String| request.lines().next().unwrap().replace(" HTTP/1.1", "");
        self.requests().iter().map(line).collect()
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.unwrap_or_default();
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if count == 0 {
                return text;
            }
            continue;
        };
        let length = head
            .to_lowercase()
            .lines()
            .find_map(|line| {
                line.strip_prefix("content-length: ")
                    .map(|n| n.parse().unwrap())
            })
            .unwrap_or(0);
        if count == 0 || body.len() >= length {
            return text;
        }
    }
}

async fn perform(mut stream: TcpStream, act: Act) {
    let text = match act {
        Act::Answer(status, body) => format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ),
        Act::Raw(text) => text,
        Act::Close => String::new(),
        Act::Reset => return stream.set_zero_linger().unwrap(),
        Act::Hang => {
            // Not awaited, so that a second request would be seen.
            tokio::spawn(async move { stream.read(&mut [0]).await });
            return;
        }
    };
    // The client may disconnect before everything is written.
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
    tokio::spawn(async move { stream.read(&mut [0]).await });
}
