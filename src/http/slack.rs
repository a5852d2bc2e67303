//! The handlers for Slack's requests.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::error::AppError;
use super::nul;
use super::signed::SlackBody;
use crate::app::App;
use crate::bridge::replies::{slack_reply, text_first};
use crate::bridge::slack::once::{Came, once};
use crate::bridge::slack::{button, command, home};
use crate::bridge::wording;
use crate::slack::TeamId;
use crate::slack::event::{Envelope, Event, EventCallback, Interaction, SlashCommand};
use crate::twilio::form;

/// The time limit for handling a request. Slack waits 3 s, and retries an event that we answer with an error.
const BUDGET: Duration = Duration::from_millis(2_500);

/// Handles the Events API: messages in the lines' channels and openings of the app's Home tab.
pub(super) async fn events(
    State(app): State<App>,
    SlackBody(body): SlackBody,
) -> Result<Response, AppError> {
    match Envelope::parse(&body).map_err(malformed)? {
        Envelope::UrlVerification { challenge } => Ok(challenge.into_response()),
        Envelope::EventCallback(callback) => {
            let kept = tokio::time::timeout(BUDGET, event(&app, &callback, &body))
                .await
                .map_err(|_| anyhow::anyhow!("the database took longer than {BUDGET:?}").into())
                .and_then(|kept| kept);
            // Slack retries the event, possibly after a reply that was written later.
            if let (Err(_), Event::Message(message)) = (&kept, &callback.event)
                && let Some(root) = &message.thread_ts
            {
                app.thread_sync
                    .event_refused(message.channel.as_str(), root.as_str());
            }
            kept.map(|()| StatusCode::OK.into_response())
        }
        Envelope::AppRateLimited => {
            tracing::error!("Slack holds events back: there were more than 30,000 in an hour");
            app.thread_sync.all_events_refused(app.store.now());
            Ok(StatusCode::OK.into_response())
        }
        Envelope::Other(_) => Ok(StatusCode::OK.into_response()),
    }
}

async fn event(app: &App, callback: &EventCallback, body: &[u8]) -> Result<(), AppError> {
    if !matches!(
        callback.event,
        Event::Message(_) | Event::AppHomeOpened { .. }
    ) {
        return Ok(());
    }
    // Slack Connect also delivers events of other workspaces.
    let team = ours(app).await?;
    if callback.team_id.as_ref() != Some(&team) {
        tracing::warn!("an event of another workspace was ignored");
        return Ok(());
    }
    let message = match &callback.event {
        Event::Message(message) => message,
        Event::AppHomeOpened { user, tab } if tab == "home" => {
            return Ok(home::receive(app, user).await?);
        }
        _ => return Ok(()),
    };
    let received = slack_reply::receive(
        app,
        &team,
        callback.api_app_id.as_deref(),
        message,
        &String::from_utf8_lossy(body),
    )
    .await?;
    if let slack_reply::Received::Ignored(why) = received {
        tracing::debug!(why, "a message in Slack was left alone");
    }
    Ok(())
}

/// Returns our workspace. If it is not known yet, asks Slack. If Slack does not answer, returns `NotYet`, so that Slack
/// retries: without the workspace we cannot tell whether the request is for us.
async fn ours(app: &App) -> Result<TeamId, AppError> {
    if app.directory.team().is_none()
        && let Err(error) = app.directory.learn_team(&app.store).await
    {
        tracing::warn!(
            error = format!("{error:#}"),
            "asking Slack for the workspace failed"
        );
    }
    app.directory.team().ok_or(AppError::NotYet(
        "Slack has not said yet which workspace is ours",
    ))
}

