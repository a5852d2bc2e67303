//! Posts in Slack: in a conversation's thread, as the root of a new one, in the channel.

use std::collections::BTreeMap;

use super::thread_header::edit;
use super::{Answer, Sending, done};
use crate::app::App;
use crate::bridge::desk::newcomers;
use crate::bridge::desk::post_form::{self, Form};
use crate::bridge::desk::thread_header::{self, Neighbours};
use crate::clients::Clients;
use crate::delivery::{Content, Outcome, PostedIn};
use crate::remote::Failure;
use crate::slack::client::{Metadata, Post};
use crate::slack::refusal::{is_about_channel, is_about_content, is_about_thread};
use crate::slack::{ChannelId, MessageTs};
use crate::store::conversations::{self, Conversation};
use crate::store::listed;
use crate::store::outbox::Row;
use crate::vocabulary::Kind;

/// The `event_type` of the metadata by which a post of ours is found again.
pub(in crate::outbox) const METADATA_TYPE: &str = "qdn_delivery";

pub(super) fn metadata(sending: Sending<'_>) -> Metadata {
    // Values stay strings: numbers in metadata make some readers lose the whole message.
    let payload = [
        ("outbox", sending.row.id.to_string()),
        ("attempt", sending.attempt.n.to_string()),
    ];
    Metadata {
        event_type: METADATA_TYPE.to_owned(),
        event_payload: BTreeMap::from(payload.map(|(key, value)| (key.to_owned(), value))),
    }
}

fn post(
    sending: Sending<'_>,
    channel: ChannelId,
    thread_ts: Option<MessageTs>,
    content: &Content,
) -> Post {
    Post {
        channel,
        thread_ts,
        text: content.text.clone(),
        blocks: content.blocks.clone(),
        reply_broadcast: false,
        metadata: Some(metadata(sending)),
    }
}

/// The channel that a line or an announcement names, or why there is none.
async fn channel(app: &App, configured: &str) -> Result<ChannelId, Failure> {
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

/// Posts what a conversation's thread gets next: as a reply, or as the header of a new thread.
pub(super) async fn send(
    sending: Sending<'_>,
    reply: Content,
    root: Option<Content>,
    new_thread: bool,
    broadcast: bool,
) -> Answer {
    let Sending { app, row, form, .. } = sending;
    let conversation = conversations::by_id(&app.store, &row.conversation_id).await?;
    let mut body = root.unwrap_or_else(|| reply.clone());
    if conversation.thread_ts.is_empty() {
        let listed = listed::waiting(&app.store, &conversation.id).await?;
        body = newcomers::above(app, &listed, body)?;
    }
    let body = post_form::content(form, &body, &row.id);
    let reply = post_form::content(form, &reply, &row.id);
    let neighbours = Neighbours {
        channel: &conversation.channel,
        previous_ts: if new_thread {
            &conversation.thread_ts
        } else {
            ""
        },
        next_ts: "",
    };
    let mut header = thread_header::compose(app, &conversation, &body, neighbours).await?;
    if form == Form::Plain {
        header.blocks = None;
    }
    Ok(if new_thread || conversation.thread_ts.is_empty() {
        begin_thread(sending, &conversation, &header).await
    } else {
        let thread = Thread {
            broadcast,
            reply: &reply,
            header: &header,
        };
        post_in_thread(sending, &conversation, thread).await
    })
}

async fn begin_thread(
    sending: Sending<'_>,
    conversation: &Conversation,
    header: &Content,
) -> Result<Outcome, Failure> {
    let Sending { app, clients, .. } = sending;
    let Some(line) = app.config.line_of(&conversation.line) else {
        return Ok(line_is_gone());
    };
    let channel = channel(app, &line.channel).await?;
    let posted = post_plainer(clients, post(sending, channel, None, header))
        .await
        .inspect_err(|failure| forget_if_gone(app, &line.channel, failure))?;
    let posted_in = PostedIn {
        channel: posted.channel.as_str().to_owned(),
        root: posted.ts.as_str().to_owned(),
    };
    Ok(done(posted.ts.as_str().to_owned(), Some(posted_in)))
}

fn line_is_gone() -> Outcome {
    Outcome::Blocked {
        why: "its line is no longer in the configuration".into(),
        is_of_throttle: false,
    }
}

/// Posts a list of new callers in the channel of their line.
pub(super) async fn list(sending: Sending<'_>, line: &str) -> Answer {
    let Sending { app, row, form, .. } = sending;
    let Some(list) = newcomers::compose(app, &row.id).await? else {
        return Ok(Ok(done(String::new(), None)));
    };
    let list = post_form::content(form, &list, &row.id);
    let Some(line) = app.config.line_of(line) else {
        return Ok(Ok(line_is_gone()));
    };
    Ok(post_in_channel(sending, (&line.channel, ""), &list).await)
}

struct Thread<'a> {
    broadcast: bool,
    reply: &'a Content,
    /// The header of a new thread, if this one takes no more replies.
    header: &'a Content,
}

async fn post_in_thread(
    sending: Sending<'_>,
    conversation: &Conversation,
    thread: Thread<'_>,
) -> Result<Outcome, Failure> {
    let Sending { app, clients, .. } = sending;
    let channel = ChannelId::new(&conversation.channel);
    let root = MessageTs::parse(&conversation.thread_ts).ok();
    let mut post = post(sending, channel, root, thread.reply);
    post.reply_broadcast = thread.broadcast;
    let posted = match post_plainer(clients, post).await {
        Err(Failure::Refused { code, .. }) if is_about_thread(&code) => {
            return begin_thread(sending, conversation, thread.header).await;
        }
        Err(Failure::Refused { code, .. })
            if is_about_channel(&code) && has_moved(app, conversation).await? =>
        {
            return begin_thread(sending, conversation, thread.header).await;
        }
        other => other?,
    };
    let ts = posted.ts.as_str().to_owned();
    let root = match &posted.thread_ts {
        Some(root) => root.as_str().to_owned(),
        None => {
            // The root was deleted: Slack has put this into the channel, without an error. It is the root now,
            // and should say who is texting; if that cannot be changed it still works as one.
            if let Err(failure) = edit(clients, &posted.channel, &posted.ts, thread.header).await {
                tracing::warn!(outbox = %sending.row.id, %failure, "a new header keeps the words of a reply");
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

/// Posts in a line's channel, or in the thread at `thread_ts` if it is not empty.
pub(super) async fn announce(
    sending: Sending<'_>,
    place: (&str, &str),
    content: &Content,
) -> Result<Outcome, Failure> {
    let content = post_form::content(sending.form, content, &sending.row.id);
    post_in_channel(sending, place, &content).await
}

async fn post_in_channel(
    sending: Sending<'_>,
    (configured, thread_ts): (&str, &str),
    content: &Content,
) -> Result<Outcome, Failure> {
    let Sending {
        app, clients, row, ..
    } = sending;
    let channel = channel(app, configured).await?;
    let root = MessageTs::parse(thread_ts).ok();
    let is_in_thread = root.is_some();
    let posted = match post_plainer(clients, post(sending, channel, root, content)).await {
        // A word in an old thread that takes none any more is worth nothing.
        Err(Failure::Refused { code, .. }) if is_in_thread && !is_about_channel(&code) => {
            tracing::info!(outbox = %row.id, code, "an old thread takes no more words");
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
            tracing::warn!(outbox = %row.id, %failure, "a word for a thread that is gone stays in the channel");
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
async fn post_plainer(
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
