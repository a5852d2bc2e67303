//! Reads people's presence from their status URLs: `GET` returns `{"status": "online" | "offline" | "dnd"}`, which is valid
//! for `ttl`.
//!
//! A call waits for an answer within its time limit. A later answer still counts for later calls. A URL without an answer
//! is skipped for a moment, so that a hanging page delays one call and not every call.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use dashmap::DashMap;
use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Presence, parse_presence};
use crate::vocabulary::AvailabilityState;

/// How long a call waits for a status URL.
const BUDGET: Duration = Duration::from_millis(250);

/// The timeout of a request, whose answer then counts for later calls.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a URL without an answer is skipped.
const LEFT_ALONE: Duration = Duration::from_secs(5);

/// The largest answer that is read, in bytes.
const MAX_BODY: usize = 64 * 1024;

#[derive(Debug, Clone, Copy)]
struct Answer {
    /// `None` if the URL gave no valid answer.
    state: Option<AvailabilityState>,
    at: Instant,
}

#[derive(Debug)]
struct Known {
    last: Option<Answer>,
    /// Since when a request is running, and a channel that changes when it ends.
    asking: Option<(Instant, watch::Receiver<bool>)>,
}

/// A running request.
struct Asking {
    since: Instant,
    ended: watch::Receiver<bool>,
    /// Whether this caller started it.
    is_ours: bool,
}

/// The status URLs with their last answers. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct StatusUrls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    urls: BTreeMap<String, String>,
    ttl: Duration,
    known: DashMap<String, Known>,
}

impl StatusUrls {
    /// Prepares the HTTP client without sending anything.
    pub(crate) fn new(urls: BTreeMap<String, String>, ttl: Duration) -> anyhow::Result<StatusUrls> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("qdn-relay/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::limited(3))
            // A URL can contain a secret, which must not go to the host that it redirects to.
            .referer(false)
            // The configuration says where requests go, not a proxy variable meant for other programs.
            .no_proxy()
            .retry(reqwest::retry::never())
            .timeout(PATIENCE)
            .build()
            .context("the HTTP client for status URLs")?;
        Ok(StatusUrls(Arc::new(Inner {
            http,
            urls,
            ttl,
            known: DashMap::new(),
        })))
    }

    /// Returns the presence of those of these people whose status URL answers in time or has a valid answer already.
    pub(super) async fn read(&self, names: &[String]) -> HashMap<String, Presence> {
        let of_each = names
            .iter()
            .filter(|name| self.0.urls.contains_key(*name))
            .map(|name| async move { Some((name.clone(), self.read_one(name).await?)) });
        join_all(of_each).await.into_iter().flatten().collect()
    }

    /// Asks all URLs now. Returns for each person the state or the error.
    pub(super) async fn ask_all(&self) -> Vec<(String, anyhow::Result<AvailabilityState>)> {
        let each = self
            .0
            .urls
            .iter()
            .map(|(name, url)| async move { (name.clone(), self.status(url).await) });
        join_all(each).await
    }

    async fn read_one(&self, name: &str) -> Option<Presence> {
        if let Some(answer) = self.believed(name) {
            return presence(answer);
        }
        let Asking {
            since,
            mut ended,
            is_ours,
        } = self.ask(name);
        let ended = ended.wait_for(|ended| *ended);
        // The time limit counts from the start of the request, so that nobody waits for a hanging request in full again.
        if tokio::time::timeout_at(since + BUDGET, ended)
            .await
            .is_err()
        {
            if is_ours {
                tracing::warn!(
                    person = name,
                    "the status URL of this person took too long; deciding without it"
                );
            }
            return None;
        }
        self.believed(name).and_then(presence)
    }

    /// Returns the last answer if it is still valid.
    fn believed(&self, name: &str) -> Option<Answer> {
        let answer = self.0.known.get(name)?.last?;
        let lasts = match answer.state {
            Some(_) => self.0.ttl,
            None => LEFT_ALONE,
        };
        (answer.at.elapsed() < lasts).then_some(answer)
    }

    /// Starts a request to a person's URL, or joins the running one.
    fn ask(&self, name: &str) -> Asking {
        let mut known = self.0.known.entry(name.to_owned()).or_insert(Known {
            last: None,
            asking: None,
        });
        if let Some((since, ended)) = known.asking.clone() {
            let is_ours = false;
            return Asking {
                since,
                ended,
                is_ours,
            };
        }
        let (end, ended) = watch::channel(false);
        let since = Instant::now();
        known.asking = Some((since, ended.clone()));
        drop(known);
        // Spawned, so that the request goes on after its callers gave up, and its answer counts for later calls.
        let (urls, name) = (self.clone(), name.to_owned());
        tokio::spawn(async move {
            let state = urls.fetch(&name).await;
            if let Some(mut known) = urls.0.known.get_mut(&name) {
                let at = Instant::now();
                known.last = Some(Answer { state, at });
                known.asking = None;
            }
            end.send_replace(true);
        });
        let is_ours = true;
        Asking {
            since,
            ended,
            is_ours,
        }
    }

    async fn fetch(&self, name: &str) -> Option<AvailabilityState> {
        let url = self.0.urls.get(name)?;
        match self.status(url).await {
            Ok(state) => Some(state),
            Err(error) => {
                tracing::warn!(
                    person = name,
                    error = format!("{error:#}"),
                    "the status URL of this person gave no valid answer"
                );
                None
            }
        }
    }

    async fn status(&self, url: &str) -> anyhow::Result<AvailabilityState> {
        // Drop the URL from errors: it can contain a secret.
        let mut response = self
            .0
            .http
            .get(url)
            .send()
            .await
            .map_err(reqwest::Error::without_url)?
            .error_for_status()
            .map_err(reqwest::Error::without_url)?;
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(reqwest::Error::without_url)?
        {
            anyhow::ensure!(
                body.len() + chunk.len() <= MAX_BODY,
                "the answer is too large"
            );
            body.extend_from_slice(&chunk);
        }
        let answer: Value = serde_json::from_slice(&body).context("the answer is not JSON")?;
        answer["status"]
            .as_str()
            .and_then(parse_presence)
            .context("its status is neither online, offline nor dnd")
    }
}

fn presence(answer: Answer) -> Option<Presence> {
    Some(Presence {
        state: answer.state?,
        age: SignedDuration::try_from(answer.at.elapsed()).ok(),
    })
}
