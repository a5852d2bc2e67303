//! The program with deliberate mistakes in it, each of which the checker has to catch.
//!
//! A mistake is a patch in `mistakes/`. It brings its own condition: the mistake is made where `QDN_MISTAKE` has its
//! name. So all of them fit into one copy of the sources and one build, which finds the dependencies that were built
//! for the tests. The program of the tests, and what is released, has none of this in it.

use std::collections::BTreeSet;
use std::io::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Which mistake the program makes.
pub(crate) const VARIABLE: &str = "QDN_MISTAKE";

/// What the copy's program is called, so that it does not take the place of the real one.
const PROGRAM: &str = "qdn-relay-with-mistakes";

/// An empty test of the copy's. Cargo then chooses the features that the tests' own build chose, and builds no dependency
/// again.
const EMPTY_TEST: &str = "empty";

/// What a build needs. The manifest names the tests and the benchmark, so they have to be there too.
const SOURCES: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    "manifest.yaml",
    "migrations",
    "crates",
    "src",
    "tests",
    "benches",
];

/// The packages of the workspace and their manifests.
const PACKAGES: [&str; 3] = ["qdn-relay", "qdn-sandbox", "qdn-test-support"];
const MANIFESTS: [&str; 3] = [
    "Cargo.toml",
    "crates/sandbox/Cargo.toml",
    "tests/support/Cargo.toml",
];

/// What cargo tells a test of its package. Some build scripts run again when they see it.
const OF_THIS_PACKAGE: [&str; 5] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_BIN_",
    "CARGO_CRATE_NAME",
    "CARGO_PRIMARY_PACKAGE",
];

/// Builds the program with these mistakes in it; an error says what to do.
pub(crate) fn build(names: &[&str]) -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let patches = root.join("tests/matrix/mistakes");
    same_names(&patches, names)?;
    let profile = Path::new(env!("CARGO_BIN_EXE_qdn-relay")).parent();
    let profile = profile.ok_or("the program lies in no folder")?;
    let target = profile.parent().ok_or("there is no target folder")?;
    let copied = tempfile::tempdir().map_err(said("a temporary folder"))?;
    for name in SOURCES {
        update(&root.join(name), &copied.path().join(name)).map_err(said(name))?;
    }
    for name in names {
        apply(&patches.join(name).with_extension("patch"), copied.path())?;
    }
    rename_program(&copied.path().join("Cargo.toml"))?;
    change_versions(copied.path())?;
    let test = format!("tests/{EMPTY_TEST}.rs");
    std::fs::write(copied.path().join(test), "").map_err(said("the empty test"))?;
    // What did not change keeps its time there, so that cargo builds nothing twice.
    let sources = target.join("mistakes");
    update(copied.path(), &sources).map_err(said("the copy of the sources"))?;
    compile(&sources, target)?;
    Ok(profile.join(PROGRAM))
}

/// Every mistake has a patch, and every patch is tried.
fn same_names(patches: &Path, names: &[&str]) -> Result<(), String> {
    let there = entries(patches).map_err(said("tests/matrix/mistakes"))?;
    let wanted = names.iter().map(|name| format!("{name}.patch").into());
    let wanted: BTreeSet<_> = wanted.collect();
    if there == wanted {
        return Ok(());
    }
    Err(format!(
        "tests/matrix/mistakes holds {there:?}, while tests/matrix/cells.rs tries {wanted:?}"
    ))
}

fn apply(patch: &Path, copied: &Path) -> Result<(), String> {
    // Outside of any repository `git apply` takes paths from the folder it runs in.
    let output = Command::new("git")
        .args(["apply", "--whitespace=nowarn"])
        .arg(patch)
        .current_dir(copied)
        .env("GIT_CEILING_DIRECTORIES", copied)
        .output();
    let output = output.map_err(said("running git"))?;
    if output.status.success() {
        return Ok(());
    }
    let name = patch.file_stem().unwrap_or_default().display();
    Err(format!(
        "tests/matrix/mistakes/{name}.patch does not apply any more. Make the mistake in src/ again, where {VARIABLE} \
         is \"{name}\"; write `git diff -U2 src` to the patch; take the change in src/ back.\n{}",
        words(&output)
    ))
}

fn rename_program(manifest: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(manifest).map_err(said("Cargo.toml"))?;
    let named = "[[bin]]\nname = \"qdn-relay\"";
    if !text.contains(named) {
        return Err(format!("Cargo.toml does not contain {named:?}"));
    }
    let text = text.replace(named, &format!("[[bin]]\nname = \"{PROGRAM}\""));
    std::fs::write(manifest, text).map_err(said("Cargo.toml"))
}

/// Gives the packages of the copy a version of their own. Cargo takes packages of one name and version in two workspaces for
/// the same, and would link the real program with a library that has mistakes in it.
fn change_versions(copied: &Path) -> Result<(), String> {
    let usual = concat!("version = \"", env!("CARGO_PKG_VERSION"), "\"");
    let own = concat!("version = \"", env!("CARGO_PKG_VERSION"), "-mistakes\"");
    for manifest in MANIFESTS {
        let path = copied.join(manifest);
        let text = std::fs::read_to_string(&path).map_err(said(manifest))?;
        let changed = text.replacen(&format!("\n{usual}\n"), &format!("\n{own}\n"), 1);
        if changed == text {
            return Err(format!("{manifest} does not contain {usual}"));
        }
        std::fs::write(path, changed).map_err(said(manifest))?;
    }
    let path = copied.join("Cargo.lock");
    let mut lock = std::fs::read_to_string(&path).map_err(said("Cargo.lock"))?;
    for package in PACKAGES {
        let named = format!("name = \"{package}\"\n");
        lock = lock.replace(&format!("{named}{usual}"), &format!("{named}{own}"));
    }
    std::fs::write(path, lock).map_err(said("Cargo.lock"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo's variables are looked at only to be left out"
)]
fn compile(sources: &Path, target: &Path) -> Result<(), String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--locked", "--offline", "--bin", PROGRAM])
        .args(["--test", EMPTY_TEST])
        .arg("--target-dir")
        .arg(target)
        .current_dir(sources);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if OF_THIS_PACKAGE.iter().any(|of| text.starts_with(of)) {
            cargo.env_remove(&name);
        }
    }
    let output = cargo.output().map_err(said("running cargo"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "the program with the mistakes does not build. If the code around a mistake has changed, change its patch in \
         tests/matrix/mistakes likewise.\n{}",
        words(&output)
    ))
}

/// Makes `to` what `from` is, and touches only what differs.
fn update(from: &Path, to: &Path) -> Result<(), Error> {
    if !from.is_dir() {
        let content = std::fs::read(from)?;
        if std::fs::read(to).is_ok_and(|known| known == content) {
            return Ok(());
        }
        return std::fs::write(to, content);
    }
    std::fs::create_dir_all(to)?;
    let wanted = entries(from)?;
    for name in entries(to)?.difference(&wanted) {
        let gone = to.join(name);
        if gone.is_dir() {
            std::fs::remove_dir_all(gone)?;
        } else {
            std::fs::remove_file(gone)?;
        }
    }
    for name in wanted {
        update(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<BTreeSet<std::ffi::OsString>, Error> {
    let entries = std::fs::read_dir(folder)?;
    entries.map(|entry| Ok(entry?.file_name())).collect()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn said(what: &str) -> impl FnOnce(Error) -> String {
    move |error| format!("{what}: {error}")
}
