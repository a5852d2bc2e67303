//! Finds texts whose webhook never reached us.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::{begin, clock, left_to_webhook, move_watermark};
use crate::app::App;
use crate::bridge::texts::inbound_sms::{self, Received};
use crate::bridge::texts::late::{self, Found};
use crate::clients::Clients;
use crate::clock::BootInstant;
use crate::config::Line;
use crate::log_limit::LogLimit;
use crate::phone::Address;
use crate::remote::Failure;
use crate::store::kv;
use crate::store::messages::{self, KeptText};
use crate::twilio::AccountSid;
use crate::twilio::client::MessageFilter;
use crate::twilio::form::{InboundSms, Media};
use crate::twilio::message::Message;

/// Limits the log: every round would fail for the same text.
static NOT_MARKED: LogLimit = LogLimit::per_minute();

/// Saves every text to the line that Twilio's log has and we do not. Returns their number.
pub(super) async fn catch_up(app: &App, clients: &Clients, line: &Line) -> anyhow::Result<usize> {
    let watermark = kv::texts_watermark(line.number.as_str());
    let since = begin(app, clients, &watermark).await?;
    let (begun, by_our_clock) = (BootInstant::now(), app.clock.now());
    let listed = list_since(clients, line, since).await?;
    let listed = with_what_is_kept(app, listed).await?;
    let saved = save_missing(app, clients, &listed).await;
    if saved.is_complete {
        // The dates in the log are by Twilio's clock, so the watermark is, too.
        let took = SignedDuration::try_from(begun.elapsed())?;
        let by_twilios = clients
            .twilio
            .now()
            .and_then(|now| now.checked_sub(took).ok());
        move_watermark(app, &watermark, by_twilios.unwrap_or(by_our_clock)).await?;
    }
    Ok(saved.found)
}

/// Lists the texts to the line in Twilio's log, the oldest first.
async fn list_since(
    clients: &Clients,
    line: &Line,
    since: Timestamp,
) -> anyhow::Result<Vec<Message>> {
    let filter = MessageFilter {
        to: Some(Address::from(&line.number)),
        from: None,
        date_sent_after: Some(since),
    };
    let mut listed = clients.twilio.list_messages(&filter, Some(since)).await?;
    crate::faultpoints::point("backfill.read");
    listed.retain(|message| message.direction.is_inbound());
    // Twilio lists the newest first and has dates of whole seconds. Reverse the list before the stable sort, so that texts of
    // one second are in the order of arrival.
    listed.reverse();
    listed.sort_by_key(dated);
    Ok(listed)
}

/// The outcome of a round.
struct Saved {
    /// The number of texts that we did not have.
    found: usize,
    /// Whether every text of the list could be saved or can still arrive by its webhook.
    is_complete: bool,
}

/// Saves the texts that we do not have, and marks those we have that a later text overtook.
async fn save_missing(app: &App, clients: &Clients, listed: &[Listed]) -> Saved {
    let mut found = 0;
    // A text that cannot be saved holds back the later texts of its sender, so that they stay in order, and the watermark.
    let mut stuck: HashSet<&Address> = HashSet::new();
    for (index, (message, kept)) in listed.iter().enumerate() {
        let later = &listed[index + 1..];
        if stuck.contains(&message.from) {
            continue;
        }
        if let Some(kept) = kept {
            if let Some(came_at) = overtaken(message, *kept, later) {
                mark_as_late(app, message, came_at).await;
            }
            continue;
        }
        if is_young(app, clients, message) {
            continue;
        }
        let is_behind = later
            .iter()
            .any(|(later, kept)| kept.is_some() && later.from == message.from);
        match take_in(app, clients, message, is_behind).await {
            Ok(Received::New) => found += 1,
            Ok(Received::Known | Received::NoSuchLine) => {}
            Err(error) => {
                tracing::warn!(
                    sid = message.sid.as_str(),
                    error = format!("{error:#}"),
                    "saving a text that no webhook reported failed; trying again"
                );
                stuck.insert(&message.from);
            }
        }
    }
    Saved {
        found,
        is_complete: stuck.is_empty(),
    }
}

/// Marks a text as late. A failure is only logged, since the next round tries again.
async fn mark_as_late(app: &App, message: &Message, came_at: Timestamp) {
    if let Err(error) = late::mark(app, &message.sid, came_at).await
        && let Some(times) = NOT_MARKED.record()
    {
        tracing::warn!(
            sid = message.sid.as_str(),
            times,
            error = format!("{error:#}"),
            "marking a text as late failed"
        );
    }
}

/// A text in Twilio's log and our row of it, if we have one.
type Listed = (Message, Option<KeptText>);

async fn with_what_is_kept(app: &App, listed: Vec<Message>) -> anyhow::Result<Vec<Listed>> {
    let mut known = Vec::with_capacity(listed.len());
    for message in listed {
        let kept = messages::kept_text(&app.store, message.sid.as_str()).await?;
        known.push((message, kept));
    }
    Ok(known)
}

/// Returns when a text arrived at Twilio if we received a later text of its sender first and have not shown that yet. Texts
/// of one second do not count, since the log does not tell their order.
fn overtaken(message: &Message, kept: KeptText, later: &[Listed]) -> Option<Timestamp> {
    let came_at = dated(message)?;
    let is_behind = later.iter().any(|(later, other)| {
        later.from == message.from
            && other.is_some_and(|other| other.created_at < kept.created_at)
            && dated(later).is_some_and(|at| at > came_at)
    });
    (is_behind && kept.came_at.is_none()).then_some(came_at)
}

fn dated(message: &Message) -> Option<Timestamp> {
    message.date_sent.or(message.date_created)
}

/// Whether the text's webhook may still arrive. The margin before the watermark makes the next round see the text again.
fn is_young(app: &App, clients: &Clients, message: &Message) -> bool {
    let now = clock::now(app, clients);
    let age = dated(message).map(|came_at| now.duration_since(came_at));
    age.is_some_and(|age| age < left_to_webhook(app))
}

async fn take_in(
    app: &App,
    clients: &Clients,
    message: &Message,
    is_behind: bool,
) -> anyhow::Result<Received> {
    let sms = as_received(app, clients, message).await?;
    let found = dated(message).map(|came_at| Found { came_at, is_behind });
    inbound_sms::receive(app, &sms, found).await
}

/// Converts a message of the log to the form that its webhook would have sent.
async fn as_received(
    app: &App,
    clients: &Clients,
    message: &Message,
) -> anyhow::Result<InboundSms> {
    let media = match message.num_media {
        0 => Vec::new(),
        _ => match clients.twilio.media(&message.sid).await {
            // The files were deleted. Save the words anyway.
            Err(Failure::Refused { .. }) => Vec::new(),
            listed => listed?,
        },
    };
    let api = app.config.twilio_api_url.trim_end_matches('/');
    Ok(InboundSms {
        message_sid: message.sid.clone(),
        account_sid: AccountSid::parse(&app.secrets.account_sid).ok(),
        from: message.from.clone(),
        to: message.to.clone(),
        body: message.body.clone(),
        media: media
            .into_iter()
            .map(|medium| Media {
                url: format!("{api}{}", medium.uri.trim_end_matches(".json")),
                content_type: medium.content_type,
            })
            .collect(),
        num_media: message.num_media,
        from_city: None,
        from_state: None,
        from_country: None,
        opt_out_type: None,
    })
}
