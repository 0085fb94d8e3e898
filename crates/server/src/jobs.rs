//! Carrying out what was accepted, changes and transfers, while the server runs.

use crate::metrics::Metrics;
use crate::telling;
use domain::Error;
use service::Reckoner;
use std::time::Duration;

/// How often it is looked for what another node accepted, or that waited.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Carries jobs and transfers out as soon as they are accepted, for as long as the server runs.
pub(crate) async fn carry_out(reckoner: Reckoner, metrics: Metrics) {
    loop {
        let (jobs, transfers) =
            (reckoner.carry_out_jobs().await, reckoner.carry_out_transfers().await);
        for failed in [jobs.err(), transfers.err()].into_iter().flatten() {
            match failed {
                error @ Error::Unavailable { .. } => tracing::info!(%error, "the jobs wait"),
                error => {
                    metrics.housekeeping_failed();
                    tracing::error!(error = %telling::chain(&error), "a job failed");
                }
            }
        }
        // Whichever comes first.
        let _ = tokio::time::timeout(LOOK_EVERY, reckoner.job_accepted()).await;
    }
}
