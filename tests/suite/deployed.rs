//! The files that an operator deploys say what the program understands.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Parser;
use qdn_relay::cli::Cli;

const SERVICE: &str = include_str!("../../deploy/qdn-relay.service");
const SOCKET: &str = include_str!("../../deploy/qdn-relay.socket");
const DOCKERFILE: &str = include_str!("../../Dockerfile");
const EXAMPLE: &str = include_str!("../../qdn.example.toml");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every value of a unit's setting.
fn settings<'a>(unit: &'a str, name: &str) -> Vec<&'a str> {
    unit.lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix('='))
        .collect()
}

/// The words of a list in JSON, as a Dockerfile has them.
fn words(instruction: &str) -> Vec<String> {
    let mut found = DOCKERFILE.lines().rev();
    let line = found
        .find_map(|line| line.strip_prefix(instruction))
        .unwrap();
    serde_json::from_str(line).unwrap()
}

#[test]
fn the_program_understands_how_it_is_started() {
    let unit = settings(SERVICE, "ExecStart")[0].split_whitespace();
    let unit: Vec<String> = unit.map(str::to_owned).collect();
    let image = [words("ENTRYPOINT "), words("CMD ")].concat();
    for line in [unit, image] {
        assert!(line[0].ends_with("/qdn-relay"), "{line:?}");
        let cli = Cli::try_parse_from(&line);
        assert!(cli.is_ok(), "{line:?}: {}", cli.unwrap_err());
        assert_eq!(line[1], "serve");
    }
}

#[test]
fn the_program_reads_every_variable_that_is_set() {
    let known: BTreeSet<&str> = EXAMPLE
        .split(|c: char| !(c.is_ascii_uppercase() || c == '_'))
        .filter(|word| word.starts_with("QDN_"))
        .chain(["SECRETS_FILE"])
        .collect();
    let in_unit = settings(SERVICE, "Environment");
    let in_image = DOCKERFILE
        .lines()
        .filter_map(|line| line.strip_prefix("ENV "))
        .flat_map(str::split_whitespace);
    let set: Vec<&str> = in_unit.into_iter().chain(in_image).collect();
    assert!(set.len() >= 4, "{set:?}");
    for variable in set {
        let (name, value) = variable.split_once('=').unwrap();
        assert!(known.contains(name), "{name} is read by nobody");
        if name == "QDN_DATABASE_URL" {
            assert!(value.starts_with("sqlite:///var/lib/qdn-relay/"), "{value}");
        }
    }
    // What is loaded is what is read.
    let (credential, _) = settings(SERVICE, "LoadCredential")[0]
        .split_once(':')
        .unwrap();
    assert!(SERVICE.contains(&format!("SECRETS_FILE=%d/{credential}")));
}

#[test]
fn no_core_is_dumped_and_bases_are_pinned() {
    assert_eq!(settings(SERVICE, "LimitCORE"), ["0"]);
    let bases: Vec<&str> = DOCKERFILE
        .lines()
        .filter_map(|line| line.strip_prefix("FROM ")?.split_whitespace().next())
        .collect();
    assert_eq!(bases, ["${RUST}", "${DEBIAN}"]);
    for base in ["RUST", "DEBIAN"] {
        let line = DOCKERFILE
            .lines()
            .find_map(|line| line.strip_prefix(&format!("ARG {base}=")))
            .unwrap();
        let (_, digest) = line.split_once("@sha256:").unwrap();
        assert_eq!(digest.len(), 64, "{line}");
        assert!(
            digest.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{line}"
        );
    }
    for option in ["--cap-drop=ALL", "--security-opt no-new-privileges"] {
        assert!(DOCKERFILE.contains(option), "{option}");
    }
}

#[test]
fn both_listen_where_the_example_says() {
    let port = |address: &str| address.rsplit(':').next().unwrap().trim().to_owned();
    let example: toml::Table = EXAMPLE.parse().unwrap();
    let listen = example["listen"].as_str().unwrap();
    assert_eq!(settings(SOCKET, "ListenStream"), [listen]);
    assert!(DOCKERFILE.contains(&format!("QDN_LISTEN=0.0.0.0:{}", port(listen))));
    assert!(DOCKERFILE.contains(&format!("EXPOSE {}", port(listen))));
    assert!(DOCKERFILE.contains(&format!("http://127.0.0.1:{}/readyz", port(listen))));
    assert_eq!(settings(SERVICE, "Requires"), ["qdn-relay.socket"]);
}

#[test]
fn it_is_given_the_time_that_stopping_takes() {
    let seconds: u64 = settings(SERVICE, "TimeoutStopSec")[0].parse().unwrap();
    assert!(seconds > 25, "SIGTERM may take 25 s");
    assert!(DOCKERFILE.contains("--stop-timeout 30"));
}

#[test]
fn the_unit_has_room_for_every_connection_and_bounds_memory() {
    let files: usize = settings(SERVICE, "LimitNOFILE")[0].parse().unwrap();
    let example: toml::Table = EXAMPLE.parse().unwrap();
    let most = example["connections"]["max"].as_integer().unwrap();
    assert!(files - files / 4 >= usize::try_from(most).unwrap());
    assert_eq!(settings(SERVICE, "MemoryMax"), ["1G"]);
}

#[test]
fn neither_runs_as_root_or_writes_elsewhere() {
    assert_eq!(settings(SERVICE, "DynamicUser"), ["yes"]);
    assert_eq!(settings(SERVICE, "ProtectSystem"), ["strict"]);
    assert_eq!(settings(SERVICE, "StateDirectory"), ["qdn-relay"]);
    let users: Vec<&str> = DOCKERFILE
        .lines()
        .filter_map(|line| line.strip_prefix("USER "))
        .collect();
    assert_eq!(users, ["10001"]);
}

#[test]
fn the_image_is_built_from_everything_that_the_program_is_made_of() {
    let stage = DOCKERFILE.split("\nFROM ").nth(1).unwrap();
    let copied: Vec<PathBuf> = stage
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .flat_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words[..words.len() - 1].to_vec()
        })
        .map(|path| root().join(path))
        .collect();
    let mut needed = vec![root().join("Cargo.toml"), root().join("Cargo.lock")];
    sources(&root().join("src"), &mut needed);
    let cargo: toml::Table = include_str!("../../Cargo.toml").parse().unwrap();
    let targets = ["test", "bench", "bin"]
        .into_iter()
        .filter_map(|kind| cargo.get(kind)?.as_array());
    for target in targets.flatten() {
        if let Some(path) = target.get("path") {
            needed.push(root().join(path.as_str().unwrap()));
        }
    }
    assert!(needed.len() > 100);
    for file in needed {
        assert!(file.exists(), "{}", file.display());
        let has = copied.iter().any(|path| file.starts_with(path));
        assert!(has, "{} is not copied into the image", file.display());
    }
}

/// Every source and what it includes.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
            continue;
        }
        found.push(path.clone());
        if path.extension().is_none_or(|kind| kind != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for macro_name in ["include_str!(\"", "include_bytes!(\""] {
            for rest in text.split(macro_name).skip(1) {
                let included = rest.split('"').next().unwrap();
                let included = path.parent().unwrap().join(included);
                found.push(std::fs::canonicalize(included).unwrap());
            }
        }
    }
}
