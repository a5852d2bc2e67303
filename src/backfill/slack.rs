//! Finds replies whose event never reached us: reads the threads from Slack in turn and compares them with the database.
//!
//! Active threads are read more often. A quarter of the reads goes to the threads that have not been read for longest, so
//! that every thread is read eventually. A thread in which replies wait is read at once (see `thread_sync`). All reads share
//! one token bucket: Slack allows 50 reads a minute, some of which other tasks need.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::thread::{self, compare, compared_from};
use super::unreadable::Unreadable;
use super::{MARGIN, clock, move_watermark};
use crate::app::App;
use crate::clients::Clients;
use crate::config::Line;
use crate::delivery;
use crate::log_limit::LogLimit;
use crate::slack::{ChannelId, MessageTs, TeamId};
use crate::store::threads::{self, Compared};
use crate::store::{kv, order};
use crate::thread_sync;

/// The average time between reads: 24 a minute. With a `settle_after` below `APART_FROM` it shrinks in proportion, but with
/// any reasonable `request_timeout` it stays above Slack's limit.
const APART: Duration = Duration::from_millis(2_500);
const APART_FROM: Duration = Duration::from_secs(40);

/// The capacity of the token bucket: the most reads at once after a quiet time.
const BURST: f64 = 20.0;

/// The tokens that the rounds leave for threads in which replies wait.
const RESERVE: f64 = 8.0;

/// The most active threads of a line that a round chooses from. The others are read in the order of their last read.
const LIVELY: i64 = 200;

/// In milliseconds, added to a thread's idle time in its urgency. A thread that has just been active is as urgent after this
/// time as a thread that has been idle for this time is after twice as long.
const FRESH: f64 = 300_000.0;

/// The most threads of a conversation that are read before its replies leave after a start.
const OF_CONVERSATION: i64 = 5;

/// After how many seconds (scaled with `settle_after`) a thread in which replies wait is tried again.
const TRIED_AGAIN: f64 = 1.0;
const LEAST_TRIED_AGAIN: Duration = Duration::from_millis(100);

/// The token bucket for reads, and the channels that cannot be read.
#[derive(Debug)]
pub(super) struct Reads {
    apart: Duration,
    level: Mutex<(f64, Instant)>,
    /// The channels that cannot be read.
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

    /// Refills the bucket and returns its tokens.
    fn allowed(&self) -> f64 {
        let Ok(mut level) = self.level.lock() else {
            return 0.0;
        };
        let now = Instant::now();
        let earned = now.duration_since(level.1).as_secs_f64() / self.apart.as_secs_f64();
        *level = ((level.0 + earned).min(BURST), now);
        level.0
    }

    /// Returns the tokens that a round may use.
    fn spare(&self) -> f64 {
        (self.allowed() - RESERVE).max(0.0)
    }

    /// Takes a token, if there is one.
    fn take(&self) -> bool {
        self.take_above(0.0)
    }

    /// Takes a token for a round, if more than the reserve is left.
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

/// Reads some threads of the line and saves the replies that we do not have. Returns their number. `turn` counts the rounds.
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
    let round = Round {
        app,
        clients,
        reads,
        number,
        team,
        current,
    };
    let chosen = round.choose_threads(turn).await?;
    let (found, failed) = round.read(chosen).await;
    match failed {
        None => move_watermark(app, &format!("backfill.replies.{number}"), begun).await?,
        Some(error) if found == 0 => return Err(error),
        Some(error) => tracing::warn!(
            error = format!("{error:#}"),
            "comparing a thread failed; trying again"
        ),
    }
    Ok(found)
}

/// A round of reads of one line.
struct Round<'a> {
    app: &'a App,
    clients: &'a Clients,
    reads: &'a Reads,
    number: &'a str,
    team: TeamId,
    /// The line's channel by the current configuration.
    current: ChannelId,
}

