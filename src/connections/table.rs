//! The table of open connections: their state, their deadlines, and which one a new connection displaces.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::{Connections, household, is_near};
use crate::log_limit::LogLimit;

/// The time limit of a request. The handlers have far lower limits, but sending a media file can take a while.
const REQUEST: Duration = Duration::from_secs(120);

/// All open connections, in the order in which new ones displace them.
#[derive(Debug)]
pub(super) struct Table {
    limits: Connections,
    held: Mutex<Held>,
    full: LogLimit,
}

#[derive(Debug, Default)]
struct Held {
    last: u64,
    /// Connections without a validly signed request, the longest unchanged first.
    unproven: BTreeMap<u64, Arc<Connection>>,
    proven: BTreeMap<u64, Arc<Connection>>,
    /// The keys of each remote address that is limited.
    by_address: HashMap<IpAddr, BTreeSet<u64>>,
}

/// An open connection and its state.
#[derive(Debug)]
pub(super) struct Connection {
    /// The address that it counts for; `None` for a trusted one, which has no limit.
    address: Option<IpAddr>,
    does: Mutex<Does>,
    taken_away: Notify,
}

#[derive(Debug)]
struct Does {
    /// The key in the table; `None` once the connection is displaced.
    key: Option<u64>,
    is_proven: bool,
    has_asked: bool,
    /// In HTTP/2, received bytes do not mean that a request begins.
    is_h2: bool,
    requests: u32,
    /// Since when it is idle, or when its latest request began.
    since: Instant,
    /// When the first byte of a request arrived whose head is not complete yet.
    head_since: Option<Instant>,
}

impl Table {
    pub(super) fn new(limits: Connections) -> Arc<Table> {
        Arc::new(Table {
            limits,
            held: Mutex::default(),
            full: LogLimit::per_minute(),
        })
    }

    /// Admits a new connection and displaces another one if the table or the address is at its limit. Returns `None` if no
    /// connection can be displaced; then close the new one.
    pub(super) fn admit(self: &Arc<Table>, from: IpAddr) -> Option<Place> {
        let is_trusted = is_near(from)
            || self
                .limits
                .trusted_proxies
                .iter()
                .any(|of| of.contains(from));
        let address = (!is_trusted).then(|| household(from));
        let mut held = self.held();
        if let Some(address) = address
            && held.of(address) >= self.limits.max_per_address
        {
            self.crowded("of one address");
            let oldest = held.oldest_of(address)?;
            held.take_away(oldest);
        }
        // Unproven connections may fill only three quarters of the table. When all of it is full, an idle proven one can go.
        let most = self.limits.max;
        let is_full = held.unproven.len() + held.proven.len() >= most;
        if is_full || held.unproven.len() >= most - most / 4 {
            self.crowded("in all");
            let oldest = held.oldest(is_full)?;
            held.take_away(oldest);
        }
        let connection = Arc::new(Connection::new(address));
        held.insert(&connection);
        self.count(&held);
        Some(Place {
            table: self.clone(),
            connection,
        })
    }

    /// Displaces one connection to free its file descriptor.
    pub(super) fn make_room(&self) {
        let mut held = self.held();
        if let Some(oldest) = held.oldest(true) {
            held.take_away(oldest);
        }
    }

    fn crowded(&self, what: &'static str) {
        metrics::counter!("qdn_connections_displaced_total").increment(1);
        if let Some(times) = self.full.record() {
            tracing::warn!(
                what,
                times,
                "too many connections: a new one displaced the oldest unproven one"
            );
        }
    }

    fn count(&self, held: &Held) {
        let open = held.unproven.len() + held.proven.len();
        metrics::gauge!("qdn_connections").set(open as f64);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the begin of a request.
    pub(super) fn begin(&self, connection: &Connection, is_h2: bool) {
        let mut does = connection.does();
        // HTTP/2 requests can overlap without a break, so the latest one sets the time.
        does.since = Instant::now();
        does.requests += 1;
        does.has_asked = true;
        does.is_h2 |= is_h2;
        does.head_since = None;
    }

    /// Records the end of a request: its response is sent or the connection is closed.
    pub(super) fn end(&self, connection: &Arc<Connection>) {
        // Lock order: the table first, then the connection.
        let mut held = self.held();
        let mut does = connection.does();
        does.requests -= 1;
        if does.requests == 0 {
            does.since = Instant::now();
            held.move_to_end(connection, &mut does);
        }
    }

    /// Marks the connection as proven.
    pub(super) fn prove(&self, connection: &Arc<Connection>) {
        let mut held = self.held();
        let mut does = connection.does();
        if !does.is_proven {
            does.is_proven = true;
            held.move_to_end(connection, &mut does);
        }
    }
}

impl Held {
    fn of(&self, address: IpAddr) -> usize {
        self.by_address.get(&address).map_or(0, BTreeSet::len)
    }

    fn insert(&mut self, connection: &Arc<Connection>) {
        let mut does = connection.does();
        self.put(connection, &mut does);
    }

