//! `auth.test` and `users.info`.

use serde_json::json;

use super::{Outcome, Refusal, required};
use crate::slack::arguments::Arguments;
use crate::slack::world::World;

pub(super) fn auth_test(world: &mut World, _: &Arguments) -> Outcome {
    let settings = &world.settings;
    Ok(json!({
        "ok": true,
        "url": format!("https://{}.slack.com/", settings.team_domain),
        "team": settings.team_domain,
        "user": settings.bot_name,
        "team_id": settings.team_id,
        "user_id": settings.bot_user_id,
        "bot_id": settings.bot_id,
        "is_enterprise_install": false,
    }))
}

pub(super) fn info(world: &mut World, arguments: &Arguments) -> Outcome {
    let id = required(arguments, "user", "user_not_found")?;
    let user = world
        .users
        .get(id)
        .ok_or_else(|| Refusal::state("user_not_found"))?;
    let handle = user.display_name.to_lowercase().replace(' ', ".");
    let real_name = match user.real_name.as_str() {
        "" => &user.display_name,
        name => name,
    };
    Ok(json!({"ok": true, "user": {
        "id": user.id,
        "team_id": user.team_id,
        "name": handle,
        "deleted": false,
        "real_name": real_name,
        "tz": "America/Los_Angeles",
        "tz_offset": -28800,
        "profile": {
            "real_name": real_name,
            "display_name": user.display_name,
            "real_name_normalized": real_name,
            "display_name_normalized": user.display_name,
            "team": user.team_id,
        },
        "is_admin": false,
        "is_owner": false,
        "is_restricted": user.restricted,
        "is_ultra_restricted": false,
        "is_bot": user.bot,
        "is_stranger": user.stranger,
        "is_app_user": false,
        "updated": 1_700_000_000,
    }}))
}
