//! `qdn:availability:<name>` in Redis: `online`, `offline` or `dnd`. Whoever writes a key sets how long it lives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use tokio::time::Instant;

use super::{Presence, State};

/// How long a call waits for Redis. A healthy one answers in a thousandth of it.
pub(super) const BUDGET: Duration = Duration::from_millis(250);

/// How long a connection that was lost is waited for at most between two tries.
const RECONNECT: Duration = Duration::from_secs(2);

/// How long a Redis that took too long is left alone: it costs one call its budget and not every call.
const LEFT_ALONE: Duration = Duration::from_secs(1);

/// The connection, which is made when it is first used and made again whenever it is lost.
#[derive(Clone)]
pub(crate) struct RedisKeys {
    connection: ConnectionManager,
    /// When it last took too long.
    hung: Arc<Mutex<Option<Instant>>>,
}

impl RedisKeys {
    /// Prepares the connection; nothing is sent yet, and a Redis that is not there is no error.
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

    /// What the keys of these people say, for those who have one; nothing when Redis does not answer in time.
    pub(super) async fn read(&self, names: &[String]) -> HashMap<String, Presence> {
        if self.is_left_alone() {
            return HashMap::new();
        }
        match tokio::time::timeout(BUDGET, self.values(names)).await {
            Ok(Ok(values)) => values,
            Ok(Err(error)) => {
                // Its kind only: an error of Redis can quote what it was asked.
                tracing::warn!(kind = ?error.kind(), "availability is decided without Redis: it does not answer");
                if error.is_timeout() {
                    self.leave_alone();
                }
                HashMap::new()
            }
            Err(_) => {
                tracing::warn!("availability is decided without Redis: it takes too long");
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

    /// Whether Redis answers in time.
    pub(super) async fn ping(&self) -> anyhow::Result<()> {
        let mut connection = self.connection.clone();
        let ping = redis::cmd("PING");
        tokio::time::timeout(BUDGET, ping.query_async::<String>(&mut connection))
            .await
            .context("it takes too long")?
            // Its kind only: an error of Redis can quote what it was asked.
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
            match State::parse_presence(&String::from_utf8_lossy(&value)) {
                Some(state) => {
                    heard.insert(name.clone(), Presence { state, age: None });
                }
                None => tracing::warn!(
                    person = name,
                    "the Redis key of this person says neither online, offline nor dnd"
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
