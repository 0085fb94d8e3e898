//! Connections: how many may be open, and how long one is kept that does not come to a request.
//!
//! A connection without a running request is closed when its patience is over, and at once when the
//! program stops; so is one whose client takes no byte of its answer. This stands below TLS, so
//! that handshakes are bounded too.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use axum_server::accept::Accept;
use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::BodyExt;
use httpkit::Peer;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Sleep, sleep};
use tower::Service;

/// The door of one listener; clones share its places.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    places: Arc<Semaphore>,
    patience: Duration,
    stopping: watch::Receiver<bool>,
}

impl Connections {
    /// Keeps at most so many, each for so long without a request; all that have none end when
    /// `stopping` says so.
    pub(crate) fn new(most: usize, patience: Duration, stopping: watch::Receiver<bool>) -> Self {
        let places = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Connections { places, patience, stopping }
    }
}

impl Accept<TcpStream, Router> for Connections {
    type Stream = Watched;
    type Service = Counting;
    type Future = Ready<io::Result<(Watched, Counting)>>;

    fn accept(&self, stream: TcpStream, router: Router) -> Self::Future {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::warn!("a connection is refused; set `http.connections` to keep more");
            return ready(Err(io::Error::other("too many connections")));
        };
        let mut stopping = self.stopping.clone();
        let stop = async move {
            if stopping.wait_for(|is| *is).await.is_err() {
                // Nobody will say so any more.
                std::future::pending::<()>().await;
            }
        };
        let requests = Arc::new(Requests::default());
        let peer = stream.peer_addr().ok().map(|peer| Peer(peer.ip()));
        let watched = Watched {
            stream,
            requests: Arc::clone(&requests),
            seen: 0,
            patience: self.patience,
            idle: Box::pin(sleep(self.patience)),
            stalled: None,
            stop: Some(stop.boxed()),
            _place: place,
        };
        ready(Ok((watched, Counting { router, requests, peer })))
    }
}

/// The requests of a connection.
#[derive(Debug, Default)]
struct Requests {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Requests {
    fn are_running(&self) -> bool {
        self.begun.load(Ordering::Acquire) > self.ended.load(Ordering::Acquire)
    }
}

/// A request until the last byte of its answer has been handed on.
struct Running(Arc<Requests>);

impl Running {
    fn begin(requests: &Arc<Requests>) -> Running {
        requests.begun.fetch_add(1, Ordering::AcqRel);
        Running(Arc::clone(requests))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::AcqRel);
    }
}

/// The surfaces, counting the requests of one connection and telling them who is at its other end.
#[derive(Clone)]
pub(crate) struct Counting {
    router: Router,
    requests: Arc<Requests>,
    peer: Option<Peer>,
}

impl<B> Service<Request<B>> for Counting
where
    Router: Service<Request<B>, Response = Response, Error = Infallible, Future: Send + 'static>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<B>>::poll_ready(&mut self.router, context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let running = Running::begin(&self.requests);
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        let answer = self.router.call(request);
        async move {
            let held = |body: Body| {
                Body::new(body.map_err(move |error| {
                    let _until_the_body_is_gone = &running;
                    error
                }))
            };
            Ok(answer.await?.map(held))
        }
        .boxed()
    }
}

/// The stream of a connection that is not kept for ever.
pub(crate) struct Watched {
    stream: TcpStream,
    requests: Arc<Requests>,
    /// Requests that had ended when the patience began.
    seen: u64,
    patience: Duration,
    idle: Pin<Box<Sleep>>,
    /// Since a byte of an answer was last taken, while one waits.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Until the program stops; gone when it does.
    stop: Option<BoxFuture<'static, ()>>,
    _place: OwnedSemaphorePermit,
}

impl Watched {
    /// Whether nothing more is waited for; else wakes the task when that may have changed.
    fn is_given_up(&mut self, context: &mut Context<'_>) -> bool {
        if self.stop.as_mut().is_some_and(|stop| stop.as_mut().poll(context).is_ready()) {
            self.stop = None;
        }
        let ended = self.requests.ended.load(Ordering::Acquire);
        if self.seen != ended {
            self.seen = ended;
            self.idle = Box::pin(sleep(self.patience));
        }
        let is_busy = self.is_busy();
        while self.idle.as_mut().poll(context).is_ready() {
            if !is_busy {
                return true;
            }
            self.idle = Box::pin(sleep(self.patience));
        }
        self.stop.is_none() && !is_busy
    }

    /// Whether a request runs, or the end of an answer waits to be taken.
    fn is_busy(&self) -> bool {
        self.requests.are_running() || self.stalled.is_some()
    }

    /// What a write came to; an error when nobody has taken a byte for too long.
    fn taken<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_given_up(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, bytes)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.taken(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.taken(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
