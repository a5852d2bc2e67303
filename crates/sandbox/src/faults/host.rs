//! A loopback host whose connections can be cut and that can go down and come up again on the same port.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use anyhow::Context as _;
use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// A stand-in's listener; clones are the same host. It stops when the last clone is dropped.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    addr: SocketAddr,
    router: Router,
    connections: Connections,
    serving: Mutex<Option<JoinHandle<()>>>,
    /// Holds the port while the host is down, and refuses connections.
    kept: Mutex<Option<TcpSocket>>,
}

type Connections = Arc<Mutex<Vec<Weak<Cutter>>>>;

impl Host {
    /// Listens on `listen` (port 0: any free one) and serves `router`, whose handlers may extract
    /// `ConnectInfo<Connection>` to cut the connection they are on.
    pub async fn start(listen: SocketAddr, router: Router) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("the stand-in cannot listen on {listen}"))?;
        let host = Host(Arc::new(Inner {
            addr: listener.local_addr()?,
            router,
            connections: Arc::default(),
            serving: Mutex::new(None),
            kept: Mutex::new(None),
        }));
        host.serve(listener);
        Ok(host)
    }

    /// The address that it listens on, or did before it went down.
    pub fn addr(&self) -> SocketAddr {
        self.0.addr
    }

    /// Goes down: cuts open connections and refuses new ones.
    pub async fn down(&self) {
        // Cut first: without their server, idle connections would take leave in an orderly way.
        self.cut_all();
        let serving = lock(&self.0.serving).take();
        if let Some(serving) = serving {
            serving.abort();
            // The port is free only once the task has dropped its listener.
            let _ = serving.await;
            *lock(&self.0.kept) = keep(self.0.addr);
        }
        self.cut_all();
    }

    /// Comes up again on the same port; does nothing if it is up.
    pub async fn up(&self) -> anyhow::Result<()> {
        if lock(&self.0.serving).is_some() {
            return Ok(());
        }
        let kept = lock(&self.0.kept).take();
        let listener = match kept {
            Some(kept) => kept.listen(BACKLOG),
            None => TcpListener::bind(self.0.addr).await,
        };
        let back = || format!("the stand-in cannot come back on {}", self.0.addr);
        self.serve(listener.with_context(back)?);
        Ok(())
    }

    /// Cuts every open connection, and accepts new ones.
    pub fn cut_all(&self) {
        for cutter in lock(&self.0.connections).drain(..) {
            if let Some(cutter) = cutter.upgrade() {
                cutter.cut();
            }
        }
    }

    fn serve(&self, listener: TcpListener) {
        let listener = CuttableListener {
            listener,
            connections: self.0.connections.clone(),
        };
        let service = self
            .0
            .router
            .clone()
            .into_make_service_with_connect_info::<Connection>();
        *lock(&self.0.serving) = Some(tokio::spawn(async move {
            let _ = axum::serve(listener, service).await;
        }));
    }
}

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A socket that is bound to the address and does not listen. It is exclusive if possible; while old connections
/// linger, only a shared one can be had.
fn keep(addr: SocketAddr) -> Option<TcpSocket> {
    let bound = |may_share| {
        let socket = match addr {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        socket.set_reuseaddr(may_share)?;
        socket.bind(addr)?;
        Ok::<_, io::Error>(socket)
    };
    bound(false).or_else(|_| bound(true)).ok()
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Host").field(&self.0.addr).finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(serving) = lock(&self.serving).take() {
            serving.abort();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The connection that a request came in on. Handlers extract it by `ConnectInfo<Connection>`.
#[derive(Debug, Clone)]
pub struct Connection(Arc<Cutter>);

impl Connection {
    /// Cuts the connection at once: the client sees a reset.
    pub fn cut(&self) {
        self.0.cut();
    }
}

impl Connected<IncomingStream<'_, CuttableListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, CuttableListener>) -> Self {
        Connection(stream.io().cutter.clone())
    }
}

#[derive(Debug, Default)]
struct Cutter {
    cut: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Cutter {
    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        self.reader.wake();
        self.writer.wake();
    }

