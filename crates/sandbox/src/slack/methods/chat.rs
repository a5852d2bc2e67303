//! `chat.*`: the app's own messages.

use serde_json::{Value, json};

use super::{Outcome, Refusal, is_ts, required};
use crate::slack::arguments::Arguments;
use crate::slack::blocks;
use crate::slack::message::{Ephemeral, Message};
use crate::slack::world::World;

/// `chat.postMessage` cuts off longer texts.
const TEXT_LIMIT: usize = 40_000;
/// `chat.update` and `chat.postEphemeral` refuse longer texts.
const SHORT_TEXT_LIMIT: usize = 4_000;

pub(super) fn post_message(world: &mut World, arguments: &Arguments) -> Outcome {
    let wanted = required(arguments, "channel", "channel_not_found")?;
    let channel_id = match wanted.strip_prefix('#') {
        Some(name) => world
            .channels()
            .find(|channel| channel.name == name)
            .map_or(wanted.to_owned(), |channel| channel.id.clone()),
        None => wanted.to_owned(),
    };
    may_post(world, &channel_id)?;
    let (text, blocks) = content(world, arguments)?;
    let text: String = text.chars().take(TEXT_LIMIT).collect();
    let metadata = metadata(arguments)?;
    world.pace(&channel_id)?;

    let thread_ts = match arguments.text("thread_ts") {
        Some(asked) => thread_of(world, &channel_id, asked)?,
        None => None,
    };
    let broadcast = arguments.flag("reply_broadcast")? && thread_ts.is_some();
    let message = Message {
        thread_ts,
        subtype: broadcast.then(|| "thread_broadcast".to_owned()),
        text,
        blocks,
        metadata,
        plain: arguments.text("mrkdwn") == Some("false")
            || arguments.structure("mrkdwn")? == Some(json!(false)),
        parse_names: parses_names(arguments)?,
        ..world.app_message()
    };
    let (ts, shown) = world.add_message(&channel_id, message);
    Ok(json!({"ok": true, "channel": channel_id, "ts": ts, "message": shown}))
}

pub(super) fn update(world: &mut World, arguments: &Arguments) -> Outcome {
    let channel_id = required(arguments, "channel", "channel_not_found")?.to_owned();
    let ts = required(arguments, "ts", "message_not_found")?.to_owned();
    let channel = world.visible_channel(&channel_id).map_err(Refusal::state)?;
    if channel.archived {
        return Err(Refusal::state("is_archived"));
    }
    let old = channel
        .messages
        .get(&ts)
        .filter(|message| message.subtype.as_deref() != Some("tombstone"))
        .ok_or_else(|| Refusal::state("message_not_found"))?
        .clone();
    if !world.is_own(&old) {
        return Err(Refusal::malformed("cant_update_message"));
    }
    let (text, blocks) = content(world, arguments)?;
    if text.chars().count() > SHORT_TEXT_LIMIT {
        return Err(Refusal::malformed("msg_too_long"));
    }
    let new = Message {
        text: text.clone(),
        blocks,
        metadata: metadata(arguments)?.or_else(|| old.metadata.clone()),
        parse_names: parses_names(arguments)?,
        ..old
    };
    let editor = world.settings.bot_user_id.clone();
    let shown = world.change_message(&channel_id, new, &editor);
    Ok(json!({"ok": true, "channel": channel_id, "ts": ts, "text": text, "message": shown}))
}

pub(super) fn delete(world: &mut World, arguments: &Arguments) -> Outcome {
    let channel_id = required(arguments, "channel", "channel_not_found")?.to_owned();
    let ts = required(arguments, "ts", "message_not_found")?.to_owned();
    let message = world
        .visible_channel(&channel_id)
        .map_err(Refusal::state)?
        .messages
        .get(&ts)
        .ok_or_else(|| Refusal::state("message_not_found"))?;
    if !world.is_own(message) {
        return Err(Refusal::malformed("cant_delete_message"));
    }
    world.remove_message(&channel_id, &ts);
    Ok(json!({"ok": true, "channel": channel_id, "ts": ts}))
}

