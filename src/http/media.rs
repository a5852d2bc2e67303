//! A file on its way to a phone, for Twilio to fetch. The address is all the proof there is, and all that is needed.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::connections::Caller;
use crate::media;
use crate::store;

/// Whoever has no good address learns nothing, not even which part of it is wrong.
pub(super) async fn fetch(
    State(app): State<App>,
    Path((id, signed)): Path<(String, String)>,
    caller: Option<Extension<Caller>>,
) -> Response {
    let secrets = [
        Some(&app.secrets.auth_token),
        app.secrets.auth_token_previous.as_ref(),
    ];
    let is_good = media::is_good(secrets.into_iter().flatten(), &id, &signed, app.clock.now());
    if !is_good {
        return StatusCode::NOT_FOUND.into_response();
    }
    if let Some(Extension(caller)) = caller {
        caller.prove();
    }
    let content_type = match store::media::content_type(&app.store, &id).await {
        Ok(Some(content_type)) => content_type,
        Ok(None) => return StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::warn!(
                error = format!("{error:#}"),
                "a file could not be looked up"
            );
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    };
    match media::read(&app.config.media_folder(), &id).await {
        Some(bytes) => {
            let headers = [
                (header::CONTENT_TYPE, content_type.as_str()),
                (header::CACHE_CONTROL, "private, no-store"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            (headers, bytes).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The same answer to every other way of asking.
pub(super) async fn nothing() -> StatusCode {
    StatusCode::NOT_FOUND
}
