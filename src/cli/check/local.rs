//! What can be wrong on this machine: the configuration, the secrets, the database and who can read them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Finding;
use crate::config::{Config, ConfigError, Environment, Problem, Secrets};
use crate::store::{Examined, Store};

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
        let what = match problem.value.is_empty() {
            true => problem.key.clone(),
            false => format!("{} = {}", problem.key, problem.value),
        };
        Finding::fail(name, what, "the service does not start", &problem.remedy)
    };
    problems.iter().map(finding).collect()
}

pub(super) async fn database(config: &Config) -> Vec<Finding> {
    let url = config.database_url.as_str();
    let file = url
        .strip_prefix("sqlite://")
        .and_then(|file| file.split('?').next())
        .map(Path::new);
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
    if let Some(file) = file {
        found.extend(readable(
            file,
            "database file",
            "the callers' texts are in it",
        ));
    }
    found
}

fn not_there_yet(file: &Path) -> Finding {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Whether a file can be made there is best known by making one.
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

/// Says so where everybody on this machine can read a file.
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