pub(super) fn post_ephemeral(world: &mut World, arguments: &Arguments) -> Outcome {
    let channel_id = required(arguments, "channel", "channel_not_found")?.to_owned();
    let user = required(arguments, "user", "user_not_in_channel")?.to_owned();
    may_post(world, &channel_id)?;
    if !world.visible_channel(&channel_id)?.members.contains(&user) {
        return Err(Refusal::state("user_not_in_channel"));
    }
    let (text, blocks) = content(world, arguments)?;
    if text.len() > SHORT_TEXT_LIMIT {
        return Err(Refusal::malformed("msg_too_long"));
    }
    let thread_ts = match arguments.text("thread_ts") {
        Some(asked) => thread_of(world, &channel_id, asked)?,
        None => None,
    };
    let ts = world.next_ts();
    world.ephemerals.push(Ephemeral {
        ts: ts.clone(),
        channel: channel_id,
        user,
        thread_ts,
        text,
        blocks,
    });
    Ok(json!({"ok": true, "message_ts": ts}))
}

pub(super) fn permalink(world: &mut World, arguments: &Arguments) -> Outcome {
    let channel_id = required(arguments, "channel", "channel_not_found")?;
    let ts = required(arguments, "message_ts", "message_not_found")?;
    let channel = world.visible_channel(channel_id).map_err(Refusal::state)?;
    if !channel.messages.contains_key(ts) {
        return Err(Refusal::state("message_not_found"));
    }
    let link = world.permalink(channel_id, ts);
    Ok(json!({"ok": true, "channel": channel_id, "permalink": link}))
}

/// Checks whether the app may post in this channel now.
pub(super) fn may_post(world: &World, channel_id: &str) -> Result<(), Refusal> {
    let channel = world.visible_channel(channel_id).map_err(Refusal::state)?;
    if channel.archived {
        return Err(Refusal::state("is_archived"));
    }
    let may_write_anywhere = world.scopes.contains("chat:write.public") && !channel.private;
    if !world.is_bot_in(channel) && !may_write_anywhere {
        return Err(Refusal::state("not_in_channel"));
    }
    Ok(())
}

/// The thread that a message is posted in. If the parent is gone, Slack posts the message at the channel's root and
/// reports nothing (langchain-ai/open-swe#2753).
pub(super) fn thread_of(
    world: &mut World,
    channel_id: &str,
    asked: &str,
) -> Result<Option<String>, Refusal> {
    if !is_ts(asked) {
        return Err(Refusal::malformed("invalid_thread_ts"));
    }
    if let Some(error) = world.refused_threads.get(asked) {
        return Err(Refusal::state(error));
    }
    let Some(parent) = world.message(channel_id, asked) else {
        return Ok(None);
    };
    if parent.subtype.as_deref() == Some("tombstone") {
        return Ok(None);
    }
    let root = parent.thread_ts.clone();
    if parent.is_reply() {
        world.violation(format!(
            "thread_ts {asked} names a reply, not the head of a thread"
        ));
        return Ok(root);
    }
    Ok(Some(asked.to_owned()))
}

/// Checks the text and the blocks, of which at least one is required.
pub(in crate::slack) fn content(
    world: &mut World,
    arguments: &Arguments,
) -> Result<(String, Option<Value>), Refusal> {
    let text = arguments.text("text").unwrap_or("").to_owned();
    let blocks = match arguments
        .structure("blocks")
        .map_err(|_| Refusal::malformed("invalid_blocks_format"))?
    {
        None => None,
        // Without blocks it is the text that is shown.
        Some(Value::Array(none)) if none.is_empty() => None,
        Some(given) => {
            blocks::check(&given, blocks::MESSAGE_LIMIT)
                .map_err(|detail| Refusal::explained("invalid_blocks", detail))?;
            Some(blocks::with_ids(given, || world.next_id("b")))
        }
    };
    if text.is_empty() && blocks.is_none() {
        return Err(Refusal::malformed("no_text"));
    }
    Ok((text, blocks))
}

/// Checks `metadata`: an `event_type` and a flat object of plain values. Source:
/// <https://docs.slack.dev/messaging/message-metadata>.
fn metadata(arguments: &Arguments) -> Result<Option<Value>, Refusal> {
    let bad = || Refusal::malformed("invalid_metadata_format");
    let Some(metadata) = arguments.structure("metadata").map_err(|_| bad())? else {
        return Ok(None);
    };
    let well_formed = metadata["event_type"]
        .as_str()
        .is_some_and(|t| !t.is_empty())
        && metadata["event_payload"].is_object()
        && metadata.as_object().is_some_and(|map| map.len() == 2);
    if !well_formed {
        return Err(bad());
    }
    if metadata.to_string().len() > 16 * 1024 {
        return Err(Refusal::malformed("metadata_too_large"));
    }
    Ok(Some(metadata))
}

fn parses_names(arguments: &Arguments) -> Result<bool, Refusal> {
    Ok(arguments.flag("link_names")? || arguments.text("parse") == Some("full"))
}
