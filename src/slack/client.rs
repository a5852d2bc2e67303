//! The Web API methods that we use, over slack-morphism's session.
//!
//! Responses are parsed into our own lenient types. slack-morphism's models reject a whole response for one odd field, which
//! after a write would lose the `ts` that Slack has just returned. Nothing here retries or throttles; the outbox does.

mod failure;
mod files;
mod metadata;
mod post;
mod read;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use slack_morphism::{SlackApiToken, SlackClient};
use url::Url;

use super::{ChannelId, TeamId, UserId, lenient};
use crate::remote::Failure;
use wire::Wire;

pub use files::Download;
pub use metadata::Metadata;
pub use post::{Ephemeral, Post, Posted};
pub use read::{ChannelInfo, ThreadMessage, UserInfo};

/// The address of the API, the token and the timeout of a [`Client`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// The base URL of the methods, such as `https://slack.com/api/`, with or without the last slash.
    pub api_url: String,
    /// The bot's token, `xoxb-…`.
    pub bot_token: SecretString,
    /// The timeout of one request, from connecting to the last byte of the response.
    pub request_timeout: Duration,
}

/// A client of Slack's Web API for one bot in one workspace. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    slack: Arc<SlackClient<Wire>>,
    token: Arc<SlackApiToken>,
    api_url: Url,
}

/// The bot and the workspace that the token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The workspace.
    pub team_id: TeamId,
    /// The bot's user, the author of its messages.
    pub user_id: UserId,
    /// The `bot_id` of its messages.
    pub bot_id: Option<String>,
    /// The workspace's address, such as `https://queenofsandiego.slack.com/`.
    pub url: String,
    /// The workspace's name.
    pub team: String,
    /// The bot user's name.
    pub user: String,
    /// The token's scopes, from the `X-OAuth-Scopes` header; `None` if Slack did not send it.
    pub scopes: Option<Vec<String>>,
}

impl Client {
    /// Builds a client without sending anything. An API URL that is not http or https is an error.
    pub fn new(settings: Settings) -> anyhow::Result<Self> {
        let mut api_url: Url = settings
            .api_url
            .parse()
            .with_context(|| format!("{:?} is not a URL", settings.api_url))?;
        anyhow::ensure!(
            matches!(api_url.scheme(), "http" | "https"),
            "{api_url} is neither http nor https"
        );
        if !api_url.path().ends_with('/') {
            api_url.set_path(&format!("{}/", api_url.path()));
        }
        let wire = Wire::new(api_url.clone(), settings.request_timeout)?;
        let token = settings.bot_token.expose_secret().into();
        Ok(Self {
            slack: Arc::new(SlackClient::new(wire)),
            token: Arc::new(SlackApiToken::new(token)),
            api_url,
        })
    }

    /// `auth.test`: returns the token's bot, workspace and scopes.
    pub async fn auth_test(&self) -> Result<Identity, Failure> {
        let answer = self.write("auth.test", json!({})).await?;
        let text = |key: &str| lenient::text(&answer, key).unwrap_or_default();
        Ok(Identity {
            team_id: lenient::team(&answer, "team_id")
                .ok_or_else(|| unreadable("auth.test without team_id"))?,
            user_id: lenient::user(&answer, "user_id")
                .ok_or_else(|| unreadable("auth.test without user_id"))?,
            bot_id: lenient::word(&answer, "bot_id"),
            url: text("url"),
            team: text("team"),
            user: text("user"),
            scopes: self.slack.http_api.connector.scopes(),
        })
    }

    /// `views.open`: opens a modal for the user of the interaction that `trigger_id` belongs to, within 3 seconds of it.
    pub async fn open_view(&self, trigger_id: &str, view: &Value) -> Result<(), Failure> {
        let arguments = json!({"trigger_id": trigger_id, "view": view});
        self.write("views.open", arguments).await.map(drop)
    }

    /// `views.publish`: sets the Home tab that this user sees.
    pub async fn publish_view(&self, user: &UserId, view: &Value) -> Result<(), Failure> {
        let arguments = json!({"user_id": user, "view": view});
        self.write("views.publish", arguments).await.map(drop)
    }

    /// Responds to a command or a button through its `response_url`, without a token. A URL that is not Slack's is refused as
    /// `bad_response_url`.
    pub async fn respond(&self, response_url: &str, message: &Value) -> Result<(), Failure> {
        let refused = |why: &str| Failure::Refused {
            code: "bad_response_url".to_owned(),
            message: why.to_owned(),
        };
        let url: Url = response_url
            .parse()
            .map_err(|_| refused("it is not a URL"))?;
        // The URL comes from a signed request. Check it anyway, so that people's words go to nobody but Slack.
        if !self.takes_answers_at(&url) {
            return Err(refused("it is not at Slack's own address"));
        }
        let wire = &self.slack.http_api.connector;
        wire.respond(url, message).await.map_err(failure::from)
    }

    /// Whether Slack takes responses at this URL: at `hooks.slack.com`, at `hooks.slack-gov.com` for an API on that domain, or
    /// at the API's own origin.
    fn takes_answers_at(&self, url: &Url) -> bool {
        let is_hook = |host: &str| {
            let of_api = self
                .api_url
                .host_str()
                .and_then(|api| host.strip_suffix(api));
            host == "hooks.slack.com" || of_api == Some("hooks.")
        };
        let is_https = url.scheme() == "https" && url.port().is_none();
        (is_https && url.host_str().is_some_and(is_hook)) || url.origin() == self.api_url.origin()
    }

    /// Calls a method that changes something, with JSON arguments.
    async fn write(&self, method: &str, arguments: Value) -> Result<Value, Failure> {
        let session = self.slack.open_session(&self.token);
        let api = &session.http_session_api;
        api.http_post(method, &arguments, None)
            .await
            .map_err(failure::from)
    }

    /// Calls a method that only reads, with query arguments.
    async fn read(
        &self,
        method: &str,
        arguments: &[(&str, Option<&str>)],
    ) -> Result<Value, Failure> {
        let session = self.slack.open_session(&self.token);
        let api = &session.http_session_api;
        api.http_get(method, &arguments.to_vec(), None)
            .await
            .map_err(failure::from)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("api_url", &self.api_url.as_str())
            .finish_non_exhaustive()
    }
}

/// The failure for a successful response without a required field: the request may have been acted on.
fn unreadable(what: &str) -> Failure {
    Failure::Unknown {
        why: format!("unreadable answer: {what}"),
    }
}

fn channel_of(answer: &Value, method: &str) -> Result<ChannelId, Failure> {
    lenient::channel(answer, "channel")
        .ok_or_else(|| unreadable(&format!("{method} without channel")))
}
