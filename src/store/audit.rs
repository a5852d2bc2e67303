//! The audit trail: an append-only table in which each row's hash covers the previous row's hash.
//!
//! The hash covers every column with its length, so that it detects both a changed text and a moved boundary between two
//! columns. The row in `audit_head` detects rows that are removed from the end.

mod verify;

use anyhow::Context;
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::FromRow;

use super::{Store, Tx, storable, timestamp};
use crate::phone::Address;
use crate::vocabulary::Decision;

pub use verify::Broken;

/// An audit entry to write.
#[derive(Debug, Clone)]
pub(crate) struct NewEntry {
    /// The line's name; empty if no line is concerned.
    pub(crate) line: String,
    /// The caller's address as Twilio writes it.
    pub(crate) number: String,
    /// What it is about: a MessageSid, a CallSid, a Slack `channel:ts`, or a person's name.
    pub(crate) subject: String,
    /// What was decided.
    pub(crate) decision: Decision,
    /// The reason, in words.
    pub(crate) reason: String,
    /// What else is needed to reconstruct the decision, as JSON; never the words of a text.
    pub(crate) detail: serde_json::Value,
    /// When it was decided, if that was before the transaction.
    pub(crate) at: Option<Timestamp>,
}

impl NewEntry {
    /// An entry that says nothing but what was decided.
    pub(crate) fn of(decision: Decision) -> NewEntry {
        NewEntry {
            line: String::new(),
            number: String::new(),
            subject: String::new(),
            decision,
            reason: String::new(),
            detail: serde_json::Value::Null,
            at: None,
        }
    }

    /// Logs a decision that is not written yet. Contains no words of a text and no full number.
    pub(crate) fn log(&self) {
        tracing::info!(
            target: "audit",
            line = self.line,
            number = Address::new(&self.number).redacted(),
            subject = self.subject,
            decision = %self.decision,
            reason = self.reason,
        );
    }

    /// Logs a written decision with its link in the chain. A copy of the log elsewhere can prove the trail later.
    pub(super) fn log_written(&self, link: &Link) {
        tracing::info!(
            target: "audit",
            seq = link.seq,
            hash = link.hash,
            line = self.line,
            number = Address::new(&self.number).redacted(),
            subject = self.subject,
            decision = %self.decision,
            reason = self.reason,
        );
    }

    /// Logs the link of a decision that was logged when it was made.
    pub(super) fn log_link(&self, link: &Link) {
        tracing::info!(
            target: "audit",
            seq = link.seq,
            hash = link.hash,
            subject = self.subject,
            decision = %self.decision,
            "written",
        );
    }
}

/// A row's number and hash. They prove whether the row, or any before it, was changed later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The row's number.
    pub seq: i64,
    /// The row's hash, in hexadecimal.
    pub hash: String,
}

/// A row of the audit trail.
#[derive(Debug, Clone, FromRow, Serialize)]
pub struct Entry {
    /// The row's number: counts from 1 without gaps.
    pub seq: i64,
    /// When it was decided, in milliseconds since the Unix epoch.
    pub at: i64,
    /// The line's name.
    pub line: String,
    /// The caller's number.
    pub number: String,
    /// What it is about: a MessageSid, a CallSid, a Slack `channel:ts`, or a person's name.
    pub subject: String,
    /// What was decided.
    pub decision: String,
    /// The reason, in words.
    pub reason: String,
    /// Details, as JSON.
    pub detail: String,
    /// The previous row's hash; empty for the first.
    pub previous: String,
    /// This row's hash: SHA-256 in hexadecimal.
    pub hash: String,
}

impl Entry {
    /// Returns when it was decided.
    pub fn time(&self) -> Timestamp {
        timestamp(self.at)
    }

    fn expected_hash(&self) -> String {
        let mut hasher = Sha256::new();
        let (seq, at) = (self.seq.to_string(), self.at.to_string());
        for field in [
            &self.previous,
            &seq,
            &at,
            &self.line,
            &self.number,
            &self.subject,
            &self.decision,
            &self.reason,
            &self.detail,
        ] {
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field.as_bytes());
        }
        hex::encode(hasher.finalize())
    }
}

