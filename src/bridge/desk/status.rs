//! Where a conversation stands: who has it, and whether its caller waits, was answered or needs nothing more.
//!
//! A text or a missed call makes it wait; a reply, or somebody who takes the call, answers it; a person claims, releases,
//! closes and reopens it. Texts also start a clock, which a reply, a claim or a close stops (`bridge::desk::reminder`).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::opt_out;
use crate::app::App;
use crate::config::Desk;
use crate::conversation::auto_reply;
use crate::delivery;
use crate::phone::Address;
use crate::store::conversation_status::{self, Matter, Standing};
use crate::store::conversations::Conversation;
use crate::store::outbox::Row;
use crate::store::{Tx, conversations, home_views};
use crate::twilio::form::{InboundSms, OptOut};
use crate::vocabulary::DeliveryState;

/// A caller wrote, at `came_at` where the text was found late. In a conversation that begins anew, nobody has it any more.
pub(crate) async fn text_came(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    sms: &InboundSms,
    begins_thread: bool,
    came_at: Option<Timestamp>,
) -> anyhow::Result<()> {
    let now = tx.now();
    let came_at = came_at.unwrap_or(now);
    let leaves = opt_out::leaves(sms);
    let runs = is_owed_an_answer(app, &conversation.caller, sms);
    change(tx, conversation, begins_thread, |matter| {
        // Who wants no texts waits for none.
        if !leaves {
            wait(matter, came_at.as_millisecond());
        }
        // A claim stops it, and so do both its alarms: what comes after that is unanswered anew.
        let rests = matter.remind_at.is_none() && matter.page_at.is_none();
        if runs && rests {
            start_clock_of(matter, came_at, now, &app.config.desk);
        }
    })
    .await
}

/// Whether somebody has to answer this in time. Nobody has to where a machine wrote, and the desk's own people must not be
/// paged about themselves: their telephones' automatic replies to pages would page for ever.
fn is_owed_an_answer(app: &App, caller: &str, sms: &InboundSms) -> bool {
    let people = &app.config.people;
    Address::new(caller).phone().is_some()
        && !matches!(sms.opt_out_type, Some(OptOut::Stop | OptOut::Start))
        && !opt_out::leaves(sms)
        && !auto_reply::is_by_a_machine(&sms.body)
        && people.iter().all(|person| person.phone.as_str() != caller)
}

/// Nobody took a call, or its caller left a message. The channel has been told loudly: no clock runs for it.
pub(crate) async fn call_missed(tx: &mut Tx, conversation: &Conversation) -> anyhow::Result<()> {
    let now = tx.now().as_millisecond();
    change(tx, conversation, false, |matter| wait(matter, now)).await
}

/// A call begins a new thread.
pub(crate) async fn call_began(tx: &mut Tx, conversation: &Conversation) -> anyhow::Result<()> {
    change(tx, conversation, true, |_| {}).await
}

/// Somebody answered: `by` in Slack's markup.
pub(crate) async fn answered(
    tx: &mut Tx,
    conversation: &Conversation,
    by: &str,
) -> anyhow::Result<()> {
    change(tx, conversation, false, |matter| {
        matter.waiting_since = None;
        by.clone_into(&mut matter.answered_by);
        stop_clock(matter);
    })
    .await
}

/// A text was sent first: whoever closed the conversation before is not done with it any more.
pub(crate) async fn texted_first(
    tx: &mut Tx,
    conversation: &Conversation,
    by: &str,
    begins_thread: bool,
) -> anyhow::Result<()> {
    change(tx, conversation, begins_thread, |matter| {
        matter.waiting_since = None;
        matter.closed_by.clear();
        by.clone_into(&mut matter.answered_by);
        stop_clock(matter);
    })
    .await
}

/// What was counted as an answer does not reach the caller: they wait again, unless somebody has closed it.
pub(crate) async fn not_answered(
    tx: &mut Tx,
    desk: &Desk,
    conversation: &Conversation,
) -> anyhow::Result<()> {
    let now = tx.now();
    change(tx, conversation, false, |matter| {
        if !matter.closed_by.is_empty() {
            return;
        }
        wait(matter, now.as_millisecond());
        if matter.claimed_by.is_empty() && matter.clock_since.is_none() {
            start_clock(matter, now, desk);
        }
    })
    .await
}

/// The same of a text of ours that was refused or got lost, if it was the last answer.
pub(crate) async fn text_lost(tx: &mut Tx, desk: &Desk, row: &Row) -> anyhow::Result<()> {
    if !conversation_status::is_last_answer(tx, &row.message_id).await? {
        return Ok(());
    }
    let conversation = conversations::by_id_in(tx, &row.conversation_id).await?;
    not_answered(tx, desk, &conversation).await
}

/// The same of a reply that its writer took back before these texts of it left.
pub(crate) async fn taken_back(tx: &mut Tx, desk: &Desk, texts: &[Row]) -> anyhow::Result<()> {
    // What somebody still has to decide on was never counted.
    let counts = |row: &Row| {
        let state = row.state.known();
        !matches!(state, Some(DeliveryState::Asked | DeliveryState::Undecided))
    };
    match texts.first() {
        Some(row) if texts.iter().all(counts) => text_lost(tx, desk, row).await,
        _ => Ok(()),
    }
}

