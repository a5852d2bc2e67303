//! Replies whose event never reached us: threads are compared with Slack again and again, by what we know of them.
//!
//! The livelier a thread, the sooner its turn comes; a part of the reads goes to those that were not compared for longest,
//! so that every thread has its turn in the end, however old it is. A thread in which replies wait comes at once
//! (`thread_sync`). All of it shares one allowance of reads: Slack allows 50 a minute, and others want some of them.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::thread::{self, compare, compared_from};
use super::unreadable::Unreadable;
use super::{MARGIN, clock, move_watermark};
use crate::app::App;
use crate::config::Line;
use crate::delivery;
use crate::log_limit::LogLimit;
use crate::outbox::Clients;
use crate::slack::MessageTs;
use crate::store::threads::{self, Compared};
use crate::store::{facts, order};
use crate::thread_sync;

/// How far apart reads are on average: 24 a minute. Where the other waits are set shorter than usual, so is this, but not
/// so far that Slack's limit is reached with any `request_timeout` that makes sense.
const APART: Duration = Duration::from_millis(2_500);
const APART_FROM: Duration = Duration::from_secs(40);

/// How many reads may come at once after a quiet time.
const BURST: f64 = 20.0;

/// How many of them the rounds leave: a thread in which replies wait is not to wait for a read too.
const RESERVE: f64 = 8.0;

/// How many of a line's liveliest threads are thought of; the others have their turn by and by.
const LIVELY: i64 = 200;

/// A thread that has just been written in is as urgent after this time as one that is as old as that after twice as long.
const FRESH: f64 = 300_000.0;

/// How many threads of a conversation are compared before replies leave that a start has found waiting.
const OF_CONVERSATION: i64 = 5;

/// After how many seconds a thread is tried again in which replies wait.
const TRIED_AGAIN: f64 = 1.0;
const LEAST_TRIED_AGAIN: Duration = Duration::from_millis(100);

/// The allowance of reads, and whose turn it is.
#[derive(Debug)]
pub(super) struct Reads {
    apart: Duration,
    level: Mutex<(f64, Instant)>,
    /// Where reads are in vain.
    unreadable: Unreadable,
}

impl Reads {
    pub(super) fn new(settle_after: Duration) -> Reads {
        let part = settle_after.as_secs_f64() / APART_FROM.as_secs_f64();
        Reads {
            apart: APART.mul_f64(part.min(1.0)),
            level: Mutex::new((BURST, Instant::now())),
            unreadable: Unreadable::new(settle_after),
        }
    }

    /// How many may be made now.
    fn allowed(&self) -> f64 {
        let Ok(mut level) = self.level.lock() else {
            return 0.0;
        };
        let now = Instant::now();
        let earned = now.duration_since(level.1).as_secs_f64() / self.apart.as_secs_f64();
        *level = ((level.0 + earned).min(BURST), now);
        level.0
    }

    /// How many a round may make now.
    fn spare(&self) -> f64 {
        (self.allowed() - RESERVE).max(0.0)
    }

    /// Takes one, if one is left.
    fn take(&self) -> bool {
        self.take_above(0.0)
    }

    /// Takes one for a round.
    fn take_spare(&self) -> bool {
        self.take_above(RESERVE)
    }

    fn take_above(&self, left: f64) -> bool {
        let is_allowed = self.allowed() >= left + 1.0;
        if is_allowed && let Ok(mut level) = self.level.lock() {
            level.0 -= 1.0;
        }
        is_allowed
    }
}

