//! Sends one request and maps its response to JSON or to a `Failure`.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{RequestBuilder, Response, StatusCode};
use secrecy::ExposeSecret;
use serde_json::Value;
use url::form_urlencoded;

use super::{Client, json};
use crate::clock::BootInstant;
use crate::remote::{self, Failure};

/// The largest response that is read, in bytes. A page of [`PAGE_SIZE`] of the longest messages has half of it.
const MAX_ANSWER: usize = 1024 * 1024;

/// The entries of a page; Twilio's default.
const PAGE_SIZE: &str = "50";

/// A list of more pages is an error, so that a server whose list never ends cannot hold us.
const MAX_PAGES: usize = 400;

/// The error code of the account's daily limit. It comes with status 429, but waiting a few seconds does not help.
const DAILY_LIMIT: u32 = 63038;

/// A list of Twilio's API, which comes in pages.
pub(super) struct List<'a> {
    pub(super) path: &'a str,
    pub(super) query: Vec<(&'a str, String)>,
    /// The field of a page that holds its entries.
    pub(super) key: &'a str,
}

impl Client {
    pub(super) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        let mut url = self.url(path);
        if !query.is_empty() {
            let query = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(query)
                .finish();
            url = format!("{url}?{query}");
        }
        self.answer(self.http.get(url)).await
    }

    pub(super) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<Value, Failure> {
        let url = self.url(path);
        self.answer(self.http.post(url).form(form)).await
    }

    /// Deletes the resource at `path`. A successful response has no body.
    pub(super) async fn delete(&self, path: &str) -> Result<(), Failure> {
        let url = self.url(path);
        self.body(self.http.delete(url)).await.map(drop)
    }

    /// Returns all entries of a list, over all pages, each parsed by `read`. An unreadable entry or an incomplete list is an
    /// error, never a shorter list. Stops after a page on which `enough` holds for every entry.
    pub(super) async fn list<T>(
        &self,
        list: List<'_>,
        read: impl Fn(&Value) -> Option<T>,
        enough: impl Fn(&T) -> bool,
    ) -> Result<Vec<T>, Failure> {
        let List {
            path,
            mut query,
            key,
        } = list;
        query.push(("PageSize", PAGE_SIZE.to_owned()));
        let mut found = Vec::new();
        let mut page = self.get(path, &query).await?;
        for _ in 0..MAX_PAGES {
            let entries = page
                .get(key)
                .and_then(Value::as_array)
                .ok_or_else(|| unknown(format!("a page of {key} without {key}")))?;
            let read_here = entries
                .iter()
                .map(|entry| {
                    read(entry).ok_or_else(|| unknown(format!("an unreadable entry of {key}")))
                })
                .collect::<Result<Vec<T>, Failure>>()?;
            let is_enough = !read_here.is_empty() && read_here.iter().all(&enough);
            found.extend(read_here);
            let next = match page.get("next_page_uri") {
                Some(Value::String(next)) if !next.is_empty() => next,
                Some(Value::Null | Value::String(_)) => return Ok(found),
                _ => {
                    return Err(unknown(format!(
                        "a page of {key} that does not say whether it is the last"
                    )));
                }
            };
            if is_enough {
                return Ok(found);
            }
            // The request carries our credentials, so the next page must be of the same account at the same host.
            if !next.starts_with(&self.account_path("/")) {
                return Err(unknown(format!("the next page of {key} is elsewhere")));
            }
            let url = format!("{}{next}", self.settings.api_url);
            page = self.answer(self.http.get(url)).await?;
        }
        Err(unknown(format!("more than {MAX_PAGES} pages of {key}")))
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{}", self.settings.api_url, self.account_path(path))
    }

    fn account_path(&self, path: &str) -> String {
        format!("/2010-04-01/Accounts/{}{path}", self.settings.account_sid)
    }

    fn save_date(&self, response: &Response) {
        let date = response
            .headers()
            .get("date")
            .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        if let Some(date) = date.and_then(|date| Timestamp::try_from(date).ok())
            && let Ok(mut saved) = self.date.lock()
        {
            *saved = Some((date, BootInstant::now()));
        }
    }

    pub(super) async fn answer(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let body = self.body(request).await?;
        serde_json::from_slice(&body).map_err(|_| unknown("an answer without JSON".to_owned()))
    }

    /// Sends the request and returns the body of a successful response.
    async fn body(&self, request: RequestBuilder) -> Result<Vec<u8>, Failure> {
        let settings = &self.settings;
        let request =
            request.basic_auth(&settings.api_key, Some(settings.api_secret.expose_secret()));
        let response = request.send().await.map_err(failure)?;
        let status = response.status();
        self.save_date(&response);
        let retry_after = retry_after(&response);
        let body = read(response).await;
        if status.is_success() {
            return body;
        }
        let body: Value = body
            .ok()
            .and_then(|body| serde_json::from_slice(&body).ok())
            .unwrap_or_default();
        let code = json::number(&body, "code");
        Err(match status {
            StatusCode::TOO_MANY_REQUESTS if code != Some(DAILY_LIMIT) => {
                Failure::RateLimited { retry_after }
            }
            // A proxy that did not get the request to its end cannot know what the server behind it got.
            StatusCode::REQUEST_TIMEOUT if code.is_none() => unknown(status.to_string()),
            _ if status.is_client_error() => Failure::Refused {
                code: code.map_or_else(
                    || format!("http {}", status.as_u16()),
                    |code| code.to_string(),
                ),
                message: without_numbers(json::text(&body, "message").unwrap_or_default()),
            },
            _ => unknown(status.to_string()),
        })
    }
}

/// Formats a time for a list filter: to the second, in UTC.
pub(super) fn filter_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

async fn read(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(unknown(format!(
                "an answer of more than {MAX_ANSWER} bytes"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

pub(super) fn retry_after(response: &Response) -> Option<Duration> {
    remote::retry_after(response.headers().get("retry-after")?.to_str().ok()?)
}

/// Maps an error of the HTTP client: a failed connection is `NotSent`, anything else `Unknown`. Drops the URL, which can
/// contain a phone number.
pub(super) fn failure(error: reqwest::Error) -> Failure {
    let is_unsent = error.is_connect();
    let error = error.without_url();
    let why = format!("{:#}", anyhow::Error::new(error));
    if is_unsent {
        Failure::NotSent { why }
    } else {
        Failure::Unknown { why }
    }
}

pub(super) fn unknown(why: String) -> Failure {
    Failure::Unknown { why }
}

/// Shortens phone numbers in Twilio's error message, which goes to the log, to their last two digits.
fn without_numbers(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let digits = &rest[start..];
        let length = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        let (digits, after) = digits.split_at(length);
        if length >= 7 {
            kept.push_str(rest[..start].strip_suffix('+').unwrap_or(&rest[..start]));
            kept.push('…');
            kept.push_str(&digits[length - 2..]);
        } else {
            kept.push_str(&rest[..start]);
            kept.push_str(digits);
        }
        rest = after;
    }
    kept + rest
}
