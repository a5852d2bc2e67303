//! The root of a thread as it is shown: who it is and where it stands above the words it began with, and the buttons below.

use crate::app::App;
use crate::bridge::desk::newcomers;
use crate::bridge::desk::post_form;
use crate::bridge::wording;
use crate::bridge::wording::desk::{self, Head};
use crate::config::Config;
use crate::delivery::{Content, Delivery};
use crate::phone::Address;
use crate::store::conversations::Conversation;
use crate::store::threads::Thread;
use crate::store::{Reads, calls, conversation_status, listed, names, outbox, ring_outcomes};

/// Where a root stands among its conversation's threads.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Neighbours<'a> {
    pub(crate) channel: &'a str,
    /// The root before it, empty without one.
    pub(crate) previous_ts: &'a str,
    /// The root after it: the conversation goes on there.
    pub(crate) next_ts: &'a str,
}

/// The header message with `body` below its head, composed from the current state.
pub(crate) async fn compose(
    app: &App,
    conversation: &Conversation,
    body: &Content,
    neighbours: Neighbours<'_>,
) -> anyhow::Result<Content> {
    let status = conversation_status::of(&app.store, &conversation.id).await?;
    let caller = Address::new(&conversation.caller);
    let name = name(&app.store, &app.config, &caller).await?;
    let link = |ts: &str| {
        if ts.is_empty() {
            None
        } else {
            app.directory.link(neighbours.channel, ts)
        }
    };
    let line = app.config.line_of(&conversation.line);
    let line = line.filter(|_| app.config.lines.len() > 1);
    let head = Head {
        caller: &caller,
        name: name.as_deref(),
        place: &conversation.place,
        line: line.map(|line| line.name.as_str()),
        status: &status,
        previous: link(neighbours.previous_ts),
        next: link(neighbours.next_ts),
        is_over: !neighbours.next_ts.is_empty(),
    };
    Ok(desk::root(&head, body))
}

/// What stands below the head of a posted header message; `None` if its words are not kept any more.
pub(crate) async fn body(app: &App, thread: &Thread) -> anyhow::Result<Option<Content>> {
    let Some(row) = outbox::by_id(&app.store, &thread.post_id).await? else {
        return Ok(None);
    };
    let listed = listed::opened_by(&app.store, &row.id).await?;
    if let Some(call) = calls::by_sid(&app.store, &row.message_id).await?
        && call.post_id == row.id
    {
        let turns = ring_outcomes::of_call(&app.store, &call.sid).await?;
        let story = wording::calls::story(&call, &turns);
        let header = wording::calls::root(&Address::new(&call.caller), &story);
        return Ok(Some(newcomers::above(app, &listed, header)?));
    }
    // Its words may have been taken away since: then it stays as it is.
    Ok(match row.delivery() {
        Ok(Delivery::Post { reply, root, .. }) => {
            let body = newcomers::above(app, &listed, root.unwrap_or(reply))?;
            Some(post_form::as_posted(&app.store, &row, body).await?)
        }
        _ => None,
    })
}

/// The name of a caller: the one set with `/qdn name`, or that of one of `[[people]]`.
pub(crate) async fn name(
    reads: impl Into<Reads<'_>>,
    config: &Config,
    caller: &Address,
) -> anyhow::Result<Option<String>> {
    let known = names::of(reads, caller.as_str()).await?;
    Ok(known.or_else(|| of_the_desk(config, caller)))
}

fn of_the_desk(config: &Config, caller: &Address) -> Option<String> {
    let person = config
        .people
        .iter()
        .find(|person| person.phone.as_str() == caller.as_str())?;
    Some(person.name.clone())
}
