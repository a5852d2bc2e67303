//! `/qdn why`: why a call went where it went, in plain words, from the audit trail.

use serde::Deserialize;
use serde_json::Value;

use crate::app::App;
use crate::availability::{Availability, Source};
use crate::bridge::desk::membership;
use crate::bridge::desk::thread_header;
use crate::bridge::wording;
use crate::config::Line;
use crate::phone::Address;
use crate::routing::{Considered, Verdict};
use crate::slack::event::SlashCommand;
use crate::store::audit::{Entry, Filter};
use crate::store::calls::{self, Call};
use crate::vocabulary::AvailabilityState;
use crate::vocabulary::Decision;

pub(super) async fn answer(app: &App, command: &SlashCommand, words: Vec<&str>) -> String {
    let digits: String = words
        .concat()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    if digits.is_empty() && !words.is_empty() {
        return wording::reasons::of_what(&command.command);
    }
    let lines = lines_here(app, command);
    // A caller's number is nobody's business outside the channel.
    let lines = match membership::own_lines(app, &lines, &command.user_id).await {
        Ok(lines) => lines,
        Err(refusal) => return refusal,
    };
    match explain(app, &lines, &digits).await {
        Ok(Some(words)) => words,
        Ok(None) => wording::reasons::no_such_call(&digits),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "a call cannot be explained");
            wording::reasons::cannot_look_up()
        }
    }
}

/// The lines of the channel in which it was asked, or all.
pub(crate) fn lines_here<'a>(app: &'a App, command: &SlashCommand) -> Vec<&'a Line> {
    let is_here = |line: &&Line| {
        let channel = app.directory.known_channel_id(&line.channel);
        channel.is_some_and(|channel| channel == command.channel_id)
    };
    let here: Vec<&Line> = app.config.lines.iter().filter(is_here).collect();
    if here.is_empty() {
        app.config.lines.iter().collect()
    } else {
        here
    }
}

async fn explain(app: &App, lines: &[&Line], digits: &str) -> anyhow::Result<Option<String>> {
    let numbers: Vec<&str> = lines.iter().map(|line| line.number.as_str()).collect();
    let Some(call) = calls::last(&app.store, &numbers, digits).await? else {
        return Ok(None);
    };
    let filter = Filter {
        subject: Some(call.sid.clone()),
        ..Filter::default()
    };
    let entries = app.store.audit_page(&filter, 0).await?;
    let caller = Address::new(&call.caller);
    let name = thread_header::name(&app.store, &app.config, &caller).await?;
    Ok(Some(in_words(app, &call, name.as_deref(), &entries)))
}

fn in_words(app: &App, call: &Call, name: Option<&str>, entries: &[Entry]) -> String {
    let zone = &app.config.desk.timezone;
    let at = wording::reasons::when(call.started(), zone);
    let mut told = vec![wording::reasons::title(
        &Address::new(&call.caller),
        name,
        &at,
    )];
    for (n, entry) in entries.iter().enumerate() {
        let detail: Value = serde_json::from_str(&entry.detail).unwrap_or_default();
        let considered = considered(&detail);
        let seconds = detail["result"]["seconds"].as_u64();
        // What another version decided is left out.
        let Ok(decision) = entry.decision.parse::<Decision>() else {
            continue;
        };
        match decision {
            Decision::Ring | Decision::NobodyLeft => {
                if n > 0 {
                    told.push(wording::reasons::happened(&entry.reason));
                }
                told.extend(
                    considered
                        .iter()
                        // That is said already, by what came of their turn.
                        .filter(|one| one.verdict != Verdict::AlreadyTried)
                        .map(|one| wording::reasons::person(one, seconds)),
                );
                if decision == Decision::NobodyLeft {
                    told.push(wording::reasons::nobody());
                }
            }
            Decision::CallAnswered => {
                let seconds = detail["seconds"].as_i64().unwrap_or_default();
                let person = detail["person"].as_str().unwrap_or_default();
                told.push(wording::reasons::answered(person, seconds));
            }
            Decision::PhonePickedUp
            | Decision::CallerHungUp
            | Decision::KeyPressed
            | Decision::MessageLeft
            | Decision::CallEndedUnheard
            | Decision::CallerTexted
            | Decision::CallerNotTexted => {
                told.push(wording::reasons::happened(&entry.reason));
            }
            _ => {}
        }
    }
    told.join("\n")
}

/// Why somebody was rung or not. Rows of earlier versions have the sentence alone.
fn verdict(one: &Value) -> Option<Verdict> {
    match one["verdict_code"].as_str() {
        Some(code) => code.parse().ok(),
        None => Verdict::from_words(one["verdict"].as_str()?),
    }
}

/// Everybody who was thought of, as the audit has it.
fn considered(detail: &Value) -> Vec<Considered> {
    let people = detail["people"].as_array();
    let read = |one: &Value| {
        Some(Considered {
            step: usize::try_from(one["step"].as_u64()?)
                .ok()?
                .checked_sub(1)?,
            name: one["person"].as_str()?.to_owned(),
            availability: Availability {
                state: AvailabilityState::deserialize(&one["availability"]).ok()?,
                source: Source::deserialize(&one["source"]).ok()?,
                age: one["age_seconds"]
                    .as_i64()
                    .map(jiff::SignedDuration::from_secs),
            },
            verdict: verdict(one)?,
        })
    };
    people.into_iter().flatten().filter_map(read).collect()
}
