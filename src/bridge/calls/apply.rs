//! Applies a call event in one transaction: the call's row, the ring outcomes of its people, its audit rows, and the
//! deliveries that show it.

use anyhow::Context;

use crate::bridge::calls::{backfilled_end, missed_text, thread};
use crate::bridge::desk::{newcomers, status};
use crate::calls::event::{CallEvent, Change, FollowUp};
use crate::config::{Config, Line};
use crate::conversation;
use crate::phone::Address;
use crate::slack::mrkdwn::escape;
use crate::store::calls::{self, Call, NewCall};
use crate::store::ring_outcomes::{RingOutcomeRow, RingUpdate};
use crate::store::{Tx, call_events, conversations, ring_outcomes};
use crate::vocabulary::{CallState, RingOutcome};

/// Applies an event. Does nothing if it was applied before.
pub(crate) async fn apply(tx: &mut Tx, config: &Config, event: &CallEvent) -> anyhow::Result<()> {
    if !call_events::record(tx, &event.call, &event.event, &event.answer).await? {
        return Ok(());
    }
    let (call, begins_thread) = open(tx, config, event).await?;
    if backfilled_end::is_outdated(event, &call) {
        return Ok(());
    }
    let turns = ring_outcomes::of_call(&mut *tx, &call.sid).await?;
    let before = thread::story(&call, &turns);
    let mut then = Vec::new();
    for change in &event.changes {
        then.extend(make(tx, &call.sid, change).await?);
    }
    for change in &event.changes {
        if let Change::Talking { person } | Change::Answered { person, .. } = change {
            let conversation = conversations::by_id(&mut *tx, &call.conversation_id).await?;
            status::answered(tx, &conversation, &escape(person)).await?;
        }
    }
    for entry in &event.audit {
        tx.audit_logged(entry.clone());
    }
    let mut scene = thread::Scene {
        call: reread(tx, &call.sid).await?,
        turns: ring_outcomes::of_call(&mut *tx, &call.sid).await?,
        conversation: conversations::by_id(&mut *tx, &call.conversation_id).await?,
        config,
    };
    if scene.is_hung_up_at_once(event.at) {
        then.retain(|then| !matches!(then, FollowUp::Missed { .. }));
    }
    if then
        .iter()
        .any(|then| matches!(then, FollowUp::Missed { .. }))
    {
        missed_text::send(tx, &mut scene, event.at).await?;
    }
    thread::show(tx, &mut scene, &before, begins_thread).await?;
    if scene.caller().is_withheld() {
        newcomers::give_way(tx, &scene.conversation).await?;
    }
    for then in then {
        thread::follow_up(tx, &scene, then).await?;
    }
    Ok(())
}

/// The call's row, inserted for the first event of a call, and whether its conversation begins a new thread.
pub(crate) async fn open(
    tx: &mut Tx,
    config: &Config,
    event: &CallEvent,
) -> anyhow::Result<(Call, bool)> {
    if let Some(call) = calls::by_sid(&mut *tx, &event.call).await? {
        return Ok((call, false));
    }
    let from = event
        .from
        .as_ref()
        .context("nothing was heard of the beginning of this call yet")?;
    let line = event
        .line
        .as_deref()
        .and_then(|number| config.line_of(number));
    let line: &Line = line
        .or_else(|| config.lines.first())
        .context("there is no line in the configuration")?;
    // Many of them at once are mostly one and the same: they share a thread and keep nobody waiting.
    let is_one_of_many =
        from.is_withheld() && newcomers::is_flood(tx, line.number.as_str()).await?;
    let key = if is_one_of_many {
        MANY_WITHHELD.to_owned()
    } else {
        conversation_key(from, &event.call)
    };
    let conversation = conversations::open(tx, line.number.as_str(), &key, &event.place).await?;
    let begins_thread = conversation::is_idle(
        conversation.last_at(),
        tx.now(),
        config.desk.new_thread_after,
    );
    let new = NewCall {
        sid: &event.call,
        conversation_id: &conversation.id,
        line: line.number.as_str(),
        caller: &crate::store::storable(from.as_str()),
        started: event.at,
    };
    calls::insert(tx, &new).await?;
    if begins_thread {
        status::call_began(tx, &conversation).await?;
    }
    Ok((reread(tx, &event.call).await?, begins_thread))
}

/// The conversation of calls from withheld numbers while there are too many for a thread each.
const MANY_WITHHELD: &str = "anonymous calls";

/// A withheld number is nobody in particular: each of its calls is a conversation of its own.
fn conversation_key(from: &Address, call: &str) -> String {
    let from_text = crate::store::storable(from.as_str());
    match from.is_withheld() {
        true if from_text.trim().is_empty() => format!("anonymous {call}"),
        true => format!("{from_text} {call}"),
        false => from_text,
    }
}

pub(crate) async fn reread(tx: &mut Tx, sid: &str) -> anyhow::Result<Call> {
    calls::by_sid(&mut *tx, sid)
        .await?
        .context("a call that was just written")
}

