//! `qdn-relay check`: checks everything that can be misconfigured and prints a line for each, with the consequence and the
//! remedy.
//!
//! It changes nothing, neither here nor at Twilio or Slack. To test that the vendors' requests arrive, it sends signed
//! requests that have no effect.

mod arrival;
mod local;
mod presence;
mod slack;
mod twilio;

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::Failed;
use crate::config::{Config, Environment, Secrets};

/// What `check` takes.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// How to print what was found.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    /// It works, but not in every situation.
    Warn,
    Fail,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        }
    }
}

/// The result of a check with its explanation. `why` and `remedy` are empty if all is well.
#[derive(Debug, Clone, Serialize)]
struct Finding {
    level: Level,
    /// What was checked.
    name: String,
    /// What was found.
    what: String,
    /// The consequence.
    why: String,
    /// The command or click that fixes it.
    remedy: String,
}

impl Finding {
    fn ok(name: impl Into<String>, what: impl Into<String>) -> Finding {
        Finding {
            level: Level::Ok,
            name: name.into(),
            what: what.into(),
            why: String::new(),
            remedy: String::new(),
        }
    }

    fn fail(
        name: impl Into<String>,
        what: impl Into<String>,
        why: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding {
            level: Level::Fail,
            why: why.into(),
            remedy: remedy.into(),
            ..Finding::ok(name, what)
        }
    }

    fn warn(
        name: impl Into<String>,
        what: impl Into<String>,
        why: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding {
            level: Level::Warn,
            ..Finding::fail(name, what, why, remedy)
        }
    }
}

/// All findings, as `--format json` prints them.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether nothing failed.
    ok: bool,
    findings: Vec<Finding>,
}

pub(super) async fn run(
    check: Check,
    path: &Path,
    environment: &Environment,
) -> Result<(), Failed> {
    let findings = findings(path, environment).await?;
    let failed = findings
        .iter()
        .filter(|finding| finding.level == Level::Fail)
        .count();
    let of = findings.len();
    let report = Report {
        ok: failed == 0,
        findings,
    };
    let mut out = io::stdout().lock();
    let printed = match check.format {
        Format::Table => print(&mut out, &report.findings),
        Format::Json => serde_json::to_writer_pretty(&mut out, &report)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
    };
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("writing to standard output")?;
        }
        _ => {}
    }
    match failed {
        0 => Ok(()),
        failed => Err(anyhow::anyhow!("{failed} of {of} checks failed").into()),
    }
}

async fn findings(path: &Path, environment: &Environment) -> Result<Vec<Finding>, Failed> {
    let config = Config::load(path, environment);
    let secrets = Secrets::load(environment);
    let mut findings = local::configuration(path, &config);
    findings.extend(local::secrets(environment, &secrets));
    let Ok(config) = config else {
        return Ok(findings);
    };
    findings.extend(local::database(&config).await);
    findings.extend(presence::findings(&config).await);
    let Ok(secrets) = secrets else {
        return Ok(findings);
    };
    let (at_twilio, at_slack, arriving) = tokio::join!(
        twilio::findings(&config, &secrets),
        slack::findings(&config, &secrets),
        arrival::findings(&config, &secrets),
    );
    findings.extend(at_twilio?);
    findings.extend(at_slack?);
    findings.extend(arriving?);
    Ok(findings)
}

fn print(out: &mut impl Write, findings: &[Finding]) -> io::Result<()> {
    let width = findings
        .iter()
        .map(|finding| finding.name.chars().count())
        .max()
        .unwrap_or_default();
    for finding in findings {
        let level = finding.level.as_str();
        write!(
            out,
            "{level:<4}  {:<width$}  {}",
            finding.name, finding.what
        )?;
        if !finding.why.is_empty() {
            write!(out, ": {}", finding.why)?;
        }
        if !finding.remedy.is_empty() {
            write!(out, ". Do: {}", finding.remedy)?;
        }
        writeln!(out)?;
    }
    Ok(())
}
