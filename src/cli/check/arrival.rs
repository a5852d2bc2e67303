//! Checks that the vendors' requests arrive: sends a signed request to each path at `public_url`.
//!
//! This detects a `public_url` that leads elsewhere, a proxy that changes the path, and a secret that differs from the
//! running service's. Nothing else would show these before the first text is late.

use anyhow::Context;
use reqwest::{Client, Response, StatusCode};
use secrecy::ExposeSecret;
use serde_json::json;

use super::Finding;
use crate::clock::Clock;
use crate::config::{Config, Secrets};
use crate::{slack, twilio};

/// The challenge for Slack's URL verification, which the service returns.
const CHALLENGE: &str = "qdn-relay-check";

/// The largest response that is read, in bytes.
const LONG: usize = 4 * 1024;

pub(super) async fn findings(config: &Config, secrets: &Secrets) -> anyhow::Result<Vec<Finding>> {
    let http = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(config.delivery.request_timeout)
        .build()
        .context("the HTTP client for public_url")?;
    let asking = Asking {
        http,
        config,
        secrets,
    };
    let event = json!({"type": "url_verification", "challenge": CHALLENGE}).to_string();
    let json = "application/json";
    let form = "application/x-www-form-urlencoded";
    let no_interaction = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("payload", r#"{"type":"check"}"#)
        .finish();
    let (events, commands, interactions, twilio) = tokio::join!(
        asking.as_slack("Slack's events", "/api/slack/events", json, event),
        asking.as_slack(
            "Slack's command",
            "/api/slack/commands",
            form,
            "ssl_check=1".to_owned()
        ),
        asking.as_slack(
            "Slack's buttons",
            "/api/slack/interactions",
            form,
            no_interaction
        ),
        asking.as_twilio("Twilio's webhooks", "/api/twilio/check"),
    );
    Ok(vec![twilio, events, commands, interactions])
}

struct Asking<'a> {
    http: Client,
    config: &'a Config,
    secrets: &'a Secrets,
}

impl Asking<'_> {
    /// Sends a request signed like Slack's that has no effect.
    async fn as_slack(&self, name: &str, path: &str, content_type: &str, body: String) -> Finding {
        let timestamp = Clock::System.now().as_second().to_string();
        let secret = self.secrets.signing_secret.expose_secret();
        let signature = slack::signature::sign(secret, &timestamp, body.as_bytes());
        let request = self
            .http
            .post(self.url(path))
            .header("content-type", content_type)
            .header("x-slack-request-timestamp", timestamp)
            .header("x-slack-signature", signature);
        let is_challenge = path.ends_with("events");
        match request.body(body).send().await {
            Ok(response) if response.status() == StatusCode::OK => {
                if is_challenge && text(response).await.as_deref() != Some(CHALLENGE) {
                    return self.another(name, path, "another program answers");
                }
                reached(name, path)
            }
            answer => self.not_reached(name, path, answer, "SLACK_SIGNING_SECRET"),
        }
    }

    /// Sends a request signed like Twilio's to the path that exists for this check.
    async fn as_twilio(&self, name: &str, path: &str) -> Finding {
        let params = vec![("AccountSid".to_owned(), self.secrets.account_sid.clone())];
        let token = self.secrets.auth_token.expose_secret();
        let signature = twilio::signature::sign(token, &self.url(path), &params);
        let request = self
            .http
            .post(self.url(path))
            .header("x-twilio-signature", signature)
            .form(&params);
        match request.send().await {
            Ok(response) if response.status() == StatusCode::OK => reached(name, path),
            answer => self.not_reached(name, path, answer, "TWILIO_AUTH_TOKEN"),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.config.public_url)
    }

    fn not_reached(
        &self,
        name: &str,
        path: &str,
        answer: reqwest::Result<Response>,
        secret: &str,
    ) -> Finding {
        match answer {
            Ok(response) if response.status() == StatusCode::FORBIDDEN => Finding::fail(
                name,
                "the service at public_url refuses the signature",
                "everything that comes is refused",
                format!(
                    "give the running service the same {secret} and public_url as this check, and let the proxy pass path and query as they come"
                ),
            ),
            Ok(response) => self.another(
                name,
                path,
                &format!("public_url answers {}", response.status()),
            ),
            Err(error) => {
                let why = format!("{:#}", anyhow::Error::new(error.without_url()));
                self.another(name, path, &format!("public_url does not answer ({why})"))
            }
        }
    }

    fn another(&self, name: &str, path: &str, what: &str) -> Finding {
        Finding::fail(
            name,
            what,
            "what the vendors send does not reach us",
            format!(
                "start `qdn-relay serve`, and let {} lead to {} in the proxy",
                self.url(path),
                self.config.listen
            ),
        )
    }
}

fn reached(name: &str, path: &str) -> Finding {
    Finding::ok(
        name,
        format!("{path} is reached through public_url, and the signature holds"),
    )
}

async fn text(mut response: Response) -> Option<String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        body.extend_from_slice(&chunk);
        if body.len() > LONG {
            return None;
        }
    }
    String::from_utf8(body).ok()
}
