//! Faults that a test scripts for a stand-in, request by request, and the host that can carry them out.
//!
//! A handler asks for the next fault of its endpoint and lets [`Fault::befall`] decide what the client sees:
//! whether the request is performed and whether the client learns of it are two separate things.

pub mod host;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use self::host::Connection;

/// The most bytes of an answer that are kept in memory to cut it short.
const ANSWER_LIMIT: usize = 16 << 20;

/// The word for HTTP 429 that `refuse` turns into the vendor's own error.
pub const RATE_LIMITED: &str = "ratelimited";

/// What goes wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What the client sees.
    pub effect: Effect,
    /// Whether the stand-in performs the request anyway.
    pub accepted: bool,
}

/// What the client sees of a request that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// No answer at all until the client goes away.
    Hang,
    /// The connection is cut without an answer (TCP reset).
    Reset,
    /// The answer breaks off in the middle of its body; the request is performed whatever `accepted` says.
    CutShort,
    /// A bare answer with this HTTP status.
    Status(u16),
    /// HTTP 429, with `Retry-After` in seconds where given.
    RateLimited { retry_after: Option<u32> },
    /// HTTP 200 with an empty body.
    Empty,
    /// HTTP 200 with a page that is not JSON.
    Garbage,
    /// The right answer, this much later. An accepted request is performed at once, another only after the wait.
    Slow(Duration),
    /// The connection is cut, and the request is performed later: this long after the next one of its kind was
    /// accepted. Only Slack's Web API does this; elsewhere only the connection is cut.
    Late(Duration),
    /// The vendor's own error: Twilio's code or Slack's word.
    Error(String),
}

impl Effect {
    /// This effect on a request that is performed. The client cannot know that it is.
    pub fn accepted(self) -> Fault {
        Fault {
            effect: self,
            accepted: true,
        }
    }

    /// This effect on a request that is not performed.
    pub fn not_accepted(self) -> Fault {
        Fault {
            effect: self,
            accepted: false,
        }
    }
}

impl Fault {
    /// Performs the request if the fault allows it, and answers as the fault says.
    ///
    /// `refuse` turns the vendor's own error into the answer the vendor would give.
    pub async fn befall(
        self,
        connection: &Connection,
        perform: impl Future<Output = Response>,
        refuse: impl FnOnce(&str) -> Response,
    ) -> Response {
        if let Effect::Slow(wait) = self.effect {
            if self.accepted {
                let response = perform.await;
                tokio::time::sleep(wait).await;
                return response;
            }
            tokio::time::sleep(wait).await;
            return perform.await;
        }
        if self.effect == Effect::CutShort {
            return cut_short(perform.await).await;
        }
        if self.accepted {
            perform.await;
        }
        match self.effect {
            Effect::Hang => std::future::pending().await,
            Effect::Reset | Effect::Late(_) => {
                connection.cut();
                // Nothing of this leaves: the connection refuses every byte from here on.
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
            Effect::Status(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
                (status, "upstream connect error or disconnect").into_response()
            }
            Effect::RateLimited { retry_after } => rate_limited(retry_after, refuse(RATE_LIMITED)),
            Effect::Empty => StatusCode::OK.into_response(),
            Effect::Garbage => {
                let page = "<html><body><h1>We will be right back</h1></body></html>";
                ([(header::CONTENT_TYPE, "text/html")], page).into_response()
            }
            Effect::Error(error) => refuse(&error),
            Effect::Slow(_) | Effect::CutShort => StatusCode::OK.into_response(),
        }
    }
}

/// Runs `perform` with this fault, or without any.
pub async fn perform(
    fault: Option<Fault>,
    connection: &Connection,
    perform: impl Future<Output = Response>,
    refuse: impl FnOnce(&str) -> Response,
) -> Response {
    match fault {
        None => perform.await,
        Some(fault) => fault.befall(connection, perform, refuse).await,
    }
}

fn rate_limited(retry_after: Option<u32>, mut response: Response) -> Response {
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

async fn cut_short(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = axum::body::to_bytes(body, ANSWER_LIMIT)
        .await
        .unwrap_or_default();
    parts
        .headers
        .insert(header::CONTENT_LENGTH, whole.len().max(2).into());
    let half = whole.slice(..whole.len() / 2);
    let chunks = async_stream::stream! {
        yield Ok::<Bytes, std::io::Error>(half);
        // A pause, or the first half would be thrown away with the rest before it has left.
        tokio::time::sleep(Duration::from_millis(20)).await;
        yield Err(std::io::ErrorKind::ConnectionReset.into());
    };
    Response::from_parts(parts, Body::from_stream(chunks))
}

/// The faults of future requests, per endpoint; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<HashMap<String, Script>>>);

#[derive(Debug, Default)]
struct Script {
    once: VecDeque<Fault>,
    always: Option<Fault>,
}

impl Faults {
    /// Lets the next request to `endpoint` go wrong, after those already scripted.
    pub fn push(&self, endpoint: &str, fault: Fault) {
        self.push_many(endpoint, 1, fault);
    }

    /// Lets the next `n` requests to `endpoint` go wrong.
    pub fn push_many(&self, endpoint: &str, n: usize, fault: Fault) {
        let mut scripts = self.lock();
        let script = scripts.entry(endpoint.to_owned()).or_default();
        script.once.extend(std::iter::repeat_n(fault, n));
    }

    /// Lets every request to `endpoint` go wrong once the single faults are used up.
    pub fn always(&self, endpoint: &str, fault: Fault) {
        let mut scripts = self.lock();
        scripts.entry(endpoint.to_owned()).or_default().always = Some(fault);
    }

    /// Removes all faults of `endpoint`.
    pub fn clear(&self, endpoint: &str) {
        self.lock().remove(endpoint);
    }

    /// Removes all faults.
    pub fn clear_all(&self) {
        self.lock().clear();
    }

    /// The number of single faults that are left for `endpoint`.
    pub fn waiting(&self, endpoint: &str) -> usize {
        self.lock()
            .get(endpoint)
            .map_or(0, |script| script.once.len())
    }

    /// Takes the fault of the request to `endpoint` that has just come in.
    pub fn next(&self, endpoint: &str) -> Option<Fault> {
        let mut scripts = self.lock();
        let script = scripts.get_mut(endpoint)?;
        script.once.pop_front().or_else(|| script.always.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Script>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_faults_come_before_the_lasting_one_and_then_it_stays() {
        let faults = Faults::default();
        faults.always("Messages.create", Effect::Status(503).not_accepted());
        faults.push_many("Messages.create", 2, Effect::Reset.accepted());
        assert_eq!(faults.waiting("Messages.create"), 2);
        for expected in [
            Effect::Reset.accepted(),
            Effect::Reset.accepted(),
            Effect::Status(503).not_accepted(),
            Effect::Status(503).not_accepted(),
        ] {
            assert_eq!(faults.next("Messages.create"), Some(expected));
        }
        assert_eq!(faults.next("Messages.list"), None);
        faults.clear("Messages.create");
        assert_eq!(faults.next("Messages.create"), None);
    }
}
