//! Requests from Slack to the relay: signed, and events are retried until they are accepted.
//!
//! Source: <https://docs.slack.dev/apis/events-api>: an event wants a 2xx within three seconds, else it comes again almost at once, after a
//! minute and after five, with `x-slack-retry-num` and `x-slack-retry-reason`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::changes::Event;
use super::signature;
use super::{Inner, SlackStandIn, lock};

/// How long Slack waits for an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// The address of the relay, and the waits between attempts.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) public_url: Option<String>,
    pub(super) connect_to: Option<SocketAddr>,
    pub(super) retry_delays: [Duration; 3],
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            public_url: None,
            connect_to: None,
            retry_delays: [0, 60, 300].map(Duration::from_secs),
        }
    }
}

/// What is wrong with a request that only claims to be Slack's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// Nothing: it is signed correctly.
    Genuine,
    /// No signature header.
    Unsigned,
    /// Signed with a secret that is not ours.
    WrongSecret,
    /// Signed; then one byte was added to the body.
    Tampered,
    /// Signed correctly this many seconds ago; negative means in the future.
    Aged(i64),
}

/// The relay's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub content_type: String,
    pub body: String,
    pub(super) no_retry: bool,
}

/// One attempt to deliver an event.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub event_id: String,
    /// The inner event's type, and its `ts` where it has one.
    pub event_type: String,
    pub ts: Option<String>,
    /// 0 for the first attempt.
    pub retry: u32,
    /// The HTTP status, or Slack's word for what went wrong.
    pub outcome: Result<u16, &'static str>,
    pub at: Timestamp,
}

/// A request to one of the app's request URLs.
pub(super) struct Request<'a> {
    pub(super) path: &'a str,
    pub(super) content_type: &'a str,
    pub(super) body: &'a str,
    pub(super) retry: Option<Retry>,
    pub(super) forgery: Forgery,
}

/// A further attempt to deliver an event.
#[derive(Clone, Copy)]
pub(super) struct Retry {
    /// Counts from 1.
    number: u32,
    /// Slack's word for what went wrong in the attempt before.
    reason: &'static str,
}

/// An event, and the id and body that all attempts to deliver it share.
struct Envelope {
    event: Event,
    event_id: String,
    body: String,
}

impl Inner {
    /// Posts to one of the app's request URLs. An error is Slack's word for why there was no answer.
    pub(super) async fn post(&self, request: Request<'_>) -> Result<Reply, &'static str> {
        let request = self.signed(&request)?;
        let response = request.send().await.map_err(|error| word_for(&error))?;
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.and_then(|v| v.to_str().ok()).unwrap_or("").to_owned()
        };
        Ok(Reply {
            status: response.status().as_u16(),
            content_type: header("content-type"),
            no_retry: header("x-slack-no-retry") == "1",
            body: response.text().await.map_err(|error| word_for(&error))?,
        })
    }

