//! Proof that a request is genuine, made from its raw bytes before anything reads them.
//!
//! Twilio's signature is checked against `public_url` and the path and query as received, never against `Host` or
//! what a proxy says. Only these extractors make what the handlers take, so a handler cannot see a forged request.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::early;
use super::error::AppError;
use super::unverified::Unverified;
use crate::app::App;
use crate::slack;
use crate::twilio::{self, form};

/// Twilio's requests are forms of a few kilobytes.
const TWILIO_LIMIT: usize = 64 * 1024;

/// Slack's events carry whole messages with their blocks.
const SLACK_LIMIT: usize = 1024 * 1024;

/// The fields of a form that Twilio signed, for our account.
#[derive(Debug)]
pub(crate) struct TwilioForm(pub(crate) Vec<(String, String)>);

impl FromRequest<App> for TwilioForm {
    type Rejection = AppError;

    async fn from_request(request: Request, app: &App) -> Result<TwilioForm, AppError> {
        let path_and_query = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned();
        let Some(signature) = header(request.headers(), "x-twilio-signature") else {
            return Err(unsigned("twilio", &path_and_query));
        };
        early::twilio(&signature, request.headers(), TWILIO_LIMIT)?;
        let body = Unverified::read(request, app, TWILIO_LIMIT).await?;
        let params = form::parse(&body);
        let url = format!("{}{path_and_query}", app.config.public_url);
        let tokens = [
            Some(&app.secrets.auth_token),
            app.secrets.auth_token_previous.as_ref(),
        ];
        let genuine = any(tokens, |token| {
            twilio::signature::is_valid(token, &url, &params, &body, &signature)
        });
        if !genuine {
            let path = path_and_query.split('?').next().unwrap_or_default();
            refused("twilio", &format!("{}{path}", app.config.public_url));
            return Err(AppError::Forbidden);
        }
        body.verified();
        let account = params
            .iter()
            .find(|(name, _)| name == "AccountSid")
            .map(|(_, value)| value.as_str());
        if account.is_some_and(|account| account != app.secrets.account_sid) {
            tracing::error!(
                "a request of another Twilio account was refused: check TWILIO_ACCOUNT_SID"
            );
            return Err(AppError::Forbidden);
        }
        Ok(TwilioForm(params))
    }
}

/// The same with what our own URL carries in its query. Nothing of either is read before the signature fits, so a forger
/// does not even learn that a query was malformed.
#[derive(Debug)]
pub(crate) struct TwilioCallback<Q>(pub(crate) Q, pub(crate) Vec<(String, String)>);

impl<Q: DeserializeOwned> FromRequest<App> for TwilioCallback<Q> {
    type Rejection = AppError;

    async fn from_request(request: Request, app: &App) -> Result<TwilioCallback<Q>, AppError> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let TwilioForm(params) = TwilioForm::from_request(request, app).await?;
        let query = serde_urlencoded::from_str(&query)
            .map_err(|error| AppError::Malformed(format!("the URL's query: {error}")))?;
        Ok(TwilioCallback(query, params))
    }
}

/// A body that Slack signed, within the last five minutes.
#[derive(Debug)]
pub(crate) struct SlackBody(pub(crate) Bytes);

impl FromRequest<App> for SlackBody {
    type Rejection = AppError;

    async fn from_request(request: Request, app: &App) -> Result<SlackBody, AppError> {
        let path = request.uri().path().to_owned();
        let signature = header(request.headers(), "x-slack-signature");
        let timestamp = header(request.headers(), "x-slack-request-timestamp");
        let (Some(signature), Some(timestamp)) = (signature, timestamp) else {
            return Err(unsigned("slack", &path));
        };
        let now = app.clock.now();
        early::slack(&signature, &timestamp, request.headers(), SLACK_LIMIT, now)?;
        let body = Unverified::read(request, app, SLACK_LIMIT).await?;
        let secrets = [
            Some(&app.secrets.signing_secret),
            app.secrets.signing_secret_previous.as_ref(),
        ];
        if !any(secrets, |secret| {
            slack::signature::is_valid(secret, &timestamp, &body, &signature, now)
        }) {
            refused("slack", &path);
            return Err(AppError::Forbidden);
        }
        Ok(SlackBody(body.verified()))
    }
}

/// Whether any secret fits. Each is tried, so that the time taken does not say which did.
fn any(secrets: [Option<&SecretString>; 2], fits: impl Fn(&str) -> bool) -> bool {
    secrets
        .into_iter()
        .flatten()
        .fold(false, |found, secret| fits(secret.expose_secret()) | found)
}

/// A request that is not signed at all is refused before its body is read.
fn unsigned(vendor: &'static str, path_and_query: &str) -> AppError {
    let path = path_and_query.split('?').next().unwrap_or_default();
    metrics::counter!("qdn_signatures_refused_total", "vendor" => vendor).increment(1);
    tracing::warn!(vendor, path, "a request without a signature was refused");
    AppError::Forbidden
}

fn refused(vendor: &'static str, checked: &str) {
    metrics::counter!("qdn_signatures_refused_total", "vendor" => vendor).increment(1);
    tracing::warn!(
        vendor,
        checked,
        "a request with a wrong signature was refused; if it was genuine, public_url or a secret does not match what the vendor has"
    );
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
