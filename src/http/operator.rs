//! What the operator's monitoring calls.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::store::outbox;
use crate::store::outbox::State as Stands;

/// How long a database that works takes at most to answer a read.
const BUDGET: Duration = Duration::from_secs(1);

/// For how long one look at the database answers everybody who asks.
const LOOKED_AT_ONCE: Duration = Duration::from_millis(500);

/// When the database was last asked whether it takes work, and what it said.
pub(crate) type Readiness = tokio::sync::Mutex<Option<(Instant, bool)>>;

/// The process is alive.
pub(super) async fn healthz() -> &'static str {
    "alive\n"
}

/// The service can take work: calls are answered either way, texts need the database.
pub(super) async fn readyz(State(app): State<App>) -> (StatusCode, &'static str) {
    // Anybody may ask, and each look takes the only writer: those who ask meanwhile get the answer of the one before.
    let mut last = app.readiness.lock().await;
    let is_ready = match *last {
        Some((at, is_ready)) if at.elapsed() < LOOKED_AT_ONCE => is_ready,
        _ => {
            let looked = tokio::time::timeout(BUDGET, app.store.ping()).await;
            let is_ready = matches!(looked, Ok(Ok(())));
            *last = Some((Instant::now(), is_ready));
            is_ready
        }
    };
    match is_ready {
        true => (StatusCode::OK, "ready\n"),
        false => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database does not answer\n",
        ),
    }
}

/// Counters and gauges as Prometheus reads them; the outbox is measured when they are asked for.
pub(super) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    match tokio::time::timeout(BUDGET, outbox::depths(&app.store)).await {
        Ok(Ok(depths)) => publish(&app, &depths),
        // The counters are worth having even so.
        Ok(Err(_)) | Err(_) => tracing::warn!("the outbox could not be measured"),
    }
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        app.metrics.render(),
    )
}

/// Gauges that were set stay set, so each known state is, even to none.
fn publish(app: &App, depths: &[outbox::Depth]) {
    let now = app.clock.now();
    for state in [
        Stands::Waiting,
        Stands::Sending,
        Stands::Unknown,
        Stands::Held,
        Stands::Undecided,
        Stands::Refused,
    ] {
        let of_state = || depths.iter().filter(|depth| depth.state == state.as_str());
        let deliveries: i64 = of_state().map(|depth| depth.deliveries).sum();
        let oldest = of_state()
            .map(|depth| depth.oldest)
            .min()
            .map_or(0.0, |at| (now.as_millisecond() - at) as f64 / 1_000.0);
        metrics::gauge!("qdn_outbox_deliveries", "state" => state.as_str()).set(deliveries as f64);
        metrics::gauge!("qdn_outbox_oldest_seconds", "state" => state.as_str()).set(oldest);
    }
}

/// Counts every request by its route and how it was answered.
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
