//! Switches that only debug builds have, for proving the delivery promise: named points at which the process dies,
//! and deliberate mistakes that the fault matrix has to catch.
//!
//! A release build compiles both to nothing, and `serve` refuses to start when one of the variables is set there.

#[cfg(debug_assertions)]
use std::sync::OnceLock;
#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicI64, Ordering};

use crate::config::{ConfigError, Environment};

/// `name` or `name:count`: die the `count`th time the point is passed.
const DIE_AT: &str = "QDN_FAULT_DIE_AT";

/// The path of a file that says by how many milliseconds this process's clock is off; it can be changed at any time.
const CLOCK: &str = "QDN_FAULT_CLOCK";

/// One of [`MISTAKES`].
const MISTAKE: &str = "QDN_FAULT_MISTAKE";

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

/// Every deliberate mistake.
pub const MISTAKES: [&str; 10] = [
    "acknowledge_before_commit",
    "dedupe_after_send",
    "resend_on_timeout",
    "failed_read_is_absence",
    "drop_unknown_callback",
    "overtake",
    "status_goes_back",
    "watermark_over_broken_read",
    "forget_orphans",
    "skip_audit",
];

#[cfg(debug_assertions)]
#[derive(Debug, Default)]
struct Armed {
    point: String,
    passes_left: AtomicI64,
    mistake: String,
    clock: Option<std::path::PathBuf>,
}

#[cfg(debug_assertions)]
static ARMED: OnceLock<Armed> = OnceLock::new();

/// Takes the switches from the environment.
#[cfg(debug_assertions)]
pub(crate) fn arm(environment: &Environment) -> Result<(), ConfigError> {
    let wanted = environment.fault_switch(DIE_AT).unwrap_or_default();
    let (point, count) = wanted.split_once(':').unwrap_or((wanted, "1"));
    let mistake = environment.fault_switch(MISTAKE).unwrap_or_default();
    if !point.is_empty() && !POINTS.contains(&point) {
        return Err(ConfigError::one(DIE_AT, point, "there is no such point"));
    }
    if !mistake.is_empty() && !MISTAKES.contains(&mistake) {
        return Err(ConfigError::one(
            MISTAKE,
            mistake,
            "there is no such mistake",
        ));
    }
    let armed = Armed {
        point: point.to_owned(),
        passes_left: AtomicI64::new(count.parse().unwrap_or(1)),
        mistake: mistake.to_owned(),
        clock: environment.fault_switch(CLOCK).map(Into::into),
    };
    // A process serves once.
    let _ = ARMED.set(armed);
    Ok(())
}

/// Refuses the switches: they are for tests.
#[cfg(not(debug_assertions))]
pub(crate) fn arm(environment: &Environment) -> Result<(), ConfigError> {
    for variable in [DIE_AT, MISTAKE, CLOCK] {
        if let Some(value) = environment.fault_switch(variable) {
            return Err(ConfigError::one(
                variable,
                value,
                "this is for tests of a debug build; unset it",
            ));
        }
    }
    Ok(())
}

/// Dies here if this is the point, as if by SIGKILL: nothing is flushed, nothing is told.
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

/// By how many milliseconds this process's clock is to be off.
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

/// Whether this mistake is to be made.
#[inline]
pub(crate) fn mistake(name: &'static str) -> bool {
    #[cfg(debug_assertions)]
    {
        debug_assert!(MISTAKES.contains(&name), "{name} is not listed");
        ARMED.get().is_some_and(|armed| armed.mistake == name)
    }
    #[cfg(not(debug_assertions))]
    {
        let _ = name;
        false
    }
}
