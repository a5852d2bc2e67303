//! Wraps a connection's stream, router and response bodies, so that the table learns of received bytes and of the begin and
//! the end of requests.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, Response, Version};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::caller::{Asking, Caller};

/// The router for one connection: adds its [`Caller`] to each request.
#[derive(Debug, Clone)]
pub(super) struct Served {
    router: TowerToHyperService<Router>,
    caller: Caller,
}

impl Served {
    pub(super) fn new(router: TowerToHyperService<Router>, caller: Caller) -> Served {
        Served { router, caller }
    }
}

impl Service<Request<Incoming>> for Served {
    type Response = Response<Answer>;
    type Error = std::convert::Infallible;
    type Future = futures_util::future::BoxFuture<'static, Result<Response<Answer>, Self::Error>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let asking = self.caller.begin(request.version() == Version::HTTP_2);
        request.extensions_mut().insert(self.caller.clone());
        let answered = self.router.call(request);
        Box::pin(async move {
            let response = answered.await?;
            Ok(response.map(|body| Answer {
                body,
                _asking: asking,
            }))
        })
    }
}

/// A response body. The request ends when it is dropped.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    _asking: Asking,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A TCP stream that reports received bytes to the table.
#[derive(Debug)]
pub(super) struct Watched {
    stream: TcpStream,
    caller: Caller,
}

impl Watched {
    pub(super) fn new(stream: TcpStream, caller: Caller) -> Watched {
        Watched { stream, caller }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.caller.has_read();
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
