//! `reactions.*`: the app's marks on messages.

use serde_json::json;

use super::{Outcome, Refusal, is_ts, required};
use crate::slack::arguments::Arguments;
use crate::slack::message::{Message, Reaction};
use crate::slack::world::World;

/// The most distinct emoji of a message.
const EMOJI_LIMIT: usize = 23;

pub(super) fn add(world: &mut World, arguments: &Arguments) -> Outcome {
    let bot = world.settings.bot_user_id.clone();
    let name = name(arguments)?;
    let message = target(world, arguments)?;
    message.react(&bot, &name).map_err(Refusal::state)?;
    Ok(json!({"ok": true}))
}

pub(super) fn remove(world: &mut World, arguments: &Arguments) -> Outcome {
    let bot = world.settings.bot_user_id.clone();
    let name = name(arguments)?;
    let message = target(world, arguments)?;
    message.unreact(&bot, &name).map_err(Refusal::state)?;
    Ok(json!({"ok": true}))
}

impl Message {
    pub(in crate::slack) fn react(&mut self, user: &str, name: &str) -> Result<(), &'static str> {
        if let Some(reaction) = self.reactions.iter_mut().find(|r| r.name == name) {
            if reaction.users.iter().any(|u| u == user) {
                return Err("already_reacted");
            }
            reaction.users.push(user.to_owned());
            return Ok(());
        }
        if self.reactions.len() >= EMOJI_LIMIT {
            return Err("too_many_emoji");
        }
        self.reactions.push(Reaction {
            name: name.to_owned(),
            users: vec![user.to_owned()],
        });
        Ok(())
    }

    pub(in crate::slack) fn unreact(&mut self, user: &str, name: &str) -> Result<(), &'static str> {
        let reaction = self
            .reactions
            .iter_mut()
            .find(|r| r.name == name && r.users.iter().any(|u| u == user))
            .ok_or("no_reaction")?;
        reaction.users.retain(|u| u != user);
        self.reactions.retain(|r| !r.users.is_empty());
        Ok(())
    }
}

fn name(arguments: &Arguments) -> Result<String, Refusal> {
    let name = required(arguments, "name", "invalid_name")?;
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-+'".contains(c);
    if !name.chars().all(allowed) {
        return Err(Refusal::malformed("invalid_name"));
    }
    Ok(name.to_owned())
}

fn target<'a>(world: &'a mut World, arguments: &Arguments) -> Result<&'a mut Message, Refusal> {
    let channel_id = required(arguments, "channel", "no_item_specified")?;
    let ts = required(arguments, "timestamp", "no_item_specified")?;
    if !is_ts(ts) {
        return Err(Refusal::malformed("bad_timestamp"));
    }
    let channel = world.visible_channel(channel_id).map_err(Refusal::state)?;
    if channel.archived {
        return Err(Refusal::state("is_archived"));
    }
    if !world.is_bot_in(channel) {
        return Err(Refusal::state("not_in_channel"));
    }
    world
        .channels
        .get_mut(channel_id)
        .and_then(|channel| channel.messages.get_mut(ts))
        .filter(|message| message.subtype.as_deref() != Some("tombstone"))
        .ok_or_else(|| Refusal::state("message_not_found"))
}
