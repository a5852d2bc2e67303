//! Looks for the result of an attempt whose answer was lost.
//!
//! A look ends in one of four ways: found, complete and absent, several candidates, or not read because it failed. Only a
//! complete look counts as absence. `bridge::deliveries::settlement` decides what follows.

use jiff::{SignedDuration, Timestamp};

use super::failed;
use super::kinds::{inbound_file, post, recording};
use crate::app::App;
use crate::clients::Clients;
use crate::delivery::{Delivery, Outcome, PostedIn, Unreadable};
use crate::phone::Address;
use crate::remote::Failure;
use crate::slack::client::ThreadMessage;
use crate::slack::{ChannelId, MessageTs};
use crate::store::lanes::Claimed;
use crate::store::outbox::{Attempt, Row};
use crate::store::{conversations, sms};
use crate::twilio::client::MessageFilter;
use crate::twilio::message::Direction;
use crate::vocabulary::Settle;

/// How much earlier than the attempt a message may seem to be made: Twilio's clock is not ours, and it counts seconds.
const CLOCK_MARGIN: SignedDuration = SignedDuration::from_secs(3);

/// Runs one look.
pub(super) async fn look(
    app: &App,
    clients: &Clients,
    claimed: &Claimed,
    tried: &Attempt,
) -> Outcome {
    let row = &claimed.row;
    let Some(kind) = row.kind.known() else {
        return Outcome::Unreadable(Unreadable::Kind);
    };
    if failed::is_repeatable(kind, row) {
        return Outcome::Again {
            after: std::time::Duration::ZERO,
            why: failed::unsure("the program stopped"),
        };
    }
    if claimed.orphaned {
        // First it is said that nobody knows; the look follows at once.
        return Outcome::Unknown {
            why: "the program stopped before the answer was kept".into(),
        };
    }
    crate::faultpoints::point("look.before_read");
    let looked = match kind.policy().settle {
        Settle::TwilioLog => look_for_sms(app, clients, row, tried).await,
        Settle::RecordingInThread => recording::look(app, clients, row, tried).await,
        Settle::PictureInThread => inbound_file::look(app, clients, row, tried).await,
        Settle::SlackHistory | Settle::Repeat => look_for_post(app, clients, row, tried).await,
    };
    crate::faultpoints::point("look.read");
    match looked {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(failure)) => Outcome::NotRead {
            is_forbidden: matches!(failure, Failure::Refused { .. }),
            rest: match &failure {
                Failure::RateLimited { retry_after } => *retry_after,
                _ => None,
            },
            why: failure.to_string(),
        },
        Err(error) => Outcome::NotRead {
            is_forbidden: false,
            rest: None,
            why: format!("{error:#}"),
        },
    }
}

async fn look_for_sms(
    app: &App,
    clients: &Clients,
    row: &Row,
    tried: &Attempt,
) -> anyhow::Result<Result<Outcome, Failure>> {
    let conversation = conversations::by_id(&app.store, &row.conversation_id).await?;
    let (body, media) = match row.delivery()? {
        Delivery::Sms { body } => (body, Vec::new()),
        Delivery::Mms { body, media } => (body, media),
        _ => anyhow::bail!("outbox row {} is no SMS", row.id),
    };
    // Without DateSent: it can be null while Twilio still queues the message.
    let filter = MessageFilter {
        to: Some(Address::new(&conversation.caller)),
        from: Some(Address::new(&conversation.line)),
        date_sent_after: None,
    };
    let listed = match clients.twilio.list_messages(&filter, None).await {
        Ok(listed) => listed,
        Err(failure) => return Ok(Err(failure)),
    };
    let earliest = began_outside(app, clients, tried).checked_sub(CLOCK_MARGIN)?;
    let (mut candidates, mut others) = (Vec::new(), 0);
    for message in listed {
        let could_be = message.direction == Direction::OutboundApi
            && message
                .date_created
                .is_none_or(|created| created >= earliest);
        if !could_be || sms::is_bound(&app.store, message.sid.as_str()).await? {
            continue;
        }
        if message.body == body && message.num_media as usize == media.len() {
            candidates.push(message.sid.to_string())
        } else {
            // Twilio changes bodies now and then: a trial account's words before ours, characters made plainer.
            others += 1
        }
    }
    Ok(Ok(match (candidates.len(), others) {
        (0, 0) => Outcome::Absent,
        (1, _) => Outcome::Delivered {
            external_id: candidates.swap_remove(0),
            posted_in: None,
            proof: "Twilio's log",
        },
        (same, others) => Outcome::Several {
            candidates: same + others,
        },
    }))
}

/// When an attempt began by the vendors' clocks: what they date is compared with this, for ours may be wrong.
pub(super) fn began_outside(app: &App, clients: &Clients, tried: &Attempt) -> Timestamp {
    let ago = app.store.now().duration_since(tried.started());
    let now = clients.twilio.now();
    let reckoned = now.and_then(|now| now.checked_sub(ago).ok());
    match (tried.started_outside(), reckoned) {
        // An attempt can be dated late: it began then or earlier.
        (Some(dated), Some(reckoned)) => dated.min(reckoned),
        (dated, reckoned) => dated.or(reckoned).unwrap_or(tried.started()),
    }
}

