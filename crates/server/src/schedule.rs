//! Closing by schedule, while the server runs.

use crate::metrics::Metrics;
use crate::telling;
use domain::Error;
use domain::access::Caller;
use service::{Closing, Outcome, Reckoner};
use std::time::Duration;

/// How often it is looked whether anything is due; the business clock says whether it is.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Closes what is due, for as long as the server runs.
pub(crate) async fn close_by_schedule(reckoner: Reckoner, metrics: Metrics) {
    let mut round = tokio::time::interval(LOOK_EVERY);
    round.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        round.tick().await;
        let request_id = uuid::Uuid::new_v4().to_string();
        match reckoner.close_what_is_due(&Caller::Machine, &request_id).await {
            Ok(closings) => closings.iter().for_each(|closing| log(closing, &request_id)),
            Err(error @ (Error::Conflict { .. } | Error::Unavailable { .. })) => {
                tracing::info!(request_id, %error, "a close that is due waits");
            }
            Err(error) => {
                metrics.housekeeping_failed();
                tracing::error!(request_id, error = %telling::chain(&error), "closing failed");
            }
        }
    }
}

fn log(closing: &Closing, request_id: &str) {
    let Closing { period, gates: _, accounts, computed_again: _, head } = closing;
    let (mut waiting, mut parked) = (0_u64, 0_u64);
    for account in accounts {
        match account.outcome {
            Outcome::Waits { .. } => waiting += 1,
            Outcome::Parked { .. } => parked += 1,
            Outcome::Closed { .. } | Outcome::ClosedBefore { .. } | Outcome::WouldClose { .. } => {}
        }
    }
    let (all, is_sealed) = (accounts.len(), head.is_some());
    tracing::info!(request_id, %period, all, waiting, parked, is_sealed, "closed by schedule");
}
