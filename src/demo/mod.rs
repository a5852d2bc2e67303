//! The demo page: a caller's phone and the Slack channel side by side, and below them the state of the relay.
//!
//! The page shows only what reached a stand-in over HTTP or is in the relay's database. It acts only through the people
//! of the stand-ins. Every change sends the whole state, which is small in a demo, so the page cannot drift from it.

mod act;
mod callers;
mod calls;
mod files;
mod relay;
mod service;
mod state;
mod tally;
#[cfg(test)]
mod tests;
mod trouble;

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::Stream;

pub use self::callers::{Caller, Callers};
pub use self::relay::{Program, Relay, Standing};
pub use self::service::Service;
use self::trouble::Trouble;
use qdn_sandbox::slack::SlackStandIn;
use qdn_sandbox::twilio::{Callbacks, TwilioStandIn};

/// The largest request body. The page sends pictures as base64 in JSON.
const BODY_LIMIT: usize = 8 << 20;
/// Changes within this time are sent together, such as a webhook and its effects.
const GATHER: Duration = Duration::from_millis(25);
/// How often the relay's database is read while nothing reaches a stand-in.
const LOOK: Duration = Duration::from_millis(400);

/// The Content-Security-Policy: only the page's own files are loaded, whatever a message contains.
const POLICY: &str =
    "default-src 'self'; img-src 'self' data: https:; base-uri 'none'; frame-ancestors 'none'";

/// A phone of the desk that the page shows.
#[derive(Debug, Clone)]
pub struct Phone {
    pub name: String,
    /// E.164.
    pub number: String,
}

/// Everything behind the page.
#[derive(Debug, Clone)]
pub struct Demo {
    pub slack: SlackStandIn,
    pub twilio: TwilioStandIn,
    /// The desk's number, E.164.
    pub number: String,
    /// The id of the desk's channel.
    pub channel: String,
    /// The ids of the Slack users that the viewer can act as, in the order of the menu.
    pub dispatchers: Vec<String>,
    pub callers: Callers,
    /// The phones that calls ring.
    pub phones: Vec<Phone>,
    /// The relay process and its database. Without them the page shows only the stand-ins.
    pub relay: Option<(Relay, Service)>,
    trouble: Trouble,
}

impl Demo {
    /// Creates the example desk: a channel with Sergio, Backup and Dana, their phones, and three callers.
    pub fn new(slack: SlackStandIn, twilio: TwilioStandIn, number: &str) -> Self {
        // Slow enough to be seen happening.
        twilio.set_callbacks(Callbacks::automatic(Duration::from_millis(700)));
        let channel = "C0DISPATCH";
        slack.add_channel(channel, "qdn-dispatch", false);
        slack.invite_bot(channel);
        let dispatchers = [
            ("U0DANA", "Dana"),
            ("U0SERGIO", "Sergio"),
            ("U0BACKUP", "Backup"),
        ];
        for (id, name) in dispatchers {
            slack.add_user(id, name);
            slack.join(channel, id);
        }
        // Soon enough to be watched, where Slack waits a minute and five.
        slack.set_retry_delays([0, 5, 30].map(Duration::from_secs));
        Self {
            trouble: Trouble::new(slack.clone(), twilio.clone()),
            slack,
            twilio,
            number: number.to_owned(),
            channel: channel.to_owned(),
            dispatchers: dispatchers.map(|(id, _)| id.to_owned()).to_vec(),
            callers: Callers::default(),
            phones: [("Sergio", "+16195550111"), ("Backup", "+18585550112")]
                .map(|(name, number)| Phone {
                    name: name.to_owned(),
                    number: number.to_owned(),
                })
                .to_vec(),
            relay: None,
        }
    }
}

/// Returns the routes of the page. Its event stream never ends by itself, so a graceful shutdown would wait for it.
pub fn router(demo: Demo) -> Router {
    let mut router = Router::new();
    for (path, kind, text) in files::ALL {
        let page = move || async move { ([(header::CONTENT_TYPE, kind)], text) };
        router = router.route(path, get(page));
    }
    router
        .route("/events", get(events))
        .route("/files/{id}", get(file))
        .route("/media/{message}/{index}", get(media))
        .route("/text", post(act::text))
        .route("/caller", post(act::caller))
        .route("/call", post(calls::call))
        .route("/call-act", post(calls::act))
        .route("/say", post(act::say))
        .route("/command", post(act::command))
        .route("/press", post(act::press))
        .route("/press-view", post(act::press_view))
        .route("/submit", post(act::submit))
        .route("/dismiss", post(act::dismiss))
        .route("/home", post(act::home))
        .route("/trouble", post(trouble::switch))
        .route("/relay", post(trouble::relay))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(axum::middleware::map_response(guarded))
        .with_state(demo)
}

/// Adds the security headers.
async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        if let Ok(value) = value.parse() {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

async fn events(State(demo): State<Demo>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stream = async_stream::stream! {
        let mut slack = demo.slack.changes();
        let mut twilio = demo.twilio.changes();
        let mut page = demo.trouble.changes();
        let mut last = String::new();
        loop {
            slack.mark_unchanged();
            twilio.mark_unchanged();
            page.mark_unchanged();
            let state = state::of(&demo).await.to_string();
            if state != last {
                last.clone_from(&state);
                yield Ok(Event::default().event("state").data(state));
            }
            let gone = tokio::select! {
                changed = slack.changed() => changed.is_err(),
                changed = twilio.changed() => changed.is_err(),
                changed = page.changed() => changed.is_err(),
                () = tokio::time::sleep(LOOK), if demo.relay.is_some() => false,
            };
            if gone {
                break;
            }
            tokio::time::sleep(GATHER).await;
        }
    };
    Sse::new(stream).keep_alive(KeepAlive::default())
}

async fn file(State(demo): State<Demo>, Path(id): Path<String>) -> Response {
    let file = demo.slack.read(|world| world.file(&id).cloned());
    match file {
        Some(file) => content(&file.mimetype, file.bytes),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn media(State(demo): State<Demo>, Path((sid, index)): Path<(String, usize)>) -> Response {
    match demo.twilio.media_of(&sid).into_iter().nth(index) {
        Some((kind, bytes)) => content(&kind, bytes.to_vec()),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Serves pictures and recordings inline, and everything else as a download.
fn content(kind: &str, bytes: Vec<u8>) -> Response {
    let safe = [
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "audio/mpeg",
        "audio/x-wav",
    ];
    if safe.contains(&kind) {
        return ([(header::CONTENT_TYPE, kind.to_owned())], bytes).into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment"),
    ];
    (headers, bytes).into_response()
}
