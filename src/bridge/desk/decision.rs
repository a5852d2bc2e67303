//! One way to decide: in a transaction that commits, or rolls back and says why.
//!
//! Buttons, forms, commands and confirmations all decide through [`decide`], so that nobody has to remember to roll back
//! before telling: SQLite has one writer connection, and a sentence is told by a write of its own.

use crate::app::App;
use crate::bridge::desk::tell::tell;
use crate::slack::event::BlockActions;
use crate::store::Tx;

/// Why a decision changes nothing.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It is not allowed or not possible: the sentence for whoever asked.
    Refused(String),
    /// It failed; the request may come again.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Stop {
    fn from(error: E) -> Stop {
        Stop::Failed(error.into())
    }
}

/// Commits what `decide` did and returns its value, or rolls back and returns the sentence of its refusal.
pub(crate) async fn decide<T>(
    app: &App,
    decide: impl AsyncFnOnce(&mut Tx) -> Result<T, Stop>,
) -> anyhow::Result<Result<T, String>> {
    let mut tx = app.store.begin().await?;
    match decide(&mut tx).await {
        Ok(value) => {
            tx.commit().await?;
            Ok(Ok(value))
        }
        Err(Stop::Refused(sentence)) => Ok(Err(sentence)),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// Decides what somebody asked for with a button, and tells them alone if it is refused.
pub(crate) async fn decide_or_tell(
    app: &App,
    pressed: &BlockActions,
    decided: impl AsyncFnOnce(&mut Tx) -> Result<(), Stop>,
) -> anyhow::Result<()> {
    match decide(app, decided).await? {
        Ok(()) => Ok(()),
        Err(sentence) => tell(app, pressed, sentence).await,
    }
}
