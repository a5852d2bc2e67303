//! What a day brought, in numbers.

use anyhow::Context;
use jiff::Timestamp;

use super::Store;

/// How much there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) texts: i64,
    pub(crate) replies: i64,
    pub(crate) calls: i64,
    /// Of the calls, those that nobody took.
    pub(crate) missed: i64,
    /// Deliveries that were refused for good.
    pub(crate) refused: i64,
}

/// What there was on these lines since then.
pub(crate) async fn since(
    store: &Store,
    lines: &[&str],
    since: Timestamp,
) -> anyhow::Result<Tally> {
    let since = since.as_millisecond();
    let of = |what: &str| {
        let places: Vec<String> = (2..lines.len() + 2).map(|n| format!("${n}")).collect();
        what.replace("LINES", &places.join(", "))
    };
    let messages = "select count(*) from message m join conversation c on c.id = m.conversation_id
         where m.created_at >= $1 and c.line in (LINES)";
    let calls = "select count(*) from call where started_at >= $1 and line in (LINES)";
    Ok(Tally {
        texts: count(
            store,
            &of(&format!("{messages} and m.origin = 'twilio'")),
            since,
            lines,
        )
        .await?,
        replies: count(
            store,
            &of(&format!(
                "{messages} and m.origin = 'slack' and m.kept_inside = 0"
            )),
            since,
            lines,
        )
        .await?,
        calls: count(store, &of(calls), since, lines).await?,
        missed: count(
            store,
            &of(&format!("{calls} and state in ('missed', 'hung_up')")),
            since,
            lines,
        )
        .await?,
        refused: count(
            store,
            "select count(*) from outbox where state = 'refused' and created_at >= $1",
            since,
            &[],
        )
        .await?,
    })
}

async fn count(store: &Store, sql: &str, since: i64, lines: &[&str]) -> anyhow::Result<i64> {
    let mut query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).bind(since);
    for line in lines {
        query = query.bind(*line);
    }
    query
        .fetch_one(store.reader())
        .await
        .context("counting what the day brought")
}
