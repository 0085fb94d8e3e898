//! `reckoner balance`: what an account can still draw down, or its balance of a billing period.

use crate::install::Place;
use crate::telling::say;
use calendar::BillingPeriod;
use clap::Args;
use domain::access::Caller;
use domain::balance_summaries::LotChange;
use domain::ids::BillingAccountId;
use service::BalanceOfPeriod;

#[derive(Args)]
pub(crate) struct Balance {
    #[command(flatten)]
    place: Place,
    /// Whose.
    billing_account: String,
    /// What its lots did in a billing period, and what its charges came to (2026-03).
    #[arg(long)]
    period: Option<String>,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Balance {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let account = BillingAccountId::new(&self.billing_account)?;
        let period = self.period.as_deref().map(BillingPeriod::parse).transpose()?;
        let reckoner = self.place.open().await?;
        if let Some(period) = period {
            let told = reckoner.balance_of_period(&Caller::Machine, &account, period).await?;
            if self.json {
                say!("{}", admin::period_balance_json(told)?)?;
                return Ok(());
            }
            return tell(&told);
        }
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

/// Writes the balance of a billing period.
fn tell(told: &BalanceOfPeriod) -> anyhow::Result<()> {
    let BalanceOfPeriod { billing_account, at, currency: _, is_final, balance } = told;
    let (summary, totals) = (balance.summary, balance.summary.totals);
    let state = if *is_final { "closed".to_owned() } else { format!("open, as of {at}") };
    say!("{billing_account} in {}: {state}", balance.period)?;
    say!("beginning          {}", summary.beginning)?;
    say!("new purchases      {}", summary.new_purchases)?;
    changes(&balance.purchases)?;
    say!("adjustments        {}", summary.adjustments)?;
    changes(&balance.adjustments)?;
    say!("utilized           {}", totals.utilized)?;
    say!("ending             {}", summary.ending()?)?;
    say!("service overage    {}", totals.service_overage)?;
    say!("billed separately  {}", totals.billed_separately)?;
    say!("total overage      {}", totals.total_overage()?)?;
    say!("total usage        {}", totals.total_usage()?)?;
    say!("marketplace        {}", totals.marketplace)?;
    Ok(())
}

fn changes(all: &[LotChange]) -> anyhow::Result<()> {
    for LotChange { at, lot, kind, document, amount } in all {
        let by = document.as_ref().map(|document| format!(" by {document}"));
        say!("  {amount}  {} {lot}{} at {at}", kind.name(), by.unwrap_or_default())?;
    }
    Ok(())
}
