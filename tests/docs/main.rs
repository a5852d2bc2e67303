//! Keeps the pages for contributors true: what they name exists. Also tries whether the deliberate mistakes still apply.
//!
//! A path may be shortened to its end (`desk/status`), and capitals stand for any name (`migrations/NNNN_what.sql`).

#![expect(
    clippy::unwrap_used,
    reason = "a test: what it cannot read fails it where it stands"
)]

mod commands;
mod page;
mod repository;

use std::collections::BTreeSet;
use std::fs;

use qdn_test_support::gate::skip;

use self::commands::{ProgramCommands, TestTargets};
use self::page::{Page, is_name, spans, words_of};
use self::repository::{Paths, code_words, files, git, in_root, tables};

#[test]
fn paths_exist() {
    let Some(files) = files() else {
        return skip("the paths in the pages", "this is no git checkout");
    };
    let paths = Paths::of(&files);
    expect_none(&pages(), |page| {
        page.spans()
            .into_iter()
            .filter(|span| paths.miss(span))
            .collect()
    });
}

#[test]
fn links_lead_somewhere() {
    expect_none(&pages(), Page::broken_links);
}

#[test]
fn test_commands_run_something() {
    let targets = TestTargets::read();
    expect_none(&pages(), |page| targets.unknown_in(page));
}

#[test]
fn commands_of_the_program_exist() {
    let commands = ProgramCommands::read();
    expect_none(&pages(), |page| {
        let mut unknown = page.code();
        unknown.retain(|code| commands.miss(code));
        unknown
    });
}

#[test]
fn names_occur_in_the_code() {
    let words = code_words();
    expect_none(&pages(), |page| {
        let names = page.spans().into_iter().filter(|span| is_name(span));
        let mut names: Vec<String> = names.flat_map(|name| words_of(&name)).collect();
        names.extend(page.variables());
        names.retain(|name| !name.ends_with('_') && !words.contains(name));
        names
    });
}

#[test]
fn tables_exist() {
    let tables = tables();
    let pages = pages();
    let architecture = pages.iter().find(|page| page.name() == "ARCHITECTURE.md");
    let section = architecture.unwrap().section("Who holds which state");
    let rows = section.lines().skip_while(|line| !line.starts_with("| `"));
    let rows = rows.take_while(|line| line.starts_with('|'));
    let listed = rows.flat_map(|row| spans(row.split('|').nth(1).unwrap()));
    assert_eq!(listed.collect::<BTreeSet<_>>(), tables, "ARCHITECTURE.md");
    expect_none(&pages, |page| {
        let mut named = page.named_tables();
        named.retain(|name| !tables.contains(name));
        named
    });
}

#[test]
fn mistakes_still_apply() {
    if files().is_none() {
        return skip("the deliberate mistakes", "this is no git checkout");
    }
    let patches = in_root("tests/matrix/mistakes");
    let mut broken = Vec::new();
    for entry in fs::read_dir(patches).unwrap() {
        let patch = entry.unwrap().path();
        let check = git(&["apply", "--check", patch.to_str().unwrap()]).unwrap();
        if !check.status.success() {
            broken.push(String::from_utf8(check.stderr).unwrap());
        }
    }
    assert!(
        broken.is_empty(),
        "patches in tests/matrix/mistakes do not apply any more; CONTRIBUTING.md, \"Mistakes\", says how to mend them:\n{}",
        broken.concat()
    );
}

#[test]
fn broken_names_are_found() {
    let files = ["src/desk/status.rs", "migrations/0001_ground.sql"].map(str::to_owned);
    let paths = Paths::of(&files);
    for (span, is_missed) in [
        ("src/desk/status.rs", false),
        ("desk/status", false),
        ("desk/", false),
        ("status.rs", false),
        ("src/desk/WORD.rs", false),
        ("/api/desk/gone", false),
        ("desk/gone", true),
        ("gone.rs", true),
        ("src/gone/WORD.rs", true),
        ("tatus.rs", true),
    ] {
        assert_eq!(paths.miss(span), is_missed, "{span}");
    }
    let page = |text: &str| Page::new("docs/page.md", text);
    let targets = TestTargets::read();
    for (command, is_unknown) in [
        ("cargo test --test suite -- texts::sqlite", false),
        ("cargo test --lib segments", false),
        ("cargo test --test gone", true),
        ("cargo test --test suite -- texts:: gone::", true),
        ("cargo test --lib gone", true),
    ] {
        let found = targets.unknown_in(&page(&format!("`{command}`")));
        assert_eq!(!found.is_empty(), is_unknown, "{command}");
    }
    let commands = ProgramCommands::read();
    for (code, is_unknown) in [
        ("qdn-relay outbox retry ID", false),
        ("outbox retry ID", false),
        ("qdn-relay --help", false),
        ("qdn-relay gone", true),
        ("qdn-relay outbox gone", true),
        ("outbox gone", true),
    ] {
        assert_eq!(commands.miss(code), is_unknown, "{code}");
    }
    let links = page("## Some `words`, too\n[a](gone.md) [b](adding.md) [c](#some-words-too)");
    assert_eq!(links.broken_links(), ["gone.md"]);
    assert_eq!(
        page("Tables `audit`,\n`gone`, `desk/x`.").named_tables(),
        ["audit", "gone"]
    );
}

/// The pages that are written for contributors.
fn pages() -> Vec<Page> {
    let mut names = vec!["ARCHITECTURE.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    for entry in fs::read_dir(in_root("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            names.push(format!("docs/{name}"));
        }
    }
    let read = |name: &String| Page::new(name, &fs::read_to_string(in_root(name)).unwrap());
    names.iter().map(read).collect()
}

/// Fails with whatever `find` finds in the pages.
fn expect_none(pages: &[Page], find: impl Fn(&Page) -> Vec<String>) {
    let mut problems = Vec::new();
    for page in pages {
        let found = find(page);
        problems.extend(found.iter().map(|it| format!("{}: {it}", page.name())));
    }
    assert!(
        problems.is_empty(),
        "what these pages name is not there any more:\n{}",
        problems.join("\n")
    );
}
