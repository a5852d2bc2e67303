//! Shows something to one person alone.

use super::{Answer, Sending, done};
use crate::bridge::desk::{newcomers, post_form};
use crate::bridge::wording;
use crate::delivery::{Content, Outcome};
use crate::remote::Failure;
use crate::slack::client::Ephemeral;
use crate::slack::{ChannelId, MessageTs, UserId};
use crate::store::{listed, outbox};
use crate::vocabulary::OutboxId;

/// The most characters shown to one person in one message.
const AT_ONCE: usize = 3_000;

pub(super) async fn send(
    sending: Sending<'_>,
    place: (&str, &str, &str),
    content: &Content,
) -> Result<Outcome, Failure> {
    show(sending, place, content).await?;
    Ok(done(String::new(), None))
}

/// Shows one person the words of a post that Slack did not take, as bare text.
pub(super) async fn show_words(
    sending: Sending<'_>,
    of: &OutboxId,
    place: (&str, &str, &str),
) -> Answer {
    let app = sending.app;
    let posted = outbox::by_id(&app.store, of).await?;
    let mut words = posted.map_or_else(String::new, |row| post_form::words(&row));
    let listed = listed::opened_by(&app.store, of).await?;
    if !listed.is_empty() {
        words = newcomers::above(app, &listed, words.into())?.text;
    }
    if words.trim().is_empty() {
        words = wording::delivery::words_are_gone();
    }
    let characters: Vec<char> = words.chars().collect();
    for part in characters.chunks(AT_ONCE) {
        let part: String = part.iter().collect();
        if let Err(failure) = show(sending, place, &part.into()).await {
            return Ok(Err(failure));
        }
    }
    Ok(Ok(done(String::new(), None)))
}

async fn show(
    sending: Sending<'_>,
    (channel, user, thread_ts): (&str, &str, &str),
    content: &Content,
) -> Result<(), Failure> {
    let message = Ephemeral {
        channel: ChannelId::new(channel),
        user: UserId::new(user),
        thread_ts: MessageTs::parse(thread_ts).ok(),
        text: &content.text,
        blocks: content.blocks.as_ref(),
    };
    sending.clients.slack.post_ephemeral(&message).await
}
