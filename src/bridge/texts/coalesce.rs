//! Coalesces a flood of one caller: texts whose posts have not been tried yet share one post, each with its time.
//!
//! Slack takes about one message a second in a channel. A text joins the last waiting post of its lane in the transaction
//! that saves it, so a post is complete before its first attempt. The lanes of other callers are served in turn meanwhile.

use jiff::tz::TimeZone;
use serde_json::Value;

use crate::bridge::wording::Moment;
use crate::delivery::{Content, Delivery};
use crate::slack::blocks;
use crate::slack::mrkdwn::escape;
use crate::store::lanes::Lane;
use crate::store::outbox::Row;
use crate::store::{Tx, messages, outbox};
use crate::vocabulary::{DeliveryState, OutboxId};

/// From how many on posts that wait in a lane are a flood.
const FLOOD: i64 = 10;

/// How many characters one post gathers: Slack recommends no more than 4,000.
const CHARACTERS: usize = 3_000;

/// How many blocks one post gathers: Slack takes 50, and a root has a head.
const BLOCKS: usize = 38;

/// Adds a text to the last waiting post if there are many. Returns that post's row.
pub(crate) async fn gather(
    tx: &mut Tx,
    lane: &Lane,
    post: &Delivery,
    zone: &TimeZone,
) -> anyhow::Result<Option<OutboxId>> {
    let Delivery::Post {
        reply: new,
        new_thread: false,
        ..
    } = post
    else {
        return Ok(None);
    };
    let Some(last) = outbox::last_of_many(tx, &lane.id, FLOOD).await? else {
        return Ok(None);
    };
    if last.state != DeliveryState::Waiting
        || last.attempts > 0
        || !messages::is_from_caller(tx, &last.message_id).await?
    {
        return Ok(None);
    }
    let now = Moment::new(tx.now(), tx.now(), zone).shown();
    let before = Moment::new(last.created(), tx.now(), zone).shown();
    let Some(joined) = join(&last, new, &before, &now)? else {
        return Ok(None);
    };
    outbox::set_payload(tx, &last.id, joined.kind(), &joined.payload()).await?;
    metrics::counter!("qdn_texts_gathered_total").increment(1);
    Ok(Some(last.id))
}

/// The post with one more text in it, unless it is full.
fn join(last: &Row, new: &Content, before: &str, now: &str) -> anyhow::Result<Option<Delivery>> {
    let Delivery::Post {
        reply,
        root: Some(root),
        new_thread: false,
        broadcast,
    } = last.delivery()?
    else {
        return Ok(None);
    };
    let list = |content: &Content| {
        let blocks = content.blocks.as_ref().and_then(Value::as_array);
        blocks.cloned().unwrap_or_default()
    };
    let (mut shown, added) = (list(&reply), list(new));
    let is_first = shown.first().is_none_or(|block| block["type"] != "context");
    if is_first {
        shown.insert(0, time(before));
    }
    shown.push(time(now));
    shown.extend(added);
    let text = format!("{}\n{}", reply.text, new.text);
    if shown.len() > BLOCKS || text.chars().count() > CHARACTERS {
        return Ok(None);
    }
    // How to answer stands last in what begins a thread.
    let how = list(&root).pop();
    let below = shown.iter().cloned().chain(how).collect();
    Ok(Some(Delivery::Post {
        reply: Content {
            text: text.clone(),
            blocks: Some(Value::Array(shown)),
        },
        root: Some(Content {
            text,
            blocks: Some(Value::Array(below)),
        }),
        new_thread: false,
        broadcast,
    }))
}

fn time(shown: &str) -> Value {
    blocks::context(&escape(shown))
}
