//! The service from its first connection to its last.

use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::{App, Inner};
use crate::availability::sources::Sources;
use crate::bridge::calls::writer;
use crate::calls::Calls;
use crate::clock::Clock;
use crate::config::{Config, Secrets};
use crate::outbox::{self, Clients};
use crate::slack_directory::Directory;
use crate::store::Store;
use crate::thread_sync::ThreadSync;
use crate::twilio::AccountSid;
use crate::{backfill, connections, http, slack, slack_directory, twilio};

/// How long what is in flight may take to finish after the service was told to stop: it promises to be gone in 25 s.
const GRACE: Duration = Duration::from_secs(20);

/// How long after a failure Slack is asked again who we are.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Everything that `serve` needs besides a listener.
#[derive(Debug, Clone)]
pub struct Running {
    /// The configuration.
    pub config: Config,
    /// The secrets.
    pub secrets: Secrets,
    /// The database, open.
    pub store: Store,
    /// Where the time comes from.
    pub clock: Clock,
}

/// Serves until `shutdown` comes; then takes nothing more, finishes what is in flight and closes the database.
pub async fn serve(
    running: Running,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let store = running.store.clone();
    let (app, clients, calls_writer) = assemble(running)?;
    let channels: Vec<&str> = app
        .config
        .lines
        .iter()
        .map(|line| line.channel.as_str())
        .collect();
    app.directory.recall(&app.store, &channels).await?;
    crate::media::close_to_others(&app.config.media_folder());
    outbox::bring_near(&app).await?;
    outbox::alarm_about_orphans(&app).await?;
    // Known before the first call, which may find the database locked.
    app.sources.overrides.read(&app.store).await;
    backfill::hold_replies_back(&app).await?;
    let (stop, stopped) = watch::channel(false);
    let mut workers = outbox::start(&app, &clients, &stopped);
    workers.spawn(backfill::run(app.clone(), clients, stopped.clone()));
    workers.spawn(slack_directory::people::watch(app.clone(), stopped.clone()));
    let introduction = tokio::spawn(introduce(app.clone()));
    tracing::info!(address = %listener.local_addr()?, public_url = app.config.public_url, "ready");

    let mut limits = app.config.connections.clone();
    limits.max = connections::most_connections(limits.max);
    let routes = http::routes(app);
    let server = tokio::spawn(connections::serve(
        listener,
        routes,
        limits,
        stopped.clone(),
    ));
    let broken = tokio::select! {
        () = shutdown => None,
        // None of them ends by itself: a gate without its worker would be silent for good.
        ended = workers.join_next() => Some(anyhow::anyhow!("a worker ended: {ended:?}")),
    };
    tracing::info!("stopping: finishing what is in flight");
    introduction.abort();
    stop.send_replace(true);
    let finished = async {
        server.await.context("the listener")?;
        workers.join_all().await;
        calls_writer.await.context("the writer of calls")
    };
    match tokio::time::timeout(GRACE, finished).await {
        Ok(done) => done?,
        // Nothing is lost: what was in flight is settled at the next start.
        Err(_) => tracing::warn!("not everything in flight finished within {GRACE:?}"),
    }
    store.close().await;
    tracing::info!("stopped");
    broken.map_or(Ok(()), Err)
}

/// Puts together what handlers and workers are given.
pub(crate) fn assemble(running: Running) -> anyhow::Result<(App, Clients, JoinHandle<()>)> {
    let Running {
        config,
        secrets,
        store,
        clock,
    } = running;
    let clients = clients(&config, &secrets)?;
    let directory = Directory::new(clients.slack.clone(), clock.clone());
    let sources = Sources::new(&config)?;
    let (calls, unwritten) = Calls::new();
    let calls_writer = writer::start(store.clone(), config.clone(), unwritten);
    let thread_sync = ThreadSync::new(store.now());
    let app = App::new(Inner {
        config,
        secrets,
        store,
        clock,
        directory,
        thread_sync,
        sources,
        calls,
        metrics: metrics_recorder()?,
        bodies: http::Bodies::default(),
        readiness: http::Readiness::default(),
        refusals: http::Refusals::default(),
    });
    Ok((app, clients, calls_writer))
}

fn clients(config: &Config, secrets: &Secrets) -> anyhow::Result<Clients> {
    let twilio = twilio::client::Client::new(twilio::client::Settings {
        api_url: config.twilio_api_url.clone(),
        account_sid: AccountSid::parse(&secrets.account_sid).context("TWILIO_ACCOUNT_SID")?,
        api_key: secrets.api_key.clone(),
        api_secret: secrets.api_secret.clone(),
        request_timeout: config.delivery.request_timeout,
    })?;
    let slack = slack::client::Client::new(slack::client::Settings {
        api_url: config.slack_api_url.clone(),
        bot_token: secrets.bot_token.clone(),
        request_timeout: config.delivery.request_timeout,
    })?;
    Ok(Clients { twilio, slack })
}

/// Asks Slack who we are until it answers: it may be down when we start.
async fn introduce(app: App) {
    while let Err(error) = app.directory.learn_team(&app.store).await {
        tracing::warn!(
            error = format!("{error:#}"),
            "Slack does not say who we are; asking again"
        );
        tokio::time::sleep(ASK_AGAIN).await;
    }
    for line in &app.config.lines {
        match app.directory.learn_channel(&app.store, &line.channel).await {
            Ok(Some(_)) => {}
            Ok(None) => tracing::error!(
                channel = line.channel,
                "the bot does not see this channel: create it, and /invite the bot"
            ),
            Err(error) => tracing::warn!(
                channel = line.channel,
                error = format!("{error:#}"),
                "the channel could not be looked up yet"
            ),
        }
    }
    app.directory.look_at_people();
}

/// One recorder for the process: tests run several services in one.
fn metrics_recorder() -> anyhow::Result<PrometheusHandle> {
    use std::sync::OnceLock;
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = RECORDER.get() {
        return Ok(handle.clone());
    }
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = RECORDER.get_or_init(|| recorder.handle()).clone();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::debug!("metrics are recorded already");
    }
    Ok(handle)
}
