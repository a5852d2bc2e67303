//! What the repository has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::page::words_of;

/// The folders and files whose words count as names of the code. SQL files do not: old migrations have names that are gone.
const CODE: [&str; 10] = [
    ".ci",
    "benches",
    "Cargo.toml",
    "crates",
    "manifest.yaml",
    "qdn.example.toml",
    "src",
    "tests/matrix",
    "tests/suite",
    "tests/support",
];

/// The path of a file of the repository.
pub(crate) fn in_root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs git in the repository.
pub(crate) fn git(arguments: &[&str]) -> std::io::Result<Output> {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(in_root("")).output()
}

/// The files that are in git or could be added; `None` outside a checkout.
pub(crate) fn files() -> Option<Vec<String>> {
    let listed = git(&[
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ])
    .ok()?;
    let listed = String::from_utf8(listed.stdout).ok()?;
    let files = listed.split('\0').filter(|file| in_root(file).is_file());
    let files: Vec<String> = files.map(str::to_owned).collect();
    files.contains(&"Cargo.toml".to_owned()).then_some(files)
}

/// The files of the repository, their folders, and files without extension.
pub(crate) struct Paths {
    all: BTreeSet<String>,
    extensions: BTreeSet<String>,
}

impl Paths {
    pub(crate) fn of(files: &[String]) -> Self {
        let mut all = BTreeSet::new();
        let mut extensions = BTreeSet::new();
        for file in files.iter().map(Path::new) {
            let ancestors = file.ancestors().map(Path::to_owned);
            let paths = ancestors.chain([file.with_extension("")]);
            all.extend(paths.map(|path| path.to_str().unwrap().to_owned()));
            extensions.extend(file.extension().map(|it| it.to_str().unwrap().to_owned()));
        }
        Paths { all, extensions }
    }

    /// Whether the words in backticks are a path, and no file or folder has it.
    pub(crate) fn miss(&self, span: &str) -> bool {
        let path = span.trim_end_matches('/');
        let has_extension = path.rsplit_once('.').is_some_and(|(before, extension)| {
            !before.is_empty() && self.extensions.contains(extension)
        });
        let is_other = span.starts_with('/')
            || span.contains(char::is_whitespace)
            || span.contains("::")
            || span.contains("://");
        if is_other || !(span.contains('/') || has_extension) || self.have(path) {
            return false;
        }
        match path.rsplit_once('/') {
            Some((folder, name)) => !(has_placeholder(name) && self.have(folder)),
            None => true,
        }
    }

    fn have(&self, path: &str) -> bool {
        let end = format!("/{path}");
        self.all.iter().any(|it| it == path || it.ends_with(&end))
    }
}

/// Whether the name has a word in capitals, such as `WORD.rs`.
fn has_placeholder(name: &str) -> bool {
    let mut words = name.split(['.', '_']);
    words.any(|word| word.len() >= 4 && word.chars().all(|c| c.is_ascii_uppercase()))
}

/// The words of the code, of its settings and of its tests.
pub(crate) fn code_words() -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for path in CODE {
        collect_words(&in_root(path), &mut words);
    }
    words
}

fn collect_words(path: &Path, words: &mut BTreeSet<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect_words(&entry.unwrap().path(), words);
        }
    } else if path.extension().is_none_or(|it| it != "sql")
        && let Ok(text) = fs::read_to_string(path)
    {
        words.extend(words_of(&text));
    }
}

/// The tables that there are after all migrations.
pub(crate) fn tables() -> BTreeSet<String> {
    let migrations = fs::read_dir(in_root("migrations")).unwrap();
    let mut migrations: Vec<PathBuf> = migrations.map(|entry| entry.unwrap().path()).collect();
    migrations.sort();
    let mut tables = BTreeSet::new();
    for migration in migrations {
        for line in fs::read_to_string(migration).unwrap().lines() {
            let line = line.trim_end_matches([';', '(', ' ']);
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["create", "table", table] => {
                    tables.insert(table.to_owned());
                }
                ["alter", "table", old, "rename", "to", new] => {
                    assert!(
                        tables.remove(old),
                        "{old} is renamed, but was never created"
                    );
                    tables.insert(new.to_owned());
                }
                ["drop", "table", table] => {
                    tables.remove(table);
                }
                _ => {}
            }
        }
    }
    tables
}
