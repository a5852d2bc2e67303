//! Where a conversation stands: who has it, and whether its caller waits, was answered or needs nothing more.
//!
//! A text or a missed call makes it wait; a reply, or somebody who takes the call, answers it; a person claims, releases,
//! closes and reopens it. Texts also start a clock, which a reply, a claim or a close stops (`bridge::reminder`).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::Desk;
use crate::delivery;
use crate::phone::Address;
use crate::store::conversations::Conversation;
use crate::store::matters::{self, Matter};
use crate::store::{Tx, homes};

/// What the root of its thread shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody has asked for anything yet: a call that still rings.
    New,
    /// The caller waits, and nobody has said that they see to it.
    Waiting,
    /// The caller waits for somebody who has it.
    Claimed,
    Answered,
    Closed,
}

/// Where it stands.
pub(crate) fn standing(matter: &Matter) -> Standing {
    if !matter.closed_by.is_empty() {
        Standing::Closed
    } else if matter.waiting_since.is_some() && matter.claimed_by.is_empty() {
        Standing::Waiting
    } else if matter.waiting_since.is_some() {
        Standing::Claimed
    } else if matter.answered_by.is_empty() {
        Standing::New
    } else {
        Standing::Answered
    }
}

/// A caller wrote. In a conversation that begins anew, nobody has it any more.
pub(crate) async fn text_came(
    tx: &mut Tx,
    desk: &Desk,
    conversation: &Conversation,
    begins_thread: bool,
) -> anyhow::Result<()> {
    let now = tx.now().as_millisecond();
    // To a short code or a sender without a number nobody owes an answer in time.
    let runs = Address::new(&conversation.caller).phone().is_some();
    let at = tx.now();
    change(tx, conversation, begins_thread, |matter| {
        wait(matter, now);
        // A claim stops it; what comes after that is unanswered anew.
        if runs && matter.clock_since.is_none() {
            start_clock(matter, at, desk);
        }
    })
    .await
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

/// Changes where a conversation stands, and asks for its root to show it.
pub(crate) async fn change(
    tx: &mut Tx,
    conversation: &Conversation,
    anew: bool,
    make: impl FnOnce(&mut Matter),
) -> anyhow::Result<()> {
    let before = matters::of(tx, &conversation.id).await?;
    let mut matter = match anew {
        true => matters::fresh(&conversation.id),
        false => before.clone(),
    };
    make(&mut matter);
    if matter == before {
        return Ok(());
    }
    matters::keep(tx, &matter).await?;
    homes::mark_stale(tx).await?;
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

fn shown(matter: &Matter) -> (Standing, &str, &str, &str) {
    let Matter {
        claimed_by,
        answered_by,
        closed_by,
        ..
    } = matter;
    (standing(matter), claimed_by, answered_by, closed_by)
}

fn wait(matter: &mut Matter, now: i64) {
    matter.waiting_since = matter.waiting_since.or(Some(now));
    if !matter.closed_by.is_empty() {
        // Whoever closed it was done with it.
        matter.closed_by.clear();
        matter.claimed_by.clear();
    }
}

/// From now on it runs towards a reminder.
pub(crate) fn start_clock(matter: &mut Matter, now: Timestamp, desk: &Desk) {
    let now = now.as_millisecond();
    matter.clock_since = Some(now);
    matter.remind_at = Some(later(now, desk.remind_after));
    matter.page_at = Some(later(now, desk.page_after.max(desk.remind_after)));
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
        let mut matter = matters::fresh("c1");
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
            assert_eq!(standing(&matter), stands, "{matter:?}");
        }
    }

    #[test]
    fn what_was_closed_is_nobodys_when_its_caller_writes_again() {
        let mut again = matter("U1", "<@U1>", "<@U1>", false);
        wait(&mut again, 7);
        assert_eq!(standing(&again), Standing::Waiting);
        assert_eq!(again.waiting_since, Some(7));
        wait(&mut again, 9);
        assert_eq!(again.waiting_since, Some(7), "the first text counts");
    }
}
