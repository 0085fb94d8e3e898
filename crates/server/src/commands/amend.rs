//! `reckoner amend` and `reckoner withdraw`: one record, by another that names it.

use super::request_id;
use crate::install::Place;
use crate::telling::say;
use anyhow::Context;
use clap::Args;
use domain::access::Caller;
use domain::ids::{BillingAccountId, RecordId, SourceName};
use domain::usage::{RecordKey, Verdict};
use money::Fixed18;
use service::{AmendmentAsked, Change};

/// Which record, and why.
#[derive(Args)]
struct Named {
    #[command(flatten)]
    place: Place,
    /// Of which billing account.
    #[arg(long)]
    billing_account: String,
    /// Which record.
    #[arg(value_name = "SOURCE/ID")]
    record: String,
    /// Why; it stands in the audit log and in the record that is made.
    #[arg(long)]
    reason: String,
    /// Id of the record that is made; a new one if not given. The same id again does nothing twice.
    #[arg(long = "as", value_name = "ID")]
    id: Option<String>,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Amend {
    #[command(flatten)]
    named: Named,
    /// What its quantity shall be.
    #[arg(long, allow_negative_numbers = true)]
    quantity: String,
}

#[derive(Args)]
pub(crate) struct Withdraw {
    #[command(flatten)]
    named: Named,
}

impl Amend {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let quantity = Fixed18::parse(&self.quantity)
            .map_err(|e| domain::Error::invalid("quantity", e.to_string()))?;
        self.named.run(Change::Quantity(quantity)).await
    }
}

impl Withdraw {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        self.named.run(Change::Withdraw).await
    }
}

impl Named {
    async fn run(self, change: Change) -> anyhow::Result<()> {
        let (source, id) = self.record.split_once('/').context("a record is SOURCE/ID")?;
        let asked = AmendmentAsked {
            target: RecordKey {
                billing_account: BillingAccountId::new(&self.billing_account)?,
                source: SourceName::new(source)?,
                id: RecordId::new(id)?,
            },
            id: self.id.as_deref().map(RecordId::new).transpose()?,
            change,
            reason: self.reason,
        };
        let reckoner = self.place.open().await?;
        let amended = reckoner.amend(&Caller::Machine, asked, &request_id()).await?;
        let verdict = amended.taken.verdict.clone();
        if self.json {
            say!("{}", admin::amended_json(amended)?)?;
        } else {
            say!("{}", amended.id)?;
        }
        if let Verdict::Quarantined { reason, field } = verdict {
            eprintln!("it waits in quarantine: {} ({field})", reason.name());
        }
        reckoner.close().await?;
        Ok(())
    }
}
