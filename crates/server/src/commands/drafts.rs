//! `reckoner drafts` and `reckoner approve`: what an account's drafts come to, agreeing to them.

use super::request_id;
use crate::install::Place;
use crate::telling::say;
use calendar::BillingPeriod;
use clap::Args;
use domain::access::Caller;
use domain::chain::Digest;
use domain::ids::BillingAccountId;
use service::{AccountDrafts, Told};

#[derive(Args)]
pub(crate) struct Drafts {
    #[command(flatten)]
    of: Of,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Approve {
    #[command(flatten)]
    of: Of,
    /// Only if the drafts still are what `drafts` showed with this content.
    #[arg(long, value_name = "DIGEST", conflicts_with = "take_back")]
    content: Option<String>,
    /// Take the approval back.
    #[arg(long)]
    take_back: bool,
    /// Write JSON.
    #[arg(long, conflicts_with = "take_back")]
    json: bool,
}

/// Whose drafts, and of when.
#[derive(Args)]
struct Of {
    #[command(flatten)]
    place: Place,
    /// Whose.
    billing_account: String,
    /// The billing period (2026-03).
    period: String,
}

impl Of {
    fn read(&self) -> anyhow::Result<(BillingAccountId, BillingPeriod)> {
        let account = BillingAccountId::new(&self.billing_account)?;
        Ok((account, BillingPeriod::parse(&self.period)?))
    }
}

impl Drafts {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let (account, period) = self.of.read()?;
        let reckoner = self.of.place.open().await?;
        let drafts = reckoner.drafts(&Caller::Machine, &account, period).await?;
        show(drafts, self.json)
    }
}

impl Approve {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let (account, period) = self.of.read()?;
        let content = self.content.as_deref().map(Digest::parse).transpose()?;
        let reckoner = self.of.place.open().await?;
        let (caller, id) = (Caller::Machine, request_id());
        if self.take_back {
            reckoner.take_back_approval(&caller, &account, period, &id).await?;
            say!("{account} in {period}: the approval is taken back")?;
        } else {
            let drafts = reckoner.approve_drafts(&caller, &account, period, content, &id).await?;
            show(drafts, self.json)?;
        }
        reckoner.close().await?;
        Ok(())
    }
}

fn show(drafts: AccountDrafts, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        say!("{}", admin::drafts_json(drafts)?)?;
    } else {
        tell(&drafts)?;
    }
    Ok(())
}

fn tell(drafts: &AccountDrafts) -> std::io::Result<()> {
    let AccountDrafts { billing_account, period, documents, content, .. } = drafts;
    let AccountDrafts { approver, reason, in_quarantine, .. } = drafts;
    let state = match (approver, reason) {
        (Some(approver), _) => format!("approved by {approver}"),
        (None, Some(reason)) => format!("waits: {reason}"),
        (None, None) => "waits".to_owned(),
    };
    say!("{billing_account} in {period}: {state}")?;
    for Told { id, number: _, total, state: _ } in documents {
        say!("  {id}  {total}")?;
    }
    if *in_quarantine > 0 {
        say!("{in_quarantine} records wait in quarantine: they are in no draft")?;
    }
    say!("content {content}")
}
