//! Verifies the hash chain, from the database alone and against rows that are known from elsewhere.

use anyhow::Context;

use super::{Entry, Filter, Link};
use crate::store::Store;

/// The place where the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The first row that is wrong.
    pub seq: i64,
    /// What is wrong.
    pub what: &'static str,
}

impl Store {
    /// Verifies the whole chain and returns its end; `Ok(Err(…))` says where it is broken. Each of `expected` has to be in it.
    /// Without an expected row, a chain that somebody has recomputed passes.
    pub async fn verify_audit(&self, expected: &[Link]) -> anyhow::Result<Result<Link, Broken>> {
        let mut end = Link {
            seq: 0,
            hash: String::new(),
        };
        loop {
            let page = self.audit_page(&Filter::default(), end.seq).await?;
            if page.is_empty() {
                break;
            }
            for entry in page {
                if let Some(what) = wrong(&entry, &end, expected) {
                    let seq = end.seq + 1;
                    return Ok(Err(Broken { seq, what }));
                }
                end = Link {
                    seq: entry.seq,
                    hash: entry.hash,
                };
            }
        }
        if let Some(missing) = expected.iter().find(|link| link.seq > end.seq) {
            return Ok(Err(Broken {
                seq: missing.seq,
                what: "this row is expected and missing: the trail was cut",
            }));
        }
        Ok(self.check_end(&end).await?.map_or(Ok(end), Err))
    }

    /// Compares the stored end of the trail with its last row.
    async fn check_end(&self, end: &Link) -> anyhow::Result<Option<Broken>> {
        let (said, hash): (i64, String) =
            sqlx::query_as("select seq, hash from audit_head where id = 1")
                .fetch_one(self.reader())
                .await
                .context("reading the end of the audit trail")?;
        // Rows may have been added between the two reads, but there must not be fewer than the stored end says.
        if said < end.seq || (said == end.seq && hash != end.hash) {
            return Ok(Some(Broken {
                seq: end.seq,
                what: "the trail's end does not match its last row",
            }));
        }
        let is_cut = said > end.seq
            && self
                .audit_page(&Filter::default(), end.seq)
                .await?
                .is_empty();
        Ok(is_cut.then_some(Broken {
            seq: end.seq + 1,
            what: "rows are missing at the end",
        }))
    }
}

/// Returns what is wrong with the row after `before`, if anything.
fn wrong(entry: &Entry, before: &Link, expected: &[Link]) -> Option<&'static str> {
    if entry.seq != before.seq + 1 {
        return Some("this row is missing");
    }
    if entry.previous != before.hash {
        return Some("it does not follow the row before it");
    }
    if entry.hash != entry.expected_hash() {
        return Some("this row was changed after it was written");
    }
    expected
        .iter()
        .any(|link| link.seq == entry.seq && link.hash != entry.hash)
        .then_some(
            "this row is not the expected one: it or a row before it was changed, and the chain computed anew",
        )
}
