//! The state of the relay, read from its database.

use serde_json::{Value, json};

use crate::availability::sources::Sources;
use crate::bridge::slack::command;
use crate::calls::cache;
use crate::clock::Clock;
use crate::config::Config;
use crate::phone::Address;
use crate::routing::Situation;
use crate::store::audit::Entry;
use crate::store::outbox::{self, Row};
use crate::store::overview::{self, Asked};
use crate::store::{Store, calls};

/// How many rows the page shows at most.
const DECISIONS: i64 = 80;
const DELIVERIES: i64 = 50;

/// A reader of the relay's database. Clones share the same connection pool.
#[derive(Debug, Clone)]
pub struct Service {
    store: Store,
    config: Config,
    sources: Sources,
}

/// One reading of the database.
#[derive(Debug, Default)]
pub(super) struct Seen {
    decisions: Vec<Entry>,
    deliveries: Vec<Row>,
    who: String,
    pub(super) asked: Vec<Asked>,
}

impl Service {
    /// Opens the database, which the relay has created.
    pub async fn open(config: Config) -> anyhow::Result<Service> {
        Ok(Service {
            store: Store::open(config.database_url.as_str(), Clock::System).await?,
            sources: Sources::new(&config)?,
            config,
        })
    }

    /// Closes the database.
    pub async fn close(&self) {
        self.store.close().await;
    }

    pub(super) async fn see(&self) -> anyhow::Result<Seen> {
        let (decisions, deliveries, asked, who) = tokio::try_join!(
            overview::newest_decisions(&self.store, DECISIONS),
            outbox::unsettled(&self.store, (0, ""), DELIVERIES),
            overview::asked(&self.store),
            self.who(),
        )?;
        Ok(Seen {
            decisions,
            deliveries,
            who,
            asked,
        })
    }

    /// Returns whom a call would ring now, in the words of `/qdn who`.
    async fn who(&self) -> anyhow::Result<String> {
        let now = Clock::System.now();
        let since = now.checked_sub(cache::LONGEST_TALK).unwrap_or(now);
        let (everybody, talking) = tokio::join!(
            self.sources.read(&self.config, &self.store, &Clock::System),
            calls::talking(&self.store, since),
        );
        let situation = Situation {
            availability: everybody.availability,
            on_the_phone: talking?.into_iter().map(|(person, ..)| person).collect(),
            ..Situation::default()
        };
        let line = &self.config.lines[0];
        Ok(command::who::on_line(&self.config, line, None, situation))
    }
}

impl Seen {
    pub(super) fn shown(&self) -> Value {
        let decisions: Vec<Value> = self
            .decisions
            .iter()
            .map(|entry| {
                let number = match entry.number.as_str() {
                    "" => String::new(),
                    number => Address::new(number).display(),
                };
                json!({
                    "seq": entry.seq,
                    "at": entry.at,
                    "number": number,
                    "decision": entry.decision,
                    "reason": entry.reason,
                })
            })
            .collect();
        let deliveries: Vec<Value> = self
            .deliveries
            .iter()
            .map(|row| {
                json!({
                    "id": row.id,
                    "kind": row.kind,
                    "state": row.state,
                    "attempts": row.attempts,
                    "why": row.last_error,
                    "since": row.created_at,
                    "next": row.next_at,
                })
            })
            .collect();
        json!({"decisions": decisions, "deliveries": deliveries, "who": self.who})
    }
}
