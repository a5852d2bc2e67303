//! `qdn-relay manifest`: prints the Slack app's manifest.

use std::path::Path;

use super::Failed;
use crate::config::{Config, Environment};

/// The Slack app's manifest, with a placeholder for `public_url`.
const MANIFEST: &str = include_str!("../../manifest.yaml");

/// The placeholder in the manifest.
const PLACEHOLDER: &str = "https://desk.example.com";

/// What does not work without each scope, as `check` reports it.
const USES: [(&str, &str); 10] = [
    (
        "channels:history",
        "replies in a public channel are not seen",
    ),
    ("channels:read", "a public channel is not found by its name"),
    ("chat:write", "nothing can be posted"),
    ("commands", "/qdn does not work"),
    (
        "files:read",
        "pictures that a dispatcher puts in a thread are not sent",
    ),
    ("files:write", "voicemail and pictures cannot be shown"),
    (
        "groups:history",
        "replies in a private channel are not seen",
    ),
    ("groups:read", "a private channel is not found by its name"),
    ("reactions:write", "no mark says what became of a reply"),
    ("users:read", "people are shown without their names"),
];

/// Returns the bot scopes in the manifest.
pub(super) fn bot_scopes() -> Vec<&'static str> {
    MANIFEST
        .lines()
        .skip_while(|line| line.trim() != "bot:")
        .skip(1)
        .map_while(|line| line.trim().strip_prefix("- "))
        .collect()
}

/// Returns what does not work without the scope.
pub(super) fn use_of(scope: &str) -> &'static str {
    let mut uses = USES.iter();
    uses.find(|(known, _)| *known == scope)
        .map_or("something does not work", |(_, what)| what)
}

pub(super) fn run(path: &Path, environment: &Environment) -> Result<(), Failed> {
    let config = Config::load(path, environment)?;
    print!("{}", MANIFEST.replace(PLACEHOLDER, &config.public_url));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_every_scope_it_is_known_what_it_is_for() {
        let scopes = bot_scopes();
        assert!(scopes.contains(&"chat:write"), "{scopes:?}");
        for scope in scopes {
            assert_ne!(use_of(scope), "something does not work", "{scope}");
        }
    }
}
