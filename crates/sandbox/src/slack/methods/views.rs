//! `views.*`: modals and the app's home tab.

use serde_json::{Value, json};

use super::{Outcome, Refusal, required};
use crate::slack::arguments::Arguments;
use crate::slack::blocks;
use crate::slack::world::{View, World};

/// A `trigger_id` can be used once, within this many seconds.
const TRIGGER_SECONDS: i64 = 3;

pub(super) fn open(world: &mut World, arguments: &Arguments) -> Outcome {
    let trigger_id = required(arguments, "trigger_id", "invalid_arguments")?;
    let view = checked(arguments, "modal")?;
    let now = world.now();
    let trigger = world
        .triggers
        .get_mut(trigger_id)
        .ok_or_else(|| Refusal::malformed("invalid_trigger_id"))?;
    if trigger.used {
        return Err(Refusal::malformed("exchanged_trigger_id"));
    }
    if now.as_second() - trigger.issued.as_second() > TRIGGER_SECONDS {
        return Err(Refusal::state("expired_trigger_id"));
    }
    trigger.used = true;
    let user = trigger.user.clone();
    Ok(json!({"ok": true, "view": world.show_modal(&user, view)}))
}

pub(super) fn publish(world: &mut World, arguments: &Arguments) -> Outcome {
    let user = required(arguments, "user_id", "invalid_arguments")?.to_owned();
    if !world.users.contains_key(&user) {
        return Err(Refusal::state("user_not_found"));
    }
    let view = checked(arguments, "home")?;
    let id = match world.homes.get(&user) {
        Some(shown) => {
            let stale = arguments
                .text("hash")
                .is_some_and(|hash| shown.view["hash"] != hash);
            if stale {
                return Err(Refusal::state("hash_conflict"));
            }
            shown.id.clone()
        }
        None => world.next_id("V"),
    };
    let view = world.complete_view(&id, view);
    let home = View {
        id,
        user: user.clone(),
        view: view.clone(),
    };
    world.homes.insert(user, home);
    Ok(json!({"ok": true, "view": view}))
}

pub(super) fn update(world: &mut World, arguments: &Arguments) -> Outcome {
    let id = required(arguments, "view_id", "invalid_arguments")?.to_owned();
    let Some(shown) = world.modals.iter().position(|view| view.id == id) else {
        return Err(Refusal::state("not_found"));
    };
    let stale = arguments
        .text("hash")
        .is_some_and(|hash| world.modals[shown].view["hash"] != hash);
    if stale {
        return Err(Refusal::state("hash_conflict"));
    }
    let view = checked(arguments, "modal")?;
    let view = world.complete_view(&id, view);
    world.modals[shown].view = view.clone();
    Ok(json!({"ok": true, "view": view}))
}

fn checked(arguments: &Arguments, kind: &str) -> Result<Value, Refusal> {
    let view = arguments
        .structure("view")?
        .ok_or_else(|| Refusal::malformed("invalid_arguments"))?;
    if view["type"] != kind {
        return Err(Refusal::explained(
            "invalid_arguments",
            format!("view is not a {kind}"),
        ));
    }
    blocks::check_view(&view).map_err(|detail| Refusal::explained("invalid_arguments", detail))?;
    Ok(view)
}

impl World {
    /// Shows a modal to a person, with the fields that Slack adds.
    pub(in crate::slack) fn show_modal(&mut self, user: &str, view: Value) -> Value {
        let id = self.next_id("V");
        let view = self.complete_view(&id, view);
        self.modals.push(View {
            id,
            user: user.to_owned(),
            view: view.clone(),
        });
        view
    }

    pub(in crate::slack) fn complete_view(&mut self, id: &str, mut view: Value) -> Value {
        let given = view["blocks"].take();
        view["blocks"] = blocks::with_ids(given, || self.next_id("b"));
        view["id"] = json!(id);
        view["hash"] = json!(self.next_ts());
        view["team_id"] = json!(self.settings.team_id);
        view["app_id"] = json!(self.settings.app_id);
        view["bot_id"] = json!(self.settings.bot_id);
        view["state"] = json!({"values": {}});
        for key in ["private_metadata", "callback_id", "external_id"] {
            if view[key].is_null() {
                view[key] = json!("");
            }
        }
        view
    }
}
