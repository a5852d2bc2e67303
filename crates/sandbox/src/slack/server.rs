//! Slack's HTTP server: `/api/METHOD`, response URLs, uploads and downloads.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{
    ConnectInfo, DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request, State,
};
use axum::http::{HeaderMap, Method as HttpMethod, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde_json::json;

use super::arguments::Arguments;
use super::methods::{self, Refusal};
use super::{Inner, response_url};
use crate::faults::host::Connection;
use crate::faults::{self, Effect, Fault, RATE_LIMITED};
use crate::slack::world::World;

/// The most bytes of a request. Uploads may be large.
const BODY_LIMIT: usize = 64 << 20;

pub(super) fn router(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/api/{method}", any(web_api))
        .route("/commands/{team}/{id}/{secret}", post(response_url::answer))
        .route("/upload/v1/{file}", post(upload))
        .route("/files-pri/{file}/{*name}", get(download))
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(inner)
}

pub(super) type Shared = State<Arc<Inner>>;
pub(super) type OnConnection = ConnectInfo<Connection>;

async fn web_api(
    State(inner): Shared,
    ConnectInfo(connection): OnConnection,
    call: Call,
) -> Response {
    let fault = inner.faults.next(&call.name);
    if let Some(Fault {
        effect: Effect::Late(wait),
        ..
    }) = fault
    {
        let (inner, call) = (inner.clone(), call.clone());
        tokio::spawn(async move {
            let accepted = || {
                let world = inner.lock();
                let of_method = world.accepted.iter().filter(|it| it.method == call.name);
                of_method.count()
            };
            let before = accepted();
            while accepted() == before {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            tokio::time::sleep(wait).await;
            answer(&inner, &call);
        });
    }
    let perform = async { answer(&inner, &call) };
    faults::perform(fault, &connection, perform, |error| {
        refused(Refusal::state(error))
    })
    .await
}

/// A call of a method.
#[derive(Clone)]
struct Call {
    name: String,
    http_method: HttpMethod,
    query: Option<String>,
    headers: HeaderMap,
    body: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let name = Path::from_request_parts(&mut parts, state).await;
        let Path(name) = name.map_err(IntoResponse::into_response)?;
        let http_method = parts.method.clone();
        let query = parts.uri.query().map(str::to_owned);
        let headers = parts.headers.clone();
        let body = Bytes::from_request(Request::from_parts(parts, body), state).await;
        Ok(Call {
            name,
            http_method,
            query,
            headers,
            body: body.map_err(IntoResponse::into_response)?,
        })
    }
}

fn answer(inner: &Arc<Inner>, call: &Call) -> Response {
    let Some(method) = methods::find(&call.name) else {
        inner.change(|world| world.violation(format!("{}: unknown method", call.name)));
        return refused(Refusal::state("unknown_method"));
    };
    let (outcome, scopes) = inner.change(|world| {
        let outcome = authorized(world, &call.headers).and_then(|()| {
            let content_type = header_text(&call.headers, header::CONTENT_TYPE);
            let query = call.query.as_deref().unwrap_or_default();
            let arguments = Arguments::read(query, content_type, &call.body)?;
            let is_post = call.http_method == HttpMethod::POST;
            method.call(world, is_post, &arguments)
        });
        if let Err(refusal) = &outcome
            && refusal.malformed
        {
            let detail: Vec<String> = refusal.extra.iter().map(|(_, v)| v.to_string()).collect();
            world.violation(
                format!("{}: {} {}", call.name, refusal.error, detail.join(" "))
                    .trim()
                    .to_owned(),
            );
        }
        let scopes: Vec<&str> = world.scopes.iter().map(String::as_str).collect();
        (outcome, scopes.join(","))
    });
    let mut response = match outcome {
        Ok(answer) => axum::Json(answer).into_response(),
        Err(refusal) => refused(refusal),
    };
    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        let seconds = header::HeaderValue::from_static("1");
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    for (name, value) in [
        ("x-oauth-scopes", scopes),
        ("x-accepted-oauth-scopes", method.accepted_scopes()),
    ] {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

pub(super) fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    header_text(headers, header::AUTHORIZATION)?.strip_prefix("Bearer ")
}

/// Checks the token, which has to be in the header: in a query it would end up in logs.
fn authorized(world: &World, headers: &HeaderMap) -> Result<(), Refusal> {
    match bearer(headers) {
        None => Err(Refusal::malformed("not_authed")),
        Some(token) if token != world.settings.bot_token => Err(Refusal::malformed("invalid_auth")),
        Some(_) if world.token_revoked => Err(Refusal::state("token_revoked")),
        Some(_) => Ok(()),
    }
}

/// The answer to a refused request: 200 and `ok: false`. Only the rate limit has a status of its own.
pub(super) fn refused(refusal: Refusal) -> Response {
    let mut answer = json!({"ok": false, "error": refusal.error});
    for (key, value) in refusal.extra {
        answer[key] = value;
    }
    let mut response = axum::Json(answer).into_response();
    if refusal.error == RATE_LIMITED {
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    }
    response
}

async fn upload(
    State(inner): Shared,
    ConnectInfo(connection): OnConnection,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let fault = inner.faults.next("upload");
    let perform = async {
        inner
            .change(|world| {
                let length = body.len();
                let Some(file) = world.files.get_mut(&id) else {
                    world.violation("upload: to an address that was never given out");
                    return (StatusCode::NOT_FOUND, "not found".to_owned());
                };
                let expected = file.expected.take();
                file.bytes = body.to_vec();
                if expected != Some(length) {
                    world.violation(format!(
                        "upload: {length} bytes where {expected:?} were announced"
                    ));
                }
                (StatusCode::OK, format!("OK - {length}"))
            })
            .into_response()
    };
    faults::perform(fault, &connection, perform, |error| {
        refused(Refusal::state(error))
    })
    .await
}

async fn download(
    State(inner): Shared,
    ConnectInfo(connection): OnConnection,
    Path((file, _)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let fault = inner.faults.next("download");
    let perform = async {
        inner.change(|world| {
            let id = file.rsplit('-').next().unwrap_or_default();
            let allowed =
                authorized(world, &headers).is_ok() && world.scopes.contains("files:read");
            match world.files.get(id) {
                Some(file) if allowed => {
                    let kind = [(header::CONTENT_TYPE, file.mimetype.clone())];
                    (kind, file.bytes.clone()).into_response()
                }
                None if allowed => StatusCode::NOT_FOUND.into_response(),
                // Slack does not say 403: it shows its login page.
                _ => {
                    world.violation("download: without a token that may, or of no file");
                    let page = "<!DOCTYPE html><html><title>Sign in | Slack</title></html>";
                    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
                }
            }
        })
    };
    faults::perform(fault, &connection, perform, |error| {
        refused(Refusal::state(error))
    })
    .await
}

async fn unknown(State(inner): Shared, http_method: HttpMethod, uri: axum::http::Uri) -> Response {
    let path = uri.path().to_owned();
    inner.change(|world| world.violation(format!("{http_method} {path}: no such address")));
    StatusCode::NOT_FOUND.into_response()
}
