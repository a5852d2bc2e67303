//! How deliveries end, and what follows from each ending.

pub(crate) mod copies;
mod delivered;
pub(crate) mod not_taken;
pub(crate) mod outcome;
mod refused;
mod resolved;
mod row;
pub(crate) mod settlement;
pub(crate) mod sms_status;
mod unreadable;
