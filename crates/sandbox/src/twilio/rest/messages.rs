//! The Messages resource. <https://www.twilio.com/docs/messaging/api/message-resource>

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse;

use super::pages::{self, DateFilter};
use super::{Answer, Asked, Refusal, parameter};
use crate::twilio::core::Core;
use crate::twilio::messages::{Created, MessageRecord};
use crate::twilio::schema::is_absolute_url;
use crate::twilio::state::MediaRecord;
use crate::twilio::webhook::{HTTP_RETRIEVAL_FAILURE, INVALID_CONTENT_TYPE, NO_CONNECTION};

/// Parameters of a create that this stand-in acts upon or may ignore without harm.
const CREATE: [&str; 10] = [
    "To",
    "From",
    "Body",
    "StatusCallback",
    "ValidityPeriod",
    "SmartEncoded",
    "ProvideFeedback",
    "ContentRetention",
    "AddressRetention",
    "RiskCheck",
];
const MAX_BODY: usize = 1600;
const MAX_MEDIA: usize = 10;
/// The most bytes that all files of a text have together.
const MAX_MEDIA_BYTES: usize = 5_000_000;
/// The most bytes of a file that Twilio does not convert for the phone. Carriers accept little more.
const MAX_OTHER_BYTES: usize = 500_000;
/// <https://www.twilio.com/docs/api/errors/11751>
const MEDIA_TOO_LARGE: u32 = 11751;
/// What Twilio sends, as far as anybody here does. <https://www.twilio.com/docs/messaging/guides/accepted-mime-types>
const SENDABLE: [&str; 12] = [
    "image/jpeg",
    "image/png",
    "image/gif",
    "audio/mpeg",
    "audio/mp4",
    "audio/amr",
    "video/mp4",
    "video/3gpp",
    "video/quicktime",
    "text/vcard",
    "text/calendar",
    "application/pdf",
];
/// The longest `ValidityPeriod`, in seconds.
const MAX_VALIDITY: u32 = 36_000;

impl Core {
    pub(super) async fn create_message(self: &Arc<Self>, asked: &Asked) -> Answer {
        let form = &asked.form;
        self.check_parameters("Messages.create", form, &CREATE, &["MediaUrl"]);
        let created = self.check_create(form).inspect_err(|refusal| {
            // A refusal that a test scripted, or that depends on the other end, is nobody's mistake.
            let message = &refusal.message;
            self.violation(format!("Messages.create: {} {message}", refusal.code));
        })?;
        self.check_recipient(&created)?;
        let now = self.now();
        let record = MessageRecord {
            sid: created.sid.clone(),
            from: created.from.clone(),
            to: created.to.clone(),
            body: created.body.clone(),
            inbound: false,
            status: "queued".to_owned(),
            error_code: None,
            media_urls: created.media_urls.clone(),
            status_callback: created.status_callback.clone(),
            created: now,
            updated: now,
            sent: None,
        };
        let json = record.json(&self.settings.account_sid);
        let before_answer = {
            let mut state = self.lock();
            state.messages.push(record);
            state.created.push(created.clone());
            state.callbacks.automatic.is_some() && state.callbacks.before_answer
        };
        self.touch();
        let validity = created.validity_period.map(u64::from);
        let validity = validity.map(Duration::from_secs);
        if created.media_urls.is_empty() {
            self.set_going(&created.sid, validity);
        } else {
            let (core, created) = (self.clone(), created.clone());
            tokio::spawn(async move {
                match core.fetch_outgoing_media(&created).await {
                    Ok(()) => core.set_going(&created.sid, validity),
                    Err(code) => core.fail(&created.sid, code).await,
                }
            });
        }
        if before_answer && created.media_urls.is_empty() {
            self.send(&created.sid).await;
        }
        Ok((StatusCode::CREATED, Json(json)).into_response())
    }

    /// Checks everything that depends on the client's request alone.
    fn check_create(&self, form: &[(String, String)]) -> Result<Created, Refusal> {
        let no = Refusal::bad_request;
        let to = parameter(form, "To").ok_or_else(|| no(21604, "A 'To' number is required"))?;
        let from = parameter(form, "From").ok_or_else(|| no(21603, "A 'From' is required"))?;
        let body = parameter(form, "Body").unwrap_or_default();
        let media_urls: Vec<String> = form
            .iter()
            .filter(|(name, _)| name == "MediaUrl")
            .map(|(_, url)| url.clone())
            .collect();
        if body.is_empty() && media_urls.is_empty() {
            return Err(no(21602, "Message body is required"));
        }
        if body.chars().count() > MAX_BODY {
            return Err(no(21617, "The body exceeds the 1600 character limit"));
        }
        if media_urls.len() > MAX_MEDIA {
            return Err(no(21623, "Number of media files exceeds allowed limit"));
        }
        if media_urls.iter().any(|url| !is_absolute_url(url)) {
            return Err(no(21620, "Invalid media URL(s)"));
        }
        if !is_dialable(to) && !is_short_code(to) {
            return Err(no(21211, "Invalid 'To' Phone Number"));
        }
        if !self.lock().owns(from) {
            return Err(no(21606, "The 'From' phone number is not yours"));
        }
        if to == from {
            return Err(no(21266, "'To' and 'From' number cannot be the same"));
        }
        let status_callback = parameter(form, "StatusCallback").map(str::to_owned);
        if let Some(url) = &status_callback
            && !is_absolute_url(url)
        {
            return Err(no(21609, "Invalid 'StatusCallback'"));
        }
        let validity_period = match parameter(form, "ValidityPeriod") {
            None => None,
            Some(value) => Some(
                value
                    .parse()
                    .ok()
                    .filter(|seconds| (1..=MAX_VALIDITY).contains(seconds))
                    .ok_or_else(|| no(21624, "Invalid validity period value"))?,
            ),
        };
        let prefix = if media_urls.is_empty() { "SM" } else { "MM" };
        Ok(Created {
            sid: self.sid(prefix),
            from: from.to_owned(),
            to: to.to_owned(),
            body: body.to_owned(),
            media_urls,
            status_callback,
            validity_period,
            at: self.now(),
        })
    }

