//! The available balance: what credit and prepayment are left after the usage of open periods.

use crate::bookings::{balances_of, kept_rates};
use crate::declared::Declared;
use crate::period_charges::AccountCharges;
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Instant, Interval};
use domain::access::{Action, Caller, Scope};
use domain::closes::Payer;
use domain::credits::{self, Drawn, Lot, LotKind, OpenLot};
use domain::delivery::{Billed, Deliveries};
use domain::ids::{BillingAccountId, LotId};
use domain::invoice::Invoice;
use domain::ledger::Balances;
use domain::places::Place;
use domain::posting::lot_account;
use domain::{Error, Result};
use money::{Currency, Money};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::CloseState;

/// What an account can still draw down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvailableBalance {
    /// Whose.
    pub billing_account: BillingAccountId,
    /// When: business time.
    pub at: Instant,
    /// Of every amount.
    pub currency: Currency,
    /// Lots that hold now: those declared, then those that offers grant for the billing period.
    pub lots: Vec<LotBalance>,
    /// What they can still pay together.
    pub available: Money,
    /// The billing periods that are not closed yet, whose usage is drawn already.
    pub open_periods: Vec<BillingPeriod>,
    /// What those periods demand so far, tax included, beyond what lots pay.
    pub owed: Money,
}

/// A lot, and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotBalance {
    /// Its id.
    pub id: LotId,
    /// Whether it was given or paid for.
    pub kind: LotKind,
    /// When it holds.
    pub holds: Interval,
    /// What it held at first.
    pub granted: Money,
    /// What the ledger says is left: after closed periods.
    pub booked: Money,
    /// What the usage of open periods takes of it.
    pub drawn: Money,
    /// What it can still pay: booked − drawn.
    pub available: Money,
}

/// What open periods come to if they were closed now, in order.
pub(crate) type OpenDrafts = Vec<(BillingPeriod, Billed)>;

impl Reckoner {
    /// What an account can still draw down, current to the last acknowledged record: the charges
    /// of its open periods are drafted and drawn as their closes would.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`] for an account that the caller may not
    /// see; what keeps a period from being drafted, such as a missing tax rate.
    #[boxed]
    pub async fn available_balance(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
    ) -> Result<AvailableBalance> {
        self.demand(caller, Action::ReadBalance, &Scope::Account(account.clone())).await?;
        self.balance_now(account).await
    }

    /// The credit that a billing profile can still draw, in its account's currency: the credit lots
    /// of the account, which pay for all of its profiles.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`] for a profile that the caller may not see;
    /// what keeps a period from being drafted.
    #[boxed]
    pub async fn available_credit(&self, caller: &Caller, profile: &Place) -> Result<Money> {
        let scope = Scope::Place(profile.clone());
        self.demand_in_sight(caller, Action::ReadBalance, &scope)?;
        let balance = self.balance_now(&profile.billing_account).await?;
        let credit = balance.lots.iter().filter(|lot| lot.kind == LotKind::Credit);
        let left = Money::checked_sum(balance.currency, credit.map(|lot| lot.available));
        left.map_err(|source| Error::money(format!("credit of {}", profile.key.id), source))
    }

    async fn balance_now(&self, account: &BillingAccountId) -> Result<AvailableBalance> {
        let declared = self.0.refresh_declared().await?;
        let missing = || Error::not_found("billing account", account.as_str());
        let currency = declared.company.accounts.get(account).ok_or_else(missing)?.currency;
        let at = self.now();
        let payer = Payer::of(&declared.book, account, BillingPeriod::of(at))?;
        let offered = payer.lots_of_offers()?;
        let lots: Vec<Lot> =
            declared.company.lots_of(account).iter().chain(&offered).cloned().collect();
        let before = balances_of(&self.0.ledger_of(account).await?)?;
        let granted = self.0.granted_in(account, &lots).await?;
        let already = granted.into_keys().collect();
        let left = |lot: &Lot| match BTreeSet::contains(&already, &lot.id) {
            true => before.of(&lot_account(lot.kind, &lot.id), currency),
            false => lot.granted,
        };
        let lots: Vec<OpenLot<'_>> =
            lots.iter().map(|lot| OpenLot { lot, left: left(lot) }).collect();
        let closed = self.0.closed_numbers(account).await?;
        let open = self.0.open_periods(&closed, BillingPeriod::of(at), at);
        let granted = (&before, already.clone());
        let drafts = self.0.open_usage(&declared, account, granted, &open, at).await?;
        let open_periods = drafts.iter().map(|(period, _)| *period).collect();
        let invoices: Vec<Invoice> =
            drafts.into_iter().flat_map(|(_, billed)| billed.invoices).collect();
        let of = |source| Error::money(format!("available balance of {account}"), source);
        let charges = invoices.iter().flat_map(|invoice| invoice.drawn().charges).collect();
        let drawn = Drawn { currency, charges };
        let by_lot = drawn.by_lot()?;
        let mut told = Vec::new();
        for OpenLot { lot, left: booked } in lots.iter().filter(|open| open.lot.holds.contains(at))
        {
            let Lot { id, kind, granted, holds, .. } = (*lot).clone();
            let drawn = by_lot.get(&(kind, id.clone())).copied().unwrap_or(Money::zero(currency));
            let (booked, available) = (*booked, booked.checked_sub(drawn).map_err(of)?);
            told.push(LotBalance { id, kind, holds, granted, booked, drawn, available });
        }
        let mut owed = Money::zero(currency);
        for invoice in &invoices {
            owed = owed.checked_add(invoice.totals()?.total).map_err(of)?;
        }
        Ok(AvailableBalance {
            billing_account: account.clone(),
            at,
            currency,
            lots: told,
            available: credits::available(&lots, &drawn, at)?,
            open_periods,
            owed,
        })
    }
}

