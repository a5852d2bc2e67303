//! Daily statistics, counted per quarter of an hour in the transactions that change them.

use anyhow::Context;
use jiff::Timestamp;
use sqlx::FromRow;

use super::{Store, Tx};
use crate::vocabulary::ConversationId;

/// The period of a row, in milliseconds. In every time zone, midnight is between two of these periods.
const SLOT: i64 = 15 * 60 * 1_000;

/// Counts, or changes of counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromRow)]
pub(crate) struct Tally {
    pub(crate) texts: i64,
    pub(crate) replies: i64,
    pub(crate) calls: i64,
    /// The calls that nobody answered.
    pub(crate) missed: i64,
}

/// Adds to the counts of a line at a time, in milliseconds since the Unix epoch.
pub(super) async fn add(tx: &mut Tx, line: &str, at: i64, more: Tally) -> anyhow::Result<()> {
    if more == Tally::default() {
        return Ok(());
    }
    sqlx::query(
        "insert into daily_stat (line, slot, texts, replies, calls, missed) values ($1, $2, $3, $4, $5, $6)
         on conflict (line, slot) do update set texts = daily_stat.texts + excluded.texts,
             replies = daily_stat.replies + excluded.replies, calls = daily_stat.calls + excluded.calls,
             missed = daily_stat.missed + excluded.missed",
    )
    .bind(line)
    .bind(at.div_euclid(SLOT))
    .bind(more.texts)
    .bind(more.replies)
    .bind(more.calls)
    .bind(more.missed)
    .execute(&mut *tx.inner)
    .await
    .context("counting what came to a line")?;
    Ok(())
}

/// Adds to the counts of a conversation's line.
pub(super) async fn add_to(
    tx: &mut Tx,
    conversation_id: &ConversationId,
    at: i64,
    more: Tally,
) -> anyhow::Result<()> {
    let line: Option<String> = sqlx::query_scalar("select line from conversation where id = $1")
        .bind(conversation_id)
        .fetch_optional(&mut *tx.inner)
        .await
        .context("looking for a conversation's line")?;
    match line {
        Some(line) => add(tx, &line, at, more).await,
        None => Ok(()),
    }
}

pub(super) fn since_sql(lines: usize) -> String {
    let places: Vec<String> = (2..lines + 2).map(|n| format!("${n}")).collect();
    let sum = |column: &str| format!("cast(coalesce(sum({column}), 0) as bigint) as {column}");
    let sums = ["texts", "replies", "calls", "missed"].map(sum).join(", ");
    format!(
        "select {sums} from daily_stat where slot >= $1 and line in ({})",
        places.join(", ")
    )
}

/// Returns the sum of the counts of these lines since a midnight.
pub(crate) async fn since(
    store: &Store,
    lines: &[&str],
    since: Timestamp,
) -> anyhow::Result<Tally> {
    let sql = since_sql(lines.len());
    let mut query =
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(since.as_millisecond().div_euclid(SLOT));
    for line in lines {
        query = query.bind(*line);
    }
    query
        .fetch_one(store.reader())
        .await
        .context("summing up what the day brought")
}

pub(super) const REFUSED: &str =
    "select count(*) from outbox where state = 'refused' and created_at >= $1";

