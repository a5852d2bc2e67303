//! A text from a caller: it enters the message log and goes to the number's webhook.
//!
//! <https://www.twilio.com/docs/messaging/guides/webhook-request>

use std::time::Duration;

use axum::body::Bytes;
use futures_util::future::join_all;
use jiff::SignedDuration;

use super::TwilioStandIn;
use super::core::Core;
use super::messages::MessageRecord;
use super::schema;
use super::state::MediaRecord;
use super::webhook::{Answer, Forgery, HTTP_RETRIEVAL_FAILURE, INVALID_CONTENT_TYPE, Webhook};

/// The relay's answer to a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SmsReceipt {
    pub sid: String,
    /// 0 when the webhook was withheld or could not be delivered.
    pub status: u16,
    pub content_type: String,
    pub body: String,
}

/// A text to be sent to us; [`send`](InboundText::send) sends it.
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before `send`"]
pub struct InboundText {
    stand_in: TwilioStandIn,
    from: String,
    to: String,
    body: String,
    raw_body: Option<Vec<u8>>,
    media: Vec<(String, Bytes)>,
    extra: Vec<(String, String)>,
    missing: Vec<String>,
    forgery: Forgery,
    withheld: bool,
    copies: usize,
    age: Duration,
}

/// Twilio's opt-out keywords. Each has to be the whole text, in any case.
const STOP_WORDS: [&str; 8] = [
    "STOP",
    "STOPALL",
    "UNSUBSCRIBE",
    "CANCEL",
    "END",
    "QUIT",
    "REVOKE",
    "OPTOUT",
];
const START_WORDS: [&str; 3] = ["START", "YES", "UNSTOP"];

impl TwilioStandIn {
    /// Sends a text from `from` to one of the account's numbers, as Twilio does.
    pub async fn text(&self, from: &str, to: &str, body: &str) -> SmsReceipt {
        self.inbound(from, to, body).send().await
    }

    /// Prepares a text; the methods of [`InboundText`] make it special.
    pub fn inbound(&self, from: &str, to: &str, body: &str) -> InboundText {
        InboundText {
            stand_in: self.clone(),
            from: from.to_owned(),
            to: to.to_owned(),
            body: body.to_owned(),
            raw_body: None,
            media: Vec::new(),
            extra: Vec::new(),
            missing: Vec::new(),
            forgery: Forgery::None,
            withheld: false,
            copies: 1,
            age: Duration::ZERO,
        }
    }

    /// Delivers the webhook of a text that is already in the log.
    pub async fn deliver_webhook(&self, sid: &str) -> SmsReceipt {
        let text = {
            let state = self.core.lock();
            let message = state.message(sid).filter(|message| message.inbound);
            message.map(|m| self.inbound(&m.from, &m.to, &m.body))
        };
        match text {
            Some(text) => text.deliver(sid).await,
            None => {
                let violation = format!("a test delivered the unknown text {sid}");
                self.core.violation(violation);
                SmsReceipt::default()
            }
        }
    }
}

impl InboundText {
    /// Adds a picture or another file, hosted by the stand-in.
    pub fn media(mut self, content_type: &str, bytes: impl Into<Bytes>) -> Self {
        self.media.push((content_type.to_owned(), bytes.into()));
        self
    }

    /// Sets the place where the sender's number is registered.
    pub fn place(self, city: &str, state: &str, country: &str) -> Self {
        self.param("FromCity", city)
            .param("FromState", state)
            .param("FromCountry", country)
    }

    /// Sets `OptOutType`, as a messaging service with Advanced Opt-Out does: `STOP`, `START` or `HELP`.
    pub fn opt_out_type(self, opt_out_type: &str) -> Self {
        self.param("OptOutType", opt_out_type)
    }

    /// Sets a parameter of the webhook, in place of the usual value.
    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.extra.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Removes a parameter of the webhook.
    pub fn without(mut self, name: &str) -> Self {
        self.missing.push(name.to_owned());
        self
    }

