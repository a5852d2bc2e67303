//! Tests of the stand-in, with plain HTTP on both sides.

mod api;
mod api_limits;
mod events;
mod interactions;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::*;

pub(super) const CHANNEL: &str = "C0DISPATCH";
pub(super) const ANNA: &str = "U0ANNA";
pub(super) const SOON: Duration = Duration::from_secs(5);

/// A workspace with one channel, the app and one dispatcher in it.
pub(super) async fn workspace() -> SlackStandIn {
    let slack = SlackStandIn::start(Settings::default()).await.unwrap();
    slack.add_user(ANNA, "Anna");
    slack.add_channel(CHANNEL, "qdn-dispatch", false);
    slack.invite_bot(CHANNEL);
    slack.join(CHANNEL, ANNA);
    slack
}

/// Calls a method with a JSON body and the right token.
pub(super) async fn call(slack: &SlackStandIn, method: &str, arguments: Value) -> Value {
    let request = http().post(slack.url() + method).json(&arguments);
    answer(request).await
}

/// Calls a method by GET.
pub(super) async fn query(slack: &SlackStandIn, method: &str, arguments: &[(&str, &str)]) -> Value {
    let query = form::write(arguments);
    let request = http().get(format!("{}{method}?{query}", slack.url()));
    answer(request).await
}

async fn answer(request: reqwest::RequestBuilder) -> Value {
    let request = request.bearer_auth("xoxb-not-a-real-token");
    request.send().await.unwrap().json().await.unwrap()
}

pub(super) fn http() -> reqwest::Client {
    reqwest::Client::new()
}

/// An app that keeps the requests it gets and answers as the test says.
#[derive(Clone, Default)]
pub(super) struct Recorder(Arc<Mutex<Recorded>>);

#[derive(Default)]
struct Recorded {
    requests: Vec<(String, HeaderMap, String)>,
    answers: Vec<Response>,
}

impl Recorder {
    pub(super) async fn start(slack: &SlackStandIn) -> Self {
        let recorder = Self::default();
        let router = Router::new().fallback(record).with_state(recorder.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        slack.set_relay("https://desk.example", Some(listener.local_addr().unwrap()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        recorder
    }

    /// Sets the answers to the next requests, in order. All others get an empty 200.
    pub(super) fn will_answer(&self, answers: impl IntoIterator<Item = Response>) {
        let mut recorded = self.0.lock().unwrap();
        recorded.answers = answers.into_iter().collect();
        recorded.answers.reverse();
    }

    pub(super) fn requests(&self) -> Vec<(String, HeaderMap, String)> {
        self.0.lock().unwrap().requests.clone()
    }

    pub(super) fn events(&self) -> Vec<Value> {
        let requests = self.requests().into_iter();
        requests
            .filter(|(path, ..)| path == "/api/slack/events")
            .map(|(.., body)| serde_json::from_str(&body).unwrap())
            .collect()
    }

    pub(super) fn interactions(&self) -> Vec<Value> {
        let requests = self.requests().into_iter();
        requests
            .filter(|(path, ..)| path == "/api/slack/interactions")
            .map(|(.., body)| serde_json::from_str(&form::parse(body.as_bytes())[0].1).unwrap())
            .collect()
    }
}

async fn record(
    State(recorder): State<Recorder>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    let mut recorded = recorder.0.lock().unwrap();
    recorded
        .requests
        .push((uri.path().to_owned(), headers, body));
    recorded
        .answers
        .pop()
        .unwrap_or_else(|| StatusCode::OK.into_response())
}
