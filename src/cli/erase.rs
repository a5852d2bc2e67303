//! `qdn-relay erase`: takes away what one number wrote and was written, and keeps what happened.

use std::path::Path;

use clap::Args;
use serde_json::json;

use super::{Failed, confirm, open_existing};
use crate::config::{Config, Environment};
use crate::phone::Address;
use crate::store::audit::NewEntry;
use crate::store::forget::{self, Forgotten};
use crate::store::{Store, conversations};

/// What `erase` takes.
#[derive(Debug, Args)]
pub(super) struct Erase {
    /// With the country code, such as +16195550142.
    number: String,
    /// Erases without asking.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(
    erase: Erase,
    path: &Path,
    environment: &Environment,
) -> Result<(), Failed> {
    let config = Config::load(path, environment)?;
    let number = Address::new(erase.number.trim());
    if !number.as_str().starts_with('+') && !number.as_str().bytes().all(|it| it.is_ascii_digit()) {
        return Err(Failed::Usage(format!(
            "{} is no number: write it with the country code, such as +16195550142",
            erase.number
        )));
    }
    let store = open_existing(&config).await?;
    let mut tx = store.begin().await?;
    let found = conversations::of_caller(&mut tx, number.as_str())
        .await?
        .len();
    drop(tx);
    if found == 0 {
        return Err(anyhow::anyhow!(
            "nothing is kept of {}: is that how `qdn-relay audit` shows it?",
            number.display()
        )
        .into());
    }
    println!(
        "Every text, reply and picture of {} is removed here, for good. The audit trail stays, and so do the copies that \
         Slack and Twilio keep: delete the thread in Slack and the messages in Twilio's console as well.",
        number.display()
    );
    if !erase.yes && !confirm("Erase them?")? {
        return Err(anyhow::anyhow!("nothing was changed").into());
    }
    let forgotten = forget_all(&store, &config, &number).await?;
    remove_media(&store, &config).await?;
    println!(
        "Erased: {} messages; {} deliveries that had not been made were given up.",
        forgotten.messages, forgotten.given_up
    );
    Ok(())
}

async fn forget_all(store: &Store, config: &Config, number: &Address) -> Result<Forgotten, Failed> {
    let mut tx = store.begin().await?;
    let mut all = Forgotten::default();
    for conversation in conversations::of_caller(&mut tx, number.as_str()).await? {
        let under_way = forget::under_way(&mut tx, &conversation.id).await?;
        if under_way > 0 {
            return Err(anyhow::anyhow!(
                "{under_way} deliveries are just being made or looked for, and nothing was changed: run this again in a minute; \
                 `qdn-relay outbox list` shows them"
            )
            .into());
        }
        let forgotten = forget::conversation(&mut tx, &conversation.id).await?;
        all.messages += forgotten.messages;
        all.given_up += forgotten.given_up;
        tx.audit(NewEntry {
            line: config
                .line_of(&conversation.line)
                .map_or_else(String::new, |line| line.name.clone()),
            number: conversation.caller,
            subject: conversation.id.clone(),
            decision: "erased",
            reason: "on the command line".into(),
            detail: json!({
                "conversation": conversation.id, "messages": forgotten.messages, "given_up": forgotten.given_up,
            }),
            ..NewEntry::default()
        });
    }
    tx.commit().await?;
    Ok(all)
}

/// Removes the files that no row knows any more.
async fn remove_media(store: &Store, config: &Config) -> anyhow::Result<()> {
    let known = crate::store::media::ids(store).await?;
    let is_known = |id: &str| known.iter().any(|known| known == id);
    let now = store.now();
    crate::media::remove_others(
        &config.media_folder(),
        now,
        std::time::Duration::ZERO,
        is_known,
    )
    .await
}
