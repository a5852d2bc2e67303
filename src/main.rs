//! The entry point: parses the command line and runs the command.

use std::process::ExitCode;

use clap::Parser;
use qdn_relay::cli::{self, Cli};
use qdn_relay::config::Environment;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        eprintln!("TLS was set up twice");
        return ExitCode::FAILURE;
    }
    match cli::run(cli, &Environment::of_process()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            error.exit_code()
        }
    }
}
