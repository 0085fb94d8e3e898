//! `reckoner balance`: what an account can still draw down.

use crate::install::Place;
use crate::telling::say;
use clap::Args;
use domain::access::Caller;
use domain::ids::BillingAccountId;

#[derive(Args)]
pub(crate) struct Balance {
    #[command(flatten)]
    place: Place,
    /// Whose.
    billing_account: String,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Balance {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let account = BillingAccountId::new(&self.billing_account)?;
        let reckoner = self.place.open().await?;
        let balance = reckoner.available_balance(&Caller::Machine, &account).await?;
        if self.json {
            say!("{}", admin::balance_json(balance)?)?;
            return Ok(());
        }
        for lot in &balance.lots {
            let (id, until) = (&lot.id, lot.holds.end());
            say!("{id}  {} of {} until {until}", lot.available, lot.granted)?;
            say!("  after closed periods {}, open ones draw {}", lot.booked, lot.drawn)?;
        }
        let periods: Vec<String> = balance.open_periods.iter().map(ToString::to_string).collect();
        say!("available {}", balance.available)?;
        say!("owed for {} so far {}", periods.join(", "), balance.owed)?;
        Ok(())
    }
}
