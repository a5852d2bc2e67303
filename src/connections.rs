//! The service's connections: taken, served and closed so that whoever only holds connections open keeps nobody out.
//!
//! Each connection has a place in a [`Table`] of limited size. A request with a good signature proves its connection; when
//! the table is full, the unproven connection that has done the same for longest gives way to a new one, and a quarter of the table is
//! kept for proven ones. Deadlines are kept here and not by hyper: its `header_read_timeout` starts only after HTTP/1 and
//! HTTP/2 were told apart, and a client that sends nothing never gets that far.

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

pub(crate) use request::Caller;
pub(crate) use room::{most_connections, raise_limit};

use crate::config::Connections;
use crate::log_limit::LogLimit;
use request::{Served, Watched};
use table::{Place, Table};

/// How long accepting rests when the machine cannot give another connection: something has to be closed first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a connection that is to be closed may take to send off what was answered.
const LINGER: Duration = Duration::from_secs(1);

/// How long a stop waits for the first request of a connection that has sent none.
const FIRST_REQUEST: Duration = Duration::from_millis(300);

/// How much of a request's head is buffered. Twilio's and Slack's take about 2 KiB.
const HEAD: usize = 32 * 1024;

/// How much of a request's head is buffered in HTTP/2, where one connection holds several heads at once.
const H2_HEAD: u32 = 8 * 1024;

/// How many requests of one HTTP/2 connection are answered at once; their heads count as nobody's memory until then.
const STREAMS: u32 = 8;

/// How much of a body HTTP/2 buffers before it is read; with the default of 1 MiB every connection could take that much.
const WINDOW: u32 = 64 * 1024;

/// Serves until `stop`; back when no connection is left.
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
                    let served = Served::new(router.clone(), place.caller());
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
                        "no connection can be taken: raise the limit of open files (LimitNOFILE in the unit)"
                    );
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    // A sender that is gone counts as a stop, too.
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

/// Errors of one connection that was gone before it was taken: the next one is not affected.
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

/// Serves one connection to its end: its own, its deadline, or because its place is needed.
async fn run(
    stream: TcpStream,
    served: Served,
    place: Place,
    builder: Arc<Builder<TokioExecutor>>,
    stop: watch::Receiver<bool>,
) {
    // An answer is one write; it must not wait for the acknowledgement of the one before it.
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Watched::new(stream, place.caller()));
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
            // How it ended is the caller's business: most go away in the middle.
            _ = connection.as_mut() => return,
            () = place.taken_away() => return,
            () = &mut stopped, if stopping.is_none() => {
                // What was taken a moment ago has its request on the way: closed unread, a text's webhook would be lost.
                let grace = if place.has_asked() { Duration::ZERO } else { FIRST_REQUEST };
                stopping = Some(Instant::now() + grace);
            }
            () = tokio::time::sleep_until(next) => {
                if (stopping.is_some() || place.is_overdue()) && !closing {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                // One that is closing finishes the request it has begun; half a request is none.
                if closing && place.may_close(LINGER) {
                    return;
                }
            }
        }
    }
}
