//! How deliveries end, and what follows from each ending.

pub(crate) mod copies;
pub(crate) mod delivery_status;
pub(crate) mod not_taken;
pub(crate) mod outcome;
mod row;
pub(crate) mod settlement;
mod unreadable;
