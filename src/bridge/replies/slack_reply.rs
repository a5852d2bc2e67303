//! A dispatcher wrote in a thread: a reply becomes a text to the caller, a note stays inside.

use jiff::{SignedDuration, Timestamp};

use super::edited;
use super::save::{Arrived, save};
use crate::app::App;
use crate::bridge::desk::newcomers;
use crate::conversation::{self, Kind, Written, colleague};
use crate::slack::event::MessageEvent;
use crate::slack::{ChannelId, MessageTs, TeamId};
use crate::store::{conversations, deferred};

/// What a message in Slack came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// Saved; it will be texted, or its writer is asked first.
    Reply,
    /// Saved as internal.
    Inside,
    /// Saved before.
    Known,
    /// Deferred: its thread is young and may turn out to be ours.
    Parked,
    /// Not for a caller; the reason.
    Ignored(&'static str),
}

/// Saves a reply and its deliveries in one transaction. Once this returns, nothing of it is lost.
///
/// `event` is the message as Slack told of it, `app_id` our app as its envelope names it.
pub(crate) async fn receive(
    app: &App,
    team: &TeamId,
    app_id: Option<&str>,
    message: &MessageEvent,
    event: &str,
) -> anyhow::Result<Received> {
    if edited::is_one(message) {
        return edited::receive(app, team, app_id, message).await;
    }
    let written = match read(app, message, team, app_id) {
        Ok(written) => written,
        Err(why) => return Ok(Received::Ignored(why)),
    };
    crate::faultpoints::point("reply.verified");
    let (channel, root) = (message.channel.as_str(), written.root.as_str());
    let mut tx = app.store.begin().await?;
    let received = match conversations::by_thread(&mut tx, channel, root).await? {
        Some(conversation) => {
            // Slack tells again for hours what we did not take: even an event can be late.
            let now = tx.now();
            let arrived = Arrived {
                message,
                written: &written,
                now,
            };
            save(&mut tx, app, &conversation, &arrived).await?
        }
        None if newcomers::tell_writer(&mut tx, app, (channel, root, written.user.as_str()))
            .await? =>
        {
            Received::Ignored("under a list of new callers")
        }
        None if is_recent(&written.root, tx.now()) && may_be_of_a_line(app, &message.channel) => {
            // Our own post may be in Slack before its answer is here: then this is a reply to a caller.
            deferred::park(&mut tx, channel, root, message.ts.as_str(), event).await?;
            Received::Parked
        }
        None => Received::Ignored("not in a thread of ours"),
    };
    crate::faultpoints::point("reply.before_commit");
    tx.commit().await?;
    crate::faultpoints::point("reply.committed");
    Ok(received)
}

/// Saves a reply whose event was lost, found by reading the thread. `now` is the time by Slack's clock.
pub(crate) async fn receive_late(
    app: &App,
    team: &TeamId,
    message: &MessageEvent,
    now: Timestamp,
) -> anyhow::Result<Received> {
    let written = match read(app, message, team, None) {
        Ok(written) => written,
        Err(why) => return Ok(Received::Ignored(why)),
    };
    let mut tx = app.store.begin().await?;
    let channel = message.channel.as_str();
    let Some(conversation) =
        conversations::by_thread(&mut tx, channel, written.root.as_str()).await?
    else {
        return Ok(Received::Ignored("not in a thread of ours"));
    };
    let arrived = Arrived {
        message,
        written: &written,
        now,
    };
    let received = save(&mut tx, app, &conversation, &arrived).await?;
    tx.commit().await?;
    Ok(received)
}

/// What a person of ours wrote in a thread, or why it is nothing for a caller.
pub(crate) fn read(
    app: &App,
    message: &MessageEvent,
    team: &TeamId,
    app_id: Option<&str>,
) -> Result<Written, &'static str> {
    let is_bot = |user| app.directory.is_bot(user);
    if message.user.as_ref().is_some_and(is_bot) {
        Err("written by ourselves")
    } else {
        let mut written = conversation::read(message, team, app_id)?;
        app.directory.note_writer(&written.user);
        if written.kind == Kind::Reply && speaks_to_colleague(app, &written, &message.text) {
            written.kind = Kind::ToColleague;
        }
        Ok(written)
    }
}

/// Whether the text begins with the name of somebody of the desk other than its writer.
fn speaks_to_colleague(app: &App, written: &Written, text: &str) -> bool {
    let writer = written.user.as_str();
    let people = app.config.people.iter();
    let others =
        people.filter(|person| person.slack.as_ref().is_none_or(|id| id.as_str() != writer));
    let known = app.directory.known_names(&written.user);
    let names = others.map(|person| person.name.as_str());
    colleague::is_spoken_to(text, names.chain(known.iter().map(String::as_str)))
}

/// Whether a line has this channel, as far as is known: only there can be a thread of ours.
fn may_be_of_a_line(app: &App, channel: &ChannelId) -> bool {
    app.config.lines.iter().any(|line| {
        let id = app.directory.known_channel_id(&line.channel);
        id.is_none_or(|id| id == *channel)
    })
}

/// How old a root may be that we might not have heard of: an unknown post is settled long before.
const ROOT_IN_DOUBT: SignedDuration = SignedDuration::from_mins(30);

fn is_recent(root: &MessageTs, now: Timestamp) -> bool {
    now.duration_since(root.timestamp()) < ROOT_IN_DOUBT
}

/// Whether a message is young enough to be sent unasked.
pub(crate) fn is_live(app: &App, message: &MessageEvent) -> anyhow::Result<bool> {
    let age = app.store.now().duration_since(message.ts.timestamp());
    Ok(age <= SignedDuration::try_from(app.config.delivery.stale_reply)?)
}
