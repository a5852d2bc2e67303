//! Messaging Services and the numbers in their pools, in the shape of Twilio's newer APIs.
//! <https://www.twilio.com/docs/messaging/api/service-resource>

use axum::Json;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::{Answer, Asked, Refusal};
use crate::twilio::TwilioStandIn;
use crate::twilio::core::Core;

/// The parameters that lists accept. <https://www.twilio.com/docs/usage/twilios-response#pagination>
const PARAMETERS: [&str; 3] = ["PageSize", "Page", "PageToken"];

/// A Messaging Service of the account.
#[derive(Debug, Clone)]
pub(in crate::twilio) struct ServiceRecord {
    sid: String,
    friendly_name: String,
    use_inbound_webhook_on_number: bool,
    numbers: Vec<String>,
}

impl Core {
    pub(super) fn list_services(&self, asked: &Asked) -> Answer {
        self.check_parameters("Services.list", &asked.query, &PARAMETERS, &[]);
        let state = self.lock();
        let entries = state.services.iter().map(|service| {
            json!({
                "sid": service.sid,
                "account_sid": self.settings.account_sid,
                "friendly_name": service.friendly_name,
                "inbound_request_url": "https://elsewhere.example.com/",
                "inbound_method": "POST",
                "use_inbound_webhook_on_number": service.use_inbound_webhook_on_number,
            })
        });
        Ok(page("services", entries.collect(), asked))
    }

    pub(super) fn list_pool(&self, sid: &str, asked: &Asked) -> Answer {
        self.check_parameters("Services.PhoneNumbers.list", &asked.query, &PARAMETERS, &[]);
        let state = self.lock();
        let service = state.services.iter().find(|service| service.sid == sid);
        let service = service.ok_or_else(|| Refusal::not_found(&asked.path))?;
        let entries = service.numbers.iter().map(|number| {
            json!({
                "sid": state.number(number).map(|own| own.sid.clone()),
                "account_sid": self.settings.account_sid,
                "service_sid": sid,
                "phone_number": number,
                "country_code": "US",
                "capabilities": ["SMS", "MMS", "Voice"],
            })
        });
        Ok(page("phone_numbers", entries.collect(), asked))
    }
}

fn page(key: &str, entries: Vec<Value>, asked: &Asked) -> axum::response::Response {
    let meta = json!({
        "page": 0,
        "page_size": 50,
        "first_page_url": asked.path,
        "previous_page_url": null,
        "next_page_url": null,
        "url": asked.path,
        "key": key,
    });
    Json(json!({ "meta": meta, key: entries })).into_response()
}

impl TwilioStandIn {
    /// Puts `number` into the pool of a Messaging Service, as somebody in Twilio's console would.
    pub fn add_to_messaging_service(&self, number: &str, leaves_webhooks_to_number: bool) {
        let service = ServiceRecord {
            sid: self.core.sid("MG"),
            friendly_name: "Notifications".to_owned(),
            use_inbound_webhook_on_number: leaves_webhooks_to_number,
            numbers: vec![number.to_owned()],
        };
        self.core.lock().services.push(service);
        self.core.touch();
    }
}
