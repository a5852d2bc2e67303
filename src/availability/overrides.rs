//! What people said of their availability: the database's word, with a copy in memory for when it does not answer.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use super::{Override, State};
use crate::store::{self, Store};

/// How long a call waits for the database before it goes by what this process heard last.
const BUDGET: Duration = Duration::from_millis(250);

/// Everybody's last word, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides(Arc<RwLock<HashMap<String, Override>>>);

impl Overrides {
    /// What was said, as the database has it, or as it was last heard if the database takes too long.
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
                    "availability is decided from memory: the database cannot be read"
                );
            }
            Err(_) => {
                tracing::warn!("availability is decided from memory: the database takes too long")
            }
        }
        self.0.read().map(|copy| copy.clone()).unwrap_or_default()
    }
}

fn of_row(row: store::availability::Row) -> Option<(String, Override)> {
    let state = State::parse(&row.state)?;
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
