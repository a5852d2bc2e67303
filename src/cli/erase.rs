//! `qdn-relay erase`: removes the texts and media of one number and keeps the audit trail.

mod at_twilio;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use at_twilio::Deleted;

use super::{Failed, confirm, open_existing};
use crate::config::{Config, Environment, Secrets};
use crate::phone::Address;
use crate::private_files;
use crate::store::audit::NewEntry;
use crate::store::conversations::Conversation;
use crate::store::forget::{self, Forgotten};
use crate::store::scrub::{self, Scrubbed};
use crate::store::{Store, conversations, escalations};
use crate::twilio::client::Client;
use crate::vocabulary::Decision;

/// How often to try to truncate the write-ahead log before leaving that to the service.
const TRIES: u32 = 5;

/// The pause between two tries, in which readers can finish.
const BETWEEN_TRIES: Duration = Duration::from_millis(200);

/// What `erase` takes.
#[derive(Debug, Args)]
pub(super) struct Erase {
    /// With the country code, such as +16195550142.
    number: String,
    /// Deletes the number's messages, files and recordings at Twilio as well.
    #[arg(long)]
    at_twilio: bool,
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
    let twilio = if erase.at_twilio {
        Some(at_twilio::client(&config, &Secrets::load(environment)?)?)
    } else {
        None
    };
    let number = number_of(&erase)?;
    let store = open_existing(&config).await?;
    let known = Known::of(&store, &number).await?;
    if known.conversations.is_empty() && twilio.is_none() {
        return Err(anyhow::anyhow!(
            "nothing is kept of {}: is that how `qdn-relay audit` shows it?",
            number.display()
        )
        .into());
    }
    println!("{}", what_is_erased(&config, &number, erase.at_twilio));
    if !erase.yes && !confirm("Erase them?")? {
        return Err(anyhow::anyhow!("nothing was changed").into());
    }
    erase_here(&store, &config, &number).await?;
    match twilio {
        Some(twilio) => {
            let lines = known.lines(&config);
            let of = at_twilio::Of {
                number: &number,
                lines,
                about: known.about,
            };
            erase_at_twilio(&store, &twilio, &of).await
        }
        None => Ok(()),
    }
}

/// Parses the number. Twilio also sends texts from short codes and from channel addresses such as `whatsapp:+1…`.
fn number_of(erase: &Erase) -> Result<Address, Failed> {
    let number = Address::new(erase.number.trim());
    let is_number = |it: &str| it.starts_with('+') || it.bytes().all(|it| it.is_ascii_digit());
    if !is_number(number.as_str()) && number.channel().is_none() {
        return Err(Failed::Usage(format!(
            "{} is no number: write it with the country code, such as +16195550142",
            erase.number
        )));
    }
    Ok(number)
}

/// What the database has of a number before it is erased.
struct Known {
    conversations: Vec<Conversation>,
    /// The SIDs of texts to people of the desk that quote the number's texts.
    about: Vec<String>,
}

impl Known {
    async fn of(store: &Store, number: &Address) -> anyhow::Result<Known> {
        let mut tx = store.begin().await?;
        let conversations = conversations::all_of_caller(&mut tx, number.as_str()).await?;
        let mut about = Vec::new();
        for conversation in &conversations {
            about.extend(escalations::sids_about(&mut tx, &conversation.id).await?);
        }
        Ok(Known {
            conversations,
            about,
        })
    }

    /// Returns the lines of the configuration, and those that are no longer in it: they have had texts and calls, too.
    fn lines(&self, config: &Config) -> BTreeSet<String> {
        let earlier = self.conversations.iter().map(|it| it.line.clone());
        let current = config.lines.iter().map(|it| it.number.as_str().to_owned());
        earlier.chain(current).collect()
    }
}

/// Erases the number from the database and the media folder.
async fn erase_here(store: &Store, config: &Config, number: &Address) -> Result<(), Failed> {
    let forgotten = forget_all(store, config, number).await?;
    remove_media(store, config).await?;
    println!(
        "Erased: {} messages; {} deliveries that had not been made were given up.",
        forgotten.messages, forgotten.given_up
    );
    if let Some(sentence) = leave_the_files(store, config).await? {
        println!("{sentence}");
    }
    Ok(())
}

async fn erase_at_twilio(
    store: &Store,
    twilio: &Client,
    of: &at_twilio::Of<'_>,
) -> Result<(), Failed> {
    let mut deleted = Deleted::default();
    let done = at_twilio::delete(twilio, of, &mut deleted).await;
    // Audit what was deleted even if a list could not be read to its end.
    report_deleted(store, of.number, deleted).await?;
    Ok(done?)
}

