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
use domain::access::{Action, Caller, Scope, may_at};
use domain::billing_terms::Approval;
use domain::chain::Digest;
use domain::closes::Payer;
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

/// What a person has agreed to, who may still do so.
pub(crate) struct Approved {
    /// Who.
    pub(crate) by: PrincipalId,
    /// As it is kept: of one content.
    pub(crate) row: ApprovalRow,
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
    /// With `content`, only if they still are what was looked at. Errors: as [`Reckoner::drafts`],
    /// [`Error::Forbidden`] for a key too; [`Error::Conflict`] when they have changed, when usage
    /// of the period can still come, or where the billing terms agree by themselves.
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
        if matches!(caller, Caller::Key(_) | Caller::Link { .. }) {
            // A program is no person; it would agree to anything.
            return Err(Error::Forbidden { action: Action::IssueInvoices.name() });
        }
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

    /// Takes the approval of an account's drafts back, whatever they come to now; a close that runs
    /// does not count on it any more.
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
    /// What a person has agreed to of an account's drafts, where they wait for one. Who may not let
    /// them out any more has agreed to nothing.
    pub(crate) async fn approved_of(
        self: &Arc<Self>,
        run: &Run<'_>,
        payer: &Payer<'_>,
    ) -> Result<Option<Approved>> {
        if payer.terms.approval != Approval::ByPerson || run.asked.drafts != Drafts::Wait {
            return Ok(None);
        }
        let (store, id) = (Arc::clone(&self.store), payer.account.id.clone());
        let period = payer.period.number();
        let row = crate::blocking(move || {
            store.approval(period, id.as_str()).map_err(crate::stored("read an approval"))
        })
        .await?;
        let Some(row) = row else { return Ok(None) };
        let by = PrincipalId::new(&row.approved_by)?;
        let caller = match by.as_str() {
            "machine" => Caller::Machine,
            _ => Caller::Principal(by.clone()),
        };
        let (action, scope) = (Action::IssueInvoices, Scope::Account(payer.account.id.clone()));
        let may = may_at(&run.declared.company, &caller, action, &scope, run.at);
        Ok(may.then_some(Approved { by, row }))
    }
}

fn key(account: &BillingAccountId, period: BillingPeriod) -> String {
    format!("{account}/{period}")
}

fn conflict(account: &BillingAccountId, period: BillingPeriod, problem: String) -> Error {
    Error::Conflict { what: "drafts", key: key(account, period), problem }
}
