//! Listening: HTTPS, and plain HTTP on loopback; stopping in good order.

use crate::callbacks::{self, ResultCourier};
use crate::connections::Connections;
use crate::deliveries::{self, Courier};
use crate::health::{self, Health};
use crate::metrics::Metrics;
use crate::tls::{Certificate, check_plain};
use crate::wire::Wire;
use crate::{jobs, schedule, surfaces, telling};
use anyhow::Context;
use axum::{Extension, Router};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsAcceptor;
use futures::FutureExt;
use httpkit::{Authenticate, Edge, Gate, House, Scheme, Shown, Sizes};
use service::Reckoner;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Time for readiness to be noticed before connections are ended.
const NOTICE: Duration = Duration::from_millis(200);

/// Sockets that are bound and not served yet.
pub(crate) struct Bound {
    https: TcpListener,
    http: Option<TcpListener>,
    wire: Wire,
    couriers: (Courier, ResultCourier),
}

impl Bound {
    /// Binds; port 0 takes a free one.
    pub(crate) fn new(
        https: SocketAddr,
        http: Option<SocketAddr>,
        (wire, couriers): (Wire, (Courier, ResultCourier)),
    ) -> anyhow::Result<Bound> {
        let bind = |address: SocketAddr| -> anyhow::Result<TcpListener> {
            let listener =
                TcpListener::bind(address).with_context(|| format!("listen on {address}"))?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        let http = match http {
            None => None,
            Some(address) => {
                check_plain(address)?;
                Some(bind(address)?)
            }
        };
        Ok(Bound { https: bind(https)?, http, wire, couriers })
    }

    /// Our addresses under the names that were configured.
    pub(crate) fn named_urls(&self) -> anyhow::Result<Vec<String>> {
        Ok(self.wire.audiences(self.https.local_addr()?.port()))
    }

    /// What the certificate has to name: the hosts configured.
    pub(crate) fn names(&self) -> &[String] {
        &self.wire.names
    }

    /// Where HTTPS listens, as clients on this machine reach it.
    pub(crate) fn https_url(&self) -> anyhow::Result<String> {
        Ok(format!("https://{}", reachable(self.https.local_addr()?)))
    }

    /// Where plain HTTP listens.
    pub(crate) fn http_url(&self) -> anyhow::Result<Option<String>> {
        let address = self.http.as_ref().map(TcpListener::local_addr).transpose()?;
        Ok(address.map(|address| format!("http://{}", reachable(address))))
    }

    /// Serves until told to stop, then lets running requests end. `ready` is called as soon as
    /// connections are taken; what it cannot do ends the serving.
    pub(crate) async fn serve(
        self,
        reckoner: Reckoner,
        certificate: Certificate,
        extra: Router,
        ready: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        // Before anybody is told that we listen: from then on somebody may ask us to stop.
        let asked = Asked::listen().context("listen for signals")?;
        let stopping = Arc::new(AtomicBool::new(false));
        let metrics = Metrics::new();
        let health = Health {
            reckoner: reckoner.clone(),
            stopping: Arc::clone(&stopping),
            metrics: metrics.clone(),
        };
        let app = app(health, &self.wire, extra);
        let (secure, plain) = (Handle::new(), Handle::new());
        let (stop_idle, idle) = watch::channel(false);
        let door = || Connections::new(self.wire.connections, self.wire.idle(), idle.clone());
        let behind = work_behind(&reckoner, self.couriers, &metrics);
        let stop = tokio::spawn(stop_on_signal(Stop {
            asked,
            stopping,
            stop_idle,
            handles: vec![secure.clone(), plain.clone()],
            grace: self.wire.grace(),
        }));
        let mut https = axum_server::from_tcp(self.https)?
            .acceptor(RustlsAcceptor::new(certificate.rustls).acceptor(door()))
            .handle(secure.clone());
        https.http_builder().http2().max_header_list_size(self.wire.header_list_bytes());
        let https = https.serve(app.clone().layer(Extension(Scheme::Https)).into_make_service());
        let https = async { https.await.context("serve HTTPS") };
        match self.http {
            Some(listener) => {
                let http = axum_server::from_tcp(listener)?
                    .acceptor(door())
                    .handle(plain.clone())
                    .serve(app.layer(Extension(Scheme::Http)).into_make_service());
                let http = async { http.await.context("serve HTTP") };
                tokio::try_join!(https, http, when_listening(vec![secure, plain], ready))?;
            }
            None => {
                tokio::try_join!(https, when_listening(vec![secure], ready))?;
            }
        }
        drop(behind);
        stop.abort();
        reckoner.close().await.context("write what is in memory")
    }
}

/// Starts what is done behind answers; it ends when the set is dropped.
fn work_behind(
    reckoner: &Reckoner,
    (courier, results): (Courier, ResultCourier),
    metrics: &Metrics,
) -> JoinSet<()> {
    let with = || (reckoner.clone(), metrics.clone());
    let mut behind = JoinSet::new();
    let (one, counts) = with();
    behind.spawn(keep_house(one, counts));
    let (one, counts) = with();
    behind.spawn(schedule::close_by_schedule(one, counts));
    let (one, counts) = with();
    behind.spawn(jobs::carry_out(one, counts));
    let (one, counts) = with();
    behind.spawn(deliveries::check_budgets(one, counts));
    let (one, counts) = with();
    behind.spawn(deliveries::deliver(one, courier, counts));
    let (one, counts) = with();
    behind.spawn(jobs::export(one, counts));
    let (one, counts) = with();
    behind.spawn(callbacks::deliver(one, results, (counts, elapsed_since_start())));
    for _ in 0..reckoner.limits().usage_queries_at_once.max(1) {
        let (one, counts) = with();
        behind.spawn(jobs::answer(one, counts));
    }
    behind
}

/// Calls `ready` once all of them take connections; a server that ends before says so itself.
async fn when_listening(
    handles: Vec<Handle<SocketAddr>>,
    ready: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for handle in handles {
        if handle.listening().await.is_none() {
            return Ok(());
        }
    }
    ready()
}

/// Loopback where everything is listened on: certificates are for names, not for 0.0.0.0.
fn reachable(address: SocketAddr) -> SocketAddr {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    address
}

fn app(health: Health, wire: &Wire, extra: Router) -> Router {
    let (reckoner, metrics) = (health.reckoner.clone(), health.metrics.clone());
    let limits = reckoner.limits();
    let at_least_one =
        |limit: u64| u32::try_from(limit).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
    let started = elapsed_since_start();
    let house = House {
        gate: Gate::new(wire.requests_at_once),
        elapsed: started.clone(),
        timeout: wire.answer(),
        long_timeout: wire.long_answer(),
        sizes: Sizes {
            body_most_bytes: wire.body_bytes,
            url_most_bytes: wire.url_bytes,
            headers_most_bytes: wire.header_bytes,
        },
        burst: at_least_one(limits.request_burst),
        per_second: at_least_one(limits.requests_per_second),
    };
    let mut router = house.frame(httpkit::plain).around(extra);
    let mut rewrites = Vec::new();
    for surface in surfaces::all(&reckoner, &house) {
        router = router.merge(surface.router);
        rewrites.extend(surface.rewrites);
    }
    router = router.merge(health::router(health));
    let asking = reckoner;
    let edge = Edge {
        render: armkit::render,
        authenticate: Authenticate::new(move |Shown { header, from, request_id }| {
            let reckoner = asking.clone();
            let ask = async move {
                reckoner.caller(header.as_deref(), from, &request_id.to_string()).await
            };
            ask.boxed()
        }),
        new_id: Arc::new(uuid::Uuid::new_v4),
        elapsed: started,
        rewrites,
        observe: Arc::new(move |answered| metrics.answered(answered)),
        forwarded: wire.forwarded.into(),
    };
    edge.around(router)
}

#[expect(
    clippy::disallowed_methods,
    reason = "durations in the log and in limits are monotonic time"
)]
fn elapsed_since_start() -> httpkit::Elapsed {
    let start = std::time::Instant::now();
    Arc::new(move || start.elapsed())
}