/// Audits and prints what was deleted at Twilio. An error if anything could not be deleted; running the command again
/// retries it.
async fn report_deleted(store: &Store, number: &Address, deleted: Deleted) -> Result<(), Failed> {
    let Deleted {
        messages,
        files,
        recordings,
        transcriptions,
        failed,
    } = deleted;
    let mut tx = store.begin().await?;
    tx.audit(NewEntry {
        number: number.as_str().to_owned(),
        subject: "twilio".into(),
        reason: "on the command line".into(),
        detail: json!({
            "messages": messages, "files": files, "recordings": recordings, "transcriptions": transcriptions,
            "failed": failed.len(),
        }),
        ..NewEntry::of(Decision::ErasedAtTwilio)
    });
    tx.commit().await?;
    println!(
        "Deleted at Twilio: {messages} messages, {files} files, {recordings} recordings, {transcriptions} transcriptions."
    );
    if failed.is_empty() {
        return Ok(());
    }
    for one in &failed {
        println!("Not deleted: {one}");
    }
    Err(anyhow::anyhow!(
        "{} could not be deleted at Twilio: run this again in a few minutes; Twilio deletes nothing before it is finished",
        failed.len()
    )
    .into())
}

/// Returns the sentences that say what is removed and where copies stay.
fn what_is_erased(config: &Config, number: &Address, at_twilio: bool) -> String {
    let (removed, kept) = if at_twilio {
        (
            "from the database, and its messages, files, recordings and transcriptions from Twilio",
            "",
        )
    } else {
        (
            "from the database",
            " in Twilio's log (--at-twilio deletes them there),",
        )
    };
    let mut said = format!(
        "Every text, reply and picture of {} is removed {removed}, for good. The audit trail stays, and so do copies \
         elsewhere: in Slack (delete the thread there),{kept} and in every backup of the database.",
        number.display()
    );
    let Some(file) = config.database_url.file() else {
        said.push_str(
            " Postgres itself keeps removed rows until its next vacuum, and in its write-ahead log.",
        );
        return said;
    };
    let aside: Vec<String> = private_files::set_aside(file)
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    if !aside.is_empty() {
        said.push_str(&format!(
            " These copies that `restore` set aside hold them, too; delete them: {}.",
            aside.join(", ")
        ));
    }
    said
}

/// Overwrites the removed texts in the database's files. Returns a sentence for the operator if that was not possible yet.
async fn leave_the_files(store: &Store, config: &Config) -> anyhow::Result<Option<String>> {
    // Nobody else writes while we hold the lock, so free space that an earlier version left can be overwritten, too.
    let lock = Store::lock(config.database_url.as_str())?;
    if lock.is_some() {
        scrub::overwrite_free_space(store).await?;
    }
    for _ in 0..TRIES {
        if scrub::run(store).await? == Scrubbed::Done {
            return Ok(None);
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
    let file = config
        .database_url
        .file()
        .map_or_else(String::new, |file| file.display().to_string());
    Ok(Some(match lock {
        Some(_) => format!(
            "Their bytes still stand in {file} or {file}-wal, because another program has the database open. The service \
             overwrites them when it runs; or end that program and run this again."
        ),
        None => format!(
            "Their bytes still stand in {file} or {file}-wal, because the database is being read. The running service \
             overwrites them as soon as it can, and tries every {}.",
            written(config.delivery.backfill_every)
        ),
    }))
}

fn written(every: Duration) -> String {
    format!("{} s", every.as_secs().max(1))
}

async fn forget_all(store: &Store, config: &Config, number: &Address) -> Result<Forgotten, Failed> {
    let mut tx = store.begin().await?;
    let mut all = Forgotten::default();
    for conversation in conversations::all_of_caller(&mut tx, number.as_str()).await? {
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
            subject: conversation.id.to_string(),
            reason: "on the command line".into(),
            detail: json!({
                "conversation": conversation.id, "messages": forgotten.messages, "given_up": forgotten.given_up,
            }),
            ..NewEntry::of(Decision::Erased)
        });
    }
    tx.commit().await?;
    Ok(all)
}

/// Removes the media files that no row refers to.
async fn remove_media(store: &Store, config: &Config) -> anyhow::Result<()> {
    let known = crate::store::media::ids(store).await?;
    let is_known = |id: &str| known.iter().any(|known| known == id);
    let now = store.now();
    crate::media::remove_others(&config.media_folder(), now, Duration::ZERO, is_known).await
}
