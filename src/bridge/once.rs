//! A command, a press or a form is done once, however often what Slack signed comes: its signature is good for five minutes,
//! also in the hands of whoever got hold of it. A copy is answered as the first one was.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::app::App;
use crate::store::taken::{self, Taken};

/// How often it is looked whether the first one was answered.
const LOOK: Duration = Duration::from_millis(50);

/// Does `work` unless the same request was done before; back comes what it was answered then. `body` is what Slack signed:
/// no two of its commands, presses or forms are alike, each has a trigger of its own.
pub(crate) async fn once<E: From<anyhow::Error>>(
    app: &App,
    body: &[u8],
    work: impl Future<Output = Result<String, E>>,
) -> Result<String, E> {
    let key = hex::encode(Sha256::digest(body));
    loop {
        match taken::take(&app.store, &key).await? {
            Taken::Now => break,
            Taken::WorkedOn => tokio::time::sleep(LOOK).await,
            Taken::Before(answer) => {
                tracing::warn!("a command, a press or a form that was done already came again");
                return Ok(answer);
            }
        }
    }
    let done = work.await;
    let kept = match &done {
        Ok(answer) => taken::answered(&app.store, &key, answer).await,
        Err(_) => taken::give_back(&app.store, &key).await,
    };
    if let Err(error) = kept {
        tracing::warn!(
            error = format!("{error:#}"),
            "what a request came to was not kept: a copy of it would be done again"
        );
    }
    done
}
