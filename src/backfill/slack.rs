//! Replies whose event never reached us.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::{MARGIN, begin, clock, move_watermark, read};
use crate::app::App;
use crate::bridge::edited;
use crate::bridge::slack_reply::{self, Received};
use crate::config::Line;
use crate::outbox::Outside;
use crate::slack::client::ThreadMessage;
use crate::slack::event::MessageEvent;
use crate::slack::{ChannelId, MessageTs, TeamId};
use crate::store::conversations;
use crate::store::messages::{self, Origin};

/// How old a thread may be whose replies are looked for. One page of history holds the threads of a busy week.
const THREADS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How many threads are read in one round: Slack allows 50 such reads a minute, and others want some of them.
const AT_ONCE: usize = 30;

/// How old a root of ours can be at most that we do not know of: an unknown post is settled long before.
const IN_DOUBT: SignedDuration = SignedDuration::from_mins(30);

/// The last reply that each thread had when it was compared, by channel and root: it is not read again before it has
/// another.
pub(super) type Compared = HashMap<(String, MessageTs), MessageTs>;

/// Takes in every reply in the line's channel that Slack has and we do not; how many there were.
pub(super) async fn catch_up(
    app: &App,
    outside: &Outside,
    line: &Line,
    compared: &mut Compared,
) -> anyhow::Result<usize> {
    let Some(team) = app.directory.team() else {
        return Ok(0);
    };
    let Some(channel) = app.directory.channel_id(&line.channel).await? else {
        anyhow::bail!("there is no channel {} that the bot can see", line.channel);
    };
    let watermark = format!("backfill.replies.{}", line.number.as_str());
    let begun = clock::now(app, outside);
    // Even the first time: only threads that are known count, and a thread that was compared is not read again.
    let since = begin(app, outside, &watermark)
        .await?
        .min(begun.checked_sub(MARGIN)?);
    let oldest = MessageTs::from_timestamp(begun.checked_sub(THREADS)?);
    let mut roots = read(outside.slack.history(&channel, Some(&oldest), None).await)?;
    // Most recent first: those are read even if Slack's limit is reached.
    roots.sort_by(|one, other| other.latest_reply.cmp(&one.latest_reply));
    let key = |root: &ThreadMessage| (channel.as_str().to_owned(), root.ts.clone());
    roots.retain(|root| may_be_ours(root) && has_replies_since(root, since));
    roots.retain(|root| compared.get(&key(root)) != root.latest_reply.as_ref());
    let is_all = roots.len() <= AT_ONCE;
    let (mut found, mut failed) = (0, None);
    for root in roots.iter().take(AT_ONCE) {
        // One thread that cannot be read holds back the watermark, not the other threads.
        match take_in(app, outside, &team, &channel, &root.ts, since).await {
            Ok(replies) => {
                found += replies;
                // A root of ours may not be known yet: until it is, its replies are none of ours.
                let is_settled = begun.duration_since(root.ts.timestamp()) > IN_DOUBT
                    || conversations::is_root(&app.store, channel.as_str(), root.ts.as_str())
                        .await?;
                if let Some(latest) = root.latest_reply.as_ref().filter(|_| is_settled) {
                    compared.insert(key(root), latest.clone());
                }
            }
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        None if is_all => {
            move_watermark(app, &watermark, begun).await?;
            compared
                .retain(|(of, _), latest| of != channel.as_str() || latest.timestamp() >= since);
        }
        // The next round reads on.
        None => {}
        Some(error) if found == 0 => return Err(error),
        Some(error) => tracing::warn!(
            error = format!("{error:#}"),
            "a thread could not be compared; trying again"
        ),
    }
    Ok(found)
}

/// Takes in what a thread has and we do not; how much that was.
async fn take_in(
    app: &App,
    outside: &Outside,
    team: &TeamId,
    channel: &ChannelId,
    root: &MessageTs,
    since: Timestamp,
) -> anyhow::Result<usize> {
    let mut found = 0;
    let (unknown, changed) = replies(app, outside, channel, root, since).await?;
    for reply in unknown {
        if slack_reply::receive_late(app, team, &reply, clock::now(app, outside)).await?
            == Received::Reply
        {
            found += 1;
        }
    }
    // Last: an edit that cannot be taken in must not hold up what was never heard of.
    for reply in changed {
        edited::change(app, team, None, &reply).await?;
    }
    Ok(found)
}

/// A root that we posted, or what is left of one that somebody deleted.
fn may_be_ours(root: &ThreadMessage) -> bool {
    root.bot_id.is_some() || root.subtype.as_deref() == Some("tombstone")
}

fn has_replies_since(root: &ThreadMessage, since: Timestamp) -> bool {
    root.latest_reply
        .as_ref()
        .is_some_and(|latest| latest.timestamp() >= since)
}

/// The replies in a thread that we do not know, oldest first, and those that were edited since we heard of them.
async fn replies(
    app: &App,
    outside: &Outside,
    channel: &ChannelId,
    root: &MessageTs,
    since: Timestamp,
) -> anyhow::Result<(Vec<MessageEvent>, Vec<MessageEvent>)> {
    let since = MessageTs::from_timestamp(since);
    let (mut unknown, mut changed) = (Vec::new(), Vec::new());
    for message in read(outside.slack.replies(channel, root, Some(&since)).await)? {
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

/// The message as its event would have told it.
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
