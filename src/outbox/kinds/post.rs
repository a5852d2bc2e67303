//! Posts in Slack: in a conversation's thread, as the root of a new one, in the channel.

use std::collections::BTreeMap;

use crate::app::App;
use crate::bridge::desk::post_form::{self, Form};
use crate::clients::Clients;
use crate::delivery::{Content, Outcome, PostedIn};
use crate::outbox::attempt::done;
use crate::remote::Failure;
use crate::slack::client::{Metadata, Post};
use crate::slack::refusal::{is_about_channel, is_about_content, is_about_thread};
use crate::slack::{ChannelId, MessageTs};
use crate::store::conversations::Conversation;
use crate::store::outbox::{Attempt, Row};
use crate::vocabulary::Kind;

/// The `event_type` of the metadata by which a post of ours is found again.
pub(in crate::outbox) const METADATA_TYPE: &str = "qdn_delivery";

pub(in crate::outbox) fn metadata(row: &Row, attempt: &Attempt) -> Metadata {
    // Values stay strings: numbers in metadata make some readers lose the whole message.
    let payload = [
        ("outbox", row.id.clone()),
        ("attempt", attempt.n.to_string()),
    ];
    Metadata {
        event_type: METADATA_TYPE.to_owned(),
        event_payload: BTreeMap::from(payload.map(|(key, value)| (key.to_owned(), value))),
    }
}

fn post(
    channel: ChannelId,
    thread_ts: Option<MessageTs>,
    content: &Content,
    row: &Row,
    attempt: &Attempt,
) -> Post {
    Post {
        channel,
        thread_ts,
        text: content.text.clone(),
        blocks: content.blocks.clone(),
        reply_broadcast: false,
        metadata: Some(metadata(row, attempt)),
    }
}

/// The channel that a line or an announcement names, or why there is none.
pub(in crate::outbox) async fn channel(app: &App, configured: &str) -> Result<ChannelId, Failure> {
    app.directory
        .channel_id(configured)
        .await?
        .ok_or_else(|| Failure::Refused {
            code: "channel_not_found".into(),
            message: format!("there is no channel {configured} that the bot can see"),
        })
}

/// A channel may be made anew under the same name: then its id is another.
fn forget_if_gone(app: &App, configured: &str, failure: &Failure) {
    if matches!(failure, Failure::Refused { code, .. } if code == "channel_not_found") {
        app.directory.forget_channel(configured);
    }
}

pub(in crate::outbox) async fn begin_thread(
    app: &App,
    clients: &Clients,
    row: &Row,
    attempt: &Attempt,
    conversation: &Conversation,
    content: &Content,
) -> Result<Outcome, Failure> {
    let Some(line) = app.config.line_of(&conversation.line) else {
        return Ok(Outcome::Blocked {
            why: "its line is no longer in the configuration".into(),
            is_of_throttle: false,
        });
    };
    let channel = channel(app, &line.channel).await?;
    let posted = post_plainer(clients, post(channel, None, content, row, attempt))
        .await
        .inspect_err(|failure| forget_if_gone(app, &line.channel, failure))?;
    let posted_in = PostedIn {
        channel: posted.channel.as_str().to_owned(),
        root: posted.ts.as_str().to_owned(),
    };
    Ok(done(posted.ts.as_str().to_owned(), Some(posted_in)))
}

/// A list of new callers, in the channel of their line.
pub(in crate::outbox) async fn list(
    app: &App,
    clients: &Clients,
    row: &Row,
    attempt: &Attempt,
    (line, content): (&str, &Content),
) -> Result<Outcome, Failure> {
    let Some(line) = app.config.line_of(line) else {
        return Ok(Outcome::Blocked {
            why: "its line is no longer in the configuration".into(),
            is_of_throttle: false,
        });
    };
    announce(app, clients, row, attempt, (&line.channel, ""), content).await
}

pub(in crate::outbox) struct Thread<'a> {
    pub(in crate::outbox) broadcast: bool,
    pub(in crate::outbox) reply: &'a Content,
    pub(in crate::outbox) root: &'a Content,
}

