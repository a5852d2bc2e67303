//! Runs one attempt: sends the request and turns its answer, or the lack of one, into an outcome.

use std::time::Duration;

use anyhow::Context;
use jiff::SignedDuration;
use serde_json::json;
use tokio::time::{Instant, timeout, timeout_at};

use super::failed::{back_off, outcome_of};
use super::kinds::mark::mark;
use super::kinds::post::{self, Thread};
use super::kinds::{call, copies, inbound_file, recording, reply_files};
use super::{kinds, settle};
use crate::app::App;
use crate::bridge::deliveries::sms_status::Echo;
use crate::bridge::desk::post_form::{self, Form};
use crate::bridge::desk::thread_header::{self, Neighbours};
use crate::bridge::desk::{newcomers, opt_out};
use crate::bridge::replies::as_texts;
use crate::bridge::slack::home;
use crate::bridge::wording;
use crate::bridge::wording::opt_outs::OPTED_OUT;
use crate::bridge::wording::pictures::MEDIA_GONE;
use crate::callback;
use crate::clients::Clients;
use crate::clock::BootInstant;
use crate::delivery::{Delivery, Outcome, PostedIn, Unreadable};
use crate::media;
use crate::phone::{Address, PhoneNumber};
use crate::remote::Failure;
use crate::slack::{ChannelId, MessageTs, UserId, mrkdwn};
use crate::store::conversations::Conversation;
use crate::store::lanes::Claimed;
use crate::store::outbox::{Attempt, Row};
use crate::store::{conversations, listed, media as store_media, outbox};
use crate::twilio::client::NewMessage;
use crate::vocabulary::{Settle, UnknownWord};

/// The most requests of one attempt: a post whose thread is gone looks it up, posts again and edits.
pub(super) const REQUESTS: u32 = 3;

/// How long a form can still be shown: a `trigger_id` is good for 3 seconds.
const FORM_IN_TIME: SignedDuration = SignedDuration::from_secs(3);

/// How long a throttle rests after a 429 without Retry-After.
const REST: Duration = Duration::from_secs(1);

/// Runs the attempt that `claimed` recorded. Returns its outcome, and how long the vendor asked the whole throttle to rest.
pub(super) async fn run(
    app: &App,
    clients: &Clients,
    claimed: &Claimed,
    attempt: &Attempt,
) -> (Outcome, Option<Duration>) {
    // A process that was stopped between claim and request must not send what another has taken over, and what is
    // sent must end before anybody can take it over.
    let request_timeout = app.config.delivery.request_timeout;
    let allowed = request_timeout * REQUESTS;
    if BootInstant::now() + allowed + request_timeout > claimed.deadline {
        let why = "the lease was running out before the request left".to_owned();
        return (
            Outcome::Again {
                after: Duration::ZERO,
                why: why.into(),
            },
            None,
        );
    }
    crate::faultpoints::point("attempt.before_request");
    let answered = deliver_once(app, clients, claimed, attempt).await;
    crate::faultpoints::point("attempt.answered");
    match answered {
        Ok(Ok(outcome)) => (outcome, None),
        Ok(Err(failure)) => {
            post::forget_channel(app, &claimed.row, &failure);
            let rest = match &failure {
                // It was said by another endpoint than the throttle's: names are asked of Slack, recordings of Twilio.
                Failure::RateLimited { .. } if !limits_throttle(&claimed.row) => None,
                Failure::RateLimited { retry_after } => Some(retry_after.unwrap_or(REST)),
                _ => None,
            };
            (outcome_of(app, &claimed.row, attempt, failure), rest)
        }
        // What a later version wrote stays unknown however often it is tried.
        Err(error) if error.chain().any(|cause| cause.is::<UnknownWord>()) => {
            (Outcome::Unreadable(Unreadable::Fact), None)
        }
        Err(error) => {
            tracing::warn!(
                outbox = claimed.row.id,
                error = format!("{error:#}"),
                "a delivery could not be prepared; trying again"
            );
            (
                Outcome::Again {
                    after: back_off(app, attempt.n),
                    why: format!("{error:#}").into(),
                },
                None,
            )
        }
    }
}

