//! `conversations.*`: channels, their members and their messages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::{Outcome, Refusal, is_ts, required, want_scope};
use crate::slack::arguments::Arguments;
use crate::slack::message::Message;
use crate::slack::world::{Channel, World};

pub(super) fn replies(world: &mut World, arguments: &Arguments) -> Outcome {
    let channel = readable(world, arguments)?;
    let ts = required(arguments, "ts", "invalid_arguments")?;
    let parent = channel
        .messages
        .get(ts)
        .ok_or_else(|| Refusal::state("thread_not_found"))?;
    let window = Window::read(arguments)?;
    let page = Page::read(arguments, 1000, 1000)?;

    let found: Vec<&Message> = if parent.is_reply() {
        vec![parent]
    } else {
        let replies = channel.replies(ts).filter(|reply| window.holds(&reply.ts));
        std::iter::once(parent).chain(replies).collect()
    };
    // Oldest first, page by page; the cursor names the first message of the next page.
    let mut rest: Vec<&Message> = match &page.cursor {
        Some(from) => found.into_iter().filter(|m| m.ts >= *from).collect(),
        None => found,
    };
    let next = (rest.len() > page.limit).then(|| rest[page.limit].ts.clone());
    rest.truncate(page.limit);
    Ok(messages(world, channel, &rest, next, arguments))
}

pub(super) fn history(world: &mut World, arguments: &Arguments) -> Outcome {
    let channel = readable(world, arguments)?;
    let window = Window::read(arguments)?;
    let page = Page::read(arguments, 100, 999)?;

    // Newest first; the cursor names the newest message of the next page.
    let mut found: Vec<&Message> = channel
        .roots()
        .filter(|message| window.holds(&message.ts))
        .filter(|message| page.cursor.as_ref().is_none_or(|from| message.ts <= *from))
        .collect();
    found.reverse();
    let next = (found.len() > page.limit).then(|| found[page.limit].ts.clone());
    found.truncate(page.limit);
    Ok(messages(world, channel, &found, next, arguments))
}

pub(super) fn info(world: &mut World, arguments: &Arguments) -> Outcome {
    let id = required(arguments, "channel", "channel_not_found")?;
    let channel = world.visible_channel(id).map_err(Refusal::state)?;
    Ok(json!({"ok": true, "channel": channel_json(world, channel)}))
}

pub(super) fn list(world: &mut World, arguments: &Arguments) -> Outcome {
    let types = arguments.text("types").unwrap_or("public_channel");
    let wanted: Vec<&str> = types.split(',').map(str::trim).collect();
    for kind in &wanted {
        match *kind {
            "public_channel" => want_scope(world, "channels:read")?,
            "private_channel" => want_scope(world, "groups:read")?,
            "im" => want_scope(world, "im:read")?,
            "mpim" => want_scope(world, "mpim:read")?,
            _ => return Err(Refusal::malformed("invalid_types")),
        }
    }
    let exclude_archived = arguments.flag("exclude_archived")?;
    let page = Page::read(arguments, 100, 999)?;
    let found: Vec<&Channel> = world
        .channels()
        .filter(|channel| {
            let kind = if channel.private {
                "private_channel"
            } else {
                "public_channel"
            };
            wanted.contains(&kind)
                && (!channel.private || world.is_bot_in(channel))
                && !(exclude_archived && channel.archived)
                && page.cursor.as_ref().is_none_or(|from| channel.id >= *from)
        })
        .collect();
    let next = found.get(page.limit).map(|channel| channel.id.clone());
    let shown: Vec<Value> = found
        .iter()
        .take(page.limit)
        .map(|channel| channel_json(world, channel))
        .collect();
    Ok(json!({"ok": true, "channels": shown, "response_metadata": {"next_cursor": cursor(next)}}))
}

pub(super) fn members(world: &mut World, arguments: &Arguments) -> Outcome {
    let id = required(arguments, "channel", "channel_not_found")?;
    let channel = world.visible_channel(id).map_err(Refusal::state)?;
    let page = Page::read(arguments, 100, 999)?;
    let found: Vec<&String> = channel
        .members
        .iter()
        .filter(|member| page.cursor.as_ref().is_none_or(|from| *member >= from))
        .collect();
    let next = found.get(page.limit).map(|member| (*member).clone());
    let shown: Vec<&String> = found.into_iter().take(page.limit).collect();
    Ok(json!({"ok": true, "members": shown, "response_metadata": {"next_cursor": cursor(next)}}))
}

