//! The `[[people]]` sections.

use std::collections::HashSet;

use serde::Deserialize;

use super::speech;
use super::written::{Text, is_slack_id, phone};
use super::{Person, Problems};

#[derive(Deserialize)]
pub(super) struct FilePerson {
    #[serde(default)]
    name: Text,
    #[serde(default)]
    phone: Text,
    slack: Option<Text>,
    language: Option<Text>,
}

pub(super) fn people(list: Vec<FilePerson>, problems: &mut Problems) -> Vec<Person> {
    let mut seen = HashSet::new();
    let mut people = Vec::new();
    for (
        index,
        FilePerson {
            name: Text(name),
            phone: number,
            slack,
            language,
        },
    ) in list.into_iter().enumerate()
    {
        let key = |field: &str| format!("people[{index}].{field}");
        if name.is_empty() || !name.chars().all(is_of_name) {
            problems.add(
                key("name"),
                format!("\"{name}\""),
                "it must be one word of letters, digits, - or ', as people type it after the slash command",
            );
        } else if !seen.insert(name.to_lowercase()) {
            problems.add(
                key("name"),
                &name,
                "another person has this name; add an initial",
            );
        }
        let slack = slack.map(|Text(user)| user);
        if let Some(user) = &slack {
            if !is_slack_id(user, ['U', 'W']) {
                problems.add(key("slack"), format!("\"{user}\""), "it must be a Slack member ID such as U012AB3CD, found in the person's profile under Copy member ID");
            } else if !seen.insert(user.clone()) {
                problems.add(
                    key("slack"),
                    user,
                    "another person has this member ID; each needs their own",
                );
            }
        }
        if let Some(number) = phone(key("phone"), &number, problems) {
            people.push(Person {
                name,
                phone: number,
                slack,
                language: speech::language(key("language"), language, problems),
            });
        }
    }
    people
}

/// Whether a character may be in a person's name, which people type after the slash command and which is part of a Redis
/// key.
fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || "-_'’.".contains(c)
}