/// Whether a 429 for this row limits its whole throttle.
fn limits_throttle(row: &Row) -> bool {
    let kind = row.kind.known();
    kind.is_none_or(|kind| kind.policy().limits_throttle)
}

/// Whether the row is a message in a channel, which Slack's history can show to be there.
fn is_post(row: &Row) -> bool {
    let kind = row.kind.known();
    kind.is_some_and(|kind| kind.policy().settle == Settle::SlackHistory)
}

/// Delivers the row. A post that seemed absent and was posted again may turn up: then one of the two is deleted.
async fn deliver_once(
    app: &App,
    clients: &Clients,
    claimed: &Claimed,
    attempt: &Attempt,
) -> anyhow::Result<Result<Outcome, Failure>> {
    let row = &claimed.row;
    let is_post = is_post(row);
    let request_timeout = app.config.delivery.request_timeout;
    let ends = Instant::now() + request_timeout * REQUESTS;
    // Read before the request leaves: nothing that goes wrong afterwards may make it leave again.
    let before = if is_post && attempt.n > 1 {
        timeout_at(ends, outbox::attempts(&app.store, &row.id)).await??
    } else {
        Vec::new()
    };
    let form = post_form::form(&before, attempt.n);
    let answered = match timeout_at(ends, deliver(app, clients, row, attempt, form)).await {
        Ok(answered) => answered?,
        Err(_) => Err(Failure::Unknown {
            why: "it took too long".into(),
        }),
    };
    let absent = before.iter().find(|before| before.is_in_vain());
    let (Some(absent), Ok(Outcome::Delivered { .. })) = (absent, &answered) else {
        return Ok(answered);
    };
    // The answer is known: a look that takes long must not make it unknown, nor outlast the lease.
    let left = claimed.deadline.ahead().saturating_sub(request_timeout);
    let look = settle::look_for_post(app, clients, row, absent);
    match timeout(left.min(request_timeout * REQUESTS), look).await {
        Ok(Ok(Ok(found @ Outcome::Delivered { .. }))) => Ok(Ok(found)),
        _ => Ok(answered),
    }
}

