//! Which commands the program has, and what `cargo test` can run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use syn::{Item, ItemEnum};
use toml::Table;

use crate::page::Page;
use crate::repository::in_root;

/// The commands of `qdn-relay`, and the commands below each.
pub(crate) struct ProgramCommands(BTreeMap<String, BTreeSet<String>>);

impl ProgramCommands {
    /// Reads the enums that derive `Subcommand`.
    pub(crate) fn read() -> Self {
        let mut commands = BTreeMap::new();
        for command in subcommands("src/cli.rs") {
            let below = subcommands(&format!("src/cli/{command}.rs"));
            commands.insert(command, below);
        }
        ProgramCommands(commands)
    }

    /// Whether the words run a command that there is not. `outbox list` counts as `qdn-relay outbox list`.
    pub(crate) fn miss(&self, code: &str) -> bool {
        let mut words = match code.split_once("qdn-relay ") {
            Some((_, words)) => words.split(' '),
            None => code.split(' '),
        };
        let first = words.next().unwrap_or_default();
        let second = words.next().unwrap_or_default();
        match self.0.get(first) {
            Some(below) => !below.is_empty() && is_command(second) && !below.contains(second),
            None => code.contains("qdn-relay ") && is_command(first),
        }
    }
}

/// Whether a word stands where a command stands, and is no option or placeholder.
fn is_command(word: &str) -> bool {
    !word.is_empty()
        && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        && !word.starts_with('-')
}

fn subcommands(file: &str) -> BTreeSet<String> {
    let Ok(code) = fs::read_to_string(in_root(file)) else {
        return BTreeSet::new();
    };
    let items = syn::parse_file(&code).unwrap().items;
    let enums = items.into_iter().filter_map(|item| match item {
        Item::Enum(item) if derives_subcommand(&item) => Some(item),
        _ => None,
    });
    let variants = enums.flat_map(|item| item.variants);
    variants
        .map(|variant| variant.ident.to_string().to_lowercase())
        .collect()
}

fn derives_subcommand(item: &ItemEnum) -> bool {
    item.attrs.iter().any(|attribute| {
        let mut found = false;
        // Other attributes have arguments that this does not parse.
        let _ = attribute.parse_nested_meta(|meta| {
            found |= meta.path.is_ident("Subcommand");
            Ok(())
        });
        found
    })
}

/// What can stand behind `--test`, and the modules whose tests a filter can choose.
pub(crate) struct TestTargets {
    targets: BTreeSet<String>,
    stories: BTreeSet<String>,
    modules: BTreeSet<String>,
}

impl TestTargets {
    pub(crate) fn read() -> Self {
        let manifest = fs::read_to_string(in_root("Cargo.toml")).unwrap();
        let manifest: Table = manifest.parse().unwrap();
        let declared = manifest["test"].as_array().unwrap().iter();
        let declared = declared.filter_map(|test| Some(test.get("name")?.as_str()?.to_owned()));
        // Cargo finds `tests/NAME.rs` by itself, and `tests/NAME/main.rs`.
        let found = names_in("tests").into_iter().filter(|name| {
            in_root(&format!("tests/{name}.rs")).exists()
                || in_root(&format!("tests/{name}/main.rs")).exists()
        });
        TestTargets {
            targets: declared.chain(found).collect(),
            stories: names_in("tests/suite"),
            modules: names_below("src"),
        }
    }

    /// The `cargo test` commands of the page that name a target or a module that there is not.
    pub(crate) fn unknown_in(&self, page: &Page) -> Vec<String> {
        let mut unknown = page.code();
        unknown.retain(|code| {
            let command = code.split_once("cargo test ");
            command.is_some_and(|(_, arguments)| self.miss(arguments))
        });
        unknown
    }

    fn miss(&self, arguments: &str) -> bool {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let after = |option: &str| {
            let at = words.iter().position(|word| *word == option)?;
            words.get(at + 1).copied()
        };
        let is_missed_target = after("--test").is_some_and(|target| !self.targets.contains(target));
        let is_missed_module = after("--lib")
            .is_some_and(|filter| is_command(filter) && !self.modules.contains(filter));
        let stories = words
            .iter()
            .filter_map(|word| Some(word.split_once("::")?.0));
        let mut missed_stories = stories.filter(|story| !self.stories.contains(*story));
        is_missed_target || is_missed_module || missed_stories.next().is_some()
    }
}

/// The files and folders in a folder, without extension.
fn names_in(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(in_root(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().path().with_extension(""));
    names
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn names_below(folder: &str) -> BTreeSet<String> {
    let mut names = names_in(folder);
    for name in names.clone() {
        let below = format!("{folder}/{name}");
        if in_root(&below).is_dir() {
            names.extend(names_below(&below));
        }
    }
    names
}