    fn check(&self, waker: &AtomicWaker, cx: &Context<'_>) -> io::Result<()> {
        // Registered before looking, so that a cut in between is not missed.
        waker.register(cx.waker());
        if self.cut.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

struct CuttableListener {
    listener: TcpListener,
    connections: Connections,
}

impl Listener for CuttableListener {
    type Io = CuttableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, addr) = Listener::accept(&mut self.listener).await;
        let _ = stream.set_nodelay(true);
        let cutter = Arc::new(Cutter::default());
        let mut connections = lock(&self.connections);
        connections.retain(|open| open.strong_count() > 0);
        connections.push(Arc::downgrade(&cutter));
        (CuttableStream { stream, cutter }, addr)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

struct CuttableStream {
    stream: TcpStream,
    cutter: Arc<Cutter>,
}

impl Drop for CuttableStream {
    fn drop(&mut self) {
        if self.cutter.cut.load(Ordering::SeqCst) {
            // With a zero linger, closing the socket sends RST instead of an orderly FIN.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for CuttableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.cutter.check(&self.cutter.reader, cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.cutter.check(&self.cutter.writer, cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cutter.check(&self.cutter.writer, cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cutter.check(&self.cutter.writer, cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::extract::{ConnectInfo, State};
    use axum::response::{IntoResponse, Response};
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::faults::{self, Effect, Faults};

    async fn answer(
        State(faults): State<Faults>,
        ConnectInfo(connection): ConnectInfo<Connection>,
    ) -> Response {
        let perform = async { "0123456789".into_response() };
        let refuse = |error: &str| error.to_owned().into_response();
        faults::perform(faults.next("it"), &connection, perform, refuse).await
    }

    async fn start() -> (Host, Faults) {
        let faults = Faults::default();
        let router = Router::new()
            .route("/", get(answer))
            .with_state(faults.clone());
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        (Host::start(listen, router).await.unwrap(), faults)
    }

    async fn ask(host: &Host) -> io::Result<String> {
        let mut stream = TcpStream::connect(host.addr()).await?;
        let request = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    #[tokio::test]
    async fn a_request_without_a_fault_is_answered() {
        let (host, _) = start().await;
        assert!(ask(&host).await.unwrap().ends_with("0123456789"));
    }

    #[tokio::test]
    async fn a_reset_is_a_reset_and_not_one_byte_of_an_answer() {
        let (host, faults) = start().await;
        for fault in [Effect::Reset.accepted(), Effect::Reset.not_accepted()] {
            faults.push("it", fault);
            let error = ask(&host).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
        assert!(ask(&host).await.is_ok());
    }

    #[tokio::test]
    async fn a_hanging_request_is_never_answered() {
        let (host, faults) = start().await;
        faults.push("it", Effect::Hang.accepted());
        let asked = tokio::time::timeout(Duration::from_millis(100), ask(&host)).await;
        assert!(asked.is_err());
    }

    #[tokio::test]
    async fn an_answer_cut_short_announces_more_than_it_brings() {
        let (host, faults) = start().await;
        faults.push("it", Effect::CutShort.accepted());
        let answer = ask(&host).await.unwrap();
        assert!(answer.contains("content-length: 10"), "{answer}");
        assert!(answer.ends_with("01234"), "{answer}");
    }

    #[tokio::test]
    async fn other_faults_answer_as_they_say() {
        let (host, faults) = start().await;
        for (effect, start, end) in [
            (Effect::Status(503), "HTTP/1.1 503", ""),
            (Effect::Empty, "HTTP/1.1 200", "\r\n\r\n"),
            (Effect::Garbage, "HTTP/1.1 200", "</html>"),
            (Effect::Error("30003".into()), "HTTP/1.1 200", "30003"),
            (Effect::Slow(Duration::from_millis(20)), "HTTP/1.1 200", "9"),
        ] {
            faults.push("it", effect.not_accepted());
            let answer = ask(&host).await.unwrap();
            assert!(answer.starts_with(start), "{answer}");
            assert!(answer.ends_with(end), "{answer}");
        }
        let retry_after = Some(7);
        faults.push("it", Effect::RateLimited { retry_after }.not_accepted());
        let answer = ask(&host).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
        assert!(answer.contains("retry-after: 7"), "{answer}");
    }

    #[tokio::test]
    async fn a_host_that_is_down_refuses_and_comes_back_on_the_same_port() {
        let (host, _) = start().await;
        let mut open = TcpStream::connect(host.addr()).await.unwrap();
        // A whole exchange, so that the connection is known to have been accepted.
        let request = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
        open.write_all(request).await.unwrap();
        assert!(open.read(&mut [0; 1024]).await.unwrap() > 0);
        let addr = host.addr();
        host.down().await;
        let cut = open.read(&mut [0; 1]).await;
        assert!(
            matches!(&cut, Err(error) if error.kind() == io::ErrorKind::ConnectionReset),
            "{cut:?}"
        );
        let refused = ask(&host).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        host.up().await.unwrap();
        assert_eq!(host.addr(), addr);
        assert!(ask(&host).await.is_ok());
    }
}