async fn deliver(
    app: &App,
    clients: &Clients,
    row: &Row,
    attempt: &Attempt,
    form: Form,
) -> anyhow::Result<Result<Outcome, Failure>> {
    Ok(match row.delivery()? {
        Delivery::Sms { body } => {
            let conversation = conversations::by_id(&app.store, &row.conversation_id).await?;
            text(app, clients, row, attempt, &conversation, body, &[]).await?
        }
        Delivery::Reply { slack_text, .. } => {
            let names = app.directory.names(&mrkdwn::mentions(&slack_text)).await;
            names.map(|names| Outcome::Resolved(as_texts::to_texts(app, &slack_text, &names)))
        }
        Delivery::Post {
            reply,
            root,
            new_thread,
            broadcast,
        } => {
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
            let mut root = thread_header::compose(app, &conversation, &body, neighbours).await?;
            if form == Form::Plain {
                root.blocks = None;
            }
            if new_thread || conversation.thread_ts.is_empty() {
                post::begin_thread(app, clients, row, attempt, &conversation, &root).await
            } else {
                let thread = Thread {
                    broadcast,
                    reply: &reply,
                    root: &root,
                };
                post::post_in_thread(app, clients, row, attempt, &conversation, thread).await
            }
        }
        Delivery::Announce {
            channel,
            content,
            thread_ts,
        } => {
            let content = post_form::content(form, &content, &row.id);
            post::announce(app, clients, row, attempt, (&channel, &thread_ts), &content).await
        }
        Delivery::Words {
            of,
            channel,
            user,
            thread_ts,
        } => show_words(app, clients, &of, (&channel, &user, &thread_ts)).await?,
        Delivery::List { line } => match newcomers::compose(app, &row.id).await? {
            Some(list) => {
                let list = post_form::content(form, &list, &row.id);
                post::list(app, clients, row, attempt, (&line, &list)).await
            }
            None => Ok(done(String::new(), None)),
        },
        Delivery::Listing { list } => kinds::thread_header::edit_list(app, clients, &list).await?,
        Delivery::Copies { of, channel, root } => {
            copies::clear(app, clients, &of, (&channel, &root)).await?
        }
        Delivery::Root { channel, ts } => {
            kinds::thread_header::bring_up_to_date(app, clients, row, &channel, &ts).await?
        }
        Delivery::Home { person, notice } => {
            let person = UserId::new(person);
            let view = home::compose(app, &person, &notice).await?;
            let shown = clients.slack.publish_view(&person, &view).await;
            shown.map(|()| done(String::new(), None))
        }
        Delivery::Answer { response_url, text } => answer(clients, row, &response_url, &text).await,
        Delivery::Update {
            channel,
            ts,
            content,
        } => {
            let ts = MessageTs::parse(&ts).context("the ts of a post of ours")?;
            clients
                .slack
                .update_message(
                    &ChannelId::new(channel),
                    &ts,
                    &content.text,
                    content.blocks.as_ref(),
                )
                .await
                .map(|_| done(String::new(), None))
        }
        Delivery::Ephemeral {
            channel,
            user,
            thread_ts,
            content,
        } => {
            let thread = MessageTs::parse(&thread_ts).ok();
            clients
                .slack
                .post_ephemeral(
                    &ChannelId::new(channel),
                    &UserId::new(user),
                    thread.as_ref(),
                    &content.text,
                    content.blocks.as_ref(),
                )
                .await
                .map(|_| done(String::new(), None))
        }
        Delivery::Form { trigger_id, view } => {
            if app.store.now().duration_since(row.created()) < FORM_IN_TIME {
                clients
                    .slack
                    .open_view(&trigger_id, &view)
                    .await
                    .map(|()| done(String::new(), None))
            } else {
                Err(Failure::Refused {
                    code: "expired_trigger_id".into(),
                    message: "it would come too late".into(),
                })
            }
        }
        Delivery::Respond { response_url, text } => {
            let replace = json!({ "replace_original": true, "text": text });
            match clients.slack.respond(&response_url, &replace).await {
                // The address is good for half an hour. What it would have said is known to who pressed.
                Err(Failure::Refused { .. }) => Ok(done(String::new(), None)),
                other => other.map(|()| done(String::new(), None)),
            }
        }
        Delivery::Mark => mark(app, clients, row, attempt).await?,
        Delivery::Call { call: sid } => call::bring_up_to_date(app, clients, row, &sid).await?,
        Delivery::ReplyWithFiles(enclosing) => {
            match reply_files::prepare(app, clients, row, attempt, &enclosing).await? {
                Some(prepared) => prepared,
                None => resolve(app, &enclosing.slack_text).await,
            }
        }
        Delivery::Mms { body, media } => {
            let conversation = conversations::by_id(&app.store, &row.conversation_id).await?;
            text(app, clients, row, attempt, &conversation, body, &media).await?
        }
        Delivery::InboundFile(shown) => {
            inbound_file::deliver(app, clients, row, attempt, &shown).await?
        }
        Delivery::Recording {
            recording,
            file,
            title,
        } => {
            let upload = recording::Upload {
                recording: &recording,
                file: &file,
                title: &title,
            };
            recording::deliver(app, clients, row, attempt, &upload).await?
        }
    })
}

/// The most characters shown to one person in one message.
const AT_ONCE: usize = 3_000;

