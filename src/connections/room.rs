//! The operating system's limit of open files, and the number of connections that fits into it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard limit. Many systems start a service with 1,024 for the sake of programs
/// that use `select`, which we do not.
pub(crate) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // The systemd unit's system call filter forbids this, but the unit sets the limit itself.
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(
            error = error.to_string(),
            "raising the limit of open files failed"
        );
    }
}

/// Returns `wanted`, capped at three quarters of the open files. The rest is for the database, Twilio, Slack and media.
pub(crate) fn most_connections(wanted: usize) -> usize {
    let files = getrlimit(Resource::Nofile).current;
    let files = files.and_then(|files| usize::try_from(files).ok());
    files.map_or(wanted, |files| wanted.min(files - files / 4))
}