pub(super) fn join(world: &mut World, arguments: &Arguments) -> Outcome {
    let id = required(arguments, "channel", "channel_not_found")?.to_owned();
    let channel = world.visible_channel(&id).map_err(Refusal::state)?;
    if channel.private {
        return Err(Refusal::state("method_not_supported_for_channel_type"));
    }
    if channel.archived {
        return Err(Refusal::state("is_archived"));
    }
    let bot = world.settings.bot_user_id.clone();
    world.join(&id, &bot);
    let channel = world.visible_channel(&id)?;
    Ok(json!({"ok": true, "channel": channel_json(world, channel)}))
}

fn readable<'a>(world: &'a World, arguments: &Arguments) -> Result<&'a Channel, Refusal> {
    let id = required(arguments, "channel", "channel_not_found")?;
    let channel = world.visible_channel(id).map_err(Refusal::state)?;
    if !world.is_bot_in(channel) {
        return Err(Refusal::state("not_in_channel"));
    }
    Ok(channel)
}

fn channel_json(world: &World, channel: &Channel) -> Value {
    json!({
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": !channel.private,
        "is_group": channel.private,
        "is_im": false,
        "is_mpim": false,
        "is_private": channel.private,
        "is_archived": channel.archived,
        "is_general": false,
        "is_shared": channel.ext_shared,
        "is_ext_shared": channel.ext_shared,
        "is_member": world.is_bot_in(channel),
        "num_members": channel.members.len(),
        "creator": "U0CREATOR",
        "context_team_id": world.settings.team_id,
    })
}

fn messages(
    world: &World,
    channel: &Channel,
    shown: &[&Message],
    next: Option<String>,
    arguments: &Arguments,
) -> Value {
    let with_metadata = arguments.flag("include_all_metadata").unwrap_or(false);
    let shown: Vec<Value> = shown
        .iter()
        .map(|message| world.parent_json(channel, message, with_metadata))
        .collect();
    let mut answer = json!({"ok": true, "messages": shown, "has_more": next.is_some()});
    if next.is_some() {
        answer["response_metadata"] = json!({"next_cursor": cursor(next)});
    }
    answer
}

/// The bounds `oldest` and `latest`, both exclusive unless `inclusive` was given.
struct Window {
    oldest: Option<String>,
    latest: Option<String>,
    inclusive: bool,
}

impl Window {
    fn read(arguments: &Arguments) -> Result<Self, Refusal> {
        Ok(Self {
            oldest: bound(arguments, "oldest", "invalid_ts_oldest")?,
            latest: bound(arguments, "latest", "invalid_ts_latest")?,
            inclusive: arguments.flag("inclusive")?,
        })
    }

    fn holds(&self, ts: &str) -> bool {
        let after = self
            .oldest
            .as_deref()
            .is_none_or(|o| ts > o || self.inclusive && ts == o);
        let before = self
            .latest
            .as_deref()
            .is_none_or(|l| ts < l || self.inclusive && ts == l);
        after && before
    }
}

/// Reads a bound: a message id, or seconds with any number of decimals. Returns it in the shape of a message id, so
/// that texts compare.
fn bound(
    arguments: &Arguments,
    name: &str,
    error: &'static str,
) -> Result<Option<String>, Refusal> {
    let Some(text) = arguments.text(name) else {
        return Ok(None);
    };
    let (seconds, micros) = text.split_once('.').unwrap_or((text, ""));
    let padded = format!("{seconds:0>10}.{micros:0<6.6}");
    if is_ts(&padded) {
        Ok(Some(padded))
    } else {
        Err(Refusal::malformed(error))
    }
}

struct Page {
    limit: usize,
    cursor: Option<String>,
}

impl Page {
    fn read(arguments: &Arguments, default: u64, most: u64) -> Result<Self, Refusal> {
        let limit = arguments.number("limit")?.unwrap_or(default);
        if limit == 0 || limit > most {
            return Err(Refusal::malformed("invalid_limit"));
        }
        let cursor = match arguments.text("cursor") {
            None => None,
            Some(text) => {
                Some(read_cursor(text).ok_or_else(|| Refusal::malformed("invalid_cursor"))?)
            }
        };
        Ok(Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            cursor,
        })
    }
}

fn cursor(next: Option<String>) -> String {
    next.map(|next| BASE64.encode(format!("next:{next}")))
        .unwrap_or_default()
}

fn read_cursor(text: &str) -> Option<String> {
    let bytes = BASE64.decode(text).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.strip_prefix("next:").map(str::to_owned)
}
