//! A stand-in for Slack: one workspace in memory, the Web API over HTTP, and the people in it.
//!
//! The Web API is as strict as Slack's documentation, and stricter where that finds mistakes: anything that a correct app
//! never sends gets Slack's answer and is also recorded as a violation. The people (`people`) act in the workspace, and
//! the relay receives the events as Slack sends them: signed, retried, and out of order if a test wants that.

mod arguments;
mod blocks;
mod changes;
mod deliver;
mod form;
mod message;
mod methods;
mod people;
mod reading;
mod response_url;
mod server;
mod shown;
pub mod signature;
#[cfg(test)]
mod tests;
mod world;

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

pub use self::deliver::{Delivery, Forgery, Reply};
pub use self::message::{Ephemeral, Message, Reaction};
pub use self::people::{Answer, Say};
pub use self::reading::buttons;
pub use self::world::{Accepted, Channel, StoredFile, User, View, World};
use super::faults::Faults;
use super::faults::host::Host;

/// The secret that requests to the app are signed with: made up, in the shape of a real one.
pub const SIGNING_SECRET: &str = "5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e";

/// The app's identity and the stand-in's address. The defaults are obviously made up.
#[derive(Clone)]
pub struct Settings {
    pub bot_token: String,
    pub signing_secret: String,
    pub team_id: String,
    /// The workspace's subdomain, as in its links.
    pub team_domain: String,
    pub app_id: String,
    pub bot_user_id: String,
    pub bot_id: String,
    pub bot_name: String,
    /// The scopes the app was installed with.
    pub scopes: Vec<String>,
    /// The bot events that the app is subscribed to.
    pub subscriptions: Vec<String>,
    pub listen: SocketAddr,
}

impl Default for Settings {
    fn default() -> Self {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        Self {
            bot_token: "xoxb-not-a-real-token".to_owned(),
            signing_secret: SIGNING_SECRET.to_owned(),
            team_id: "T0QDN".to_owned(),
            team_domain: "qdn".to_owned(),
            app_id: "A0QDN".to_owned(),
            bot_user_id: "U0QDNBOT".to_owned(),
            bot_id: "B0QDN".to_owned(),
            bot_name: "qdn".to_owned(),
            scopes: words(
                "chat:write commands channels:history groups:history channels:read groups:read users:read files:read \
                 files:write reactions:write",
            ),
            subscriptions: words(
                "message.channels message.groups app_home_opened member_joined_channel member_left_channel",
            ),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("team_id", &self.team_id)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

/// The stand-in; clones are the same one.
#[derive(Clone)]
pub struct SlackStandIn {
    inner: Arc<Inner>,
    host: Host,
}

/// The state that the request handlers share.
struct Inner {
    world: Mutex<World>,
    /// Counts the changes to the world, so that one can wait for the next.
    changed: watch::Sender<u64>,
    faults: Faults,
    relay: Mutex<deliver::Relay>,
    http: reqwest::Client,
    deliveries: Mutex<Vec<Delivery>>,
    under_way: AtomicU32,
}

impl SlackStandIn {
    /// Starts an empty workspace with nobody in it but the app's bot user.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        // Ours or the program's, whichever comes first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(Duration::from_secs(3))
            .no_proxy()
            .build()?;
        let listen = settings.listen;
        let inner = Arc::new(Inner {
            world: Mutex::new(World::new(settings, String::new())),
            changed: watch::Sender::new(0),
            faults: Faults::default(),
            relay: Mutex::default(),
            http,
            deliveries: Mutex::default(),
            under_way: AtomicU32::new(0),
        });
        let host = Host::start(listen, server::router(inner.clone())).await?;
        inner.lock().base_url = format!("http://{}/api/", host.addr());
        Ok(Self { inner, host })
    }

    /// The scopes that a method of the Web API may want, for public and private channels; `None` for a method that the
    /// stand-in does not know.
    pub fn scopes_of(method: &str) -> Option<Vec<String>> {
        methods::scopes_of(method)
    }

    /// The base of the Web API, to be used for `https://slack.com/api/`.
    pub fn url(&self) -> String {
        format!("http://{}/api/", self.host.addr())
    }

    /// Sets the origin of the app's request URLs: `public_url` as configured at Slack, and the address to connect to if
    /// that name has none.
    pub fn set_relay(&self, public_url: &str, connect_to: Option<SocketAddr>) {
        let mut relay = lock(&self.inner.relay);
        relay.public_url = Some(public_url.trim_end_matches('/').to_owned());
        relay.connect_to = connect_to;
    }

    /// Sets the waits before an event's first, second and third retry. Slack's are none, one minute and five.
    pub fn set_retry_delays(&self, delays: [Duration; 3]) {
        lock(&self.inner.relay).retry_delays = delays;
    }

    /// The faults scripted per method, e.g. `chat.postMessage`; also `response_url`, `upload` and `download`.
    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// Goes down: cuts connections and refuses new ones.
    pub async fn down(&self) {
        self.host.down().await;
    }

    /// Comes up again on the same port.
    pub async fn up(&self) -> anyhow::Result<()> {
        self.host.up().await
    }

    /// Reads the workspace.
    pub fn read<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.inner.lock())
    }

