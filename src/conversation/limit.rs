//! Which of the hourly limits on texts is reached.

use jiff::Timestamp;

/// The limit that one more text would pass, and when the next text may leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) whose: Whose,
    pub(crate) limit: u32,
    pub(crate) free_at: Timestamp,
}

/// Whose limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Person,
    Number,
    Line,
}
