//! Files that came with a caller's text: each gets a row behind the words, or a notice names it as not shown.

use std::time::Duration;

use crate::bridge::wording::pictures;
use crate::delivery::{self, Delivery, InboundFile};
use crate::store::conversations::Conversation;
use crate::store::outbox::{Attempt, Row};
use crate::store::{Tx, conversations, lanes, outbox};
use crate::twilio::form::InboundSms;
use crate::vocabulary::{AttemptResult, DeliveryState, MessageId, OutboxId};

/// More than this Twilio sends with no text.
const MOST: usize = 10;

/// The files of one text.
pub(crate) struct InboundMedia {
    /// The names of what follows the words.
    pub(crate) to_be_shown: Vec<String>,
    files: Vec<File>,
    /// How many more there were.
    left_out: usize,
}

struct File {
    name: String,
    content_type: String,
    fate: FileState,
}

enum FileState {
    /// Its SID.
    Shown(String),
    /// Nothing that a phone sends.
    OfNoKind,
    /// Its address is none of this text's.
    Lost,
}

impl InboundMedia {
    pub(crate) fn of(sms: &InboundSms) -> InboundMedia {
        let came = usize::try_from(sms.num_media).unwrap_or(usize::MAX);
        let mut files = Vec::new();
        for (index, media) in sms.media.iter().take(MOST).enumerate() {
            let account = sms.account_sid.as_ref();
            let sid = account.and_then(|account| media.sid(account, &sms.message_sid));
            let fate = match (pictures::is_shown(&media.content_type), sid) {
                (false, _) => FileState::OfNoKind,
                (true, Some(sid)) => FileState::Shown(sid.to_owned()),
                (true, None) => FileState::Lost,
            };
            files.push(File {
                name: pictures::name(&media.content_type, index + 1),
                content_type: media.content_type.clone(),
                fate,
            });
        }
        let shown = files
            .iter()
            .filter(|file| matches!(file.fate, FileState::Shown(_)));
        InboundMedia {
            to_be_shown: shown.map(|file| file.name.clone()).collect(),
            left_out: came.max(sms.media.len()).saturating_sub(files.len()),
            files,
        }
    }
}

/// The row that posts the words of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Words<'a> {
    Posted(&'a OutboxId),
    /// In a list: there is no thread yet that could show files.
    Listed(&'a OutboxId),
}

/// When the file of a listed text is looked at though nothing has told that its caller has a thread.
const LISTED: Duration = Duration::from_mins(5);

/// Asks for everything that came with a text, whose words go first.
pub(crate) async fn enqueue(
    tx: &mut Tx,
    conversation: &Conversation,
    (message_id, words): (&MessageId, Words<'_>),
    sms: &InboundSms,
    enclosed: &InboundMedia,
) -> anyhow::Result<()> {
    let (Words::Posted(post) | Words::Listed(post)) = words;
    let text = sms.message_sid.as_str();
    let mut behind = OutboxId::default();
    let mut not_shown = Vec::new();
    for file in &enclosed.files {
        match &file.fate {
            FileState::Shown(sid) => {
                let picture = Delivery::InboundFile(InboundFile {
                    message_sid: text.to_owned(),
                    media_sid: sid.clone(),
                    content_type: file.content_type.clone(),
                    name: file.name.clone(),
                    after: post.clone(),
                    behind,
                    uploaded: None,
                });
                let lane = delivery::picture_lane(&conversation.line, text, sid);
                behind = delivery::enqueue(
                    tx,
                    &lane,
                    Some(&conversation.id),
                    Some(message_id),
                    &picture,
                )
                .await?;
                if let Words::Listed(_) = words {
                    let later = tx.after(LISTED);
                    outbox::set_state(tx, &behind, DeliveryState::Waiting, later, "").await?;
                    lanes::advance(tx, &lane.id).await?;
                }
            }
            FileState::OfNoKind => {
                not_shown.push(pictures::of_no_kind(&file.name, &file.content_type))
            }
            FileState::Lost => not_shown.push(pictures::lost(&file.name, "")),
        }
    }
    if enclosed.left_out > 0 {
        not_shown.push(pictures::left_out(enclosed.left_out));
    }
    if !not_shown.is_empty() {
        let notice = not_shown.join("\n").into();
        delivery::enqueue_notice(tx, &conversation.line, &conversation.id, notice).await?;
    }
    Ok(())
}

/// Stores the ID of an uploaded file, or that the upload is lost. The row is then tried again for its next step.
pub(crate) async fn uploaded(
    tx: &mut Tx,
    row: &Row,
    attempt: &Attempt,
    file: Option<&str>,
) -> anyhow::Result<()> {
    let Delivery::InboundFile(picture) = row.delivery()? else {
        anyhow::bail!("outbox row {} is no picture", row.id)
    };
    let next = Delivery::InboundFile(InboundFile {
        uploaded: file.map(str::to_owned),
        ..picture
    });
    let (outcome, after) = match file {
        Some(_) => (AttemptResult::Uploaded, Duration::ZERO),
        None if row.attempts < UPLOADS_LOST_AT_MOST => (AttemptResult::Lost, UPLOAD_AGAIN),
        None => {
            let why = "Slack loses every upload";
            outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::Refused, why).await?;
            outbox::set_state(tx, &row.id, DeliveryState::Refused, 0, why).await?;
            return lost(tx, row, "upload_lost").await;
        }
    };
    outbox::finish_attempt(tx, &row.id, attempt.n, outcome, file.unwrap_or_default()).await?;
    outbox::set_payload(tx, &row.id, next.kind(), &next.payload()).await?;
    outbox::set_state(tx, &row.id, DeliveryState::Waiting, tx.after(after), "").await
}

/// After how many attempts of all kinds no further upload is made.
const UPLOADS_LOST_AT_MOST: i64 = 30;

/// How long Slack is left alone after it has lost an upload.
const UPLOAD_AGAIN: Duration = Duration::from_secs(10);

/// Tells the thread that a file is lost.
pub(crate) async fn lost(tx: &mut Tx, row: &Row, code: &str) -> anyhow::Result<()> {
    let Delivery::InboundFile(picture) = row.delivery()? else {
        anyhow::bail!("outbox row {} is no picture", row.id)
    };
    let conversation = conversations::by_id(&mut *tx, &row.conversation_id).await?;
    tracing::warn!(outbox = %row.id, code, "a caller's file could not be shown");
    let sentence = pictures::lost(&picture.name, code);
    delivery::enqueue_notice(tx, &conversation.line, &conversation.id, sentence.into()).await
}
