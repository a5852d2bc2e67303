//! Brings a voicemail into the thread, once: fetches it from Twilio, uploads it to Slack, shares it.
//!
//! Nobody sees any step before the last, so all of them can be repeated. The last step works once. If its answer is lost,
//! the thread is searched for the file, whose name is unique.

use std::time::{Duration, Instant};

use jiff::SignedDuration;

use super::{Answer, Sending, done, post};
use crate::app::App;
use crate::bridge::wording;
use crate::clients::Clients;
use crate::delivery::{Delivery, Outcome};
use crate::outbox::{attempt, settle};
use crate::remote::Failure;
use crate::slack::client::Post;
use crate::slack::{ChannelId, MessageTs};
use crate::store::conversations;
use crate::store::outbox::{Attempt, Row};

/// How long to wait for a recording that is not there yet, and for a thread that is not begun yet.
const NOT_YET: Duration = Duration::from_secs(1);

/// The longest wait between two attempts.
const NOT_YET_AT_MOST: Duration = Duration::from_secs(60);

/// From when on a recording that is not there will not come.
const GIVEN_UP: SignedDuration = SignedDuration::from_mins(30);

/// How many requests' time everything before the last step may take: that one must end before the attempt is given up.
const IN_TIME: u32 = attempt::REQUESTS - 1;

/// How often that is insisted on; a slow network must not keep a recording away for ever.
const PATIENT_TRIES: i64 = 3;

pub(super) async fn send(sending: Sending<'_>, recording: &str, file: &str, title: &str) -> Answer {
    let Sending {
        app,
        clients,
        row,
        attempt,
        ..
    } = sending;
    let began = Instant::now();
    let conversation = conversations::by_id(&app.store, &row.conversation_id).await?;
    let is_old = app.clock.now().duration_since(row.created()) > GIVEN_UP;
    let Ok(thread) = MessageTs::parse(&conversation.thread_ts) else {
        return Ok(if is_old {
            Err(Failure::Refused {
                code: "no_thread".into(),
                message: "its conversation has no thread".into(),
            })
        } else {
            Ok(again(attempt, "the thread is not begun yet"))
        });
    };
    let channel = ChannelId::new(&conversation.channel);
    let bytes = match clients.twilio.recording(recording).await {
        Ok(bytes) => bytes,
        // Right after the call it may not be there yet, whatever the callback says.
        Err(Failure::Refused { code, .. }) if !is_old && is_not_there(&code) => {
            return Ok(Ok(again(attempt, "the recording is not there yet")));
        }
        Err(Failure::Refused { code, .. }) if is_credentials(&code) && !is_old => {
            let why = "Twilio does not accept the credentials for a recording".to_owned();
            return Ok(Ok(Outcome::Blocked {
                why,
                // It leaves by the throttle of Slack's channel, which this says nothing about.
                is_of_throttle: false,
            }));
        }
        Err(Failure::Refused { code, .. }) => {
            return Ok(say_lost(sending, &channel, &thread, &code).await);
        }
        Err(Failure::Unknown { .. } | Failure::NotSent { .. }) if is_old => {
            return Ok(say_lost(sending, &channel, &thread, "no answer").await);
        }
        Err(failure) => return Ok(Err(unseen(failure))),
    };
    let slack = &clients.slack;
    let shared = async {
        let id = slack.upload_file(file, bytes).await.map_err(unseen)?;
        let in_time = app.config.delivery.request_timeout * IN_TIME;
        if began.elapsed() > in_time && attempt.n <= PATIENT_TRIES {
            return Ok(again(attempt, "it took too long to fetch and upload"));
        }
        slack.share_file(&id, title, &channel, &thread).await?;
        Ok(done(id, None))
    };
    Ok(shared.await)
}

fn again(attempt: &Attempt, why: &str) -> Outcome {
    let tries = u32::try_from(attempt.n).unwrap_or(u32::MAX);
    Outcome::Again {
        after: NOT_YET.saturating_mul(tries).min(NOT_YET_AT_MOST),
        why: why.into(),
    }
}

/// The host that Twilio sends us on to refuses an address that has expired; the next one is new.
pub(in crate::outbox) fn is_not_there(code: &str) -> bool {
    code == "http 404" || code.starts_with("elsewhere http 4")
}

fn is_credentials(code: &str) -> bool {
    matches!(code, "http 401" | "http 403")
}

/// The outcome of a failed step that nobody saw: the step is repeated.
fn unseen(failure: Failure) -> Failure {
    match failure {
        Failure::Unknown { why } => Failure::NotSent { why },
        other => other,
    }
}

/// Tells the thread that the voicemail is lost, and where it can be heard.
async fn say_lost(
    sending: Sending<'_>,
    channel: &ChannelId,
    thread: &MessageTs,
    why: &str,
) -> Result<Outcome, Failure> {
    tracing::error!(
        outbox = %sending.row.id,
        why,
        "a caller's recording could not be fetched from Twilio"
    );
    let post = Post {
        channel: channel.clone(),
        thread_ts: Some(thread.clone()),
        text: wording::calls::recording_lost(why),
        blocks: None,
        reply_broadcast: false,
        metadata: Some(post::metadata(sending)),
    };
    let posted = sending.clients.slack.post_message(&post).await?;
    Ok(done(posted.ts.as_str().to_owned(), None))
}

/// Searches the thread for the file, or for the notice that it is lost.
pub(in crate::outbox) async fn look(
    app: &App,
    clients: &Clients,
    row: &Row,
    tried: &Attempt,
) -> Answer {
    let Delivery::Recording { file, .. } = row.delivery()? else {
        anyhow::bail!("outbox row {} is no recording", row.id)
    };
    let conversation = conversations::by_id(&app.store, &row.conversation_id).await?;
    let channel = ChannelId::new(&conversation.channel);
    let thread = MessageTs::parse(&conversation.thread_ts)?;
    let since = MessageTs::from_timestamp(
        settle::began_outside(app, clients, tried).checked_sub(SignedDuration::from_secs(60))?,
    );
    let messages = match clients.slack.replies(&channel, &thread, Some(&since)).await {
        Ok(messages) => messages,
        Err(failure) => return Ok(Err(failure)),
    };
    let found = messages.iter().find(|message| {
        let has_file = message
            .files
            .iter()
            .any(|shared| shared.name.as_deref() == Some(&file));
        has_file || settle::bears_id(message, &row.id)
    });
    Ok(Ok(match found {
        None => Outcome::Absent,
        Some(message) => Outcome::Delivered {
            external_id: message.ts.as_str().to_owned(),
            posted_in: None,
            proof: "Slack's history",
        },
    }))
}
