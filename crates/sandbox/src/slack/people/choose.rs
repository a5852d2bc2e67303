//! Menus: presses that name the chosen option.

use serde_json::Value;

use super::super::blocks::ElementId;
use super::super::world::World;
use super::super::{SlackStandIn, blocks};
use super::interact::{Answer, message_press, view_press};

impl SlackStandIn {
    /// Chooses an option of a menu of a message: a select or an overflow menu.
    pub async fn choose_in(
        &self,
        user: &str,
        channel: &str,
        ts: &str,
        block_id: Option<&str>,
        action_id: &str,
        value: &str,
    ) -> Answer {
        let id = ElementId {
            block_id,
            action_id,
        };
        let payload = self.inner.change(|world| {
            let payload = message_press(world, user, channel, ts, id)?;
            let shown = shown_to(world, user, channel, ts)?;
            chosen(payload, &shown, value)
        });
        self.pressed(payload, action_id, ts).await
    }

    /// Chooses an option of a menu in the app's home tab or in an open modal.
    pub async fn choose_in_view(
        &self,
        user: &str,
        view_id: &str,
        block_id: Option<&str>,
        action_id: &str,
        value: &str,
    ) -> Answer {
        let id = ElementId {
            block_id,
            action_id,
        };
        let payload = self.inner.change(|world| {
            let payload = view_press(world, user, view_id, id)?;
            let shown = payload["view"]["blocks"].clone();
            chosen(payload, &shown, value)
        });
        self.pressed(payload, action_id, view_id).await
    }
}

/// The blocks of a message, or of this person's ephemeral message.
fn shown_to(world: &World, user: &str, channel: &str, ts: &str) -> Option<Value> {
    let mut ephemerals = world.ephemerals.iter();
    match ephemerals.find(|one| one.ts == ts && one.user == user) {
        Some(ephemeral) => ephemeral.blocks.clone(),
        None => world.message(channel, ts)?.blocks.clone(),
    }
}

/// Adds the option with this value to a press; `None` if the menu has no such option.
fn chosen(mut payload: Value, shown: &Value, value: &str) -> Option<Value> {
    let action = &mut payload["actions"][0];
    let id = ElementId {
        block_id: action["block_id"].as_str(),
        action_id: action["action_id"].as_str()?,
    };
    let (_, element) = blocks::find_action(shown, id)?;
    let mut options = element["options"].as_array()?.iter();
    let option = options.find(|option| option["value"] == value)?;
    action["selected_option"] = option.clone();
    Some(payload)
}
