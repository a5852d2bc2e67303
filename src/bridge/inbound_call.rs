//! A call came in, or one of its rings ended: TwiML says what happens next.
//!
//! The answer never waits for Slack, nor for a database or a source of availability that does not answer in time: each is
//! read within a budget, all at once, and what the call leaves behind is written apart from answering it. Where a call
//! stands is carried by the URLs that Twilio is given, so a request can be answered from itself and what is remembered;
//! each answer is kept, so a request that comes twice gets the same again.

mod dial;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::{Value, json};

use self::dial::Round;
pub(crate) use self::dial::{LegOf, Progress, address};
use super::call_ledger::{CallLedger, Writing};
use super::call_memory::{self, CallMemory, Leg};
use super::call_record::{Change, Fact};
use super::{inbound_sms, voicemail};
use crate::app::App;
use crate::availability::{Availability, State};
use crate::config::{Config, Line};
use crate::phone::{Address, PhoneNumber};
use crate::routing::{self, Considered, Decision, Next, Situation, Verdict};
use crate::store::Store;
use crate::store::audit::NewEntry;
use crate::store::calls::{self, Turn};
use crate::twilio::form::{DialCallStatus, DialResult, InboundCall};
use crate::twilio::twiml::{Response, Verb};

/// How long a call waits for the database to say what it knows.
const BUDGET: Duration = Duration::from_millis(250);

/// The calls of this process: what it remembers of them, and where it writes down what they leave behind.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    pub(crate) memory: CallMemory,
    pub(crate) ledger: CallLedger,
}

impl Calls {
    /// Starts the task that writes. It ends, with nothing left unwritten, once every handle is gone.
    pub(crate) fn start(store: Store, config: Config) -> (Calls, tokio::task::JoinHandle<()>) {
        let (ledger, writer) = CallLedger::start(store, config);
        let memory = CallMemory::default();
        (Calls { memory, ledger }, writer)
    }
}

/// A caller rings.
pub(crate) async fn receive(app: &App, call: &InboundCall) -> String {
    let sid = call.call_sid.as_str();
    let mut writing = None;
    let answer = answer_once(app, sid, "start", async {
        let line = line_of(app, &call.to);
        let (known, situation) = tokio::join!(kept_answer(app, sid, "start"), situation(app, sid));
        if let Some(answer) = known {
            return answer;
        }
        let of_call = OfCall {
            sid,
            line,
            from: &call.from,
        };
        let rang = Rang {
            from: 0,
            round: 1,
            last: None,
        };
        let mut led = lead_on(app, &of_call, &situation, &rang, "a caller rings");
        led.fact.place = inbound_sms::place(call.from_city.as_deref(), call.from_state.as_deref());
        "start".clone_into(&mut led.fact.event);
        keep(app, led, &mut writing)
    })
    .await;
    wait(writing).await;
    answer
}