pub(in crate::outbox) async fn post_in_thread(
    app: &App,
    clients: &Clients,
    row: &Row,
    attempt: &Attempt,
    conversation: &Conversation,
    thread: Thread<'_>,
) -> Result<Outcome, Failure> {
    let channel = ChannelId::new(&conversation.channel);
    let root = MessageTs::parse(&conversation.thread_ts).ok();
    let mut post = post(channel, root, thread.reply, row, attempt);
    post.reply_broadcast = thread.broadcast;
    let posted = match post_plainer(clients, post).await {
        Err(Failure::Refused { code, .. }) if is_about_thread(&code) => {
            return begin_thread(app, clients, row, attempt, conversation, thread.root).await;
        }
        Err(Failure::Refused { code, .. })
            if is_about_channel(&code) && has_moved(app, conversation).await? =>
        {
            return begin_thread(app, clients, row, attempt, conversation, thread.root).await;
        }
        other => other?,
    };
    let ts = posted.ts.as_str().to_owned();
    let root = match &posted.thread_ts {
        Some(root) => root.as_str().to_owned(),
        None => {
            // The root was deleted: Slack has put this into the channel, without an error. It is the root now,
            // and should say who is texting; if that cannot be changed it still works as one.
            if let Err(failure) =
                super::thread_header::edit(clients, &posted.channel, &posted.ts, thread.root).await
            {
                tracing::warn!(outbox = row.id, %failure, "a new root keeps the words of a reply");
            }
            ts.clone()
        }
    };
    Ok(done(
        ts,
        Some(PostedIn {
            channel: posted.channel.as_str().to_owned(),
            root,
        }),
    ))
}

/// Whether the line has another channel by now than the one its conversation was begun in.
async fn has_moved(app: &App, conversation: &Conversation) -> Result<bool, Failure> {
    let Some(line) = app.config.line_of(&conversation.line) else {
        return Ok(false);
    };
    let now = app.directory.channel_id(&line.channel).await?;
    Ok(now.is_some_and(|channel| channel.as_str() != conversation.channel))
}

pub(in crate::outbox) async fn announce(
    app: &App,
    clients: &Clients,
    row: &Row,
    attempt: &Attempt,
    (configured, thread_ts): (&str, &str),
    content: &Content,
) -> Result<Outcome, Failure> {
    let channel = channel(app, configured).await?;
    let root = MessageTs::parse(thread_ts).ok();
    let is_in_thread = root.is_some();
    let posted = match post_plainer(clients, post(channel, root, content, row, attempt)).await {
        // A word in an old thread that takes none any more is worth nothing.
        Err(Failure::Refused { code, .. }) if is_in_thread && !is_about_channel(&code) => {
            tracing::info!(outbox = row.id, code, "an old thread takes no more words");
            return Ok(done(String::new(), None));
        }
        other => other.inspect_err(|failure| forget_if_gone(app, configured, failure))?,
    };
    if is_in_thread && posted.thread_ts.is_none() {
        // The old thread is gone, and Slack has put this into the channel, where it means nothing.
        let deleted = clients
            .slack
            .delete_message(&posted.channel, &posted.ts)
            .await;
        if let Err(failure) = deleted {
            tracing::warn!(outbox = row.id, %failure, "a word for a thread that is gone stays in the channel");
        }
    }
    let root = posted.thread_ts.as_ref().unwrap_or(&posted.ts);
    let posted_in = PostedIn {
        channel: posted.channel.as_str().to_owned(),
        root: root.as_str().to_owned(),
    };
    Ok(done(posted.ts.as_str().to_owned(), Some(posted_in)))
}

/// Posts a message. If Slack refuses its blocks, posts it as bare text.
pub(in crate::outbox) async fn post_plainer(
    clients: &Clients,
    post: Post,
) -> Result<crate::slack::client::Posted, Failure> {
    let refused = match clients.slack.post_message(&post).await {
        Err(Failure::Refused { code, .. }) if post.blocks.is_some() && is_about_content(&code) => {
            code
        }
        other => return other,
    };
    tracing::warn!(
        code = refused,
        "Slack refused a message's blocks or length: it is posted as bare text"
    );
    let plain = post_form::content(
        Form::Plain,
        &Content {
            text: post.text.clone(),
            blocks: None,
        },
        "",
    );
    clients
        .slack
        .post_message(&Post {
            blocks: None,
            text: plain.text,
            ..post
        })
        .await
}

/// A channel that refuses us may have been made anew under its name: it is looked up again.
pub(in crate::outbox) fn forget_channel(app: &App, row: &Row, failure: &Failure) {
    let Failure::Refused { code, .. } = failure else {
        return;
    };
    if row.kind == Kind::Sms || !is_about_channel(code) {
        return;
    }
    for line in &app.config.lines {
        app.directory.forget_channel(&line.channel);
    }
}