    /// Sends these bytes as `Body`; they may be invalid UTF-8.
    pub fn raw_body(mut self, bytes: &[u8]) -> Self {
        self.body = String::from_utf8_lossy(bytes).into_owned();
        self.raw_body = Some(bytes.to_vec());
        self
    }

    /// Does not deliver the webhook: the text is only in Twilio's log.
    pub fn withhold_webhook(mut self) -> Self {
        self.withheld = true;
        self
    }

    /// Dates the text back by this time, as if it were found late.
    pub fn aged(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// Delivers the webhook `copies` times at once.
    pub fn repeat(mut self, copies: usize) -> Self {
        self.copies = copies;
        self
    }

    /// Forges the request. Twilio's log does not have the text then.
    pub fn forged(mut self, forgery: Forgery) -> Self {
        self.forgery = forgery;
        self
    }

    /// Sends the text and waits for the relay's answer (the first, if it is sent several times).
    pub async fn send(self) -> SmsReceipt {
        let receipts = self.send_all().await;
        receipts.into_iter().next().unwrap_or_default()
    }

    /// Sends the text and waits for all of the relay's answers.
    pub async fn send_all(self) -> Vec<SmsReceipt> {
        let core = &self.stand_in.core;
        let prefix = if self.media.is_empty() { "SM" } else { "MM" };
        let sid = core.sid(prefix);
        if self.forgery == Forgery::None {
            self.register(&sid);
        }
        if self.withheld {
            let receipt = SmsReceipt {
                sid,
                ..SmsReceipt::default()
            };
            return vec![receipt];
        }
        join_all((0..self.copies).map(|_| self.deliver(&sid))).await
    }

    fn register(&self, sid: &str) {
        let core = &self.stand_in.core;
        let age = SignedDuration::try_from(self.age).unwrap_or_default();
        let now = core.now() - age;
        let media: Vec<_> = self
            .media
            .iter()
            .map(|(content_type, bytes)| MediaRecord {
                sid: core.sid("ME"),
                message_sid: sid.to_owned(),
                content_type: content_type.clone(),
                bytes: bytes.clone(),
            })
            .collect();
        let mut state = core.lock();
        if !state.owns(&self.to) {
            drop(state);
            core.violation("a test texts a number that is not the account's");
            return;
        }
        let message = MessageRecord {
            sid: sid.to_owned(),
            from: self.from.clone(),
            to: self.to.clone(),
            body: self.body.clone(),
            inbound: true,
            status: "received".to_owned(),
            error_code: None,
            media_urls: media
                .iter()
                .map(|media| core.media_item_url(media))
                .collect(),
            status_callback: None,
            created: now,
            updated: now,
            sent: Some(now),
        };
        state.messages.push(message);
        state.media.extend(media);
        let keyword = self.body.trim().to_ascii_uppercase();
        let pair = (self.to.clone(), self.from.clone());
        if STOP_WORDS.contains(&keyword.as_str()) {
            state.opted_out.insert(pair);
        } else if START_WORDS.contains(&keyword.as_str()) {
            state.opted_out.remove(&pair);
        }
        drop(state);
        core.touch();
    }

    async fn deliver(&self, sid: &str) -> SmsReceipt {
        let core = &self.stand_in.core;
        let number = self.stand_in.number_settings(&self.to);
        let number = number.unwrap_or_default();
        let params = self.params(sid);
        let mut webhook = Webhook::post(&number.sms_url, params.clone())
            .by(&number.sms_method)
            .forged(self.forgery.clone());
        webhook.raw_body = self.encoded(&params);
        let answer = core.deliver(&webhook).await;
        let mut failed = core.check_sms_answer(&answer, &self.forgery);
        if let Some(code) = failed.take()
            && !number.sms_fallback_url.is_empty()
        {
            let mut params = params;
            params.push(("ErrorCode".to_owned(), code.to_string()));
            params.push(("ErrorUrl".to_owned(), number.sms_url.clone()));
            let webhook =
                Webhook::post(&number.sms_fallback_url, params).by(&number.sms_fallback_method);
            let answer = core.deliver(&webhook).await;
            core.check_sms_answer(&answer, &Forgery::None);
        }
        match answer {
            Ok(answer) => SmsReceipt {
                sid: sid.to_owned(),
                status: answer.status,
                content_type: answer.content_type,
                body: answer.body,
            },
            Err(_) => SmsReceipt {
                sid: sid.to_owned(),
                ..SmsReceipt::default()
            },
        }
    }

    fn params(&self, sid: &str) -> Vec<(String, String)> {
        let core = &self.stand_in.core;
        let media: Vec<MediaRecord> = {
            let state = core.lock();
            let media = state.media.iter().filter(|media| media.message_sid == sid);
            media.cloned().collect()
        };
        let country = |number: &str| {
            if number.starts_with("+1") { "US" } else { "" }
        };
        let mut params: Vec<(String, String)> = [
            ("ToCountry", country(&self.to)),
            ("ToState", ""),
            ("SmsMessageSid", sid),
            ("NumMedia", &media.len().to_string()),
            ("ToCity", ""),
            ("FromZip", ""),
            ("SmsSid", sid),
            ("FromState", ""),
            ("SmsStatus", "received"),
            ("FromCity", ""),
            ("Body", &self.body),
            ("FromCountry", country(&self.from)),
            ("To", &self.to),
            ("ToZip", ""),
            (
                "NumSegments",
                &super::segments::count(&self.body).to_string(),
            ),
            ("MessageSid", sid),
            ("AccountSid", &core.settings.account_sid),
            ("From", &self.from),
            ("ApiVersion", "2010-04-01"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        for (n, media) in media.iter().enumerate() {
            let url = core.media_item_url(media);
            params.push((format!("MediaContentType{n}"), media.content_type.clone()));
            params.push((format!("MediaUrl{n}"), url));
        }
        for (name, value) in &self.extra {
            params.retain(|(known, _)| known != name);
            params.push((name.clone(), value.clone()));
        }
        params.retain(|(name, _)| !self.missing.contains(name));
        params
    }

    /// The form with the raw bytes as `Body`, if there are any.
    fn encoded(&self, params: &[(String, String)]) -> Option<Bytes> {
        let raw = self.raw_body.as_ref()?;
        let others: Vec<_> = params.iter().filter(|(name, _)| name != "Body").collect();
        let escaped: String = raw.iter().map(|byte| format!("%{byte:02X}")).collect();
        let others = serde_urlencoded::to_string(others).unwrap_or_default();
        Some(format!("Body={escaped}&{others}").into())
    }
}

impl Core {
    pub(super) fn media_item_url(&self, media: &MediaRecord) -> String {
        let path = self.account_path(&format!(
            "/Messages/{}/Media/{}",
            media.message_sid, media.sid
        ));
        format!("{}{path}", self.url())
    }

    /// Twilio's error code, if it cannot use this answer to a text.
    fn check_sms_answer(&self, answer: &Result<Answer, u32>, forgery: &Forgery) -> Option<u32> {
        let answer = match answer {
            Err(code) => return Some(*code),
            Ok(answer) => answer,
        };
        if *forgery != Forgery::None {
            if answer.is_success() {
                let violation = format!("a forged text was answered {}", answer.status);
                self.violation(violation);
            }
            return None;
        }
        if !answer.is_success() {
            if answer.status < 500 {
                self.violation(format!("a text was answered {}", answer.status));
            }
            return Some(HTTP_RETRIEVAL_FAILURE);
        }
        if answer.status == 204 {
            return None;
        }
        if !answer.is_xml() {
            let violation = format!(
                "a text was answered with {:?}: plain text would be sent to the person",
                answer.content_type
            );
            self.violation(violation);
            return Some(INVALID_CONTENT_TYPE);
        }
        match schema::messaging(&answer.body) {
            Ok(document) => {
                for warning in &document.warnings {
                    self.violation(format!("12200 in the answer to a text: {warning}"));
                }
                if !document.root.children.is_empty() {
                    self.violation("the answer to a text would itself send something");
                }
                None
            }
            Err(error) => {
                self.violation(format!("12100 in the answer to a text: {error}"));
                Some(12100)
            }
        }
    }
}