    /// The HTTP request, signed as its [`Forgery`] says.
    fn signed(&self, request: &Request<'_>) -> Result<reqwest::RequestBuilder, &'static str> {
        let (url, host) = self.target(request.path).ok_or("connection_failed")?;
        let (mut secret, mut timestamp) = {
            let world = self.lock();
            (
                world.settings.signing_secret.clone(),
                world.now().as_second(),
            )
        };
        let mut body = request.body.to_owned();
        match request.forgery {
            Forgery::Aged(seconds) => timestamp -= seconds,
            Forgery::WrongSecret => secret = "somebody-elses-secret".to_owned(),
            Forgery::Genuine | Forgery::Unsigned | Forgery::Tampered => {}
        }
        let timestamp = timestamp.to_string();
        let signature = signature::sign(&secret, &timestamp, body.as_bytes());
        if request.forgery == Forgery::Tampered {
            body.push(' ');
        }
        let mut signed = self
            .http
            .post(url)
            .header("host", host)
            .header("content-type", request.content_type)
            .header("user-agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
            .header("x-slack-request-timestamp", timestamp)
            .timeout(PATIENCE)
            .body(body);
        if request.forgery != Forgery::Unsigned {
            signed = signed.header("x-slack-signature", signature);
        }
        if let Some(retry) = request.retry {
            signed = signed
                .header("x-slack-retry-num", retry.number.to_string())
                .header("x-slack-retry-reason", retry.reason);
        }
        Ok(signed)
    }

    /// The URL to connect to for a path of the relay, and the `Host` header; `None` if no relay is set.
    fn target(&self, path: &str) -> Option<(String, String)> {
        let relay = lock(&self.relay);
        let public_url = relay.public_url.as_ref()?;
        let host = url::Url::parse(public_url)
            .ok()
            .and_then(|url| match (url.host_str(), url.port()) {
                (Some(host), Some(port)) => Some(format!("{host}:{port}")),
                (host, _) => host.map(str::to_owned),
            })
            .unwrap_or_default();
        let url = match relay.connect_to {
            Some(addr) => format!("http://{addr}{path}"),
            None => format!("{public_url}{path}"),
        };
        Some((url, host))
    }

    /// Delivers an event in the background.
    pub(super) fn deliver_in_background(self: Arc<Self>, event: Event) {
        // Nobody to hear of it, or a test that changes the world before it has a runtime.
        if lock(&self.relay).public_url.is_none() {
            return;
        }
        let under_way = UnderWay::begin(&self);
        tokio::spawn(async move {
            let event_id = self.new_event_id();
            self.deliver(&event, &event_id, Forgery::Genuine).await;
            drop(under_way);
        });
    }

    pub(super) fn new_event_id(&self) -> String {
        self.lock().next_id("Ev")
    }

    /// Delivers an event. Waits for the first attempt only; Slack's retries follow in the background.
    pub(super) async fn deliver(self: &Arc<Self>, event: &Event, event_id: &str, forgery: Forgery) {
        let envelope = Envelope {
            body: self.event_body(event, event_id).to_string(),
            event: event.clone(),
            event_id: event_id.to_owned(),
        };
        let first = self.attempt(&envelope, None, forgery).await;
        let (Err(mut reason), Forgery::Genuine) = (first, forgery) else {
            return;
        };
        let under_way = UnderWay::begin(self);
        let inner = self.clone();
        tokio::spawn(async move {
            let delays = lock(&inner.relay).retry_delays;
            for (number, delay) in (1..).zip(delays) {
                tokio::time::sleep(delay).await;
                let again = Some(Retry { number, reason });
                match inner.attempt(&envelope, again, Forgery::Genuine).await {
                    Ok(()) => break,
                    Err(why) => reason = why,
                }
            }
            drop(under_way);
        });
    }

    /// Makes one attempt. An error is the reason of the next one.
    async fn attempt(
        &self,
        envelope: &Envelope,
        retry: Option<Retry>,
        forgery: Forgery,
    ) -> Result<(), &'static str> {
        let request = Request {
            path: "/api/slack/events",
            content_type: "application/json",
            body: &envelope.body,
            retry,
            forgery,
        };
        let reply = self.post(request).await;
        let outcome = reply.as_ref().map(|reply| reply.status).map_err(|why| *why);
        let at = self.lock().now();
        let event = &envelope.event.event;
        lock(&self.deliveries).push(Delivery {
            event_id: envelope.event_id.clone(),
            event_type: event["type"].as_str().unwrap_or_default().to_owned(),
            ts: event["ts"].as_str().map(str::to_owned),
            retry: retry.map_or(0, |retry| retry.number),
            outcome,
            at,
        });
        self.changed.send_modify(|count| *count += 1);
        match reply {
            Ok(reply) if (200..300).contains(&reply.status) || reply.no_retry => Ok(()),
            Ok(_) => Err("http_error"),
            Err(reason) => Err(reason),
        }
    }

    /// The JSON that is posted to the app, with the event in it.
    fn event_body(&self, event: &Event, event_id: &str) -> Value {
        let world = self.lock();
        let settings = &world.settings;
        let team_id = event.workspace.as_ref().unwrap_or(&settings.team_id);
        json!({
            "token": "not-a-real-verification-token",
            "team_id": team_id,
            "context_team_id": team_id,
            "context_enterprise_id": null,
            "api_app_id": settings.app_id,
            "event": event.event,
            "type": "event_callback",
            "event_id": event_id,
            "event_time": world.now().as_second(),
            "authorizations": [{
                "enterprise_id": null,
                "team_id": settings.team_id,
                "user_id": settings.bot_user_id,
                "is_bot": true,
                "is_enterprise_install": false,
            }],
            "is_ext_shared_channel": event.is_ext_shared,
            "event_context": format!("4-{event_id}"),
        })
    }
}

/// Slack's word for why there was no answer.
fn word_for(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "http_timeout"
    } else if error.is_connect() {
        "connection_failed"
    } else {
        "http_error"
    }
}

/// Counts a delivery as under way until it is dropped.
struct UnderWay(Arc<Inner>);

impl UnderWay {
    fn begin(inner: &Arc<Inner>) -> Self {
        inner.under_way.fetch_add(1, Ordering::SeqCst);
        Self(inner.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.send_modify(|count| *count += 1);
    }
}

impl SlackStandIn {
    /// Every attempt to deliver an event, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.inner.deliveries).clone()
    }

    /// Waits until no delivery is under way; `false` if `timeout` passes first.
    pub async fn wait_until_delivered(&self, timeout: Duration) -> bool {
        let quiet = |_: &super::World| self.inner.under_way.load(Ordering::SeqCst) == 0;
        self.wait_until(quiet, timeout).await
    }

    /// Sends any request to the relay, signed or forged. An error is Slack's word for why there was no answer.
    pub async fn send_raw(
        &self,
        path: &str,
        content_type: &str,
        body: &str,
        forgery: Forgery,
    ) -> Result<Reply, &'static str> {
        let request = Request {
            path,
            content_type,
            body,
            retry: None,
            forgery,
        };
        self.inner.post(request).await
    }

    /// Verifies the request URL, as Slack does when it is entered; whether the relay echoed the challenge.
    pub async fn verify_url(&self) -> bool {
        let challenge = "a-challenge-that-only-the-app-can-see";
        let body = json!({"token": "not-a-real-verification-token", "challenge": challenge, "type": "url_verification"});
        let reply = self
            .send_raw(
                "/api/slack/events",
                "application/json",
                &body.to_string(),
                Forgery::Genuine,
            )
            .await;
        reply.is_ok_and(|reply| {
            let as_json = serde_json::from_str::<Value>(&reply.body);
            let echoed =
                reply.body == challenge || as_json.is_ok_and(|json| json["challenge"] == challenge);
            reply.status == 200 && echoed
        })
    }
}
