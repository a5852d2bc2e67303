//! Limits the memory of request bodies whose signature is not verified yet.
//!
//! Counts the received bytes, not the announced ones. When the budget is used up, the read that has lasted longest is
//! aborted: a genuine body is read within milliseconds, so a slow one has to make room.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Request;
use futures_util::StreamExt;
use tokio::sync::Notify;

use super::error::AppError;
use crate::connections::Caller;
use crate::log_limit::LogLimit;

/// The budget of all unverified bodies, in bytes. A thousand simultaneous texts take a tenth of it.
const BUDGET: usize = 32 * 1024 * 1024;

/// The time limit for receiving a body. Vendors send theirs at once.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

static BROKEN_OFF: LogLimit = LogLimit::per_minute();

/// The memory budget of unverified bodies. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Bodies(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    used: usize,
    last: u64,
    /// The bodies being read, the longest-running read first.
    readers: BTreeMap<u64, Reader>,
}

#[derive(Debug)]
struct Reader {
    bytes: usize,
    broken_off: Arc<Notify>,
}

/// One body's share of the budget, released on drop.
#[derive(Debug)]
struct Part {
    bodies: Bodies,
    key: u64,
    broken_off: Arc<Notify>,
}

impl Bodies {
    fn begin(&self) -> Part {
        let broken_off = Arc::new(Notify::new());
        let mut held = self.held();
        held.last += 1;
        let key = held.last;
        let reader = Reader {
            bytes: 0,
            broken_off: broken_off.clone(),
        };
        held.readers.insert(key, reader);
        Part {
            bodies: self.clone(),
            key,
            broken_off,
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// Sets the body's share to `bytes`, and aborts the longest-running reads, possibly this one, until the budget suffices.
    fn takes(&self, bytes: usize) {
        let mut held = self.bodies.held();
        let Some(reader) = held.readers.get_mut(&self.key) else {
            return;
        };
        let before = std::mem::replace(&mut reader.bytes, bytes);
        held.used = held.used + bytes - before;
        while held.used > BUDGET
            && let Some((_, longest)) = held.readers.pop_first()
        {
            held.used -= longest.bytes;
            longest.broken_off.notify_one();
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut held = self.bodies.held();
        if let Some(reader) = held.readers.remove(&self.key) {
            held.used -= reader.bytes;
        }
    }
}

/// A body whose signature is not verified. Use it only to verify the signature.
#[derive(Debug)]
pub(super) struct Unverified {
    bytes: Vec<u8>,
    _part: Part,
    caller: Option<Caller>,
}

impl Unverified {
    /// Reads a body of at most `limit` bytes. Fails with `TooLarge`, `TooSlow`, `BrokenOff`, or `Busy` if the read is aborted.
    pub(super) async fn read(
        request: Request,
        bodies: &Bodies,
        limit: usize,
    ) -> Result<Unverified, AppError> {
        let part = bodies.begin();
        let broken_off = part.broken_off.clone();
        let caller = request.extensions().get::<Caller>().cloned();
        let read = async {
            let mut bytes = Vec::new();
            let mut frames = request.into_body().into_data_stream();
            while let Some(frame) = frames.next().await {
                let frame = frame.map_err(|_| AppError::BrokenOff)?;
                if bytes.len() + frame.len() > limit {
                    return Err(AppError::TooLarge);
                }
                bytes.extend_from_slice(&frame);
                part.takes(bytes.capacity());
            }
            Ok(bytes)
        };
        let bytes = tokio::select! {
            // An aborted read has lost its share of the budget, so its bytes must not be used even if it just ended.
            biased;
            () = broken_off.notified() => return Err(busy()),
            read = tokio::time::timeout(BODY_TIMEOUT, read) => read.map_err(|_| AppError::TooSlow)??,
        };
        Ok(Unverified {
            bytes,
            _part: part,
            caller,
        })
    }

    /// Returns the body after its signature was verified: releases its share of the budget and marks its connection as proven.
    pub(super) fn verified(self) -> Bytes {
        if let Some(caller) = &self.caller {
            caller.prove();
        }
        self.bytes.into()
    }
}

impl Deref for Unverified {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

fn busy() -> AppError {
    metrics::counter!("qdn_bodies_broken_off_total").increment(1);
    if let Some(times) = BROKEN_OFF.record() {
        tracing::warn!(
            times,
            "reading a request's body was aborted: too many unverified bodies at once"
        );
    }
    AppError::Busy
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn is_broken_off(part: &Part) -> bool {
        part.broken_off.notified().now_or_never().is_some()
    }

    #[tokio::test]
    async fn what_is_read_longest_makes_room() {
        let bodies = Bodies::default();
        let slow: Vec<Part> = (0..4).map(|_| bodies.begin()).collect();
        slow.iter().for_each(|part| part.takes(BUDGET / 4));
        assert!(!slow.iter().any(is_broken_off), "all of it may be used");
        let genuine = bodies.begin();
        genuine.takes(1_000);
        let broken: Vec<bool> = slow.iter().map(is_broken_off).collect();
        assert_eq!(broken, [true, false, false, false]);
        assert!(!is_broken_off(&genuine));
        slow[0].takes(BUDGET);
        assert!(
            !is_broken_off(&slow[1]),
            "what was broken off counts no more"
        );
        drop(slow);
        drop(genuine);
        let held = bodies.held();
        assert_eq!((held.used, held.readers.len()), (0, 0));
    }
}