async fn make(tx: &mut Tx, call: &str, change: &Change) -> anyhow::Result<Option<FollowUp>> {
    match change {
        Change::Round { round, turns } => {
            for (person, outcome) in turns {
                let update = RingUpdate::outcome(*round, person, *outcome);
                ring_outcomes::put(tx, call, &update).await?;
            }
        }
        Change::RingOutcome {
            round,
            person,
            leg,
            keys,
            outcome,
        } => {
            let update = RingUpdate {
                leg_sid: Some(leg.as_str()).filter(|leg| !leg.is_empty()),
                keys,
                ..RingUpdate::outcome(*round, person, *outcome)
            };
            merge_outcome(tx, call, update).await?;
        }
        Change::RoundEnded { round, others } => {
            end_round(tx, call, *round, *others).await?;
        }
        Change::Talking { person } => {
            calls::advance(tx, call, CallState::Talking, person, 0).await?;
        }
        Change::HasHungUp { person } => {
            calls::talk_over(tx, call, person).await?;
        }
        Change::NobodyTalks => {
            calls::talk_over(tx, call, "").await?;
        }
        Change::Answered { person, seconds } => {
            calls::advance(tx, call, CallState::Answered, person, *seconds).await?;
        }
        Change::Over { talked } => return backfilled_end::end(tx, call, *talked).await,
        Change::HungUp => {
            let hung_up = true;
            let moved = calls::advance(tx, call, CallState::HungUp, "", 0).await?;
            return Ok(moved.then_some(FollowUp::Missed { hung_up }));
        }
        Change::Missed => {
            let hung_up = false;
            let moved = calls::advance(tx, call, CallState::Missed, "", 0).await?;
            return Ok(moved.then_some(FollowUp::Missed { hung_up }));
        }
        Change::Recording { sid, seconds } => {
            calls::set_recording(tx, call, sid, *seconds).await?;
            return Ok(Some(FollowUp::Recording { sid: sid.clone() }));
        }
        Change::Transcription { words } => {
            let words = words.clone();
            return Ok(Some(FollowUp::Transcription { words }));
        }
    }
    Ok(None)
}

/// Keeps what became of one person's phone, unless more is known.
async fn merge_outcome(tx: &mut Tx, call: &str, update: RingUpdate<'_>) -> anyhow::Result<()> {
    let turns = ring_outcomes::of_call(&mut *tx, call).await?;
    let known = turns
        .iter()
        .find(|turn| turn.round == update.round && turn.person == update.person);
    let outcome = known.map_or(update.outcome, |known| {
        later(known.outcome(), update.outcome)
    });
    let update = RingUpdate { outcome, ..update };
    ring_outcomes::put(tx, call, &update).await
}

/// Keeps what became of the phones of a round of which nothing is known: `others`.
async fn end_round(tx: &mut Tx, call: &str, round: i64, others: RingOutcome) -> anyhow::Result<()> {
    let turns = ring_outcomes::of_call(&mut *tx, call).await?;
    for turn in turns.iter().filter(|turn| turn.round == round) {
        if let Some(outcome) = ended(turn, others) {
            let update = RingUpdate::outcome(round, &turn.person, outcome);
            ring_outcomes::put(tx, call, &update).await?;
        }
    }
    Ok(())
}

/// Merges a ring outcome with a new one, which may be late.
fn later(known: RingOutcome, told: RingOutcome) -> RingOutcome {
    match (known, told) {
        (RingOutcome::Took, _) | (_, RingOutcome::Took) => RingOutcome::Took,
        (RingOutcome::Refused, _) | (_, RingOutcome::Refused) => RingOutcome::Refused,
        (RingOutcome::Rings, told) => told,
        (RingOutcome::PickedUp, RingOutcome::NotTaken) => RingOutcome::NotTaken,
        // The round ended before it was told that somebody had picked up or pressed it away.
        (RingOutcome::NoAnswer, RingOutcome::PickedUp | RingOutcome::NotTaken) => {
            RingOutcome::NotTaken
        }
        (
            RingOutcome::NoAnswer | RingOutcome::CutOff,
            told @ (RingOutcome::Busy | RingOutcome::Failed),
        ) => told,
        (known, _) => known,
    }
}

/// The final outcome of a person in a round that is over; `None` if it was final before.
fn ended(turn: &RingOutcomeRow, others: RingOutcome) -> Option<RingOutcome> {
    match turn.outcome() {
        RingOutcome::Rings => Some(others),
        RingOutcome::PickedUp => Some(RingOutcome::NotTaken),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_late_lowers_nothing() {
        use RingOutcome::{
            Busy, CutOff, Failed, NoAnswer, NotTaken, PickedUp, Refused, Rings, Took,
        };
        for (known, told, then) in [
            (Rings, PickedUp, PickedUp),
            (Rings, Busy, Busy),
            (PickedUp, NotTaken, NotTaken),
            (PickedUp, Took, Took),
            (NotTaken, Took, Took),
            (Took, NotTaken, Took),
            (Took, PickedUp, Took),
            (Refused, NotTaken, Refused),
            (NoAnswer, PickedUp, NotTaken),
            (NoAnswer, Busy, Busy),
            (CutOff, Failed, Failed),
            (CutOff, NoAnswer, CutOff),
            (NotTaken, PickedUp, NotTaken),
            (Busy, PickedUp, Busy),
        ] {
            assert_eq!(later(known, told), then, "{known:?}, then {told:?}");
        }
    }

    #[test]
    fn a_withheld_number_is_nobody_in_particular() {
        let sid = "CA00000000000000000000000000000001";
        for (from, key) in [
            ("+16195550142", "+16195550142".to_owned()),
            ("anonymous", format!("anonymous {sid}")),
            ("+266696687", format!("+266696687 {sid}")),
            ("", format!("anonymous {sid}")),
        ] {
            assert_eq!(conversation_key(&Address::new(from), sid), key);
        }
    }
}
