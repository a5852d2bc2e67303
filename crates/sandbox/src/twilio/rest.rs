//! The REST API: routing, authentication, and errors in Twilio's format.

mod account;
mod calls;
mod media;
mod messages;
mod pages;
mod recordings;
pub(super) mod services;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::json;

use super::core::Core;
use crate::faults;
use crate::faults::host::Connection;

pub(super) use self::media::router as media_router;
pub(super) use self::messages::is_dialable;

/// The most bytes of a request; no form that Twilio accepts is larger.
const BODY_LIMIT: usize = 1 << 20;

/// Writes a time as Twilio does: RFC 2822, in UTC.
pub(super) fn date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

pub(super) fn router(core: Arc<Core>) -> Router {
    Router::new().fallback(answer).with_state(core)
}

/// A refusal by Twilio: HTTP status, error code, message.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    code: u32,
    message: String,
}

impl Refusal {
    fn bad_request(code: u32, message: impl Into<String>) -> Self {
        Refusal {
            status: StatusCode::BAD_REQUEST,
            code,
            message: message.into(),
        }
    }

    fn not_found(path: &str) -> Self {
        Refusal {
            status: StatusCode::NOT_FOUND,
            code: 20404,
            message: format!("The requested resource {path} was not found"),
        }
    }

    fn unauthorized(message: &str) -> Self {
        Refusal {
            status: StatusCode::UNAUTHORIZED,
            code: 20003,
            message: message.to_owned(),
        }
    }

    /// The error that a test scripted, by its code or by the word for too many requests.
    fn scripted(error: &str) -> Self {
        let code = match error {
            faults::RATE_LIMITED => 20429,
            other => other.parse().unwrap_or(20500),
        };
        let status = match code {
            20003 => StatusCode::UNAUTHORIZED,
            20404 => StatusCode::NOT_FOUND,
            20429 => StatusCode::TOO_MANY_REQUESTS,
            20500 => StatusCode::INTERNAL_SERVER_ERROR,
            20503 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        let message = format!("Error {code}");
        Refusal {
            status,
            code,
            message,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({
            "code": self.code,
            "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": self.status.as_u16(),
        });
        (self.status, axum::Json(body)).into_response()
    }
}

type Answer = Result<Response, Refusal>;

/// A request that is passed to an endpoint.
struct Asked {
    path: String,
    query: Vec<(String, String)>,
    form: Vec<(String, String)>,
}

/// The endpoints, with the SIDs of their paths.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Endpoint {
    Account,
    CreateMessage,
    ListMessages,
    FetchMessage(String),
    UpdateMessage(String),
    DeleteMessage(String),
    ListMedia(String),
    FetchMedia(String, String),
    DeleteMedia(String, String),
    ListCalls,
    FetchCall(String),
    ListRecordings(String),
    FetchRecording(String),
    DeleteRecording(String),
    ListTranscriptions(String),
    DeleteTranscription(String),
    ListNumbers,
    FetchNumber(String),
    UpdateNumber(String),
    ListServices,
    ListPool(String),
}
use Endpoint::*;

impl Endpoint {
    /// The endpoint of a method and a path below the account's.
    fn find(method: &Method, path: &[&str]) -> Option<Self> {
        let resource = |name: &str| name.strip_suffix(".json").map(str::to_owned);
        let (get, post, delete) = (
            method == Method::GET,
            method == Method::POST,
            method == Method::DELETE,
        );
        Some(match *path {
            ["Messages.json"] if post => CreateMessage,
            ["Messages.json"] if get => ListMessages,
            ["Messages", sid] if get => FetchMessage(resource(sid)?),
            ["Messages", sid] if post => UpdateMessage(resource(sid)?),
            ["Messages", sid] if delete => DeleteMessage(resource(sid)?),
            ["Messages", sid, "Media.json"] if get => ListMedia(sid.to_owned()),
            ["Messages", sid, "Media", media] if get => {
                FetchMedia(sid.to_owned(), media.to_owned())
            }
            ["Messages", sid, "Media", media] if delete => {
                DeleteMedia(sid.to_owned(), resource(media)?)
            }
            ["Calls.json"] if get => ListCalls,
            ["Calls", sid, "Recordings.json"] if get => ListRecordings(sid.to_owned()),
            ["Recordings", sid, "Transcriptions.json"] if get => ListTranscriptions(sid.to_owned()),
            ["Transcriptions", sid] if delete => DeleteTranscription(resource(sid)?),
            ["Calls", sid] if get => FetchCall(resource(sid)?),
            ["Recordings", sid] if get => FetchRecording(sid.to_owned()),
            ["Recordings", sid] if delete => DeleteRecording(resource(sid)?),
            ["IncomingPhoneNumbers.json"] if get => ListNumbers,
            ["IncomingPhoneNumbers", sid] if get => FetchNumber(resource(sid)?),
            ["IncomingPhoneNumbers", sid] if post => UpdateNumber(resource(sid)?),
            _ => return None,
        })
    }