    fn check_recipient(&self, created: &Created) -> Result<(), Refusal> {
        let state = self.lock();
        if let Some(code) = state.refused.get(&created.to) {
            return Err(Refusal::bad_request(*code, "scripted by the test"));
        }
        let pair = (created.from.clone(), created.to.clone());
        if state.opted_out.contains(&pair) {
            let message = "Attempt to send to unsubscribed recipient";
            return Err(Refusal::bad_request(21610, message));
        }
        Ok(())
    }

    /// Fetches the files before the message is sent. An error is the code that the message fails with.
    async fn fetch_outgoing_media(&self, created: &Created) -> Result<(), u32> {
        let mut together = 0;
        for url in &created.media_urls {
            let fetched = match self.look_at_file(url).await {
                Ok(()) => self.fetch_file(url).await,
                Err(why) => Err(why),
            };
            let (content_type, bytes) = fetched.map_err(|why| {
                // A relay that is down has nothing to answer for.
                if why != NO_CONNECTION {
                    self.violation(format!("a MediaUrl cannot be fetched: {why}"));
                }
                HTTP_RETRIEVAL_FAILURE
            })?;
            let essence = content_type.split(';').next().unwrap_or_default().trim();
            if !SENDABLE.contains(&essence) {
                self.violation(format!("a MediaUrl is of type {content_type:?}"));
                return Err(INVALID_CONTENT_TYPE);
            }
            together += bytes.len();
            let most = match essence {
                "image/jpeg" | "image/png" | "image/gif" => MAX_MEDIA_BYTES,
                _ => MAX_OTHER_BYTES,
            };
            if bytes.len() > most || together > MAX_MEDIA_BYTES {
                self.violation(format!("a MediaUrl has {} bytes", bytes.len()));
                return Err(MEDIA_TOO_LARGE);
            }
            let media = MediaRecord {
                sid: self.sid("ME"),
                message_sid: created.sid.clone(),
                content_type,
                bytes,
            };
            self.lock().media.push(media);
        }
        self.touch();
        Ok(())
    }

    pub(super) fn list_messages(&self, asked: &Asked) -> Answer {
        let query = &asked.query;
        let mut known = vec!["To", "From"];
        known.extend(DateFilter::parameters("DateSent"));
        known.extend(pages::PARAMETERS);
        self.check_parameters("Messages.list", query, &known, &[]);
        let dates = DateFilter::new("DateSent", query)?;
        let now = self.now();
        let state = self.lock();
        let mut found: Vec<&MessageRecord> = state
            .messages
            .iter()
            .filter(|m| parameter(query, "To").is_none_or(|to| m.to == to))
            .filter(|m| parameter(query, "From").is_none_or(|from| m.from == from))
            .filter(|m| dates.allows(m.sent))
            .filter(|m| now.duration_since(m.created).unsigned_abs() >= state.list_lag)
            .collect();
        // Most recent first; what has no date yet is the most recent of all, and among equals the later create.
        found.reverse();
        found.sort_by_key(|m| std::cmp::Reverse(m.sent.map_or(i64::MAX, |at| at.as_second())));
        let account_sid = &self.settings.account_sid;
        let entries = found.iter().map(|m| (m.sid.clone(), m.json(account_sid)));
        pages::answer("messages", entries.collect(), asked, state.page_size_limit)
    }

    pub(super) fn fetch_message(&self, sid: &str, asked: &Asked) -> Answer {
        let state = self.lock();
        let message = state
            .message(sid)
            .ok_or_else(|| Refusal::not_found(&asked.path))?;
        Ok(Json(message.json(&self.settings.account_sid)).into_response())
    }

    /// Empties the body. Twilio has no other change, except that a scheduled message can be canceled.
    pub(super) fn update_message(&self, sid: &str, asked: &Asked) -> Answer {
        self.check_parameters("Messages.update", &asked.form, &["Body"], &[]);
        if asked.form.iter().any(|(_, value)| !value.is_empty()) {
            self.violation("Messages.update can only empty the body");
            return Err(Refusal::bad_request(20001, "Body can only be emptied"));
        }
        let mut state = self.lock();
        let message = state.message_mut(sid);
        let message = message.ok_or_else(|| Refusal::not_found(&asked.path))?;
        message.body.clear();
        let json = message.json(&self.settings.account_sid);
        drop(state);
        self.touch();
        Ok(Json(json).into_response())
    }

    pub(super) fn delete_message(&self, sid: &str, asked: &Asked) -> Answer {
        let mut state = self.lock();
        let message = state
            .message(sid)
            .ok_or_else(|| Refusal::not_found(&asked.path))?;
        if !message.is_final() {
            let message = "Resource not complete";
            return Err(Refusal::bad_request(20009, message));
        }
        state.messages.retain(|message| message.sid != sid);
        state.media.retain(|media| media.message_sid != sid);
        drop(state);
        self.touch();
        Ok(StatusCode::NO_CONTENT.into_response())
    }
}

/// E.164: a plus and seven to fifteen digits.
pub(in crate::twilio) fn is_dialable(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

fn is_short_code(number: &str) -> bool {
    (5..=6).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
}
