//! An HTTP connector for slack-morphism, over reqwest.
//!
//! We cannot use the connector that comes with slack-morphism: it treats a 429 without JSON as an unreadable response, so
//! that a request known not to have been acted on looks like one that may have been; it has no timeouts; it reads bodies of
//! any size; and it hides the header that lists the token's scopes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{RequestBuilder, StatusCode};
use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;
use slack_morphism::errors::{
    SlackClientApiError, SlackClientError, SlackClientHttpError, SlackClientHttpProtocolError,
    SlackClientSystemError, SlackRateLimitError, map_serde_error,
};
use slack_morphism::multipart_form::FileMultipartData;
use slack_morphism::{
    ClientResult, SlackApiToken, SlackClientApiCallContext, SlackClientHttpConnector,
    SlackClientId, SlackClientSecret,
};
use url::Url;

use super::failure;
use crate::remote::Failure;
use crate::slack::lenient;

/// The timeout for connecting. Nothing has been sent when it expires, so the request can be repeated safely.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The largest response that is read, in bytes. A page of 200 messages of the longest text that Slack allows is smaller.
const MAX_BODY: usize = 16 * 1024 * 1024;

pub(super) struct Wire {
    http: reqwest::Client,
    /// The base URL, with a slash at its end.
    api_url: Url,
    /// The token's scopes in the last response.
    scopes: Mutex<Option<Vec<String>>>,
}

impl Wire {
    pub(super) fn new(api_url: Url, request_timeout: Duration) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("qdn-relay/", env!("CARGO_PKG_VERSION")))
            // Shorter than the request's timeout: when that expires, nobody can tell whether the request was sent.
            .connect_timeout(CONNECT_TIMEOUT.min(request_timeout / 2))
            .timeout(request_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .build()
            .context("preparing the HTTP client for Slack")?;
        Ok(Self {
            http,
            api_url,
            scopes: Mutex::default(),
        })
    }

    pub(super) fn scopes(&self) -> Option<Vec<String>> {
        self.scopes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Posts JSON to a `response_url`. A successful response is a bare `ok` or JSON.
    pub(super) async fn respond(&self, url: Url, message: &Value) -> ClientResult<()> {
        let answer = self.send(self.http.post(url).json(message), None).await?;
        match lenient::parse(&answer.body) {
            Ok(json) if json.get("ok").is_some() => answer.decode::<Value>().map(drop),
            _ if answer.status.is_success() => Ok(()),
            _ => Err(answer.into_http_error()),
        }
    }

    /// Posts a file's bytes to an upload URL. A successful response is a bare `OK`.
    pub(super) async fn upload(&self, url: Url, bytes: Vec<u8>) -> ClientResult<()> {
        let request = self
            .http
            .post(url)
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(bytes);
        let answer = self.send(request, None).await?;
        match answer.status {
            status if status.is_success() => Ok(()),
            StatusCode::TOO_MANY_REQUESTS => Err(answer.into_rate_limit()),
            _ => Err(answer.into_http_error()),
        }
    }

    /// Downloads a file: returns its content type and its bytes; `None` if it has more than `at_most` bytes.
    pub(super) async fn download(
        &self,
        url: Url,
        token: &SlackApiToken,
        at_most: usize,
    ) -> Result<Option<(String, Vec<u8>)>, Failure> {
        let request = self.http.get(url).bearer_auth(&token.token_value.0);
        let broken = |err| failure::from(transport(err));
        let mut response = request.send().await.map_err(broken)?;
        let status = response.status();
        let text = |name| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        if status == StatusCode::TOO_MANY_REQUESTS {
            let retry_after = retry_after(response.headers());
            return Err(Failure::RateLimited { retry_after });
        }
        // Do not follow redirects: the token is for this host only, and Slack mostly redirects to a sign-in page.
        if status.is_client_error() || status.is_redirection() {
            return Err(Failure::Refused {
                code: format!("http {}", status.as_u16()),
                message: String::new(),
            });
        }
        if !status.is_success() {
            let why = format!("http {}", status.as_u16());
            return Err(Failure::Unknown { why });
        }
        let content_type = text(CONTENT_TYPE).unwrap_or_default();
        let is_too_large = |length: u64| usize::try_from(length).is_ok_and(|it| it > at_most);
        if response.content_length().is_some_and(is_too_large) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if bytes.len() + chunk.len() > at_most {
                return Ok(None);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some((content_type, bytes)))
    }

    async fn send(
        &self,
        request: RequestBuilder,
        context: Option<SlackClientApiCallContext<'_>>,
    ) -> ClientResult<Answer> {
        let token = context.and_then(|context| context.token);
        let request = match token {
            Some(token) => request.bearer_auth(&token.token_value.0),
            None => request,
        };
        let mut response = request.send().await.map_err(transport)?;
        self.remember_scopes(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(system("the answer is too large"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: response.status(),
            retry_after: retry_after(response.headers()),
            body,
        })
    }

    fn remember_scopes(&self, headers: &HeaderMap) {
        let Some(header) = headers
            .get("x-oauth-scopes")
            .and_then(|it| it.to_str().ok())
        else {
            return;
        };
        let scopes = header
            .split(',')
            .map(|scope| scope.trim().to_owned())
            .filter(|scope| !scope.is_empty())
            .collect();
        *self.scopes.lock().unwrap_or_else(PoisonError::into_inner) = Some(scopes);
    }
}

/// A response, read to its end.
struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Answer {
    fn decode<RS: DeserializeOwned>(self) -> ClientResult<RS> {
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(self.into_rate_limit());
        }
        // Ignore the body of a 5xx: whatever it says, Slack may have acted on the request.
        if !self.status.is_success() && !self.status.is_client_error() {
            return Err(self.into_http_error());
        }
        let json = match lenient::parse(&self.body) {
            Ok(json) => json,
            Err(_) if self.status.is_client_error() => return Err(self.into_http_error()),
            Err(err) => return Err(map_serde_error(err, None)),
        };
        let error = lenient::word(&json, "error");
        match (json.get("ok").and_then(Value::as_bool), error) {
            (Some(false), Some(code))
                if matches!(code.as_str(), "ratelimited" | "rate_limited") =>
            {
                Err(self.into_rate_limit())
            }
            (Some(false), Some(code)) => {
                let body = String::from_utf8_lossy(&self.body).into_owned();
                let error = SlackClientApiError::new(code).with_http_response_body(body);
                Err(SlackClientError::ApiError(error))
            }
            (Some(true), None) if self.status.is_success() => {
                RS::deserialize(json).map_err(|err| map_serde_error(err, None))
            }
            _ if self.status.is_client_error() => Err(self.into_http_error()),
            _ => Err(map_serde_error(
                serde_json::Error::custom("neither a yes nor a no"),
                None,
            )),
        }
    }

    fn into_rate_limit(self) -> SlackClientError {
        let error = SlackRateLimitError::new().opt_retry_after(self.retry_after);
        SlackClientError::RateLimitError(error)
    }

    fn into_http_error(self) -> SlackClientError {
        SlackClientError::HttpError(SlackClientHttpError::new(self.status))
    }
}

