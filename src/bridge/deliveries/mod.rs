//! What came of what was sent.

pub(crate) mod copies;
pub(crate) mod delivery_status;
pub(crate) mod not_taken;
pub(crate) mod outcome;
mod row;
pub(crate) mod settlement;
