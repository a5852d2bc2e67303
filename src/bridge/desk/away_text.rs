//! The auto-reply while nobody but `always` people is available: at most once for each caller and away period.
//!
//! Two machines must not answer each other: senders without a number get none, automatic replies are not answered, and one
//! caller gets at most [`A_DAY`] automatic texts a day. Forged sender numbers must not run up a bill: only numbers in the
//! line's countries get one, within the line's budget for automatic texts.

use jiff::SignedDuration;
use serde_json::json;

use crate::app::App;
use crate::bridge::desk::{automatic_text, limits, opt_out};
use crate::bridge::wording::desk;
use crate::config::Line;
use crate::conversation::auto_reply;
use crate::conversation::opt_out::{Wish, wish};
use crate::delivery;
use crate::phone::Address;
use crate::store::audit::NewEntry;
use crate::store::conversations::Conversation;
use crate::store::{Tx, away_periods};
use crate::vocabulary::AvailabilityState;
use crate::vocabulary::Decision;

/// The most automatic texts to one caller in a day. Two machines that answer each other stop there.
pub(crate) const A_DAY: i64 = 5;

/// Whether everybody who may be away is; `None` where the line has no words for that.
pub(crate) async fn of(app: &App, line: &Line) -> Option<bool> {
    line.away_text.as_ref()?;
    let everybody = app.sources.read(&app.config, &app.store, &app.clock).await;
    let mut people = line
        .ring
        .iter()
        .filter(|step| !step.always)
        .flat_map(|step| &step.people)
        .peekable();
    people.peek()?;
    Some(people.all(|name| {
        let known = everybody.availability.get(name);
        known.is_some_and(|known| known.state != AvailabilityState::Available)
    }))
}

/// Checks every line, so that an away period ends even if nobody texts in it.
pub(crate) async fn tick(app: &App) -> anyhow::Result<()> {
    for line in &app.config.lines {
        let Some(is_away) = of(app, line).await else {
            continue;
        };
        let number = line.number.as_str();
        if away_periods::is_noted(&app.store, number).await? != is_away {
            let mut tx = app.store.begin().await?;
            away_periods::note(&mut tx, number, is_away).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

/// Sends the auto-reply to a caller who has just written `body`, if it applies.
pub(crate) async fn text_the_caller(
    tx: &mut Tx,
    app: &App,
    line: &Line,
    conversation: &Conversation,
    (body, is_away): (&str, bool),
) -> anyhow::Result<()> {
    let number = line.number.as_str();
    let (Some(since), Some(words)) = (
        away_periods::note(tx, number, is_away).await?,
        line.away_text.as_deref(),
    ) else {
        return Ok(());
    };
    let caller = conversation.caller.as_str();
    if opt_out::is_out(tx, conversation).await? {
        return Ok(());
    }
    if !may_be_texted(app, line, caller)
        || auto_reply::looks_like_one(body)
        // The desk is asked about that; a machine had better not answer it.
        || wish(body) == Wish::SoundsLikeStop
        || !may_be_texted_automatically(tx, caller).await?
        || limits::is_machine_spent(tx, &app.config, line, words).await?
        || !away_periods::tell(tx, number, caller, since).await?
    {
        return Ok(());
    }
    let key = format!("away:{}:{since}", conversation.id);
    let Some(message) = automatic_text::send(tx, number, &conversation.id, &key, words).await?
    else {
        return Ok(());
    };
    limits::spend_machine(tx, number, caller, words).await?;
    let shown = desk::sent_automatically(words);
    delivery::enqueue_notice(tx, number, &conversation.id, shown).await?;
    tx.audit(NewEntry {
        line: line.name.clone(),
        number: caller.to_owned(),
        subject: conversation.id.to_string(),
        decision: Decision::AwayTextSent,
        reason: "nobody but those who are always rung is available".into(),
        detail: json!({ "conversation": conversation.id, "message": message }),
        at: None,
    });
    Ok(())
}

/// Whether a machine may text this sender at all: an ordinary telephone in a country the line serves, and none of ours.
fn may_be_texted(app: &App, line: &Line, caller: &str) -> bool {
    let config = &app.config;
    let caller_address = Address::new(caller);
    caller_address.can_be_texted()
        && is_served(line, &caller_address)
        && config.line_of(caller).is_none()
        && config
            .people
            .iter()
            .all(|person| person.phone.as_str() != caller)
}

/// Whether the number is in one of the line's countries.
pub(crate) fn is_served(line: &Line, caller: &Address) -> bool {
    let country = caller.phone().and_then(|phone| phone.region());
    country.is_some_and(|country| line.allow_countries.contains(&country))
}

/// Whether the caller has not had all the automatic texts of a day yet.
pub(crate) async fn may_be_texted_automatically(tx: &mut Tx, caller: &str) -> anyhow::Result<bool> {
    let since = tx.now().checked_sub(SignedDuration::from_hours(24))?;
    Ok(away_periods::automatic_texts(tx, caller, since).await? < A_DAY)
}