impl Round<'_> {
    /// Chooses the threads to read: as many as the line's share of the spare tokens.
    async fn choose_threads(&self, turn: usize) -> anyhow::Result<Vec<Compared>> {
        let Round { app, number, .. } = *self;
        // The number of tokens is small; the cast drops its fraction on purpose.
        let many = (self.reads.spare() / app.config.lines.len() as f64).max(1.0) as usize;
        let mut lively = threads::lively(&app.store, number, LIVELY).await?;
        lively.retain(|thread| !self.skips(thread));
        let resting = threads::longest_unread(&app.store, number, i64::try_from(many)?).await?;
        let (skipped, resting): (Vec<_>, Vec<_>) =
            resting.into_iter().partition(|thread| self.skips(thread));
        for thread in skipped {
            thread::put_behind(app, &thread).await?;
        }
        let now = app.store.now().as_millisecond();
        Ok(choose(lively, resting, (many, turn), now))
    }

    /// Reads the threads while there are tokens. Returns the number of replies that were saved, and the last error.
    async fn read(&self, chosen: Vec<Compared>) -> (usize, Option<anyhow::Error>) {
        let unreadable = &self.reads.unreadable;
        let (mut found, mut failed) = (0, None);
        for thread in chosen {
            if self.skips(&thread) {
                continue;
            }
            if !self.reads.take_spare() {
                break;
            }
            // A thread that cannot be read does not keep the others from being read.
            match compare(self.app, self.clients, &self.team, &thread).await {
                Ok(replies) => {
                    unreadable.forget(&thread.channel);
                    found += replies;
                }
                Err(error)
                    if unreadable.note(&thread.channel, &error) && !self.is_current(&thread) => {}
                Err(error) => failed = Some(error),
            }
        }
        (found, failed)
    }

    /// Whether the thread is in an unreadable channel. Threads in the line's current channel are read even then, since its
    /// failure must be reported as long as it lasts.
    fn skips(&self, thread: &Compared) -> bool {
        !self.is_current(thread) && self.reads.unreadable.contains(&thread.channel)
    }

    fn is_current(&self, thread: &Compared) -> bool {
        thread.channel == self.current.as_str()
    }
}

/// Stores, once, the time from which on threads are searched for replies. Earlier versions searched before that.
async fn know_from(app: &App, number: &str, now: Timestamp) -> anyhow::Result<()> {
    let name = compared_from(number);
    if kv::read(&app.store, &name).await?.is_some() {
        return Ok(());
    }
    let watermark = kv::read(&app.store, &format!("backfill.replies.{number}")).await?;
    let watermark = watermark.and_then(|at| Timestamp::from_millisecond(at.parse().ok()?).ok());
    let from = watermark.unwrap_or(now).checked_sub(MARGIN)?;
    let mut tx = app.store.begin().await?;
    let from = MessageTs::from_timestamp(from);
    kv::write_first(&mut tx, &name, from.as_str()).await?;
    tx.commit().await
}

/// Chooses the `many` threads to read in the round `turn`: a quarter of them because they have not been read for longest,
/// the others by urgency, which is the time since the last read divided by the idle time.
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

/// Holds back the replies that are in the queue at the start, and asks for a read of their threads.
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

/// Reads the threads in which replies wait, whenever there are any. Never returns.
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
                // If replies are not committed yet, their commit rings the bell later.
                Ok(true) => app.thread_sync.finish(&wanted),
                Ok(false) => {}
                Err(error) => {
                    if let Some(times) = warnings.record() {
                        tracing::warn!(
                            times,
                            error = format!("{error:#}"),
                            "reading threads whose replies wait failed"
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

/// Reads one thread in which replies wait, or releases them if it is in sync already. Returns whether replies were released.
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
        // The comparison has released what waited.
        Ok(_) => Ok(false),
        Err(error) if reads.unreadable.note(channel, &error) => {
            // The channel cannot be read, so waiting does not help.
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
            conversation_id: crate::vocabulary::ConversationId::new("c1"),
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
        // The shortest settle_after that the usual request_timeout allows stays below 50 reads a minute.
        let shortest = Reads::new(Duration::from_secs(20));
        assert!(60.0 / shortest.apart.as_secs_f64() < 50.0);
    }
}
