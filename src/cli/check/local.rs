//! Checks this machine: the configuration, the secrets, the database, and who can read their files.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Finding;
use crate::config::{Config, ConfigError, Environment, Problem, Secrets};
use crate::store::{Examined, Store};
use crate::{media, private_files};

pub(super) fn configuration(path: &Path, config: &Result<Config, ConfigError>) -> Vec<Finding> {
    match config {
        Ok(config) => {
            let (lines, people) = (config.lines.len(), config.people.len());
            let holds_password = [Some(&config.database_url), config.redis_url.as_ref()]
                .into_iter()
                .flatten()
                .any(|url| has_password(url.as_str()));
            let what = format!("{}: {lines} lines, {people} people", path.display());
            let mut found = vec![Finding::ok("configuration", what)];
            if holds_password {
                found.extend(readable(
                    path,
                    "configuration file",
                    "a password stands in it",
                ));
            }
            found
        }
        Err(ConfigError(problems)) => wrong("configuration", problems),
    }
}

pub(super) fn secrets(
    environment: &Environment,
    secrets: &Result<Secrets, ConfigError>,
) -> Vec<Finding> {
    match secrets {
        Ok(_) => {
            let files = Secrets::files(environment);
            let what = match files.len() {
                0 => "all six, from the environment".to_owned(),
                _ => format!("all six; nobody else can read {}", files.join(", ")),
            };
            vec![Finding::ok("secrets", what)]
        }
        Err(ConfigError(problems)) => wrong("secrets", problems),
    }
}

fn wrong(name: &str, problems: &[Problem]) -> Vec<Finding> {
    let finding = |problem: &Problem| {
        let what = if problem.value.is_empty() {
            problem.key.clone()
        } else {
            format!("{} = {}", problem.key, problem.value)
        };
        Finding::fail(name, what, "the service does not start", &problem.remedy)
    };
    problems.iter().map(finding).collect()
}

pub(super) async fn database(config: &Config) -> Vec<Finding> {
    let url = config.database_url.as_str();
    let file = config.database_url.file();
    if let Some(file) = file
        && !file.exists()
    {
        return vec![not_there_yet(file)];
    }
    let mut found = vec![match Store::examine(url).await {
        Ok(Examined { pending: 0 }) => Finding::ok(
            "database",
            format!("{:?} is up to date and can be written", config.database_url),
        ),
        Ok(Examined { pending }) => Finding::ok(
            "database",
            format!(
                "{:?} can be written; the next start runs {pending} migrations",
                config.database_url
            ),
        ),
        Err(error) => Finding::fail(
            "database",
            error.to_string(),
            "the service does not start, or refuses every text and reply",
            "what the sentence before says, and run this again",
        ),
    }];
    found.extend(who_can_read(config));
    found
}

/// Checks the modes of all files and folders with callers' texts.
fn who_can_read(config: &Config) -> Vec<Finding> {
    let mut files = Vec::new();
    if let Some(file) = config.database_url.file() {
        files.extend(private_files::of_database(file));
    }
    let folder = config.media_folder();
    files.extend(media::files(&folder));
    let open: Vec<(String, u32)> = files
        .iter()
        .filter_map(|file| Some((file.display().to_string(), private_files::open_to(file)?)))
        .collect();
    let mut found = Vec::new();
    if let Some((first, mode)) = open.first() {
        let what = match open.len() - 1 {
            0 => format!("others on this machine can read {first} (mode {mode:04o})"),
            more => {
                format!("others on this machine can read {first} (mode {mode:04o}) and {more} more")
            }
        };
        let names: Vec<&str> = open.iter().map(|(name, _)| name.as_str()).collect();
        found.push(Finding::warn(
            "files",
            what,
            "the callers' texts and pictures are in them",
            format!("chmod 600 {}", names.join(" ")),
        ));
    }
    if let Some(mode) = private_files::open_to(&folder) {
        found.push(Finding::warn(
            "media folder",
            format!(
                "others on this machine can look into {} (mode {mode:04o})",
                folder.display()
            ),
            "files on their way to callers are in it",
            format!("chmod 700 {}", folder.display()),
        ));
    }
    found
}

fn not_there_yet(file: &Path) -> Finding {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Create a file to find out whether that is possible.
    match tempfile::tempfile_in(folder) {
        Ok(_) => Finding::ok(
            "database",
            format!("{} is made at the first start", file.display()),
        ),
        Err(error) => Finding::fail(
            "database",
            format!("no file can be made in {} ({error})", folder.display()),
            "the service does not start",
            format!(
                "make that folder, and let the service's user write there, or correct database_url ({})",
                file.display()
            ),
        ),
    }
}

fn has_password(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| url.password().is_some())
}

/// Returns a warning if other users of this machine can read a file.
fn readable(file: &Path, name: &str, why: &str) -> Option<Finding> {
    let mode = std::fs::metadata(file).ok()?.permissions().mode() & 0o7777;
    (mode & 0o004 != 0).then(|| {
        Finding::warn(
            name,
            format!(
                "everybody on this machine can read {} (mode {mode:04o})",
                file.display()
            ),
            why,
            format!("chmod 600 {}", file.display()),
        )
    })
}
