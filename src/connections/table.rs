//! Who has a connection, what it does, and who gives way when there is no room for another.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::request::Caller;
use crate::config::{Connections, household, is_near};
use crate::log_limit::LogLimit;

/// How long a request may take. Every handler has a budget far below it; a file may take a while to be fetched.
const REQUEST: Duration = Duration::from_secs(120);

/// All connections, in the order in which they give way.
#[derive(Debug)]
pub(super) struct Table {
    limits: Connections,
    held: Mutex<Held>,
    full: LogLimit,
}

#[derive(Debug, Default)]
struct Held {
    last: u64,
    /// No request on them had a good signature; the longest idle first.
    unproven: BTreeMap<u64, Arc<Connection>>,
    proven: BTreeMap<u64, Arc<Connection>>,
    /// The unproven and proven ones of each far address.
    by_address: HashMap<IpAddr, BTreeSet<u64>>,
}

/// One connection, as long as it has a place in the table.
#[derive(Debug)]
pub(super) struct Connection {
    /// Whose it is, where its address is limited.
    address: Option<IpAddr>,
    does: Mutex<Does>,
    taken_away: Notify,
}

#[derive(Debug)]
struct Does {
    /// Its key in the table; `None` once its place was taken away.
    key: Option<u64>,
    is_proven: bool,
    has_asked: bool,
    /// Bytes between two requests need not be the beginning of one.
    is_h2: bool,
    requests: u32,
    /// Since when it has been idle, or when its latest request began.
    since: Instant,
    /// When the first byte of a request came whose head is not there yet.
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

    /// A place for a new connection, made free if need be; `None` if it is to be closed at once.
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

    /// Closes the connection that is needed least.
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
                "there were too many connections: the oldest that had proven nothing gave way"
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

    /// A request begins on this connection.
    pub(super) fn begin(&self, connection: &Connection, is_h2: bool) {
        let mut does = connection.does();
        // Requests of HTTP/2 may follow each other without a break: what counts is the latest.
        does.since = Instant::now();
        does.requests += 1;
        does.has_asked = true;
        does.is_h2 |= is_h2;
        does.head_since = None;
    }

    /// A request was answered, to the last byte or to the end of the connection.
    pub(super) fn end(&self, connection: &Arc<Connection>) {
        // The table is locked before what a connection does, here as everywhere.
        let mut held = self.held();
        let mut does = connection.does();
        does.requests -= 1;
        if does.requests == 0 {
            does.since = Instant::now();
            held.move_to_end(connection, &mut does);
        }
    }

    /// A request on this connection had a good signature.
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
        let of = match does.is_proven {
            true => &mut self.proven,
            false => &mut self.unproven,
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

    /// Which gives way first: the unproven one that has done the same for longest, be it nothing or half a request. A genuine
    /// request is read and proven within milliseconds. If it may be a proven one, it is the longest idle.
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

    /// Bytes came in.
    pub(super) fn has_read(&self) {
        let mut does = self.does();
        if does.requests == 0 && !does.is_h2 && does.head_since.is_none() {
            does.head_since = Some(Instant::now());
        }
    }

    /// When it has to be closed, unless it does something else by then.
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

/// A connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    table: Arc<Table>,
    connection: Arc<Connection>,
}

impl Place {
    pub(super) fn caller(&self) -> Caller {
        Caller::new(self.table.clone(), self.connection.clone())
    }

    /// When to look at it again. Its deadline may come nearer with the first byte of a request.
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

    /// Whether nothing is left to do for it, and what was answered had `linger` to go out.
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
