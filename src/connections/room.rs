//! How many connections the operating system leaves room for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one. Many systems start a service with 1,024, for programs that use
/// `select`; this one does not.
pub(crate) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // The unit's filter of system calls forbids it, and sets the limit itself.
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(
            error = error.to_string(),
            "the limit of open files cannot be raised"
        );
    }
}

/// At most this many connections, so that a quarter of the open files is left for the database, Twilio, Slack and media.
pub(crate) fn most_connections(wanted: usize) -> usize {
    let files = getrlimit(Resource::Nofile).current;
    let files = files.and_then(|files| usize::try_from(files).ok());
    files.map_or(wanted, |files| wanted.min(files - files / 4))
}
