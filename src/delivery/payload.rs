//! What the database keeps of a delivery: its JSON with a version.

use serde::{Deserialize, Serialize};

use super::Delivery;
use crate::store::outbox::Row;

/// The version of the payloads that are written, and the newest that is read.
const NEWEST: u64 = 1;

/// What every payload has: its version, 0 where it carries none.
#[derive(Debug, Deserialize)]
struct Versioned {
    #[serde(default)]
    v: u64,
}

/// Why a delivery cannot be read. It never tells what stands in it: that may be the words of a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("its payload is not what this version of the program writes")]
    Payload,
    #[error("its payload has version {0}, which this version of the program does not know")]
    Version(u64),
    #[error("this version of the program does not know its kind")]
    Kind,
    #[error("this version of the program does not know its state")]
    State,
    #[error("this version of the program does not know a word in what it is about")]
    Fact,
}

impl Delivery {
    /// What the database keeps of it.
    pub(crate) fn payload(&self) -> String {
        #[derive(Serialize)]
        struct Payload<'a> {
            v: u64,
            #[serde(flatten)]
            delivery: &'a Delivery,
        }
        let payload = Payload {
            v: NEWEST,
            delivery: self,
        };
        // An enum of strings and JSON values always serializes.
        serde_json::to_string(&payload).unwrap_or_default()
    }

    /// Reads a payload of any version up to the newest.
    pub(crate) fn read(payload: &str) -> Result<Delivery, Unreadable> {
        let unreadable = |_| Unreadable::Payload;
        let Versioned { v } = serde_json::from_str(payload).map_err(unreadable)?;
        if v > NEWEST {
            return Err(Unreadable::Version(v));
        }
        // Version 1 is version 0 with its number.
        serde_json::from_str(payload).map_err(unreadable)
    }
}

impl Row {
    /// What it asks for.
    pub(crate) fn delivery(&self) -> Result<Delivery, Unreadable> {
        Delivery::read(&self.payload)
    }

    /// What is wrong with it, if this program cannot deliver it whatever happens.
    pub(crate) fn flaw(&self) -> Option<Unreadable> {
        if self.state.known().is_none() {
            return Some(Unreadable::State);
        }
        match self.delivery() {
            Ok(delivery) if self.kind == delivery.kind() => None,
            Ok(_) => Some(Unreadable::Kind),
            Err(flaw) => Some(flaw),
        }
    }
}
