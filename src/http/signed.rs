//! Extractors that verify a request's signature over its raw bytes, before anything parses them.
//!
//! Twilio's signature is checked against `public_url` and the path and query as received, never against `Host` or a
//! proxy's headers. Only these extractors construct what the handlers take, so a handler never sees a forged request.

use axum::body::Bytes;
use axum::extract::{FromRequest, MatchedPath, Request};
use axum::http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::early;
use super::error::AppError;
use super::nul;
use super::refused::Refused;
use super::server::Server;
use super::unverified::Unverified;
use crate::app::App;
use crate::callback;
use crate::slack;
use crate::twilio::signature::settings;
use crate::twilio::{self, form};

/// The largest body of Twilio's that is read, in bytes. Twilio's forms have a few kilobytes.
const TWILIO_LIMIT: usize = 64 * 1024;

/// The largest body of Slack's that is read, in bytes. Slack's events contain whole messages with their blocks.
const SLACK_LIMIT: usize = 1024 * 1024;

/// The reasons for a refusal, for the log. A request without a signature is refused before its body is read.
const UNSIGNED: &str = "it has no signature";
const WRONG: &str = "its signature does not fit";
const NOT_OUR_KEY: &str =
    "it says that it is signed with a key or an algorithm that TWILIO_WEBHOOK_KEYS does not have";

/// The parameters of a form that Twilio signed, for our account.
#[derive(Debug)]
pub(crate) struct TwilioForm(pub(crate) Vec<(String, String)>);

impl FromRequest<Server> for TwilioForm {
    type Rejection = AppError;

    async fn from_request(request: Request, server: &Server) -> Result<TwilioForm, AppError> {
        let path_and_query = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned();
        let route = route(&request);
        let headers = request.headers().clone();
        let refuse = |why, params: &[(String, String)]| {
            let refused = Refused {
                vendor: "twilio",
                route: &route,
                origin: &server.config.public_url,
                why,
                headers: &headers,
                params,
            };
            server.refusals.note(&refused, server.clock.now());
            Err(AppError::Forbidden)
        };
        // First everything that needs no body, so that a forged request uses no memory.
        let Some(signature) = header(&headers, "x-twilio-signature") else {
            return refuse(UNSIGNED, &[]);
        };
        let Some(keys) = Keys::of(server, &headers) else {
            return refuse(NOT_OUR_KEY, &[]);
        };
        if let Some(why) = early::not_of_twilio(&signature) {
            return refuse(why, &[]);
        }
        early::announced(&headers, TWILIO_LIMIT)?;
        let body = Unverified::read(request, &server.bodies, TWILIO_LIMIT).await?;
        let params = form::parse(&body);
        let url = format!("{}{path_and_query}", server.config.public_url);
        if !keys.fit(&url, &params, &body, &signature) {
            return refuse(WRONG, &params);
        }
        body.verified();
        // Only after the verification: the signature covers the bytes as sent, and only a genuine AccountSid is worth an error.
        let params = nul::form(params);
        let account = params
            .iter()
            .find(|(name, value)| name == "AccountSid" && !value.is_empty())
            .map(|(_, value)| value.as_str());
        if account.is_some_and(|account| account != server.secrets.account_sid) {
            tracing::error!(
                "a request of another Twilio account was refused: check TWILIO_ACCOUNT_SID"
            );
            return Err(AppError::Forbidden);
        }
        Ok(TwilioForm(params))
    }
}

/// The data that a callback URL carries and the parameters of the signed form. The data is `None` if the URL carries none
/// or it cannot be parsed, and is parsed only after the signature is verified.
#[derive(Debug)]
pub(crate) struct TwilioCallback<T>(pub(crate) Option<T>, pub(crate) Vec<(String, String)>);

impl<T: DeserializeOwned> FromRequest<Server> for TwilioCallback<T> {
    type Rejection = AppError;

    async fn from_request(
        request: Request,
        server: &Server,
    ) -> Result<TwilioCallback<T>, AppError> {
        let route = route(&request);
        let uri = request.uri().clone();
        let TwilioForm(params) = TwilioForm::from_request(request, server).await?;
        let in_path = route
            .ends_with("/{carried}")
            .then(|| uri.path().rsplit('/').next().unwrap_or_default());
        let carried = match (in_path, uri.query()) {
            (Some(value), _) => callback::read(value).map(Some),
            (None, Some(query)) => callback::read_query(query).map(Some),
            (None, None) => Ok(None),
        };
        let carried = carried.unwrap_or_else(|why| {
            tracing::error!(
                route,
                why = why.to_string(),
                "what an address of ours carries cannot be read: does something between Twilio and us change paths?"
            );
            None
        });
        Ok(TwilioCallback(carried, params))
    }
}

