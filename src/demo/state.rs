//! Everything that the page shows, as one JSON object.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Demo, Standing, calls, tally};
use crate::slack::emoji;
use qdn_sandbox::slack::{Message, World};

/// How many entries the page shows at most.
const MESSAGES: usize = 500;

pub(super) async fn of(demo: &Demo) -> Value {
    // What cannot be read now is read the next time: the page goes on with the stand-ins.
    let seen = match &demo.relay {
        Some((_, service)) => service.see().await.ok(),
        None => None,
    };
    let mut violations = demo.twilio.violations();
    let texts = texts(demo);
    let mut state = demo.slack.read(|world| {
        violations.extend(world.violations().iter().cloned());
        workspace(world, demo)
    });
    state["number"] = json!(demo.number);
    state["callers"] = texts;
    state["phones"] = demo
        .phones
        .iter()
        .map(|phone| json!({"name": phone.name, "number": phone.number}))
        .collect();
    state["calls"] = calls::shown(demo);
    // That a relay which was killed does not answer is no fault of it.
    violations.retain(|what| !(demo.trouble.has_killed() && what.contains(": no answer (")));
    state["violations"] = json!(violations);
    state["trouble"] = demo.trouble.shown();
    if let Some((relay, _)) = &demo.relay {
        state["relay"] = match relay.standing() {
            Standing::Starting => json!({"is": "starting"}),
            Standing::Running => json!({"is": "running"}),
            Standing::Killed => json!({"is": "killed"}),
            Standing::Died(why) => json!({"is": "died", "why": why}),
        };
        state["relay"]["url"] = json!(relay.url());
    }
    if let Some(seen) = seen {
        state["service"] = seen.shown();
        state["tally"] = tally::of(demo, &seen.asked);
    }
    state
}

fn texts(demo: &Demo) -> Value {
    let log = demo.twilio.messages();
    let of_caller = |number: &str| -> Vec<Value> {
        let mut texts: Vec<_> = log
            .iter()
            .filter(|text| text.from == number || text.to == number)
            .collect();
        texts.sort_by_key(|text| text.at);
        texts
            .into_iter()
            .map(|text| {
                // The stand-in has them all: what is to be sent it fetches first, as Twilio does.
                let pictures: Vec<String> = (0..demo.twilio.media_of(&text.sid).len())
                    .map(|n| format!("media/{}/{n}", text.sid))
                    .collect();
                json!({
                    "sid": text.sid,
                    "inbound": text.inbound,
                    "body": text.body,
                    "status": match text.error_code {
                        Some(code) => format!("{} ({code})", text.status),
                        None => text.status.clone(),
                    },
                    "at": text.at.as_second(),
                    "pictures": pictures,
                })
            })
            .collect()
    };
    demo.callers
        .list()
        .iter()
        .map(|caller| {
            json!({
                "name": caller.name,
                "number": caller.number,
                "city": caller.city,
                "texts": of_caller(&caller.number),
            })
        })
        .collect()
}

fn workspace(world: &World, demo: &Demo) -> Value {
    let Some(channel) = world.channel(&demo.channel) else {
        return json!({});
    };
    let users: Map<String, Value> = world
        .users()
        .map(|user| (user.id.clone(), json!(user.display_name)))
        .collect();
    let people: Vec<Value> = demo
        .dispatchers
        .iter()
        .map(|id| json!({"id": id, "name": users.get(id)}))
        .collect();
    let skipped = channel.messages.len().saturating_sub(MESSAGES);
    let messages: Value = channel
        .messages
        .values()
        .skip(skipped)
        .map(|message| shown(world, message))
        .collect();
    let (ephemerals, modals) = (ephemerals(world), modals(world));
    let homes = homes(world, &demo.dispatchers);
    let mut names = BTreeMap::new();
    for shown in [&messages, &ephemerals, &homes, &modals] {
        collect_emoji(shown, &mut names);
    }
    json!({
        "channel": {"id": channel.id, "name": channel.name},
        "bot": world.bot_name(),
        "users": users,
        "people": people,
        "messages": messages,
        "ephemerals": ephemerals,
        "modals": modals,
        "homes": homes,
        "emoji": names,
    })
}

fn ephemerals(world: &World) -> Value {
    world
        .all_ephemerals()
        .iter()
        .map(|one| {
            json!({
                "ts": one.ts,
                "user": one.user,
                "thread_ts": one.thread_ts,
                "text": one.text,
                "blocks": one.blocks,
            })
        })
        .collect()
}

/// Returns the dispatchers' Home tabs by user id.
fn homes(world: &World, dispatchers: &[String]) -> Value {
    let homes: Map<String, Value> = dispatchers
        .iter()
        .filter_map(|id| world.home(id))
        .map(|home| (home.user.clone(), home.view.clone()))
        .collect();
    Value::Object(homes)
}

fn modals(world: &World) -> Value {
    world
        .modals()
        .iter()
        .map(|modal| json!({"user": modal.user, "view": modal.view}))
        .collect()
}

fn shown(world: &World, message: &Message) -> Value {
    let files: Vec<Value> = message
        .files
        .iter()
        .filter_map(|id| world.file(id))
        .map(|file| json!({"id": file.id, "name": file.name, "mimetype": file.mimetype}))
        .collect();
    let reactions: Vec<Value> = message
        .reactions
        .iter()
        .map(|reaction| json!({"name": reaction.name, "count": reaction.users.len()}))
        .collect();
    json!({
        "ts": message.ts,
        "thread_ts": message.thread_ts,
        "user": message.user,
        "bot": message.is_by_app(),
        "subtype": message.subtype,
        "text": message.text,
        "blocks": message.blocks,
        "edited": message.edited.is_some(),
        "files": files,
        "reactions": reactions,
    })
}

/// Returns the Unicode for every emoji short name in the state, so that the page needs no table.
fn collect_emoji(value: &Value, names: &mut BTreeMap<String, &'static str>) {
    let mut take = |name: &str| {
        if let Some(unicode) = emoji::unicode(name) {
            names.insert(name.to_owned(), unicode);
        }
    };
    match value {
        Value::String(text) => text.split(':').for_each(take),
        Value::Array(list) => list.iter().for_each(|value| collect_emoji(value, names)),
        Value::Object(map) => {
            if let Some(name) = map.get("name").and_then(Value::as_str) {
                take(name);
            }
            map.values().for_each(|value| collect_emoji(value, names));
        }
        _ => {}
    }
}