    /// The name under which faults are scripted.
    fn name(&self) -> &'static str {
        match self {
            Account => "Accounts.fetch",
            CreateMessage => "Messages.create",
            ListMessages => "Messages.list",
            FetchMessage(_) => "Messages.fetch",
            UpdateMessage(_) => "Messages.update",
            DeleteMessage(_) => "Messages.delete",
            ListMedia(_) => "Media.list",
            FetchMedia(..) => "Media.fetch",
            DeleteMedia(..) => "Media.delete",
            ListCalls => "Calls.list",
            FetchCall(_) => "Calls.fetch",
            ListRecordings(_) => "Recordings.list",
            FetchRecording(_) => "Recordings.fetch",
            ListTranscriptions(_) => "Transcriptions.list",
            DeleteTranscription(_) => "Transcriptions.delete",
            DeleteRecording(_) => "Recordings.delete",
            ListNumbers => "IncomingPhoneNumbers.list",
            FetchNumber(_) => "IncomingPhoneNumbers.fetch",
            UpdateNumber(_) => "IncomingPhoneNumbers.update",
            ListServices => "Services.list",
            ListPool(_) => "Services.PhoneNumbers.list",
        }
    }
}

async fn answer(
    State(core): State<Arc<Core>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let account = core.settings.account_sid.clone();
    let account_file = format!("{account}.json");
    let endpoint = match segments.as_slice() {
        ["2010-04-01", "Accounts", file] if *file == account_file && parts.method == "GET" => {
            Some(Account)
        }
        // Twilio has these at a host of their own.
        ["v1", "Services"] if parts.method == "GET" => Some(ListServices),
        ["v1", "Services", sid, "PhoneNumbers"] if parts.method == "GET" => {
            Some(ListPool((*sid).to_owned()))
        }
        ["2010-04-01", "Accounts", sid, rest @ ..] if *sid == account => {
            Endpoint::find(&parts.method, rest)
        }
        _ => None,
    };
    let Some(endpoint) = endpoint else {
        core.violation(format!("{} {path} is not known here", parts.method));
        return Refusal::not_found(&path).into_response();
    };
    let body = match axum::body::to_bytes(body, BODY_LIMIT).await {
        Ok(body) => body,
        Err(_) => return Refusal::bad_request(20001, "the body is too large").into_response(),
    };
    let fault = core.faults.next(endpoint.name());
    let fault = fault.or_else(|| core.fault_of_file(&endpoint));
    let perform = async {
        let query = parts.uri.query().unwrap_or_default();
        let query = serde_urlencoded::from_str(query).unwrap_or_default();
        let form = core.form(&endpoint, &parts.method, &parts.headers, &body);
        let asked = Asked { path, query, form };
        match core.perform(&endpoint, &parts.headers, asked).await {
            Ok(response) => response,
            Err(refusal) => refusal.into_response(),
        }
    };
    let refuse = |error: &str| Refusal::scripted(error).into_response();
    faults::perform(fault, &connection, perform, refuse).await
}