    /// Waits until `check` finds something; `None` if `timeout` passes first.
    pub async fn wait_for<T>(
        &self,
        timeout: Duration,
        mut check: impl FnMut(&World) -> Option<T>,
    ) -> Option<T> {
        let mut changes = self.inner.changed.subscribe();
        let found = async {
            loop {
                changes.borrow_and_update();
                if let Some(found) = self.read(&mut check) {
                    return Some(found);
                }
                changes.changed().await.ok()?;
            }
        };
        tokio::time::timeout(timeout, found).await.ok().flatten()
    }

    /// Waits until `check` holds; `false` if `timeout` passes first.
    pub async fn wait_until(&self, check: impl Fn(&World) -> bool, timeout: Duration) -> bool {
        self.wait_for(timeout, |world| check(world).then_some(()))
            .await
            .is_some()
    }

    /// A receiver that learns of every further change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// The violations so far: requests that a correct app never sends.
    pub fn violations(&self) -> Vec<String> {
        self.read(|world| world.violations.clone())
    }

    /// Takes the violations so far, so that they do not fail the test.
    pub fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.lock().violations)
    }

    /// Every post, update and other change by the app, in the order in which they were accepted.
    pub fn accepted(&self) -> Vec<Accepted> {
        self.read(|world| world.accepted.clone())
    }

    /// The accepted `chat.postMessage` calls.
    pub fn posts(&self) -> Vec<Accepted> {
        let mut posts = self.accepted();
        posts.retain(|call| call.method == "chat.postMessage");
        posts
    }

    /// The messages that a channel shows: roots and broadcasts, oldest first.
    pub fn roots(&self, channel: &str) -> Vec<Message> {
        self.read(|world| world.roots(channel).into_iter().cloned().collect())
    }

    /// The replies of a thread, oldest first, without their parent.
    pub fn thread(&self, channel: &str, root_ts: &str) -> Vec<Message> {
        self.read(|world| {
            world
                .thread(channel, root_ts)
                .into_iter()
                .cloned()
                .collect()
        })
    }

    /// The message with this `ts`.
    pub fn message(&self, channel: &str, ts: &str) -> Option<Message> {
        self.read(|world| world.message(channel, ts).cloned())
    }

    /// The names of a message's reactions.
    pub fn reactions(&self, channel: &str, ts: &str) -> Vec<String> {
        self.read(|world| world.reactions(channel, ts))
    }

    /// The ephemeral messages of this person.
    pub fn ephemerals(&self, user: &str) -> Vec<Ephemeral> {
        self.read(|world| world.ephemerals(user).cloned().collect())
    }

    /// What a person sees of a message.
    pub fn rendered(&self, message: &Message) -> String {
        self.read(|world| world.rendered(message))
    }
}

impl fmt::Debug for SlackStandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SlackStandIn").field(&self.host).finish()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// Changes the workspace, sends the events of the change, and wakes everybody who waits.
    fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut World) -> T) -> T {
        let (result, events) = {
            let mut world = self.lock();
            let result = change(&mut world);
            (result, std::mem::take(&mut world.events))
        };
        self.changed.send_modify(|count| *count += 1);
        for event in events {
            self.clone().deliver_in_background(event);
        }
        result
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
