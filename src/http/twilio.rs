//! What Twilio calls.

use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::error::AppError;
use super::signed::{TwilioCallback, TwilioForm};
use crate::app::App;
use crate::bridge::calls::inbound_call::{LegOf, Progress, recovered};
use crate::bridge::calls::voicemail::MessageOf;
use crate::bridge::calls::{call_screening, inbound_call, voicemail};
use crate::bridge::deliveries::delivery_status;
use crate::bridge::deliveries::delivery_status::Echo;
use crate::bridge::texts::inbound_sms;
use crate::twilio::form::{
    CallProgress, DialResult, FormError, GatherResult, InboundCall, InboundSms, MessageStatus,
    RecordResult, RecordingStatus, Transcription, is_text,
};
use crate::twilio::twiml;

/// How long a text may take to be kept. Twilio gives up after 15 s; what we refuse in time it reports and backfill finds.
const BUDGET: Duration = Duration::from_secs(10);

/// TwiML is answered as `text/xml`: as plain text Twilio would send it to the caller.
pub(super) struct Twiml(String);

impl IntoResponse for Twiml {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "text/xml")], self.0).into_response()
    }
}

/// Every inbound SMS and every inbound call.
pub(super) async fn dispatch_route(
    State(app): State<App>,
    TwilioForm(params): TwilioForm,
) -> Result<Response, AppError> {
    if is_text(&params) {
        let sms = InboundSms::from_params(&params);
        if crate::faultpoints::mistake("acknowledge_before_commit") {
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(300)).await;
                // The mistake: whoever was answered never hears that this failed.
                let _ = inbound_sms::receive(&app, &sms, None).await;
            });
            return Ok(Twiml(twiml::Response::empty().to_xml()).into_response());
        }
        return match within(inbound_sms::receive(&app, &sms, None)).await? {
            inbound_sms::Received::New | inbound_sms::Received::Known => {
                Ok(Twiml(twiml::Response::empty().to_xml()).into_response())
            }
            inbound_sms::Received::NoSuchLine => Err(AppError::NoSuchLine),
        };
    }
    let call = InboundCall::from_params(&params);
    Ok(Twiml(inbound_call::receive(&app, &call).await).into_response())
}

/// Whether what Twilio signs arrives as it was signed: `qdn-relay check` asks.
pub(super) async fn check(TwilioForm(_): TwilioForm) -> Response {
    Twiml(twiml::Response::empty().to_xml()).into_response()
}

/// What became of an SMS of ours.
pub(super) async fn status(
    State(app): State<App>,
    TwilioCallback(echo, params): TwilioCallback<Echo>,
) -> Result<StatusCode, AppError> {
    let status = MessageStatus::from_params(&params)?;
    within(delivery_status::receive(&app, &status, echo.as_ref())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A ring ended.
pub(super) async fn dial(
    State(app): State<App>,
    TwilioCallback(progress, params): TwilioCallback<Progress>,
) -> Twiml {
    let result = DialResult::from_params(&params);
    Twiml(inbound_call::dial_ended(&app, &result, progress).await)
}

/// A telephone was picked up on a screened line.
pub(super) async fn screen(
    State(app): State<App>,
    TwilioCallback(of, params): TwilioCallback<LegOf>,
) -> Twiml {
    let leg = CallProgress::from_params(&params);
    let of = match of {
        Some(of) => of,
        None => recovered::leg(&app, leg.parent_call_sid.as_ref(), &leg.to).await,
    };
    Twiml(call_screening::picked_up(&app, &leg, &of).await)
}

/// Whoever picked up has pressed a key.
pub(super) async fn key(
    State(app): State<App>,
    TwilioCallback(of, params): TwilioCallback<LegOf>,
) -> Twiml {
    let pressed = GatherResult::from_params(&params);
    let of = match of {
        Some(of) => of,
        None => recovered::leg(&app, pressed.parent_call_sid.as_ref(), &pressed.to).await,
    };
    Twiml(call_screening::key_pressed(&app, &pressed, &of).await)
}

/// How a telephone that rings fares.
pub(super) async fn leg(
    State(app): State<App>,
    TwilioCallback(of, params): TwilioCallback<LegOf>,
) -> StatusCode {
    let progress = CallProgress::from_params(&params);
    let of = match of {
        Some(of) => of,
        None => recovered::leg(&app, progress.parent_call_sid.as_ref(), &progress.to).await,
    };
    call_screening::progressed(&app, &progress, &of).await;
    StatusCode::NO_CONTENT
}

/// A caller has left a message.
pub(super) async fn recorded(
    State(app): State<App>,
    TwilioCallback(of, params): TwilioCallback<MessageOf>,
) -> Twiml {
    let result = RecordResult::from_params(&params);
    Twiml(voicemail::recorded(&app, &result, of.as_ref()).await)
}

/// The message can be fetched.
pub(super) async fn recording(
    State(app): State<App>,
    TwilioCallback(of, params): TwilioCallback<MessageOf>,
) -> StatusCode {
    let status = RecordingStatus::from_params(&params);
    voicemail::recording_ready(&app, &status, of.as_ref()).await;
    StatusCode::NO_CONTENT
}

/// What the message says.
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