pub(super) async fn look_for_post(
    app: &App,
    clients: &Clients,
    row: &Row,
    tried: &Attempt,
) -> anyhow::Result<Result<Outcome, Failure>> {
    let since = MessageTs::from_timestamp(
        began_outside(app, clients, tried).checked_sub(SignedDuration::from_secs(60))?,
    );
    let found = match row.delivery()? {
        Delivery::Post { new_thread, .. } => {
            let conversation = conversations::by_id(&app.store, &row.conversation_id).await?;
            let line = app
                .config
                .line_of(&conversation.line)
                .map(|line| line.channel.clone())
                .unwrap_or_default();
            match MessageTs::parse(&conversation.thread_ts) {
                Ok(root) if !new_thread => {
                    let channel = ChannelId::new(&conversation.channel);
                    in_thread_or_channel(clients, row, &channel, &root, &since).await
                }
                _ => in_channel(app, clients, row, &line, &since).await,
            }
        }
        Delivery::List { line } => {
            let line = app.config.line_of(&line);
            let channel = line.map_or("", |line| line.channel.as_str());
            in_channel(app, clients, row, channel, &since).await
        }
        Delivery::Announce {
            channel, thread_ts, ..
        } => match MessageTs::parse(&thread_ts) {
            Ok(root) => {
                let channel = ChannelId::new(channel);
                in_thread_or_channel(clients, row, &channel, &root, &since).await
            }
            Err(_) => in_channel(app, clients, row, &channel, &since).await,
        },
        _ => anyhow::bail!("outbox row {} is no post", row.id),
    };
    Ok(found)
}

async fn in_channel(
    app: &App,
    clients: &Clients,
    row: &Row,
    configured: &str,
    since: &MessageTs,
) -> Result<Outcome, Failure> {
    let Some(channel) = app.directory.channel_id(configured).await? else {
        return Ok(Outcome::NotRead {
            is_forbidden: true,
            rest: None,
            why: format!("there is no channel {configured}"),
        });
    };
    let history = clients.slack.history(&channel, Some(since), None).await?;
    Ok(only_one(clients, row, &channel, &history).await)
}

/// A reply whose root was deleted stands in the channel.
async fn in_thread_or_channel(
    clients: &Clients,
    row: &Row,
    channel: &ChannelId,
    root: &MessageTs,
    since: &MessageTs,
) -> Result<Outcome, Failure> {
    let thread = match clients.slack.replies(channel, root, Some(since)).await {
        Err(Failure::Refused { code, .. }) if code == "thread_not_found" => Vec::new(),
        other => other?,
    };
    match only_one(clients, row, channel, &thread).await {
        Outcome::Absent => {
            let history = clients.slack.history(channel, Some(since), None).await?;
            Ok(only_one(clients, row, channel, &history).await)
        }
        found => Ok(found),
    }
}

/// The post that bears the row's id; later copies of it are taken away. One that people have answered stays: `copies` makes
/// a thread of it.
async fn only_one(
    clients: &Clients,
    row: &Row,
    channel: &ChannelId,
    messages: &[ThreadMessage],
) -> Outcome {
    let mut ours: Vec<&ThreadMessage> = messages
        .iter()
        .filter(|message| bears_id(message, &row.id))
        .collect();
    ours.sort_by(|one, other| one.ts.cmp(&other.ts));
    let Some((first, copies)) = ours.split_first() else {
        return Outcome::Absent;
    };
    for copy in copies.iter().filter(|copy| !is_answered(copy)) {
        if let Err(failure) = clients.slack.delete_message(channel, &copy.ts).await {
            tracing::warn!(outbox = %row.id, %failure, "a second copy of a post could not be deleted");
        }
    }
    let root = first.thread_ts.as_ref().unwrap_or(&first.ts);
    Outcome::Delivered {
        external_id: first.ts.as_str().to_owned(),
        posted_in: Some(PostedIn {
            channel: channel.as_str().to_owned(),
            root: root.as_str().to_owned(),
        }),
        proof: "Slack's history",
    }
}

/// Whether the message is a root that people have answered: what they write there is for the caller.
pub(super) fn is_answered(message: &ThreadMessage) -> bool {
    let root = message.thread_ts.as_ref();
    root.is_none_or(|root| *root == message.ts) && message.latest_reply.is_some()
}

pub(super) fn bears_id(message: &ThreadMessage, id: &str) -> bool {
    message.metadata.as_ref().is_some_and(|metadata| {
        metadata.event_type == post::METADATA_TYPE
            && metadata
                .event_payload
                .get("outbox")
                .is_some_and(|outbox| outbox == id)
    })
}
