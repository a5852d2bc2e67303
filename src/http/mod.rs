//! The HTTP interface: routes, extractors that verify signatures, thin handlers, and the mapping of errors to statuses.

mod early;
mod error;
mod media;
mod nul;
mod operator;
mod refused;
mod server;
mod signed;
mod slack;
mod twilio;
mod unverified;

use axum::routing::{get, post};
use axum::{Router, middleware};
use tower_http::catch_panic::CatchPanicLayer;

use self::server::Server;
use crate::app::App;

/// Returns the router of the service. A callback URL carries its data in the path (`{carried}`). The routes without it serve
/// URLs that an older version gave to Twilio, which carry the data in the query or none at all.
pub(crate) fn routes(app: App) -> Router {
    Router::new()
        .route("/api/twilio/dispatch-route", post(twilio::dispatch_route))
        .route("/api/twilio/status", post(twilio::status))
        .route("/api/twilio/status/{carried}", post(twilio::status))
        .route("/api/twilio/dial", post(twilio::dial))
        .route("/api/twilio/dial/{carried}", post(twilio::dial))
        .route("/api/twilio/screen", post(twilio::screen))
        .route("/api/twilio/screen/{carried}", post(twilio::screen))
        .route("/api/twilio/key", post(twilio::key))
        .route("/api/twilio/key/{carried}", post(twilio::key))
        .route("/api/twilio/leg", post(twilio::leg))
        .route("/api/twilio/leg/{carried}", post(twilio::leg))
        .route("/api/twilio/recorded", post(twilio::recorded))
        .route("/api/twilio/recorded/{carried}", post(twilio::recorded))
        .route("/api/twilio/recording", post(twilio::recording))
        .route("/api/twilio/recording/{carried}", post(twilio::recording))
        .route("/api/twilio/transcription", post(twilio::transcription))
        .route(
            "/api/twilio/transcription/{carried}",
            post(twilio::transcription),
        )
        .route(
            "/api/twilio/media/{id}/{signed}",
            get(media::fetch).fallback(media::nothing),
        )
        .route("/api/twilio/check", post(twilio::check))
        .route("/api/slack/events", post(slack::events))
        .route("/api/slack/commands", post(slack::commands))
        .route("/api/slack/interactions", post(slack::interactions))
        .route("/healthz", get(operator::healthz))
        .route("/readyz", get(operator::readyz))
        .route("/metrics", get(operator::metrics))
        .with_state(Server::new(app))
        .layer(middleware::from_fn(operator::count))
        .layer(CatchPanicLayer::new())
}
