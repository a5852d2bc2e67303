//! The outbox: what must happen outside, in what state it is, and each attempt at it.

mod attempts;
mod queries;
mod rows;

pub use attempts::Attempt;
pub(crate) use attempts::*;
pub(crate) use queries::*;
pub use rows::Row;
pub(crate) use rows::*;

/// Where a delivery stands. A row is pending in the first four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// To be tried when its time comes and it is first in its lane.
    Waiting,
    /// An attempt is under way, or was when the process died.
    Sending,
    /// The request may have been acted on; being settled.
    Unknown,
    /// Refused for a reason that lies with the channel or the account; tried again until that is mended.
    Held,
    /// Done.
    Delivered,
    /// The remote said no for good.
    Refused,
    /// Could not be settled; a person decides.
    Undecided,
    /// Given up by a person, or no longer needed.
    Dropped,
    /// Not tried before its writer says so.
    Asked,
}

impl State {
    /// As the database keeps it and the command line shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Sending => "sending",
            State::Unknown => "unknown",
            State::Held => "held",
            State::Delivered => "delivered",
            State::Refused => "refused",
            State::Undecided => "undecided",
            State::Dropped => "dropped",
            State::Asked => "asked",
        }
    }

    /// The state of this name.
    pub fn parse(text: &str) -> Option<State> {
        use State::{
            Asked, Delivered, Dropped, Held, Refused, Sending, Undecided, Unknown, Waiting,
        };
        [
            Waiting, Sending, Unknown, Held, Delivered, Refused, Undecided, Dropped, Asked,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
    }

    pub(crate) fn is_pending(self) -> bool {
        matches!(
            self,
            State::Waiting | State::Sending | State::Unknown | State::Held
        )
    }
}