impl Inner {
    /// Drafts what some open periods of an account come to, one after the other; not of those that
    /// are sealed without it and in which it used nothing.
    ///
    /// `before` is what its ledger holds, `granted` the lots that were granted.
    pub(crate) async fn open_usage(
        self: &Arc<Self>,
        declared: &Arc<Declared>,
        id: &BillingAccountId,
        (before, mut granted): (&Balances, BTreeSet<LotId>),
        periods: &[BillingPeriod],
        at: Instant,
    ) -> Result<OpenDrafts> {
        let sent = self.sent_to(id).await?;
        let kept = kept_rates(&sent.invoices);
        let late = self.uncorrected(declared, id, &sent).await?.periods;
        let mut late: Vec<_> = late.into_values().flatten().collect();
        let (mut balances, mut drafts) = (before.clone(), OpenDrafts::new());
        let passed_over = self.sealed_without(id).await?;
        for period in periods {
            let of = (vec![id.clone()], *period);
            let charged = self.period_charges(declared, of, |_| ()).await?.remove(id);
            let Some(AccountCharges { waiting, row_count, mut charges, .. }) =
                charged.transpose()?
            else {
                continue;
            };
            let is_unused = row_count == 0 && waiting.is_empty();
            if is_unused && passed_over.contains(&period.number()) {
                continue;
            }
            let payer = Payer::of(&declared.book, id, *period)?;
            let Deliveries { next, delivered: _, billed: noted } =
                payer.deliver(late.drain(..), &sent, &balances, at)?;
            for (part, late) in next {
                let (key, cost) = late.charge();
                charges.add(part, key, cost)?;
            }
            let grants = payer.lots_to_grant(|lot| granted.contains(&lot.id));
            let billed = payer.bill(&charges, &kept, &grants, &noted.balances, at)?;
            granted.extend(grants.into_iter().map(|lot| lot.id.clone()));
            balances = billed.balances.clone();
            drafts.push((*period, noted.then(billed)));
        }
        Ok(drafts)
    }

    /// The billing periods, as numbers, that are sealed, and that an account is neither closed nor
    /// parked in: nobody closes them for it unless usage of them comes.
    async fn sealed_without(self: &Arc<Self>, id: &BillingAccountId) -> Result<BTreeSet<i32>> {
        let links = self.close_links().await?;
        let mut sealed: BTreeSet<i32> = links.iter().map(|link| link.period).collect();
        for row in self.closes_of(id).await? {
            sealed.remove(&row.period);
        }
        Ok(sealed)
    }

    /// The billing periods that are closed for an account, as numbers.
    pub(crate) async fn closed_numbers(
        self: &Arc<Self>,
        id: &BillingAccountId,
    ) -> Result<BTreeSet<i32>> {
        let closes = self.closes_of(id).await?;
        let closed = closes.iter().filter(|row| matches!(row.state, CloseState::Closed { .. }));
        Ok(closed.map(|row| row.period).collect())
    }

    /// Billing periods up to `last` that are still to be closed for an account: from the oldest
    /// with usage, or behind the newest that is closed, or from now on.
    pub(crate) fn open_periods(
        &self,
        closed: &BTreeSet<i32>,
        last: BillingPeriod,
        at: Instant,
    ) -> Vec<BillingPeriod> {
        let is_open = |period: &BillingPeriod| !closed.contains(&period.number());
        let used = self.cells.used_periods().into_iter().filter(is_open);
        let newest = closed.last().and_then(|number| BillingPeriod::from_number(*number).ok());
        let behind = newest.map(BillingPeriod::next);
        let first = used.chain(behind).fold(BillingPeriod::of(at), BillingPeriod::min);
        let all = std::iter::successors(Some(first), |period| Some(period.next()));
        all.take_while(|period| *period <= last).filter(is_open).collect()
    }
}
