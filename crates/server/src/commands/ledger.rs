//! `reckoner ledger` and `reckoner requests`: what was booked, and what waits for a second person.

use crate::install::Place;
use crate::telling::{say, unless_unread};
use calendar::BillingPeriod;
use clap::Args;
use documents::{Column, Sheet};
use domain::access::Caller;
use domain::ids::BillingAccountId;
use domain::ledger::Side;
use service::{LedgerAsked, LedgerTold, RequestTold};
use std::io::Write;

#[derive(Args)]
pub(crate) struct Ledger {
    #[command(flatten)]
    place: Place,
    /// Whose.
    billing_account: String,
    /// Only entries that the close of one billing period seals (2026-03).
    #[arg(long)]
    period: Option<String>,
    /// List at most so many entries.
    #[arg(long, default_value_t = 100)]
    limit: u64,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Ledger {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let asked = LedgerAsked {
            billing_account: BillingAccountId::new(&self.billing_account)?,
            period: self.period.as_deref().map(BillingPeriod::parse).transpose()?,
        };
        let reckoner = self.place.open().await?;
        let told = reckoner.ledger(&Caller::Machine, &asked, self.limit).await?;
        if self.json {
            say!("{}", admin::ledger_json(told)?)?;
            return Ok(());
        }
        let mut bytes = Vec::new();
        documents::write_text(&entries(&told), &mut bytes)?;
        writeln!(bytes)?;
        documents::write_text(&balances(&told), &mut bytes)?;
        Ok(unless_unread(std::io::stdout().lock().write_all(&bytes))?)
    }
}

/// Postings, one in a row.
fn entries(told: &LedgerTold) -> Sheet {
    let texts = ["at", "period", "purpose", "account"].map(Column::text);
    let numbers = ["debit", "credit"].map(Column::number);
    let columns = texts.into_iter().chain(numbers).chain([Column::text("currency")]).collect();
    let mut rows = Vec::new();
    for (period, entry) in &told.entries {
        for posting in entry.postings() {
            let amount = Some(posting.amount.digits());
            let (debit, credit) = match posting.side {
                Side::Debit => (amount, None),
                Side::Credit => (None, amount),
            };
            rows.push(vec![
                Some(entry.at().to_string()),
                Some(period.to_string()),
                Some(entry.purpose().to_string()),
                Some(posting.account.to_string()),
                debit,
                credit,
                Some(posting.amount.currency().to_string()),
            ]);
        }
    }
    Sheet { columns, rows }
}

/// What ledger accounts hold, one in a row.
fn balances(told: &LedgerTold) -> Sheet {
    let columns = vec![Column::text("account"), Column::number("holds"), Column::text("currency")];
    let row = |(account, held): &(domain::ledger::LedgerAccount, money::Money)| {
        [account.to_string(), held.digits(), held.currency().to_string()].map(Some).to_vec()
    };
    Sheet { columns, rows: told.balances.iter().map(row).collect() }
}

#[derive(Args)]
pub(crate) struct Requests {
    #[command(flatten)]
    place: Place,
    /// Of one billing account.
    #[arg(long)]
    billing_account: Option<String>,
    /// List at most so many.
    #[arg(long, default_value_t = 100)]
    limit: u64,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Requests {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let account = self.billing_account.as_deref().map(BillingAccountId::new).transpose()?;
        let reckoner = self.place.open().await?;
        let requests = reckoner.requests(&Caller::Machine, account, self.limit).await?;
        if self.json {
            say!("{}", admin::requests_json(requests)?)?;
            return Ok(());
        }
        for request in requests {
            let RequestTold { id, action, asked_by, what, expires_at, approved_by, .. } = request;
            let state = match approved_by {
                Some(person) => format!("approved by {person}"),
                None => format!("waits until {expires_at}"),
            };
            say!("{id}  {action}  {asked_by}  {state}\n  {what}")?;
        }
        Ok(())
    }
}