/// A body that Slack signed within the last five minutes.
#[derive(Debug)]
pub(crate) struct SlackBody(pub(crate) Bytes);

impl FromRequest<Server> for SlackBody {
    type Rejection = AppError;

    async fn from_request(request: Request, server: &Server) -> Result<SlackBody, AppError> {
        let route = route(&request);
        let headers = request.headers().clone();
        let refuse = |why, params: &[(String, String)]| {
            let refused = Refused {
                vendor: "slack",
                route: &route,
                origin: "",
                why,
                headers: &headers,
                params,
            };
            server.refusals.note(&refused, server.clock.now());
            Err(AppError::Forbidden)
        };
        let signature = header(&headers, "x-slack-signature");
        let timestamp = header(&headers, "x-slack-request-timestamp");
        let (Some(signature), Some(timestamp)) = (signature, timestamp) else {
            return refuse(UNSIGNED, &[]);
        };
        let now = server.clock.now();
        if let Some(why) = early::not_of_slack(&signature, &timestamp, now) {
            return refuse(why, &[]);
        }
        early::announced(&headers, SLACK_LIMIT)?;
        let body = Unverified::read(request, &server.bodies, SLACK_LIMIT).await?;
        let secrets = [
            Some(&server.secrets.signing_secret),
            server.secrets.signing_secret_previous.as_ref(),
        ];
        if !any(secrets.into_iter().flatten(), |secret| {
            slack::signature::is_valid(secret, &timestamp, &body, &signature, now)
        }) {
            // Events are JSON and have no form parameters to name in the log.
            let params = if body.starts_with(b"{") {
                Vec::new()
            } else {
                form::parse(&body)
            };
            return refuse(WRONG, &params);
        }
        Ok(SlackBody(nul::body(body.verified())))
    }
}

/// The secrets that a request of Twilio's may be signed with.
enum Keys<'a> {
    AuthTokens(Vec<&'a SecretString>),
    Shared(Vec<&'a SecretString>),
}

impl<'a> Keys<'a> {
    /// Returns the secrets for a request. If its header names a shared key, these are our keys with that id; `None` if there is
    /// none, if the header names another algorithm or if it is repeated. Without the header, these are the auth tokens.
    fn of(app: &'a App, headers: &HeaderMap) -> Option<Keys<'a>> {
        let mut said = headers.get_all(settings::HEADER).iter();
        let Some(first) = said.next() else {
            let tokens = [
                Some(&app.secrets.auth_token),
                app.secrets.auth_token_previous.as_ref(),
            ];
            return Some(Keys::AuthTokens(tokens.into_iter().flatten().collect()));
        };
        if said.next().is_some() {
            return None;
        }
        let id = settings::key(first.to_str().ok()?)?;
        let ours = app.secrets.webhook_keys.iter();
        let named: Vec<_> = ours
            .filter(|key| key.id == id)
            .map(|key| &key.secret)
            .collect();
        (!named.is_empty()).then_some(Keys::Shared(named))
    }

    fn fit(&self, url: &str, params: &[(String, String)], body: &[u8], signature: &str) -> bool {
        match self {
            Keys::AuthTokens(tokens) => any(tokens.iter().copied(), |token| {
                twilio::signature::is_valid(token, url, params, body, signature)
            }),
            Keys::Shared(secrets) => any(secrets.iter().copied(), |secret| {
                twilio::signature::is_valid_with_shared_key(secret, url, params, body, signature)
            }),
        }
    }
}

/// Whether any secret fits. Tries all of them, so that the time taken does not reveal which one fits.
fn any<'a>(secrets: impl Iterator<Item = &'a SecretString>, fits: impl Fn(&str) -> bool) -> bool {
    secrets.fold(false, |found, secret| fits(secret.expose_secret()) | found)
}

/// Returns the route's pattern, such as `/api/twilio/dial/{carried}`. The path itself can be of any length and carries
/// names.
fn route(request: &Request) -> String {
    let matched = request.extensions().get::<MatchedPath>();
    matched.map_or_else(String::new, |path| path.as_str().to_owned())
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
