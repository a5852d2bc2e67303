//! Requests of a call: TwiML and status callbacks.

use futures_util::future::join_all;
use std::time::Instant;

use super::{CALLER, Call, CallCallbacks, Exchange, LegId, Over};
use crate::twilio::schema;
use crate::twilio::webhook::{Answer, HTTP_RETRIEVAL_FAILURE, INVALID_CONTENT_TYPE, Webhook};
use crate::twilio::xml::Element;

/// Twilio's own page that forwards a call: `http://twimlets.com/forward?PhoneNumber=…`.
const FORWARD_TWIMLET: &str = "twimlets.com/forward?";

/// More documents than this in one call are a loop.
const MAX_DOCUMENTS: usize = 60;

/// A request for TwiML.
#[derive(Debug, Clone)]
pub(super) struct Fetch {
    pub(super) url: String,
    method: String,
    /// Parameters in addition to those of every request.
    params: Vec<(String, String)>,
}

impl Fetch {
    pub(super) fn new(url: &str, method: &str) -> Self {
        Fetch {
            url: url.to_owned(),
            method: method.to_owned(),
            params: Vec::new(),
        }
    }

    pub(super) fn param(mut self, name: &str, value: impl ToString) -> Self {
        self.params.push((name.to_owned(), value.to_string()));
        self
    }
}

impl Call {
    /// Requests a document for the person of `leg`. For the caller, the number's fallback URL is tried after a failure.
    pub(super) async fn fetch(&mut self, leg: LegId, fetch: &Fetch) -> Result<Element, Over> {
        let code = match self.fetch_once(leg, fetch).await {
            Ok(document) => return Ok(document),
            Err(code) => code,
        };
        let number = self
            .core
            .lock()
            .number(&self.to)
            .map(|own| own.settings.clone());
        let fallback = number.filter(|number| !number.voice_fallback_url.is_empty());
        match fallback {
            Some(number) if leg == CALLER && number.voice_fallback_url != fetch.url => {
                let fallback =
                    Fetch::new(&number.voice_fallback_url, &number.voice_fallback_method)
                        .param("ErrorCode", code)
                        .param("ErrorUrl", &fetch.url);
                self.fetch_once(leg, &fallback).await.map_err(Over::Failed)
            }
            _ => Err(Over::Failed(code)),
        }
    }

    async fn fetch_once(&mut self, leg: LegId, fetch: &Fetch) -> Result<Element, u32> {
        if self.exchanges.len() == MAX_DOCUMENTS {
            self.core.violation("the TwiML of a call loops");
            return Err(HTTP_RETRIEVAL_FAILURE);
        }
        let mut params = match leg {
            CALLER => self.caller_params(),
            _ => self.leg_params(leg, "in-progress"),
        };
        params.extend(fetch.params.iter().cloned());
        let started = Instant::now();
        let answer = match forwarding(&fetch.url) {
            Some(answer) => Ok(answer),
            None => self.ask(&fetch.url, &fetch.method, &params).await,
        };
        let (status, body) = match &answer {
            Ok(answer) => (answer.status, answer.body.clone()),
            Err(_) => (0, String::new()),
        };
        self.exchanges.push(Exchange {
            url: fetch.url.clone(),
            params,
            status,
            body,
            took: started.elapsed(),
        });
        self.read(&answer?)
    }

    /// Makes the request as often as the test wants. Answers that differ are a violation.
    async fn ask(
        &self,
        url: &str,
        method: &str,
        params: &[(String, String)],
    ) -> Result<Answer, u32> {
        let webhook = Webhook::post(url, params.to_vec()).by(method);
        let answers = join_all((0..self.copies).map(|_| self.core.deliver(&webhook))).await;
        let mut answers = answers.into_iter();
        let first = answers.next().unwrap_or(Err(HTTP_RETRIEVAL_FAILURE));
        for other in answers {
            if let (Ok(first), Ok(other)) = (&first, &other)
                && (first.status, &first.body) != (other.status, &other.body)
            {
                let violation = "the same request of a call got different answers";
                self.core.violation(violation);
            }
        }
        first
    }

    fn read(&self, answer: &Answer) -> Result<Element, u32> {
        if !answer.is_success() {
            if answer.status < 500 {
                let violation = format!("a request of a call was answered {}", answer.status);
                self.core.violation(violation);
            }
            return Err(HTTP_RETRIEVAL_FAILURE);
        }
        if !answer.is_xml() {
            let content_type = &answer.content_type;
            let violation = format!("a request of a call was answered with {content_type:?}");
            self.core.violation(violation);
            return Err(INVALID_CONTENT_TYPE);
        }
        match schema::voice(&answer.body) {
            Ok(document) => {
                for warning in document.warnings {
                    self.core.violation(format!("12200 in TwiML: {warning}"));
                }
                Ok(document.root)
            }
            Err(error) => {
                self.core.violation(format!("12100 in TwiML: {error}"));
                Err(12100)
            }
        }
    }

    /// Delivers a callback as the test wants callbacks to arrive.
    pub(super) async fn tell(&mut self, url: &str, method: &str, params: Vec<(String, String)>) {
        let webhook = Webhook::post(url, params).by(method);
        match self.callbacks {
            CallCallbacks::InOrder => self.deliver_callback(&webhook).await,
            CallCallbacks::Doubled => {
                let both = [
                    self.deliver_callback(&webhook),
                    self.deliver_callback(&webhook),
                ];
                join_all(both).await;
            }
            CallCallbacks::Dropped => {}
            CallCallbacks::Late | CallCallbacks::Reversed => self.later.push(webhook),
        }
    }

    async fn deliver_callback(&self, webhook: &Webhook) {
        if let Ok(answer) = self.core.deliver(webhook).await
            && (400..500).contains(&answer.status)
        {
            let status = answer.status;
            self.core
                .violation(format!("a callback of a call was answered {status}"));
        }
    }

    /// Makes recordings available after the call, and delivers the late callbacks and the number's own.
    pub(super) async fn make_late_callbacks(&mut self) {
        self.publish_recordings().await;
        let number = self
            .core
            .lock()
            .number(&self.to)
            .map(|own| own.settings.clone());
        if let Some(number) = number.filter(|number| !number.status_callback.is_empty()) {
            let mut params = self.caller_params();
            let duration = self.legs[CALLER].talk_time().as_secs();
            params.push(("CallDuration".to_owned(), duration.to_string()));
            self.tell(
                &number.status_callback,
                &number.status_callback_method,
                params,
            )
            .await;
        }
        let mut later = std::mem::take(&mut self.later);
        if self.callbacks == CallCallbacks::Reversed {
            later.reverse();
        }
        for webhook in later {
            self.deliver_callback(&webhook).await;
        }
    }
}

/// The answer of Twilio's own forwarding page.
fn forwarding(url: &str) -> Option<Answer> {
    let (_, query) = url.split_once("://")?.1.split_once(FORWARD_TWIMLET)?;
    let query: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
    let (_, number) = query.into_iter().find(|(name, _)| name == "PhoneNumber")?;
    let number = quick_xml::escape::escape(&number).into_owned();
    Some(Answer {
        status: 200,
        content_type: "text/xml".to_owned(),
        body: format!("<Response><Dial>{number}</Dial></Response>"),
    })
}
