//! Sends a text, with or without files, to a caller's phone.

use std::time::Duration;

use anyhow::Context;
use jiff::SignedDuration;

use super::{Answer, Sending, done};
use crate::app::App;
use crate::bridge::deliveries::sms_status::Echo;
use crate::bridge::desk::opt_out;
use crate::bridge::wording::opt_outs::OPTED_OUT;
use crate::bridge::wording::pictures::MEDIA_GONE;
use crate::callback;
use crate::media;
use crate::phone::{Address, PhoneNumber};
use crate::remote::Failure;
use crate::store::{conversations, media as store_media};
use crate::twilio::client::NewMessage;

/// How long after its validity the media URLs of a text still work. Twilio fetches at once, and sometimes again.
const FETCHED_WITHIN: Duration = Duration::from_secs(3_600);

pub(super) async fn send(sending: Sending<'_>, body: String, media: &[String]) -> Answer {
    let Sending { app, row, .. } = sending;
    let conversation = conversations::by_id(&app.store, &row.conversation_id).await?;
    if opt_out::holds_back(&app.store, &conversation).await? {
        return Ok(Err(Failure::Refused {
            code: OPTED_OUT.into(),
            message: "the caller has opted out meanwhile".into(),
        }));
    }
    let Some(media_urls) = media_urls(app, media).await? else {
        return Ok(Err(Failure::Refused {
            code: MEDIA_GONE.into(),
            message: "its files are not kept any more".into(),
        }));
    };
    let echo = Echo {
        outbox_id: row.id.clone(),
        attempt: sending.attempt.n,
    };
    let new = NewMessage {
        from: PhoneNumber::parse(&conversation.line).context("the line's number")?,
        to: Address::new(&conversation.caller),
        body,
        media_urls,
        // The callback itself says which attempt it reports on, even if this request's answer is lost.
        status_callback: callback::address(&app.config.public_url, "status", &echo),
        validity_period: app.config.delivery.validity,
    };
    let created = sending.clients.twilio.create_message(&new).await;
    Ok(created.map(|message| done(message.sid.to_string(), None)))
}

/// The addresses at which Twilio fetches the files; `None` if one of them is not kept any more.
async fn media_urls(app: &App, media: &[String]) -> anyhow::Result<Option<Vec<String>>> {
    let folder = app.config.media_folder();
    let good_for = SignedDuration::try_from(app.config.delivery.validity + FETCHED_WITHIN)?;
    let expires = app.clock.now().checked_add(good_for)?;
    let mut urls = Vec::with_capacity(media.len());
    for id in media {
        let is_kept = media::exists(&folder, id).await;
        if !is_kept || store_media::content_type(&app.store, id).await?.is_none() {
            return Ok(None);
        }
        let (public_url, secret) = (&app.config.public_url, &app.secrets.auth_token);
        urls.push(media::address(public_url, secret, id, expires));
    }
    Ok(Some(urls))
}
