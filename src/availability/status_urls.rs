//! Status URLs: `GET` → `{"status": "online" | "offline" | "dnd"}`, each answer believed for `ttl`.
//!
//! A call waits for an answer within its budget. One that comes later still counts for the calls after it, and a URL that
//! gave none is left alone for a moment, so that a page that hangs costs one call its budget and not every call.

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

use super::{Presence, State};

/// How long a call waits for a status URL.
const BUDGET: Duration = Duration::from_millis(250);

/// How long an answer may take to be of use to later calls.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a URL that gave no answer is left alone.
const LEFT_ALONE: Duration = Duration::from_secs(5);

/// The largest answer read, in bytes.
const MAX_BODY: usize = 64 * 1024;

#[derive(Debug, Clone, Copy)]
struct Answer {
    /// `None` for no answer.
    state: Option<State>,
    at: Instant,
}

#[derive(Debug)]
struct Known {
    last: Option<Answer>,
    /// Changes when the request under way has ended.
    asking: Option<(Instant, watch::Receiver<bool>)>,
}

/// A request under way.
struct Asking {
    since: Instant,
    ended: watch::Receiver<bool>,
    /// Whether it was made for whoever waits.
    is_ours: bool,
}

/// The URLs and what they last said; cloning it costs nothing.
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
    /// Prepares the client; nothing is asked yet.
    pub(crate) fn new(urls: BTreeMap<String, String>, ttl: Duration) -> anyhow::Result<StatusUrls> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("qdn-relay/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::limited(3))
            // An address can hold a secret, which is no business of the host it redirects to.
            .referer(false)
            // As for Twilio and Slack: where requests go stands in the configuration, not in a variable.
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

    /// What the URLs of these people say, for those who have one that answers in time.
    pub(super) async fn read(&self, names: &[String]) -> HashMap<String, Presence> {
        let of_each = names
            .iter()
            .filter(|name| self.0.urls.contains_key(*name))
            .map(|name| async move { Some((name.clone(), self.read_one(name).await?)) });
        join_all(of_each).await.into_iter().flatten().collect()
    }

    /// What each URL answers now, with whose it is, or why it says nothing.
    pub(super) async fn ask_all(&self) -> Vec<(String, anyhow::Result<State>)> {
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
        // Whoever comes while a request hangs does not wait for it anew.
        if tokio::time::timeout_at(since + BUDGET, ended)
            .await
            .is_err()
        {
            if is_ours {
                tracing::warn!(
                    person = name,
                    "availability is decided without this person's status URL: it takes too long"
                );
            }
            return None;
        }
        self.believed(name).and_then(presence)
    }

    /// The last answer while it counts.
    fn believed(&self, name: &str) -> Option<Answer> {
        let answer = self.0.known.get(name)?.last?;
        let lasts = match answer.state {
            Some(_) => self.0.ttl,
            None => LEFT_ALONE,
        };
        (answer.at.elapsed() < lasts).then_some(answer)
    }

    /// Asks, unless that is being done.
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

    async fn fetch(&self, name: &str) -> Option<State> {
        let url = self.0.urls.get(name)?;
        match self.status(url).await {
            Ok(state) => Some(state),
            Err(error) => {
                tracing::warn!(
                    person = name,
                    error = format!("{error:#}"),
                    "the status URL of this person says nothing"
                );
                None
            }
        }
    }

    async fn status(&self, url: &str) -> anyhow::Result<State> {
        // Without the URL: it can hold a secret.
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
            .and_then(State::parse_presence)
            .context("its status is neither online, offline nor dnd")
    }
}

fn presence(answer: Answer) -> Option<Presence> {
    Some(Presence {
        state: answer.state?,
        age: SignedDuration::try_from(answer.at.elapsed()).ok(),
    })
}
