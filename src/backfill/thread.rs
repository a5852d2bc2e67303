//! Compares one thread with Slack: saves the replies that we do not have, and releases the replies that waited for that.

use std::time::{Duration, Instant};

use super::{MARGIN, clock};
use crate::app::App;
use crate::bridge::replies::edited;
use crate::bridge::replies::slack_reply::{self, Received};
use crate::clients::Clients;
use crate::delivery;
use crate::remote::Failure;
use crate::slack::client::ThreadMessage;
use crate::slack::event::MessageEvent;
use crate::slack::{ChannelId, MessageTs, TeamId};
use crate::store::messages;
use crate::store::threads::{self, Compared};
use crate::store::{kv, order};
use crate::thread_sync;
use crate::vocabulary::Origin;

/// Reads the thread and saves its new replies and edits. Returns the number of new replies.
pub(super) async fn compare(
    app: &App,
    clients: &Clients,
    team: &TeamId,
    thread: &Compared,
) -> anyhow::Result<usize> {
    let began = Instant::now();
    let (channel, root) = (
        ChannelId::new(&thread.channel),
        MessageTs::parse(&thread.ts)?,
    );
    let since = since(app, thread, &root).await?;
    let answer = clients.slack.replies(&channel, &root, Some(&since)).await;
    let messages = match answer {
        // The parent message was deleted and there are no replies.
        Err(Failure::Refused { code, .. }) if is_gone(&code) => Vec::new(),
        Ok(messages) => messages,
        Err(error) => {
            // Let the next round begin with other threads.
            put_behind(app, thread).await?;
            return Err(error.into());
        }
    };
    let newest = messages.iter().map(|message| &message.ts).max().cloned();
    let found = take_in(app, clients, team, (&channel, &root), messages).await?;
    app.thread_sync.synced(&thread.channel, &thread.ts, began);
    let newest = newest.as_ref().map_or("", MessageTs::as_str);
    let young = delivery::scaled(app.config.delivery.settle_after, YOUNG);
    let age = app.store.now().as_millisecond() - thread.compared_at;
    if is_worth_saving(found, age, young) {
        save(app, thread, newest).await?;
    }
    let_go(app, thread).await?;
    Ok(found)
}

/// For how many seconds (scaled with `settle_after`) a further comparison that finds nothing is not recorded.
const YOUNG: f64 = 5.0;

/// Whether to record a comparison `age` milliseconds after the last recorded one.
fn is_worth_saving(found: usize, age: i64, young: Duration) -> bool {
    // A negative age means that the clock has been set back, so record it.
    let is_young = u128::try_from(age).is_ok_and(|age| age < young.as_millis());
    found > 0 || !is_young
}

/// Releases the replies that waited for this thread, unless they also wait for another thread of their conversation. Returns
/// whether any were released.
pub(super) async fn let_go(app: &App, thread: &Compared) -> anyhow::Result<bool> {
    let patience = thread_sync::longest_wait(app.config.delivery.settle_after);
    let own = (thread.channel.as_str(), thread.ts.as_str());
    if app
        .thread_sync
        .awaits_other(&thread.conversation_id, own, patience)
    {
        return Ok(false);
    }
    let lane = delivery::phone_lane(&thread.line, &thread.conversation_id);
    if !order::is_held_back(&app.store, &lane.id).await? {
        return Ok(false);
    }
    let mut tx = app.store.begin().await?;
    order::let_go(&mut tx, &lane.id).await?;
    tx.commit().await?;
    Ok(true)
}

/// Marks the thread as just read, so that all others come before it.
pub(super) async fn put_behind(app: &App, thread: &Compared) -> anyhow::Result<()> {
    save(app, thread, "").await
}

async fn save(app: &App, thread: &Compared, newest: &str) -> anyhow::Result<()> {
    let mut tx = app.store.begin().await?;
    threads::set_compared(&mut tx, &thread.channel, &thread.ts, newest).await?;
    tx.commit().await
}

fn is_gone(code: &str) -> bool {
    matches!(code, "thread_not_found" | "message_not_found")
}

/// Returns from where to read the thread: the margin before the newest message of the last comparison. A thread that was
/// never compared is read from its parent message, but not from before the time in `compared_from`.
async fn since(app: &App, thread: &Compared, root: &MessageTs) -> anyhow::Result<MessageTs> {
    let newest = MessageTs::parse(&thread.compared_ts);
    let known = newest.as_ref().unwrap_or(root).timestamp();
    let since = MessageTs::from_timestamp(known.checked_sub(MARGIN)?);
    if newest.is_ok() {
        return Ok(since);
    }
    let from = kv::read(&app.store, &compared_from(&thread.line)).await?;
    let from = from.and_then(|from| MessageTs::parse(&from).ok());
    Ok(from.map_or(since.clone(), |from| from.max(since)))
}

/// Returns the key of the time from which on the threads of a line are searched for replies.
pub(super) fn compared_from(line: &str) -> String {
    format!("slack.compared_from.{line}")
}

async fn take_in(
    app: &App,
    clients: &Clients,
    team: &TeamId,
    (channel, root): (&ChannelId, &MessageTs),
    messages: Vec<ThreadMessage>,
) -> anyhow::Result<usize> {
    let mut found = 0;
    let (unknown, changed) = news(app, channel, root, messages).await?;
    for reply in unknown {
        if slack_reply::receive_late(app, team, &reply, clock::now(app, clients)).await?
            == Received::Reply
        {
            found += 1;
        }
    }
    // Edits come last: one that cannot be saved must not hold up new replies.
    for reply in changed {
        edited::change(app, team, None, &reply).await?;
    }
    Ok(found)
}

/// Returns the replies that we do not have, oldest first, and those that were edited since we saved them.
async fn news(
    app: &App,
    channel: &ChannelId,
    root: &MessageTs,
    messages: Vec<ThreadMessage>,
) -> anyhow::Result<(Vec<MessageEvent>, Vec<MessageEvent>)> {
    let (mut unknown, mut changed) = (Vec::new(), Vec::new());
    for message in messages {
        let id = format!("{}:{}", channel.as_str(), message.ts.as_str());
        if message.ts == *root {
            continue;
        }
        let edited = message.edited.as_ref().and_then(|edited| edited.ts.clone());
        match messages::known_edit(&app.store, Origin::Slack, &id).await? {
            None => unknown.push(as_event(channel, message)),
            Some(known) if edited.is_some_and(|edited| edited.as_str() > known.as_str()) => {
                changed.push(as_event(channel, message));
            }
            Some(_) => {}
        }
    }
    unknown.sort_by(|one, other| one.ts.cmp(&other.ts));
    Ok((unknown, changed))
}

/// Converts a message of the history to the event that would have reported it.
fn as_event(channel: &ChannelId, message: ThreadMessage) -> MessageEvent {
    MessageEvent {
        channel: channel.clone(),
        user: message.user,
        bot_id: message.bot_id,
        app_id: message.app_id,
        subtype: message.subtype,
        text: message.text,
        ts: message.ts,
        thread_ts: message.thread_ts,
        files: message.files,
        hidden: false,
        edited: message.edited,
        team: message.team,
        user_team: message.user_team,
        source_team: None,
        message: None,
        previous_message: None,
        deleted_ts: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_that_finds_nothing_is_saved_once_in_a_while() {
        let young = Duration::from_secs(5);
        for (found, age, is_saved) in [
            (0, 4_999, false),
            (0, 5_000, true),
            (1, 0, true),
            (0, -1, true),
        ] {
            assert_eq!(
                is_worth_saving(found, age, young),
                is_saved,
                "{found} {age}"
            );
        }
    }
}
