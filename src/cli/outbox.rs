//! `qdn-relay outbox`: shows deliveries and lets the operator retry or drop them.

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Failed, open_existing};
use crate::config::{Config, Environment};
use crate::phone::Address;
use crate::store::audit::NewEntry;
use crate::store::outbox::{self, Row};
use crate::store::{Store, confirmations, conversations, lanes};
use crate::vocabulary::{
    AttemptResult, ConfirmationState, Decision, DeliveryState, Kind, OutboxId,
};

/// What `outbox` takes.
#[derive(Debug, Args)]
pub(super) struct Outbox {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Everything that waits, is undecided or was given up.
    List,
    /// One delivery with all its attempts.
    Show {
        /// As `list` shows it.
        id: String,
    },
    /// Has a delivery tried again now. A text that may have arrived can arrive twice by this.
    Retry {
        /// As `list` shows it.
        id: String,
    },
    /// Gives a delivery up, so that what stands behind it goes on.
    Drop {
        /// As `list` shows it.
        id: String,
    },
}

/// The page size for reading rows.
const PAGE: i64 = 500;

pub(super) async fn run(
    command: Outbox,
    path: &Path,
    environment: &Environment,
) -> Result<(), Failed> {
    let config = Config::load(path, environment)?;
    let store = open_existing(&config).await?;
    match command.action {
        Action::List => list(&store).await?,
        Action::Show { id } => show(&store, &find(&store, &id).await?).await?,
        Action::Retry { id } => {
            apply(&store, &config, &id, Change::Retry).await?;
            println!("{id} is tried again now");
        }
        Action::Drop { id } => {
            apply(&store, &config, &id, Change::Drop).await?;
            println!("{id} is given up");
        }
    }
    Ok(())
}

async fn find(store: &Store, id: &str) -> Result<Row, Failed> {
    let mut tx = store.begin().await?;
    let found = outbox::by_id(&mut tx, &OutboxId::new(id)).await?;
    found.ok_or_else(|| there_is_none(id))
}

fn there_is_none(id: &str) -> Failed {
    Failed::Usage(format!(
        "there is no delivery {id}; `qdn-relay outbox list` shows those there are"
    ))
}

async fn list(store: &Store) -> anyhow::Result<()> {
    println!(
        "{:<14}{:<10}{:<11}{:<9}{:<22}why",
        "id", "kind", "state", "attempts", "since (UTC)"
    );
    let mut after = (0, OutboxId::default());
    loop {
        let page = outbox::unsettled(store, (after.0, &after.1), PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = (last.created_at, last.id.clone());
        for row in &page {
            let since = row.created().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            println!(
                "{:<14}{:<10}{:<11}{:<9}{:<22}{}",
                row.id, row.kind, row.state, row.attempts, since, row.last_error
            );
        }
    }
}

async fn show(store: &Store, row: &Row) -> anyhow::Result<()> {
    println!("id          {}", row.id);
    println!("kind        {}", row.kind);
    println!("state       {}", row.state);
    println!("since       {}", row.created());
    if !row.conversation_id.is_empty() {
        let conversation = conversations::by_id(store, &row.conversation_id).await?;
        println!(
            "caller      {}",
            Address::new(conversation.caller).display()
        );
    }
    if !row.last_error.is_empty() {
        println!("why         {}", row.last_error);
    }
    if !row.external_id.is_empty() {
        println!("known as    {}", row.external_id);
    }
    for attempt in outbox::attempts(store, &row.id).await? {
        let outcome = if attempt.outcome == AttemptResult::UnderWay {
            "under way".to_owned()
        } else {
            attempt.outcome.to_string()
        };
        println!(
            "attempt {}   {}  {outcome}  {}",
            attempt.n,
            attempt.started(),
            attempt.detail
        );
    }
    Ok(())
}

/// What the operator can do with a delivery.
#[derive(Debug, Clone, Copy)]
enum Change {
    Retry,
    Drop,
}

impl Change {
    /// Returns why the row cannot be changed, if so.
    fn refusal(self, row: &Row) -> Option<String> {
        use DeliveryState::{Delivered, Dropped, Sending, Unknown};
        match (self, row.state.known()?) {
            (Change::Retry, Delivered | Sending | Unknown) => Some(format!(
                "{} is {}: only what waits, is held, undecided, refused or dropped can be tried again",
                row.id, row.state
            )),
            (Change::Drop, Delivered | Dropped | Sending) => Some(format!(
                "{} is {}: there is nothing to give up",
                row.id, row.state
            )),
            _ => None,
        }
    }

    fn state(self) -> DeliveryState {
        match self {
            Change::Retry => DeliveryState::Waiting,
            Change::Drop => DeliveryState::Dropped,
        }
    }

    /// Returns how the question to the writer ends, if the delivery waits for an answer.
    fn answer(self) -> ConfirmationState {
        match self {
            Change::Retry => ConfirmationState::Sent,
            Change::Drop => ConfirmationState::Gone,
        }
    }

    fn decision(self) -> Decision {
        match self {
            Change::Retry => Decision::OperatorRetry,
            Change::Drop => Decision::OperatorDrop,
        }
    }
}

/// Checks the row and sets its state in one transaction, since a worker may claim it at any moment.
async fn apply(store: &Store, config: &Config, id: &str, change: Change) -> Result<(), Failed> {
    let mut tx = store.begin().await?;
    let row = outbox::by_id(&mut tx, &OutboxId::new(id))
        .await?
        .ok_or_else(|| there_is_none(id))?;
    if let Some(why) = change.refusal(&row) {
        return Err(Failed::Usage(why));
    }
    let now = tx.now().as_millisecond();
    outbox::set_state(&mut tx, &row.id, change.state(), now, "").await?;
    lanes::advance(&mut tx, &row.lane).await?;
    if row.state == DeliveryState::AwaitingWriter {
        // This answers the question to the writer, so close it.
        confirmations::close(&mut tx, &row.message_id, change.answer()).await?;
    }
    let mut entry = NewEntry {
        subject: row.id.to_string(),
        reason: "on the command line".into(),
        detail: json!({ "conversation": row.conversation_id, "message": row.message_id, "outbox": row.id, "kind": row.kind }),
        ..NewEntry::of(change.decision())
    };
    if !row.conversation_id.is_empty() {
        let conversation = conversations::by_id(&mut tx, &row.conversation_id).await?;
        entry.line = config
            .line_of(&conversation.line)
            .map_or_else(String::new, |line| line.name.clone());
        entry.number = conversation.caller;
        if !row.message_id.is_empty() && row.kind != Kind::Mark {
            crate::delivery::enqueue_mark(&mut tx, &row.conversation_id, &row.message_id).await?;
        }
    }
    tx.audit(entry);
    tx.commit().await?;
    Ok(())
}
