//! The available balance: what credit and prepayment are left after the usage of open periods.

use crate::bookings::{balances_of, kept_rates};
use crate::declared::Declared;
use crate::period_charges::AccountCharges;
use crate::rating::View;
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Instant, Interval};
use domain::access::{Action, Caller, Scope};
use domain::closes::Payer;
use domain::credit_summaries::LotNow;
use domain::credits::{Drawn, Lot, LotKind};
use domain::delivery::{Billed, Deliveries, Sent};
use domain::ids::{BillingAccountId, LotId};
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

/// What an open period comes to if it were closed now.
pub(crate) struct Draft {
    pub(crate) period: BillingPeriod,
    pub(crate) billed: Billed,
    /// The rated usage that it was drafted from.
    pub(crate) usage: View,
}

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
        let LotsNow { at, currency, lots, drafts } = self.0.lots_now(account).await?;
        let of = |source| Error::money(format!("available balance of {account}"), source);
        let mut told = Vec::new();
        for now in lots.iter().filter(|now| now.lot.holds.contains(at)) {
            let Lot { id, kind, granted, holds, .. } = now.lot.clone();
            let (booked, drawn, available) = (now.left(), now.drawn, now.available(at)?);
            told.push(LotBalance { id, kind, holds, granted, booked, drawn, available });
        }
        let mut owed = Money::zero(currency);
        for invoice in drafts.iter().flat_map(|draft| &draft.billed.invoices) {
            owed = owed.checked_add(invoice.totals()?.total).map_err(of)?;
        }
        let available = Money::checked_sum(currency, told.iter().map(|lot| lot.available));
        Ok(AvailableBalance {
            billing_account: account.clone(),
            at,
            currency,
            lots: told,
            available: available.map_err(of)?,
            open_periods: drafts.iter().map(|draft| draft.period).collect(),
            owed,
        })
    }
}

/// All lots of an account, and what its open periods come to.
pub(crate) struct LotsNow {
    /// The business moment.
    pub(crate) at: Instant,
    /// Of every amount.
    pub(crate) currency: Currency,
    /// Those declared, then those that offers grant for the billing period.
    pub(crate) lots: Vec<LotNow>,
    /// What open periods come to.
    pub(crate) drafts: Vec<Draft>,
}

impl Inner {
    /// All lots of an account: what the ledger says of them, and what open periods take.
    pub(crate) async fn lots_now(self: &Arc<Self>, account: &BillingAccountId) -> Result<LotsNow> {
        let declared = self.refresh_declared().await?;
        let missing = || Error::not_found("billing account", account.as_str());
        let currency = declared.company.accounts.get(account).ok_or_else(missing)?.currency;
        let at = self.clocks.business.now();
        let payer = Payer::of(&declared.book, account, BillingPeriod::of(at))?;
        let offered = payer.lots_of_offers()?;
        let lots: Vec<Lot> =
            declared.company.lots_of(account).iter().chain(&offered).cloned().collect();
        let before = balances_of(&self.ledger_of(account).await?)?;
        let granted: BTreeSet<LotId> = self.granted_in(account, &lots).await?.into_keys().collect();
        let closed = self.closed_numbers(account).await?;
        let open = self.open_periods(&closed, BillingPeriod::of(at), at);
        let stands = (&before, granted.clone());
        let drafts = self.open_usage(&declared, account, stands, &open, at).await?;
        let invoices = drafts.iter().flat_map(|draft| &draft.billed.invoices);
        let charges = invoices.flat_map(|invoice| invoice.drawn().charges).collect();
        let by_lot = Drawn { currency, charges }.by_lot()?;
        let now = |lot: Lot| {
            let held = || before.of(&lot_account(lot.kind, &lot.id), currency);
            let booked = granted.contains(&lot.id).then(held);
            let drawn = by_lot.get(&(lot.kind, lot.id.clone())).copied();
            LotNow { booked, drawn: drawn.unwrap_or(Money::zero(currency)), lot }
        };
        let lots = lots.into_iter().map(now).collect();
        Ok(LotsNow { at, currency, lots, drafts })
    }

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
    ) -> Result<Vec<Draft>> {
        // Only corrections ask for what was sent: where nothing has changed, there are none.
        let closed = self.closed_periods(declared, id).await?;
        let (mut sent, mut late) = (Sent::default(), Vec::new());
        if closed.iter().any(|closed| closed.has_changed) {
            sent = self.sent_to(id).await?;
            let periods = self.uncorrected(declared, id, &sent).await?.periods;
            late.extend(periods.into_values().flatten());
        }
        let kept = kept_rates(&sent.invoices);
        let (mut balances, mut drafts) = (before.clone(), Vec::new());
        let passed_over = self.sealed_without(id).await?;
        for period in periods {
            let of = (vec![id.clone()], *period);
            let charged = self.period_charges(declared, of, |_| ()).await?.remove(id);
            let Some(AccountCharges { waiting, row_count, mut charges, usage, .. }) =
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
            drafts.push(Draft { period: *period, billed: noted.then(billed), usage });
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
