//! Serves the media of outbound texts to Twilio. The URL is signed, and it is the only credential.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::connections::Caller;
use crate::media;
use crate::store;

/// Serves a file. A URL with a wrong id, a wrong signature or an expired time gets 404 without a body, so that it reveals
/// nothing.
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
    // A valid URL is as good as a signed request, so that downloads do not get displaced.
    if let Some(Extension(caller)) = caller {
        caller.prove();
    }
    let content_type = match store::media::content_type(&app.store, &id).await {
        Ok(Some(content_type)) => content_type,
        Ok(None) => return StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::warn!(
                error = format!("{error:#}"),
                "looking up a media file failed"
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

/// Answers every other method like an unknown file.
pub(super) async fn nothing() -> StatusCode {
    StatusCode::NOT_FOUND
}
