//! The commands. They exit with 0 on success, 1 on failure and 2 on wrong usage or configuration.

mod audit;
mod backup;
mod check;
mod demo;
mod erase;
mod manifest;
mod outbox;
mod serve;
mod setup;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::clock::Clock;
use crate::config::{Config, ConfigError, Environment};
use crate::store::Store;

/// SMS and calls for a dispatch desk that lives in Slack.
#[derive(Debug, Parser)]
#[command(name = "qdn-relay", version, max_term_width = 100)]
pub struct Cli {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", default_value = "qdn.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the service until SIGTERM or SIGINT.
    Serve(serve::Serve),
    /// Runs the service with stand-ins for Twilio and Slack: no account, no configuration, no network.
    Demo(demo::Demo),
    /// Says of each thing that can be wrong how it is, and what mends it; changes nothing.
    Check(check::Check),
    /// Prints the audit trail, or verifies that nothing in it was changed.
    Audit(audit::Audit),
    /// Shows deliveries that wait, are undecided or were given up, and decides about them.
    Outbox(outbox::Outbox),
    /// Copies the SQLite file of a running service, and proves that the copy is whole.
    Backup(backup::Backup),
    /// Puts a copy in the place of the database of a service that is stopped, asking first.
    Restore(backup::Restore),
    /// Points the Twilio numbers at this service, showing what changes and asking first.
    Setup(setup::Setup),
    /// Removes one number's texts, replies and pictures, keeping the audit; asks first.
    Erase(erase::Erase),
    /// Prints the Slack app's manifest with this installation's addresses.
    Manifest,
}

/// The error of a command.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// A wrong argument or configuration.
    #[error("{0}")]
    Usage(String),
    /// Any other failure.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl Failed {
    /// Returns the exit code: 2 for `Usage`, 1 for `Other`.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Failed::Usage(_) => ExitCode::from(2),
            Failed::Other(_) => ExitCode::FAILURE,
        }
    }
}

impl From<ConfigError> for Failed {
    fn from(error: ConfigError) -> Failed {
        Failed::Usage(format!("the configuration is not right:\n{error}"))
    }
}

/// Runs the parsed command.
pub async fn run(cli: Cli, environment: &Environment) -> Result<(), Failed> {
    match cli.command {
        Command::Serve(serve) => serve::run(&serve, &cli.config, environment).await,
        Command::Demo(demo) => demo::run(demo, environment).await,
        Command::Check(check) => check::run(check, &cli.config, environment).await,
        Command::Audit(audit) => audit::run(audit, &cli.config, environment).await,
        Command::Outbox(outbox) => outbox::run(outbox, &cli.config, environment).await,
        Command::Backup(backup) => backup::backup(backup, &cli.config, environment).await,
        Command::Restore(restore) => backup::restore(restore, &cli.config, environment).await,
        Command::Setup(setup) => setup::run(setup, &cli.config, environment).await,
        Command::Erase(erase) => erase::run(erase, &cli.config, environment).await,
        Command::Manifest => manifest::run(&cli.config, environment),
    }
}

/// Opens the database; an error if it does not exist. A typo in `database_url` must not create an empty database.
async fn open_existing(config: &Config) -> Result<Store, Failed> {
    let url = config.database_url.as_str();
    if Store::is_missing(url) {
        return Err(Failed::Usage(format!(
            "there is no database at {url}: is database_url right, and is this the folder that serve runs in?"
        )));
    }
    open_store(config).await
}

/// Asks a yes/no question on the terminal. Anything but `y` or `yes` counts as no.
fn confirm(question: &str) -> anyhow::Result<bool> {
    print!("{question} [y/N] ");
    io::stdout().flush().context("writing to standard output")?;
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .context("reading the answer")?;
    println!();
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

async fn open_store(config: &Config) -> Result<Store, Failed> {
    Store::open(config.database_url.as_str(), Clock::System)
        .await
        .map_err(|error| Failed::Other(error.into()))
}
