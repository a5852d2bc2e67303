//! Deletes what Twilio stores about one number: texts in both directions with their files, and recordings with their
//! transcriptions. Each is deleted with a request of its own, with the API key.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context;

use crate::config::{Config, Secrets};
use crate::phone::Address;
use crate::remote::Failure;
use crate::twilio::client::{CallFilter, Client, MessageFilter, Settings};
use crate::twilio::message::Message;
use crate::twilio::{AccountSid, CallSid, MessageSid};

/// How often a rate-limited request is tried.
const TRIES: u32 = 5;

/// The pause after a rate-limited request without a `Retry-After`.
const REST: Duration = Duration::from_secs(1);

/// The texts and calls to delete: those between the number and each of these lines.
pub(super) struct Of<'a> {
    pub(super) number: &'a Address,
    pub(super) lines: BTreeSet<String>,
    /// The SIDs of texts to people of the desk that quote the number's texts.
    pub(super) about: Vec<String>,
}

/// The counts of what was deleted.
#[derive(Debug, Default)]
pub(super) struct Deleted {
    pub(super) messages: u64,
    pub(super) files: u64,
    pub(super) recordings: u64,
    pub(super) transcriptions: u64,
    /// What could not be deleted, each with the reason.
    pub(super) failed: Vec<String>,
}

pub(super) fn client(config: &Config, secrets: &Secrets) -> anyhow::Result<Client> {
    Client::new(Settings {
        api_url: config.twilio_api_url.clone(),
        account_sid: AccountSid::parse(&secrets.account_sid).context("TWILIO_ACCOUNT_SID")?,
        api_key: secrets.api_key.clone(),
        api_secret: secrets.api_secret.clone(),
        request_timeout: config.delivery.request_timeout,
    })
}

/// Deletes everything and counts it in `deleted`. A list that cannot be read to its end is an error; then `deleted` has the
/// counts up to that point.
pub(super) async fn delete(
    twilio: &Client,
    of: &Of<'_>,
    deleted: &mut Deleted,
) -> anyhow::Result<()> {
    for line in &of.lines {
        let line = Address::new(line);
        for (from, to) in [(of.number, &line), (&line, of.number)] {
            let filter = MessageFilter {
                from: Some(from.clone()),
                to: Some(to.clone()),
                ..MessageFilter::default()
            };
            let listed = patiently(async || twilio.list_messages(&filter, None).await).await;
            for message in listed.context("reading Twilio's list of messages")? {
                delete_message(twilio, &message, deleted).await?;
            }
            let filter = CallFilter {
                from: Some(from.clone()),
                to: Some(to.clone()),
                ..CallFilter::default()
            };
            let listed = patiently(async || twilio.list_calls(&filter).await).await;
            for call in listed.context("reading Twilio's list of calls")? {
                delete_recordings(twilio, &call.sid, deleted).await?;
            }
        }
    }
    // Texts to people of the desk are not in the number's lists, but quote the number's texts.
    for sid in &of.about {
        let sid = MessageSid::parse(sid)?;
        match patiently(async || twilio.message(&sid).await).await {
            Ok(message) => delete_message(twilio, &message, deleted).await?,
            Err(failure) if is_gone(&failure) => {}
            Err(failure) => deleted.failed.push(format!("message {sid}: {failure}")),
        }
    }
    Ok(())
}

async fn delete_message(
    twilio: &Client,
    message: &Message,
    deleted: &mut Deleted,
) -> anyhow::Result<()> {
    let sid = &message.sid;
    if message.num_media > 0 {
        let listed = patiently(async || twilio.media(sid).await).await;
        let files = match listed {
            Err(failure) if is_gone(&failure) => Vec::new(),
            other => other.with_context(|| format!("reading Twilio's list of files of {sid}"))?,
        };
        for file in files {
            let done = patiently(async || twilio.delete_medium(sid, &file.sid).await).await;
            let name = format!("file {} of {sid}", file.sid);
            count(done, &name, &mut deleted.files, &mut deleted.failed);
        }
    }
    let done = patiently(async || twilio.delete_message(sid).await).await;
    let name = format!("message {sid}");
    count(done, &name, &mut deleted.messages, &mut deleted.failed);
    Ok(())
}

async fn delete_recordings(
    twilio: &Client,
    call: &CallSid,
    deleted: &mut Deleted,
) -> anyhow::Result<()> {
    let listed = patiently(async || twilio.recordings_of(call).await).await;
    let recordings = unless_gone(listed)
        .with_context(|| format!("reading Twilio's list of recordings of {call}"))?;
    for recording in recordings {
        // Delete the transcriptions first: without the recording they could not be found again.
        let listed = patiently(async || twilio.transcriptions_of(&recording).await).await;
        let written = unless_gone(listed)
            .with_context(|| format!("reading Twilio's list of transcriptions of {recording}"))?;
        let failed_before = deleted.failed.len();
        for sid in written {
            let done = patiently(async || twilio.delete_transcription(&sid).await).await;
            let name = format!("transcription {sid} of {recording}");
            count(
                done,
                &name,
                &mut deleted.transcriptions,
                &mut deleted.failed,
            );
        }
        if deleted.failed.len() > failed_before {
            continue;
        }
        let done = patiently(async || twilio.delete_recording(&recording).await).await;
        let name = format!("recording {recording} of {call}");
        count(done, &name, &mut deleted.recordings, &mut deleted.failed);
    }
    Ok(())
}

/// Returns an empty list for a resource that no longer exists.
fn unless_gone(listed: Result<Vec<String>, Failure>) -> Result<Vec<String>, Failure> {
    match listed {
        Err(failure) if is_gone(&failure) => Ok(Vec::new()),
        other => other,
    }
}

/// Counts a deletion. A resource that no longer exists is not a failure.
fn count(done: Result<(), Failure>, name: &str, counter: &mut u64, failed: &mut Vec<String>) {
    match done {
        Ok(()) => *counter += 1,
        Err(failure) if is_gone(&failure) => {}
        Err(failure) => failed.push(format!("{name}: {failure}")),
    }
}

fn is_gone(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused { code, .. } if matches!(code.as_str(), "20404" | "http 404"))
}

/// Retries a request that Twilio rate-limits, since Twilio has not acted on it.
async fn patiently<T>(request: impl AsyncFn() -> Result<T, Failure>) -> Result<T, Failure> {
    let mut tries = 1;
    loop {
        match request().await {
            Err(Failure::RateLimited { retry_after }) if tries < TRIES => {
                tokio::time::sleep(retry_after.unwrap_or(REST)).await;
                tries += 1;
            }
            other => return other,
        }
    }
}
