//! Holdings: the subscriptions and products of a billing account, where each stands now and who
//! pays for it. What moved away is told where it stands now, and nowhere else.

use crate::Reckoner;
use crate::billed_to::{OfferTold, profile_key};
use crate::holding_charges::{LastCharge, SubscriptionCharges};
use crate::structure::{Look, PlaceTold, is_same};
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::access::{Action, Caller, Scope, View};
use domain::company::{Placement, Subscription};
use domain::holdings::{AutoRenew, BillingFrequency, Held, HoldingState, Product};
use domain::ids::{BillingAccountId, PlaceId, ProductId, SubscriptionId, TenantId};
use domain::places::{Detail, Level, Place, Reseller};
use domain::{Error, Result};
use money::Currency;
use std::collections::BTreeMap;

/// What subscriptions and products have alike, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldingTold {
    /// The billing account that pays.
    pub account: BillingAccountId,
    /// The billing profile that pays, as a shell.
    pub profile: Option<PlaceTold>,
    /// The invoice section where it stands, as a shell.
    pub section: Option<PlaceTold>,
    /// The partner's customer that holds it, as a shell.
    pub customer: Option<PlaceTold>,
    /// Who sold it to that customer.
    pub reseller: Option<Reseller>,
    /// On which offer.
    pub offer: OfferTold,
    /// What it is billed in.
    pub currency: Currency,
    /// From when on anybody has paid for it; [`Instant::MIN`] where nobody said.
    pub since: Instant,
    /// Whether it is in use.
    pub state: HoldingState,
    /// What the house notes on it.
    pub tags: BTreeMap<String, String>,
    /// Whom the house books it to; may be empty.
    pub cost_center: String,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionTold {
    /// Its id.
    pub id: SubscriptionId,
    /// Its name.
    pub name: String,
    /// Who pays for it, and where it stands.
    pub held: HoldingTold,
    /// What it cost, where that was asked for and the caller may read it.
    pub charges: Option<SubscriptionCharges>,
}

/// A product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductTold {
    /// Its id.
    pub id: ProductId,
    /// Its name.
    pub name: String,
    /// Who pays for it, and where it stands.
    pub held: HoldingTold,
    /// How it is billed.
    pub billing_frequency: BillingFrequency,
    /// What happens at its end.
    pub auto_renew: AutoRenew,
    /// When it ends, or is renewed; none if it has no end.
    pub ends_at: Option<Instant>,
    /// The directory in which it is used.
    pub tenant: Option<TenantId>,
    /// What was charged for it last, where anything was and the caller may read it.
    pub last_charge: Option<LastCharge>,
}

impl Reckoner {
    /// Lists the subscriptions that a billing account pays for now and the caller may know of, in
    /// order of id: all, or those of one billing profile, invoice section or customer. Without what
    /// they cost: see [`Reckoner::charged`].
    ///
    /// Errors: none of its own; an account that the caller may not know of has none.
    #[boxed]
    pub async fn subscriptions_at(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        at: Option<&Place>,
    ) -> Result<Vec<SubscriptionTold>> {
        let look = self.look();
        let view = look.view(caller);
        let all = look.company.subscriptions.values();
        let all = all.filter_map(|one| look.subscription_of(account, one));
        let seen = all.filter(|told| {
            told.held.stands_at(at) && sees_subscription(&view, &subscription_scope(told))
        });
        Ok(seen.collect())
    }

    /// One of [`Reckoner::subscriptions_at`], by its id in any letter case, with what it cost.
    ///
    /// Errors: [`Error::NotFound`], whether it is not there, stands elsewhere or is not the
    /// caller's to know; [`Error::Forbidden`] where the caller knows of it by a role that does not
    /// read it.
    #[boxed]
    pub async fn subscription_at(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        at: Option<&Place>,
        id: &str,
    ) -> Result<SubscriptionTold> {
        let told = self.subscription_seen(caller, account, at, id)?;
        let charged = self.charged(caller, account, vec![told]).await?;
        charged.into_iter().next().ok_or_else(|| Error::not_found("subscription", id))
    }

    fn subscription_seen(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        at: Option<&Place>,
        id: &str,
    ) -> Result<SubscriptionTold> {
        let look = self.look();
        let missing = || Error::not_found("subscription", id);
        let known = SubscriptionId::new(id).ok();
        let known = known.and_then(|id| look.company.subscriptions.get(&id));
        let told = known.and_then(|one| look.subscription_of(account, one));
        let told = told.filter(|told| told.held.stands_at(at)).ok_or_else(missing)?;
        let (view, scope) = (look.view(caller), subscription_scope(&told));
        if sees_subscription(&view, &scope) {
            return Ok(told);
        }
        Err(refused(&view, Action::ReadSubscription, &scope).unwrap_or_else(missing))
    }

    /// Lists the products that a billing account pays for now and the caller may know of, in order
    /// of id: all, or those of one billing profile, invoice section or customer.
    ///
    /// Errors: none of its own; an account that the caller may not know of has none.
    #[boxed]
    pub async fn products_at(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        at: Option<&Place>,
    ) -> Result<Vec<ProductTold>> {
        let look = self.look();
        let view = look.view(caller);
        let mut told = Vec::new();
        for product in look.company.places.products.values() {
            if let Some(one) = look.product_of(account, product)
                && one.held.stands_at(at)
                && view.may(Action::ReadProducts, &product_scope(&one))
            {
                told.push(look.with_last_charge(&view, one)?);
            }
        }
        Ok(told)
    }

