//! `qdn-relay serve`: runs the service.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{Failed, open_store};
use crate::Running;
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Environment, Secrets};

/// What `serve` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// Stops also when standard input ends: whoever started it has then gone, however that came about.
    #[arg(long, hide = true)]
    until_stdin_ends: bool,
}

pub(super) async fn run(
    serve: &Serve,
    path: &Path,
    environment: &Environment,
) -> Result<(), Failed> {
    let (config, secrets) = both(Config::load(path, environment), Secrets::load(environment))?;
    crate::faultpoints::arm(environment)?;
    log_as_json(environment);
    crate::connections::raise_limit();
    let mut store = open_store(&config).await?;
    store.take_over().await?;
    // systemd's socket comes first: it keeps accepting connections while we restart.
    let listener = match handed_over()? {
        Some(listener) => listener,
        None => listen(config.listen).with_context(|| {
            format!(
                "listen = {}: the address cannot be listened on; is another service using it?",
                config.listen
            )
        })?,
    };
    let running = Running {
        config,
        secrets,
        store,
        clock: Clock::System,
    };
    let signal = stop_signal()?;
    let watched = serve.until_stdin_ends;
    let stop = async move {
        tokio::select! {
            () = signal => {}
            () = stdin_ends(), if watched => {}
        }
    };
    Ok(crate::serve(running, listener, stop).await?)
}

/// The listen backlog: the kernel's default maximum. A burst can fill tokio's default of 1,024, and the clients after that
/// would retry seconds later.
const BACKLOG: u32 = 4_096;

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart must not wait for the connections of the previous process.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Waits for the end of standard input. A separate thread reads it, since the runtime would wait for its own blocking thread
/// on shutdown.
async fn stdin_ends() {
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = ended.send(());
    });
    let _ = end.await;
}

/// Returns the socket that systemd passes to us, if any. It keeps listening while we restart.
/// <https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html>
fn handed_over() -> anyhow::Result<Option<TcpListener>> {
    let taken = ListenFd::from_env()
        .take_tcp_listener(0)
        .context("systemd handed over a socket that is none of TCP; correct the .socket unit")?;
    let Some(listener) = taken else {
        return Ok(None);
    };
    listener
        .set_nonblocking(true)
        .context("the socket from systemd")?;
    let listener = TcpListener::from_std(listener).context("the socket from systemd")?;
    Ok(Some(listener))
}

/// Returns the configuration and the secrets, or the problems of both together.
pub(super) fn both(
    config: Result<Config, ConfigError>,
    secrets: Result<Secrets, ConfigError>,
) -> Result<(Config, Secrets), ConfigError> {
    match (config, secrets) {
        (Ok(config), Ok(secrets)) => Ok((config, secrets)),
        (Err(ConfigError(mut problems)), Err(ConfigError(more))) => {
            problems.extend(more);
            Err(ConfigError(problems))
        }
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}

/// Logs to standard output, one JSON object per line.
fn log_as_json(environment: &Environment) {
    let filter = EnvFilter::builder().parse_lossy(environment.log_filter());
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .init();
}

/// Returns a future that ends on the first SIGTERM or SIGINT.
pub(super) fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