/// Returns the `Retry-After` header, which Slack writes in whole seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    crate::remote::retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?)
}

fn transport(err: reqwest::Error) -> SlackClientError {
    // Drop the URL: a response_url lets anyone who reads it respond in our name.
    let cause = Box::new(err.without_url());
    SlackClientError::HttpProtocolError(SlackClientHttpProtocolError::new().with_cause(cause))
}

fn system(why: &'static str) -> SlackClientError {
    SlackClientError::SystemError(SlackClientSystemError::new().with_cause(why.into()))
}

impl SlackClientHttpConnector for Wire {
    fn http_get_uri<'a, RS>(
        &'a self,
        full_uri: Url,
        context: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RS: for<'de> serde::Deserialize<'de> + Send + 'a,
    {
        let request = self.http.get(full_uri);
        async move { self.send(request, Some(context)).await?.decode() }.boxed()
    }

    fn http_post_uri<'a, RQ, RS>(
        &'a self,
        full_uri: Url,
        request_body: &'a RQ,
        context: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RQ: Serialize + Send + Sync,
        RS: for<'de> serde::Deserialize<'de> + Send + 'a,
    {
        async move {
            let body =
                serde_json::to_vec(request_body).map_err(|err| map_serde_error(err, None))?;
            // Slack adds a warning to the response if the charset is missing.
            let request = self
                .http
                .post(full_uri)
                .header(CONTENT_TYPE, "application/json; charset=utf-8")
                .body(body);
            self.send(request, Some(context)).await?.decode()
        }
        .boxed()
    }

    fn http_post_uri_binary<'a, 'p, RS>(
        &'a self,
        full_uri: Url,
        content_type: String,
        data: &'a [u8],
        context: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RS: for<'de> serde::Deserialize<'de> + Send + 'a,
    {
        let request = self
            .http
            .post(full_uri)
            .header(CONTENT_TYPE, content_type)
            .body(data.to_vec());
        async move { self.send(request, Some(context)).await?.decode() }.boxed()
    }

    // The trait requires these two methods, but we use neither OAuth nor multipart forms.
    fn http_get_with_client_secret<'a, RS>(
        &'a self,
        _full_uri: Url,
        _client_id: &'a SlackClientId,
        _client_secret: &'a SlackClientSecret,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RS: for<'de> serde::Deserialize<'de> + Send + 'a,
    {
        std::future::ready(Err(system("OAuth is not supported"))).boxed()
    }

    fn http_post_uri_multipart_form<'a, 'p, RS, PT, TS>(
        &'a self,
        _full_uri: Url,
        _file: Option<FileMultipartData<'p>>,
        _params: &'p PT,
        _context: SlackClientApiCallContext<'a>,
    ) -> BoxFuture<'a, ClientResult<RS>>
    where
        RS: for<'de> serde::Deserialize<'de> + Send + 'a,
        PT: IntoIterator<Item = (&'p str, Option<TS>)> + Clone,
        TS: AsRef<str> + 'p + Send,
    {
        std::future::ready(Err(system("multipart forms are not supported"))).boxed()
    }

    fn create_method_uri_path(&self, method_relative_uri: &str) -> ClientResult<Url> {
        Ok(self.api_url.join(method_relative_uri)?)
    }
}
