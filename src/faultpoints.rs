//! Fault points: named places at which a debug build dies when a test asks for it, to prove the delivery promise.
//!
//! A test can also put the process's clock off. A release build compiles all of this to nothing, and `serve` refuses to
//! start there when one of the variables is set.

#[cfg(debug_assertions)]
use std::sync::OnceLock;
#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicI64, Ordering};

use crate::config::{ConfigError, Environment};

/// `name` or `name:count`: die the `count`th time the point is passed.
const DIE_AT: &str = "QDN_FAULT_DIE_AT";

/// The path of a file that says by how many milliseconds this process's clock is off; it can be changed at any time.
const CLOCK: &str = "QDN_FAULT_CLOCK";

/// Every point, in the order in which a delivery passes them.
pub const POINTS: [&str; 27] = [
    "sms.verified",
    "sms.message_kept",
    "sms.row_kept",
    "sms.before_commit",
    "sms.committed",
    "reply.verified",
    "reply.message_kept",
    "reply.row_kept",
    "reply.before_commit",
    "reply.committed",
    "claim.attempt_kept",
    "claim.before_commit",
    "claim.committed",
    "attempt.before_request",
    "attempt.answered",
    "outcome.begun",
    "outcome.bound",
    "outcome.before_commit",
    "outcome.committed",
    "status.verified",
    "status.raised",
    "status.before_commit",
    "status.committed",
    "look.before_read",
    "look.read",
    "backfill.read",
    "backfill.before_watermark",
];

#[cfg(debug_assertions)]
#[derive(Debug, Default)]
struct Armed {
    point: String,
    passes_left: AtomicI64,
    clock: Option<std::path::PathBuf>,
}

#[cfg(debug_assertions)]
static ARMED: OnceLock<Armed> = OnceLock::new();

/// Reads the variables.
#[cfg(debug_assertions)]
pub(crate) fn arm(environment: &Environment) -> Result<(), ConfigError> {
    let wanted = environment.fault_variable(DIE_AT).unwrap_or_default();
    let (point, count) = wanted.split_once(':').unwrap_or((wanted, "1"));
    if !point.is_empty() && !POINTS.contains(&point) {
        return Err(ConfigError::one(DIE_AT, point, "there is no such point"));
    }
    let armed = Armed {
        point: point.to_owned(),
        passes_left: AtomicI64::new(count.parse().unwrap_or(1)),
        clock: environment.fault_variable(CLOCK).map(Into::into),
    };
    // A process serves once.
    let _ = ARMED.set(armed);
    Ok(())
}

/// Refuses the variables: they are for tests.
#[cfg(not(debug_assertions))]
pub(crate) fn arm(environment: &Environment) -> Result<(), ConfigError> {
    for variable in [DIE_AT, CLOCK] {
        if let Some(value) = environment.fault_variable(variable) {
            return Err(ConfigError::one(
                variable,
                value,
                "this is for tests of a debug build; unset it",
            ));
        }
    }
    Ok(())
}

/// Aborts the process if this is the point, as SIGKILL would: nothing is flushed, nothing is logged.
#[inline]
pub(crate) fn point(name: &'static str) {
    #[cfg(debug_assertions)]
    {
        debug_assert!(POINTS.contains(&name), "{name} is not listed");
        if let Some(armed) = ARMED.get()
            && armed.point == name
            && armed.passes_left.fetch_sub(1, Ordering::SeqCst) == 1
        {
            std::process::abort();
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// How many milliseconds this process's clock is off.
#[inline]
pub(crate) fn clock_offset() -> i64 {
    #[cfg(debug_assertions)]
    {
        let file = ARMED.get().and_then(|armed| armed.clock.as_ref());
        let written = file.and_then(|file| std::fs::read_to_string(file).ok());
        written
            .and_then(|written| written.trim().parse().ok())
            .unwrap_or_default()
    }
    #[cfg(not(debug_assertions))]
    0
}
