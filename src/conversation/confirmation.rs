//! Why the writer of a reply is asked to confirm it before it is texted.

use super::limit::Reached;

/// One reason; where several apply, the first one found is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// It begins with a colleague's name.
    Colleague,
    /// It begins with `/`, as a command does.
    Command,
    /// Somebody else has answered that many seconds before.
    Collision { by: String, seconds: i64 },
    /// It takes that many parts.
    Long { parts: usize },
    /// So many texts were sent within the hour; the clock time when the next may leave.
    Limit { reached: Reached, at: String },
}

impl Why {
    /// The sentence that the audit keeps.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Why::Colleague => "it begins with a colleague's name",
            Why::Command => "it begins like a command",
            Why::Collision { .. } => "somebody else answered at the same time",
            Why::Long { .. } => "it is long",
            Why::Limit { .. } => "a limit of texts within an hour is reached",
        }
    }
}
