//! `qdn-relay demo`: runs stand-ins for Twilio and Slack and a web page in this process, and the service in a process of its
//! own, all on loopback.
//!
//! They talk over real HTTP with real signatures. The service process is the ordinary `serve`, so that the demo can kill it
//! in the middle of its work. This process only reads the service's database, for the page.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use jiff::tz::TimeZone;
use rand::RngExt;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use super::Failed;
use super::serve::stop_signal;
use super::setup::FORWARD;
use crate::config::{Config, Environment};
use crate::demo::{self, Demo as Page, Program, Relay, Service};
use qdn_sandbox::slack::{self, SlackStandIn};
use qdn_sandbox::twilio::{self, TwilioStandIn};

/// What `demo` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// The port of the page; 0 takes any that is free.
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

/// The ports for the service. They are above the usual range for outgoing connections, so that a restarted service finds its
/// port free.
const PORTS: std::ops::Range<u16> = 61_000..65_500;

/// The demo's configuration without the addresses, which are prepended. The times are short, for somebody who watches.
const DESK: &str = r##"
[[people]]
name = "Sergio"
phone = "+16195550111"
slack = "U0SERGIO"

[[people]]
name = "Backup"
phone = "+18585550112"
slack = "U0BACKUP"

[[lines]]
name = "QDN"
number = "+16195550100"
channel = "#qdn-dispatch"
ring = [
  { people = ["Sergio"], seconds = 15 },
  { people = ["Backup"], seconds = 20, always = true },
]

[delivery]
request_timeout = "3s"
validity = "10s"
settle_after = "20s"
backfill_every = "5s"
"##;

pub(super) async fn run(demo: Demo, environment: &Environment) -> Result<(), Failed> {
    log_if_asked(environment);
    let page = listen(demo.port).await?;
    let address = page.local_addr().context("the page's address")?;
    let folder = tempfile::Builder::new()
        .prefix("qdn-relay-demo-")
        .tempdir()
        .context("a temporary folder for the database")?;
    let stop = stop_signal()?;
    let desk = Desk::prepare(folder.path()).await?;
    let relay = Relay::start(desk.program(folder.path(), environment)?).await?;
    let service = Service::open(desk.config).await?;

    let mut behind = desk.page;
    behind.relay = Some((relay.clone(), service.clone()));
    let router = demo::router(behind);
    let pages = tokio::spawn(async move { axum::serve(page, router).await });
    println!("Open http://{address}/ in a browser.");
    println!("Ctrl-C stops the demo and removes everything it wrote.");
    stop.await;
    pages.abort();
    relay.stop().await;
    service.close().await;
    folder.close().context("removing the temporary folder")?;
    Ok(())
}

/// Logs to standard error if `RUST_LOG` is set. Otherwise the demo prints only the address.
fn log_if_asked(environment: &Environment) {
    if let Some(filter) = environment.asked_log_filter() {
        tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .with_env_filter(EnvFilter::builder().parse_lossy(filter))
            .init();
    }
}

async fn listen(port: u16) -> Result<TcpListener, Failed> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpListener::bind(address)
        .await
        .map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => Failed::Other(anyhow::anyhow!(
                "port {port} is taken by another program; choose another one with `--port NUMBER`, or let the demo find one with `--port 0`"
            )),
            ErrorKind::PermissionDenied => Failed::Other(anyhow::anyhow!(
                "port {port} needs more rights than this program has; choose one above 1023, for example `--port 8080`"
            )),
            _ => Failed::Other(anyhow::Error::new(error).context(format!("listening on {address}"))),
        })
}

/// The stand-ins, the page and the service's configuration, without the service.
struct Desk {
    /// The configuration that the service reads.
    config: Config,
    secrets: Vec<(String, String)>,
    page: Page,
}

