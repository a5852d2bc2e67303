//! The endpoints for monitoring: `/healthz`, `/readyz` and `/metrics`.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::server::Server;
use crate::app::App;
use crate::store::outbox;
use crate::vocabulary::DeliveryState;

/// The time limit for the database. A healthy one answers much faster.
const BUDGET: Duration = Duration::from_secs(1);

/// How long the result of one check of the database is reused.
const LOOKED_AT_ONCE: Duration = Duration::from_millis(500);

/// When the database was last checked, and whether it was ready.
pub(super) type Readiness = tokio::sync::Mutex<Option<(Instant, bool)>>;

/// `GET /healthz`: answers 200 while the process runs.
pub(super) async fn healthz() -> &'static str {
    "alive\n"
}

/// `GET /readyz`: answers 200 if the database can be written, else 503. Calls are answered either way; texts need the
/// database.
pub(super) async fn readyz(State(server): State<Server>) -> (StatusCode, &'static str) {
    // Anybody can call this, and each check takes the only writer connection, so concurrent requests share one result.
    let mut last = server.readiness.lock().await;
    let is_ready = match *last {
        Some((at, is_ready)) if at.elapsed() < LOOKED_AT_ONCE => is_ready,
        _ => {
            let looked = tokio::time::timeout(BUDGET, server.store.ping()).await;
            let is_ready = matches!(looked, Ok(Ok(())));
            *last = Some((Instant::now(), is_ready));
            is_ready
        }
    };
    if is_ready {
        (StatusCode::OK, "ready\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database does not answer\n",
        )
    }
}

/// `GET /metrics`: returns counters and gauges in Prometheus' text format. Measures the outbox for each request.
pub(super) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    match tokio::time::timeout(BUDGET, outbox::depths(&app.store)).await {
        Ok(Ok(depths)) => publish(&app, &depths),
        // Return the counters even so.
        Ok(Err(_)) | Err(_) => tracing::warn!("measuring the outbox failed"),
    }
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        app.metrics.render(),
    )
}

/// Sets the gauges of each state. A gauge keeps its last value, so a state without rows has to be set to zero.
fn publish(app: &App, depths: &[outbox::Depth]) {
    let now = app.clock.now();
    for state in [
        DeliveryState::Waiting,
        DeliveryState::Sending,
        DeliveryState::Unknown,
        DeliveryState::Blocked,
        DeliveryState::Undecided,
        DeliveryState::Refused,
    ] {
        let of_state = || depths.iter().filter(|depth| depth.state == state);
        let deliveries: i64 = of_state().map(|depth| depth.deliveries).sum();
        let oldest = of_state()
            .map(|depth| depth.oldest)
            .min()
            .map_or(0.0, |at| (now.as_millisecond() - at) as f64 / 1_000.0);
        metrics::gauge!("qdn_outbox_deliveries", "state" => state.as_str()).set(deliveries as f64);
        metrics::gauge!("qdn_outbox_oldest_seconds", "state" => state.as_str()).set(oldest);
    }
}

/// Middleware that counts every request by route and status.
pub(super) async fn count(request: Request, next: Next) -> Response {
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", |path| path.as_str())
        .to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::counter!("qdn_requests_total", "path" => path, "status" => status).increment(1);
    response
}
