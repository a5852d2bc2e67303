//! Reads the overrides that people set with the slash command. A copy in memory is used if the database does not answer.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use super::Override;
use crate::store::{self, Store};

/// How long a call waits for the database before it uses the copy in memory.
const BUDGET: Duration = Duration::from_millis(250);

/// The overrides last read from the database, by person. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides(Arc<RwLock<HashMap<String, Override>>>);

impl Overrides {
    /// Reads all overrides from the database, including expired ones. If that fails or takes too long, returns those last read.
    pub(crate) async fn read(&self, store: &Store) -> HashMap<String, Override> {
        match tokio::time::timeout(BUDGET, store::availability::all(store)).await {
            Ok(Ok(rows)) => {
                let stored: HashMap<String, Override> =
                    rows.into_iter().filter_map(of_row).collect();
                if let Ok(mut copy) = self.0.write() {
                    copy.clone_from(&stored);
                }
                return stored;
            }
            Ok(Err(error)) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "reading the availability overrides failed; using the last known ones"
                );
            }
            Err(_) => {
                tracing::warn!(
                    "reading the availability overrides took too long; using the last known ones"
                )
            }
        }
        self.0.read().map(|copy| copy.clone()).unwrap_or_default()
    }
}

fn of_row(row: store::availability::Row) -> Option<(String, Override)> {
    let Some(state) = row.state.known() else {
        tracing::warn!(
            state = %row.state,
            "an availability override is ignored: a later version of the service wrote it"
        );
        return None;
    };
    let (until, at) = (row.until(), row.said_at());
    Some((
        row.person,
        Override {
            state,
            until,
            reason: row.reason,
            by: row.said_by,
            at,
        },
    ))
}