impl Desk {
    /// Starts the stand-ins and writes the configuration of a service that uses them.
    async fn prepare(folder: &Path) -> anyhow::Result<Desk> {
        let (twilio_settings, slack_settings) =
            (twilio::Settings::default(), slack::Settings::default());
        let secrets = secrets(&twilio_settings, &slack_settings);
        let twilio = TwilioStandIn::start(twilio_settings)
            .await
            .context("the stand-in for Twilio")?;
        let slack = SlackStandIn::start(slack_settings)
            .await
            .context("the stand-in for Slack")?;
        let address = free_address().await?;
        let public_url = format!("http://{address}");
        twilio.set_relay(&public_url, None);
        slack.set_relay(&public_url, None);

        let database = folder.join("qdn.db");
        let toml = format!(
            "public_url = \"{public_url}\"\nlisten = \"{address}\"\ndatabase_url = \"sqlite://{}\"\n{DESK}\n\
             [desk]\ntimezone = \"{}\"\n[twilio]\napi_url = \"{}\"\n[slack]\napi_url = \"{}\"\n",
            database.display(),
            timezone(),
            twilio.url(),
            slack.url()
        );
        std::fs::write(folder.join(FILE), &toml).context("writing the demo's configuration")?;
        let config =
            Config::parse(&toml, &Environment::of([])).context("the demo's own configuration")?;
        let number = config.lines[0].number.as_str().to_owned();
        // As `setup` does: while the service is down, Twilio forwards calls to the backup.
        if let Some(backup) = config.people.last() {
            let phone = backup.phone.as_str().replace('+', "%2B");
            twilio.configure_number(&number, |settings| {
                settings.voice_fallback_url = format!("{FORWARD}?PhoneNumber={phone}");
            });
        }
        Ok(Desk {
            config,
            secrets,
            page: Page::new(slack, twilio, &number),
        })
    }

    /// Returns how to start the service: with the secrets and the log filter as its only environment variables.
    fn program(&self, folder: &Path, environment: &Environment) -> anyhow::Result<Program> {
        let filter = environment.asked_log_filter();
        let mut variables = self.secrets.clone();
        variables.push(("RUST_LOG".to_owned(), filter.unwrap_or("off").to_owned()));
        Ok(Program {
            executable: std::env::current_exe().context("where this program is")?,
            arguments: vec![
                "serve".into(),
                "--until-stdin-ends".into(),
                "--config".into(),
                folder.join(FILE).into(),
            ],
            folder: folder.to_owned(),
            environment: variables,
            url: self.config.public_url.clone(),
            log: filter.is_some(),
        })
    }
}

/// The name of the configuration file in the demo's folder.
const FILE: &str = "qdn.toml";

/// Returns a free address on which the service will listen, also after each restart.
async fn free_address() -> anyhow::Result<SocketAddr> {
    for _ in 0..50 {
        let address = SocketAddr::from(([127, 0, 0, 1], rand::rng().random_range(PORTS)));
        if TcpListener::bind(address).await.is_ok() {
            return Ok(address);
        }
    }
    anyhow::bail!("no port between {} and {} is free", PORTS.start, PORTS.end)
}

/// Returns this machine's time zone, so that the service shows the same times as the browser; `UTC` if it is unknown.
fn timezone() -> String {
    let zone = TimeZone::system();
    let name = zone.iana_name().unwrap_or("UTC");
    match TimeZone::get(name) {
        Ok(_) => name.to_owned(),
        Err(_) => "UTC".to_owned(),
    }
}

/// Returns the secrets of the stand-ins as environment variables for the service.
fn secrets(twilio: &twilio::Settings, slack: &slack::Settings) -> Vec<(String, String)> {
    [
        ("TWILIO_ACCOUNT_SID", &twilio.account_sid),
        ("TWILIO_AUTH_TOKEN", &twilio.auth_token),
        ("TWILIO_API_KEY", &twilio.api_key),
        ("TWILIO_API_SECRET", &twilio.api_secret),
        ("SLACK_BOT_TOKEN", &slack.bot_token),
        ("SLACK_SIGNING_SECRET", &slack.signing_secret),
    ]
    .map(|(name, value)| (name.to_owned(), value.clone()))
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_page_and_the_service_know_the_same_desk() {
        let folder = tempfile::tempdir().unwrap();
        let Desk { config, page, .. } = Desk::prepare(folder.path()).await.unwrap();
        let phones: Vec<_> = page
            .phones
            .iter()
            .map(|phone| (phone.name.as_str(), phone.number.as_str()))
            .collect();
        let people: Vec<_> = config
            .people
            .iter()
            .map(|person| (person.name.as_str(), person.phone.as_str()))
            .collect();
        assert_eq!(phones, people);
        for person in &config.people {
            let id = person.slack.clone().unwrap();
            assert!(page.dispatchers.contains(&id), "{id}");
        }
        let channel = page
            .slack
            .read(|world| world.channel(&page.channel).unwrap().name.clone());
        assert_eq!(config.lines[0].channel, format!("#{channel}"));
        assert_eq!(config.lines[0].number.as_str(), page.number);
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_said_with_what_to_do() {
        let taken = listen(0).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = listen(port).await.unwrap_err().to_string();
        assert!(
            error.contains(&format!("port {port} is taken")) && error.contains("--port 0"),
            "{error}"
        );
    }
}
