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

use crate::app::App;
use crate::clients::Clients;
use crate::delivery::{FileState, OutboundMedia, Outcome, ReplyWithFiles, Unfit};
use crate::media::{self, MOST_BYTES, MOST_FILES};
use crate::remote::Failure;
use crate::store::new_id;
use crate::store::outbox::{Attempt, Row};

/// The most bytes fetched. A larger file is no picture that could be scaled down.
const MOST_FETCHED: usize = 25 * 1024 * 1024;

/// A picture takes a hundred times its size while it is scaled.
static ONE_AT_A_TIME: Semaphore = Semaphore::const_new(1);

/// Prepares the first file that waits. Returns `None` if no file waits.
pub(in crate::outbox) async fn prepare(
    app: &App,
    clients: &Clients,
    row: &Row,
    attempt: &Attempt,
    enclosing: &ReplyWithFiles,
) -> anyhow::Result<Option<Result<Outcome, Failure>>> {
    let waits = |fate: &FileState| matches!(fate, FileState::Waiting);
    let Some(index) = enclosing.files.iter().position(|file| waits(&file.fate)) else {
        return Ok(None);
    };
    let file = &enclosing.files[index];
    let prepared = |fate: FileState| {
        let mut prepared = enclosing.clone();
        prepared.files[index].fate = fate;
        Ok(Some(Ok(Outcome::Prepared(prepared))))
    };
    let fetched = match clients.slack.download(&file.url, MOST_FETCHED).await {
        Ok(fetched) if is_page(&fetched.content_type) => None,
        Ok(fetched) => Some(fetched),
        Err(Failure::Refused { code, .. }) => match code.as_str() {
            "too_large" => return prepared(FileState::Unfit(Unfit::TooLarge)),
            "not_slack" => return prepared(FileState::Unfit(Unfit::Elsewhere)),
            _ => None,
        },
        // Slack is not there; if that lasts, the words go alone.
        Err(failure) if is_old(app, row) => {
            tracing::warn!(outbox = row.id, %failure, "a dispatcher's file cannot be fetched from Slack");
            return prepared(FileState::Unfit(Unfit::Unreachable));
        }
        Err(Failure::Unknown { why }) => return Ok(Some(Err(Failure::NotSent { why }))),
        Err(failure) => return Ok(Some(Err(failure))),
    };
    let Some(fetched) = fetched else {
        // Slack shows a page where it does not give a file; this says why.
        return match clients.slack.file_info(&file.file).await {
            Ok(found) if found.is_gone() => prepared(FileState::Unfit(Unfit::Deleted)),
            Err(Failure::Refused { code, .. })
                if matches!(code.as_str(), "file_not_found" | "file_deleted") =>
            {
                prepared(FileState::Unfit(Unfit::Deleted))
            }
            Ok(_) if is_old(app, row) => prepared(FileState::Unfit(Unfit::Unreachable)),
            Ok(_) => Ok(Some(Ok(Outcome::Again {
                after: back_off(app, attempt.n),
                why: "Slack does not give a file out".into(),
            }))),
            Err(failure) => Ok(Some(Err(failure))),
        };
    };
    let (bytes, content_type) = (fetched.bytes, file.mimetype.clone());
    let most = allowance(enclosing);
    let permit = ONE_AT_A_TIME.acquire().await?;
    let fitted = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        resize::fit(bytes, &content_type, most)
    });
    match fitted.await? {
        Err(unfit) => prepared(FileState::Unfit(unfit)),
        Ok((bytes, content_type)) => {
            let medium = OutboundMedia {
                id: new_id(),
                content_type,
                size: i64::try_from(bytes.len())?,
            };
            media::save(&app.config.media_folder(), &medium.id, &bytes).await?;
            prepared(FileState::Ready(medium))
        }
    }
}

/// The most bytes of each file, so that as many files as possible fit into one text.
fn allowance(enclosing: &ReplyWithFiles) -> usize {
    let sent = || {
        let files = enclosing.files.iter();
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
