//! Reads people's presence from the Redis keys `qdn:availability:<name>`: `online`, `offline` or `dnd`. The writer of a key
//! sets its expiry.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use tokio::time::Instant;

use super::{Presence, parse_presence};

/// How long a call waits for Redis. A healthy Redis answers in a thousandth of this.
pub(super) const BUDGET: Duration = Duration::from_millis(250);

/// The longest pause between two tries to reconnect.
const RECONNECT: Duration = Duration::from_secs(2);

/// How long Redis is skipped after a timeout, so that a hanging Redis delays one call and not every call.
const LEFT_ALONE: Duration = Duration::from_secs(1);

/// A connection to Redis that connects on first use and reconnects when it is lost.
#[derive(Clone)]
pub(crate) struct RedisKeys {
    connection: ConnectionManager,
    /// When Redis last timed out.
    hung: Arc<Mutex<Option<Instant>>>,
}

impl RedisKeys {
    /// Prepares the connection without connecting. An error only for an invalid URL.
    pub(crate) fn new(url: &str) -> anyhow::Result<RedisKeys> {
        let client = redis::Client::open(url).context("redis_url")?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(BUDGET))
            .set_response_timeout(Some(BUDGET))
            .set_max_delay(RECONNECT);
        let connection = client
            .get_connection_manager_lazy(config)
            .context("preparing the connection to Redis")?;
        Ok(RedisKeys {
            connection,
            hung: Arc::default(),
        })
    }

    /// Reads the keys of these people. Leaves out people without a valid key. Returns nothing if Redis does not answer in time.
    pub(super) async fn read(&self, names: &[String]) -> HashMap<String, Presence> {
        if self.is_left_alone() {
            return HashMap::new();
        }
        match tokio::time::timeout(BUDGET, self.values(names)).await {
            Ok(Ok(values)) => values,
            Ok(Err(error)) => {
                // Log only the kind: an error of Redis can quote the request.
                tracing::warn!(kind = ?error.kind(), "reading presence from Redis failed; deciding without it");
                if error.is_timeout() {
                    self.leave_alone();
                }
                HashMap::new()
            }
            Err(_) => {
                tracing::warn!("reading presence from Redis took too long; deciding without it");
                self.leave_alone();
                HashMap::new()
            }
        }
    }

    fn leave_alone(&self) {
        if let Ok(mut hung) = self.hung.lock() {
            *hung = Some(Instant::now());
        }
    }

    fn is_left_alone(&self) -> bool {
        let hung = self.hung.lock().ok().and_then(|hung| *hung);
        hung.is_some_and(|at| at.elapsed() < LEFT_ALONE)
    }

    /// Pings Redis; an error if it does not answer in time.
    pub(super) async fn ping(&self) -> anyhow::Result<()> {
        let mut connection = self.connection.clone();
        let ping = redis::cmd("PING");
        tokio::time::timeout(BUDGET, ping.query_async::<String>(&mut connection))
            .await
            .context("it takes too long")?
            // Log only the kind: an error of Redis can quote the request.
            .map_err(|error| anyhow::anyhow!("{:?}", error.kind()))?;
        Ok(())
    }

    async fn values(&self, names: &[String]) -> redis::RedisResult<HashMap<String, Presence>> {
        let mut read = redis::cmd("MGET");
        for name in names {
            read.arg(format!("qdn:availability:{name}"));
        }
        let mut connection = self.connection.clone();
        let values: Vec<Option<Vec<u8>>> = read.query_async(&mut connection).await?;
        let mut heard = HashMap::new();
        for (name, value) in names.iter().zip(values) {
            let Some(value) = value else { continue };
            match parse_presence(&String::from_utf8_lossy(&value)) {
                Some(state) => {
                    heard.insert(name.clone(), Presence { state, age: None });
                }
                None => tracing::warn!(
                    person = name,
                    "the Redis key of this person is neither online, offline nor dnd"
                ),
            }
        }
        Ok(heard)
    }
}

impl std::fmt::Debug for RedisKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisKeys")
    }
}
