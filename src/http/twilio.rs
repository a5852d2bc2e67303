//! The handlers for Twilio's requests.

use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::error::AppError;
use super::signed::{TwilioCallback, TwilioForm};
use crate::app::App;
use crate::bridge::calls::ring::{LegOf, Progress, recovered};
use crate::bridge::calls::voicemail::MessageOf;
use crate::bridge::calls::{ring, screening, voicemail};
use crate::bridge::deliveries::sms_status;
use crate::bridge::deliveries::sms_status::Echo;
use crate::bridge::texts::inbound_sms;
use crate::twilio::form::{
    CallProgress, DialResult, FormError, GatherResult, InboundCall, InboundSms, MessageStatus,
    RecordResult, RecordingStatus, Transcription, is_text,
};
use crate::twilio::twiml;

/// The time limit for saving a text or a status. Twilio gives up after 15 s. If we answer with an error before that, Twilio
/// reports it, and the backfill finds the text.
const BUDGET: Duration = Duration::from_secs(10);

/// A TwiML response, sent as `text/xml`. Twilio would text a `text/plain` body to the caller.
pub(super) struct Twiml(String);

impl IntoResponse for Twiml {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "text/xml")], self.0).into_response()
    }
}

/// Handles every inbound text and every inbound call.
pub(super) async fn dispatch_route(
    State(app): State<App>,
    TwilioForm(params): TwilioForm,
) -> Result<Response, AppError> {
    if is_text(&params) {
        let sms = InboundSms::from_params(&params);
        return match within(inbound_sms::receive(&app, &sms, None)).await? {
            inbound_sms::Received::New | inbound_sms::Received::Known => {
                Ok(Twiml(twiml::Response::empty().to_xml()).into_response())
            }
            inbound_sms::Received::NoSuchLine => Err(AppError::NoSuchLine),
        };
    }
    let call = InboundCall::from_params(&params);
    Ok(Twiml(ring::receive(&app, &call).await).into_response())
}

/// Answers the test request of `qdn-relay check`, which shows that a signed request arrives unchanged.
pub(super) async fn check(TwilioForm(_): TwilioForm) -> Response {
    Twiml(twiml::Response::empty().to_xml()).into_response()
}

/// Handles the status callback of an outbound text.
pub(super) async fn status(
    State(app): State<App>,
    TwilioCallback(echo, params): TwilioCallback<Echo>,
) -> Result<StatusCode, AppError> {
    let status = MessageStatus::from_params(&params)?;
    within(sms_status::receive(&app, &status, echo.as_ref())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Handles the end of a `Dial`: somebody took the call, or the next ring step follows.
pub(super) async fn dial(
    State(app): State<App>,
    TwilioCallback(progress, params): TwilioCallback<Progress>,
) -> Twiml {
    let result = DialResult::from_params(&params);
    Twiml(ring::dial_ended(&app, &result, progress).await)
}

/// Handles a pickup on a screened line: asks the callee to press 1.
pub(super) async fn screen(
    State(app): State<App>,
    TwilioCallback(of, params): TwilioCallback<LegOf>,
) -> Twiml {
    let leg = CallProgress::from_params(&params);
    let of = match of {
        Some(of) => of,
        None => recovered::leg(&app, leg.parent_call_sid.as_ref(), &leg.to).await,
    };
    Twiml(screening::picked_up(&app, &leg, &of).await)
}

/// Handles the key that the callee pressed.
pub(super) async fn key(
    State(app): State<App>,
    TwilioCallback(of, params): TwilioCallback<LegOf>,
) -> Twiml {
    let pressed = GatherResult::from_params(&params);
    let of = match of {
        Some(of) => of,
        None => recovered::leg(&app, pressed.parent_call_sid.as_ref(), &pressed.to).await,
    };
    Twiml(screening::key_pressed(&app, &pressed, &of).await)
}

/// Handles the status callback of a dialed leg.
pub(super) async fn leg(
    State(app): State<App>,
    TwilioCallback(of, params): TwilioCallback<LegOf>,
) -> StatusCode {
    let progress = CallProgress::from_params(&params);
    let of = match of {
        Some(of) => of,
        None => recovered::leg(&app, progress.parent_call_sid.as_ref(), &progress.to).await,
    };
    screening::progressed(&app, &progress, &of).await;
    StatusCode::NO_CONTENT
}

/// Handles the end of a voicemail recording.
pub(super) async fn recorded(
    State(app): State<App>,
    TwilioCallback(of, params): TwilioCallback<MessageOf>,
) -> Twiml {
    let result = RecordResult::from_params(&params);
    Twiml(voicemail::recorded(&app, &result, of.as_ref()).await)
}

/// Handles the recording status callback: the voicemail can be downloaded.
pub(super) async fn recording(
    State(app): State<App>,
    TwilioCallback(of, params): TwilioCallback<MessageOf>,
) -> StatusCode {
    let status = RecordingStatus::from_params(&params);
    voicemail::recording_ready(&app, &status, of.as_ref()).await;
    StatusCode::NO_CONTENT
}

/// Handles the transcription of a voicemail.
pub(super) async fn transcription(
    State(app): State<App>,
    TwilioCallback(of, params): TwilioCallback<MessageOf>,
) -> StatusCode {
    let transcription = Transcription::from_params(&params);
    voicemail::transcribed(&app, &transcription, of.as_ref()).await;
    StatusCode::NO_CONTENT
}

async fn within<T>(work: impl Future<Output = anyhow::Result<T>>) -> Result<T, AppError> {
    match tokio::time::timeout(BUDGET, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(anyhow::anyhow!("the database took longer than {BUDGET:?}").into()),
    }
}

impl From<FormError> for AppError {
    fn from(error: FormError) -> AppError {
        AppError::Malformed(error.to_string())
    }
}
