//! Modes of the files that contain callers' texts and pictures. Only the service's user may open them, whatever the umask.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The mode of a private file.
pub(crate) const FILE: u32 = 0o600;

/// The mode of a private folder.
pub(crate) const FOLDER: u32 = 0o700;

/// The permission bits of group and others.
const OTHERS: u32 = 0o077;

/// Opens a file for writing without truncating it; creates it with a private mode if it does not exist.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    options.mode(FILE).open(path)
}

/// Returns the mode of a file or folder if group or others have any access; `None` if not, or if it does not exist.
pub(crate) fn open_to(path: &Path) -> Option<u32> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    (mode & OTHERS != 0).then_some(mode)
}

/// Sets the mode of a file or folder if group or others have access to it. Only its owner may do that, so a failure is
/// only logged.
pub(crate) fn close_to_others(path: &Path, mode: u32) {
    if open_to(path).is_none() {
        return;
    }
    if let Err(error) = fs::set_permissions(path, Permissions::from_mode(mode)) {
        tracing::warn!(
            path = %path.display(),
            %error,
            "others on this machine can read callers' texts: chmod {mode:o} it"
        );
    }
}

/// Returns the existing files of an SQLite database: the database, its write-ahead log and index, its journal, its lock,
/// and the copies that `restore` made beside it.
pub(crate) fn of_database(file: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = ["", "-wal", "-shm", "-journal", ".lock"]
        .iter()
        .map(|suffix| PathBuf::from(format!("{}{suffix}", file.display())))
        .filter(|file| file.is_file())
        .collect();
    found.extend(set_aside(file));
    found
}

/// Returns the copies that `restore` made beside an SQLite database, with their logs.
pub(crate) fn set_aside(file: &Path) -> Vec<PathBuf> {
    let Some(name) = file.file_name().and_then(|name| name.to_str()) else {
        return Vec::new();
    };
    let prefix = format!("{name}.before-");
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut found = in_folder(folder);
    found.retain(|file| {
        let name = file.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(&prefix))
    });
    found
}

/// Returns the files of a folder, sorted; none if it cannot be read.
pub(crate) fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}
