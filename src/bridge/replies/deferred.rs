//! Messages that came before their thread was known to be ours, or to be nobody's.

use super::slack_reply::{read, save};

use crate::app::App;
use crate::slack::event::{Envelope, Event};
use crate::store::conversations::Conversation;
use crate::store::{Tx, deferred};

/// A thread of ours has become known: what was written in it before is kept now.
pub(crate) async fn receive(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    channel: &str,
    root: &str,
) -> anyhow::Result<()> {
    let Some(team) = app.directory.team() else {
        return Ok(());
    };
    for event in deferred::unpark(tx, channel, root).await? {
        let Envelope::EventCallback(callback) = Envelope::parse(event.as_bytes())? else {
            continue;
        };
        let Event::Message(message) = &callback.event else {
            continue;
        };
        if let Ok(written) = read(app, message, &team, callback.api_app_id.as_deref()) {
            let now = tx.now();
            save(tx, app, conversation, message, &written, now).await?;
        }
    }
    Ok(())
}

/// Who wrote under a message of ours before it was known to be nobody's thread.
pub(crate) async fn writers(
    tx: &mut Tx,
    app: &App,
    channel: &str,
    root: &str,
) -> anyhow::Result<Vec<String>> {
    let Some(team) = app.directory.team() else {
        return Ok(Vec::new());
    };
    let mut writers = Vec::new();
    for event in deferred::unpark(tx, channel, root).await? {
        let Envelope::EventCallback(callback) = Envelope::parse(event.as_bytes())? else {
            continue;
        };
        let Event::Message(message) = &callback.event else {
            continue;
        };
        if let Ok(written) = read(app, message, &team, callback.api_app_id.as_deref()) {
            writers.push(written.user.as_str().to_owned());
        }
    }
    Ok(writers)
}
