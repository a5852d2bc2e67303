//! Keeps waiting replies in the order in which they were written, and holds them back until their thread is in sync.

use anyhow::Context;
use jiff::Timestamp;
use sqlx::FromRow;

use super::{Store, Tx, lanes};
use crate::vocabulary::{ConversationId, DeliveryState, Kind, MessageId, OutboxId, Stored};

/// The bell that rings when a reply waits for a read of its thread.
pub(crate) const COMPARE: &str = "compare";

#[derive(Debug, FromRow)]
struct Place {
    seq: i64,
    state: Stored<DeliveryState>,
    attempts: i64,
    created_at: i64,
    message_id: MessageId,
    ts: String,
    written_at: i64,
    /// Whether any part of its reply was ever tried, including finished ones.
    begun: i64,
}

impl Place {
    /// Whether the row may change its place: it is a reply that was never tried and is still in its first place. A reply that
    /// was moved by a later decision stays there.
    fn is_free(&self) -> bool {
        let is_waiting = self.state == DeliveryState::Waiting && self.attempts == 0;
        is_waiting && self.begun == 0 && !self.ts.is_empty() && self.created_at == self.written_at
    }

    fn is_with(&self, next: &Place) -> bool {
        let is_one_reply = !self.message_id.is_empty() && self.message_id == next.message_id;
        self.seq == next.seq || is_one_reply
    }
}

/// Sorts the waiting replies of a lane by the time of their writing. No reply passes a row that was tried already.
pub(crate) async fn by_writing(tx: &mut Tx, lane: &str) -> anyhow::Result<()> {
    // Lock the lane: a worker that claims its head waits for this transaction, or was done before the rows are read.
    sqlx::query("update lane set due = due where id = $1")
        .bind(lane)
        .execute(&mut *tx.inner)
        .await
        .context("locking a lane")?;
    let places: Vec<Place> = sqlx::query_as(
        "select o.seq, o.state, o.attempts, o.created_at, o.message_id, coalesce(m.ts, '') as ts,
             coalesce(m.created_at, 0) as written_at,
             case when m.id is not null and exists (select 1 from outbox other where other.message_id = o.message_id
                 and other.lane = o.lane and other.attempts > 0) then 1 else 0 end as begun
         from outbox o left join message m on m.id = o.message_id and m.origin = 'slack'
         where o.lane = $1 and o.pending = 1 order by o.seq, o.part",
    )
    .bind(lane)
    .fetch_all(&mut *tx.inner)
    .await
    .context("reading what waits in a lane")?;
    let moves = moves(&places);
    for (from, to) in &moves {
        // Move over negative numbers, which no row has, so that no place is taken twice.
        set_seq(tx, lane, *from, -to).await?;
    }
    for (_, to) in &moves {
        set_seq(tx, lane, -to, *to).await?;
    }
    Ok(())
}

/// Returns the moves, from place to place. The parts of one place stay together, and so do the texts of one reply.
fn moves(places: &[Place]) -> Vec<(i64, i64)> {
    let replies: Vec<&[Place]> = places.chunk_by(Place::is_with).collect();
    let is_free = |reply: &[Place]| reply.iter().all(Place::is_free);
    let mut moves = Vec::new();
    for run in replies.chunk_by(|one, next| is_free(one) && is_free(next)) {
        let mut written = run.to_vec();
        // A stable sort. A ts has ten digits before its dot and six after it, so text order is time order.
        written.sort_by(|one, other| one[0].ts.cmp(&other[0].ts));
        let from = written.into_iter().flat_map(seqs);
        let to = run.iter().copied().flat_map(seqs);
        moves.extend(from.zip(to).filter(|(from, to)| from != to));
    }
    moves
}

/// Returns the places of a reply's texts.
fn seqs(reply: &[Place]) -> impl Iterator<Item = i64> {
    reply
        .chunk_by(|one, next| one.seq == next.seq)
        .map(|parts| parts[0].seq)
}

async fn set_seq(tx: &mut Tx, lane: &str, from: i64, to: i64) -> anyhow::Result<()> {
    sqlx::query("update outbox set seq = $1 where lane = $2 and seq = $3")
        .bind(to)
        .bind(lane)
        .bind(from)
        .execute(&mut *tx.inner)
        .await
        .context("moving a reply in its lane")?;
    Ok(())
}

/// Holds these rows back until `until`, or until their thread is in sync, and rings the bell for that.
pub(crate) async fn hold_back(
    tx: &mut Tx,
    rows: &[OutboxId],
    until: Timestamp,
) -> anyhow::Result<()> {
    for row in rows {
        sqlx::query("update outbox set next_at = $1 where id = $2 and state = 'waiting'")
            .bind(until.as_millisecond())
            .bind(row)
            .execute(&mut *tx.inner)
            .await
            .context("holding a reply back")?;
    }
    tx.throttles.push(COMPARE.to_owned());
    Ok(())
}

