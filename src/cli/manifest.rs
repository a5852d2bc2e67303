//! `qdn-relay manifest`.

use std::path::Path;

use super::Failed;
use crate::config::{Config, Environment};

/// The Slack app, with a placeholder for the origin it is called at.
const MANIFEST: &str = include_str!("../../manifest.yaml");

/// What stands in the manifest for the origin.
const PLACEHOLDER: &str = "https://desk.example.com";

pub(super) fn run(path: &Path, environment: &Environment) -> Result<(), Failed> {
    let config = Config::load(path, environment)?;
    print!("{}", MANIFEST.replace(PLACEHOLDER, &config.public_url));
    Ok(())
}
