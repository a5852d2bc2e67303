//! Reads all sources of availability concurrently, each within its time limit.

use std::collections::HashMap;

use super::overrides::Overrides;
use super::redis_keys::RedisKeys;
use super::status_urls::StatusUrls;
use super::{Availability, Override, decide};
use crate::clock::Clock;
use crate::config::Config;
use crate::store::Store;
use crate::vocabulary::AvailabilityState;

/// The sources of availability. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    pub(crate) overrides: Overrides,
    redis: Option<RedisKeys>,
    status_urls: StatusUrls,
}

/// Everybody's availability at a moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Everybody {
    /// The availability by person.
    pub(crate) availability: HashMap<String, Availability>,
    /// The overrides that have not expired, by person.
    pub(crate) overrides: HashMap<String, Override>,
}

impl Sources {
    /// Prepares the sources without reading any.
    pub(crate) fn new(config: &Config) -> anyhow::Result<Sources> {
        let availability = &config.availability;
        Ok(Sources {
            overrides: Overrides::default(),
            redis: config
                .redis_url
                .as_ref()
                .map(|url| RedisKeys::new(url.as_str()))
                .transpose()?,
            status_urls: StatusUrls::new(availability.status_urls.clone(), availability.ttl)?,
        })
    }

    /// Pings Redis; `None` if none is configured.
    pub(crate) async fn try_redis(&self) -> Option<anyhow::Result<()>> {
        match &self.redis {
            Some(redis) => Some(redis.ping().await),
            None => None,
        }
    }

    /// Asks all status URLs now. Returns the result for each person who has one.
    pub(crate) async fn try_status_urls(&self) -> Vec<(String, anyhow::Result<AvailabilityState>)> {
        self.status_urls.ask_all().await
    }

    /// Reads all sources for everybody in the configuration. Never fails, and takes no longer than the longest time limit of a
    /// source.
    pub(crate) async fn read(&self, config: &Config, store: &Store, clock: &Clock) -> Everybody {
        let names: Vec<String> = config
            .people
            .iter()
            .map(|person| person.name.clone())
            .collect();
        let redis = async {
            match &self.redis {
                Some(redis) if !names.is_empty() => redis.read(&names).await,
                _ => HashMap::new(),
            }
        };
        let (mut overrides, redis, status_urls) = tokio::join!(
            self.overrides.read(store),
            redis,
            self.status_urls.read(&names)
        );
        let now = clock.now();
        overrides.retain(|_, set| set.holds(now));
        let of_person = |name: String| {
            let (redis, url) = (redis.get(&name).copied(), status_urls.get(&name).copied());
            let availability = decide(overrides.get(&name), redis, url, now);
            (name, availability)
        };
        Everybody {
            availability: names.into_iter().map(of_person).collect(),
            overrides,
        }
    }
}
