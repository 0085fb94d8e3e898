//! Carrying out what was accepted, while the server runs.

use crate::metrics::Metrics;
use crate::telling;
use domain::Error;
use service::Reckoner;
use std::time::Duration;

/// How often it is looked for jobs that another node accepted, or that waited.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Carries jobs out as soon as they are accepted, for as long as the server runs.
pub(crate) async fn carry_out(reckoner: Reckoner, metrics: Metrics) {
    loop {
        match reckoner.carry_out_jobs().await {
            Ok(_) => {}
            Err(error @ Error::Unavailable { .. }) => tracing::info!(%error, "the jobs wait"),
            Err(error) => {
                metrics.housekeeping_failed();
                tracing::error!(error = %telling::chain(&error), "a job failed");
            }
        }
        // Whichever comes first.
        let _ = tokio::time::timeout(LOOK_EVERY, reckoner.job_accepted()).await;
    }
}