/// Changes where a conversation stands, and asks for its root to show it.
pub(crate) async fn change(
    tx: &mut Tx,
    conversation: &Conversation,
    anew: bool,
    make: impl FnOnce(&mut Matter),
) -> anyhow::Result<()> {
    let before = conversation_status::of(tx, &conversation.id).await?;
    let mut matter = match anew {
        true => begun_anew(&before),
        false => before.clone(),
    };
    make(&mut matter);
    if matter == before {
        return Ok(());
    }
    conversation_status::keep(tx, &matter).await?;
    home_views::mark_stale(tx).await?;
    // A new root shows it when it is posted; the old one's time is over.
    if shown(&matter) != shown(&before) && !anew {
        let Conversation {
            id,
            channel,
            thread_ts,
            ..
        } = conversation;
        delivery::enqueue_root(tx, id, channel, thread_ts).await?;
    }
    Ok(())
}

/// Nobody has it any more; a caller whom nobody has answered waits on.
fn begun_anew(before: &Matter) -> Matter {
    let mut anew = conversation_status::fresh(&before.conversation_id);
    if before.closed_by.is_empty() {
        anew.waiting_since = before.waiting_since;
        anew.clock_since = before.clock_since;
        anew.remind_at = before.remind_at;
        anew.page_at = before.page_at;
    }
    anew
}

fn shown(matter: &Matter) -> (Standing, &str, &str, &str) {
    let Matter {
        claimed_by,
        answered_by,
        closed_by,
        ..
    } = matter;
    (matter.standing(), claimed_by, answered_by, closed_by)
}

fn wait(matter: &mut Matter, since: i64) {
    if !matter.closed_by.is_empty() {
        // Whoever closed it was done with it.
        matter.closed_by.clear();
        matter.claimed_by.clear();
        matter.waiting_since = None;
    }
    let since = matter
        .waiting_since
        .map_or(since, |before| before.min(since));
    matter.waiting_since = Some(since);
}

/// From now on it runs towards a reminder.
pub(crate) fn start_clock(matter: &mut Matter, now: Timestamp, desk: &Desk) {
    start_clock_of(matter, now, now, desk);
}

/// The same for a text that came at `since`, perhaps so long ago that both alarms are due.
fn start_clock_of(matter: &mut Matter, since: Timestamp, now: Timestamp, desk: &Desk) {
    let (since, now) = (since.as_millisecond(), now.as_millisecond());
    matter.clock_since = Some(since);
    matter.remind_at = Some(remind_at(since, desk).max(now));
    matter.page_at = Some(page_at(since, desk).max(now));
}

/// When a text is called out that came at `since`.
pub(crate) fn remind_at(since: i64, desk: &Desk) -> i64 {
    later(since, desk.remind_after)
}

/// When people are texted about it.
pub(crate) fn page_at(since: i64, desk: &Desk) -> i64 {
    later(since, desk.page_after.max(desk.remind_after))
}

/// Nobody is reminded of it any more.
pub(crate) fn stop_clock(matter: &mut Matter) {
    matter.clock_since = None;
    matter.remind_at = None;
    matter.page_at = None;
}

fn later(now: i64, after: Duration) -> i64 {
    let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX);
    now.saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matter(claimed: &str, answered: &str, closed: &str, waits: bool) -> Matter {
        let mut matter = conversation_status::fresh("c1");
        matter.claimed_by = claimed.into();
        matter.answered_by = answered.into();
        matter.closed_by = closed.into();
        matter.waiting_since = waits.then_some(1);
        matter
    }

    #[test]
    fn where_it_stands_follows_from_what_happened() {
        for (claimed, answered, closed, waits, stands) in [
            ("", "", "", false, Standing::New),
            ("", "", "", true, Standing::Waiting),
            ("U1", "", "", true, Standing::Claimed),
            ("U1", "<@U1>", "", true, Standing::Claimed),
            ("U1", "<@U1>", "", false, Standing::Answered),
            ("", "<@U1>", "", false, Standing::Answered),
            ("U1", "", "", false, Standing::New),
            ("U1", "<@U1>", "<@U1>", false, Standing::Closed),
        ] {
            let matter = matter(claimed, answered, closed, waits);
            assert_eq!(matter.standing(), stands, "{matter:?}");
        }
    }

    #[test]
    fn what_was_closed_is_nobodys_when_its_caller_writes_again() {
        let mut again = matter("U1", "<@U1>", "<@U1>", true);
        wait(&mut again, 7);
        assert_eq!(again.standing(), Standing::Waiting);
        assert_eq!(again.waiting_since, Some(7));
        wait(&mut again, 9);
        assert_eq!(again.waiting_since, Some(7), "the first text counts");
        wait(&mut again, 5);
        assert_eq!(again.waiting_since, Some(5), "also if it is found last");
    }

    #[test]
    fn who_waits_goes_on_waiting_where_a_conversation_begins_anew() {
        let mut before = matter("U1", "<@U1>", "", true);
        before.clock_since = Some(2);
        before.remind_at = Some(3);
        before.page_at = Some(4);
        let anew = begun_anew(&before);
        assert_eq!(anew.standing(), Standing::Waiting);
        let clock = |matter: &Matter| (matter.clock_since, matter.remind_at, matter.page_at);
        assert_eq!(clock(&anew), clock(&before));
        "<@U1>".clone_into(&mut before.closed_by);
        assert_eq!(begun_anew(&before), conversation_status::fresh("c1"));
    }
}
