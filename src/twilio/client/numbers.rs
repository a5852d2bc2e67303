use serde_json::Value;

use super::request::List;
use super::{Client, json};
use crate::phone::PhoneNumber;
use crate::remote::Failure;

/// A number of the account and its webhooks; an unset field is `None`
/// (<https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingPhoneNumber {
    pub sid: String,
    pub sms_url: Option<String>,
    pub sms_method: Option<String>,
    pub sms_fallback_url: Option<String>,
    pub voice_url: Option<String>,
    pub voice_method: Option<String>,
    pub voice_fallback_url: Option<String>,
    pub voice_fallback_method: Option<String>,
    pub status_callback: Option<String>,
    /// If set, Twilio asks this application instead of `voice_url`.
    pub voice_application_sid: Option<String>,
    /// If set, Twilio asks this application instead of `sms_url`.
    pub sms_application_sid: Option<String>,
    /// If set, calls go to this SIP trunk and Twilio does not ask `voice_url`.
    pub trunk_sid: Option<String>,
}

/// An account resource (<https://www.twilio.com/docs/iam/api/account>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub sid: String,
    pub friendly_name: String,
    /// `active`, `suspended` or `closed`.
    pub status: String,
    /// `Full` or `Trial`.
    pub kind: String,
}

impl Client {
    /// Fetches a number; `None` if it does not belong to the account.
    pub async fn incoming_phone_number(
        &self,
        number: &PhoneNumber,
    ) -> Result<Option<IncomingPhoneNumber>, Failure> {
        let list = List {
            path: "/IncomingPhoneNumbers.json",
            query: vec![("PhoneNumber", number.as_str().to_owned())],
            key: "incoming_phone_numbers",
        };
        // Twilio's filter also matches numbers that contain this one.
        let read = |value: &Value| {
            let is_it = json::text(value, "phone_number") == Some(number.as_str());
            read(value).map(|found| is_it.then_some(found))
        };
        let found = self.list(list, read, |_| false).await?;
        Ok(found.into_iter().flatten().next())
    }

    /// Changes the named parameters, such as `("SmsUrl", "https://…")`, and returns the changed number.
    pub async fn update_incoming_phone_number(
        &self,
        sid: &str,
        changes: &[(&str, &str)],
    ) -> Result<IncomingPhoneNumber, Failure> {
        let answer = self
            .post(&format!("/IncomingPhoneNumbers/{sid}.json"), changes)
            .await?;
        read(&answer).ok_or_else(|| Failure::Unknown {
            why: "a number without a SID".to_owned(),
        })
    }

    /// Fetches the account. Twilio refuses this to a standard API key; a main key or the auth token may.
    pub async fn fetch_account(&self) -> Result<Account, Failure> {
        let answer = self.get(".json", &[]).await?;
        let string = |name| json::string(&answer, name).unwrap_or_default();
        Ok(Account {
            sid: string("sid"),
            friendly_name: string("friendly_name"),
            status: string("status"),
            kind: string("type"),
        })
    }
}

fn read(value: &Value) -> Option<IncomingPhoneNumber> {
    let string = |name| json::string(value, name);
    Some(IncomingPhoneNumber {
        sid: string("sid")?,
        sms_url: string("sms_url"),
        sms_method: string("sms_method"),
        sms_fallback_url: string("sms_fallback_url"),
        voice_url: string("voice_url"),
        voice_method: string("voice_method"),
        voice_fallback_url: string("voice_fallback_url"),
        voice_fallback_method: string("voice_fallback_method"),
        status_callback: string("status_callback"),
        voice_application_sid: string("voice_application_sid"),
        sms_application_sid: string("sms_application_sid"),
        trunk_sid: string("trunk_sid"),
    })
}
