//! Downloads recordings and media files from Twilio's API, which redirects to another host.
//!
//! The request to the API carries our credentials; the request to the host that it redirects to does not. A URL from a
//! callback is never fetched, so nobody else can get the credentials. We follow one redirect, over https and to a public
//! address only: a response must not make us send requests into our own network.

use reqwest::{RequestBuilder, Response, StatusCode, header};
use secrecy::ExposeSecret;
use url::Url;

use super::Client;
use super::public_internet::{self, NotPublic};
use super::request::{failure, retry_after, unknown};
use crate::remote::Failure;

/// A downloaded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// The response's `Content-Type`, such as `image/jpeg`; empty if there is none.
    pub content_type: String,
    pub bytes: Vec<u8>,
}

impl Client {
    /// Downloads the file at a path below the account, such as `/Recordings/RE….mp3` or `/Messages/MM…/Media/ME…`. The caller
    /// has checked the SIDs in the path.
    ///
    /// Refused as `too_large`: the file has more than `at_most` bytes; reading stops there. As `bad_redirect`: the API
    /// redirects to an address that we do not request. As `http 404` and the like: the API does not return it. As
    /// `elsewhere http 403` and the like: the other host does not return it, which says nothing about our credentials.
    pub async fn fetch_media(&self, path: &str, at_most: usize) -> Result<Media, Failure> {
        let settings = &self.settings;
        let url = Url::parse(&self.url(path)).map_err(|_| refused("bad_path", "no address"))?;
        let request = self
            .http
            .get(url.clone())
            .basic_auth(&settings.api_key, Some(settings.api_secret.expose_secret()));
        let location = match fetch(request, at_most).await? {
            Fetched::Media(media) => return Ok(media),
            Fetched::Elsewhere(location) => location,
        };
        let elsewhere = url
            .join(&location)
            .map_err(|_| refused("bad_redirect", "Twilio sends us on to no address"))?;
        let request = self.without_credentials(&url, elsewhere)?;
        match fetch(request, at_most).await.map_err(by_the_other_host)? {
            Fetched::Media(media) => Ok(media),
            Fetched::Elsewhere(_) => Err(refused("bad_redirect", "Twilio sends us on twice")),
        }
    }

    pub(super) fn without_credentials(
        &self,
        api: &Url,
        mut url: Url,
    ) -> Result<RequestBuilder, Failure> {
        // A redirect URL with credentials of its own must not send them either.
        let stripped = url.set_username("").and_then(|()| url.set_password(None));
        stripped.map_err(|()| refused("bad_redirect", "Twilio sends us on to no address"))?;
        // A stand-in for Twilio on this machine also stores its files on this machine, over plain http.
        if public_internet::is_this_machine(api) && public_internet::is_this_machine(&url) {
            return Ok(self.http.get(url));
        }
        if url.scheme() != "https" {
            return Err(refused(
                "bad_redirect",
                "Twilio sends us on to an address that is not https",
            ));
        }
        if !public_internet::may_lead_there(&url) {
            return Err(refused("bad_redirect", NOT_PUBLIC));
        }
        Ok(self.elsewhere.get(url))
    }
}

fn by_the_other_host(failure: Failure) -> Failure {
    match failure {
        Failure::Refused { code, message } if code.starts_with("http ") => Failure::Refused {
            code: format!("elsewhere {code}"),
            message,
        },
        other => other,
    }
}

const NOT_PUBLIC: &str = "Twilio sends us on to an address that is not of the public Internet";

pub(super) enum Fetched {
    Media(Media),
    Elsewhere(String),
}

pub(super) async fn fetch(request: RequestBuilder, at_most: usize) -> Result<Fetched, Failure> {
    let response = request.send().await.map_err(not_got)?;
    let status = response.status();
    if status.is_redirection() {
        let location = response.headers().get(header::LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        return match location {
            Some(location) => Ok(Fetched::Elsewhere(location.to_owned())),
            None => Err(unknown(format!("{status} without a place to go"))),
        };
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        let retry_after = retry_after(&response);
        return Err(Failure::RateLimited { retry_after });
    }
    if status.is_client_error() {
        let code = format!("http {}", status.as_u16());
        return Err(refused(&code, "the file is not given"));
    }
    if !status.is_success() {
        return Err(unknown(status.to_string()));
    }
    let content_type = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let bytes = read(response, at_most).await?;
    Ok(Fetched::Media(Media {
        content_type,
        bytes,
    }))
}

async fn read(mut response: Response, at_most: usize) -> Result<Vec<u8>, Failure> {
    let too_large = || refused("too_large", "the file is too large");
    let says = response.content_length().map(usize::try_from);
    if says.is_some_and(|says| says.is_ok_and(|says| says > at_most) || says.is_err()) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if bytes.len() + chunk.len() > at_most {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    if bytes.is_empty() {
        Err(unknown("an empty file".to_owned()))
    } else {
        Ok(bytes)
    }
}

/// Maps a transport error. A name that resolves to a private address is a refusal, since a retry would resolve to it again.
fn not_got(error: reqwest::Error) -> Failure {
    let mut cause = std::error::Error::source(&error);
    while let Some(one) = cause {
        if one.is::<NotPublic>() {
            return refused("bad_redirect", NOT_PUBLIC);
        }
        cause = one.source();
    }
    failure(error)
}

pub(super) fn refused(code: &str, message: &str) -> Failure {
    Failure::Refused {
        code: code.to_owned(),
        message: message.to_owned(),
    }
}
