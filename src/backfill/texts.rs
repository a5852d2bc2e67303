//! Texts whose webhook never reached us.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::{begin, clock, left_to_webhook, move_watermark, read};
use crate::app::App;
use crate::bridge::texts::inbound_sms::{self, Received};
use crate::bridge::texts::late::{self, Found};
use crate::clock::BootInstant;
use crate::config::Line;
use crate::log_limit::LogLimit;
use crate::outbox::Clients;
use crate::phone::Address;
use crate::remote::Failure;
use crate::store::facts;
use crate::store::messages::{self, KeptText};
use crate::twilio::AccountSid;
use crate::twilio::client::MessageFilter;
use crate::twilio::form::{InboundSms, Media};
use crate::twilio::message::Message;

/// A text that cannot be marked is met by every look at the log.
static NOT_MARKED: LogLimit = LogLimit::per_minute();

/// Takes in every text to the line that Twilio has and we do not; how many there were.
pub(super) async fn catch_up(app: &App, clients: &Clients, line: &Line) -> anyhow::Result<usize> {
    let watermark = facts::texts_watermark(line.number.as_str());
    let since = begin(app, clients, &watermark).await?;
    let (begun, by_our_clock) = (BootInstant::now(), app.clock.now());
    let filter = MessageFilter {
        to: Some(Address::from(&line.number)),
        from: None,
        date_sent_after: Some(since),
    };
    let mut listed = read(clients.twilio.list_messages(&filter, Some(since)).await)?;
    crate::faultpoints::point("backfill.read");
    listed.retain(|message| message.direction.is_inbound());
    // Twilio lists the newest first and dates them by the second: of one second, the last listed came first.
    listed.reverse();
    listed.sort_by_key(dated);
    let listed = with_what_is_kept(app, listed).await?;
    let mut found = 0;
    // A text that cannot be taken in holds back its sender's later ones, nobody else's, and the watermark.
    let mut stuck: HashSet<Address> = HashSet::new();
    for (index, (message, kept)) in listed.iter().enumerate() {
        let later = &listed[index + 1..];
        if stuck.contains(&message.from) {
            continue;
        }
        if let Some(kept) = kept {
            if let Some(came_at) = overtaken(message, *kept, later)
                && let Err(error) = late::mark(app, &message.sid, came_at).await
                && let Some(times) = NOT_MARKED.record()
            {
                tracing::warn!(
                    sid = message.sid.as_str(),
                    times,
                    error = format!("{error:#}"),
                    "a text cannot be marked as late"
                );
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
                    "a text that had not reached us cannot be taken in yet"
                );
                stuck.insert(message.from.clone());
            }
        }
    }
    if stuck.is_empty() {
        // Twilio dates its log, so the watermark is by its clock.
        let took = SignedDuration::try_from(begun.elapsed())?;
        let by_twilios = clients
            .twilio
            .now()
            .and_then(|now| now.checked_sub(took).ok());
        move_watermark(app, &watermark, by_twilios.unwrap_or(by_our_clock)).await?;
    }
    Ok(found)
}

/// A text as Twilio's log has it, and what we have kept of it.
type Listed = (Message, Option<KeptText>);

async fn with_what_is_kept(app: &App, listed: Vec<Message>) -> anyhow::Result<Vec<Listed>> {
    let mut known = Vec::with_capacity(listed.len());
    for message in listed {
        let kept = messages::kept_text(&app.store, message.sid.as_str()).await?;
        known.push((message, kept));
    }
    Ok(known)
}

/// When a text came whose webhook was overtaken by that of a later one, if that has yet to be shown. Of one second the log
/// does not say which text came first.
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

/// Whether the text's webhook may still be on its way. The margin before the watermark brings it back next time.
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

/// The text as its webhook would have told it.
async fn as_received(
    app: &App,
    clients: &Clients,
    message: &Message,
) -> anyhow::Result<InboundSms> {
    let media = match message.num_media {
        0 => Vec::new(),
        _ => match clients.twilio.media(&message.sid).await {
            // Somebody deleted them: the words are still worth having.
            Err(Failure::Refused { .. }) => Vec::new(),
            listed => read(listed)?,
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
