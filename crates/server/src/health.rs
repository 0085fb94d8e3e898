//! Whether the program is well: for probes, and figures for metrics.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use service::Reckoner;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What probes look at.
#[derive(Clone)]
pub(crate) struct Health {
    pub(crate) reckoner: Reckoner,
    /// Set when the program has begun to stop.
    pub(crate) stopping: Arc<AtomicBool>,
}

/// `/livez`, `/readyz`, `/healthz`, `/metrics`. Answers say yes or no; reasons go to the log.
pub(crate) fn router(health: Health) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/healthz", get(ready))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn ready(State(health): State<Health>) -> impl IntoResponse {
    if health.stopping.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match health.reckoner.ready().await {
        Ok(()) => (StatusCode::OK, "ok\n"),
        Err(error) => {
            tracing::error!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
        }
    }
}

async fn metrics(State(health): State<Health>) -> impl IntoResponse {
    let mut registry = Registry::with_prefix("reckoner");
    for (name, value) in health.reckoner.figures() {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        registry.register(name, name.replace('_', " "), ConstGauge::new(value));
    }
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => {
            let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            (StatusCode::OK, [(CONTENT_TYPE, open_metrics)], text)
        }
        Err(_) => {
            (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, "text/plain")], String::new())
        }
    }
}