pub(super) const COLUMNS: &str =
    "seq, at, line, number, subject, decision, reason, detail, previous, hash";

/// Appends the entries. Returns the link of each.
pub(super) async fn append(tx: &mut Tx, entries: &[NewEntry]) -> anyhow::Result<Vec<Link>> {
    let mut links = Vec::with_capacity(entries.len());
    if entries.is_empty() {
        return Ok(links);
    }
    // This update locks the row, so that replicas append one after another.
    let (mut seq, mut previous): (i64, String) =
        sqlx::query_as("update audit_head set seq = seq where id = 1 returning seq, hash")
            .fetch_one(&mut *tx.inner)
            .await
            .context("reading the end of the audit trail")?;
    for new in entries {
        seq += 1;
        let mut entry = Entry {
            seq,
            at: new.at.unwrap_or(tx.now).as_millisecond(),
            line: storable(&new.line),
            number: storable(&new.number),
            subject: storable(&new.subject),
            decision: new.decision.as_str().to_owned(),
            reason: storable(&new.reason),
            detail: new.detail.to_string(),
            previous: previous.clone(),
            hash: String::new(),
        };
        entry.hash = entry.expected_hash();
        insert(tx, &entry).await?;
        previous.clone_from(&entry.hash);
        links.push(Link {
            seq,
            hash: entry.hash,
        });
    }
    sqlx::query("update audit_head set seq = $1, hash = $2 where id = 1")
        .bind(seq)
        .bind(previous)
        .execute(&mut *tx.inner)
        .await
        .context("moving the end of the audit trail")?;
    Ok(links)
}

async fn insert(tx: &mut Tx, entry: &Entry) -> anyhow::Result<()> {
    sqlx::query(
        "insert into audit (seq, at, line, number, subject, decision, reason, detail, previous, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(entry.seq)
    .bind(entry.at)
    .bind(&entry.line)
    .bind(&entry.number)
    .bind(&entry.subject)
    .bind(&entry.decision)
    .bind(&entry.reason)
    .bind(&entry.detail)
    .bind(&entry.previous)
    .bind(&entry.hash)
    .execute(&mut *tx.inner)
    .await
    .context("appending to the audit trail")?;
    Ok(())
}

/// Selects audit rows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Rows at this time or later.
    pub since: Option<Timestamp>,
    /// Rows before this time.
    pub until: Option<Timestamp>,
    /// Rows about this CallSid or other subject.
    pub subject: Option<String>,
    /// Rows about this caller's number.
    pub number: Option<String>,
}

impl Filter {
    /// Returns the columns to compare and their values.
    fn exact(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("subject", &self.subject), ("number", &self.number)]
            .into_iter()
            .filter_map(|(column, value)| Some((column, value.as_deref()?)))
            .filter(|(_, value)| !value.is_empty())
    }

    /// Returns the query of a page. It contains only the requested conditions, since an optional condition cannot use an index.
    pub(super) fn page_sql(&self) -> String {
        let exact: Vec<String> = self
            .exact()
            .enumerate()
            .map(|(n, (column, _))| format!(" and {column} = ${}", n + 4))
            .collect();
        format!(
            "select {COLUMNS} from audit where seq > $1 and at >= $2 and at < $3{} order by seq limit ${}",
            exact.concat(),
            exact.len() + 4
        )
    }
}

/// The rows of a page.
const PAGE: i64 = 1_000;

impl Store {
    /// Returns a page of the rows after the number `after` that match the filter, oldest first.
    pub async fn audit_page(&self, filter: &Filter, after: i64) -> anyhow::Result<Vec<Entry>> {
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(filter.page_sql()))
            .bind(after)
            .bind(filter.since.map_or(i64::MIN, |at| at.as_millisecond()))
            .bind(filter.until.map_or(i64::MAX, |at| at.as_millisecond()));
        for (_, value) in filter.exact() {
            query = query.bind(value.to_owned());
        }
        query
            .bind(PAGE)
            .fetch_all(self.reader())
            .await
            .context("reading the audit trail")
    }
}
