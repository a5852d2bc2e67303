//! What came of what was sent.

pub(crate) mod copies;
pub(crate) mod delivery_status;
pub(crate) mod outcome;
pub(crate) mod plainer;
pub(crate) mod settlement;
