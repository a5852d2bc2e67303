//! A client for the part of Twilio's REST API that the desk uses (<https://www.twilio.com/docs/usage/api>).
//!
//! Each method sends one request, or one a page for a list, and never retries. An error is one of the four variants of
//! [`Failure`](crate::remote::Failure). The API has no idempotency key, so `Failure::Unknown` has to be exact: it keeps a
//! text from being sent twice.

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

/// The timeout for connecting. Nothing has been sent when it expires, so the failure is `NotSent`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long an idle connection is kept. Servers keep theirs longer: a request on a connection that the server is closing
/// would end as `Unknown`.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// The address of the API, the credentials and the timeout.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `https://api.twilio.com`, or the address of another edge location or of a stand-in; http or https.
    pub api_url: String,
    pub account_sid: AccountSid,
    /// The SID of an API key (`SK…`), or the account's SID if `api_secret` is its auth token.
    pub api_key: String,
    pub api_secret: SecretString,
    /// The timeout of one request, from connecting to the last byte of the response.
    pub request_timeout: Duration,
}

/// A client for one account. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    /// Follows redirects to other hosts. It never sends the credentials and only connects to public addresses.
    elsewhere: reqwest::Client,
    settings: Arc<Settings>,
    /// The `Date` header of Twilio's last response, and when it arrived by the boot clock, which nobody can set.
    date: Arc<Mutex<Option<(Timestamp, BootInstant)>>>,
}

impl Client {
    /// Builds the client without sending anything. The process must have installed a rustls crypto provider.
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
                // Well below the request's timeout: when that expires, nobody can tell whether the request was sent.
                .connect_timeout(CONNECT_TIMEOUT.min(settings.request_timeout / 2))
                .timeout(settings.request_timeout)
                .pool_idle_timeout(IDLE_TIMEOUT)
                // The configuration says where requests go, not a proxy variable meant for other programs.
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

    /// Returns the time by Twilio's clock, to the second; `None` before its first response. Compare Twilio's dates with this:
    /// our own clock may be wrong.
    pub fn now(&self) -> Option<Timestamp> {
        let (date, at) = (*self.date.lock().ok()?)?;
        date.checked_add(SignedDuration::try_from(at.elapsed()).ok()?)
            .ok()
    }
}
