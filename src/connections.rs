//! Accepts, serves and closes connections, so that clients that only hold connections open cannot lock others out.
//!
//! Each connection has a place in a [`Table`] of limited size. A request with a valid signature makes its connection
//! *proven*. When the table is full, a new connection displaces the unproven one whose state has not changed for longest; a
//! quarter of the table is reserved for proven connections.
//!
//! Deadlines are enforced here and not by hyper: its `header_read_timeout` starts only after hyper has told HTTP/1 from
//! HTTP/2, and a client that sends nothing never gets that far.

mod caller;
mod request;
mod room;
mod table;

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub(crate) use caller::Caller;
pub(crate) use room::{most_connections, raise_limit};

use crate::config::Connections;
use crate::log_limit::LogLimit;
use request::{Served, Watched};
use table::{Place, Table};

/// How long the accept loop pauses when the system has no more file descriptors, so that connections can close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a closing connection may take to send its last response.
const LINGER: Duration = Duration::from_secs(1);

/// How long a shutdown waits for the first request of a connection that has sent none.
const FIRST_REQUEST: Duration = Duration::from_millis(300);

/// The buffer for a request's head in HTTP/1, in bytes. Twilio's and Slack's heads take about 2 KiB.
const HEAD: usize = 32 * 1024;

/// The limit for a request's head in HTTP/2, in bytes. It is lower, since one connection holds several heads at once.
const H2_HEAD: u32 = 8 * 1024;

/// The most concurrent requests on an HTTP/2 connection. No budget counts the memory of their heads.
const STREAMS: u32 = 8;

/// The HTTP/2 flow-control window, in bytes: how much of a body is buffered before it is read. With the default of 1 MiB,
/// each connection could use that much memory.
const WINDOW: u32 = 64 * 1024;

/// Accepts and serves connections until `stop`. Returns when no connection is left.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Connections,
    mut stop: watch::Receiver<bool>,
) {
    let table = Table::new(limits);
    let builder = Arc::new(builder());
    let router = TowerToHyperService::new(router);
    let failures = LogLimit::per_minute();
    let mut tasks = JoinSet::new();
    let mut stopped = pin!(stopped(stop.clone()));
    loop {
        let accepted = tokio::select! {
            () = &mut stopped => break,
            Some(_) = tasks.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                if let Some(place) = table.admit(from.ip()) {
                    let served = Served::new(router.clone(), Caller::of(&place));
                    tasks.spawn(run(stream, served, place, builder.clone(), stop.clone()));
                }
            }
            Err(error) if is_of_the_caller(&error) => {}
            Err(error) => {
                table.make_room();
                if let Some(times) = failures.record() {
                    tracing::error!(
                        error = error.to_string(),
                        times,
                        "accepting a connection failed: raise the limit of open files (LimitNOFILE in the unit)"
                    );
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    // A dropped sender counts as a stop, too.
    let _ = stop.wait_for(|stop| *stop).await;
    while tasks.join_next().await.is_some() {}
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(H2_HEAD)
        .max_concurrent_streams(STREAMS);
    builder
}

/// Whether the error is about one connection that ended before it was accepted. The next one is not affected.
fn is_of_the_caller(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Serves one connection until it ends, reaches its deadline or is displaced.
async fn run(
    stream: TcpStream,
    served: Served,
    place: Place,
    builder: Arc<Builder<TokioExecutor>>,
    stop: watch::Receiver<bool>,
) {
    // A response is one write; it must not wait for the acknowledgment of the one before it.
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Watched::new(stream, Caller::of(&place)));
    let mut connection = pin!(builder.serve_connection(io, served));
    let mut stopped = pin!(stopped(stop));
    let (mut stopping, mut closing) = (None, false);
    loop {
        let next = match (closing, stopping) {
            (true, _) => Instant::now() + LINGER / 10,
            (false, Some(at)) => at,
            (false, None) => place.look_at(),
        };
        tokio::select! {
            // Ignore the error: many clients disconnect in the middle.
            _ = connection.as_mut() => return,
            () = place.taken_away() => return,
            () = &mut stopped, if stopping.is_none() => {
                // The first request of a new connection may be on its way. Closing now would lose a text's webhook.
                let grace = if place.has_asked() { Duration::ZERO } else { FIRST_REQUEST };
                stopping = Some(Instant::now() + grace);
            }
            () = tokio::time::sleep_until(next) => {
                if (stopping.is_some() || place.is_overdue()) && !closing {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                // A closing connection finishes the requests that it has read completely.
                if closing && place.may_close(LINGER) {
                    return;
                }
            }
        }
    }
}