    /// One of [`Reckoner::products_at`], by its id in any letter case.
    ///
    /// Errors: as [`Reckoner::subscription_at`].
    #[boxed]
    pub async fn product_at(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        at: Option<&Place>,
        id: &str,
    ) -> Result<ProductTold> {
        let look = self.look();
        let missing = || Error::not_found("product", id);
        let products = &look.company.places.products;
        let exact = ProductId::new(id).ok().and_then(|id| products.get(&id));
        let others = products.values().filter(|one| is_same(one.id.as_str(), id));
        let mut known = exact.into_iter().chain(others);
        let told = known.find_map(|product| {
            look.product_of(account, product).filter(|told| told.held.stands_at(at))
        });
        let told = told.ok_or_else(missing)?;
        let (view, scope) = (look.view(caller), product_scope(&told));
        if view.may(Action::ReadProducts, &scope) {
            return look.with_last_charge(&view, told);
        }
        Err(refused(&view, Action::ReadProducts, &scope).unwrap_or_else(missing))
    }
}

impl HoldingTold {
    /// Whether it stands at a billing profile, invoice section or customer; anything does at none.
    fn stands_at(&self, at: Option<&Place>) -> bool {
        let own = [&self.profile, &self.section, &self.customer];
        at.is_none_or(|at| own.into_iter().flatten().any(|told| told.place == *at))
    }
}

impl Look {
    /// A subscription, if the account pays for it now.
    fn subscription_of(
        &self,
        account: &BillingAccountId,
        one: &Subscription,
    ) -> Option<SubscriptionTold> {
        if one.placement_at(self.now).is_none_or(|payer| payer.billing_account != *account) {
            return None;
        }
        let held = self.company.places.subscriptions.get(&one.id);
        let scope = Scope::Subscription(one.id.clone());
        let held = self.holding(account, (one.placements.as_slice(), held), &scope)?;
        Some(SubscriptionTold { id: one.id.clone(), name: one.name.clone(), held, charges: None })
    }

    /// A product, if the account pays for it now.
    fn product_of(&self, account: &BillingAccountId, one: &Product) -> Option<ProductTold> {
        let facts = one.facts.at(self.now)?;
        let scope = Scope::Product(one.id.clone());
        let stands = (one.placements.as_slice(), Some(&one.held));
        let mut held = self.holding(account, stands, &scope)?;
        held.state = one.state_now(held.state, self.now);
        Some(ProductTold {
            id: one.id.clone(),
            name: facts.name.clone(),
            held,
            billing_frequency: one.billing_frequency,
            auto_renew: facts.auto_renew,
            ends_at: facts.ends_at,
            tenant: self.company.tenant.clone(),
            last_charge: None,
        })
    }

    /// What a subscription or product has, if the account pays for it now.
    fn holding(
        &self,
        account: &BillingAccountId,
        (placements, held): (&[Placement], Option<&Held>),
        scope: &Scope,
    ) -> Option<HoldingTold> {
        let payer = placements.iter().find(|one| one.during.contains(self.now))?;
        if payer.billing_account != *account {
            return None;
        }
        let standing = held.and_then(|held| held.standings.at(self.now));
        let place = standing.and_then(|standing| standing.place.as_ref());
        let at = |level: Level| {
            let own = place.filter(|place| place.key.level == level)?;
            self.shell(account, &own.key)
        };
        let reseller = standing.and_then(|standing| {
            let sold = &self.customer(place?)?.resellers;
            sold.iter().find(|one| Some(&one.id) == standing.reseller.as_ref()).cloned()
        });
        let profile = payer.profile.as_deref().and_then(|id| PlaceId::new(id).ok());
        let profile = profile.and_then(|id| self.shell(account, &profile_key(&id)));
        let tags = self.company.tags_at(scope, self.now);
        let state = held.and_then(|held| held.state.at(self.now));
        Some(HoldingTold {
            account: account.clone(),
            section: at(Level::InvoiceSection),
            customer: at(Level::Customer),
            reseller,
            offer: self.offer(&payer.offer),
            currency: self.billed_in(account, profile.as_ref())?,
            profile,
            since: placements.first().map_or(Instant::MIN, |first| first.during.start()),
            state: state.copied().unwrap_or(HoldingState::Active),
            tags: tags.map(|tags| tags.values().clone()).unwrap_or_default(),
            cost_center: tags.map(|tags| tags.cost_center().to_owned()).unwrap_or_default(),
        })
    }

    /// What a billing profile is invoiced in, or an account that has none.
    fn billed_in(
        &self,
        account: &BillingAccountId,
        profile: Option<&PlaceTold>,
    ) -> Option<Currency> {
        let facts = profile.and_then(|told| self.company.places.facts_at(&told.place, self.now));
        let own = facts.and_then(|facts| match &facts.detail {
            Detail::BillingProfile(profile) => Some(profile.currency),
            Detail::InvoiceSection
            | Detail::Customer(_)
            | Detail::Department { .. }
            | Detail::EnrollmentAccount
            | Detail::MessagingAccount { .. } => None,
        });
        let whole = || self.company.accounts.get(account).map(|account| account.currency);
        own.or_else(whole)
    }
}

/// Who reads products sees subscriptions, and so does who reads this one.
pub(crate) fn sees_subscription(view: &View<'_>, scope: &Scope) -> bool {
    view.may(Action::ReadProducts, scope) || view.may(Action::ReadSubscription, scope)
}

fn subscription_scope(told: &SubscriptionTold) -> Scope {
    Scope::Subscription(told.id.clone())
}

fn product_scope(told: &ProductTold) -> Scope {
    Scope::Product(told.id.clone())
}

/// What is told to who knows of a holding and may not read it; none to who does not know of it.
pub(crate) fn refused(view: &View<'_>, action: Action, scope: &Scope) -> Option<Error> {
    view.sight(scope).map(|_| Error::Forbidden { action: action.name() })
}
