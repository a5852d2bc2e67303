//! Brings a caller's file into the thread: fetches it from Twilio, uploads it to Slack, shares it behind its text.
//!
//! This takes two attempts. The first uploads the file, which nobody sees and which can be repeated; it ends with Slack's
//! file ID. The second shares the file in the thread, which works once. If its answer is lost, the thread is searched for
//! that ID.

use std::time::Duration;

use jiff::SignedDuration;

use super::recording::is_not_there;
use super::{Answer, Sending, done};
use crate::app::App;
use crate::clients::Clients;
use crate::delivery::{self, Delivery, InboundFile, Outcome};
use crate::outbox::failed::back_off;
use crate::remote::Failure;
use crate::slack::client::ThreadMessage;
use crate::slack::{ChannelId, MessageTs};
use crate::store::outbox::{Attempt, Row};
use crate::store::{conversations, listed, outbox};
use crate::twilio::MessageSid;
use crate::vocabulary::{DeliveryState, Reason, ReasonCode, is_for_order};

/// How long a file waits for the thread of a listed caller. It is woken when the thread begins.
const FOR_THREAD: Duration = Duration::from_mins(5);

/// How long a file waits for what goes before it, times the attempts so far.
const FOR_WORDS: Duration = Duration::from_millis(150);

/// The longest wait between two attempts.
const FOR_WORDS_AT_MOST: Duration = Duration::from_secs(20);

/// After how many seconds a file is asked for again that Twilio does not have. Right after the webhook it may not be there
/// yet; when these are used up it will not come.
const NOT_THERE_AGAIN: [f64; 7] = [1.0, 3.0, 5.0, 10.0, 30.0, 60.0, 120.0];

/// How often such a file is tried at least before it is given up.
const PATIENT_TRIES: usize = 8;

/// How long it is tried at least.
const PATIENT_FOR: SignedDuration = SignedDuration::from_mins(30);

/// What is shown in the thread's end, and where that is.
struct Place {
    channel: ChannelId,
    thread: MessageTs,
}

/// Whether nothing of it can be in the thread yet.
pub(in crate::outbox) fn is_unseen(row: &Row) -> bool {
    matches!(row.delivery(), Ok(Delivery::InboundFile(picture)) if picture.uploaded.is_none())
}

pub(super) async fn send(sending: Sending<'_>, picture: &InboundFile) -> Answer {
    let Sending {
        app,
        clients,
        row,
        attempt,
        ..
    } = sending;
    if let Some(first) = waits_for(app, row, picture).await? {
        let tries = u32::try_from(attempt.n).unwrap_or(u32::MAX);
        let for_words = FOR_WORDS.saturating_mul(tries).min(FOR_WORDS_AT_MOST);
        let (after, words) = match first {
            First::Thread => (FOR_THREAD, "its caller has no thread yet"),
            First::Words => (for_words, "its words are not posted yet"),
            First::FileBefore => (for_words, "the file before it is not shown yet"),
        };
        let why = Reason::of(first.code(), words);
        return Ok(Ok(Outcome::Again { after, why }));
    }
    let conversation = conversations::by_id(&app.store, &row.conversation_id).await?;
    let Ok(thread) = MessageTs::parse(&conversation.thread_ts) else {
        return Ok(Err(Failure::Refused {
            code: "no_thread".into(),
            message: "its conversation has no thread".into(),
        }));
    };
    let place = Place {
        channel: ChannelId::new(&conversation.channel),
        thread,
    };
    match &picture.uploaded {
        None => bring(sending, picture).await,
        Some(file) => Ok(show(clients, picture, file, &place).await),
    }
}

/// What a file waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    /// The thread of a caller who is only listed.
    Thread,
    /// The words of its text.
    Words,
    /// The file before it.
    FileBefore,
}

impl First {
    fn code(self) -> ReasonCode {
        match self {
            First::Thread => ReasonCode::ThreadFirst,
            First::Words => ReasonCode::WordsFirst,
            First::FileBefore => ReasonCode::InOrder,
        }
    }
}

/// What has to be shown first. A file that is in trouble keeps none back, and an upload is seen by nobody.
async fn waits_for(app: &App, row: &Row, picture: &InboundFile) -> anyhow::Result<Option<First>> {
    match listed::is_opened(&app.store, &row.message_id).await? {
        // The root shows its words, whatever has become of the list.
        Some(true) => {}
        Some(false) => return Ok(Some(First::Thread)),
        None => {
            let words = outbox::state(&app.store, &picture.after).await?;
            if words.is_some_and(DeliveryState::is_pending) {
                return Ok(Some(First::Words));
            }
        }
    }
    if picture.uploaded.is_none() {
        return Ok(None);
    }
    let before = outbox::by_id(&app.store, &picture.behind).await?;
    let is_on_its_way = before.is_some_and(|row| {
        row.state.known().is_some_and(DeliveryState::is_pending)
            && (row.last_error.is_empty() || is_for_order(&row.code))
    });
    Ok(is_on_its_way.then_some(First::FileBefore))
}