/// Takes in replies in the line's threads that Slack has and we do not; how many there were. `turn` counts the rounds.
pub(super) async fn catch_up(
    app: &App,
    clients: &Clients,
    line: &Line,
    (reads, turn): (&Reads, usize),
) -> anyhow::Result<usize> {
    let Some(team) = app.directory.team() else {
        return Ok(0);
    };
    let Some(current) = app.directory.channel_id(&line.channel).await? else {
        anyhow::bail!("there is no channel {} that the bot can see", line.channel);
    };
    let number = line.number.as_str();
    let begun = clock::now(app, clients);
    know_from(app, number, begun).await?;
    // What the bucket holds is a handful; the cast drops its fraction on purpose.
    let many = (reads.spare() / app.config.lines.len() as f64).max(1.0) as usize;
    // That the line's own channel cannot be read is to be said as long as it lasts.
    let is_left = |thread: &Compared| {
        thread.channel != current.as_str() && reads.unreadable.contains(&thread.channel)
    };
    let mut lively = threads::lively(&app.store, number, LIVELY).await?;
    lively.retain(|thread| !is_left(thread));
    let resting = threads::longest_unread(&app.store, number, i64::try_from(many)?).await?;
    let (left, resting): (Vec<_>, Vec<_>) = resting.into_iter().partition(is_left);
    for thread in left {
        thread::put_behind(app, &thread).await?;
    }
    let (mut found, mut failed) = (0, None);
    for thread in choose(
        lively,
        resting,
        (many, turn),
        app.store.now().as_millisecond(),
    ) {
        if is_left(&thread) {
            continue;
        }
        if !reads.take_spare() {
            break;
        }
        // One thread that cannot be read holds up no other.
        match compare(app, clients, &team, &thread).await {
            Ok(replies) => {
                reads.unreadable.forget(&thread.channel);
                found += replies;
            }
            Err(error)
                if reads.unreadable.note(&thread.channel, &error)
                    && thread.channel != current.as_str() => {}
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        None => move_watermark(app, &format!("backfill.replies.{number}"), begun).await?,
        Some(error) if found == 0 => return Err(error),
        Some(error) => tracing::warn!(
            error = format!("{error:#}"),
            "a thread could not be compared; trying again"
        ),
    }
    Ok(found)
}

/// Keeps once from when on replies are sought: what came before was found by other means or was given up.
async fn know_from(app: &App, number: &str, now: Timestamp) -> anyhow::Result<()> {
    let name = compared_from(number);
    if facts::read(&app.store, &name).await?.is_some() {
        return Ok(());
    }
    let watermark = facts::read(&app.store, &format!("backfill.replies.{number}")).await?;
    let watermark = watermark.and_then(|at| Timestamp::from_millisecond(at.parse().ok()?).ok());
    let from = watermark.unwrap_or(now).checked_sub(MARGIN)?;
    let mut tx = app.store.begin().await?;
    let from = MessageTs::from_timestamp(from);
    facts::write_first(&mut tx, &name, from.as_str()).await?;
    tx.commit().await
}

/// The `many` threads to be compared at `now` in the round `turn`: a quarter of them for their rest, the others for their
/// urgency, which is the time since they were compared against the time since something came or went in them.
fn choose(
    mut lively: Vec<Compared>,
    resting: Vec<Compared>,
    (many, turn): (usize, usize),
    now: i64,
) -> Vec<Compared> {
    let urgency = |thread: &Compared| {
        let unread = now.saturating_sub(thread.compared_at).max(0) as f64;
        let idle = now.saturating_sub(thread.last_at).max(0) as f64;
        unread / (idle + FRESH)
    };
    lively.sort_by(|one, other| urgency(other).total_cmp(&urgency(one)));
    let rested = (many + turn % 4) / 4;
    lively.truncate(many - rested);
    for thread in resting {
        let is_chosen = |one: &Compared| one.ts == thread.ts && one.channel == thread.channel;
        if lively.len() < many && !lively.iter().any(is_chosen) {
            lively.push(thread);
        }
    }
    lively
}

/// Lets the replies that a start has found waiting wait for their threads to be compared.
pub(super) async fn hold_replies_back(app: &App) -> anyhow::Result<()> {
    let mut tx = app.store.begin().await?;
    let patience = thread_sync::longest_wait(app.config.delivery.settle_after);
    let until = tx
        .now()
        .checked_add(jiff::SignedDuration::try_from(patience)?)?;
    let conversations = order::hold_all_back(&mut tx, until).await?;
    tx.commit().await?;
    for conversation in conversations {
        for (channel, root) in threads::latest(&app.store, &conversation, OF_CONVERSATION).await? {
            app.thread_sync.await_sync(&channel, &root, &conversation);
        }
    }
    Ok(())
}

/// Compares the threads in which replies wait, whenever there are any; never ends.
pub(super) async fn compare_wanted(app: &App, clients: &Clients, reads: &Reads) {
    let bell = app.store.wake().bell(order::COMPARE);
    let again = delivery::scaled(app.config.delivery.settle_after, TRIED_AGAIN);
    let again = again.max(LEAST_TRIED_AGAIN);
    let warnings = LogLimit::per_minute();
    loop {
        if app.thread_sync.awaited().is_empty() {
            bell.notified().await;
        } else {
            let _ = tokio::time::timeout(again, bell.notified()).await;
        }
        for (wanted, since) in app.thread_sync.awaited() {
            match see_to(app, clients, reads, &wanted).await {
                // Its replies may not be committed yet; then their bell is still to ring.
                Ok(true) => app.thread_sync.finish(&wanted),
                Ok(false) => {}
                Err(error) => {
                    if let Some(times) = warnings.record() {
                        tracing::warn!(
                            times,
                            error = format!("{error:#}"),
                            "threads whose replies wait could not be compared"
                        );
                    }
                }
            }
            let patience = thread_sync::longest_wait(app.config.delivery.settle_after);
            if since.elapsed() > patience * 2 {
                app.thread_sync.finish(&wanted);
            }
        }
    }
}

/// Whether replies were let go.
async fn see_to(
    app: &App,
    clients: &Clients,
    reads: &Reads,
    (channel, root): &thread_sync::Thread,
) -> anyhow::Result<bool> {
    let (Some(team), Some(thread)) = (
        app.directory.team(),
        threads::to_compare(&app.store, channel, root).await?,
    ) else {
        return Ok(false);
    };
    if !app.thread_sync.needs_sync(channel, root) {
        return thread::let_go(app, &thread).await;
    }
    if !reads.take() {
        return Ok(false);
    }
    match compare(app, clients, &team, &thread).await {
        // Comparing lets go what waits by then.
        Ok(_) => Ok(false),
        Err(error) if reads.unreadable.note(channel, &error) => {
            // What stands there is not found by waiting.
            thread::let_go(app, &thread).await?;
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(ts: &str, unread: i64, idle: i64) -> Compared {
        Compared {
            channel: "C1".into(),
            ts: ts.into(),
            conversation_id: "c1".into(),
            line: "+16195550100".into(),
            compared_at: NOW - unread,
            compared_ts: String::new(),
            last_at: NOW - idle,
        }
    }

    const NOW: i64 = 1_800_000_000_000;
    const MINUTE: i64 = 60_000;
    const DAY: i64 = 24 * 60 * MINUTE;

    #[test]
    fn the_liveliest_come_first_and_the_oldest_in_the_end() {
        let lively = || {
            vec![
                thread("just compared", MINUTE, 0),
                thread("never compared, lively", NOW, MINUTE),
                thread("never compared, older", NOW, DAY),
                thread("old", DAY, 40 * DAY),
            ]
        };
        let oldest = || vec![thread("not compared for longest", 90 * DAY, 400 * DAY)];
        let chosen = |many, turn| {
            let chosen = choose(lively(), oldest(), (many, turn), NOW);
            chosen.into_iter().map(|one| one.ts).collect::<Vec<_>>()
        };
        assert_eq!(chosen(1, 0), ["never compared, lively"]);
        assert_eq!(chosen(1, 3), ["not compared for longest"]);
        assert_eq!(
            chosen(4, 0),
            [
                "never compared, lively",
                "never compared, older",
                "just compared",
                "not compared for longest"
            ]
        );
        assert_eq!(chosen(9, 0).len(), 5);
    }

    #[test]
    fn reads_come_in_a_burst_and_then_at_their_pace() {
        let reads = Reads::new(Duration::from_secs(95));
        let taken = (0..100).filter(|_| reads.take()).count();
        assert_eq!(taken, BURST as usize);
        let reads = Reads::new(Duration::from_secs(95));
        let by_rounds = (0..100).filter(|_| reads.take_spare()).count();
        let waited_for = (0..100).filter(|_| reads.take()).count();
        assert_eq!(by_rounds, (BURST - RESERVE) as usize);
        assert_eq!(waited_for, RESERVE as usize, "left by the rounds");
        assert_eq!(reads.apart, APART);
        // The shortest that the usual request_timeout allows stays below 50 a minute.
        let shortest = Reads::new(Duration::from_secs(20));
        assert!(60.0 / shortest.apart.as_secs_f64() < 50.0);
    }
}