/// Returns how many deliveries that were enqueued since then were refused permanently.
pub(crate) async fn refused(store: &Store, since: Timestamp) -> anyhow::Result<i64> {
    sqlx::query_scalar(REFUSED)
        .bind(since.as_millisecond())
        .fetch_one(store.reader())
        .await
        .context("counting what was given up")
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Executor};

    use super::*;
    use crate::clock::Clock;
    use crate::store::calls::{self, NewCall};
    use crate::store::messages::{self, NewMessage};
    use crate::store::{conversations, plans};
    use crate::vocabulary::{CallState, MessageId, Origin};

    const LINE: &str = "+16195550100";

    async fn message(
        tx: &mut Tx,
        conversation: &ConversationId,
        origin: Origin,
        id: &str,
        inside: bool,
    ) -> MessageId {
        let new = NewMessage {
            conversation_id: conversation,
            origin,
            external_id: id,
            author: "somebody",
            body: "words",
            channel: "",
            ts: "",
            internal: inside,
        };
        // A repeated message counts once.
        let kept = messages::insert(tx, &new).await.unwrap();
        assert_eq!(messages::insert(tx, &new).await.unwrap(), None);
        kept.unwrap()
    }

    async fn call(tx: &mut Tx, conversation: &ConversationId, sid: &str, states: &[CallState]) {
        let new = NewCall {
            sid,
            conversation_id: conversation,
            line: LINE,
            caller: "+16195550142",
            started: tx.now(),
        };
        calls::insert(tx, &new).await.unwrap();
        for state in states {
            calls::advance(tx, sid, *state, "", 0).await.unwrap();
        }
    }

    /// Writes messages and calls of each sort. Returns what they count as.
    async fn fill(tx: &mut Tx) -> Tally {
        let conversation = conversations::open(tx, LINE, "+16195550142", "")
            .await
            .unwrap()
            .id;
        for (origin, id, inside) in [
            (Origin::Twilio, "t1", false),
            (Origin::Twilio, "t2", false),
            (Origin::Desk, "d1", false),
            (Origin::Slack, "s1", false),
            (Origin::Slack, "s2", true),
        ] {
            message(tx, &conversation, origin, id, inside).await;
        }
        let held = message(tx, &conversation, Origin::Slack, "s3", false).await;
        for _ in 0..2 {
            messages::set_internal(tx, &held).await.unwrap();
        }
        for (sid, states) in [
            ("CA1", vec![CallState::Talking, CallState::Answered]),
            ("CA2", vec![CallState::HungUp]),
            (
                "CA3",
                vec![CallState::HungUp, CallState::Missed, CallState::Missed],
            ),
            ("CA4", vec![CallState::Missed, CallState::Answered]),
        ] {
            call(tx, &conversation, sid, &states).await;
        }
        Tally {
            texts: 2,
            replies: 1,
            calls: 4,
            missed: 2,
        }
    }

    /// Replaces the counts by those that the migration computes for an older database.
    async fn count_as_the_migration_does(store: &Store) {
        store
            .writer
            .execute("delete from daily_stat")
            .await
            .unwrap();
        let upgrade = include_str!("../../migrations/0013_day_tallies.sql");
        let counted = upgrade
            .split(';')
            .find(|sql| sql.trim_start().starts_with("insert"));
        // By the names that later migrations gave to what it reads and writes.
        let counted = counted.unwrap().replace("into tally", "into daily_stat");
        let counted = counted.replace("m.kept_inside", "m.internal");
        store.writer.execute(AssertSqlSafe(counted)).await.unwrap();
    }

    /// The counts made at run time equal those that the migration computes for an older database.
    async fn both_count_the_same(url: &str) {
        let store = Store::open(url, Clock::System).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let began = tx.now();
        let expected = fill(&mut tx).await;
        tx.commit().await.unwrap();
        let midnight = began
            .checked_sub(jiff::SignedDuration::from_mins(15))
            .unwrap();
        let lines = [LINE, "+16195550101"];
        assert_eq!(since(&store, &lines, midnight).await.unwrap(), expected);
        assert_eq!(
            since(&store, &lines[1..], midnight).await.unwrap(),
            Tally::default()
        );
        let later = began
            .checked_add(jiff::SignedDuration::from_mins(16))
            .unwrap();
        assert_eq!(
            since(&store, &lines, later).await.unwrap(),
            Tally::default()
        );

        count_as_the_migration_does(&store).await;
        assert_eq!(since(&store, &lines, midnight).await.unwrap(), expected);
        store.close().await;
    }

    #[tokio::test]
    async fn a_day_is_counted_as_it_happens_and_after_an_upgrade_on_sqlite() {
        let folder = tempfile::tempdir().unwrap();
        both_count_the_same(&format!(
            "sqlite://{}",
            folder.path().join("qdn.db").display()
        ))
        .await;
    }

    #[tokio::test]
    async fn a_day_is_counted_as_it_happens_and_after_an_upgrade_on_postgres() {
        if let Some((mut maintenance, url, name)) = plans::postgres("qdn_tally").await {
            both_count_the_same(&url).await;
            let drop = AssertSqlSafe(format!("drop database {name} with (force)"));
            maintenance.execute(drop).await.unwrap();
        }
    }
}
