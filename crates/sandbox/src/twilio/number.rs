//! The account's phone numbers and their webhook URLs.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::TwilioStandIn;
use super::rest::date;

/// The webhook URLs and methods of a number, named as in the `IncomingPhoneNumber` resource. Empty means not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberSettings {
    pub friendly_name: String,
    pub sms_url: String,
    pub sms_method: String,
    pub sms_fallback_url: String,
    pub sms_fallback_method: String,
    pub sms_application_sid: String,
    pub voice_url: String,
    pub voice_method: String,
    pub voice_fallback_url: String,
    pub voice_fallback_method: String,
    pub voice_application_sid: String,
    pub voice_receive_mode: String,
    pub status_callback: String,
    pub status_callback_method: String,
    pub trunk_sid: String,
}

impl Default for NumberSettings {
    fn default() -> Self {
        let post = || "POST".to_owned();
        NumberSettings {
            friendly_name: String::new(),
            sms_url: String::new(),
            sms_method: post(),
            sms_fallback_url: String::new(),
            sms_fallback_method: post(),
            sms_application_sid: String::new(),
            voice_url: String::new(),
            voice_method: post(),
            voice_fallback_url: String::new(),
            voice_fallback_method: post(),
            voice_application_sid: String::new(),
            voice_receive_mode: "voice".to_owned(),
            status_callback: String::new(),
            status_callback_method: post(),
            trunk_sid: String::new(),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct NumberRecord {
    pub(super) sid: String,
    pub(super) number: String,
    pub(super) settings: NumberSettings,
    created: Timestamp,
}

impl NumberRecord {
    pub(super) fn new(sid: String, number: String, created: Timestamp) -> Self {
        NumberRecord {
            sid,
            settings: NumberSettings {
                friendly_name: number.clone(),
                ..NumberSettings::default()
            },
            number,
            created,
        }
    }

    pub(super) fn json(&self, account_sid: &str) -> Value {
        let settings = &self.settings;
        let trunk_sid = Some(&settings.trunk_sid).filter(|sid| !sid.is_empty());
        json!({
            "sid": self.sid,
            "account_sid": account_sid,
            "phone_number": self.number,
            "friendly_name": settings.friendly_name,
            "sms_url": settings.sms_url,
            "sms_method": settings.sms_method,
            "sms_fallback_url": settings.sms_fallback_url,
            "sms_fallback_method": settings.sms_fallback_method,
            "sms_application_sid": settings.sms_application_sid,
            "voice_url": settings.voice_url,
            "voice_method": settings.voice_method,
            "voice_fallback_url": settings.voice_fallback_url,
            "voice_fallback_method": settings.voice_fallback_method,
            "voice_application_sid": settings.voice_application_sid,
            "voice_caller_id_lookup": false,
            "voice_receive_mode": settings.voice_receive_mode,
            "status_callback": settings.status_callback,
            "status_callback_method": settings.status_callback_method,
            "trunk_sid": trunk_sid,
            "capabilities": { "voice": true, "sms": true, "mms": true, "fax": false },
            "date_created": date(self.created),
            "date_updated": date(self.created),
            "address_requirements": "none",
            "address_sid": null,
            "api_version": "2010-04-01",
            "beta": false,
            "origin": "twilio",
            "status": "in-use",
            "type": "local",
            "uri": format!("/2010-04-01/Accounts/{account_sid}/IncomingPhoneNumbers/{}.json", self.sid),
        })
    }

    /// The setting that a parameter of the update request changes.
    pub(super) fn setting(&mut self, parameter: &str) -> Option<&mut String> {
        let settings = &mut self.settings;
        Some(match parameter {
            "FriendlyName" => &mut settings.friendly_name,
            "SmsUrl" => &mut settings.sms_url,
            "SmsMethod" => &mut settings.sms_method,
            "SmsFallbackUrl" => &mut settings.sms_fallback_url,
            "SmsFallbackMethod" => &mut settings.sms_fallback_method,
            "SmsApplicationSid" => &mut settings.sms_application_sid,
            "VoiceUrl" => &mut settings.voice_url,
            "VoiceMethod" => &mut settings.voice_method,
            "VoiceFallbackUrl" => &mut settings.voice_fallback_url,
            "VoiceFallbackMethod" => &mut settings.voice_fallback_method,
            "VoiceApplicationSid" => &mut settings.voice_application_sid,
            "VoiceReceiveMode" => &mut settings.voice_receive_mode,
            "StatusCallback" => &mut settings.status_callback,
            "StatusCallbackMethod" => &mut settings.status_callback_method,
            "TrunkSid" => &mut settings.trunk_sid,
            _ => return None,
        })
    }
}

impl TwilioStandIn {
    /// The webhook settings of `number`, if the account owns it.
    pub fn number_settings(&self, number: &str) -> Option<NumberSettings> {
        let state = self.core.lock();
        state.number(number).map(|own| own.settings.clone())
    }

    /// Changes a number's settings as somebody in Twilio's console would. Does nothing for an unknown number.
    pub fn configure_number(&self, number: &str, change: impl FnOnce(&mut NumberSettings)) {
        let mut state = self.core.lock();
        if let Some(own) = state.numbers.iter_mut().find(|own| own.number == number) {
            change(&mut own.settings);
        }
        drop(state);
        self.core.touch();
    }
}
