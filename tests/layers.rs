//! Reads the imports of `src/` and fails on one that points up, or sideways, between the folders of ARCHITECTURE.md.
//!
//! A folder may import itself and every folder in a row below its own. Folders of one row do not know each other, so no
//! circle between folders can pass. Code under `#[cfg(test)]` is not looked at: tests may start the whole service.

#![expect(
    clippy::unwrap_used,
    reason = "a test: what it cannot read fails it where it stands"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, ItemMod, ItemUse, UseTree};

/// The folders and files of `src/`, from the top down. Those of `bridge/` are named one by one.
const ROWS: &[&[&str]] = &[
    &["cli"],
    &["demo"],
    &["serve"],
    &["backfill", "http", "outbox"],
    &["bridge"],
    &["bridge::slack"],
    &["bridge::deliveries"],
    &["bridge::calls", "bridge::replies", "bridge::texts"],
    &["bridge::desk"],
    &["bridge::wording"],
    &["app"],
    &[
        "calls",
        "clients",
        "routing",
        "slack_directory",
        "thread_sync",
    ],
    &["availability", "delivery"],
    &["store"],
    &["conversation", "media"],
    &["connections", "twilio"],
    &["clock"],
    &["faultpoints"],
    &["config", "slack"],
    &[
        "callback",
        "log_limit",
        "phone",
        "private_files",
        "remote",
        "vocabulary",
    ],
];

/// One `use`, or one path in the code, from a module to another.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Import {
    from: String,
    to: String,
}

#[test]
fn imports_point_down() {
    let modules = modules();
    let mut problems = BTreeSet::new();
    for module in &modules {
        if row(&module.path).is_none() {
            problems.insert(format!(
                "src/{} is in no row: add its folder to ROWS in tests/layers.rs, above what it imports",
                module.path.join("/")
            ));
        }
    }
    let known: BTreeSet<String> = modules
        .iter()
        .map(|module| module.path.join("::"))
        .collect();
    for module in &modules {
        for import in module.imports(&known) {
            problems.extend(broken_rule(&import));
        }
    }
    let problems: Vec<String> = problems.into_iter().collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn arrows_up_and_sideways_are_found() {
    let import = |from: &str, to: &str| Import {
        from: from.to_owned(),
        to: to.to_owned(),
    };
    for (from, to, rule) in [
        ("http::slack", "bridge::slack::command", None),
        ("bridge::desk::claim", "bridge::desk::escalation", None),
        ("store::outbox", "bridge::wording", Some("points up")),
        (
            "bridge::texts::media",
            "bridge::replies::edit",
            Some("do not know each other"),
        ),
        (
            "http::slack",
            "outbox::worker",
            Some("do not know each other"),
        ),
    ] {
        let found = broken_rule(&import(from, to));
        match rule {
            None => assert_eq!(found, None, "{from} → {to}"),
            Some(rule) => assert!(found.is_some_and(|it| it.contains(rule)), "{from} → {to}"),
        }
    }
}

#[test]
fn imports_are_read_however_they_are_written() {
    let code = "
        use super::limits;
        use crate::{app::App, store::{self, outbox::Row as Delivery}};
        fn f() -> crate::phone::Address { self::g() }
        #[cfg(test)]
        mod tests { use crate::serve::serve; }
    ";
    let module = Module {
        path: vec!["bridge".into(), "desk".into(), "away_text".into()],
        code: syn::parse_file(code).unwrap(),
    };
    let known = [
        "bridge::desk",
        "bridge::desk::away_text",
        "bridge::desk::limits",
        "app",
        "store",
        "store::outbox",
        "phone",
        "serve",
    ];
    let known: BTreeSet<String> = known.into_iter().map(str::to_owned).collect();
    let found: Vec<String> = module
        .imports(&known)
        .into_iter()
        .map(|import| import.to)
        .collect();
    assert_eq!(
        found,
        [
            "app",
            "bridge::desk::limits",
            "phone",
            "store",
            "store::outbox"
        ]
    );
}

/// The rule that an import breaks, in a sentence that says what to do.
fn broken_rule(import: &Import) -> Option<String> {
    let path = |module: &str| module.split("::").map(str::to_owned).collect::<Vec<_>>();
    let (from, to) = (row(&path(&import.from))?, row(&path(&import.to))?);
    let Import {
        from: importer,
        to: imported,
    } = import;
    if from.1 == to.1 || from.0 < to.0 {
        None
    } else if from.0 == to.0 {
        Some(format!(
            "{importer} imports {imported}: {} and {} stand in one row and do not know each other. Move what both need below them",
            from.1, to.1
        ))
    } else {
        Some(format!(
            "{importer} imports {imported}: that points up, from {} to {}. Hand the value in from above, or move it down",
            from.1, to.1
        ))
    }
}

/// The row of a module and its folder's name there.
fn row(module: &[String]) -> Option<(usize, &'static str)> {
    let folder = match module {
        [first, second, ..] if first == "bridge" => format!("bridge::{second}"),
        [first, ..] => first.clone(),
        [] => return None,
    };
    ROWS.iter().enumerate().find_map(|(n, row)| {
        let name = row.iter().find(|name| **name == folder)?;
        Some((n, *name))
    })
}

/// One file of `src/`.
struct Module {
    path: Vec<String>,
    code: File,
}

impl Module {
    /// The modules that this one names, without itself.
    fn imports(&self, known: &BTreeSet<String>) -> BTreeSet<Import> {
        let mut found = Paths::default();
        found.visit_file(&self.code);
        let targets = found
            .paths
            .iter()
            .filter_map(|path| self.resolve(path, known));
        let from = self.path.join("::");
        targets
            .filter(|to| *to != from)
            .map(|to| Import {
                from: from.clone(),
                to,
            })
            .collect()
    }

    /// The innermost known module of a path that begins with `crate`, `self` or `super`.
    fn resolve(&self, path: &[String], known: &BTreeSet<String>) -> Option<String> {
        let mut absolute: Vec<String> = Vec::new();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => rest = &path[1..],
            "self" => {
                absolute.clone_from(&self.path);
                rest = &path[1..];
            }
            "super" => {
                absolute.clone_from(&self.path);
                while rest.first().is_some_and(|part| part == "super") {
                    absolute.pop();
                    rest = &rest[1..];
                }
            }
            _ => return None,
        }
        absolute.extend(rest.iter().filter(|part| *part != "self").cloned());
        while !absolute.is_empty() {
            let module = absolute.join("::");
            if known.contains(&module) {
                return Some(module);
            }
            absolute.pop();
        }
        None
    }
}

