//! Carrying out what was accepted, while the server runs.

use crate::metrics::Metrics;
use crate::telling;
use domain::{Error, Result};
use service::Reckoner;
use std::time::Duration;

/// How often it is looked for jobs that another node accepted, or that waited.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Carries jobs and transfers out as soon as they are accepted, for as long as the server runs.
pub(crate) async fn carry_out(reckoner: Reckoner, metrics: Metrics) {
    loop {
        tell(reckoner.carry_out_jobs().await, "job", &metrics);
        tell(reckoner.carry_out_transfers().await, "transfer", &metrics);
        // Whichever comes first.
        let _ = tokio::time::timeout(LOOK_EVERY, reckoner.job_accepted()).await;
    }
}

/// Makes exports of usage ready, apart from jobs: one may have to read much, and holds nobody up.
pub(crate) async fn export(reckoner: Reckoner, metrics: Metrics) {
    loop {
        tell(reckoner.carry_out_usage_exports().await, "usage export", &metrics);
        let _ = tokio::time::timeout(LOOK_EVERY, reckoner.usage_export_asked()).await;
    }
}

/// Answers usage queries, as one of several workers: one may have to read much.
pub(crate) async fn answer(reckoner: Reckoner, metrics: Metrics) {
    loop {
        tell(reckoner.carry_out_usage_queries().await, "usage query", &metrics);
        let _ = tokio::time::timeout(LOOK_EVERY, reckoner.usage_query_asked()).await;
    }
}

fn tell(carried_out: Result<u64>, what: &'static str, metrics: &Metrics) {
    match carried_out {
        Ok(_) => {}
        Err(error @ Error::Unavailable { .. }) => tracing::info!(%error, "each {what} waits"),
        Err(error) => {
            metrics.housekeeping_failed();
            tracing::error!(error = %telling::chain(&error), "a {what} failed");
        }
    }
}
