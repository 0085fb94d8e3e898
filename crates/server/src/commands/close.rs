//! `reckoner close`: a billing period becomes final.

use super::request_id;
use crate::install::Place;
use crate::telling::{progress, say};
use anyhow::bail;
use calendar::BillingPeriod;
use clap::Args;
use domain::access::Caller;
use domain::ids::BillingAccountId;
use service::{AccountClosing, CloseMode, ClosePeriod, Closing, Drafts, Outcome, Reckoner, Told};
use std::time::Duration;

/// A close that is done sooner shows no progress.
const QUIET: Duration = Duration::from_secs(1);
/// How often the progress is drawn anew.
const SHOW_EVERY: Duration = Duration::from_millis(200);

#[derive(Args)]
pub(crate) struct Close {
    #[command(flatten)]
    place: Place,
    /// A billing period (2026-03).
    period: String,
    /// Show what closing would do; changes nothing, and takes an open period too.
    #[arg(long)]
    dry_run: bool,
    /// Agree to the drafts that wait for a person, so that they go out.
    #[arg(long)]
    issue: bool,
    /// Close this account though records of it wait in quarantine: they are late usage once they
    /// are rated.
    #[arg(long, value_name = "BILLING_ACCOUNT")]
    leave_out: Vec<String>,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Close {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let asked = ClosePeriod {
            period: BillingPeriod::parse(&self.period)?,
            mode: if self.dry_run { CloseMode::DryRun } else { CloseMode::Final },
            drafts: if self.issue { Drafts::GoOut } else { Drafts::Wait },
            left_out: self
                .leave_out
                .iter()
                .map(|id| BillingAccountId::new(id))
                .collect::<Result<_, _>>()?,
        };
        let reckoner = self.place.open().await?;
        let closing = close(&reckoner, &asked).await?;
        let (period, is_sealed) = (closing.period, closing.head.is_some());
        if self.json {
            say!("{}", admin::closing_json(closing)?)?;
        } else {
            tell(&closing)?;
        }
        reckoner.close().await?;
        if !self.dry_run && !is_sealed {
            bail!("{period} is not sealed: accounts wait; close it again once they need not");
        }
        Ok(())
    }
}

/// Closes, and shows how far it has come when it takes longer than a moment.
async fn close(reckoner: &Reckoner, asked: &ClosePeriod) -> anyhow::Result<Closing> {
    let (caller, request_id) = (Caller::Machine, request_id());
    let mut closing = std::pin::pin!(reckoner.close_period(&caller, asked, &request_id));
    if let Ok(closed) = tokio::time::timeout(QUIET, &mut closing).await {
        return Ok(closed?);
    }
    let bar = progress("closing");
    loop {
        if let Ok(closed) = tokio::time::timeout(SHOW_EVERY, &mut closing).await {
            bar.finish_and_clear();
            return Ok(closed?);
        }
        if let Some(run) = reckoner.running_close(&caller).await? {
            bar.set_length(run.in_all);
            bar.set_position(run.done);
        }
    }
}

fn tell(closing: &Closing) -> std::io::Result<()> {
    let Closing { period, gates, accounts, computed_again, head } = closing;
    for gate in gates {
        say!("{period} cannot be closed: {gate}")?;
    }
    for AccountClosing { billing_account, outcome } in accounts {
        let (word, documents, reason) = match outcome {
            Outcome::Closed { documents } => ("closed", documents.as_slice(), None),
            Outcome::ClosedBefore { documents } => ("closed before", documents.as_slice(), None),
            Outcome::WouldClose { documents } => ("would be closed", documents.as_slice(), None),
            Outcome::Waits { reason } => ("waits", &[][..], Some(reason)),
            Outcome::Parked { reason } => ("parked", &[][..], Some(reason)),
        };
        match reason {
            Some(reason) => say!("{billing_account}: {word}: {reason}")?,
            None if documents.is_empty() => say!("{billing_account}: {word}, no invoice")?,
            None => say!("{billing_account}: {word}")?,
        }
        for Told { id, number, total, state } in documents {
            let name = match (number, state) {
                (Some(number), _) => number.to_string(),
                (None, Some(state)) => format!("{} {id}", state.name()),
                (None, None) => id.to_string(),
            };
            say!("  {name}  {total}")?;
        }
    }
    if *computed_again > 0 {
        say!(
            "{computed_again} closed periods of accounts were computed again: something came late"
        )?;
    }
    if let Some(head) = head {
        say!("{period} is sealed; the chain of closes ends in {head}")?;
    }
    Ok(())
}
