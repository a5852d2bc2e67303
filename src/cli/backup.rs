//! `qdn-relay backup` and `restore`: copies the SQLite file of a running service, and puts a copy in its place.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::{Failed, confirm, open_store};
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::store::audit::NewEntry;
use crate::store::{Store, restored};
use crate::vocabulary::Decision;

/// What `backup` takes.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// Where the copy goes; nothing may be there yet.
    file: PathBuf,
}

/// What `restore` takes.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// A copy that `backup` made.
    file: PathBuf,
    /// Restores without asking.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn backup(
    backup: Backup,
    path: &Path,
    environment: &Environment,
) -> Result<(), Failed> {
    let config = Config::load(path, environment)?;
    let database = sqlite_file(&config, "pg_dump makes the copy of a Postgres database")?;
    if !database.exists() {
        return Err(Failed::Usage(format!(
            "there is no database at {} yet: nothing to copy",
            database.display()
        )));
    }
    let file = &backup.file;
    // Create the file first with a private mode, since it will contain callers' texts.
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    if let Err(error) = made {
        return Err(Failed::Usage(match error.kind() {
            io::ErrorKind::AlreadyExists => {
                format!("{} is there already: name another file", file.display())
            }
            _ => format!("{} cannot be made ({error})", file.display()),
        }));
    }
    let copied = copy(&config, file).await;
    if copied.is_err() {
        // Remove an incomplete copy, so that nobody takes it for a backup.
        let _ = fs::remove_file(file);
    }
    let rows = copied?;
    println!(
        "{} holds everything, {rows} audit rows among it, the chain intact",
        file.display()
    );
    Ok(())
}

/// Copies the database and verifies the copy. Returns its number of audit rows.
async fn copy(config: &Config, file: &Path) -> Result<i64, Failed> {
    let store = open_store(config).await?;
    let mut tx = store.begin().await?;
    tx.audit(NewEntry {
        subject: "database".into(),
        reason: "on the command line".into(),
        ..NewEntry::of(Decision::BackedUp)
    });
    tx.commit().await?;
    store.copy_into(file).await?;
    store.close().await;
    examined(file).await
}

pub(super) async fn restore(
    restore: Restore,
    path: &Path,
    environment: &Environment,
) -> Result<(), Failed> {
    let config = Config::load(path, environment)?;
    let database = sqlite_file(&config, "pg_restore brings a Postgres database back")?;
    let file = &restore.file;
    if !file.is_file() {
        return Err(Failed::Usage(format!(
            "there is no file {}",
            file.display()
        )));
    }
    // The lock keeps the service from starting while the files are exchanged.
    let Some(_lock) = Store::lock(config.database_url.as_str())? else {
        return Err(anyhow::anyhow!(
            "the service is running on {}: stop it first, for example with `systemctl stop qdn-relay.service`",
            database.display()
        )
        .into());
    };
    let rows = examined(file).await?;
    println!(
        "{} ({rows} audit rows) takes the place of {}, which is kept beside it.",
        file.display(),
        database.display()
    );
    println!(
        "Replies written since the copy was made are not sent by themselves: each is asked about in its thread."
    );
    if !restore.yes && !confirm("Restore it?")? {
        return Err(anyhow::anyhow!("nothing was changed").into());
    }
    let fresh = beside(&database, ".restoring");
    let doubtful = prepare(file, &fresh).await?;
    let kept = put_in_place(&fresh, &database)?;
    if let Some(kept) = kept {
        println!("What was there before is now {}.", kept.display());
    }
    println!(
        "Restored. {doubtful} deliveries are looked for at Twilio and Slack before they are made again. Start the service."
    );
    Ok(())
}

/// Returns the path of the SQLite file; a usage error for another database.
fn sqlite_file(config: &Config, otherwise: &str) -> Result<PathBuf, Failed> {
    let file = config.database_url.file();
    file.map(Path::to_path_buf)
        .ok_or_else(|| Failed::Usage(format!("database_url is not an SQLite file: {otherwise}")))
}

/// Verifies that a file is an intact database of ours. Returns its number of audit rows.
async fn examined(file: &Path) -> Result<i64, Failed> {
    let url = format!("sqlite://{}?mode=ro&immutable=1", file.display());
    let is_whole = Store::is_whole(&url).await;
    let sound = is_whole.with_context(|| format!("{} is no database of ours", file.display()))?;
    if !sound {
        return Err(anyhow::anyhow!("{} is damaged: take another copy", file.display()).into());
    }
    // Opening a database runs its migrations. Try that on a temporary copy, so that the backup stays unchanged.
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let copy = folder.path().join("qdn.db");
    fs::copy(file, &copy).context("copying it into a temporary folder")?;
    let store = Store::open(&format!("sqlite://{}", copy.display()), Clock::System)
        .await
        .map_err(anyhow::Error::from)?;
    let verified = store.verify_audit(&[]).await?;
    store.close().await;
    verified.map(|end| end.seq).map_err(|broken| {
        Failed::Other(anyhow::anyhow!(
            "the audit trail in {} is broken at row {}: {}",
            file.display(),
            broken.seq,
            broken.what
        ))
    })
}

/// Copies the backup beside the database and marks its open deliveries as unknown, before it replaces the database. Returns
/// the number of these deliveries.
async fn prepare(file: &Path, fresh: &Path) -> anyhow::Result<u64> {
    for journal in ["-wal", "-shm"] {
        // An interrupted restore may have left these.
        let _ = fs::remove_file(beside(fresh, journal));
    }
    let mut source = File::open(file).with_context(|| format!("opening {}", file.display()))?;
    let mut target = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(fresh)
        .with_context(|| format!("making {}", fresh.display()))?;
    io::copy(&mut source, &mut target).with_context(|| format!("writing {}", fresh.display()))?;
    target
        .sync_all()
        .with_context(|| format!("writing {}", fresh.display()))?;
    drop(target);
    let store = Store::open(&format!("sqlite://{}", fresh.display()), Clock::System).await?;
    let doubtful = restored::doubt_everything(&store).await?;
    // The last connection that closes writes the write-ahead log into the file.
    store.close().await;
    anyhow::ensure!(
        !beside(fresh, "-wal").exists(),
        "{} is still in use: end whatever has it open and restore again",
        fresh.display()
    );
    Ok(doubtful)
}

/// Moves the old database aside, with its write-ahead log, and the prepared copy into its place. Returns the new path of the
/// old database.
fn put_in_place(fresh: &Path, database: &Path) -> anyhow::Result<Option<PathBuf>> {
    let mut kept = None;
    if database.exists() {
        let now = Clock::System.now().strftime("%Y%m%dT%H%M%SZ");
        let aside = beside(database, &format!(".before-{now}"));
        for journal in ["", "-wal", "-shm"] {
            let from = beside(database, journal);
            if from.exists() {
                fs::rename(&from, beside(&aside, journal))
                    .with_context(|| format!("moving {}", from.display()))?;
            }
        }
        kept = Some(aside);
    }
    fs::rename(fresh, database).with_context(|| format!("moving {}", fresh.display()))?;
    Ok(kept)
}

/// Returns the path with `suffix` appended to the file's name.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", file.display()))
}
