//! Runs a command, a press or a form once, however often the same signed request comes: a signature is valid for five
//! minutes, also for somebody who copied the request. A copy gets the first answer.
//!
//! Work that has begun runs to its end even if its answer is too late for Slack. If it were cut off, it might have been done,
//! and whoever was told otherwise would do it again.

use std::time::Duration;

use anyhow::anyhow;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::app::App;
use crate::store::taken::{self, Taken};

/// How often it is looked whether the first one was answered.
const LOOK: Duration = Duration::from_millis(50);

/// The state of a request when the time for its answer is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Came {
    /// Done, with this answer.
    To(String),
    /// Begun and not done yet.
    NotKnownYet,
}

/// Runs `work`, or returns the stored answer if the same request was done before. An error says that nothing was done.
/// `body` is what Slack signed: each command, press and form has its own trigger, so no two bodies are equal.
pub(crate) async fn once<E: From<anyhow::Error> + Send + Sync + 'static>(
    app: &App,
    body: &[u8],
    until: Instant,
    work: impl Future<Output = Result<String, E>> + Send + 'static,
) -> Result<Came, E> {
    let key = hex::encode(Sha256::digest(body));
    let mut is_worked_on = false;
    loop {
        match timeout_at(until, taken::take(&app.store, &key)).await {
            Ok(taken) => match taken? {
                Taken::Now => break,
                Taken::WorkedOn => {
                    is_worked_on = true;
                    tokio::time::sleep(LOOK).await;
                }
                Taken::Before(answer) => {
                    tracing::warn!("a command, a press or a form that was done already came again");
                    return Ok(Came::To(answer));
                }
            },
            Err(_) if is_worked_on => return Ok(Came::NotKnownYet),
            Err(_) => return Err(anyhow!("the database took too long to take a request").into()),
        }
    }
    let (tell, told) = oneshot::channel();
    let app = app.clone();
    tokio::spawn(async move {
        let done = work.await;
        save_answer(&app, &key, &done).await;
        if let Err(Err(_)) = tell.send(done) {
            tracing::warn!("a request came to nothing after the time for its answer");
        }
    });
    match timeout_at(until, told).await {
        Ok(Ok(done)) => done.map(Came::To),
        Ok(Err(_)) => Err(anyhow!("whoever worked on a request is gone").into()),
        Err(_) => Ok(Came::NotKnownYet),
    }
}

/// Stores the answer of a request.
async fn save_answer<E>(app: &App, key: &str, done: &Result<String, E>) {
    let kept = match done {
        Ok(answer) => taken::answered(&app.store, key, answer).await,
        Err(_) => taken::give_back(&app.store, key).await,
    };
    if let Err(error) = kept {
        tracing::warn!(
            error = format!("{error:#}"),
            "what a request came to was not kept: a copy of it would be done again"
        );
    }
}