/// Fetches the file and uploads it.
async fn bring(sending: Sending<'_>, picture: &InboundFile) -> Answer {
    let clients = sending.clients;
    let message = MessageSid::parse(&picture.message_sid)?;
    let fetched = match clients.twilio.medium(&message, &picture.media_sid).await {
        Ok(fetched) if is_page(&fetched.content_type) && !is_page(&picture.content_type) => {
            let why = "a page in place of the file".to_owned();
            return fetch_again(sending, why).await.map(Ok);
        }
        Ok(fetched) => fetched,
        Err(Failure::Refused { code, .. }) if matches!(code.as_str(), "http 401" | "http 403") => {
            let why = "Twilio does not accept the credentials for a picture".to_owned();
            return Ok(Ok(Outcome::Blocked {
                why,
                is_of_throttle: true,
            }));
        }
        Err(Failure::Refused { code, .. }) if is_not_there(&code) => {
            return not_there(sending, code).await.map(Ok);
        }
        Err(Failure::Unknown { why } | Failure::NotSent { why }) => {
            return fetch_again(sending, why).await.map(Ok);
        }
        Err(failure) => return Ok(Err(failure)),
    };
    let uploaded = clients
        .slack
        .upload_file(&picture.name, fetched.bytes)
        .await;
    Ok(match uploaded {
        Ok(file) => Ok(Outcome::Uploaded(Some(file))),
        // Seen by nobody: it can simply be done again.
        Err(Failure::Unknown { why }) => Err(Failure::NotSent { why }),
        Err(failure) => Err(failure),
    })
}

/// Whether the body is an HTML page: an error, even with status 200.
fn is_page(content_type: &str) -> bool {
    content_type
        .trim_start()
        .to_ascii_lowercase()
        .starts_with("text/html")
}

async fn not_there(sending: Sending<'_>, code: String) -> anyhow::Result<Outcome> {
    let Sending { app, row, .. } = sending;
    let before = tried_before(app, row, ReasonCode::NotThere).await?;
    Ok(match NOT_THERE_AGAIN.get(before) {
        Some(seconds) => Outcome::Again {
            after: delivery::scaled(app.config.delivery.settle_after, *seconds),
            why: Reason::of(ReasonCode::NotThere, "the file is not at Twilio yet"),
        },
        None => Outcome::Refused {
            why: format!("{code}: the file is not at Twilio"),
            code,
        },
    })
}

async fn fetch_again(sending: Sending<'_>, why: String) -> anyhow::Result<Outcome> {
    let Sending {
        app, row, attempt, ..
    } = sending;
    let before = tried_before(app, row, ReasonCode::FromTwilio).await?;
    let age = app.clock.now().duration_since(row.created());
    let why = format!("from Twilio: {why}");
    Ok(if before >= PATIENT_TRIES && age > PATIENT_FOR {
        Outcome::Refused {
            code: "no_answer".into(),
            why,
        }
    } else {
        Outcome::Again {
            after: back_off(app, attempt.n),
            why: Reason::of(ReasonCode::FromTwilio, why),
        }
    })
}

/// How many attempts ended for such a reason.
async fn tried_before(app: &App, row: &Row, code: ReasonCode) -> anyhow::Result<usize> {
    let attempts = outbox::attempts(&app.store, &row.id).await?;
    let such = attempts.iter().filter(|before| before.is_because(code));
    Ok(such.count())
}

/// Shows the uploaded file in the thread.
async fn show(
    clients: &Clients,
    picture: &InboundFile,
    file: &str,
    place: &Place,
) -> Result<Outcome, Failure> {
    let (name, Place { channel, thread }) = (&picture.name, place);
    match clients.slack.share_file(file, name, channel, thread).await {
        // Slack knows an upload no longer once it is shown, or where it was left alone too long.
        Err(Failure::Refused { code, .. }) if code == "file_not_found" => {
            let shown = clients.slack.replies(channel, thread, None).await?;
            Ok(match find(&shown, file) {
                Some(found) => found,
                None => Outcome::Uploaded(None),
            })
        }
        shared => shared.map(|()| done(file.to_owned(), None)),
    }
}

fn find(messages: &[ThreadMessage], file: &str) -> Option<Outcome> {
    let has_it = |message: &&ThreadMessage| message.files.iter().any(|shown| shown.id == file);
    messages.iter().find(has_it).map(|_| Outcome::Delivered {
        external_id: file.to_owned(),
        posted_in: None,
        proof: "Slack's history",
    })
}

/// Looks whether the file stands in the thread.
pub(in crate::outbox) async fn look(
    app: &App,
    clients: &Clients,
    row: &Row,
    tried: &Attempt,
) -> Answer {
    let Delivery::InboundFile(InboundFile {
        uploaded: Some(file),
        ..
    }) = row.delivery()?
    else {
        anyhow::bail!("outbox row {} has uploaded no file", row.id)
    };
    let conversation = conversations::by_id(&app.store, &row.conversation_id).await?;
    let channel = ChannelId::new(&conversation.channel);
    let thread = MessageTs::parse(&conversation.thread_ts)?;
    let since =
        MessageTs::from_timestamp(tried.started().checked_sub(SignedDuration::from_secs(60))?);
    let replies = clients.slack.replies(&channel, &thread, Some(&since)).await;
    Ok(replies.map(|messages| find(&messages, &file).unwrap_or(Outcome::Absent)))
}