/// Collects the paths of a file outside its tests.
#[derive(Default)]
struct Paths {
    paths: Vec<Vec<String>>,
}

impl Paths {
    fn add_tree(&mut self, mut before: Vec<String>, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.add_tree(before, &path.tree);
            }
            UseTree::Name(name) => {
                before.push(name.ident.to_string());
                self.paths.push(before);
            }
            UseTree::Rename(rename) => {
                before.push(rename.ident.to_string());
                self.paths.push(before);
            }
            UseTree::Glob(_) => self.paths.push(before),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_tree(before.clone(), tree);
                }
            }
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_tree(Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string());
        self.paths.push(segments.collect());
        visit::visit_path(self, path);
    }

    /// `pub(super)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|cfg| cfg.is_ident("test"))
    })
}

/// Every file of `src/` but the two roots, and without files that only tests have.
fn modules() -> Vec<Module> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules: Vec<Module> = files(&src)
        .into_iter()
        .map(|file| read(&src, &file))
        .collect();
    let mut for_tests = BTreeSet::new();
    for module in &modules {
        for item in &module.code.items {
            if let Item::Mod(item) = item
                && item.content.is_none()
                && is_for_tests(&item.attrs)
            {
                for_tests.insert([module.path.as_slice(), &[item.ident.to_string()]].concat());
            }
        }
    }
    modules.retain(|module| {
        let is_for_tests = for_tests.iter().any(|tests| module.path.starts_with(tests));
        !is_for_tests && !module.path.is_empty()
    });
    assert!(modules.len() > 100, "src/ was not found");
    modules
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn read(src: &Path, file: &Path) -> Module {
    let relative = file.strip_prefix(src).unwrap().with_extension("");
    let parts = relative
        .iter()
        .map(|part| part.to_str().unwrap().to_owned());
    let mut path: Vec<String> = parts.collect();
    if path
        .last()
        .is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str()))
    {
        path.pop();
    }
    let code = fs::read_to_string(file).unwrap();
    let code = syn::parse_file(&code).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    Module { path, code }
}
