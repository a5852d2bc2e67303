//! Media of a message, and the second host that they may be redirected to.
//! <https://www.twilio.com/docs/messaging/api/media-resource>

use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::{Answer, Asked, Endpoint, Refusal, date, pages};
use crate::faults::host::Connection;
use crate::faults::{self, Fault};
use crate::twilio::core::Core;
use crate::twilio::state::MediaRecord;

/// The host that serves the bytes. It asks for no credentials.
pub(in crate::twilio) fn router(core: Arc<Core>) -> Router {
    Router::new()
        .route("/{sid}", get(bytes_on_second_host))
        .with_state(core)
}

async fn bytes_on_second_host(
    State(core): State<Arc<Core>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Path(sid): Path<String>,
    headers: HeaderMap,
) -> Response {
    let fault = core.faults.next("Media.bytes");
    let perform = async { core.bytes_of(&sid, &headers) };
    let refuse = |error: &str| Refusal::scripted(error).into_response();
    faults::perform(fault, &connection, perform, refuse).await
}

impl Core {
    fn bytes_of(&self, sid: &str, headers: &HeaderMap) -> Response {
        if headers.contains_key(header::AUTHORIZATION) {
            self.violation("credentials were sent to the host that media are redirected to");
            // As the real one does: two kinds of credentials at once.
            return StatusCode::BAD_REQUEST.into_response();
        }
        let state = self.lock();
        match state.media.iter().find(|media| media.sid == sid) {
            Some(media) => bytes(media),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

pub(super) fn sent_on(location: &str) -> Response {
    let location = [(header::LOCATION, location.to_owned())];
    (StatusCode::TEMPORARY_REDIRECT, location).into_response()
}

fn bytes(media: &MediaRecord) -> Response {
    let content_type = media.content_type.clone();
    ([(header::CONTENT_TYPE, content_type)], media.bytes.clone()).into_response()
}

impl Core {
    pub(super) fn list_media(&self, message_sid: &str, asked: &Asked) -> Answer {
        self.check_parameters("Media.list", &asked.query, &pages::PARAMETERS, &[]);
        let state = self.lock();
        let message = state.message(message_sid);
        let message = message.ok_or_else(|| Refusal::not_found(&asked.path))?;
        let entries = state
            .media
            .iter()
            .filter(|media| media.message_sid == message_sid)
            .map(|media| {
                let uri = format!("/Messages/{message_sid}/Media/{}.json", media.sid);
                let json = json!({
                    "sid": media.sid,
                    "account_sid": self.settings.account_sid,
                    "parent_sid": message_sid,
                    "content_type": media.content_type,
                    "date_created": date(message.created),
                    "date_updated": date(message.created),
                    "uri": self.account_path(&uri),
                });
                (media.sid.clone(), json)
            })
            .collect();
        pages::answer("media_list", entries, asked, state.page_size_limit)
    }

    /// The next fault of requests for this file alone: "Media.fetch 1" is the first file of any text.
    pub(super) fn fault_of_file(&self, endpoint: &Endpoint) -> Option<Fault> {
        let Endpoint::FetchMedia(message, sid) = endpoint else {
            return None;
        };
        let place = {
            let state = self.lock();
            let mut media = state.media.iter();
            let of_text = media.by_ref().filter(|media| media.message_sid == *message);
            let place = of_text.map(|media| &media.sid).position(|it| it == sid)?;
            place + 1
        };
        self.faults.next(&format!("Media.fetch {place}"))
    }

    pub(super) fn fetch_media(&self, message_sid: &str, sid: &str, asked: &Asked) -> Answer {
        let (sid, described) = match sid.strip_suffix(".json") {
            Some(sid) => (sid, true),
            None => (sid, false),
        };
        let state = self.lock();
        let media = state
            .media
            .iter()
            .find(|media| media.sid == sid && media.message_sid == message_sid)
            .ok_or_else(|| Refusal::not_found(&asked.path))?;
        if described {
            let json = json!({
                "sid": media.sid,
                "account_sid": self.settings.account_sid,
                "parent_sid": media.message_sid,
                "content_type": media.content_type,
                "uri": asked.path,
            });
            return Ok(Json(json).into_response());
        }
        if let Some(elsewhere) = &state.files_elsewhere {
            return Ok(sent_on(elsewhere));
        }
        // With or without credentials, the bytes are on another host.
        Ok(sent_on(&format!("{}/{sid}", self.media_url())))
    }

    pub(super) fn delete_media(&self, message_sid: &str, sid: &str, asked: &Asked) -> Answer {
        let mut state = self.lock();
        let before = state.media.len();
        state
            .media
            .retain(|media| media.sid != sid || media.message_sid != message_sid);
        if state.media.len() == before {
            return Err(Refusal::not_found(&asked.path));
        }
        drop(state);
        self.touch();
        Ok(StatusCode::NO_CONTENT.into_response())
    }
}
