//! Checks Twilio: the API key, each line's number and what overrides its settings, and our clock.

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};

use super::Finding;
use crate::cli::setup;
use crate::clock::Clock;
use crate::config::{Config, Line, Secrets};
use crate::remote::Failure;
use crate::twilio::AccountSid;
use crate::twilio::client::{Client, Settings};

/// From this difference of the clocks on, we refuse Slack's requests, whose timestamps must be within 300 s.
const REFUSED: SignedDuration = SignedDuration::from_secs(300);

/// From this difference of the clocks on, warn. It is more than a request and the rounding to seconds can cause.
const NOTICEABLE: SignedDuration = SignedDuration::from_secs(10);

pub(super) async fn findings(config: &Config, secrets: &Secrets) -> anyhow::Result<Vec<Finding>> {
    let client = Client::new(Settings {
        api_url: config.twilio_api_url.clone(),
        account_sid: AccountSid::parse(&secrets.account_sid).context("TWILIO_ACCOUNT_SID")?,
        api_key: secrets.api_key.clone(),
        api_secret: secrets.api_secret.clone(),
        request_timeout: config.delivery.request_timeout,
    })?;
    let mut found = Vec::new();
    for line in &config.lines {
        match client.incoming_phone_number(&line.number).await {
            Ok(Some(number)) => found.extend(settings(config, line, &number)),
            Ok(None) => found.push(Finding::fail(
                format!("number of {}", line.name),
                format!("the account does not have {}", line.number.as_str()),
                "its texts and calls cannot reach us",
                "buy it in Twilio's console, or correct the number in qdn.toml",
            )),
            Err(failure) => return Ok(vec![unusable(&failure)]),
        }
        found.extend(overriding(&client, line).await);
    }
    found.insert(
        0,
        Finding::ok("Twilio's API", "the key and its secret are taken"),
    );
    found.extend(
        client
            .now()
            .map(|theirs| clock(theirs, Clock::System.now())),
    );
    Ok(found)
}

fn unusable(failure: &Failure) -> Finding {
    let why = "no text can be sent, and none looked for";
    match failure {
        Failure::Refused { .. } => Finding::fail(
            "Twilio's API",
            format!("Twilio does not take the key ({failure})"),
            why,
            "make an API key under Account > API keys & tokens of Twilio's console, for the account of TWILIO_ACCOUNT_SID, and set TWILIO_API_KEY and TWILIO_API_SECRET",
        ),
        _ => Finding::fail(
            "Twilio's API",
            format!("{failure}"),
            why,
            "see that this machine reaches twilio.api_url, and run this again",
        ),
    }
}

/// Returns a finding for each setting of the number that `setup` would change, or one that all is well.
fn settings(
    config: &Config,
    line: &Line,
    number: &crate::twilio::client::IncomingPhoneNumber,
) -> Vec<Finding> {
    let shown = |value: &str| match value {
        "" => "not set".to_owned(),
        value => value.to_owned(),
    };
    let wrong: Vec<Finding> = setup::settings(config, line, number)
        .into_iter()
        .filter(|setting| !setting.is_right())
        .map(|setting| {
            if setting.leads_right() {
                return without_overrides(line, &setting);
            }
            let why = match setting.parameter {
                "SmsUrl" | "SmsMethod" => "texts come late, found in Twilio's log",
                "VoiceUrl" | "VoiceMethod" => "calls do not reach us",
                "VoiceFallbackUrl" | "VoiceFallbackMethod" => {
                    "a call rings nowhere while we are down"
                }
                "SmsFallbackUrl" => "texts go elsewhere while we are down",
                "SmsApplicationSid" => "it overrides the SMS URL",
                _ => "it overrides the voice URL",
            };
            Finding::fail(
                format!("{} of {}", setting.name, line.name),
                format!(
                    "{}, should be: {}",
                    shown(&setting.before),
                    shown(&setting.after)
                ),
                why,
                "qdn-relay setup",
            )
        })
        .collect();
    if wrong.is_empty() {
        vec![Finding::ok(
            format!("number of {}", line.name),
            "texts and calls come to public_url; the fallback forwards to the backup",
        )]
    } else {
        wrong
    }
}

/// Returns a warning for a correct URL without connection overrides in its fragment.
fn without_overrides(line: &Line, setting: &setup::Setting) -> Finding {
    let why = match setting.parameter {
        "VoiceUrl" => "a caller waits up to 15 s for the backup while we are down",
        _ => "a text whose request fails comes late, found in Twilio's log",
    };
    Finding::warn(
        format!("{} of {}", setting.name, line.name),
        format!("{}, better: {}", setting.before, setting.after),
        why,
        "qdn-relay setup",
    )
}

/// Checks for a Messaging Service with the number in its sender pool, which can override the SMS URL.
async fn overriding(client: &Client, line: &Line) -> Option<Finding> {
    let name = format!("messaging service of {}", line.name);
    match client.messaging_service_of(&line.number).await {
        Ok(None) => None,
        Ok(Some(service)) if service.leaves_webhooks_to_number => Some(Finding::ok(
            name,
            format!(
                "{}, which leaves texts to the number's SMS URL",
                service.friendly_name
            ),
        )),
        Ok(Some(service)) => Some(Finding::fail(
            name,
            format!(
                "{} ({}) handles the number's texts",
                service.friendly_name, service.sid
            ),
            "texts come late, found in Twilio's log",
            "in Twilio's console under Messaging > Services > that service > Integration choose \"Defer to sender's webhook\"",
        )),
        Err(failure) => Some(Finding::warn(
            name,
            format!("Twilio does not say whether there is one ({failure})"),
            "one could take the number's texts",
            "look under Messaging > Services in Twilio's console",
        )),
    }
}

fn clock(theirs: Timestamp, ours: Timestamp) -> Finding {
    let apart = ours.duration_since(theirs).abs();
    let what = format!("{} s from Twilio's", apart.as_secs());
    let remedy = "timedatectl set-ntp true";
    match apart {
        apart if apart >= REFUSED => Finding::fail(
            "clock",
            what,
            "everything that Slack sends is refused as too old or too new",
            remedy,
        ),
        apart if apart >= NOTICEABLE => {
            Finding::warn("clock", what, "times are shown wrongly", remedy)
        }
        _ => Finding::ok("clock", what),
    }
}
