//! The status of a conversation: who has claimed it, and whether its caller waits, was answered or needs nothing more.
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
use crate::store::conversation_status::{self, ConversationStatus, Status};
use crate::store::conversations::Conversation;
use crate::store::outbox::Row;
use crate::store::{Tx, conversations, home_views};
use crate::twilio::form::{InboundSms, OptOut};
use crate::vocabulary::DeliveryState;

/// When a text came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Came {
    /// It begins a new thread, which clears the claim.
    pub(crate) begins_thread: bool,
    /// Given for a text found late.
    pub(crate) at: Option<Timestamp>,
}

/// A caller wrote: the conversation waits.
pub(crate) async fn text_came(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    sms: &InboundSms,
    came: Came,
) -> anyhow::Result<()> {
    let now = tx.now();
    let came_at = came.at.unwrap_or(now);
    let leaves = opt_out::leaves(sms);
    let runs = is_owed_an_answer(app, &conversation.caller, sms);
    change(tx, conversation, came.begins_thread, |status| {
        // Who wants no texts waits for none.
        if !leaves {
            wait(status, came_at.as_millisecond());
        }
        // A claim stops it, and so do both its alarms: what comes after that is unanswered anew.
        let rests = status.remind_at.is_none() && status.page_at.is_none();
        if runs && rests {
            start_clock_of(status, came_at, now, &app.config.desk);
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
    change(tx, conversation, false, |status| wait(status, now)).await
}

/// A call begins a new thread.
pub(crate) async fn call_began(tx: &mut Tx, conversation: &Conversation) -> anyhow::Result<()> {
    change(tx, conversation, true, |_| {}).await
}

/// Somebody answered the caller: `by` in Slack's markup.
pub(crate) async fn answered(
    tx: &mut Tx,
    conversation: &Conversation,
    by: &str,
) -> anyhow::Result<()> {
    change(tx, conversation, false, |status| {
        status.waiting_since = None;
        by.clone_into(&mut status.answered_by);
        stop_clock(status);
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
    change(tx, conversation, begins_thread, |status| {
        status.waiting_since = None;
        status.closed_by.clear();
        by.clone_into(&mut status.answered_by);
        stop_clock(status);
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
    change(tx, conversation, false, |status| {
        if !status.closed_by.is_empty() {
            return;
        }
        wait(status, now.as_millisecond());
        if status.claimed_by.is_empty() && status.clock_since.is_none() {
            start_clock(status, now, desk);
        }
    })
    .await
}

/// The text of this row was refused or lost. If it was the last answer, its caller waits again.
pub(crate) async fn text_lost(tx: &mut Tx, desk: &Desk, row: &Row) -> anyhow::Result<()> {
    if !conversation_status::is_last_answer(tx, &row.message_id).await? {
        return Ok(());
    }
    let conversation = conversations::by_id(&mut *tx, &row.conversation_id).await?;
    not_answered(tx, desk, &conversation).await
}

/// A reply was deleted before these texts of it left. If it was the last answer, its caller waits again.
pub(crate) async fn taken_back(tx: &mut Tx, desk: &Desk, texts: &[Row]) -> anyhow::Result<()> {
    // What somebody still has to decide on was never counted.
    let counts = |row: &Row| {
        let state = row.state.known();
        !matches!(
            state,
            Some(DeliveryState::AwaitingWriter | DeliveryState::Undecided)
        )
    };
    match texts.first() {
        Some(row) if texts.iter().all(counts) => text_lost(tx, desk, row).await,
        _ => Ok(()),
    }
}

/// Changes the status of a conversation and queues an update of its header message if that shows it.
pub(crate) async fn change(
    tx: &mut Tx,
    conversation: &Conversation,
    anew: bool,
    make: impl FnOnce(&mut ConversationStatus),
) -> anyhow::Result<()> {
    let before = conversation_status::of(&mut *tx, &conversation.id).await?;
    let mut status = if anew {
        begun_anew(&before)
    } else {
        before.clone()
    };
    make(&mut status);
    if status == before {
        return Ok(());
    }
    conversation_status::save(tx, &status).await?;
    home_views::mark_stale(tx).await?;
    // A new root shows it when it is posted; the old one's time is over.
    if shown(&status) != shown(&before) && !anew {
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
fn begun_anew(before: &ConversationStatus) -> ConversationStatus {
    let mut anew = conversation_status::fresh(&before.conversation_id);
    if before.closed_by.is_empty() {
        anew.waiting_since = before.waiting_since;
        anew.clock_since = before.clock_since;
        anew.remind_at = before.remind_at;
        anew.page_at = before.page_at;
    }
    anew
}

fn shown(status: &ConversationStatus) -> (Status, &str, &str, &str) {
    let ConversationStatus {
        claimed_by,
        answered_by,
        closed_by,
        ..
    } = status;
    (status.status(), claimed_by, answered_by, closed_by)
}

fn wait(status: &mut ConversationStatus, since: i64) {
    if !status.closed_by.is_empty() {
        // Whoever closed it was done with it.
        status.closed_by.clear();
        status.claimed_by.clear();
        status.waiting_since = None;
    }
    let since = status
        .waiting_since
        .map_or(since, |before| before.min(since));
    status.waiting_since = Some(since);
}

/// Starts the clock that leads to a reminder and an escalation.
pub(crate) fn start_clock(status: &mut ConversationStatus, now: Timestamp, desk: &Desk) {
    start_clock_of(status, now, now, desk);
}

/// Starts the clock for a text that came at `since`, perhaps so long ago that both alarms are due.
fn start_clock_of(status: &mut ConversationStatus, since: Timestamp, now: Timestamp, desk: &Desk) {
    let (since, now) = (since.as_millisecond(), now.as_millisecond());
    status.clock_since = Some(since);
    status.remind_at = Some(remind_at(since, desk).max(now));
    status.page_at = Some(page_at(since, desk).max(now));
}

/// When a text is called out that came at `since`.
pub(crate) fn remind_at(since: i64, desk: &Desk) -> i64 {
    later(since, desk.remind_after)
}

/// When people are texted about it.
pub(crate) fn page_at(since: i64, desk: &Desk) -> i64 {
    later(since, desk.page_after.max(desk.remind_after))
}

/// Stops the clock: no reminder and no escalation follow.
pub(crate) fn stop_clock(status: &mut ConversationStatus) {
    status.clock_since = None;
    status.remind_at = None;
    status.page_at = None;
}

fn later(now: i64, after: Duration) -> i64 {
    let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX);
    now.saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::ConversationId;

    fn status(claimed: &str, answered: &str, closed: &str, waits: bool) -> ConversationStatus {
        let mut status = conversation_status::fresh(&ConversationId::new("c1"));
        status.claimed_by = claimed.into();
        status.answered_by = answered.into();
        status.closed_by = closed.into();
        status.waiting_since = waits.then_some(1);
        status
    }

    #[test]
    fn where_it_stands_follows_from_what_happened() {
        for (claimed, answered, closed, waits, stands) in [
            ("", "", "", false, Status::New),
            ("", "", "", true, Status::Waiting),
            ("U1", "", "", true, Status::Claimed),
            ("U1", "<@U1>", "", true, Status::Claimed),
            ("U1", "<@U1>", "", false, Status::Answered),
            ("", "<@U1>", "", false, Status::Answered),
            ("U1", "", "", false, Status::New),
            ("U1", "<@U1>", "<@U1>", false, Status::Closed),
        ] {
            let status = status(claimed, answered, closed, waits);
            assert_eq!(status.status(), stands, "{status:?}");
        }
    }

    #[test]
    fn what_was_closed_is_nobodys_when_its_caller_writes_again() {
        let mut again = status("U1", "<@U1>", "<@U1>", true);
        wait(&mut again, 7);
        assert_eq!(again.status(), Status::Waiting);
        assert_eq!(again.waiting_since, Some(7));
        wait(&mut again, 9);
        assert_eq!(again.waiting_since, Some(7), "the first text counts");
        wait(&mut again, 5);
        assert_eq!(again.waiting_since, Some(5), "also if it is found last");
    }

    #[test]
    fn who_waits_goes_on_waiting_where_a_conversation_begins_anew() {
        let mut before = status("U1", "<@U1>", "", true);
        before.clock_since = Some(2);
        before.remind_at = Some(3);
        before.page_at = Some(4);
        let anew = begun_anew(&before);
        assert_eq!(anew.status(), Status::Waiting);
        let clock =
            |status: &ConversationStatus| (status.clock_since, status.remind_at, status.page_at);
        assert_eq!(clock(&anew), clock(&before));
        "<@U1>".clone_into(&mut before.closed_by);
        assert_eq!(
            begun_anew(&before),
            conversation_status::fresh(&ConversationId::new("c1"))
        );
    }
}