impl Core {
    async fn perform(
        self: &Arc<Self>,
        endpoint: &Endpoint,
        headers: &HeaderMap,
        asked: Asked,
    ) -> Answer {
        // Media are public unless the account says otherwise.
        let public = matches!(endpoint, FetchMedia(..)) && !self.lock().media_auth;
        if !public || headers.contains_key(header::AUTHORIZATION) {
            self.authorize(endpoint, headers)?;
        }
        match endpoint {
            Account => self.account(&asked),
            CreateMessage => self.create_message(&asked).await,
            ListMessages => self.list_messages(&asked),
            FetchMessage(sid) => self.fetch_message(sid, &asked),
            UpdateMessage(sid) => self.update_message(sid, &asked),
            DeleteMessage(sid) => self.delete_message(sid, &asked),
            ListMedia(sid) => self.list_media(sid, &asked),
            FetchMedia(message, sid) => self.fetch_media(message, sid, &asked),
            DeleteMedia(message, sid) => self.delete_media(message, sid, &asked),
            ListCalls => self.list_calls(&asked),
            FetchCall(sid) => self.fetch_call(sid, &asked),
            ListRecordings(call) => self.list_recordings(call, &asked),
            FetchRecording(file) => self.fetch_recording(file, &asked),
            ListTranscriptions(sid) => self.list_transcriptions(sid, &asked),
            DeleteTranscription(sid) => self.delete_transcription(sid, &asked),
            DeleteRecording(sid) => self.delete_recording(sid, &asked),
            ListNumbers => self.list_numbers(&asked),
            FetchNumber(sid) => self.fetch_number(sid, &asked),
            UpdateNumber(sid) => self.update_number(sid, &asked),
            ListServices => self.list_services(&asked),
            ListPool(sid) => self.list_pool(sid, &asked),
        }
    }

    /// Checks HTTP Basic: the API key and its secret, or the account and its auth token. Uses of the token are counted.
    fn authorize(&self, endpoint: &Endpoint, headers: &HeaderMap) -> Result<(), Refusal> {
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|value| STANDARD.decode(value).ok())
            .and_then(|value| String::from_utf8(value).ok());
        let Some(given) = given else {
            self.violation(format!("{} without credentials", endpoint.name()));
            return Err(Refusal::unauthorized("Authenticate"));
        };
        let settings = &self.settings;
        let mut state = self.lock();
        if given == format!("{}:{}", settings.account_sid, state.auth_token) {
            state.uses_of_auth_token += 1;
            return Ok(());
        }
        let is_key = given == format!("{}:{}", settings.api_key, settings.api_secret);
        let key_valid = state.api_key_valid;
        drop(state);
        if !is_key {
            self.violation(format!("{} with wrong credentials", endpoint.name()));
        }
        if !is_key || !key_valid {
            return Err(Refusal::unauthorized("Authenticate"));
        }
        if *endpoint == Account {
            // What a standard key gets: <https://www.twilio.com/docs/iam/api-keys/keys-in-console>.
            return Err(Refusal::unauthorized(
                "Authentication Error - invalid username",
            ));
        }
        Ok(())
    }

    fn form(
        &self,
        endpoint: &Endpoint,
        method: &Method,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Vec<(String, String)> {
        if method != Method::POST {
            if !body.is_empty() {
                self.violation(format!("{} with a body", endpoint.name()));
            }
            return Vec::new();
        }
        let content_type = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if !content_type.starts_with("application/x-www-form-urlencoded") {
            let violation = format!("{} as {content_type:?}, not as a form", endpoint.name());
            self.violation(violation);
            return Vec::new();
        }
        serde_urlencoded::from_bytes(body).unwrap_or_else(|_| {
            self.violation(format!("{} with an unreadable form", endpoint.name()));
            Vec::new()
        })
    }

    /// Records a violation for each parameter that is not in `known`, or comes twice and is not in `repeatable`.
    fn check_parameters(
        &self,
        endpoint: &str,
        given: &[(String, String)],
        known: &[&str],
        repeatable: &[&str],
    ) {
        for (n, (name, _)) in given.iter().enumerate() {
            if !known.contains(&name.as_str()) && !repeatable.contains(&name.as_str()) {
                self.violation(format!("{endpoint} knows no parameter {name:?}"));
            } else if given[..n].iter().any(|(earlier, _)| earlier == name)
                && !repeatable.contains(&name.as_str())
            {
                self.violation(format!("{endpoint} got {name} twice"));
            }
        }
    }
}

/// The first value of a parameter, if it is not empty.
fn parameter<'a>(given: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut given = given.iter();
    let found = given.find(|(known, _)| known == name);
    found
        .map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty())
}