    fn put(&mut self, connection: &Arc<Connection>, does: &mut Does) {
        self.last += 1;
        let key = self.last;
        does.key = Some(key);
        let of = if does.is_proven {
            &mut self.proven
        } else {
            &mut self.unproven
        };
        of.insert(key, connection.clone());
        if let Some(address) = connection.address {
            self.by_address.entry(address).or_default().insert(key);
        }
    }

    fn remove(&mut self, connection: &Connection, does: &mut Does) -> bool {
        let Some(key) = does.key.take() else {
            return false;
        };
        let _ = self.unproven.remove(&key).or(self.proven.remove(&key));
        if let Some(address) = connection.address
            && let Some(keys) = self.by_address.get_mut(&address)
        {
            keys.remove(&key);
            if keys.is_empty() {
                self.by_address.remove(&address);
            }
        }
        true
    }

    fn move_to_end(&mut self, connection: &Arc<Connection>, does: &mut Does) {
        if self.remove(connection, does) {
            self.put(connection, does);
        }
    }

    /// Returns the connection to displace: the unproven one whose state has not changed for longest, whether idle or in the
    /// middle of a request, since a genuine request is read and verified within milliseconds. If there is none and
    /// `or_proven`, the proven one that has been idle for longest.
    fn oldest(&self, or_proven: bool) -> Option<Arc<Connection>> {
        let mut proven = self.proven.values().filter(|_| or_proven);
        let unproven = self.unproven.values().next();
        unproven
            .or_else(|| proven.find(|connection| connection.is_idle()))
            .cloned()
    }

    fn oldest_of(&self, address: IpAddr) -> Option<Arc<Connection>> {
        let keys = self.by_address.get(&address)?;
        let unproven = keys.iter().find_map(|key| self.unproven.get(key));
        let mut proven = keys.iter().filter_map(|key| self.proven.get(key));
        unproven
            .or_else(|| proven.find(|connection| connection.is_idle()))
            .cloned()
    }

    fn take_away(&mut self, connection: Arc<Connection>) {
        let mut does = connection.does();
        self.remove(&connection, &mut does);
        drop(does);
        connection.taken_away.notify_one();
    }
}

impl Connection {
    fn new(address: Option<IpAddr>) -> Connection {
        Connection {
            address,
            does: Mutex::new(Does {
                key: None,
                is_proven: false,
                has_asked: false,
                is_h2: false,
                requests: 0,
                since: Instant::now(),
                head_since: None,
            }),
            taken_away: Notify::new(),
        }
    }

    fn does(&self) -> MutexGuard<'_, Does> {
        self.does.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_idle(&self) -> bool {
        self.does().requests == 0
    }

    /// Records received bytes.
    pub(super) fn has_read(&self) {
        let mut does = self.does();
        if does.requests == 0 && !does.is_h2 && does.head_since.is_none() {
            does.head_since = Some(Instant::now());
        }
    }

    /// Returns when to close the connection if its state does not change before.
    fn deadline(&self, limits: &Connections) -> Instant {
        let does = self.does();
        let is_known = does.is_proven || self.address.is_none();
        match does.head_since {
            _ if does.requests > 0 => does.since + REQUEST,
            Some(since) => since + limits.header_timeout,
            None if does.has_asked && is_known => does.since + limits.idle_timeout,
            None => does.since + limits.header_timeout,
        }
    }
}

/// A connection's place in the table, released on drop.
#[derive(Debug)]
pub(super) struct Place {
    table: Arc<Table>,
    connection: Arc<Connection>,
}

impl Place {
    /// Returns the table and the connection that has this place.
    pub(super) fn parts(&self) -> (Arc<Table>, Arc<Connection>) {
        (self.table.clone(), self.connection.clone())
    }

    /// Returns when to check the deadline again: at the deadline, or earlier because the first byte of a request can move the
    /// deadline forward.
    pub(super) fn look_at(&self) -> Instant {
        let limits = &self.table.limits;
        let deadline = self.connection.deadline(limits);
        deadline.min(Instant::now() + limits.header_timeout)
    }

    pub(super) fn is_overdue(&self) -> bool {
        self.connection.deadline(&self.table.limits) <= Instant::now()
    }

    pub(super) fn has_asked(&self) -> bool {
        self.connection.does().has_asked
    }

    /// Whether a closing connection can be dropped: it has no request and had `linger` to send its last response, or its
    /// request takes too long.
    pub(super) fn may_close(&self, linger: Duration) -> bool {
        let does = self.connection.does();
        let since = does.since.elapsed();
        (does.requests == 0 && since >= linger) || since >= REQUEST
    }

    pub(super) async fn taken_away(&self) {
        self.connection.taken_away.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.table.held();
        let mut does = self.connection.does();
        held.remove(&self.connection, &mut does);
        drop(does);
        self.table.count(&held);
    }
}

#[cfg(test)]
mod tests;
