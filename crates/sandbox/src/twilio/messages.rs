//! The account's message log, and the views of it that tests read.

use std::time::Duration;

use anyhow::bail;
use axum::body::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::TwilioStandIn;
use super::rest::date;

/// An accepted create, with the parameters of its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    pub sid: String,
    pub from: String,
    pub to: String,
    pub body: String,
    pub media_urls: Vec<String>,
    pub status_callback: Option<String>,
    /// In seconds.
    pub validity_period: Option<u32>,
    pub at: Timestamp,
}

/// A text in the log, in either direction, as a phone would show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageView {
    pub sid: String,
    pub from: String,
    pub to: String,
    pub body: String,
    /// Whether it came to one of the account's numbers.
    pub inbound: bool,
    /// Twilio's word: `queued`, `sent`, `delivered`, `received`, ….
    pub status: String,
    pub error_code: Option<u32>,
    /// The URLs of its media.
    pub media_urls: Vec<String>,
    pub at: Timestamp,
}

#[derive(Debug, Clone)]
pub(super) struct MessageRecord {
    pub(super) sid: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) body: String,
    pub(super) inbound: bool,
    pub(super) status: String,
    pub(super) error_code: Option<u32>,
    pub(super) media_urls: Vec<String>,
    pub(super) status_callback: Option<String>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) sent: Option<Timestamp>,
}

impl MessageRecord {
    /// Whether its status can no longer change.
    pub(super) fn is_final(&self) -> bool {
        matches!(
            self.status.as_str(),
            "delivered" | "undelivered" | "failed" | "canceled" | "read" | "received"
        )
    }

    pub(super) fn json(&self, account_sid: &str) -> Value {
        let uri = format!(
            "/2010-04-01/Accounts/{account_sid}/Messages/{sid}",
            sid = self.sid
        );
        json!({
            "account_sid": account_sid,
            "api_version": "2010-04-01",
            "body": self.body,
            "date_created": date(self.created),
            "date_sent": self.sent.map(date),
            "date_updated": date(self.updated),
            "direction": if self.inbound { "inbound" } else { "outbound-api" },
            "error_code": self.error_code,
            "error_message": self.error_code.map(|code| format!("Error {code}")),
            "from": self.from,
            "messaging_service_sid": null,
            "num_media": self.media_urls.len().to_string(),
            "num_segments": super::segments::count(&self.body).to_string(),
            "price": null,
            "price_unit": "USD",
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": {
                "media": format!("{uri}/Media.json"),
                "feedback": format!("{uri}/Feedback.json"),
            },
            "to": self.to,
            "uri": format!("{uri}.json"),
        })
    }

    fn view(&self) -> MessageView {
        MessageView {
            sid: self.sid.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            body: self.body.clone(),
            inbound: self.inbound,
            status: self.status.clone(),
            error_code: self.error_code,
            media_urls: self.media_urls.clone(),
            at: self.created,
        }
    }
}

impl TwilioStandIn {
    /// Every accepted create, oldest first. Nothing is removed from this log.
    pub fn created(&self) -> Vec<Created> {
        self.core.lock().created.clone()
    }

    /// Waits until at least `n` creates are accepted, and returns all of them.
    pub async fn wait_for_created(
        &self,
        n: usize,
        timeout: Duration,
    ) -> anyhow::Result<Vec<Created>> {
        self.wait_until_created(timeout, |created| created.len() >= n)
            .await
    }

    /// Waits until `enough` holds for the accepted creates, and returns all of them.
    pub async fn wait_until_created(
        &self,
        timeout: Duration,
        enough: impl Fn(&[Created]) -> bool,
    ) -> anyhow::Result<Vec<Created>> {
        let reached = self
            .wait_until(timeout, |this| enough(&this.core.lock().created))
            .await;
        let created = self.created();
        if !reached {
            bail!("after {timeout:?} the accepted creates are {created:#?}");
        }
        Ok(created)
    }

    /// Waits until `reached` holds, and checks it after every change; `false` if `timeout` passes first.
    pub async fn wait_until(&self, timeout: Duration, reached: impl Fn(&Self) -> bool) -> bool {
        let mut changed = self.core.changed.subscribe();
        let waiting = async {
            while !reached(self) {
                // The sender lives in `self`.
                let _ = changed.changed().await;
            }
        };
        tokio::time::timeout(timeout, waiting).await.is_ok()
    }

    /// The whole message log, oldest first.
    pub fn messages(&self) -> Vec<MessageView> {
        let state = self.core.lock();
        state
            .messages
            .iter()
            .map(|message| message.view())
            .collect()
    }

    /// The message with this SID, in either direction.
    pub fn message(&self, sid: &str) -> Option<MessageView> {
        self.core.lock().message(sid).map(|message| message.view())
    }

    /// A message's media, as type and bytes: sent to us, or fetched by Twilio from the `MediaUrl`s of a create.
    pub fn media_of(&self, message_sid: &str) -> Vec<(String, Bytes)> {
        let state = self.core.lock();
        let media = state.media.iter();
        media
            .filter(|media| media.message_sid == message_sid)
            .map(|media| (media.content_type.clone(), media.bytes.clone()))
            .collect()
    }

    /// Refuses creates to `number` with this error code from now on; `None` accepts them again.
    pub fn refuse_number(&self, number: &str, code: Option<u32>) {
        let refused = &mut self.core.lock().refused;
        match code {
            Some(code) => refused.insert(number.to_owned(), code),
            None => refused.remove(number),
        };
    }

    /// Accepts messages to `number` and ends them as `status` (`undelivered` or `failed`) with this error code.
    pub fn fail_number(&self, number: &str, status: &str, code: u32) {
        let mut state = self.core.lock();
        let failing = &mut state.failing;
        failing.insert(number.to_owned(), (status.to_owned(), code));
    }

    /// The number of recordings and the number of transcriptions.
    pub fn recordings_and_transcriptions(&self) -> (usize, usize) {
        let state = self.core.lock();
        (state.recordings.len(), state.transcriptions.len())
    }

    /// Whether `theirs` is on Twilio's list of those who said STOP to `ours`.
    pub fn is_opted_out(&self, ours: &str, theirs: &str) -> bool {
        let pair = (ours.to_owned(), theirs.to_owned());
        self.core.lock().opted_out.contains(&pair)
    }

    /// Adds a pair of numbers to Twilio's list of those who said STOP, or removes it, without a text.
    pub fn set_opted_out(&self, ours: &str, theirs: &str, opted_out: bool) {
        let pair = (ours.to_owned(), theirs.to_owned());
        let mut state = self.core.lock();
        if opted_out {
            state.opted_out.insert(pair);
        } else {
            state.opted_out.remove(&pair);
        }
    }

    /// Lists show a message only this long after it was created.
    pub fn set_list_lag(&self, lag: Duration) {
        self.core.lock().list_lag = lag;
    }

    /// Limits the entries of a page, whatever `PageSize` asks for.
    pub fn set_page_size_limit(&self, limit: usize) {
        self.core.lock().page_size_limit = limit.max(1);
    }

    /// Sets whether media need credentials (an account setting at Twilio).
    pub fn set_media_auth(&self, needed: bool) {
        self.core.lock().media_auth = needed;
    }

    /// Redirects every request for media or a recording to this address.
    pub fn set_files_elsewhere(&self, url: Option<&str>) {
        self.core.lock().files_elsewhere = url.map(str::to_owned);
    }
}
