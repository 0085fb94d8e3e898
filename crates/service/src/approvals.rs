//! Drafts of one account: what they come to now, and a person's agreement to just that.
//!
//! An approval is of a content, the digest of all of an account's drafts of a billing period. The
//! next close finds it and lets them out in that person's name; once they come to anything else it
//! counts no more.

use crate::bookings::Drafted;
use crate::closes::Run;
use crate::requests::Agreed;
use crate::{CloseMode, ClosePeriod, Drafts, Inner, Outcome, Reckoner, Told};
use async_recursion::async_recursion as boxed;
use calendar::BillingPeriod;
use domain::access::{Action, Caller, Scope};
use domain::chain::Digest;
use domain::ids::{BillingAccountId, PrincipalId};
use domain::invoice_state::{Approver, InvoiceState, Step};
use domain::{Error, Result};
use std::collections::BTreeMap;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use store::ApprovalRow;

/// An account's drafts of a billing period, as they come to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountDrafts {
    /// Whose.
    pub billing_account: BillingAccountId,
    /// Of when.
    pub period: BillingPeriod,
    /// Notes, then invoices; none where there is nothing to charge.
    pub documents: Vec<Told>,
    /// What stands for all that they say: see [`domain::chain::drafts_digest`].
    pub content: Digest,
    /// Who has agreed to them, if somebody has.
    pub approver: Option<Approver>,
    /// What they wait for, as long as nobody has.
    pub reason: Option<String>,
    /// How many records of the account wait in quarantine: they are in none of them.
    pub in_quarantine: u64,
}

impl AccountDrafts {
    fn state(&self) -> InvoiceState {
        self.approver.as_ref().map_or(InvoiceState::Draft, |_| InvoiceState::Approved)
    }

    /// The same, once a person has agreed to them.
    fn approved(self, by: PrincipalId) -> AccountDrafts {
        let state = Some(InvoiceState::Approved);
        let documents = self.documents.into_iter().map(|told| Told { state, ..told }).collect();
        AccountDrafts { documents, approver: Some(Approver::Person(by)), reason: None, ..self }
    }

    /// What a dry run says of them.
    pub(crate) fn outcome(self) -> Outcome {
        Outcome::WouldClose { documents: self.documents }
    }
}

/// What a person has agreed to.
pub(crate) struct Approved {
    /// Who.
    pub(crate) by: PrincipalId,
    /// To drafts with just this content.
    pub(crate) content: Digest,
}

impl Reckoner {
    /// What an account's drafts of a billing period come to now; of an open period too.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`] for an account that the caller may not
    /// see; [`Error::PeriodClosed`] once it is closed for the account; [`Error::Conflict`] naming
    /// what keeps them from being drafted, such as a missing tax rate.
    #[boxed]
    pub async fn drafts(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        period: BillingPeriod,
    ) -> Result<AccountDrafts> {
        self.demand(caller, Action::ReadInvoices, &Scope::Account(account.clone())).await?;
        self.drafted(caller, account, period).await
    }

    /// Agrees to an account's drafts of a billing period, as they are now: the next close lets
    /// them out unless they have changed by then. Again, it changes nothing.
    ///
    /// With `content`, only if they still are what was looked at. Errors: as
    /// [`Reckoner::drafts`]; [`Error::Conflict`] when they have changed, when usage of the period
    /// can still come, or where the billing terms agree by themselves.
    #[boxed]
    pub async fn approve_drafts(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        period: BillingPeriod,
        content: Option<Digest>,
        request_id: &str,
    ) -> Result<AccountDrafts> {
        self.demand(caller, Action::IssueInvoices, &Scope::Account(account.clone())).await?;
        let drafts = self.drafted(caller, account, period).await?;
        if let Some(gate) = self.still_open(account, period) {
            return Err(conflict(account, period, gate));
        }
        if content.is_some_and(|seen| seen != drafts.content) {
            let problem = "the drafts have changed; look at them again";
            return Err(conflict(account, period, problem.to_owned()));
        }
        if let Some(Approver::Person(_)) = drafts.approver {
            return Ok(drafts);
        }
        drafts.state().after(Step::Approve, &key(account, period))?;
        let approval = ApprovalRow {
            period: period.number(),
            billing_account: account.to_string(),
            content: *drafts.content.as_bytes(),
            approved_by: Agreed::alone(caller).person()?.to_string(),
            approved_at: self.system_now(),
        };
        let note = self.note(caller, &format!("content {}", drafts.content), request_id);
        let store = Arc::clone(&self.0.store);
        let kept = crate::blocking(move || {
            store.approve_drafts(&approval, &note).map_err(crate::stored("keep an approval"))
        })
        .await?;
        Ok(drafts.approved(PrincipalId::new(&kept.approved_by)?))
    }

