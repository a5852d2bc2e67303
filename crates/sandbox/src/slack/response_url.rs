//! Response URLs: how an app answers a command or a press later, without its token.

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::arguments::Arguments;
use super::message::{Ephemeral, Message};
use super::methods::{self, Refusal};
use super::server::{OnConnection, Shared, header_text, refused};
use super::world::World;
use crate::faults;

/// How often a response URL can be used.
const RESPONSE_URL_USES: u32 = 5;
/// How long a response URL can be used.
const RESPONSE_URL_SECONDS: i64 = 30 * 60;

pub(super) async fn answer(
    State(inner): Shared,
    ConnectInfo(connection): OnConnection,
    Path((_, id, _)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = inner.faults.next("response_url");
    let perform = async {
        let answer = inner.change(|world| {
            let content_type = header_text(&headers, header::CONTENT_TYPE);
            if headers.contains_key(header::AUTHORIZATION) {
                world.violation("response_url: the token was sent to it");
            }
            let arguments = Arguments::read("", content_type, &body).map_err(Refusal::from)?;
            let outcome = answer_by_url(world, &id, &arguments);
            if let Err(refusal) = &outcome {
                world.violation(format!("response_url: {}", refusal.error));
            }
            outcome
        });
        match answer {
            Ok(()) => "ok".into_response(),
            Err(refusal) => {
                let mut response = refused(refusal);
                *response.status_mut() = StatusCode::NOT_FOUND;
                response
            }
        }
    };
    faults::perform(fault, &connection, perform, |error| {
        refused(Refusal::state(error))
    })
    .await
}

fn answer_by_url(world: &mut World, id: &str, arguments: &Arguments) -> Result<(), Refusal> {
    let now = world.now().as_second();
    let url = world
        .response_urls
        .get_mut(id)
        .ok_or_else(|| Refusal::malformed("invalid_url"))?;
    if now - url.issued.as_second() > RESPONSE_URL_SECONDS {
        return Err(Refusal::malformed("expired_url"));
    }
    if url.uses >= RESPONSE_URL_USES {
        return Err(Refusal::malformed("used_url"));
    }
    url.uses += 1;
    let url = url.clone();
    for name in arguments.names() {
        let known = [
            "text",
            "blocks",
            "response_type",
            "replace_original",
            "delete_original",
            "thread_ts",
            "mrkdwn",
            "unfurl_links",
            "unfurl_media",
        ];
        if !known.contains(&name) {
            let violation = format!("response_url: unknown field `{name}`");
            world.violation(violation);
        }
    }
    if arguments.flag("delete_original")? {
        world.remove_original(&url.channel, url.message_ts.as_deref());
        return Ok(());
    }
    let (text, blocks) = methods::content(world, arguments)?;
    let replace = arguments.flag("replace_original")?;
    if replace && world.replace_original(&url.channel, url.message_ts.as_deref(), &text, &blocks) {
        return Ok(());
    }
    let answer = AppAnswer {
        in_channel: arguments.text("response_type") == Some("in_channel"),
        thread_ts: arguments.text("thread_ts").map(str::to_owned),
        text,
        blocks,
    };
    world.answer_person(&url.channel, &url.user, answer);
    Ok(())
}

/// The app's answer to a command or a press, shown in the channel or to the person alone.
pub(super) struct AppAnswer {
    pub(super) in_channel: bool,
    pub(super) thread_ts: Option<String>,
    pub(super) text: String,
    pub(super) blocks: Option<Value>,
}

impl World {
    /// Shows the app's answer to the person, or to the channel.
    pub(super) fn answer_person(&mut self, channel: &str, user: &str, answer: AppAnswer) {
        let AppAnswer {
            in_channel,
            thread_ts,
            text,
            blocks,
        } = answer;
        if in_channel {
            let message = Message {
                thread_ts,
                text,
                blocks,
                ..self.app_message()
            };
            self.add_message(channel, message);
            return;
        }
        let ts = self.next_ts();
        self.ephemerals.push(Ephemeral {
            ts,
            channel: channel.to_owned(),
            user: user.to_owned(),
            thread_ts,
            text,
            blocks,
        });
    }

    /// Replaces the message that has the pressed button; `false` if it is gone.
    fn replace_original(
        &mut self,
        channel: &str,
        ts: Option<&str>,
        text: &str,
        blocks: &Option<Value>,
    ) -> bool {
        let Some(ts) = ts else { return false };
        if let Some(ephemeral) = self.ephemerals.iter_mut().find(|e| e.ts == ts) {
            ephemeral.text = text.to_owned();
            ephemeral.blocks = blocks.clone();
            return true;
        }
        let Some(old) = self.message(channel, ts).cloned() else {
            return false;
        };
        let new = Message {
            text: text.to_owned(),
            blocks: blocks.clone(),
            ..old
        };
        let editor = self.settings.bot_user_id.clone();
        self.change_message(channel, new, &editor);
        true
    }

    fn remove_original(&mut self, channel: &str, ts: Option<&str>) {
        let Some(ts) = ts else { return };
        let before = self.ephemerals.len();
        self.ephemerals.retain(|ephemeral| ephemeral.ts != ts);
        if self.ephemerals.len() == before {
            self.remove_message(channel, ts);
        }
    }
}
