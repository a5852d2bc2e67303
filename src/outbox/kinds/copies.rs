//! Deletes copies of a post that was sent twice: Slack may accept the first request long after two looks have not found it.

use jiff::SignedDuration;

use super::{Answer, Sending};
use crate::app::App;
use crate::clients::Clients;
use crate::delivery::{Outcome, PostedIn};
use crate::outbox::settle;
use crate::remote::Failure;
use crate::slack::client::ThreadMessage;
use crate::slack::{ChannelId, MessageTs};
use crate::store::outbox;
use crate::store::outbox::{Attempt, Row};
use crate::vocabulary::OutboxId;

/// Deletes every copy but the known one. A header message with replies stays: its replies are for the caller.
pub(super) async fn clear(
    sending: Sending<'_>,
    of: &OutboxId,
    (channel, root): (&str, &str),
) -> Answer {
    let Sending { app, clients, .. } = sending;
    let row = outbox::by_id(&app.store, of).await?;
    let attempts = outbox::attempts(&app.store, of).await?;
    let (Some(row), Some(first)) = (row, attempts.iter().find(|one| one.is_in_vain())) else {
        return Ok(Ok(Outcome::Cleared {
            answered: Vec::new(),
        }));
    };
    let root = MessageTs::parse(root).ok();
    let root = root.filter(|root| root.as_str() != row.external_id);
    Ok(look(app, clients, &row, first, (ChannelId::new(channel), root)).await)
}

async fn look(
    app: &App,
    clients: &Clients,
    row: &Row,
    first: &Attempt,
    (channel, root): (ChannelId, Option<MessageTs>),
) -> Result<Outcome, Failure> {
    let began = settle::began_outside(app, clients, first);
    let since = began.checked_sub(SignedDuration::from_secs(60));
    let since = since.ok().map(MessageTs::from_timestamp);
    let mut seen = clients
        .slack
        .history(&channel, since.as_ref(), None)
        .await?;
    if let Some(root) = &root {
        match clients.slack.replies(&channel, root, since.as_ref()).await {
            // Its thread is gone, and the copies in it.
            Err(Failure::Refused { code, .. }) if code == "thread_not_found" => {}
            other => seen.extend(other?),
        }
    }
    let is_copy = |message: &&ThreadMessage| {
        message.ts.as_str() != row.external_id && settle::bears_id(message, &row.id)
    };
    let mut answered = Vec::new();
    for copy in seen.iter().filter(is_copy) {
        if settle::is_answered(copy) {
            answered.push(PostedIn {
                channel: channel.as_str().to_owned(),
                root: copy.ts.as_str().to_owned(),
            });
            continue;
        }
        clients.slack.delete_message(&channel, &copy.ts).await?;
    }
    Ok(Outcome::Cleared { answered })
}
