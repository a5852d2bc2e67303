//! HTTP by hand, for what no client does: half a request, an endless body, a silent connection.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::PATIENCE;

/// One connection.
pub struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Raw {
    pub async fn connect(address: SocketAddr) -> Raw {
        Raw::try_connect(address).await.unwrap()
    }

    pub async fn try_connect(address: SocketAddr) -> std::io::Result<Raw> {
        Ok(Raw {
            stream: TcpStream::connect(address).await?,
            read: Vec::new(),
        })
    }

    /// Sends these bytes; `false` if the other side does not take them.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Reads the head and body of the next answer; `None` if the connection ends before.
    pub async fn answer(&mut self) -> Option<(String, String)> {
        let answered = tokio::time::timeout(PATIENCE, self.read_answer());
        answered.await.expect("an answer or the end")
    }

    async fn read_answer(&mut self) -> Option<(String, String)> {
        loop {
            let text = String::from_utf8_lossy(&self.read).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let head = head.to_lowercase();
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                    .unwrap_or(0_usize);
                if let Some(whole) = body.get(..length) {
                    self.read.drain(..head.len() + 4 + length);
                    return Some((head, whole.to_owned()));
                }
            }
            if self.stream.read_buf(&mut self.read).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// Reads the status of the next answer; 0 if the connection ends before.
    pub async fn status(&mut self) -> u16 {
        let Some((head, _)) = self.answer().await else {
            return 0;
        };
        head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Waits until the other side has closed it.
    pub async fn closed(&mut self) {
        let closed = tokio::time::timeout(PATIENCE, self.ended()).await;
        closed.expect("the connection is closed");
    }

    /// Waits until the connection is closed, however long it takes.
    pub async fn ended(&mut self) {
        let mut rest = [0; 1024];
        while self.stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    }
}

/// The head of a form's POST request.
pub fn post(path: &str, headers: &[(&str, &str)], length: usize) -> String {
    let mut head = format!("POST {path} HTTP/1.1\r\nhost: desk.example.com\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("content-type: application/x-www-form-urlencoded\r\n");
    head.push_str(&format!("content-length: {length}\r\n\r\n"));
    head
}