/// A ring ended.
pub(crate) async fn dial_ended(app: &App, result: &DialResult, progress: &Progress) -> String {
    let sid = result.call_sid.as_str();
    let event = format!("dial:{}", progress.round);
    let mut writing = None;
    let answer = answer_once(app, sid, &event, async {
        let line = line_of(app, &result.to);
        let (known, turns, mut situation) = tokio::join!(
            kept_answer(app, sid, &event),
            legs(app, sid),
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
        let mut led = follow(app, &of_call, &ended, result, progress, &mut situation);
        led.fact.event.clone_from(&event);
        for entry in &mut led.fact.audit {
            entry.detail["rang"] = how_it_rang(result, progress, &turns);
        }
        keep(app, led, &mut writing)
    })
    .await;
    wait(writing).await;
    answer
}

async fn answer_once(
    app: &App,
    sid: &str,
    event: &str,
    decide: impl Future<Output = String>,
) -> String {
    let now = app.clock.now();
    app.calls.memory.answer_once(sid, event, now, decide).await
}

fn keep(app: &App, mut led: Led, writing: &mut Option<Writing>) -> String {
    let answer = led.response.to_xml();
    led.fact.answer.clone_from(&answer);
    *writing = Some(app.calls.ledger.put(led.fact));
    answer
}

async fn wait(writing: Option<Writing>) {
    if let Some(writing) = writing {
        writing.wait().await;
    }
}

/// What the database says this request was answered, if it can say so in time.
async fn kept_answer(app: &App, sid: &str, event: &str) -> Option<String> {
    let read = calls::answer(&app.store, sid, event);
    within(read, "an earlier answer").await.flatten()
}

/// What is known of a call's legs, here and in the database, by CallSid.
async fn legs(app: &App, sid: &str) -> HashMap<String, Leg> {
    let read = calls::read_turns(&app.store, sid);
    let mut legs: HashMap<String, Leg> = within(read, "who picked up")
        .await
        .unwrap_or_default()
        .into_iter()
        .filter(|turn| !turn.leg_sid.is_empty())
        .map(|turn| {
            let status = match turn.outcome() {
                Turn::Busy => "busy",
                Turn::Failed => "failed",
                _ => "",
            };
            let leg = Leg {
                round: turn.round,
                person: turn.person,
                keys: turn.keys,
                status: status.to_owned(),
            };
            (turn.leg_sid, leg)
        })
        .collect();
    legs.extend(app.calls.memory.legs(sid));
    legs
}

async fn within<T>(read: impl Future<Output = anyhow::Result<T>>, what: &str) -> Option<T> {
    match tokio::time::timeout(BUDGET, read).await {
        Ok(Ok(found)) => Some(found),
        Ok(Err(error)) => {
            tracing::warn!(
                what,
                error = format!("{error:#}"),
                "a call goes on without the database"
            );
            None
        }
        Err(_) => {
            tracing::warn!(
                what,
                "a call goes on without the database: it takes too long"
            );
            None
        }
    }
}

/// Everybody's availability now, and who talks with another caller.
pub(crate) async fn situation(app: &App, sid: &str) -> Situation {
    let now = app.clock.now();
    let talking = async {
        let since = now.checked_sub(call_memory::LONGEST_TALK).unwrap_or(now);
        within(calls::talking(&app.store, since), "who is on the phone")
            .await
            .unwrap_or_default()
    };
    let everybody = app.sources.read(&app.config, &app.store, &app.clock);
    let (talking, everybody) = tokio::join!(talking, everybody);
    Situation {
        availability: everybody.availability,
        on_the_phone: app.calls.memory.on_the_phone(talking, sid, now),
        ..Situation::default()
    }
}

/// A call to a number that no line has still has to reach somebody: it takes the first line's way.
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

/// Which call is led on.
pub(crate) struct OfCall<'a> {
    pub(crate) sid: &'a str,
    pub(crate) line: &'a Line,
    pub(crate) from: &'a Address,
}