    /// Takes the approval of an account's drafts back, whatever they come to now; a close that
    /// runs is waited for.
    ///
    /// Errors: [`Error::Forbidden`]; [`Error::NotFound`] for an account that the caller may not
    /// see, and where there is no approval; [`Error::Conflict`] once the period is closed for it.
    #[boxed]
    pub async fn take_back_approval(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        period: BillingPeriod,
        request_id: &str,
    ) -> Result<()> {
        self.demand(caller, Action::IssueInvoices, &Scope::Account(account.clone())).await?;
        let _no_close_counts_on_it = self.0.closing.lock().await;
        let note = self.note(caller, "taken back", request_id);
        let (store, id) = (Arc::clone(&self.0.store), account.clone());
        let was_there = crate::blocking(move || {
            let taken_back = store.take_back_approval(period.number(), id.as_str(), &note);
            taken_back.map_err(crate::stored("take an approval back"))
        })
        .await?;
        if was_there { Ok(()) } else { Err(Error::not_found("approval", key(account, period))) }
    }

    /// Drafts an account's billing period, as a dry run of its close does. Records that wait in
    /// quarantine keep nothing back: whoever closes decides whether they are left out.
    async fn drafted(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        period: BillingPeriod,
    ) -> Result<AccountDrafts> {
        let declared = self.0.refresh_declared().await?;
        if !declared.company.accounts.contains_key(account) {
            return Err(Error::not_found("billing account", account.as_str()));
        }
        if self.0.closed_before(account, period).await?.is_some() {
            return Err(Error::PeriodClosed { period });
        }
        let (mode, drafts) = (CloseMode::DryRun, Drafts::Wait);
        let asked = ClosePeriod { period, mode, drafts, left_out: [account.clone()].into() };
        let of = (vec![account.clone()], period);
        let run = Run {
            asked: &asked,
            at: self.now(),
            person: Agreed::alone(caller).person()?,
            note: self.note(caller, "drafts", ""),
            computed_again: AtomicU64::new(0),
            sealed: self.0.sealed_before(period).await?,
            waits: BTreeMap::new(),
            approved: self.0.approved(period, Some(account)).await?,
            charges: self.0.period_charges(&declared, of, |_| ()).await?,
            declared,
        };
        match self.0.draft_account(&run, account).await? {
            Drafted::Would(drafts) => Ok(*drafts),
            Drafted::Told(Outcome::Waits { reason } | Outcome::Parked { reason }) => {
                Err(conflict(account, period, reason))
            }
            Drafted::Told(
                Outcome::Closed { .. } | Outcome::ClosedBefore { .. } | Outcome::WouldClose { .. },
            )
            | Drafted::Ready(_) => Err(Error::internal("draft an account", "it was closed")),
        }
    }

    /// Why usage of an account's billing period can still come.
    fn still_open(&self, account: &BillingAccountId, period: BillingPeriod) -> Option<String> {
        if self.now() < period.end() {
            return Some(format!("period over: it ends at {}; approve it then", period.end()));
        }
        let declared = self.0.declared();
        self.0.waits(&declared, slice::from_ref(account), period).remove(account)
    }
}

impl Inner {
    /// What persons have agreed to of a billing period's drafts: of one account, or of all.
    pub(crate) async fn approved(
        self: &Arc<Self>,
        period: BillingPeriod,
        of: Option<&BillingAccountId>,
    ) -> Result<BTreeMap<BillingAccountId, Approved>> {
        let store = Arc::clone(&self.store);
        let of = of.map(ToString::to_string).unwrap_or_default();
        let rows = crate::blocking(move || {
            store.approvals(period.number(), &of).map_err(crate::stored("read the approvals"))
        })
        .await?;
        let approved = rows.into_iter().map(|row| {
            let by = PrincipalId::new(&row.approved_by)?;
            let content = Digest::from_bytes(row.content);
            Ok((BillingAccountId::new(&row.billing_account)?, Approved { by, content }))
        });
        approved.collect()
    }
}

fn key(account: &BillingAccountId, period: BillingPeriod) -> String {
    format!("{account}/{period}")
}

fn conflict(account: &BillingAccountId, period: BillingPeriod, problem: String) -> Error {
    Error::Conflict { what: "drafts", key: key(account, period), problem }
}
