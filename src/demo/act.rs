//! Requests of the page. Each acts through a person of a stand-in.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Demo;
use qdn_sandbox::slack::Answer;

/// The answer to a request of the page. Its effect appears in the state.
pub(super) type Done = Result<Json<Value>, StatusCode>;

#[derive(Deserialize)]
pub(super) struct Text {
    from: String,
    body: String,
    picture: Option<Picture>,
}

#[derive(Deserialize)]
struct Picture {
    name: String,
    content_type: String,
    base64: String,
}

impl Picture {
    fn bytes(&self) -> Result<Vec<u8>, StatusCode> {
        BASE64
            .decode(&self.base64)
            .map_err(|_| StatusCode::BAD_REQUEST)
    }
}

pub(super) async fn text(State(demo): State<Demo>, Json(text): Json<Text>) -> Done {
    let caller = demo
        .callers
        .with_number(&text.from)
        .ok_or(StatusCode::NOT_FOUND)?;
    let mut sms = demo
        .twilio
        .inbound(&caller.number, &demo.number, &text.body)
        .place(&caller.city, &caller.state, "US");
    if let Some(picture) = text.picture {
        sms = sms.media(&picture.content_type, picture.bytes()?);
    }
    let receipt = sms.send().await;
    Ok(Json(json!({"status": receipt.status})))
}

/// Adds a caller to the page.
pub(super) async fn caller(State(demo): State<Demo>) -> Done {
    let caller = demo.callers.add().ok_or(StatusCode::CONFLICT)?;
    demo.trouble.touch();
    Ok(Json(json!({"number": caller.number})))
}

#[derive(Deserialize)]
pub(super) struct Say {
    user: String,
    text: String,
    thread_ts: Option<String>,
    broadcast: bool,
    picture: Option<Picture>,
}

pub(super) async fn say(State(demo): State<Demo>, Json(say): Json<Say>) -> Done {
    if let (Some(_), Some(command)) = (&say.thread_ts, command_in(&say.text)) {
        let refused = format!("{command} is not supported in threads. Sorry!");
        return Ok(Json(json!({"refused": refused})));
    }
    let text = mentioning(&demo, demo.slack.typed(&say.text));
    let mut message = demo.slack.say(&say.user, &demo.channel, &text);
    if let Some(root) = &say.thread_ts {
        message = message.in_thread(root);
        if say.broadcast {
            message = message.broadcast();
        }
    }
    if let Some(picture) = &say.picture {
        message = message.with_file(&picture.name, &picture.content_type, &picture.bytes()?);
    }
    Ok(Json(json!({"ts": message.send().await})))
}

/// Returns the slash command at the start of the text. Slack's client refuses slash commands in threads.
fn command_in(text: &str) -> Option<&str> {
    let word = text.split_whitespace().next()?;
    word.starts_with('/').then_some(word)
}

/// Turns `@Name` into a mention, as Slack's message box does.
fn mentioning(demo: &Demo, text: String) -> String {
    demo.slack.read(|world| {
        let dispatchers = world
            .users()
            .filter(|user| demo.dispatchers.contains(&user.id));
        dispatchers.fold(text, |text, user| {
            text.replace(
                &format!("@{}", user.display_name),
                &format!("<@{}>", user.id),
            )
        })
    })
}

#[derive(Deserialize)]
pub(super) struct Command {
    user: String,
    text: String,
}

pub(super) async fn command(State(demo): State<Demo>, Json(command): Json<Command>) -> Done {
    let (word, rest) = command
        .text
        .split_once(char::is_whitespace)
        .unwrap_or((&command.text, ""));
    let answer = demo
        .slack
        .command(&command.user, &demo.channel, word, rest.trim())
        .await;
    Ok(told(answer))
}

#[derive(Deserialize)]
pub(super) struct Press {
    user: String,
    ts: String,
    block_id: Option<String>,
    action_id: String,
    /// The value of the chosen option, if the element is a menu.
    value: Option<String>,
}

pub(super) async fn press(State(demo): State<Demo>, Json(press): Json<Press>) -> Done {
    let (slack, user, channel) = (&demo.slack, &press.user, &demo.channel);
    let (block_id, action_id) = (press.block_id.as_deref(), &press.action_id);
    let answer = match &press.value {
        None => {
            slack
                .press_in(user, channel, &press.ts, block_id, action_id)
                .await
        }
        Some(value) => {
            slack
                .choose_in(user, channel, &press.ts, block_id, action_id, value)
                .await
        }
    };
    Ok(told(answer))
}

#[derive(Deserialize)]
pub(super) struct PressView {
    user: String,
    view_id: String,
    block_id: Option<String>,
    action_id: String,
    value: Option<String>,
}

pub(super) async fn press_view(State(demo): State<Demo>, Json(press): Json<PressView>) -> Done {
    let (slack, user, view) = (&demo.slack, &press.user, &press.view_id);
    let (block_id, action_id) = (press.block_id.as_deref(), &press.action_id);
    let answer = match &press.value {
        None => slack.press_in_view(user, view, block_id, action_id).await,
        Some(value) => {
            slack
                .choose_in_view(user, view, block_id, action_id, value)
                .await
        }
    };
    Ok(told(answer))
}

#[derive(Deserialize)]
pub(super) struct Submit {
    user: String,
    values: Vec<(String, String)>,
}

pub(super) async fn submit(State(demo): State<Demo>, Json(submit): Json<Submit>) -> Done {
    let values: Vec<(&str, &str)> = submit
        .values
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    Ok(told(demo.slack.submit_view(&submit.user, &values).await))
}

#[derive(Deserialize)]
pub(super) struct Person {
    user: String,
}

pub(super) async fn dismiss(State(demo): State<Demo>, Json(person): Json<Person>) -> Done {
    demo.slack.close_view(&person.user).await;
    Ok(Json(json!({})))
}

pub(super) async fn home(State(demo): State<Demo>, Json(person): Json<Person>) -> Done {
    demo.slack.open_home(&person.user).await;
    Ok(Json(json!({})))
}

fn told(answer: Answer) -> Json<Value> {
    Json(json!({"status": answer.status, "text": answer.text, "json": answer.json}))
}
