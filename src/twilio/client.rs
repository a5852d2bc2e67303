//! Twilio's REST API, as far as a text and call desk needs it (<https://www.twilio.com/docs/usage/api>).
//!
//! Each method sends one request, or for a list one a page, and never sends one again. What it could not do is one of
//! the four words of [`Failure`](crate::remote::Failure): the API has no idempotency key, so that nothing but an honest
//! "unknown" keeps a text from being sent twice.

mod calls;
pub(super) mod json;
mod media;
mod messages;
mod numbers;
mod public_internet;
mod recordings;
mod request;
mod services;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use url::Url;

use super::AccountSid;
use crate::clock::BootInstant;

pub use calls::{CallFilter, CallResource};
pub use media::Media;
pub use messages::{MediaResource, MessageFilter, NewMessage};
pub use numbers::{Account, IncomingPhoneNumber};
pub use services::MessagingService;

/// How long one connection may take to be made; longer means that the network is down, and nothing has been sent yet.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a connection without a request is kept: less than servers keep theirs, since a request into one that is just
/// being closed ends as "unknown".
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Where the API is, and as whom to speak to it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `https://api.twilio.com`, or another edge's or a stand-in's; http or https.
    pub api_url: String,
    pub account_sid: AccountSid,
    /// The SID of an API key (`SK…`), or the account's own SID where `api_secret` is its auth token.
    pub api_key: String,
    pub api_secret: SecretString,
    /// For one request, from connecting to the last byte of the answer.
    pub request_timeout: Duration,
}

/// A client for one account; cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    /// For where the API sends us on: other hosts, which never see the credentials.
    elsewhere: reqwest::Client,
    settings: Arc<Settings>,
    /// The `Date` of Twilio's last answer, and when it came by a clock that nobody sets.
    date: Arc<Mutex<Option<(Timestamp, BootInstant)>>>,
}

impl Client {
    /// Makes the client; nothing is sent yet. The process must have chosen its rustls crypto provider.
    pub fn new(mut settings: Settings) -> anyhow::Result<Self> {
        let url = Url::parse(&settings.api_url).context("the address of Twilio's API")?;
        anyhow::ensure!(
            matches!(url.scheme(), "http" | "https")
                && url.query().is_none()
                && url.fragment().is_none(),
            "the address of Twilio's API must be http or https, and without ? and #"
        );
        settings.api_url = settings.api_url.trim_end_matches('/').to_owned();
        let builder = || {
            reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                // Always well before the request times out, for then nobody could say that nothing was sent.
                .connect_timeout(CONNECT_TIMEOUT.min(settings.request_timeout / 2))
                .timeout(settings.request_timeout)
                .pool_idle_timeout(IDLE_TIMEOUT)
                // As for Slack: where requests go stands in the configuration, not in a variable meant for other programs.
                .no_proxy()
        };
        let http = builder()
            .build()
            .context("the HTTP client for Twilio's API")?;
        let elsewhere = builder()
            .https_only(true)
            .dns_resolver(Arc::new(public_internet::PublicOnly))
            .build()
            .context("the HTTP client for Twilio's files")?;
        Ok(Self {
            http,
            elsewhere,
            settings: Arc::new(settings),
            date: Arc::default(),
        })
    }

    /// The time by Twilio's clock, to the second; `None` before its first answer. What Twilio dates is compared with
    /// this, for our own clock may be wrong or may be set.
    pub fn now(&self) -> Option<Timestamp> {
        let (date, at) = (*self.date.lock().ok()?)?;
        date.checked_add(SignedDuration::try_from(at.elapsed()).ok()?)
            .ok()
    }
}
