//! Who pays for what: customers of a partner by the billing profile that pays, a subscription by
//! where it is billed, and what keeps a profile's payment method in place.

use crate::Reckoner;
use crate::bookings::balances_of;
use crate::closes::period_of;
use crate::group_by::{ChargeFilter, GroupBy};
use crate::queries::{ChargeQuery, ChargeRow};
use crate::structure::{AccountTold, Look, Owner, PlaceTold};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Instant, Interval};
use domain::access::{Action, Caller, Role, Scope, Sight, may_at};
use domain::billing_terms::HeldPlan;
use domain::closes::Part;
use domain::company::Placement;
use domain::holdings::{Held, HoldingState};
use domain::ids::{BillingAccountId, OfferId, PlaceId, SubscriptionId, TenantId};
use domain::ledger::LedgerAccount;
use domain::places::{Customer, Detail, Level, Place, PlaceKey, Reseller};
use domain::reservations::HeldReservation;
use domain::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use store::{CloseRow, CloseState};

/// An offer by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferTold {
    /// Its id.
    pub id: OfferId,
    /// Its name, if it is declared.
    pub name: Option<String>,
}

/// A partner's customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerTold {
    /// The customer itself.
    pub place: PlaceTold,
    /// The first billing profile that pays for what it holds; none while it holds nothing.
    pub profile: Option<PlaceTold>,
    /// The plans it has.
    pub plans: Vec<OfferTold>,
    /// Who may sell it plans.
    pub resellers: Vec<Reseller>,
}

/// Where a subscription is billed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BilledTo {
    /// Which subscription.
    pub subscription: SubscriptionId,
    /// The directory of its billing account.
    pub tenant: Option<TenantId>,
    /// The billing account that pays, as a shell.
    pub account: AccountTold,
    /// The billing profile that pays, as a shell.
    pub profile: Option<PlaceTold>,
    /// The invoice section where it stands, as a shell.
    pub section: Option<PlaceTold>,
    /// On which offer.
    pub offer: OfferTold,
    /// Whom the house books it to; may be empty.
    pub cost_center: String,
    /// Whether the caller gives and takes roles at the billing account.
    pub is_owner: bool,
    /// Who administers the account, of an online services agreement.
    pub administrator: Option<Owner>,
}

/// What keeps a billing profile's payment method in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attached {
    /// Subscriptions in use that it pays for.
    Subscriptions,
    /// Plans that are charged to it every cycle.
    RecurringCharges,
    /// Reservations that its subscriptions hold.
    Reservations,
    /// Invoices that are owed something.
    Outstanding,
    /// Charges of billing periods that are not closed yet: no invoice has them.
    Pending,
}

impl Reckoner {
    /// Lists the customers of a partner that have a plan, in order of id: all, or those that one
    /// billing profile pays for.
    ///
    /// Errors: none of its own.
    #[boxed]
    pub async fn customers(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        profile: Option<&PlaceId>,
    ) -> Result<Vec<CustomerTold>> {
        let all = self.places(caller, account, Level::Customer, None).await?;
        let look = self.look();
        let payers = look.profiles_of_customers(account);
        let told = all.into_iter().filter_map(|place| {
            let Customer { plans, resellers, view_charges: _ } = look.customer(&place.place)?;
            let own = payers.get(&place.place.key.id);
            let is_asked = profile.is_none_or(|asked| own.is_some_and(|own| own.contains(asked)));
            let payer = profile.or_else(|| own.and_then(BTreeSet::first)).map(profile_key);
            let is_listed = is_asked && !plans.is_empty();
            // A shell has a name, and nothing that stands in it.
            let is_read = place.seen.is_some();
            let profile = payer.filter(|_| is_read).and_then(|key| look.shell(account, &key));
            let resellers = if is_read { resellers.clone() } else { Vec::new() };
            let plans = plans.iter().filter(|_| is_read).map(|id| look.offer(id)).collect();
            is_listed.then_some(CustomerTold { place, profile, plans, resellers })
        });
        Ok(told.collect())
    }

