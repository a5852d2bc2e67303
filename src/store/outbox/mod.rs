//! The outbox: what must happen outside, in what state it is, and each attempt at it.

mod attempts;
mod queries;
mod rows;

pub use attempts::Attempt;
pub(crate) use attempts::*;
pub(crate) use queries::*;
pub use rows::Row;
pub(crate) use rows::*;
