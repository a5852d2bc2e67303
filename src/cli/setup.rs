//! `qdn-relay setup`: points each line's number at this service, and its voice fallback at the backup.

use std::path::Path;

use anyhow::Context;
use clap::Args;

use super::serve::both;
use super::{Failed, confirm};
use crate::config::{Config, Environment, Line, Secrets};
use crate::phone::PhoneNumber;
use crate::remote::Failure;
use crate::twilio::AccountSid;
use crate::twilio::client::{Client, IncomingPhoneNumber, Settings};
use crate::twilio::error_code::{self, Meaning};

/// Twilio's Twimlet that forwards a call, used as the fallback while the service is down.
/// <https://www.twilio.com/labs/twimlets/forward>
pub(super) const FORWARD: &str = "https://twimlets.com/forward";

/// The connection overrides for calls: three seconds for a response and one retry after an error, so that a caller reaches
/// the backup within nine seconds instead of fifteen.
/// <https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>
const VOICE_OVERRIDES: &str = "#ct=2000&rt=3000&rc=1&rp=5xx,ct,rt&tt=9000";

/// The connection overrides for texts: two retries after an error. The backfill finds a text that still does not arrive.
const SMS_OVERRIDES: &str = "#rc=2&rp=5xx,ct";

/// What `setup` takes.
#[derive(Debug, Args)]
pub(super) struct Setup {
    /// Changes what has to be changed without asking.
    #[arg(long)]
    yes: bool,
}

/// A setting of a number: its name, its API parameter, its current value and the required one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) parameter: &'static str,
    pub(super) before: String,
    pub(super) after: String,
}

impl Setting {
    fn new(
        name: &'static str,
        parameter: &'static str,
        before: &Option<String>,
        after: &str,
    ) -> Setting {
        Setting {
            name,
            parameter,
            before: before.clone().unwrap_or_default(),
            after: after.to_owned(),
        }
    }

    pub(super) fn is_right(&self) -> bool {
        self.before == self.after
    }

    /// Whether the current URL is the required one apart from the connection overrides in its fragment.
    pub(super) fn leads_right(&self) -> bool {
        let without = |url: &str| url.split('#').next().unwrap_or_default().to_owned();
        !self.before.is_empty() && without(&self.before) == without(&self.after)
    }
}

pub(super) async fn run(
    setup: Setup,
    path: &Path,
    environment: &Environment,
) -> Result<(), Failed> {
    let (config, secrets) = both(Config::load(path, environment), Secrets::load(environment))?;
    let twilio = Twilio::new(&config, &secrets)?;
    let mut changes = Vec::new();
    for line in &config.lines {
        let number = twilio.number(&line.number).await?.with_context(|| {
            format!(
                "the Twilio account does not have {}: buy it, or correct the number of the line {}",
                line.number.as_str(),
                line.name
            )
        })?;
        let settings = settings(&config, line, &number);
        show(line, &settings);
        if settings.iter().any(|setting| !setting.is_right()) {
            changes.push((number, settings));
        }
    }
    if changes.is_empty() {
        println!("Everything is as it has to be.");
        return Ok(());
    }
    if !setup.yes && !confirm("Change this?")? {
        return Err(anyhow::anyhow!("nothing was changed").into());
    }
    for (number, settings) in &changes {
        let changed: Vec<(&str, &str)> = settings
            .iter()
            .filter(|setting| !setting.is_right())
            .map(|setting| (setting.parameter, setting.after.as_str()))
            .collect();
        twilio.update(&number.sid, &changed).await?;
    }
    println!("Done.");
    Ok(())
}

/// Returns all settings of a number with their required values.
pub(super) fn settings(config: &Config, line: &Line, number: &IncomingPhoneNumber) -> Vec<Setting> {
    let route = format!("{}/api/twilio/dispatch-route", config.public_url);
    let mut settings = Vec::new();
    settings.extend(sms_settings(&route, number));
    settings.extend(voice_settings(&route, &fallback_url(config, line), number));
    settings.extend(overriding_settings(number));
    settings
}

fn sms_settings(route: &str, number: &IncomingPhoneNumber) -> [Setting; 3] {
    let sms = format!("{route}{SMS_OVERRIDES}");
    [
        Setting::new("SMS URL", "SmsUrl", &number.sms_url, &sms),
        Setting::new("SMS method", "SmsMethod", &number.sms_method, "POST"),
        // No fallback for texts: Twilio stores a text that nobody accepts, and the backfill finds it.
        Setting::new(
            "SMS fallback URL",
            "SmsFallbackUrl",
            &number.sms_fallback_url,
            "",
        ),
    ]
}