    /// Where a subscription is billed now.
    ///
    /// Errors: [`Error::NotFound`] for a subscription that the caller may not see, or that nobody
    /// pays for; [`Error::Forbidden`].
    #[boxed]
    pub async fn billed_to(&self, caller: &Caller, of: &SubscriptionId) -> Result<BilledTo> {
        let scope = Scope::Subscription(of.clone());
        let look = self.demand_in_sight(caller, Action::ReadSubscription, &scope)?;
        let missing = || Error::not_found("subscription", of.as_str());
        let subscription = look.company.subscriptions.get(of).ok_or_else(missing)?;
        let placement = subscription.placement_at(look.now).ok_or_else(missing)?;
        let account = &placement.billing_account;
        let owner_of = Scope::Account(account.clone());
        let profile = placement.profile.as_deref().and_then(|id| PlaceId::new(id).ok());
        let standing = look
            .company
            .places
            .subscriptions
            .get(of)
            .and_then(|held| held.standings.at(look.now)?.place.as_ref());
        let section = standing.filter(|place| place.key.level == Level::InvoiceSection);
        let tags = look.company.tags_at(&scope, look.now);
        Ok(BilledTo {
            subscription: of.clone(),
            tenant: look.company.tenant.clone(),
            account: look.account(account, Sight::Shell).ok_or_else(missing)?,
            profile: profile.and_then(|id| look.shell(account, &profile_key(&id))),
            section: section.and_then(|place| look.shell(account, &place.key)),
            offer: look.offer(&placement.offer),
            cost_center: tags.map(|tags| tags.cost_center().to_owned()).unwrap_or_default(),
            is_owner: may_at(&look.company, caller, Action::ManageRoles, &owner_of, look.now),
            administrator: look.holder(&owner_of, Role::AccountAdministrator),
        })
    }

    /// What keeps the payment method of a billing profile in place; nothing if it may go.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`].
    #[boxed]
    pub async fn attached_to(
        &self,
        caller: &Caller,
        profile: &Place,
    ) -> Result<BTreeSet<Attached>> {
        let scope = Scope::Place(profile.clone());
        let look = self.demand_in_sight(caller, Action::ReadPaymentMethods, &scope)?;
        let mut found = look.attached(profile);
        if self.owes(&profile.billing_account, &profile.key.id).await? {
            found.insert(Attached::Outstanding);
        }
        if self.has_pending(&look, profile).await? {
            found.insert(Attached::Pending);
        }
        Ok(found)
    }
}

impl Reckoner {
    /// Whether an invoice of a billing profile is still owed something.
    async fn owes(&self, account: &BillingAccountId, profile: &PlaceId) -> Result<bool> {
        let balances = balances_of(&self.0.ledger_of(account).await?)?;
        let is_owed = |ledger_account: &LedgerAccount| {
            let LedgerAccount::Receivable(document) = ledger_account else { return false };
            let part = Part::of_id(document, account);
            part.is_some_and(|(_, part)| part.profile() == Some(profile.as_str()))
        };
        Ok(balances.iter().any(|(account, held)| !held.is_zero() && is_owed(account)))
    }

    /// Whether a billing profile's subscriptions were charged anything that is not invoiced yet:
    /// since the newest billing period of its account that is closed.
    async fn has_pending(&self, look: &Look, profile: &Place) -> Result<bool> {
        let own = look.charged_to(profile);
        if own.is_empty() {
            return Ok(false);
        }
        let account = profile.billing_account.clone();
        let closes = self.0.closes_of(&account).await?;
        let is_closed = |row: &&CloseRow| matches!(row.state, CloseState::Closed { .. });
        let newest = closes.iter().filter(is_closed).map(|row| row.period).max();
        let open = newest.map(period_of).transpose()?.map_or(Instant::MIN, BillingPeriod::end);
        let until = BillingPeriod::of(look.now).end().max(open);
        let ids = own.keys().map(ToString::to_string).collect();
        let query = ChargeQuery {
            billing_account: Some(account),
            days: open.day()..until.day(),
            group_by: vec![GroupBy::Month, GroupBy::Subscription],
            filters: vec![ChargeFilter { on: GroupBy::Subscription, values: ids }],
            top: None,
        };
        let charged = self.charges(&Caller::Machine, &query).await?;
        let is_own = |row: &ChargeRow| {
            let [Some(month), Some(id)] = row.keys.as_slice() else { return false };
            let id = SubscriptionId::new(id).ok();
            let during = id.and_then(|id| own.get(&id)).into_iter().flatten();
            let month = BillingPeriod::parse(month).map(BillingPeriod::interval);
            let mut during = during.copied();
            month.is_ok_and(|month| during.any(|during| during.overlaps(&month)))
        };
        Ok(charged.rows.iter().any(|row| !row.cost.major.is_zero() && is_own(row)))
    }
}

impl Look {
    /// An offer by its name.
    pub(crate) fn offer(&self, id: &OfferId) -> OfferTold {
        let name = self.company.offers.get(id).map(|offer| offer.name.clone());
        OfferTold { id: id.clone(), name }
    }

    /// What only a customer has; none for another place.
    pub(crate) fn customer(&self, place: &Place) -> Option<&Customer> {
        match &self.company.places.facts_at(place, self.now)?.detail {
            Detail::Customer(customer) => Some(customer),
            Detail::BillingProfile(_)
            | Detail::InvoiceSection
            | Detail::Department { .. }
            | Detail::EnrollmentAccount
            | Detail::MessagingAccount { .. } => None,
        }
    }

