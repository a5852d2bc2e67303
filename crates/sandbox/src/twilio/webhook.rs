//! A request to the relay, signed and delivered as Twilio does.
//!
//! The relay has 15 s to answer, and a failed connection is retried once (<https://www.twilio.com/docs/usage/webhooks>),
//! unless the URL's fragment says otherwise.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use reqwest::RequestBuilder;

use super::core::Core;
use super::overrides::Overrides;
use super::signature;

/// Error: no answer in time, or one that cannot be used.
pub(super) const HTTP_RETRIEVAL_FAILURE: u32 = 11200;
/// Error: no connection.
pub(super) const HTTP_CONNECTION_FAILURE: u32 = 11205;
/// Error: an answer of the wrong type.
pub(super) const INVALID_CONTENT_TYPE: u32 = 12300;

/// The error of a file that cannot be fetched because the relay is down.
pub(super) const NO_CONNECTION: &str = "no connection";

/// The header that says that a request was signed with a shared key.
/// <https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys>
const SIGNATURE_SETTINGS: &str = "X-Twilio-Webhooks-Signature-Settings";

/// The most bytes of an answer: TwiML is limited to 64 KB.
const ANSWER_LIMIT: usize = 64 << 10;

/// A way in which a request differs from one that Twilio made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Forgery {
    /// None: it is Twilio's own.
    #[default]
    None,
    /// There is no signature.
    Unsigned,
    /// Signed with another token.
    Token(String),
    /// This text in place of a signature.
    Signature(String),
    /// Signed for another URL, such as the one behind the proxy.
    Url(String),
    /// Signed correctly; then this parameter was changed or added.
    Changed(String, String),
    /// Signed with the auth token, with this value of `X-Twilio-Webhooks-Signature-Settings`.
    Settings(String),
}

/// A request to make.
#[derive(Debug, Clone)]
pub(super) struct Webhook {
    pub(super) url: String,
    pub(super) get: bool,
    pub(super) params: Vec<(String, String)>,
    /// Sent in place of the encoded `params`, which are what is signed.
    pub(super) raw_body: Option<Bytes>,
    forgery: Forgery,
}

impl Webhook {
    pub(super) fn post(url: &str, params: Vec<(String, String)>) -> Self {
        Webhook {
            url: url.to_owned(),
            get: false,
            params,
            raw_body: None,
            forgery: Forgery::None,
        }
    }

    /// Sets the HTTP method: GET, or else POST.
    pub(super) fn by(mut self, method: &str) -> Self {
        self.get = method.eq_ignore_ascii_case("GET");
        self
    }

    pub(super) fn forged(mut self, forgery: Forgery) -> Self {
        self.forgery = forgery;
        self
    }
}

/// One try at a request.
struct Attempt<'a> {
    signed_url: &'a str,
    /// The URL that is requested.
    url: &'a str,
    /// `I-Twilio-Idempotency-Token`
    token: &'a str,
    within: Duration,
}

/// What the relay answered.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) body: String,
}

impl Core {
    /// Makes the request, with its retries. An error is Twilio's code for why there was no answer.
    pub(super) async fn deliver(&self, webhook: &Webhook) -> Result<Answer, u32> {
        let (url, fragment) = webhook.url.split_once('#').unwrap_or((&webhook.url, ""));
        let overrides = Overrides::parse(fragment).unwrap_or_else(|wrong| {
            self.violation(wrong);
            Overrides::default()
        });
        let (signed_url, url) = (webhook.address(url), webhook.address(&sorted(url)));
        // All tries of a request carry the same token.
        let token = uuid::Uuid::new_v4().to_string();
        let began = Instant::now();
        let mut retries = overrides.retries;
        loop {
            let left = overrides.total.saturating_sub(began.elapsed());
            let within = (overrides.connect + overrides.read)
                .min(left)
                .min(self.settings.webhook_timeout);
            let attempt = Attempt {
                signed_url: &signed_url,
                url: &url,
                token: &token,
                within,
            };
            let sent = self.deliver_once(webhook, &attempt).await;
            let is_over = began.elapsed() >= overrides.total;
            if retries == 0 || is_over || !overrides.asks_again(&sent) {
                return sent;
            }
            retries -= 1;
        }
    }

