//! Starts the service, runs it, and shuts it down.

use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::{App, Inner};
use crate::availability::sources::Sources;
use crate::bridge::calls::writer;
use crate::bridge::wording;
use crate::calls::Calls;
use crate::clients::Clients;
use crate::clock::Clock;
use crate::config::{Config, Secrets};
use crate::outbox;
use crate::slack_directory::{Directory, Unknown};
use crate::store::Store;
use crate::thread_sync::ThreadSync;
use crate::twilio::AccountSid;
use crate::{backfill, connections, http, slack, slack_directory, twilio};

/// The time limit for finishing what is in flight on shutdown. The whole shutdown has to take less than 25 s.
const GRACE: Duration = Duration::from_secs(20);

/// The pause before asking Slack again for the workspace.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// What [`serve`] needs besides a listener.
#[derive(Debug, Clone)]
pub struct Running {
    /// The checked configuration.
    pub config: Config,
    /// The secrets.
    pub secrets: Secrets,
    /// The open database.
    pub store: Store,
    /// The source of the time.
    pub clock: Clock,
}

/// Runs the service until `shutdown`. Then stops accepting, finishes what is in flight and closes the database. An error if
/// the start fails or a worker ends by itself.
pub async fn serve(
    running: Running,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let store = running.store.clone();
    let (app, clients, calls_writer) = assemble(running)?;
    let lines = app.config.lines.iter();
    let channels: Vec<String> = lines.map(|line| line.channel.clone()).collect();
    app.directory.recall(&app.store, &channels).await?;
    crate::media::close_to_others(&app.config.media_folder());
    outbox::bring_near(&app).await?;
    outbox::alarm_about_orphans(&app).await?;
    // Read the overrides before the first call, which may find the database locked.
    app.sources.overrides.read(&app.store).await;
    backfill::hold_replies_back(&app).await?;
    let (stop, stopped) = watch::channel(false);
    let mut workers = outbox::start(&app, &clients, &stopped);
    workers.spawn(backfill::run(app.clone(), clients, stopped.clone()));
    workers.spawn(slack_directory::people::watch(
        app.directory.clone(),
        app.store.clone(),
        channels,
        stopped.clone(),
    ));
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
        // A worker never ends by itself. Without it, its deliveries would stop for good, so restart the whole service.
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
        // Nothing is lost: the next start settles what was in flight.
        Err(_) => tracing::warn!("not everything in flight finished within {GRACE:?}"),
    }
    store.close().await;
    tracing::info!("stopped");
    broken.map_or(Ok(()), Err)
}

/// Builds the state that handlers and workers share, and the clients.
pub(crate) fn assemble(running: Running) -> anyhow::Result<(App, Clients, JoinHandle<()>)> {
    let Running {
        config,
        secrets,
        store,
        clock,
    } = running;
    let clients = clients(&config, &secrets)?;
    let unknown = Unknown {
        user: wording::SOMEBODY,
        channel: wording::A_CHANNEL,
    };
    let directory = Directory::new(clients.slack.clone(), clock.clone(), unknown);
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

/// Asks Slack for our workspace until it answers, since it may be down at our start. Then looks up the lines' channels.
async fn introduce(app: App) {
    while let Err(error) = app.directory.learn_team(&app.store).await {
        tracing::warn!(
            error = format!("{error:#}"),
            "asking Slack for our workspace failed; trying again"
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
                "looking up the channel failed"
            ),
        }
    }
    app.directory.look_at_people();
}

/// Returns the process's metrics recorder, since tests run several services in one process.
fn metrics_recorder() -> anyhow::Result<PrometheusHandle> {
    use std::sync::OnceLock;
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = RECORDER.get() {
        return Ok(handle.clone());
    }
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = RECORDER.get_or_init(|| recorder.handle()).clone();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::debug!("a metrics recorder is installed already");
    }
    Ok(handle)
}