/// Shows one person the words of a post that Slack did not take, as bare text.
async fn show_words(
    app: &App,
    clients: &Clients,
    of: &str,
    (channel, user, thread_ts): (&str, &str, &str),
) -> anyhow::Result<Result<Outcome, Failure>> {
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
    let (channel, user) = (ChannelId::new(channel), UserId::new(user));
    let thread = MessageTs::parse(thread_ts).ok();
    for part in characters.chunks(AT_ONCE) {
        let part: String = part.iter().collect();
        let (slack, thread) = (&clients.slack, thread.as_ref());
        let shown = slack.post_ephemeral(&channel, &user, thread, &part, None);
        if let Err(failure) = shown.await {
            return Ok(Err(failure));
        }
    }
    Ok(Ok(done(String::new(), None)))
}

pub(super) fn done(external_id: String, posted_in: Option<PostedIn>) -> Outcome {
    Outcome::Delivered {
        external_id,
        posted_in,
        proof: "its answer",
    }
}

/// The words as texts, with names in place of mentions.
async fn resolve(app: &App, slack_text: &str) -> Result<Outcome, Failure> {
    let names = app.directory.names(&mrkdwn::mentions(slack_text)).await;
    names.map(|names| Outcome::Resolved(as_texts::to_texts(app, slack_text, &names)))
}

/// How long after its validity the media URLs of a text still work. Twilio fetches at once, and sometimes again.
const FETCHED_WITHIN: Duration = Duration::from_secs(3_600);

/// Answers at the `response_url` of whoever pressed a button. A URL that has expired counts as done: nobody is left to tell.
async fn answer(
    clients: &Clients,
    row: &Row,
    response_url: &str,
    text: &str,
) -> Result<Outcome, Failure> {
    let message = json!({ "response_type": "ephemeral", "replace_original": false, "text": text });
    match clients.slack.respond(response_url, &message).await {
        Err(failure @ Failure::Refused { .. }) => {
            tracing::warn!(outbox = row.id, %failure, "nobody could be told what a button did not do");
            Ok(done(String::new(), None))
        }
        other => other.map(|()| done(String::new(), None)),
    }
}

async fn text(
    app: &App,
    clients: &Clients,
    row: &Row,
    attempt: &Attempt,
    conversation: &Conversation,
    body: String,
    media: &[String],
) -> anyhow::Result<Result<Outcome, Failure>> {
    if opt_out::holds_back(&app.store, conversation).await? {
        return Ok(Err(Failure::Refused {
            code: OPTED_OUT.into(),
            message: "the caller has opted out meanwhile".into(),
        }));
    }
    let (folder, delivery) = (app.config.media_folder(), &app.config.delivery);
    let good_for = SignedDuration::try_from(delivery.validity + FETCHED_WITHIN)?;
    let expires = app.clock.now().checked_add(good_for)?;
    let mut media_urls = Vec::with_capacity(media.len());
    for id in media {
        let is_kept = media::exists(&folder, id).await;
        if !is_kept || store_media::content_type(&app.store, id).await?.is_none() {
            return Ok(Err(Failure::Refused {
                code: MEDIA_GONE.into(),
                message: "its files are not kept any more".into(),
            }));
        }
        let (public_url, secret) = (&app.config.public_url, &app.secrets.auth_token);
        media_urls.push(media::address(public_url, secret, id, expires));
    }
    let echo = Echo {
        outbox_id: row.id.clone(),
        attempt: attempt.n,
    };
    let new = NewMessage {
        from: PhoneNumber::parse(&conversation.line).context("the line's number")?,
        to: Address::new(&conversation.caller),
        body,
        media_urls,
        // The callback itself says which attempt it reports on, even if this request's answer is lost.
        status_callback: callback::address(&app.config.public_url, "status", &echo),
        validity_period: delivery.validity,
    };
    Ok(clients
        .twilio
        .create_message(&new)
        .await
        .map(|message| done(message.sid.to_string(), None)))
}
