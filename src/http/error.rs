//! Maps errors to HTTP statuses. Logs the cause once, here, and never sends it to the client.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// An error that ends a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppError {
    /// The signature is missing, wrong or stale, or the request is for another account or workspace: 403.
    #[error("not signed by who it says")]
    Forbidden,
    /// The body is larger than any genuine one: 413.
    #[error("too large")]
    TooLarge,
    /// The body did not arrive in time: 408.
    #[error("too slow")]
    TooSlow,
    /// The body ended early or could not be read: 400.
    #[error("broken off")]
    BrokenOff,
    /// Unverified bodies use up their memory budget: 503 with `Retry-After`. The vendors retry, or the backfill finds what they
    /// do not.
    #[error("too much at once")]
    Busy,
    /// A signed request that does not match the vendor's documentation: 400.
    #[error("malformed: {0}")]
    Malformed(String),
    /// A text to a number that no line has: 422.
    #[error("no such line")]
    NoSuchLine,
    /// We do not know enough yet to handle the request: 503. Nothing was done; the vendor retries.
    #[error("not yet: {0}")]
    NotYet(&'static str),
    /// The request could not be saved: 503. The vendor may retry.
    #[error("unavailable")]
    Unavailable(#[from] anyhow::Error),
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let status = match &self {
            AppError::Forbidden => StatusCode::FORBIDDEN,
            AppError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            AppError::TooSlow => StatusCode::REQUEST_TIMEOUT,
            AppError::BrokenOff => StatusCode::BAD_REQUEST,
            AppError::Busy => {
                let later = [(header::RETRY_AFTER, "1")];
                return (StatusCode::SERVICE_UNAVAILABLE, later).into_response();
            }
            AppError::Malformed(what) => {
                tracing::error!(what, "a signed request could not be parsed");
                StatusCode::BAD_REQUEST
            }
            AppError::NoSuchLine => {
                tracing::error!(
                    "a text was sent to a number that no line has: add the number under [[lines]], and the backfill will find the text"
                );
                StatusCode::UNPROCESSABLE_ENTITY
            }
            AppError::NotYet(why) => {
                tracing::warn!(why, "a request came too early; the vendor will retry it");
                StatusCode::SERVICE_UNAVAILABLE
            }
            AppError::Unavailable(error) => {
                tracing::error!(error = format!("{error:#}"), "saving a request failed");
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        status.into_response()
    }
}
