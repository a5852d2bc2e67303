//! The sources of availability besides the slash command: a real Redis, and pages that stand in for people's own.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OnceCell, watch};

use super::gate::skip;

/// Redis, with names for people that no other story uses: the keys' names are part of the contract.
pub struct Redis {
    connection: MultiplexedConnection,
    url: String,
}

impl Redis {
    /// Whether Redis answers. If not, this is printed once, or fails where Redis is required.
    pub(crate) async fn is_there() -> bool {
        static FOUND: OnceCell<bool> = OnceCell::const_new();
        *FOUND
            .get_or_init(|| async {
                let Err(error) = Redis::open().await else {
                    return true;
                };
                let remedy = "set QDN_TEST_REDIS=redis://host:port";
                skip(
                    "the stories with Redis",
                    &format!("none answers ({error}); {remedy}"),
                );
                false
            })
            .await
    }

    /// Connects, if Redis answers.
    pub async fn connect() -> Option<Redis> {
        if !Redis::is_there().await {
            return None;
        }
        Some(Redis::open().await.unwrap())
    }

    async fn open() -> Result<Redis, redis::RedisError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "tests have no configuration file"
        )]
        let url =
            std::env::var("QDN_TEST_REDIS").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned());
        let client = redis::Client::open(url.as_str())?;
        let connection = client.get_multiplexed_async_connection().await?;
        Ok(Redis { connection, url })
    }

    /// The value of QDN_REDIS_URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A name that no other story uses.
    pub fn name(&self, begins: &str) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        format!("{begins}-{}-{count}", std::process::id())
    }

    /// Writes somebody's presence as their phone does.
    pub async fn set(&self, name: &str, presence: &str) {
        let mut connection = self.connection.clone();
        let key = format!("qdn:availability:{name}");
        let _: () = connection.set_ex(key, presence, 300).await.unwrap();
    }

    /// Removes somebody's presence, as if it had expired.
    pub async fn expire(&self, name: &str) {
        let mut connection = self.connection.clone();
        let key = format!("qdn:availability:{name}");
        let _: () = connection.del(key).await.unwrap();
    }

    /// Begins to forward connections from `address` to Redis.
    pub async fn lead_here(&self, address: SocketAddr) {
        let there = self.url.trim_start_matches("redis://").to_owned();
        let listener = TcpListener::bind(address).await.unwrap();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut far = TcpStream::connect(&there).await.unwrap();
                tokio::spawn(async move {
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
    }
}

/// An address where something listens and never answers.
pub async fn silence() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            kept.push(connection);
        }
    });
    address
}

/// A page that says whether somebody is available.
#[derive(Clone)]
pub struct StatusPage {
    address: SocketAddr,
    answer: Arc<Mutex<(u16, String, Duration)>>,
    asked: Arc<AtomicUsize>,
    held: Arc<watch::Sender<bool>>,
}

impl StatusPage {
    pub async fn start(status: &str) -> StatusPage {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let page = StatusPage {
            address: listener.local_addr().unwrap(),
            answer: Arc::default(),
            asked: Arc::default(),
            held: Arc::default(),
        };
        page.says(status);
        let handler = page.clone();
        let routes = axum::Router::new().fallback(move || handler.clone().answered());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        page
    }

    async fn answered(self) -> Response {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let (status, body, after) = self.answer.lock().unwrap().clone();
        tokio::time::sleep(after).await;
        let mut held = self.held.subscribe();
        held.wait_for(|held| !held).await.unwrap();
        let status = axum::http::StatusCode::from_u16(status).unwrap();
        (status, body).into_response()
    }

    pub fn url(&self) -> String {
        format!("http://{}/presence", self.address)
    }

    /// Sets the status that it says.
    pub fn says(&self, status: &str) {
        self.answers(
            200,
            &format!("{{\"status\": \"{status}\"}}"),
            Duration::ZERO,
        );
    }

    /// Sets its answer, and how long it waits before it answers.
    pub fn answers(&self, status: u16, body: &str, after: Duration) {
        *self.answer.lock().unwrap() = (status, body.to_owned(), after);
    }

    /// Holds its answers back until it is called with `false`.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// The number of requests so far.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}
