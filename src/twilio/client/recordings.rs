use reqwest::{RequestBuilder, StatusCode, header};
use secrecy::ExposeSecret;
use url::Url;

use super::Client;
use super::request::{failure, retry_after, unknown};
use crate::remote::Failure;

/// Longer than this a message cannot be: an hour of Twilio's MP3 has half of it.
const MAX_RECORDING: usize = 32 * 1024 * 1024;

impl Client {
    /// A recording as MP3 (<https://www.twilio.com/docs/voice/api/recording#fetch-a-recording-media-file>).
    ///
    /// The address is made from the SID: the one in a callback is never asked, and so never given credentials. Where
    /// Twilio sends us on, that address is asked once, without them.
    pub async fn recording(&self, sid: &str) -> Result<Vec<u8>, Failure> {
        let is_sid = sid.starts_with("RE") && sid.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_sid {
            return Err(refused("bad_sid", "this is no RecordingSid"));
        }
        let settings = &self.settings;
        let url = self.url(&format!("/Recordings/{sid}.mp3"));
        let request = self
            .http
            .get(&url)
            .basic_auth(&settings.api_key, Some(settings.api_secret.expose_secret()));
        match fetch(request).await? {
            Fetched::Bytes(bytes) => Ok(bytes),
            Fetched::Elsewhere(location) => {
                let elsewhere = Url::parse(&url)
                    .and_then(|url| url.join(&location))
                    .map_err(|_| unknown("Twilio sends us on to no address".to_owned()))?;
                let at_twilio = settings
                    .api_url
                    .parse::<Url>()
                    .is_ok_and(|api| api.origin() == elsewhere.origin());
                if elsewhere.scheme() != "https" && !at_twilio {
                    return Err(refused(
                        "bad_redirect",
                        "Twilio sends us on to an address that is not https",
                    ));
                }
                match fetch(self.http.get(elsewhere)).await? {
                    Fetched::Bytes(bytes) => Ok(bytes),
                    Fetched::Elsewhere(_) => Err(unknown("Twilio sends us on twice".to_owned())),
                }
            }
        }
    }
}

enum Fetched {
    Bytes(Vec<u8>),
    Elsewhere(String),
}

async fn fetch(request: RequestBuilder) -> Result<Fetched, Failure> {
    let mut response = request.send().await.map_err(failure)?;
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
        return Err(refused(&code, "Twilio does not give the recording"));
    }
    if !status.is_success() {
        return Err(unknown(status.to_string()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if bytes.len() + chunk.len() > MAX_RECORDING {
            return Err(refused("too_large", "the recording is too large"));
        }
        bytes.extend_from_slice(&chunk);
    }
    match bytes.is_empty() {
        true => Err(unknown("an empty recording".to_owned())),
        false => Ok(Fetched::Bytes(bytes)),
    }
}

fn refused(code: &str, message: &str) -> Failure {
    Failure::Refused {
        code: code.to_owned(),
        message: message.to_owned(),
    }
}
