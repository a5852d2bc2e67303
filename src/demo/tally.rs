//! Counts messages that arrived, were lost or were delivered twice, from the stand-ins' logs.
//!
//! The relay's database only says which text belongs to which post. The stand-ins say whether a message arrived once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Demo, Standing};
use crate::clock::Clock;
use crate::store::overview::Asked;
use qdn_sandbox::slack::{Channel, Message, World};
use qdn_sandbox::twilio::Created;

/// A message counts as lost if it has not arrived after this time while no trouble is switched on.
const LOST: Duration = Duration::from_secs(60);

pub(super) fn of(demo: &Demo, asked: &[Asked]) -> Value {
    let created = demo.twilio.created();
    let texts: Vec<_> = demo.twilio.messages();
    let texts: Vec<_> = texts.iter().filter(|text| text.inbound).collect();
    let (posts, replies, doubled_posts) =
        demo.slack.read(|world| match world.channel(&demo.channel) {
            Some(channel) => (
                channel.messages.keys().cloned().collect(),
                replies(channel, asked, &names(world)),
                doubled(channel.messages.values().filter_map(outbox_of_post)),
            ),
            None => (BTreeSet::new(), Vec::new(), 0),
        });
    let sids: BTreeSet<&str> = created.iter().map(|one| one.sid.as_str()).collect();
    let become_of = by_message(asked);
    let is_shown = |sid: &str| {
        let of = become_of.get(&("twilio", sid));
        of.is_some_and(|of| of.iter().any(|ts| posts.contains(*ts)))
    };
    let is_texted = |ts: &str| {
        let id = format!("{}:{ts}", demo.channel);
        let of = become_of.get(&("slack", id.as_str()));
        // Words that wait to become a text stand there without a SID.
        of.is_some_and(|of| of.iter().any(|sid| sids.contains(sid)))
    };

    let calm = !demo.trouble.is_any()
        && demo
            .relay
            .as_ref()
            .is_some_and(|(relay, _)| relay.standing() == Standing::Running);
    let now = Clock::System.now();
    let is_late = |at: Timestamp| calm && now.duration_since(at).unsigned_abs() > LOST;
    let unshown: Vec<Timestamp> = texts
        .iter()
        .filter(|text| !is_shown(&text.sid))
        .map(|text| text.at)
        .collect();
    let untexted: Vec<Timestamp> = replies
        .iter()
        .filter(|ts| !is_texted(ts))
        .map(|ts| time_of(ts))
        .collect();
    let missing = unshown.iter().chain(&untexted);
    let lost = missing.clone().filter(|at| is_late(**at)).count();
    json!({
        "texts": texts.len(),
        "shown": texts.len() - unshown.len(),
        "replies": replies.len(),
        "texted": replies.len() - untexted.len(),
        "lost": lost,
        "on_the_way": missing.count() - lost,
        "twice": doubled_posts + doubled(created.iter().filter_map(outbox_of_text)),
    })
}

fn names(world: &World) -> Vec<String> {
    let people = world.users().filter(|user| !user.bot);
    people
        .map(|user| user.display_name.to_lowercase())
        .collect()
}

/// Returns the message at the other vendor for each message, by origin and id.
fn by_message(asked: &[Asked]) -> BTreeMap<(&str, &str), Vec<&str>> {
    let mut all: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for one in asked {
        let key = (one.origin.as_str(), one.message.as_str());
        all.entry(key).or_default().push(&one.delivered_as);
    }
    all
}

/// Returns the replies that people wrote in the app's threads for the caller.
fn replies(channel: &Channel, asked: &[Asked], names: &[String]) -> Vec<String> {
    let is_of_app = |root: &str| channel.messages.get(root).is_some_and(Message::is_by_app);
    let was_asked = |ts: &str| {
        let id = format!("{}:{ts}", channel.id);
        asked.iter().any(|one| one.message == id)
    };
    channel
        .messages
        .values()
        .filter(|message| !message.is_by_app() && message.is_reply())
        .filter(|message| message.thread_ts.as_deref().is_some_and(is_of_app))
        .filter(|message| was_asked(&message.ts) || !looks_internal(message, names))
        .map(|message| message.ts.clone())
        .collect()
}

/// Whether this is a note, a command or a message to a colleague. None of these is texted without a confirmation.
fn looks_internal(message: &Message, names: &[String]) -> bool {
    let text = message.text.trim_start().to_lowercase();
    let is_marked = message.reactions.iter().any(|mark| mark.name == "lock");
    let signs = ["//", ";;", "note:", "private:", "<@", "@", "/"];
    let first = text.split(|c: char| !c.is_alphanumeric()).next();
    let is_to_somebody = first.is_some_and(|word| names.iter().any(|name| name == word));
    is_marked || is_to_somebody || signs.iter().any(|sign| text.starts_with(sign))
}

fn outbox_of_post(message: &Message) -> Option<String> {
    let metadata = message.metadata.as_ref()?;
    let id = &metadata["event_payload"]["outbox"];
    id.as_str().map(str::to_owned)
}

/// Returns the delivery that is named in the status callback URL of a text.
fn outbox_of_text(text: &Created) -> Option<String> {
    let query = url::Url::parse(text.status_callback.as_ref()?).ok()?;
    let mut pairs = query.query_pairs();
    pairs
        .find(|(name, _)| name == "o")
        .map(|(_, id)| id.into_owned())
}

/// Counts the repetitions in a list.
fn doubled(ids: impl Iterator<Item = String>) -> usize {
    let mut seen = BTreeSet::new();
    ids.filter(|id| !seen.insert(id.clone())).count()
}

fn time_of(ts: &str) -> Timestamp {
    let seconds = ts.split('.').next().unwrap_or_default().parse();
    Timestamp::from_second(seconds.unwrap_or_default()).unwrap_or_default()
}
