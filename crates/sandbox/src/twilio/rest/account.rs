//! The account and its phone numbers.
//! <https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource>

use axum::Json;
use axum::response::IntoResponse;
use serde_json::json;

use super::{Answer, Asked, Refusal, pages, parameter};
use crate::twilio::core::Core;
use crate::twilio::schema::is_absolute_url;

const LIST_NUMBERS: [&str; 4] = ["PhoneNumber", "FriendlyName", "Beta", "Origin"];

impl Core {
    pub(super) fn account(&self, asked: &Asked) -> Answer {
        self.check_parameters("Accounts.fetch", &asked.query, &[], &[]);
        let account = json!({
            "sid": self.settings.account_sid,
            "owner_account_sid": self.settings.account_sid,
            "friendly_name": "Sandbox",
            "status": "active",
            "type": "Full",
            "uri": asked.path,
        });
        Ok(Json(account).into_response())
    }

    pub(super) fn list_numbers(&self, asked: &Asked) -> Answer {
        let mut known = LIST_NUMBERS.to_vec();
        known.extend(pages::PARAMETERS);
        self.check_parameters("IncomingPhoneNumbers.list", &asked.query, &known, &[]);
        let wanted = parameter(&asked.query, "PhoneNumber");
        let state = self.lock();
        let account_sid = &self.settings.account_sid;
        let entries = state
            .numbers
            .iter()
            .filter(|own| wanted.is_none_or(|wanted| own.number.contains(wanted)))
            .map(|own| (own.sid.clone(), own.json(account_sid)))
            .collect();
        pages::answer(
            "incoming_phone_numbers",
            entries,
            asked,
            state.page_size_limit,
        )
    }

    pub(super) fn fetch_number(&self, sid: &str, asked: &Asked) -> Answer {
        let state = self.lock();
        let number = state.numbers.iter().find(|own| own.sid == sid);
        let number = number.ok_or_else(|| Refusal::not_found(&asked.path))?;
        Ok(Json(number.json(&self.settings.account_sid)).into_response())
    }

    pub(super) fn update_number(&self, sid: &str, asked: &Asked) -> Answer {
        let mut mistakes = Vec::new();
        let mut state = self.lock();
        let number = state.numbers.iter_mut().find(|own| own.sid == sid);
        let number = number.ok_or_else(|| Refusal::not_found(&asked.path))?;
        let mut changed = number.clone();
        for (name, value) in &asked.form {
            let is_url = name.ends_with("Url") || name == "StatusCallback";
            if is_url && !value.is_empty() && !is_absolute_url(value) {
                mistakes.push(format!("{name} is not a URL"));
            }
            if name.ends_with("Method") && !matches!(value.as_str(), "GET" | "POST") {
                mistakes.push(format!("{name} is neither GET nor POST"));
            }
            match changed.setting(name) {
                Some(setting) => setting.clone_from(value),
                None => mistakes.push(format!("there is no parameter {name:?}")),
            }
        }
        if mistakes.is_empty() {
            *number = changed;
        }
        let json = number.json(&self.settings.account_sid);
        drop(state);
        self.touch();
        if mistakes.is_empty() {
            return Ok(Json(json).into_response());
        }
        let mistakes = mistakes.join("; ");
        self.violation(format!("IncomingPhoneNumbers.update: {mistakes}"));
        Err(Refusal::bad_request(21502, mistakes))
    }
}
