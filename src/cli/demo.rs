//! `qdn-relay demo`: the service, its database and stand-ins for Twilio and Slack in one process, on loopback only.
//!
//! Between them is real HTTP with real signatures. The page is served apart from the service, because its event
//! streams end only with their readers; the service stops as it always does.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use jiff::tz::TimeZone;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use super::serve::stop_signal;
use super::{Failed, open_store};
use crate::clock::Clock;
use crate::config::{Config, Environment, Secrets};
use crate::sandbox::demo::{self, Demo as Page};
use crate::sandbox::slack::{self, SlackStandIn};
use crate::sandbox::twilio::{self, TwilioStandIn};
use crate::{Running, serve};

/// What `demo` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// The port of the page; 0 takes any that is free.
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

/// The desk of the demo; the rest of its configuration is known only once everything listens.
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
"##;

pub(super) async fn run(demo: Demo, environment: &Environment) -> Result<(), Failed> {
    log_if_asked(environment);
    let page = listen(demo.port).await?;
    let address = page.local_addr().context("the page's address")?;
    let folder = tempfile::Builder::new()
        .prefix("qdn-relay-demo-")
        .tempdir()
        .context("a temporary folder for the database")?;
    let desk = Desk::start(folder.path()).await?;
    let stop = stop_signal()?;

    let router = demo::router(desk.page);
    let pages = tokio::spawn(async move { axum::serve(page, router).await });
    println!("Open http://{address}/ in a browser.");
    println!("Ctrl-C stops the demo and removes everything it wrote.");
    let served = serve(desk.running, desk.listener, stop).await;
    pages.abort();
    folder.close().context("removing the temporary folder")?;
    Ok(served?)
}

/// The demo prints an address and nothing else, unless somebody wants to look inside.
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

/// Everything that runs behind the page.
struct Desk {
    running: Running,
    listener: TcpListener,
    page: Page,
}

impl Desk {
    /// Starts the stand-ins and makes a service that knows them, as they know it.
    async fn start(folder: &Path) -> anyhow::Result<Desk> {
        let (twilio_settings, slack_settings) =
            (twilio::Settings::default(), slack::Settings::default());
        let secrets = secrets(&twilio_settings, &slack_settings);
        let twilio = TwilioStandIn::start(twilio_settings)
            .await
            .context("the stand-in for Twilio")?;
        let slack = SlackStandIn::start(slack_settings)
            .await
            .context("the stand-in for Slack")?;
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .context("a port for the service")?;
        let address = listener.local_addr().context("the service's address")?;
        let public_url = format!("http://{address}");
        twilio.set_relay(&public_url, None);
        slack.set_relay(&public_url, None);

        let database = format!("sqlite://{}", folder.join("qdn.db").display());
        let overrides = Environment::of([
            ("QDN_PUBLIC_URL", &public_url),
            ("QDN_LISTEN", &address.to_string()),
            ("QDN_DATABASE_URL", &database),
        ]);
        let toml = format!(
            "{DESK}\n[twilio]\napi_url = \"{}\"\n[slack]\napi_url = \"{}\"\n",
            twilio.url(),
            slack.url()
        );
        let mut config =
            Config::parse(&toml, &overrides).context("the demo's own configuration")?;
        // The browser is on this machine: both shall tell the same time.
        config.desk.timezone = TimeZone::system();
        let number = config.lines[0].number.as_str().to_owned();
        let running = Running {
            store: open_store(&config).await.map_err(anyhow::Error::from)?,
            config,
            secrets,
            clock: Clock::System,
        };
        Ok(Desk {
            running,
            listener,
            page: Page::new(slack, twilio, &number),
        })
    }
}

/// The service holds what the stand-ins sign with and ask for.
fn secrets(twilio: &twilio::Settings, slack: &slack::Settings) -> Secrets {
    Secrets {
        account_sid: twilio.account_sid.clone(),
        auth_token: twilio.auth_token.clone().into(),
        auth_token_previous: None,
        api_key: twilio.api_key.clone(),
        api_secret: twilio.api_secret.clone().into(),
        bot_token: slack.bot_token.clone().into(),
        signing_secret: slack.signing_secret.clone().into(),
        signing_secret_previous: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_page_and_the_service_know_the_same_desk() {
        let folder = tempfile::tempdir().unwrap();
        let Desk { running, page, .. } = Desk::start(folder.path()).await.unwrap();
        let config = &running.config;
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