/// Holds every waiting reply that was never tried back until `until`. Returns their conversations.
pub(crate) async fn hold_all_back(
    tx: &mut Tx,
    until: Timestamp,
) -> anyhow::Result<Vec<ConversationId>> {
    let sql = format!(
        "update outbox set next_at = $1 where pending = 1 and state = 'waiting' and attempts = 0
             and kind in ({}) and next_at < $1
             and message_id in (select id from message where origin = 'slack')
         returning lane, conversation_id",
        Kind::sql_texts()
    );
    let mut held: Vec<(String, ConversationId)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(until.as_millisecond())
        .fetch_all(&mut *tx.inner)
        .await
        .context("holding replies back")?;
    held.sort();
    held.dedup();
    for (lane, _) in &held {
        lanes::advance(tx, lane).await?;
    }
    Ok(held
        .into_iter()
        .map(|(_, conversation)| conversation)
        .collect())
}

const HELD_BACK: &str = "lane = $1 and state = 'waiting' and attempts = 0 and next_at > $2";

/// Whether any reply in this lane is held back.
pub(crate) async fn is_held_back(store: &Store, lane: &str) -> anyhow::Result<bool> {
    let sql = format!("select id from outbox where {HELD_BACK} and pending = 1 limit 1");
    let found: Option<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(lane)
        .bind(store.now().as_millisecond())
        .fetch_optional(store.reader())
        .await
        .context("looking for what is held back")?;
    Ok(found.is_some())
}

/// Releases the replies that are held back in a lane, in the order of their writing.
pub(crate) async fn let_go(tx: &mut Tx, lane: &str) -> anyhow::Result<()> {
    by_writing(tx, lane).await?;
    let sql = format!("update outbox set next_at = $2 where {HELD_BACK} and pending = 1");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(lane)
        .bind(tx.now_ms())
        .execute(&mut *tx.inner)
        .await
        .context("letting replies go")?;
    lanes::advance(tx, lane).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(seq: i64, attempts: i64, ts: &str) -> Place {
        Place {
            seq,
            state: DeliveryState::Waiting.into(),
            attempts,
            created_at: 7,
            message_id: MessageId::default(),
            ts: ts.into(),
            written_at: 7,
            begun: 0,
        }
    }

    #[test]
    fn what_waits_stands_in_the_order_of_its_writing() {
        let sorted = |places: &[Place]| {
            let moves = moves(places);
            let mut order: Vec<(i64, String)> = places
                .iter()
                .map(|place| {
                    let moved = moves.iter().find(|(from, _)| *from == place.seq);
                    (moved.map_or(place.seq, |(_, to)| *to), place.ts.clone())
                })
                .collect();
            order.sort_by_key(|(seq, _)| *seq);
            order.into_iter().map(|(_, ts)| ts).collect::<Vec<_>>()
        };
        for (before, after) in [
            (vec![(0, "1"), (0, "2")], vec!["1", "2"]),
            (vec![(0, "3"), (0, "1"), (0, "2")], vec!["1", "2", "3"]),
            // Nothing passes a row that was tried or is not a reply.
            (vec![(1, "3"), (0, "2"), (0, "1")], vec!["3", "1", "2"]),
            (vec![(0, "3"), (1, "2"), (0, "1")], vec!["3", "2", "1"]),
            (vec![(0, "3"), (0, ""), (0, "1")], vec!["3", "", "1"]),
        ] {
            let places: Vec<Place> = before
                .iter()
                .enumerate()
                .map(|(seq, (attempts, ts))| place(seq as i64 + 1, *attempts, ts))
                .collect();
            assert_eq!(sorted(&places), after, "{before:?}");
        }
        let mut decided = place(1, 0, "2");
        decided.created_at = 9;
        assert_eq!(sorted(&[decided, place(2, 0, "1")]), ["2", "1"]);
    }

    #[test]
    fn the_texts_of_one_reply_move_together_or_not_at_all() {
        let text = |seq, message: &str, ts: &str| Place {
            message_id: MessageId::new(message),
            ..place(seq, 0, ts)
        };
        let long = |later: Place| {
            [
                text(1, "a", "2"),
                text(2, "a", "2"),
                text(3, "a", "2"),
                later,
            ]
        };
        let earlier = || text(4, "b", "1");
        assert_eq!(moves(&long(earlier())), [(4, 1), (1, 2), (2, 3), (3, 4)]);
        // Its first text is under way, or has left and does not stand there any more.
        let mut tried = long(earlier());
        tried[0].attempts = 1;
        assert_eq!(moves(&tried), []);
        let left = long(earlier()).map(|place| Place {
            begun: i64::from(*place.message_id == *"a"),
            ..place
        });
        assert_eq!(moves(&left[1..]), []);
    }
}