impl OfCall<'_> {
    pub(crate) fn entry(&self, app: &App, decision: &'static str, reason: &str) -> NewEntry {
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

    pub(crate) fn fact(&self, app: &App) -> Fact {
        Fact {
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

/// A decision about a call: what it is answered and what it leaves behind.
struct Led {
    response: Response,
    fact: Fact,
}

/// How a ring ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// Somebody talked with the caller.
    Answered { person: String },
    /// The caller is gone.
    CallerGone,
    /// Somebody or something picked up and did not take the call; some may have declined before.
    Swallowed {
        by: Option<String>,
        declined: Vec<String>,
    },
    /// Nobody picked up; some may have declined.
    Unanswered { declined: Vec<String> },
}

impl Ended {
    /// A mailbox that picks up is reported as completed too. What counts is that the parties were connected, or on a
    /// screened line that our own question was answered on that leg.
    fn of(
        result: &DialResult,
        progress: &Progress,
        line: &Line,
        legs: &HashMap<String, Leg>,
    ) -> Ended {
        let rung = progress.now();
        let of_round = |leg: &&Leg| leg.round == progress.round;
        let leg = result.dial_call_sid.as_ref();
        let leg = leg.and_then(|sid| legs.get(sid.as_str()));
        // Whose telephone it was is also clear where only one rang.
        let person = leg
            .map(|leg| leg.person.clone())
            .or_else(|| match rung[..] {
                [only] => Some(only.to_owned()),
                _ => None,
            });
        let pressed = match (leg, &result.dial_call_sid) {
            (Some(leg), _) => Some(leg).filter(|leg| leg.took_it()),
            (None, Some(_)) => None,
            (None, None) => legs.values().filter(of_round).find(|leg| leg.took_it()),
        };
        let picked_up = matches!(
            result.dial_call_status,
            DialCallStatus::Completed | DialCallStatus::Answered
        );
        // Whoever takes the call can be gone before the two are put together: a caller who is still there goes on.
        let put_through = result.dial_bridged != Some(false) || result.call_status == "completed";
        let connected = match line.screen {
            true => result.dial_bridged == Some(true) || (pressed.is_some() && put_through),
            false => result.dial_bridged.unwrap_or(picked_up),
        };
        if connected {
            let person = pressed.map(|leg| leg.person.clone()).or(person);
            return Ended::Answered {
                person: person.unwrap_or_default(),
            };
        }
        if is_over(&result.call_status) {
            return Ended::CallerGone;
        }
        let refuses = |status: &str| matches!(status, "busy" | "failed");
        let mut declined: Vec<String> = legs
            .values()
            .filter(of_round)
            .filter(|leg| refuses(&leg.status))
            .map(|leg| leg.person.clone())
            .collect();
        if let ([only], true) = (&rung[..], refuses(result.dial_call_status.as_str())) {
            declined.push((*only).to_owned());
        }
        declined.sort();
        declined.dedup();
        match picked_up {
            true => Ended::Swallowed {
                by: person,
                declined,
            },
            false => Ended::Unanswered { declined },
        }
    }
}

/// Whether the caller's side has ended: any `CallStatus` that is final.
fn is_over(call_status: &str) -> bool {
    matches!(
        call_status,
        "completed" | "busy" | "failed" | "no-answer" | "canceled"
    )
}

/// What follows from the end of a ring.
fn follow(
    app: &App,
    of_call: &OfCall<'_>,
    ended: &Ended,
    result: &DialResult,
    progress: &Progress,
    situation: &mut Situation,
) -> Led {
    let round = progress.round;
    let step = progress.step + 1;
    let mut fact = of_call.fact(app);
    let phones = |names: &[&str]| -> HashSet<PhoneNumber> {
        let people = names.iter().filter_map(|name| app.config.person(name));
        people.map(|person| person.phone.clone()).collect()
    };
    situation.tried = phones(&progress.out());
    situation.rung = phones(&progress.rung());
    app.calls.memory.nobody_talks(of_call.sid);
    let (others, from, reason) = match ended {
        Ended::Answered { person } => {
            app.calls.memory.is_over(of_call.sid, app.clock.now());
            let seconds = i64::from(result.dial_call_duration.unwrap_or_default());
            fact.changes.push(Change::Turn {
                round,
                person: person.clone(),
                leg: String::new(),
                keys: String::new(),
                outcome: Turn::Took,
            });
            if person.is_empty() {
                fact.changes.pop();
            }
            let others = Turn::CutOff;
            fact.changes.push(Change::RoundEnded { round, others });
            fact.changes.push(Change::Answered {
                person: person.clone(),
                seconds,
            });
            let mut entry = of_call.entry(app, "call_answered", "somebody took the call");
            entry.detail =
                json!({ "step": step, "round": round, "person": person, "seconds": seconds });
            fact.audit.push(entry);
            let response = Response::new([Verb::Hangup]);
            return Led { response, fact };
        }
        Ended::CallerGone => {
            app.calls.memory.is_over(of_call.sid, app.clock.now());
            let others = Turn::CutOff;
            fact.changes.push(Change::RoundEnded { round, others });
            fact.changes.push(Change::HungUp);
            let mut entry = of_call.entry(
                app,
                "caller_hung_up",
                "the caller hung up before anybody answered",
            );
            entry.detail = json!({ "step": step, "round": round, "rang": progress.now() });
            fact.audit.push(entry);
            let response = Response::empty();
            return Led { response, fact };
        }
        Ended::Swallowed {
            by: Some(person),
            declined,
        } => {
            let names = declined.iter().chain([person]).map(String::as_str);
            situation.tried.extend(phones(&names.collect::<Vec<_>>()));
            // The others were cut off by it: they have not had their turn.
            let from = progress.again();
            let reason =
                format!("step {step}: {person}'s phone was picked up, but nobody took the call");
            (Turn::CutOff, from, reason)
        }
        Ended::Swallowed { by: None, declined } => {
            let names: Vec<&str> = declined.iter().map(String::as_str).collect();
            situation.tried.extend(phones(&names));
            situation.rung.extend(phones(&progress.now()));
            let reason = format!("step {step}: a phone was picked up, but nobody took the call");
            (Turn::CutOff, progress.then, reason)
        }
        Ended::Unanswered { declined } => {
            let names: Vec<&str> = declined.iter().map(String::as_str).collect();
            situation.tried.extend(phones(&names));
            situation.rung.extend(phones(&progress.now()));
            let status = result.dial_call_status.as_str();
            let reason = format!("step {step} ended with {status}");
            (Turn::NoAnswer, progress.then, reason)
        }
    };
    let who_is = |person: &String, outcome| Change::Turn {
        round,
        person: person.clone(),
        leg: String::new(),
        keys: String::new(),
        outcome,
    };
    if let Ended::Swallowed {
        by: Some(person), ..
    } = ended
    {
        fact.changes.push(who_is(person, Turn::NotTaken));
    }
    match ended {
        Ended::Swallowed { declined, .. } | Ended::Unanswered { declined } => {
            let outcome = match &result.dial_call_status {
                DialCallStatus::Failed => Turn::Failed,
                _ => Turn::Busy,
            };
            fact.changes
                .extend(declined.iter().map(|person| who_is(person, outcome)));
        }
        _ => {}
    }
    fact.changes.push(Change::RoundEnded { round, others });
    fact.changes.push(Change::NobodyTalks);
    let rang = Rang {
        from,
        round: round + 1,
        last: Some(progress.step),
    };
    let mut led = lead_on(app, of_call, situation, &rang, &reason);
    fact.changes.append(&mut led.fact.changes);
    fact.audit.append(&mut led.fact.audit);
    Led {
        response: led.response,
        fact,
    }
}

/// How far the ringing has got.
struct Rang {
    /// The step to go on with, from 0.
    from: usize,
    /// The round that is next, from 1.
    round: i64,
    /// The step that rang last.
    last: Option<usize>,
}

/// Rings whoever is next, or lets the caller leave a message.
fn lead_on(
    app: &App,
    of_call: &OfCall<'_>,
    situation: &Situation,
    rang: &Rang,
    reason: &str,
) -> Led {
    let line = of_call.line;
    let round = rang.round;
    let decision = routing::decide(line, &app.config.people, situation, rang.from);
    let mut fact = of_call.fact(app);
    fact.changes.push(Change::Round {
        round,
        turns: turns(&decision),
    });
    let (word, response) = match &decision.next {
        Next::Ring {
            step,
            then,
            people,
            seconds,
        } => {
            let ring = Round {
                round,
                step: *step,
                then: *then,
                people,
                seconds: match rang.last == Some(*step) {
                    true => dial::seconds_again(*seconds),
                    false => *seconds,
                },
                situation,
            };
            ("ring", dial::twiml(app, of_call, &ring))
        }
        Next::Nobody => {
            fact.changes.push(Change::Missed);
            ("nobody_left", voicemail::ask(app, of_call))
        }
    };
    let mut entry = of_call.entry(app, word, reason);
    entry.detail = detail(&decision, round);
    fact.audit.push(entry);
    Led { response, fact }
}

/// How every telephone of a round fared, for the audit.
fn how_it_rang(result: &DialResult, progress: &Progress, legs: &HashMap<String, Leg>) -> Value {
    let of_person = |name: &str| {
        let leg = legs
            .iter()
            .find(|(_, leg)| leg.round == progress.round && leg.person == name);
        match leg {
            Some((sid, leg)) => {
                json!({ "person": name, "leg": sid, "status": leg.status, "keys": leg.keys })
            }
            None => json!({ "person": name }),
        }
    };
    json!({
        "round": progress.round,
        "dial_call_status": result.dial_call_status.as_str(),
        "dial_bridged": result.dial_bridged,
        "people": progress.now().into_iter().map(of_person).collect::<Vec<_>>(),
    })
}

/// Everybody who was thought of, for the thread.
fn turns(decision: &Decision) -> Vec<(String, Turn)> {
    let turn = |one: &Considered| {
        Some(match one.verdict {
            verdict if verdict.rings() => Turn::Rings,
            Verdict::OnThePhone => Turn::OnThePhone,
            Verdict::Skipped if one.availability.state == State::Dnd => Turn::Dnd,
            Verdict::Skipped => Turn::Away,
            _ => return None,
        })
    };
    let mut turns: Vec<(String, Turn)> = Vec::new();
    for one in &decision.considered {
        let Some(outcome) = turn(one) else { continue };
        // Somebody who is in two steps rings in one of them.
        match turns.iter_mut().find(|(name, _)| *name == one.name) {
            Some(known) if outcome == Turn::Rings => known.1 = outcome,
            Some(_) => {}
            None => turns.push((one.name.clone(), outcome)),
        }
    }
    turns
}

/// A decision as the audit keeps it.
fn detail(decision: &Decision, round: i64) -> Value {
    let people: Vec<Value> = decision
        .considered
        .iter()
        .map(
            |Considered {
                 step,
                 name,
                 availability,
                 verdict,
             }| {
                let Availability { state, source, age } = availability;
                json!({
                    "step": step + 1, "person": name, "availability": state, "source": source,
                    "age_seconds": age.map(|age| age.as_secs()), "verdict": verdict.as_str(),
                })
            },
        )
        .collect();
    match &decision.next {
        Next::Ring {
            step,
            people: rung,
            seconds,
            ..
        } => {
            let rung: Vec<&str> = rung.iter().map(|(name, _)| name.as_str()).collect();
            json!({
                "round": round, "people": people,
                "result": { "step": step + 1, "rung": rung, "seconds": seconds },
            })
        }
        Next::Nobody => {
            json!({ "round": round, "people": people, "result": "nobody left to ring" })
        }
    }
}

#[cfg(test)]
mod tests;