/// Handles the slash command. The response is a message that only its writer sees.
pub(super) async fn commands(
    State(app): State<App>,
    SlackBody(body): SlackBody,
) -> Result<Json<Value>, AppError> {
    let command =
        SlashCommand::from_params(&nul::form_of_json(form::parse(&body))).map_err(malformed)?;
    if command.ssl_check {
        return Ok(Json(Value::Object(serde_json::Map::new())));
    }
    let until = Instant::now() + BUDGET;
    match timeout_at(until, ours(&app)).await {
        Ok(Ok(ours)) if ours == command.team_id => {}
        Ok(Ok(_)) => {
            tracing::warn!("a command of another workspace was refused");
            return Err(AppError::Forbidden);
        }
        Ok(Err(_)) | Err(_) => return Ok(Json(wording::ephemeral(&wording::not_saved()))),
    }
    let answer = if command::only_tells(&command) {
        timeout_at(until, command::receive(&app, &command))
            .await
            .unwrap_or_else(|_| wording::not_told())
    } else {
        change(&app, command, &body, until).await
    };
    Ok(Json(wording::ephemeral(&answer)))
}

/// Runs a command that may change something, once even if Slack retries it. Returns the text of the response.
async fn change(app: &App, command: SlashCommand, body: &[u8], until: Instant) -> String {
    let (of, name) = (app.clone(), command.command.clone());
    let work = async move { anyhow::Ok(command::receive(&of, &command).await) };
    match once(app, body, until, work).await {
        Ok(Came::To(answer)) => answer,
        Ok(Came::NotKnownYet) => wording::not_known_yet(&name),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "a slash command failed");
            wording::not_saved()
        }
    }
}

/// Handles buttons, shortcuts and modals.
pub(super) async fn interactions(
    State(app): State<App>,
    SlackBody(body): SlackBody,
) -> Result<Response, AppError> {
    let interaction =
        Interaction::from_params(&nul::form_of_json(form::parse(&body))).map_err(malformed)?;
    let team = match &interaction {
        Interaction::BlockActions(pressed) => &pressed.team,
        Interaction::Shortcut(chosen) => &chosen.team,
        Interaction::ViewSubmission(sent) => &sent.team,
        _ => return Ok(StatusCode::OK.into_response()),
    };
    let ours = ours(&app).await?;
    let is_foreign = match &interaction {
        Interaction::BlockActions(pressed) => {
            pressed.user_team.as_ref().is_some_and(|of| *of != ours)
        }
        _ => false,
    };
    if team.as_ref() != Some(&ours) || is_foreign {
        tracing::warn!("a button, shortcut or form of another workspace was refused");
        return Err(AppError::Forbidden);
    }
    // On an error Slack shows the user a warning. Then either nothing was changed, or the work goes on and its result is not
    // known yet; a second press or submission finds it done.
    let until = Instant::now() + BUDGET;
    let of = app.clone();
    let work = async move { interact(&of, &interaction).await };
    let shown = match once(&app, &body, until, work).await? {
        Came::To(shown) => shown,
        Came::NotKnownYet => {
            let late = anyhow::anyhow!("it took longer than {BUDGET:?} and goes on");
            return Err(AppError::Unavailable(late));
        }
    };
    Ok(if shown.is_empty() {
        StatusCode::OK.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], shown).into_response()
    })
}

/// Runs an interaction. Returns the JSON that Slack shows in a modal; empty if it shows nothing.
async fn interact(app: &App, interaction: &Interaction) -> Result<String, AppError> {
    let mut shown = None;
    match interaction {
        Interaction::BlockActions(pressed) => button::receive(app, pressed).await?,
        Interaction::Shortcut(chosen) if chosen.callback_id == text_first::FORM => {
            text_first::open(app, chosen).await?;
        }
        Interaction::ViewSubmission(sent) if sent.callback_id == text_first::FORM => {
            shown = text_first::submit(app, sent).await?;
        }
        _ => {}
    }
    Ok(shown.map_or_else(String::new, |answer| answer.to_string()))
}

fn malformed(error: anyhow::Error) -> AppError {
    AppError::Malformed(format!("{error:#}"))
}
