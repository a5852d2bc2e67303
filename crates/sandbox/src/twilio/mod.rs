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

/// Checks the answer to a call's webhook against Twilio's documentation of TwiML; an error if it cannot be parsed.
pub fn voice_warnings(twiml: &str) -> anyhow::Result<Vec<String>> {
    Ok(schema::voice(twiml)?.warnings)
}

/// The settings of a stand-in.
#[derive(Debug, Clone)]
pub struct Settings {
    /// "AC" and 32 characters.
    pub account_sid: String,
    /// The auth token, which webhooks are signed with.
    pub auth_token: String,
    /// "SK" and 32 characters: a standard key, which may do everything but read the account itself.
    pub api_key: String,
    /// The secret that goes with `api_key`.
    pub api_secret: String,
    /// The account's own numbers, E.164.
    pub numbers: Vec<String>,
    /// The address to listen on; port 0 means any free port.
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
    /// Starts a stand-in that listens and answers.
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

    /// Sets the address of the relay: `webhook_base` is the origin that Twilio was given (signatures are made for it),
    /// `connect_to` the address to connect to if that origin is not this machine.
    ///
    /// Sets the SMS and voice URLs of all numbers to the relay's route, as its `setup` would.
    pub fn set_relay(&self, webhook_base: &str, connect_to: Option<SocketAddr>) {
        self.core.set_relay(webhook_base, connect_to);
    }

    /// The scripted faults of each endpoint: "Messages.create", "Messages.list", "Messages.fetch", "Messages.update",
    /// "Messages.delete", "Media.list", "Media.fetch", "Media.fetch 1" (the first file of a text), "Media.bytes" (the
    /// host that media are redirected to), "Calls.list", "Calls.fetch", "IncomingPhoneNumbers.list",
    /// "IncomingPhoneNumbers.fetch", "IncomingPhoneNumbers.update", "Recordings.fetch", "Recordings.delete",
    /// "Accounts.fetch".
    pub fn faults(&self) -> &Faults {
        &self.core.faults
    }

    /// Goes down: cuts connections, and refuses new ones.
    pub async fn down(&self) {
        self.host.down().await;
        self.media_host.down().await;
    }

    /// Comes up again on the same port, with its state.
    pub async fn up(&self) -> anyhow::Result<()> {
        self.media_host.up().await?;
        self.host.up().await
    }

    /// The violations so far, in order: requests that no correct client makes.
    pub fn violations(&self) -> Vec<String> {
        self.core.lock().violations.clone()
    }

    /// Takes the violations so far, so that they do not fail the test.
    pub fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.core.lock().violations)
    }

    /// The number of requests that used the account's auth token instead of an API key.
    pub fn uses_of_auth_token(&self) -> usize {
        self.core.lock().uses_of_auth_token
    }

    /// Replaces the account's auth token, which webhooks are signed with.
    pub fn rotate_auth_token(&self, auth_token: &str) {
        self.core.lock().auth_token = auth_token.to_owned();
    }

    /// Sets a Webhook Rule that signs every webhook with this shared key; `None` removes it.
    pub fn sign_with_shared_key(&self, key: Option<(&str, &str)>) {
        let key = key.map(|(id, secret)| (id.to_owned(), secret.to_owned()));
        self.core.lock().shared_key = key;
    }

    /// Sets whether the API key is accepted; `false` revokes it.
    pub fn set_api_key_valid(&self, valid: bool) {
        self.core.lock().api_key_valid = valid;
    }

    /// A counter that rises with every change in this stand-in.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.core.changed.subscribe()
    }
}
