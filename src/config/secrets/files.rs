//! Reads the files that secrets come from.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::config::{Environment, Problems};

/// Returns the permission bits that a secrets file may not have. systemd's copies are readable by the service alone, but by
/// an access list, which shows as read access of the group. <https://systemd.io/CREDENTIALS/>
fn forbidden_modes(environment: &Environment, file: &Path) -> u32 {
    match environment.value("CREDENTIALS_DIRECTORY") {
        Some(folder) if file.starts_with(folder) => 0o037,
        _ => 0o077,
    }
}

pub(super) fn read_secret_file(
    environment: &Environment,
    variable: &str,
    path: &str,
    problems: &mut Problems,
) -> Option<String> {
    let file = Path::new(path);
    let mode = match std::fs::metadata(file) {
        Ok(metadata) => metadata.permissions().mode() & 0o7777,
        Err(error) => {
            problems.add(variable, path, format!("the file cannot be read ({error})"));
            return None;
        }
    };
    if mode & forbidden_modes(environment, file) != 0 {
        problems.add(
            variable,
            path,
            format!("others can read it (mode {mode:04o}); run: chmod 600 {path}"),
        );
        return None;
    }
    match std::fs::read_to_string(file) {
        Ok(text) => Some(text),
        Err(error) => {
            problems.add(variable, path, format!("the file cannot be read ({error})"));
            None
        }
    }
}

/// Reads `NAME=value` lines, with `#` comments, an optional `export` and optional quotes. `None` if the file was refused.
pub(super) fn read_env_file(
    environment: &Environment,
    path: &str,
    problems: &mut Problems,
) -> Option<HashMap<String, String>> {
    let text = read_secret_file(environment, "SECRETS_FILE", path, problems)?;
    let mut values = HashMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.strip_prefix("export ").unwrap_or(line).split_once('=')
        else {
            problems.add(
                "SECRETS_FILE",
                path,
                format!("line {} is not NAME=value", index + 1),
            );
            continue;
        };
        let value = value.trim();
        let unquoted = ['"', '\'']
            .iter()
            .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
            .unwrap_or(value);
        values.insert(name.trim().to_owned(), unquoted.to_owned());
    }
    Some(values)
}