fn voice_settings(route: &str, fallback: &str, number: &IncomingPhoneNumber) -> [Setting; 4] {
    let voice = format!("{route}{VOICE_OVERRIDES}");
    [
        Setting::new("voice URL", "VoiceUrl", &number.voice_url, &voice),
        Setting::new("voice method", "VoiceMethod", &number.voice_method, "POST"),
        Setting::new(
            "voice fallback URL",
            "VoiceFallbackUrl",
            &number.voice_fallback_url,
            fallback,
        ),
        Setting::new(
            "voice fallback method",
            "VoiceFallbackMethod",
            &number.voice_fallback_method,
            "GET",
        ),
    ]
}

/// Returns the settings that override the URLs, as far as they are set. None may be.
fn overriding_settings(number: &IncomingPhoneNumber) -> impl Iterator<Item = Setting> {
    [
        Setting::new(
            "SMS application",
            "SmsApplicationSid",
            &number.sms_application_sid,
            "",
        ),
        Setting::new(
            "voice application",
            "VoiceApplicationSid",
            &number.voice_application_sid,
            "",
        ),
        Setting::new("SIP trunk", "TrunkSid", &number.trunk_sid, ""),
    ]
    .into_iter()
    .filter(|setting| !setting.is_right())
}

/// Returns the URL that forwards calls to the backup phone, or "" if there is none.
fn fallback_url(config: &Config, line: &Line) -> String {
    backup(config, line).map_or_else(String::new, |phone| {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("PhoneNumber", phone.as_str())
            .finish();
        format!("{FORWARD}?{query}")
    })
}

/// Returns the phone that takes calls while the service is down: the first person's of the last ring step.
fn backup<'a>(config: &'a Config, line: &Line) -> Option<&'a PhoneNumber> {
    let name = line.ring.last()?.people.first()?;
    config.person(name).map(|person| &person.phone)
}

fn show(line: &Line, settings: &[Setting]) {
    println!("{} {}", line.name, line.number.as_str());
    let shown = |value: &str| match value {
        "" => "(none)".to_owned(),
        value => value.to_owned(),
    };
    for setting in settings {
        let Setting {
            name,
            before,
            after,
            ..
        } = setting;
        if setting.is_right() {
            println!("  {name:<21}  {}", shown(before))
        } else {
            println!("  {name:<21}  {} → {}", shown(before), shown(after))
        }
    }
}

/// Twilio's API, with the API key, or with the auth token for requests that Twilio refuses to the key.
struct Twilio {
    key: Client,
    token: Client,
}

impl Twilio {
    fn new(config: &Config, secrets: &Secrets) -> anyhow::Result<Twilio> {
        let client = |api_key: &str, api_secret| {
            Client::new(Settings {
                api_url: config.twilio_api_url.clone(),
                account_sid: AccountSid::parse(&secrets.account_sid)
                    .context("TWILIO_ACCOUNT_SID")?,
                api_key: api_key.to_owned(),
                api_secret,
                request_timeout: config.delivery.request_timeout,
            })
        };
        Ok(Twilio {
            key: client(&secrets.api_key, secrets.api_secret.clone())?,
            token: client(&secrets.account_sid, secrets.auth_token.clone())?,
        })
    }

    async fn number(&self, number: &PhoneNumber) -> anyhow::Result<Option<IncomingPhoneNumber>> {
        let found = match self.key.incoming_phone_number(number).await {
            Err(failure) if is_forbidden(&failure) => {
                self.token.incoming_phone_number(number).await
            }
            other => other,
        };
        found.context("asking Twilio about the number")
    }

    async fn update(&self, sid: &str, changes: &[(&str, &str)]) -> anyhow::Result<()> {
        let changed = match self.key.update_incoming_phone_number(sid, changes).await {
            Err(failure) if is_forbidden(&failure) => {
                self.token.update_incoming_phone_number(sid, changes).await
            }
            other => other,
        };
        changed
            .map(drop)
            .context("changing the number at Twilio; run setup again to see how far that came")
    }
}

/// Whether the API key lacks the permission or is no longer valid.
fn is_forbidden(failure: &Failure) -> bool {
    let Failure::Refused { code, .. } = failure else {
        return false;
    };
    match code.parse() {
        Ok(code) => error_code::meaning(code) == Meaning::BadCredentials,
        Err(_) => matches!(code.as_str(), "http 401" | "http 403"),
    }
}
