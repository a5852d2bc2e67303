//! Prepares the files of a reply: fetches each from Slack, fits it to a phone and stores it, one file an attempt, before the
//! text is sent.
//!
//! Nobody sees any of this, so every step can be repeated. A file that cannot be sent is left out, the thread says so, and
//! the text goes without it.

mod resize;

use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::Semaphore;

use crate::outbox::failed::back_off;

use super::reply::to_texts;
use super::{Answer, Sending};
use crate::app::App;
use crate::delivery::{Enclosure, FileState, OutboundMedia, Outcome, ReplyWithFiles, Unfit};
use crate::media::{self, MOST_BYTES, MOST_FILES};
use crate::remote::Failure;
use crate::store::new_id;
use crate::store::outbox::Row;

/// The most bytes fetched. A larger file is no picture that could be scaled down.
const MOST_FETCHED: usize = 25 * 1024 * 1024;

/// A picture takes a hundred times its size while it is scaled.
static ONE_AT_A_TIME: Semaphore = Semaphore::const_new(1);

/// Prepares the first file that waits. If none waits, the reply becomes texts.
pub(super) async fn send(sending: Sending<'_>, reply: &ReplyWithFiles) -> Answer {
    let waits = |file: &Enclosure| matches!(file.fate, FileState::Waiting);
    let Some(index) = reply.files.iter().position(waits) else {
        return Ok(to_texts(sending.app, &reply.slack_text).await);
    };
    let file = &reply.files[index];
    let fate = match fetch(sending, file).await {
        Fetched::File(bytes) => {
            let content_type = file.mimetype.clone();
            fit(sending.app, bytes, content_type, allowance(reply)).await?
        }
        Fetched::Unfit(unfit) => FileState::Unfit(unfit),
        Fetched::NotYet(ended) => return Ok(ended),
    };
    let mut prepared = reply.clone();
    prepared.files[index].fate = fate;
    Ok(Ok(Outcome::Prepared(prepared)))
}

/// What Slack gave for a file.
enum Fetched {
    File(Vec<u8>),
    /// It will not be sent.
    Unfit(Unfit),
    /// The attempt ends so, and another follows.
    NotYet(Result<Outcome, Failure>),
}

async fn fetch(sending: Sending<'_>, file: &Enclosure) -> Fetched {
    let slack = &sending.clients.slack;
    match slack.download(&file.url, MOST_FETCHED).await {
        Ok(fetched) if is_page(&fetched.content_type) => why_not_given(sending, file).await,
        Ok(fetched) => Fetched::File(fetched.bytes),
        Err(Failure::Refused { code, .. }) => match code.as_str() {
            "too_large" => Fetched::Unfit(Unfit::TooLarge),
            "not_slack" => Fetched::Unfit(Unfit::Elsewhere),
            _ => why_not_given(sending, file).await,
        },
        // Slack is not there; if that lasts, the words go alone.
        Err(failure) if is_old(sending.app, sending.row) => {
            tracing::warn!(outbox = %sending.row.id, %failure, "a dispatcher's file cannot be fetched from Slack");
            Fetched::Unfit(Unfit::Unreachable)
        }
        Err(Failure::Unknown { why }) => Fetched::NotYet(Err(Failure::NotSent { why })),
        Err(failure) => Fetched::NotYet(Err(failure)),
    }
}

/// Asks Slack about a file for which it shows a page.
async fn why_not_given(sending: Sending<'_>, file: &Enclosure) -> Fetched {
    match sending.clients.slack.file_info(&file.file).await {
        Ok(found) if found.is_gone() => Fetched::Unfit(Unfit::Deleted),
        Err(Failure::Refused { code, .. })
            if matches!(code.as_str(), "file_not_found" | "file_deleted") =>
        {
            Fetched::Unfit(Unfit::Deleted)
        }
        Ok(_) if is_old(sending.app, sending.row) => Fetched::Unfit(Unfit::Unreachable),
        Ok(_) => Fetched::NotYet(Ok(Outcome::Again {
            after: back_off(sending.app, sending.attempt.n),
            why: "Slack does not give a file out".into(),
        })),
        Err(failure) => Fetched::NotYet(Err(failure)),
    }
}

/// Fits a file to a phone and stores it.
async fn fit(
    app: &App,
    bytes: Vec<u8>,
    content_type: String,
    most: usize,
) -> anyhow::Result<FileState> {
    let permit = ONE_AT_A_TIME.acquire().await?;
    let fitted = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        resize::fit(bytes, &content_type, most)
    });
    let (bytes, content_type) = match fitted.await? {
        Ok(fitted) => fitted,
        Err(unfit) => return Ok(FileState::Unfit(unfit)),
    };
    let medium = OutboundMedia {
        id: new_id(),
        content_type,
        size: i64::try_from(bytes.len())?,
    };
    media::save(&app.config.media_folder(), &medium.id, &bytes).await?;
    Ok(FileState::Ready(medium))
}

/// The most bytes of each file, so that as many files as possible fit into one text.
fn allowance(reply: &ReplyWithFiles) -> usize {
    let sent = || {
        let files = reply.files.iter();
        files.filter(|file| !matches!(file.fate, FileState::Unfit(_)))
    };
    let size = |size: Option<u64>| size.map_or(MOST_BYTES, |size| size as usize);
    let together = sent()
        .map(|file| size(file.size))
        .fold(0, usize::saturating_add);
    if together <= MOST_BYTES {
        MOST_BYTES
    } else {
        MOST_BYTES / sent().count().clamp(1, MOST_FILES)
    }
}

fn is_page(content_type: &str) -> bool {
    media::essence(content_type) == "text/html"
}

/// Whether the words have waited long enough for their files.
fn is_old(app: &App, row: &Row) -> bool {
    let age = app.clock.now().duration_since(row.created());
    let limit = app.config.delivery.stale_reply.min(WORDS_WAIT);
    SignedDuration::try_from(limit).is_ok_and(|limit| age > limit)
}

/// How long words wait for files that Slack does not give out.
const WORDS_WAIT: Duration = Duration::from_secs(300);
