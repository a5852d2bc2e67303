//! The statuses of a message, and the signed status callbacks.
//!
//! <https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks>

use std::sync::Arc;
use std::time::Duration;

use super::TwilioStandIn;
use super::core::Core;
use super::webhook::{Forgery, Webhook};

/// Who changes a message's status after its create, and how its callbacks arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callbacks {
    /// `None`: messages stay `queued` until the test moves them. Otherwise `sent` comes after this time and the final
    /// status after as much again.
    pub automatic: Option<Duration>,
    /// The callback for `sent` arrives before the answer to the create does (automatic only).
    pub before_answer: bool,
    /// How often each callback is delivered, at the same time; 0 for never.
    pub copies: usize,
}

impl Default for Callbacks {
    fn default() -> Self {
        Callbacks {
            automatic: None,
            before_answer: false,
            copies: 1,
        }
    }
}

impl Callbacks {
    /// Sends and delivers messages automatically, each step `after` the one before.
    pub fn automatic(after: Duration) -> Self {
        Callbacks {
            automatic: Some(after),
            ..Callbacks::default()
        }
    }
}

/// A status callback that was delivered, or tried to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    pub message_sid: String,
    pub status: String,
    pub error_code: Option<u32>,
    /// The HTTP status it was answered with; `None` when it could not be delivered.
    pub answered: Option<u16>,
}

/// The code of a message that stayed in Twilio's queue beyond its `ValidityPeriod`.
/// <https://www.twilio.com/docs/api/errors/30036>
const VALIDITY_PERIOD_EXPIRED: u32 = 30036;

impl TwilioStandIn {
    /// Sets how messages change their status from now on.
    pub fn set_callbacks(&self, callbacks: Callbacks) {
        self.core.lock().callbacks = callbacks;
    }

    /// Every status callback so far, in the order of the answers.
    pub fn callbacks(&self) -> Vec<Callback> {
        self.core.lock().callback_log.clone()
    }

    /// Moves a message to `status` and tells its `StatusCallback`. Returns the HTTP status of the (last) answer.
    ///
    /// A message with a final status does not change: no callback is delivered, and `None` is returned.
    pub async fn deliver_status(
        &self,
        sid: &str,
        status: &str,
        error_code: Option<u32>,
    ) -> Option<u16> {
        if !self.core.move_to(sid, status, error_code) {
            return None;
        }
        self.core.call_back(sid, status, error_code).await
    }

    /// Delivers a callback without touching the message itself: late, repeated, out of order.
    pub async fn deliver_callback(
        &self,
        sid: &str,
        status: &str,
        error_code: Option<u32>,
    ) -> Option<u16> {
        self.core.call_back(sid, status, error_code).await
    }

    /// Delivers a forged callback to `url`. Returns the HTTP status of the answer.
    pub async fn forge_callback(
        &self,
        url: &str,
        params: &[(String, String)],
        forgery: Forgery,
    ) -> Option<u16> {
        let webhook = Webhook::post(url, params.to_vec()).forged(forgery);
        let answer = self.core.deliver(&webhook).await;
        answer.ok().map(|answer| answer.status)
    }
}

impl Core {
    /// Starts the automatic status changes of a new message.
    pub(super) fn set_going(self: &Arc<Self>, sid: &str, validity: Option<Duration>) {
        let (automatic, to) = {
            let state = self.lock();
            let to = state.message(sid).map(|message| message.to.clone());
            (state.callbacks.automatic, to.unwrap_or_default())
        };
        if let Some(after) = automatic {
            let (core, sid, to) = (self.clone(), sid.to_owned(), to);
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                core.send(&sid).await;
                tokio::time::sleep(after).await;
                let fate = core.lock().failing.get(&to).cloned();
                let (status, code) = match fate {
                    Some((status, code)) => (status, Some(code)),
                    None => ("delivered".to_owned(), None),
                };
                if core.move_to(&sid, &status, code) {
                    core.call_back(&sid, &status, code).await;
                }
            });
        }
        if let Some(validity) = validity {
            let (core, sid) = (self.clone(), sid.to_owned());
            tokio::spawn(async move {
                tokio::time::sleep(validity).await;
                core.expire(&sid).await;
            });
        }
    }

    /// Sends the message, unless the test or its validity period was faster.
    pub(super) async fn send(&self, sid: &str) {
        let queued = self
            .lock()
            .message(sid)
            .is_some_and(|m| m.status == "queued");
        if queued && self.move_to(sid, "sent", None) {
            self.call_back(sid, "sent", None).await;
        }
    }

    /// Fails the message before it is sent.
    pub(super) async fn fail(&self, sid: &str, code: u32) {
        if self.move_to(sid, "failed", Some(code)) {
            self.call_back(sid, "failed", Some(code)).await;
        }
    }

    async fn expire(&self, sid: &str) {
        let queued = self
            .lock()
            .message(sid)
            .is_some_and(|m| m.status == "queued");
        let code = Some(VALIDITY_PERIOD_EXPIRED);
        if queued && self.move_to(sid, "failed", code) {
            self.call_back(sid, "failed", code).await;
        }
    }

    fn move_to(&self, sid: &str, status: &str, error_code: Option<u32>) -> bool {
        let now = self.now();
        let mut state = self.lock();
        let Some(message) = state.message_mut(sid) else {
            drop(state);
            self.violation(format!("a test moved the unknown message {sid}"));
            return false;
        };
        if message.is_final() {
            return false;
        }
        message.status = status.to_owned();
        message.error_code = error_code;
        message.updated = now;
        if status != "failed" && status != "canceled" {
            message.sent.get_or_insert(now);
        }
        drop(state);
        self.touch();
        true
    }

    async fn call_back(&self, sid: &str, status: &str, error_code: Option<u32>) -> Option<u16> {
        let (url, mut params, copies) = {
            let state = self.lock();
            let message = state.message(sid)?;
            let mut params = vec![
                ("SmsSid", message.sid.clone()),
                ("SmsStatus", status.to_owned()),
                ("MessageStatus", status.to_owned()),
                ("To", message.to.clone()),
                ("MessageSid", message.sid.clone()),
                ("AccountSid", self.settings.account_sid.clone()),
                ("From", message.from.clone()),
                ("ApiVersion", "2010-04-01".to_owned()),
            ];
            if matches!(status, "delivered" | "undelivered") {
                let done = self.now().strftime("%y%m%d%H%M").to_string();
                params.push(("RawDlrDoneDate", done));
            }
            let url = message.status_callback.clone()?;
            (url, params, state.callbacks.copies)
        };
        if let Some(code) = error_code {
            params.push(("ErrorCode", code.to_string()));
        }
        let params: Vec<_> = params.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
        let deliveries = (0..copies).map(|_| async {
            let webhook = Webhook::post(&url, params.clone());
            let answered = self
                .deliver(&webhook)
                .await
                .ok()
                .map(|answer| answer.status);
            if let Some(status @ 400..=499) = answered {
                self.violation(format!("a status callback was answered {status}"));
            }
            self.lock().callback_log.push(Callback {
                message_sid: sid.to_owned(),
                status: status.to_owned(),
                error_code,
                answered,
            });
            self.touch();
            answered
        });
        let answers = futures_util::future::join_all(deliveries).await;
        answers.last().copied().flatten()
    }
}
