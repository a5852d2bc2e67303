//! A stand-in for Twilio: the REST API on loopback, signed webhooks, and people with phones. As strict as Twilio.
//!
//! Anything that a correct client never does (an unknown parameter, a wrong password, invalid TwiML) gets Twilio's answer
//! and is also recorded as a *violation*. A test either expects the violation or fails.
//! Shapes and rules from <https://www.twilio.com/docs/messaging/api>, <https://www.twilio.com/docs/voice/twiml>.

mod call;
mod callback;
mod core;
mod inbound;
mod messages;
mod number;
mod overrides;
mod people;
mod rest;
mod schema;
pub mod segments;
pub mod signature;
mod state;
#[cfg(test)]
mod tests;
mod webhook;
mod xml;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::faults::Faults;
use crate::faults::host::Host;

pub use self::call::{
    CallCallbacks, CallStory, Calling, Event, Exchange, Happened, LiveCall, Outcome, Party,
};
pub use self::callback::{Callback, Callbacks};
pub use self::inbound::{InboundText, SmsReceipt};
pub use self::messages::{Created, MessageView};
pub use self::number::NumberSettings;
pub use self::people::{AfterSpeech, Caller, Phone, PickUp, Voicemail};
pub use self::webhook::Forgery;

use self::core::Core;

/// The auth token of the stand-in's account: made up, in the shape of a real one.
pub const AUTH_TOKEN: &str = "ba5eba11ba5eba11ba5eba11ba5eba11";

/// What Twilio's documentation of TwiML has against the answer to a call's webhook; an error where it cannot be read.
pub fn voice_warnings(twiml: &str) -> anyhow::Result<Vec<String>> {
    Ok(schema::voice(twiml)?.warnings)
}

/// What the stand-in is told when it starts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// "AC" and 32 characters.
    pub account_sid: String,
    /// What webhooks are signed with.
    pub auth_token: String,
    /// "SK" and 32 characters: a standard key, which may do everything but read the account itself.
    pub api_key: String,
    /// The secret that goes with `api_key`.
    pub api_secret: String,
    /// The account's own numbers, E.164.
    pub numbers: Vec<String>,
    /// Where to listen; port 0 for any free one.
    pub listen: SocketAddr,
    /// How long a webhook may take: 15 s at Twilio.
    pub webhook_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let zeros = "0".repeat(32);
        Settings {
            account_sid: format!("AC{zeros}"),
            auth_token: AUTH_TOKEN.to_owned(),
            api_key: format!("SK{zeros}"),
            api_secret: "not-a-real-api-secret".to_owned(),
            numbers: vec!["+16195550100".to_owned()],
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            webhook_timeout: Duration::from_secs(15),
        }
    }
}

/// A running stand-in; clones are the same one. It stops when the last clone is gone.
#[derive(Clone)]
pub struct TwilioStandIn {
    core: Arc<Core>,
    host: Host,
    media_host: Host,
}

impl std::fmt::Debug for TwilioStandIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TwilioStandIn")
            .field(&self.host.addr())
            .finish()
    }
}

impl TwilioStandIn {
    /// Listens and answers from now on.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        let core = Arc::new(Core::new(settings)?);
        let anywhere = SocketAddr::new(core.settings.listen.ip(), 0);
        let host = Host::start(core.settings.listen, rest::router(core.clone())).await?;
        let media_host = Host::start(anywhere, rest::media_router(core.clone())).await?;
        core.set_urls(host.addr(), media_host.addr());
        Ok(TwilioStandIn {
            core,
            host,
            media_host,
        })
    }

    /// What to use in place of `https://api.twilio.com`, without a trailing slash.
    pub fn url(&self) -> String {
        self.core.url().to_owned()
    }

    /// Where the relay is to be found: `webhook_base` is the origin Twilio was given (signatures are made for it),
    /// `connect_to` where to really connect when that origin is not this machine.
    ///
    /// All numbers' SMS and voice URLs are set to the relay's route, as its `setup` would.
    pub fn set_relay(&self, webhook_base: &str, connect_to: Option<SocketAddr>) {
        self.core.set_relay(webhook_base, connect_to);
    }

    /// Requests to come that go wrong: "Messages.create", "Messages.list", "Messages.fetch", "Messages.update",
    /// "Messages.delete", "Media.list", "Media.fetch", "Media.fetch 1" (the first file of a text), "Media.bytes" (of the host they are redirected to), "Calls.list", "Calls.fetch", "IncomingPhoneNumbers.list",
    /// "IncomingPhoneNumbers.fetch", "IncomingPhoneNumbers.update", "Recordings.fetch", "Recordings.delete", "Accounts.fetch".
    pub fn faults(&self) -> &Faults {
        &self.core.faults
    }

    /// Goes down: connections are cut and refused from here on.
    pub async fn down(&self) {
        self.host.down().await;
        self.media_host.down().await;
    }

    /// Comes back on the same port, with everything it knew.
    pub async fn up(&self) -> anyhow::Result<()> {
        self.media_host.up().await?;
        self.host.up().await
    }

    /// What was done that no client of Twilio should do, in order.
    pub fn violations(&self) -> Vec<String> {
        self.core.lock().violations.clone()
    }

    /// The violations so far, which are thereby allowed.
    pub fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.core.lock().violations)
    }

    /// How many requests came with the account's auth token instead of an API key.
    pub fn uses_of_auth_token(&self) -> usize {
        self.core.lock().uses_of_auth_token
    }

    /// From now on this is the account's auth token: webhooks are signed with it.
    pub fn rotate_auth_token(&self, auth_token: &str) {
        self.core.lock().auth_token = auth_token.to_owned();
    }

    /// From now on a Webhook Rule has every webhook signed with this shared key, or none with `None`.
    pub fn sign_with_shared_key(&self, key: Option<(&str, &str)>) {
        let key = key.map(|(id, secret)| (id.to_owned(), secret.to_owned()));
        self.core.lock().shared_key = key;
    }

    /// Whether the API key is accepted; `false` is a key revoked in the console.
    pub fn set_api_key_valid(&self, valid: bool) {
        self.core.lock().api_key_valid = valid;
    }

    /// A counter that rises with everything that happens here.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.core.changed.subscribe()
    }
}
