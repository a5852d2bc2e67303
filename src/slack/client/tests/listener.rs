//! A minimal Slack: it answers each request with the next of the given replies, however broken.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How the listener treats one request.
pub(super) enum Reply {
    /// Sends these bytes and closes the connection.
    Bytes(String),
    /// Sends nothing until the client disconnects.
    Hang,
    /// Resets the connection.
    Reset,
}

/// Returns a response with a status line, headers and a body.
pub(super) fn http(status: &str, headers: &str, body: &str) -> Reply {
    Reply::Bytes(format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}",
        body.len()
    ))
}

/// Returns a 200 response with JSON.
pub(super) fn json(body: &Value) -> Reply {
    http(
        "200 OK",
        "content-type: application/json\r\n",
        &body.to_string(),
    )
}

/// A received request.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// The method and the target.
    pub(super) line: String,
    /// The header lines, in lower case.
    pub(super) head: String,
    pub(super) body: String,
}

impl Asked {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(super) struct Listener {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Listener {
    pub(super) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        tokio::spawn(async move {
            for reply in replies {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = receive(&mut stream).await;
                heard.lock().unwrap().push(request);
                match reply {
                    Reply::Bytes(bytes) => {
                        stream.write_all(bytes.as_bytes()).await.unwrap();
                        stream.shutdown().await.ok();
                    }
                    Reply::Hang => {
                        let mut rest = Vec::new();
                        stream.read_to_end(&mut rest).await.ok();
                    }
                    Reply::Reset => stream.set_zero_linger().unwrap(),
                }
            }
        });
        Self { url, asked }
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn receive(stream: &mut TcpStream) -> Asked {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let (line, head) = head.split_once("\r\n").unwrap();
            let head = head.to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Asked {
                    line: line.to_owned(),
                    head,
                    body: body.to_owned(),
                };
            }
        }
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap();
        if read == 0 {
            return Asked::default();
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
}