    async fn deliver_once(&self, webhook: &Webhook, attempt: &Attempt<'_>) -> Result<Answer, u32> {
        let Some(request) = self.request(webhook, attempt) else {
            self.violation(format!(
                "a webhook URL is not one of the relay's: {}",
                origin(attempt.signed_url)
            ));
            return Err(HTTP_CONNECTION_FAILURE);
        };
        let failed = |error: reqwest::Error| {
            if error.is_connect() {
                HTTP_CONNECTION_FAILURE
            } else {
                HTTP_RETRIEVAL_FAILURE
            }
        };
        let response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let content_type = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let body = response.bytes().await.map_err(failed)?;
        if body.len() > ANSWER_LIMIT {
            self.violation(format!("an answer of {} bytes", body.len()));
        }
        Ok(Answer {
            status,
            content_type,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    /// The signed request; `None` if [`Self::target`] has no URL to connect to.
    fn request(&self, webhook: &Webhook, attempt: &Attempt<'_>) -> Option<RequestBuilder> {
        let (target, host) = self.target(attempt.url)?;
        let (request, signed) = if webhook.get {
            (self.http.get(&target), [].as_slice())
        } else {
            (self.http.post(&target), webhook.params.as_slice())
        };
        let mut request = request
            .header("Host", host)
            .header("Accept", "*/*")
            .header("X-Home-Region", "us1")
            .header("I-Twilio-Idempotency-Token", attempt.token)
            .timeout(attempt.within);
        if let Some(signature) = self.signature(webhook, attempt.signed_url, signed) {
            request = request.header("X-Twilio-Signature", signature);
        }
        if let Some(settings) = self.signature_settings(webhook) {
            request = request.header(SIGNATURE_SETTINGS, settings);
        }
        if webhook.get {
            return Some(request);
        }
        let content_type = "application/x-www-form-urlencoded; charset=UTF-8";
        Some(
            request
                .header("Content-Type", content_type)
                .body(webhook.body()),
        )
    }

    /// Requests a file by HEAD, as Twilio does with a `MediaUrl` before it fetches the file.
    pub(super) async fn look_at_file(&self, url: &str) -> Result<(), String> {
        let target = self.target(&sorted(url));
        let (target, host) = target.ok_or("it is not one of the relay's")?;
        let request = self.http.head(&target).header("Host", host);
        let request = request.timeout(Duration::from_secs(15));
        let response = request.send().await.map_err(not_sent)?;
        match response.status().as_u16() {
            200 => Ok(()),
            status => Err(format!("it answers HEAD with {status}")),
        }
    }

    /// Fetches a file from the relay, as Twilio fetches what `MediaUrl` and `Play` name.
    pub(super) async fn fetch_file(&self, url: &str) -> Result<(String, Bytes), String> {
        let target = self.target(&sorted(url));
        let (target, host) = target.ok_or("it is not one of the relay's")?;
        let signature = signature::sign(&self.lock().auth_token, url, &[]);
        let request = self.http.get(&target).header("Host", host);
        let request = request.header("X-Twilio-Signature", signature);
        let request = request.timeout(Duration::from_secs(15));
        let response = request.send().await.map_err(not_sent)?;
        if response.status() != 200 {
            return Err(format!("it answers {}", response.status().as_u16()));
        }
        let content_type = response.headers().get("content-type");
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let content_type = content_type.ok_or("it has no type")?.to_owned();
        let bytes = response.bytes().await.map_err(|error| error.to_string())?;
        Ok((content_type, bytes))
    }

    /// The URL to connect to for `url`, and the `Host` header. `None` unless it is the relay or this machine, because
    /// nothing here may connect to the outside.
    fn target(&self, url: &str) -> Option<(String, String)> {
        let (scheme, rest) = url.split_once("://")?;
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let relay = self.lock().relay.clone();
        if let Some(relay) = relay
            && let Some(addr) = relay.connect_to
            && url
                .strip_prefix(&relay.base)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        {
            return Some((format!("http://{addr}{path}"), authority.to_owned()));
        }
        let host = authority
            .rsplit_once(':')
            .map_or(authority, |(host, _)| host);
        let local = matches!(host, "127.0.0.1" | "localhost" | "[::1]");
        (scheme == "http" && local).then(|| (url.to_owned(), authority.to_owned()))
    }

    fn signature(
        &self,
        webhook: &Webhook,
        url: &str,
        params: &[(String, String)],
    ) -> Option<String> {
        let (token, shared) = {
            let state = self.lock();
            (state.auth_token.clone(), state.shared_key.clone())
        };
        let genuine = |url: &str| match &shared {
            Some((_, secret)) => signature::sign_with_shared_key(secret, url, params),
            None => signature::sign(&token, url, params),
        };
        Some(match &webhook.forgery {
            Forgery::None | Forgery::Changed(..) => genuine(url),
            Forgery::Settings(_) => signature::sign(&token, url, params),
            Forgery::Unsigned => return None,
            Forgery::Token(token) => signature::sign(token, url, params),
            Forgery::Signature(signature) => signature.clone(),
            Forgery::Url(url) => genuine(url),
        })
    }

    /// The header that says how the request was signed, if it has one.
    fn signature_settings(&self, webhook: &Webhook) -> Option<String> {
        if let Forgery::Settings(claimed) = &webhook.forgery {
            return Some(claimed.clone());
        }
        let (key, _) = self.lock().shared_key.clone()?;
        Some(format!("key={key},algorithm=HMAC_SHA256"))
    }
}

impl Webhook {
    /// `url`, with the parameters in its query if this is a GET.
    fn address(&self, url: &str) -> String {
        if !self.get {
            return url.to_owned();
        }
        let query = serde_urlencoded::to_string(&self.params).unwrap_or_default();
        let joint = if url.contains('?') { '&' } else { '?' };
        format!("{url}{joint}{query}")
    }

    fn body(&self) -> Bytes {
        if let Some(raw) = &self.raw_body {
            return raw.clone();
        }
        let mut params = self.params.clone();
        if let Forgery::Changed(name, value) = &self.forgery {
            params.retain(|(known, _)| known != name);
            params.push((name.clone(), value.clone()));
        }
        serde_urlencoded::to_string(params)
            .unwrap_or_default()
            .into()
    }
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether Twilio takes the body for TwiML.
    pub(super) fn is_xml(&self) -> bool {
        let essence = self.content_type.split(';').next().unwrap_or_default();
        matches!(
            essence.trim().to_ascii_lowercase().as_str(),
            "text/xml" | "application/xml" | "text/html"
        )
    }
}

fn not_sent(error: reqwest::Error) -> String {
    if error.is_connect() {
        NO_CONNECTION.to_owned()
    } else {
        error.without_url().to_string()
    }
}

/// `url` with its query sorted. Users report that Twilio requests this URL, but signs the query as it was given
/// (twilio-php#790, twilio-node#1079).
fn sorted(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else {
        return url.to_owned();
    };
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.sort_unstable();
    format!("{path}?{}", pairs.join("&"))
}

/// `url` without its path and query, which may be secret.
fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..]
        .find(['/', '?'])
        .map_or(url.len(), |at| start + at);
    &url[..end]
}
