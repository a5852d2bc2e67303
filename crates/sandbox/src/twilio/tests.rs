//! The stand-in against a small relay of the tests' own, and against clients that behave badly.

mod any_call;
mod calls;
mod messages;
mod webhooks;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::{Settings, TwilioStandIn, signature};
use crate::faults::host::Host;

const BASE: &str = "https://relay.example";
const OURS: &str = "+16195550100";
const CALLER: &str = "+16195550142";
const SOON: Duration = Duration::from_secs(2);

/// A request that reached the relay.
#[derive(Debug, Clone)]
struct Seen {
    path: String,
    query: String,
    params: Vec<(String, String)>,
    signed: bool,
    /// `I-Twilio-Idempotency-Token`; all tries of one request have the same.
    token: String,
}

impl Seen {
    fn param(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

type Script = dyn Fn(&Seen) -> Response + Send + Sync;

#[derive(Clone)]
struct Relay {
    seen: Arc<Mutex<Vec<Seen>>>,
    script: Arc<Script>,
}

impl Relay {
    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn twiml(xml: &str) -> Response {
    (
        [("content-type", "text/xml; charset=utf-8")],
        xml.to_owned(),
    )
        .into_response()
}

async fn relay_answer(
    State(relay): State<Relay>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    assert_eq!(headers["host"], "relay.example");
    let path = uri.path_and_query().unwrap().to_string();
    let form: Vec<(String, String)> = serde_urlencoded::from_bytes(&body).unwrap();
    let given = headers.get("x-twilio-signature");
    let given = given.map_or("", |value| value.to_str().unwrap());
    let token = Settings::default().auth_token;
    let url = format!("{BASE}{path}");
    let signed = given == signature::sign(&token, &url, &form);
    let params = match &method {
        &Method::GET => serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap(),
        _ => form,
    };
    let seen = Seen {
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        params,
        signed,
        token: headers
            .get("i-twilio-idempotency-token")
            .map_or_else(String::new, |token| token.to_str().unwrap().to_owned()),
    };
    relay.seen.lock().unwrap().push(seen.clone());
    // Only what asks for an answer's head is not signed.
    if !signed && method != Method::HEAD {
        return StatusCode::FORBIDDEN.into_response();
    }
    (relay.script)(&seen)
}

/// Starts a stand-in, and a relay that answers as `script` says. Both stop when what is returned is dropped.
async fn start(
    script: impl Fn(&Seen) -> Response + Send + Sync + 'static,
) -> (TwilioStandIn, Relay, Host) {
    let relay = Relay {
        seen: Arc::default(),
        script: Arc::new(script),
    };
    let router = Router::new()
        .fallback(relay_answer)
        .with_state(relay.clone());
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let host = Host::start(listen, router).await.unwrap();
    let stand_in = TwilioStandIn::start(Settings::default()).await.unwrap();
    stand_in.set_relay(BASE, Some(host.addr()));
    (stand_in, relay, host)
}

async fn start_quiet() -> (TwilioStandIn, Relay, Host) {
    start(|_| twiml("<Response/>")).await
}

fn account_url(stand_in: &TwilioStandIn, rest: &str) -> String {
    let sid = Settings::default().account_sid;
    format!("{}/2010-04-01/Accounts/{sid}{rest}", stand_in.url())
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let settings = Settings::default();
    let request = request.basic_auth(settings.api_key, Some(settings.api_secret));
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or_default())
}

async fn post(stand_in: &TwilioStandIn, rest: &str, form: &[(&str, &str)]) -> (u16, Value) {
    let request = reqwest::Client::new().post(account_url(stand_in, rest));
    answer(request.form(form)).await
}

async fn get(stand_in: &TwilioStandIn, rest: &str) -> (u16, Value) {
    answer(reqwest::Client::new().get(account_url(stand_in, rest))).await
}

async fn create(stand_in: &TwilioStandIn, body: &str) -> String {
    let form = [("To", CALLER), ("From", OURS), ("Body", body)];
    let (status, json) = post(stand_in, "/Messages.json", &form).await;
    assert_eq!(status, 201, "{json}");
    json["sid"].as_str().unwrap().to_owned()
}
