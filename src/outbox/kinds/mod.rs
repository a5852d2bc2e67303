//! How each kind of delivery is sent: a file for each kind, or for a few that are sent alike.

mod answer;
mod call;
mod copies;
mod ephemeral;
mod form;
mod home;
pub(super) mod inbound_file;
mod mark;
pub(super) mod post;
pub(super) mod recording;
mod reply;
mod reply_files;
mod sms;
mod thread_header;
mod update;

use crate::app::App;
use crate::bridge::desk::post_form::Form;
use crate::clients::Clients;
use crate::delivery::{Delivery, Outcome, PostedIn};
use crate::remote::Failure;
use crate::store::outbox::{Attempt, Row};

/// One attempt at a delivery, and what it needs.
#[derive(Clone, Copy)]
pub(super) struct Sending<'a> {
    pub(super) app: &'a App,
    pub(super) clients: &'a Clients,
    pub(super) row: &'a Row,
    pub(super) attempt: &'a Attempt,
    /// The form of a post.
    pub(super) form: Form,
}

/// How an attempt ended: with an outcome, with a failure at the vendor, or with an error of ours before a request left.
pub(super) type Answer = anyhow::Result<Result<Outcome, Failure>>;

/// Sends the delivery.
pub(super) async fn send(sending: Sending<'_>) -> Answer {
    match sending.row.delivery()? {
        Delivery::Sms { body } => sms::send(sending, body, &[]).await,
        Delivery::Mms { body, media } => sms::send(sending, body, &media).await,
        Delivery::Reply { slack_text, .. } => Ok(reply::to_texts(sending.app, &slack_text).await),
        Delivery::ReplyWithFiles(reply) => reply_files::send(sending, &reply).await,
        Delivery::Post {
            reply,
            root,
            new_thread,
            broadcast,
        } => post::send(sending, reply, root, new_thread, broadcast).await,
        Delivery::Announce {
            channel,
            content,
            thread_ts,
        } => Ok(post::announce(sending, (&channel, &thread_ts), &content).await),
        Delivery::List { line } => post::list(sending, &line).await,
        Delivery::Update {
            channel,
            ts,
            content,
        } => update::send(sending, channel, &ts, &content).await,
        Delivery::Listing { list } => thread_header::edit_list(sending, &list).await,
        Delivery::Root { channel, ts } => {
            thread_header::bring_up_to_date(sending, &channel, &ts).await
        }
        Delivery::Call { call } => call::bring_up_to_date(sending, &call).await,
        Delivery::Copies { of, channel, root } => {
            copies::clear(sending, &of, (&channel, &root)).await
        }
        Delivery::Mark => mark::send(sending).await,
        Delivery::InboundFile(file) => inbound_file::send(sending, &file).await,
        Delivery::Recording {
            recording,
            file,
            title,
        } => recording::send(sending, &recording, &file, &title).await,
        Delivery::Home { person, notice } => home::send(sending, person, &notice).await,
        Delivery::Ephemeral {
            channel,
            user,
            thread_ts,
            content,
        } => Ok(ephemeral::send(sending, (&channel, &user, &thread_ts), &content).await),
        Delivery::Words {
            of,
            channel,
            user,
            thread_ts,
        } => ephemeral::show_words(sending, &of, (&channel, &user, &thread_ts)).await,
        Delivery::Form { trigger_id, view } => Ok(form::send(sending, &trigger_id, &view).await),
        Delivery::Answer { response_url, text } => {
            Ok(answer::send(sending, &response_url, &text).await)
        }
        Delivery::Respond { response_url, text } => {
            Ok(answer::replace(sending, &response_url, &text).await)
        }
    }
}

fn done(external_id: String, posted_in: Option<PostedIn>) -> Outcome {
    Outcome::Delivered {
        external_id,
        posted_in,
        proof: "its answer",
    }
}
