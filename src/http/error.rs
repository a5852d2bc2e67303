//! Errors as statuses: the cause is logged once, here, and never shown to whoever asked.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Why a request got no answer of its own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppError {
    /// Its signature is missing, wrong or stale.
    #[error("not signed by who it says")]
    Forbidden,
    /// It is larger than anything genuine.
    #[error("too large")]
    TooLarge,
    /// Its body did not come in time.
    #[error("too slow")]
    TooSlow,
    /// Its body ended before its announced end, or could not be read.
    #[error("broken off")]
    BrokenOff,
    /// There is no room for its body. Both vendors try again, and what they do not is found in their logs.
    #[error("too much at once")]
    Busy,
    /// Genuine, but not what the vendor documents.
    #[error("malformed: {0}")]
    Malformed(String),
    /// It went to a number that no line has.
    #[error("no such line")]
    NoSuchLine,
    /// It came before we know enough to take it. The vendor tries again; nothing was done.
    #[error("not yet: {0}")]
    NotYet(&'static str),
    /// It could not be kept. The vendor may try again; nothing was done.
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
                tracing::error!(what, "a signed request could not be read");
                StatusCode::BAD_REQUEST
            }
            AppError::NoSuchLine => {
                tracing::error!(
                    "a text came for a number that is no line: add it under [[lines]], and it will be found in Twilio's log"
                );
                StatusCode::UNPROCESSABLE_ENTITY
            }
            AppError::NotYet(why) => {
                tracing::warn!(why, "a request came too early; it comes again");
                StatusCode::SERVICE_UNAVAILABLE
            }
            AppError::Unavailable(error) => {
                tracing::error!(error = format!("{error:#}"), "a request could not be kept");
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        status.into_response()
    }
}
