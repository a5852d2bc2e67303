//! The core that all parts of the stand-in share: settings, state, and the HTTP client for webhooks.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::Context;
use jiff::Timestamp;
use tokio::sync::watch;

use super::Settings;
use super::number::NumberRecord;
use super::state::{Relay, State};
use crate::faults::Faults;

/// The relay's path for the webhooks of texts and calls.
const DISPATCH_ROUTE: &str = "/api/twilio/dispatch-route";

/// Tells the stand-ins of one process apart in the SIDs they give out.
static SERIES: AtomicU32 = AtomicU32::new(0);

pub(super) struct Core {
    pub(super) settings: Settings,
    pub(super) faults: Faults,
    pub(super) changed: watch::Sender<u64>,
    pub(super) http: reqwest::Client,
    state: Mutex<State>,
    urls: OnceLock<(String, String)>,
    series: u32,
    sids: AtomicU64,
}

impl Core {
    pub(super) fn new(settings: Settings) -> anyhow::Result<Self> {
        // reqwest wants a provider even for plain http; a second installation is refused and does no harm.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(std::time::Duration::from_secs(5))
            .timeout(settings.webhook_timeout)
            // A kept connection to a relay that was restarted since would fail for no reason of the relay's.
            .pool_max_idle_per_host(0)
            .no_proxy()
            .user_agent("TwilioProxy/1.1")
            .build()
            .context("the stand-in's HTTP client")?;
        let core = Core {
            state: Mutex::new(State::new(&settings)),
            settings,
            faults: Faults::default(),
            changed: watch::Sender::new(0),
            http,
            urls: OnceLock::new(),
            series: SERIES.fetch_add(1, Ordering::Relaxed),
            sids: AtomicU64::new(0),
        };
        let numbers = core.settings.numbers.iter().map(|number| {
            let sid = core.sid("PN");
            NumberRecord::new(sid, number.clone(), core.now())
        });
        let numbers = numbers.collect();
        core.lock().numbers = numbers;
        Ok(core)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Timestamp {
        crate::clock::now()
    }

    /// A new SID: the prefix of two letters, and 32 digits.
    pub(super) fn sid(&self, prefix: &str) -> String {
        let n = self.sids.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{prefix}{:08x}{n:024x}", self.series)
    }

    pub(super) fn set_urls(&self, host: SocketAddr, media_host: SocketAddr) {
        let _ = self
            .urls
            .set((format!("http://{host}"), format!("http://{media_host}")));
    }

    pub(super) fn url(&self) -> &str {
        self.urls.get().map_or("", |(url, _)| url)
    }

    pub(super) fn media_url(&self) -> &str {
        self.urls.get().map_or("", |(_, url)| url)
    }

    /// The path `/2010-04-01/Accounts/AC…`, followed by `rest`.
    pub(super) fn account_path(&self, rest: &str) -> String {
        format!("/2010-04-01/Accounts/{}{rest}", self.settings.account_sid)
    }

    pub(super) fn set_relay(&self, webhook_base: &str, connect_to: Option<SocketAddr>) {
        let base = webhook_base.trim_end_matches('/').to_owned();
        let url = format!("{base}{DISPATCH_ROUTE}");
        let mut state = self.lock();
        for number in &mut state.numbers {
            number.settings.sms_url = url.clone();
            number.settings.voice_url = url.clone();
        }
        state.relay = Some(Relay { base, connect_to });
    }

    pub(super) fn violation(&self, what: impl Into<String>) {
        let what = what.into();
        tracing::warn!(violation = %what, "twilio stand-in");
        self.lock().violations.push(what);
        self.touch();
    }

    /// Wakes everybody who waits for something to happen.
    pub(super) fn touch(&self) {
        self.changed.send_modify(|n| *n += 1);
    }
}
