//! The Web API methods we use, over slack-morphism's session.
//!
//! Every answer is read into our own lenient types: slack-morphism's models refuse a whole answer for one odd field, which after a
//! write means not knowing a `ts` that Slack has just told us. Nothing here retries or paces; whoever calls knows the channel, the
//! order and what is at stake.

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
pub use post::{Post, Posted};
pub use read::{ChannelInfo, ThreadMessage, UserInfo};

/// What a [`Client`] needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the methods are, such as `https://slack.com/api/`; with or without the last slash.
    pub api_url: String,
    /// The bot's token, `xoxb-…`.
    pub bot_token: SecretString,
    /// The longest one request may take, from connecting to the last byte of the answer.
    pub request_timeout: Duration,
}

/// Slack's Web API as one bot of one workspace; cheap to clone.
#[derive(Clone)]
pub struct Client {
    slack: Arc<SlackClient<Wire>>,
    token: Arc<SlackApiToken>,
    api_url: Url,
}

/// Who the token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The workspace.
    pub team_id: TeamId,
    /// The bot's user: the author of its posts.
    pub user_id: UserId,
    /// What its posts carry as `bot_id`.
    pub bot_id: Option<String>,
    /// The workspace's address, such as `https://queenofsandiego.slack.com/`.
    pub url: String,
    /// The workspace's name.
    pub team: String,
    /// The bot user's name.
    pub user: String,
    /// What the token may do, from the `X-OAuth-Scopes` header; `None` when Slack did not say.
    pub scopes: Option<Vec<String>>,
}

impl Client {
    /// Prepares a client; nothing is sent yet.
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

    /// `auth.test`: who we are here, and what we may do.
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

    /// `views.open`: a dialog for whoever did what `trigger_id` stands for, within 3 seconds of it.
    pub async fn open_view(&self, trigger_id: &str, view: &Value) -> Result<(), Failure> {
        let arguments = json!({"trigger_id": trigger_id, "view": view});
        self.write("views.open", arguments).await.map(drop)
    }

    /// `views.publish`: what this user sees in the app's home.
    pub async fn publish_view(&self, user: &UserId, view: &Value) -> Result<(), Failure> {
        let arguments = json!({"user_id": user, "view": view});
        self.write("views.publish", arguments).await.map(drop)
    }

    /// Answers a command or a button through its `response_url`, which takes no token and gets none.
    pub async fn respond(&self, response_url: &str, message: &Value) -> Result<(), Failure> {
        let refused = |why: &str| Failure::Refused {
            code: "bad_response_url".to_owned(),
            message: why.to_owned(),
        };
        let url: Url = response_url
            .parse()
            .map_err(|_| refused("it is not a URL"))?;
        // The address comes from a signed request, and still people's words go to nobody but Slack.
        if !self.takes_answers_at(&url) {
            return Err(refused("it is not at Slack's own address"));
        }
        let wire = &self.slack.http_api.connector;
        wire.respond(url, message).await.map_err(failure::from)
    }

    /// Whether this is where Slack takes answers: `hooks.slack.com`, `hooks.slack-gov.com` beside an API there, or the API's own
    /// address.
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

    /// Calls a method that takes JSON: the ones that change something.
    async fn write(&self, method: &str, arguments: Value) -> Result<Value, Failure> {
        let session = self.slack.open_session(&self.token);
        let api = &session.http_session_api;
        api.http_post(method, &arguments, None)
            .await
            .map_err(failure::from)
    }

    /// Calls a method that takes a query: the ones that only look.
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

/// An answer that says yes and then lacks what it is for: whatever was asked may have been done.
fn unreadable(what: &str) -> Failure {
    Failure::Unknown {
        why: format!("unreadable answer: {what}"),
    }
}

fn channel_of(answer: &Value, method: &str) -> Result<ChannelId, Failure> {
    lenient::channel(answer, "channel")
        .ok_or_else(|| unreadable(&format!("{method} without channel")))
}
