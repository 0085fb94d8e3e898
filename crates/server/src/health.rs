//! Whether the program is well: for probes, and figures for metrics.

use crate::metrics::Metrics;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use service::Reckoner;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What probes look at.
#[derive(Clone)]
pub(crate) struct Health {
    pub(crate) reckoner: Reckoner,
    /// Set when the program has begun to stop.
    pub(crate) stopping: Arc<AtomicBool>,
    pub(crate) metrics: Metrics,
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
    match health.metrics.text(&health.reckoner) {
        Ok(text) => {
            let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            (StatusCode::OK, [(CONTENT_TYPE, open_metrics)], text)
        }
        Err(_) => {
            (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, "text/plain")], String::new())
        }
    }
}
