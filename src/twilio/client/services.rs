use serde_json::Value;
use url::Url;

use super::{Client, json, request};
use crate::phone::PhoneNumber;
use crate::remote::Failure;

/// The host of the main API and the host of the Messaging Services API that goes with it.
const MESSAGING: (&str, &str) = ("https://api.twilio.com", "https://messaging.twilio.com");

/// The most pages that are read. No account has that many services, and no service that many numbers.
const MAX_PAGES: usize = 100;

/// A Messaging Service resource (<https://www.twilio.com/docs/messaging/api/service-resource>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagingService {
    pub sid: String,
    pub friendly_name: String,
    /// `use_inbound_webhook_on_number`: inbound texts go to the SMS URL of the number, not to that of the service.
    pub leaves_webhooks_to_number: bool,
}

impl Client {
    /// Returns the Messaging Service whose sender pool contains the number, if any. It decides where inbound texts go.
    pub async fn messaging_service_of(
        &self,
        number: &PhoneNumber,
    ) -> Result<Option<MessagingService>, Failure> {
        for service in self.v1("/v1/Services", "services").await? {
            let service = MessagingService {
                sid: json::string(&service, "sid")
                    .ok_or_else(|| request::unknown("a service without a SID".into()))?,
                friendly_name: json::string(&service, "friendly_name").unwrap_or_default(),
                leaves_webhooks_to_number: service["use_inbound_webhook_on_number"] == true,
            };
            let path = format!("/v1/Services/{}/PhoneNumbers", service.sid);
            let pool = self.v1(&path, "phone_numbers").await?;
            if pool
                .iter()
                .any(|own| json::text(own, "phone_number") == Some(number.as_str()))
            {
                return Ok(Some(service));
            }
        }
        Ok(None)
    }

    /// Returns all entries of a list of Twilio's v1 APIs, whose pages name the next page in `meta`. An incomplete list is an
    /// error.
    async fn v1(&self, path: &str, key: &str) -> Result<Vec<Value>, Failure> {
        let base = match self.settings.api_url.as_str() {
            api if api == MESSAGING.0 => MESSAGING.1,
            other => other,
        };
        let mut url = format!("{base}{path}?PageSize=50");
        let mut found = Vec::new();
        for _ in 0..MAX_PAGES {
            let page = self.answer(self.http.get(&url)).await?;
            let entries = page[key]
                .as_array()
                .ok_or_else(|| request::unknown(format!("a page of {key} without {key}")))?;
            found.extend(entries.iter().cloned());
            let Some(next) = page["meta"]["next_page_url"].as_str() else {
                return Ok(found);
            };
            // The request carries our credentials, so the next page must have the same origin.
            if origin(next).is_none() || origin(next) != origin(base) {
                return Err(request::unknown(format!(
                    "the next page of {key} is elsewhere"
                )));
            }
            url = next.to_owned();
        }
        Err(request::unknown(format!(
            "more than {MAX_PAGES} pages of {key}"
        )))
    }
}

fn origin(url: &str) -> Option<String> {
    Url::parse(url)
        .ok()
        .map(|url| url.origin().ascii_serialization())
}