    /// The billing profiles that pay for what each customer holds.
    fn profiles_of_customers(
        &self,
        account: &BillingAccountId,
    ) -> BTreeMap<PlaceId, BTreeSet<PlaceId>> {
        let places = &self.company.places;
        let subscriptions = self.company.subscriptions.values().filter_map(|one| {
            Some((one.placements.as_slice(), places.subscriptions.get(&one.id)?))
        });
        let products = places.products.values().map(|one| (one.placements.as_slice(), &one.held));
        let mut found: BTreeMap<PlaceId, BTreeSet<PlaceId>> = BTreeMap::new();
        for (placements, held) in subscriptions.chain(products) {
            if let Some((customer, profile)) = self.customer_and_profile(placements, held, account)
            {
                found.entry(customer).or_default().insert(profile);
            }
        }
        found
    }

    fn customer_and_profile(
        &self,
        placements: &[Placement],
        held: &Held,
        account: &BillingAccountId,
    ) -> Option<(PlaceId, PlaceId)> {
        let payer = placements.iter().find(|one| one.during.contains(self.now))?;
        let customer = held.standings.at(self.now)?.place.as_ref()?;
        let is_one = payer.billing_account == *account && customer.key.level == Level::Customer;
        let profile = PlaceId::new(payer.profile.as_deref()?).ok()?;
        is_one.then(|| (customer.key.id.clone(), profile))
    }

    /// What keeps a profile's payment method in place, but for what it owes.
    fn attached(&self, profile: &Place) -> BTreeSet<Attached> {
        let account = &profile.billing_account;
        let paid = self.subscriptions_of(profile);
        let mut plans = self.company.plans.get(account).into_iter().flatten();
        let mut reservations = self.company.reservations.get(account).into_iter().flatten();
        let is_held = |plan: &HeldPlan| {
            let is_own = plan.subscription.as_ref().is_some_and(|id| paid.contains(id))
                || plan.place.as_ref().is_some_and(|key| self.is_below(account, key, profile));
            is_own && plan.plan.ends.is_none_or(|day| self.now.day() < day)
        };
        let is_reserved = |one: &HeldReservation| {
            paid.contains(&one.bought.billed_to) && one.bought.term.contains(self.now)
        };
        let reasons = [
            (paid.iter().any(|id| self.is_in_use(id)), Attached::Subscriptions),
            (plans.any(is_held), Attached::RecurringCharges),
            (reservations.any(is_reserved), Attached::Reservations),
        ];
        reasons.into_iter().filter(|(is_so, _)| *is_so).map(|(_, reason)| reason).collect()
    }

    /// The subscriptions that a billing profile pays for.
    fn subscriptions_of(&self, profile: &Place) -> BTreeSet<SubscriptionId> {
        let own = self.company.subscriptions.values().filter(|one| {
            one.placement_at(self.now).is_some_and(|placement| {
                placement.billing_account == profile.billing_account
                    && placement.profile.as_deref() == Some(profile.key.id.as_str())
            })
        });
        own.map(|one| one.id.clone()).collect()
    }

    /// The subscriptions that a billing profile has ever paid for, and when.
    fn charged_to(&self, profile: &Place) -> BTreeMap<SubscriptionId, Vec<Interval>> {
        let is_payer = |placement: &&Placement| {
            placement.billing_account == profile.billing_account
                && placement.profile.as_deref() == Some(profile.key.id.as_str())
        };
        let all = self.company.subscriptions.values().map(|one| {
            let during = one.placements.iter().filter(is_payer).map(|placement| placement.during);
            (one.id.clone(), during.collect::<Vec<_>>())
        });
        all.filter(|(_, during)| !during.is_empty()).collect()
    }

    /// Whether a subscription still counts: one of which nothing is noted does.
    fn is_in_use(&self, id: &SubscriptionId) -> bool {
        let held = self.company.places.subscriptions.get(id);
        let state = held.and_then(|held| held.state.at(self.now));
        match state {
            None | Some(HoldingState::Active | HoldingState::PastDue | HoldingState::Suspended) => {
                true
            }
            Some(HoldingState::Cancelled | HoldingState::Expired | HoldingState::Deleted) => false,
        }
    }

    /// Whether a place is a billing profile, or lies below it.
    fn is_below(&self, account: &BillingAccountId, key: &PlaceKey, profile: &Place) -> bool {
        let known = self.company.places.of(account);
        let own = known.and_then(|known| known.enclosing(key, Level::BillingProfile, self.now));
        own == Some(&profile.key)
    }
}

pub(crate) fn profile_key(id: &PlaceId) -> PlaceKey {
    PlaceKey { level: Level::BillingProfile, id: id.clone() }
}
