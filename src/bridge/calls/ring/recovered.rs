//! Recovers what a callback URL should have carried if it cannot be read: a gateway changed it, or another version of the
//! service wrote it. The call continues from its last answer.

use super::dial::{LegOf, Progress};
use super::known;
use crate::app::App;
use crate::callback;
use crate::config::Line;
use crate::phone::Address;
use crate::twilio::CallSid;

/// What stands before the value in the TwiML of a ring.
const ACTION: &str = "/api/twilio/dial/";

/// The progress from the last answer that rang anybody, or the unknown progress.
pub(super) async fn progress(app: &App, sid: &str, line: &Line) -> Progress {
    tracing::error!(
        call = sid,
        "a call goes on from what it was last answered: where it stands cannot be read from its address"
    );
    let (kept, legs) = tokio::join!(known::answers(app, sid), known::legs(app, sid));
    let mut answers = app.calls.cache.answers(sid);
    answers.extend(kept);
    let last = answers.iter().filter_map(|answer| of_answer(answer));
    last.max_by_key(|progress| progress.round)
        .unwrap_or_else(|| {
            let round = legs.values().map(|leg| leg.round).max();
            Progress::unknown(round.unwrap_or(1), line)
        })
}

fn of_answer(twiml: &str) -> Option<Progress> {
    let (_, rest) = twiml.split_once(ACTION)?;
    callback::read(rest.split('"').next()?).ok()
}

/// Whose telephone it is, by its number and by what the call's own records say.
pub(crate) async fn leg(app: &App, parent: Option<&CallSid>, to: &Address) -> LegOf {
    let call = parent.map_or("", CallSid::as_str);
    let people = &app.config.people;
    let person = people
        .iter()
        .find(|person| person.phone.as_str() == to.as_str())
        .map_or("", |person| person.name.as_str());
    let (line, round) = tokio::join!(line(app, call), known::last_round_of(app, call, person));
    LegOf {
        call: call.to_owned(),
        line,
        round: round.unwrap_or(1),
        person: person.to_owned(),
    }
}

/// Our number that was called, or empty.
pub(crate) async fn line(app: &App, call: &str) -> String {
    known::call(app, call)
        .await
        .map_or_else(String::new, |call| call.line)
}
