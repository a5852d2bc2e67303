//! Messages that came before their thread was known to be ours, or to be nobody's.

use super::save::{Arrived, save};
use super::slack_reply::read;

use crate::app::App;
use crate::slack::event::{Envelope, Event};
use crate::store::conversations::Conversation;
use crate::store::{Tx, deferred};

/// A thread has turned out to be ours: saves the messages that were deferred for it.
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
            let arrived = Arrived {
                message,
                written: &written,
                now: tx.now(),
            };
            save(tx, app, conversation, &arrived).await?;
        }
    }
    Ok(())
}

/// The writers of deferred messages under a post that is no caller's thread.
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
