//! A call came in, or one of its rings ended: TwiML says what happens next.
//!
//! The answer never waits for Slack, nor for a database or a source of availability that does not answer in time: each is
//! read within a budget, all at once, and the call event is written after the answer. The progress
//! of a call is in the callback URLs that Twilio is given. Answers are cached by CallSid and event, so a request that comes
//! twice gets the same answer.
//!
//! `ring_end` classifies how a ring ended, `known` loads what the call needs, `next` decides, `dial` renders TwiML and
//! `explained` writes the audit detail. The event goes to
//! the [write queue](crate::calls::write_queue).

mod dial;
mod explained;
mod known;
mod next;
pub(crate) mod recovered;
mod ring_end;

use serde_json::Value;
use uuid::Uuid;

pub(crate) use self::dial::{LegOf, Progress, address};
pub(crate) use self::known::situation;
use self::next::{CallStep, RingEnd, RingPosition};
use self::ring_end::Ended;
use crate::app::App;
use crate::calls::event::CallEvent;
use crate::calls::write_queue::Writing;
use crate::config::Line;
use crate::phone::Address;
use crate::store::audit::NewEntry;
use crate::store::storable;
use crate::twilio::CallSid;
use crate::twilio::form::{self, DialResult, InboundCall};
use crate::vocabulary::Decision;

/// A caller rings.
pub(crate) async fn receive(app: &App, call: &InboundCall) -> String {
    let sid = sid_of(call.call_sid.as_ref(), "");
    let sid = sid.as_str();
    let mut writing = None;
    let answer = answer_once(app, sid, "start", async {
        let line = line_of(app, &call.to);
        let (known, situation) =
            tokio::join!(known::kept_answer(app, sid, "start"), situation(app, sid));
        if let Some(answer) = known {
            return answer;
        }
        let of_call = OfCall {
            sid,
            line,
            from: &call.from,
        };
        let rang = RingPosition {
            from: 0,
            round: 1,
            last: None,
        };
        let mut step = next::lead_on(app, &of_call, &situation, &rang, "a caller rings");
        step.event.place = storable(&form::place(
            call.from_city.as_deref(),
            call.from_state.as_deref(),
        ));
        "start".clone_into(&mut step.event.event);
        finish(app, step, &mut writing)
    })
    .await;
    wait(writing).await;
    answer
}

/// A ring ended. `carried` is the progress in the callback URL, if it could be read.
pub(crate) async fn dial_ended(
    app: &App,
    result: &DialResult,
    carried: Option<Progress>,
) -> String {
    let told = carried.as_ref();
    let sid = sid_of(
        result.call_sid.as_ref(),
        told.map_or("", |told| told.call.as_str()),
    );
    let sid = sid.as_str();
    let line = app
        .config
        .line_of(result.to.as_str())
        .or_else(|| app.config.line_of(&told?.line))
        .unwrap_or_else(|| line_of(app, &result.to));
    let progress = match carried {
        Some(progress) => progress,
        None => recovered::progress(app, sid, line).await,
    };
    let progress = &progress;
    let event = format!("dial:{}", progress.round);
    let mut writing = None;
    let answer = answer_once(app, sid, &event, async {
        let (known, turns, mut situation) = tokio::join!(
            known::kept_answer(app, sid, &event),
            known::legs(app, sid),
            situation(app, sid)
        );
        if let Some(answer) = known {
            return answer;
        }
        let of_call = OfCall {
            sid,
            line,
            from: &result.from,
        };
        let ended = Ended::of(result, progress, line, &turns);
        let end = RingEnd {
            ended: &ended,
            result,
            progress,
        };
        let mut step = next::after_ring(app, &of_call, &end, &mut situation);
        step.event.event.clone_from(&event);
        for entry in &mut step.event.audit {
            entry.detail["rang"] = explained::how_it_rang(result, progress, &turns);
        }
        finish(app, step, &mut writing)
    })
    .await;
    wait(writing).await;
    answer
}

/// The CallSid: from the request, else from the URL. If neither has one, the call goes on under a made-up SID.
pub(crate) fn sid_of(told: Option<&CallSid>, carried: &str) -> String {
    match (told, carried) {
        (Some(sid), _) => sid.to_string(),
        (None, "") => {
            tracing::error!("a call's request does not say which call it is: it is led on alone");
            format!("CA{}", Uuid::new_v4().simple())
        }
        (None, carried) => carried.to_owned(),
    }
}

async fn answer_once(
    app: &App,
    sid: &str,
    event: &str,
    decide: impl Future<Output = String>,
) -> String {
    let now = app.clock.now();
    app.calls.cache.answer_once(sid, event, now, decide).await
}

fn finish(app: &App, mut step: CallStep, writing: &mut Option<Writing>) -> String {
    let answer = step.response.to_xml();
    step.event.answer.clone_from(&answer);
    *writing = Some(app.calls.write_queue.put(step.event));
    answer
}

async fn wait(writing: Option<Writing>) {
    if let Some(writing) = writing {
        writing.wait().await;
    }
}

/// The line of the called number. A call to a number of no line has to reach somebody too: it is routed as the first line's.
pub(crate) fn line_of<'a>(app: &'a App, to: &Address) -> &'a Line {
    app.config.line_of(to.as_str()).unwrap_or_else(|| {
        tracing::error!(
            number = to.redacted(),
            "a call came for a number that is no line: add it under [[lines]]"
        );
        // The configuration has at least one, or it was refused.
        &app.config.lines[0]
    })
}

/// The call that is routed.
pub(crate) struct OfCall<'a> {
    pub(crate) sid: &'a str,
    pub(crate) line: &'a Line,
    pub(crate) from: &'a Address,
}

impl OfCall<'_> {
    pub(crate) fn entry(&self, app: &App, decision: Decision, reason: &str) -> NewEntry {
        NewEntry {
            line: self.line.name.clone(),
            number: self.from.as_str().to_owned(),
            subject: self.sid.to_owned(),
            decision,
            reason: reason.to_owned(),
            detail: Value::Null,
            at: Some(app.clock.now()),
        }
    }

    pub(crate) fn event(&self, app: &App) -> CallEvent {
        CallEvent {
            call: self.sid.to_owned(),
            event: String::new(),
            answer: String::new(),
            line: Some(self.line.number.as_str().to_owned()),
            from: Some(self.from.clone()),
            place: String::new(),
            at: app.clock.now(),
            changes: Vec::new(),
            audit: Vec::new(),
        }
    }
}
