//! The four ways in which a request to Twilio or Slack can fail. The outbox decides by them whether to retry.

use std::time::Duration;

/// A failed request to Twilio or Slack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nothing was sent: DNS failed, the connection was refused or timed out, or TLS failed. A retry is safe.
    #[error("not sent: {why}")]
    NotSent { why: String },
    /// The vendor answered 429 and did not act. `retry_after` is the delay that it asks for.
    #[error("rate limited")]
    RateLimited { retry_after: Option<Duration> },
    /// The vendor refused the request and will refuse it again.
    #[error("refused: {code} {message}")]
    Refused {
        /// Twilio's numeric error code, Slack's error string, or a code of ours such as `too_large`.
        code: String,
        /// The vendor's message, for the log; never shown to people.
        message: String,
    },
    /// The vendor may or may not have acted: a timeout or a reset after sending, a 5xx, or an unreadable 2xx response.
    #[error("unknown: {why}")]
    Unknown { why: String },
}

/// The longest accepted `Retry-After`. A longer one is likely an error and would strand deliveries.
const LONGEST_REST: Duration = Duration::from_secs(300);

/// Parses a `Retry-After` header in seconds, capped at five minutes; `None` for anything else.
pub(crate) fn retry_after(header: &str) -> Option<Duration> {
    header
        .trim()
        .parse()
        .ok()
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_REST))
}
