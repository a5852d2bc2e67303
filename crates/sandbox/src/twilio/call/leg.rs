//! One phone in a call, and the callbacks about it.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Call, LegId};
use crate::twilio::people::Phone;
use crate::twilio::rest::date;

pub(super) struct Leg {
    pub(super) sid: String,
    pub(super) number: String,
    pub(super) phone: Phone,
    /// The keys that will be pressed at each question, and how long after it begins.
    pub(super) presses: VecDeque<(Duration, String)>,
    pub(super) picked_up: Option<Duration>,
    /// When it was connected with the caller.
    pub(super) bridged: Option<Duration>,
    pub(super) ended: Option<Duration>,
    pub(super) callback: Option<LegCallback>,
}

/// `statusCallback` of a `<Number>`.
pub(super) struct LegCallback {
    pub(super) url: String,
    pub(super) method: String,
    /// `statusCallbackEvent`: which of `initiated ringing answered completed`.
    pub(super) events: Vec<String>,
    pub(super) sequence: u32,
}

impl Leg {
    pub(super) fn new(sid: String, number: String, phone: Phone) -> Self {
        Leg {
            sid,
            number,
            presses: phone.presses(),
            phone,
            picked_up: None,
            bridged: None,
            ended: None,
            callback: None,
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.ended.is_none()
    }

    /// The time from the pick-up to the end.
    pub(super) fn talk_time(&self) -> Duration {
        match (self.picked_up, self.ended) {
            (Some(picked_up), Some(ended)) => ended.saturating_sub(picked_up),
            _ => Duration::ZERO,
        }
    }
}

impl Call {
    /// Delivers the `statusCallback` of a leg, if it asks for `event`.
    pub(super) async fn call_back(&mut self, leg: LegId, event: &str, status: &str) {
        let duration = self.legs[leg].talk_time().as_secs();
        let mut params = self.leg_params(leg, status);
        let timestamp = self.core.now();
        let Some(callback) = &mut self.legs[leg].callback else {
            return;
        };
        if !callback.events.iter().any(|wanted| wanted == event) {
            return;
        }
        let mut add = |name: &str, value: String| params.push((name.to_owned(), value));
        add("Timestamp", date(timestamp));
        add("CallbackSource", "call-progress-events".to_owned());
        add("SequenceNumber", callback.sequence.to_string());
        if event == "completed" {
            add("CallDuration", duration.to_string());
            add("Duration", duration.div_ceil(60).to_string());
        }
        callback.sequence += 1;
        let (url, method) = (callback.url.clone(), callback.method.clone());
        self.tell(&url, &method, params).await;
    }

    /// The parameters of a request about the called person's side.
    pub(super) fn leg_params(&self, leg: LegId, status: &str) -> Vec<(String, String)> {
        let leg = &self.legs[leg];
        [
            ("AccountSid", self.core.settings.account_sid.as_str()),
            ("ApiVersion", "2010-04-01"),
            ("CallSid", &leg.sid),
            ("ParentCallSid", &self.sid),
            ("CallStatus", status),
            ("Direction", "outbound-dial"),
            ("From", &self.from),
            ("Caller", &self.from),
            ("To", &leg.number),
            ("Called", &leg.number),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// The parameters of a request about the caller's side.
    pub(super) fn caller_params(&self) -> Vec<(String, String)> {
        let over = !self.legs[super::CALLER].is_alive();
        let country = if self.from.starts_with("+1") {
            "US"
        } else {
            ""
        };
        let mut params: Vec<(String, String)> = [
            ("AccountSid", self.core.settings.account_sid.as_str()),
            ("ApiVersion", "2010-04-01"),
            ("CallSid", &self.sid),
            ("CallStatus", self.caller_status(over)),
            ("Direction", "inbound"),
            ("From", &self.from),
            ("Caller", &self.from),
            ("To", &self.to),
            ("Called", &self.to),
            ("FromCity", ""),
            ("FromState", ""),
            ("FromZip", ""),
            ("FromCountry", country),
            ("ToCity", ""),
            ("ToState", ""),
            ("ToZip", ""),
            ("ToCountry", "US"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        for (name, value) in &self.caller.params {
            params.retain(|(known, _)| known != name);
            params.push((name.clone(), value.clone()));
        }
        params
    }
}
