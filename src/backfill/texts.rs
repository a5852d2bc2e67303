//! Texts whose webhook never reached us.

use std::collections::HashSet;
use std::time::Instant;

use anyhow::Context;
use jiff::SignedDuration;

use super::{begin, clock, left_to_webhook, move_watermark, read};
use crate::app::App;
use crate::bridge::inbound_sms::{self, Received};
use crate::config::Line;
use crate::outbox::Outside;
use crate::phone::Address;
use crate::remote::Failure;
use crate::store::facts;
use crate::store::messages::{self, Origin};
use crate::twilio::AccountSid;
use crate::twilio::client::MessageFilter;
use crate::twilio::form::{InboundSms, Media};
use crate::twilio::message::Message;

/// Takes in every text to the line that Twilio has and we do not; how many there were.
pub(super) async fn catch_up(app: &App, outside: &Outside, line: &Line) -> anyhow::Result<usize> {
    let watermark = facts::texts_watermark(line.number.as_str());
    let since = begin(app, outside, &watermark).await?;
    let (begun, by_our_clock) = (Instant::now(), app.clock.now());
    let filter = MessageFilter {
        to: Some(Address::from(&line.number)),
        from: None,
        date_sent_after: Some(since),
    };
    let mut listed = read(outside.twilio.list_messages(&filter, Some(since)).await)?;
    crate::trial::point("backfill.read");
    listed.retain(|message| message.direction.is_inbound());
    // Twilio lists the newest first and dates them by the second: of one second, the last listed came first.
    listed.reverse();
    listed.sort_by_key(|message| message.date_sent.or(message.date_created));
    let mut found = 0;
    // A text that cannot be taken in holds back its sender's later ones, nobody else's, and the watermark.
    let mut stuck: HashSet<Address> = HashSet::new();
    for message in listed {
        if stuck.contains(&message.from) {
            continue;
        }
        if messages::known_edit(&app.store, Origin::Twilio, message.sid.as_str())
            .await?
            .is_some()
        {
            continue;
        }
        if is_young(app, outside, &message) {
            continue;
        }
        match take_in(app, outside, &message).await {
            Ok(Received::New) => found += 1,
            Ok(Received::Known | Received::NoSuchLine) => {}
            Err(error) => {
                tracing::warn!(
                    sid = message.sid.as_str(),
                    error = format!("{error:#}"),
                    "a text that had not reached us cannot be taken in yet"
                );
                stuck.insert(message.from);
            }
        }
    }
    if stuck.is_empty() {
        // Twilio dates its log, so the watermark is by its clock.
        let took = SignedDuration::try_from(begun.elapsed())?;
        let by_twilios = outside
            .twilio
            .now()
            .and_then(|now| now.checked_sub(took).ok());
        move_watermark(app, &watermark, by_twilios.unwrap_or(by_our_clock)).await?;
    }
    Ok(found)
}

/// Whether the text's webhook may still be on its way. The margin before the watermark brings it back next time.
fn is_young(app: &App, outside: &Outside, message: &Message) -> bool {
    let now = clock::now(app, outside);
    let age = message
        .date_sent
        .or(message.date_created)
        .map(|came_at| now.duration_since(came_at));
    age.is_some_and(|age| age < left_to_webhook(app))
}

async fn take_in(app: &App, outside: &Outside, message: &Message) -> anyhow::Result<Received> {
    let sms = as_received(app, outside, message).await?;
    let came_at = message.date_sent.or(message.date_created);
    inbound_sms::receive(app, &sms, came_at).await
}

/// The text as its webhook would have told it.
async fn as_received(
    app: &App,
    outside: &Outside,
    message: &Message,
) -> anyhow::Result<InboundSms> {
    let media = match message.num_media {
        0 => Vec::new(),
        _ => match outside.twilio.media(&message.sid).await {
            // Somebody deleted them: the words are still worth having.
            Err(Failure::Refused { .. }) => Vec::new(),
            listed => read(listed)?,
        },
    };
    let api = app.config.twilio_api_url.trim_end_matches('/');
    Ok(InboundSms {
        message_sid: message.sid.clone(),
        account_sid: AccountSid::parse(&app.secrets.account_sid).context("TWILIO_ACCOUNT_SID")?,
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
