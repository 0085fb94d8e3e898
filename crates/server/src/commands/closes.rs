//! `reckoner closes`: what is sealed, and where a billing period stands.

use crate::install::Place;
use crate::telling::say;
use calendar::BillingPeriod;
use clap::Args;
use domain::access::Caller;
use service::{AccountStanding, CloseStanding, Reckoner, SealedPeriod};

#[derive(Args)]
pub(crate) struct Closes {
    #[command(flatten)]
    place: Place,
    /// A billing period (2026-03): where each of its accounts stands; all that is sealed if none.
    period: Option<String>,
    /// List at most so many.
    #[arg(long, default_value_t = 100)]
    limit: u64,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Closes {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let reckoner = self.place.open().await?;
        match &self.period {
            Some(period) => self.tell_one(&reckoner, BillingPeriod::parse(period)?).await?,
            None => self.tell_all(&reckoner).await?,
        }
        reckoner.close().await?;
        Ok(())
    }

    async fn tell_one(&self, reckoner: &Reckoner, period: BillingPeriod) -> anyhow::Result<()> {
        let standing = reckoner.close_standing(&Caller::Machine, period).await?;
        if self.json {
            say!("{}", admin::close_standing_json(standing, reckoner.system_now())?)?;
            return Ok(());
        }
        let CloseStanding { period, head, accounts, running: _ } = standing;
        for (id, standing) in accounts {
            match standing {
                AccountStanding::Open => say!("{id}: open")?,
                AccountStanding::Parked { reason, at } => say!("{id}: parked at {at}: {reason}")?,
                AccountStanding::Closed { at, link: None } => say!("{id}: closed at {at}")?,
                AccountStanding::Closed { at, link: Some(link) } => {
                    say!("{id}: closed at {at}, sealed by link {link}")?;
                }
            }
        }
        match head {
            Some(head) => say!("{period} is sealed: {head}")?,
            None => say!("{period} is not sealed")?,
        }
        Ok(())
    }

    async fn tell_all(&self, reckoner: &Reckoner) -> anyhow::Result<()> {
        let sealed = reckoner.sealed_periods(&Caller::Machine, self.limit).await?;
        if self.json {
            say!("{}", admin::sealed_periods_json(sealed)?)?;
            return Ok(());
        }
        for SealedPeriod { period, link, billing_account, head, sealed_at } in sealed {
            let of = billing_account.map_or_else(String::new, |account| format!(" of {account}"));
            say!("{period}{of}: link {link} at {sealed_at}, {head}")?;
        }
        Ok(())
    }
}