/// Seals, writes and tidies up in the background; ends the process when the log has failed.
async fn keep_house(reckoner: Reckoner, metrics: Metrics) {
    let mut round = tokio::time::interval(Duration::from_millis(500));
    round.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        round.tick().await;
        if let Err(error) = reckoner.keep_house().await {
            metrics.housekeeping_failed();
            tracing::error!(error = %telling::chain(&error), "housekeeping failed");
        }
        if reckoner.must_end() {
            tracing::error!(
                "the usage log has failed; the process ends so that a restart reads what is durable"
            );
            std::process::exit(74);
        }
    }
}

/// The signals that ask us to stop.
struct Asked {
    terminate: Signal,
    interrupt: Signal,
}

impl Asked {
    fn listen() -> std::io::Result<Asked> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Asked { terminate, interrupt: signal(SignalKind::interrupt())? })
    }
}

/// What is told that the program stops.
struct Stop {
    asked: Asked,
    stopping: Arc<AtomicBool>,
    stop_idle: watch::Sender<bool>,
    handles: Vec<Handle<SocketAddr>>,
    grace: Duration,
}

async fn stop_on_signal(stop: Stop) {
    let Stop { mut asked, stopping, stop_idle, handles, grace } = stop;
    tokio::select! {
        _ = asked.interrupt.recv() => {}
        _ = asked.terminate.recv() => {}
    }
    stopping.store(true, Ordering::Relaxed);
    tokio::time::sleep(NOTICE).await;
    for handle in handles {
        handle.graceful_shutdown(Some(grace));
    }
    // Connections that wait for a request would hold everything up until the grace is over.
    stop_idle.send_replace(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ready_is_called_when_connections_are_taken_and_not_before() {
        let (handle, called) = (Handle::new(), Arc::new(AtomicBool::new(false)));
        let ready = {
            let called = Arc::clone(&called);
            move || {
                called.store(true, Ordering::SeqCst);
                Ok(())
            }
        };
        let told = tokio::spawn(when_listening(vec![handle.clone()], ready));
        tokio::task::yield_now().await;
        assert!(!called.load(Ordering::SeqCst), "nobody listens yet");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let server = axum_server::from_tcp(listener).expect("a server").handle(handle.clone());
        let serving = tokio::spawn(server.serve(Router::new().into_make_service()));
        told.await.expect("no panic").expect("ready");
        assert!(called.load(Ordering::SeqCst));
        handle.shutdown();
        serving.await.expect("no panic").expect("served");
    }
}
