//! `/qdn name NUMBER Name`: what a known caller is called, wherever the number is shown.

use serde_json::json;

use super::why;
use crate::app::App;
use crate::bridge::desk::membership;
use crate::bridge::wording::{self, desk};
use crate::delivery;
use crate::phone::{Address, PhoneNumber};
use crate::slack::event::SlashCommand;
use crate::slack::mrkdwn::{Names, plain_text};
use crate::store::audit::NewEntry;
use crate::store::storable;
use crate::store::{conversations, home_views, names};
use crate::vocabulary::Decision;

/// Most characters of a name: it stands in one line with the number.
const LONGEST: usize = 60;

/// Instead of a name: forget the one there is.
const REMOVE: &str = "remove";

pub(super) async fn answer(app: &App, command: &SlashCommand) -> String {
    let lines = why::lines_here(app, command);
    let typed = plain_text(&command.text, &Names::default());
    let region = lines.first().and_then(|line| line.number.region());
    let Some((number, name)) = parse(&typed, region.as_deref().unwrap_or("US")) else {
        return desk::name_whom(&command.command);
    };
    if let Err(refusal) = membership::may_act_on_one(app, &lines, &command.user_id).await {
        return refusal;
    }
    let changed = match name.as_str() {
        "" => tell(app, command, &number).await,
        name if name.chars().count() > LONGEST => Ok(desk::name_too_long(LONGEST)),
        name => change(app, command, &number, name).await,
    };
    changed.unwrap_or_else(|error| {
        tracing::warn!(error = format!("{error:#}"), "a name was not saved");
        wording::not_saved()
    })
}

/// The number and the name behind the command's own word.
pub(crate) fn parse(typed: &str, region: &str) -> Option<(PhoneNumber, String)> {
    let is_of_number = |word: &&str| {
        word.chars()
            .all(|c| c.is_ascii_digit() || "+-.()/".contains(c))
    };
    let words: Vec<&str> = typed.split_whitespace().skip(1).collect();
    let digits = words.iter().take_while(|word| is_of_number(word)).count();
    let number = PhoneNumber::parse_in(&words[..digits].join(" "), region).ok()?;
    Some((number, storable(&words[digits..].join(" "))))
}

async fn tell(app: &App, command: &SlashCommand, number: &PhoneNumber) -> anyhow::Result<String> {
    let caller = Address::new(number.as_str());
    let name = names::of(&app.store, number.as_str()).await?;
    Ok(desk::is_called(&caller, name.as_deref(), &command.command))
}

async fn change(
    app: &App,
    command: &SlashCommand,
    number: &PhoneNumber,
    name: &str,
) -> anyhow::Result<String> {
    let caller = Address::new(number.as_str());
    let by = command.user_id.as_str();
    let removes = name.eq_ignore_ascii_case(REMOVE);
    let mut tx = app.store.begin().await?;
    if removes {
        if !names::forget(&mut tx, number.as_str()).await? {
            return Ok(desk::has_no_name(&caller));
        }
    } else {
        names::set(&mut tx, number.as_str(), name, by).await?;
    }
    for conversation in conversations::of_caller(&mut tx, number.as_str()).await? {
        let (channel, ts) = (&conversation.channel, &conversation.thread_ts);
        delivery::enqueue_root(&mut tx, &conversation.id, channel, ts).await?;
    }
    home_views::mark_stale(&mut tx).await?;
    tx.audit(NewEntry {
        line: String::new(),
        number: number.as_str().to_owned(),
        subject: number.redacted(),
        decision: if removes {
            Decision::NameRemoved
        } else {
            Decision::CallerNamed
        },
        reason: format!("said with {}", command.command),
        detail: json!({ "by": by }),
        at: None,
    });
    tx.commit().await?;
    Ok(if removes {
        desk::name_removed(&caller)
    } else {
        desk::is_called_now(&caller, name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_people_type_it() {
        for (typed, number, name) in [
            ("name 6195550142 Ana López", "+16195550142", "Ana López"),
            ("name (619) 555-0142 7-Eleven", "+16195550142", "7-Eleven"),
            ("name +1 619 555 0142", "+16195550142", ""),
            ("name 619.555.0142 remove", "+16195550142", "remove"),
        ] {
            let (found, rest) = parse(typed, "US").unwrap();
            assert_eq!((found.as_str(), rest.as_str()), (number, name), "{typed}");
        }
        for typed in ["name", "name Ana", "name 42 Ana", "name Ana 6195550142"] {
            assert_eq!(parse(typed, "US"), None, "{typed}");
        }
    }
}
