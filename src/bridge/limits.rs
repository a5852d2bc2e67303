//! How many texts people may send within an hour: a stolen account or a slip must not cost a fortune.

use jiff::Timestamp;

use crate::app::App;
use crate::store::Tx;
use crate::store::text_counts::{self, Of, WINDOW};

/// Which limit is reached, and when the next text may leave.
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

/// The limit that one more text would pass, if there is one.
pub(crate) async fn reached(
    tx: &mut Tx,
    app: &App,
    line: &str,
    caller: &str,
    author: &str,
) -> anyhow::Result<Option<Reached>> {
    let limits = &app.config.limits;
    for (whose, of, limit) in [
        (Whose::Person, Of::Author(author), limits.person_per_hour),
        (Whose::Number, Of::Caller(caller), limits.number_per_hour),
        (Whose::Line, Of::Line(line), limits.line_per_hour),
    ] {
        let sent = text_counts::within_the_hour(tx, of).await?;
        let allowed = usize::try_from(limit).unwrap_or(usize::MAX);
        if sent.len() >= allowed
            && let Some(oldest) = sent.get(sent.len() - allowed)
        {
            let free_at = oldest.checked_add(WINDOW)?;
            return Ok(Some(Reached {
                whose,
                limit,
                free_at,
            }));
        }
    }
    Ok(None)
}

/// Counts a text that leaves.
pub(crate) async fn spend(
    tx: &mut Tx,
    line: &str,
    caller: &str,
    author: &str,
) -> anyhow::Result<()> {
    text_counts::add(tx, line, caller, author).await
}
