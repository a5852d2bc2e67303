//! How a request to Twilio or Slack can end other than well: the four words everything downstream branches on.

use std::time::Duration;

/// Why a request did not come back with what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Not one byte of the request left: DNS, connect refused or timed out, TLS. Trying again is safe.
    #[error("not sent: {why}")]
    NotSent { why: String },
    /// The remote said 429: it did not act. `retry_after` is what it asked for.
    #[error("rate limited")]
    RateLimited { retry_after: Option<Duration> },
    /// The remote understood and said no; the same request will be refused again.
    #[error("refused: {code} {message}")]
    Refused {
        /// Twilio's numeric error code, or Slack's error word.
        code: String,
        /// The remote's own words, for the log; never shown to people.
        message: String,
    },
    /// The request may or may not have been acted on: a timeout after the first byte, a reset, a 5xx, an unreadable 2xx.
    #[error("unknown: {why}")]
    Unknown { why: String },
}

/// The longest rest that a remote is believed to want: a longer one is a mistake, and would strand deliveries.
const LONGEST_REST: Duration = Duration::from_secs(300);

/// The seconds of a `Retry-After` header.
pub(crate) fn retry_after(header: &str) -> Option<Duration> {
    header
        .trim()
        .parse()
        .ok()
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_REST))
}
