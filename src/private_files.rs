//! Files in which callers' texts and pictures are: only the service's user may open them, whatever the umask.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The mode of a file.
pub(crate) const FILE: u32 = 0o600;

/// The mode of a folder.
pub(crate) const FOLDER: u32 = 0o700;

/// What group and others may do.
const OTHERS: u32 = 0o077;

/// Opens a file for writing and makes it first where it is not there; what stands in it stays.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    options.mode(FILE).open(path)
}

/// The mode of a file or folder that group or others can open; `None` where they cannot, or where nothing is there.
pub(crate) fn open_to(path: &Path) -> Option<u32> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    (mode & OTHERS != 0).then_some(mode)
}

/// Gives a file or folder this mode if others can open it. Only its owner may do that, so a failure is a warning.
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

/// An SQLite database's file, its log, the log's index, its lock, and the copies that `restore` kept beside it, as far as
/// they are there.
pub(crate) fn of_database(file: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = ["", "-wal", "-shm", "-journal", ".lock"]
        .iter()
        .map(|suffix| PathBuf::from(format!("{}{suffix}", file.display())))
        .filter(|file| file.is_file())
        .collect();
    found.extend(set_aside(file));
    found
}

/// The copies of an SQLite database that `restore` kept beside it, with their logs.
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

/// The files of a folder, sorted; none where it cannot be read.
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
