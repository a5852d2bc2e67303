//! What is written for people is true.

use std::collections::BTreeSet;
use std::path::Path;

use toml::{Table, Value};

const README: &str = include_str!("../../README.md");
const EXAMPLE: &str = include_str!("../../qdn.example.toml");

/// The example with everything in it that is left out: such a setting begins with `#` and no space.
fn uncommented() -> String {
    let setting = |line: &'static str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => setting,
        _ => line,
    };
    EXAMPLE.lines().map(setting).collect::<Vec<_>>().join("\n")
}

/// `lines[].ring[].people` and so on.
fn keys(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                // Its keys are people.
                let key = if path.ends_with("status_urls.") {
                    "NAME"
                } else {
                    key
                };
                keys(value, &format!("{path}{key}."), found);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_table) => {
            let path = path.trim_end_matches('.');
            for value in list {
                keys(value, &format!("{path}[]."), found);
            }
        }
        _ => {
            found.insert(path.trim_end_matches('.').to_owned());
        }
    }
}

#[test]
fn the_readme_lists_every_key_that_the_example_has() {
    let table: Table = uncommented().parse().unwrap();
    let mut in_example = BTreeSet::new();
    keys(&Value::Table(table), "", &mut in_example);
    let section = README
        .split_once("### Configuration")
        .and_then(|(_, rest)| rest.split_once("\n## "))
        .unwrap()
        .0;
    let in_readme: BTreeSet<String> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(in_readme, in_example);
}

#[test]
fn the_readme_names_only_files_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let quoted = README.split('`').skip(1).step_by(2);
    let linked = README
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let files: Vec<&str> = quoted
        .chain(linked)
        .filter(|name| {
            ["src/", "docs/", ".ci/"]
                .iter()
                .any(|folder| name.starts_with(folder))
        })
        .collect();
    assert!(files.len() >= 8, "{files:?}");
    for file in files {
        assert!(root.join(file).exists(), "{file}");
    }
    let picture = std::fs::metadata(root.join("docs/demo.png")).unwrap();
    assert!(picture.len() < 200_000, "{}", picture.len());
}
