//! Moving a subscription or product to another invoice section of its payer's account, and with it
//! to another billing profile: from now on. What may not be moved is told with every reason.

use crate::Reckoner;
use crate::changes::Decided;
use crate::company::Thing;
use crate::group_by::{ChargeFilter, GroupBy};
use crate::holdings::{refused, sees_subscription};
use crate::later_steps::{self, of_standing};
use crate::move_facts::{Spot, Weighed};
use crate::queries::ChargeQuery;
use crate::structure::{Look, is_same};
use crate::structure_changes::{Asker, StructureChange, deed};
use async_recursion::async_recursion as boxed;
use calendar::BillingPeriod;
use domain::access::{Action, Caller, Scope};
use domain::company::{Placement, Subscription};
use domain::holdings::{BillingFrequency, Held, HoldingState, Product};
use domain::ids::{BillingAccountId, ProductId, SubscriptionId};
use domain::moves::{Bought, Cut, Obstacle, moved, obstacles};
use domain::usage::ChargeCategory;
use domain::{Error, Result};
use serde::{Deserialize, Serialize};

/// A subscription or product, by its id in any letter case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldingId {
    /// A subscription's.
    Subscription(String),
    /// A product's.
    Product(String),
}

/// A move that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldingMove {
    /// What is moved.
    pub holding: HoldingId,
    /// The invoice section where it must stand, if that was said.
    pub source: Option<String>,
    /// The invoice section where it shall stand, if that was said; else the one where it stands, if
    /// that is in the profile, or the only active one of the profile.
    pub section: Option<SectionAsked>,
    /// The billing profile that shall pay, if that was said.
    pub profile: Option<ProfileAsked>,
    /// How far it may go.
    pub reach: Reach,
}

/// An invoice section, by the ids on the way down to it, in any letter case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionAsked {
    /// Of its billing account.
    pub account: String,
    /// Of its billing profile.
    pub profile: String,
    /// Its own.
    pub section: String,
}

/// A billing profile, by the ids on the way down to it, in any letter case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileAsked {
    /// Of its billing account.
    pub account: String,
    /// Its own.
    pub profile: String,
}

/// How far a move may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Within the billing profile.
    Profile,
    /// Within the billing account.
    Account,
}

impl HoldingId {
    /// The id, as it was asked for.
    pub fn id(&self) -> &str {
        match self {
            HoldingId::Subscription(id) | HoldingId::Product(id) => id,
        }
    }

    /// What it is.
    pub(crate) const fn what(&self) -> &'static str {
        match self {
            HoldingId::Subscription(_) => "subscription",
            HoldingId::Product(_) => "product",
        }
    }

    pub(crate) fn missing(&self) -> Error {
        Error::not_found(self.what(), self.id())
    }
}

/// A subscription or product that an account pays for now.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Known<'a> {
    Subscription(&'a Subscription, Option<&'a Held>),
    Product(&'a Product),
}

impl Reckoner {
    /// Everything that keeps a holding from being moved, in one order; nothing if it may be. It
    /// changes nothing.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`] for what the caller may not read.
    #[boxed]
    pub async fn validate_move(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        asked: &HoldingMove,
    ) -> Result<Vec<Obstacle>> {
        let look = self.look();
        let known =
            look.paid_for(account, &asked.holding).ok_or_else(|| asked.holding.missing())?;
        look.demand_reading(caller, known, &asked.holding)?;
        let bought = self.bought_in_marketplace(&look, account, &asked.holding).await?;
        let by = Asker { look: &look, caller, account, bought };
        Ok(obstacles(&by.weighed(known, asked).facts))
    }

    /// What a subscription that a change moves has bought in the marketplace. For who may not read
    /// it nothing is looked up: such a change is refused when it is decided.
    pub(crate) async fn bought_by(
        &self,
        look: &Look,
        (caller, account): (&Caller, &BillingAccountId),
        change: &StructureChange,
    ) -> Result<Bought> {
        let Some(holding) = change.holding() else { return Ok(Bought::Nothing) };
        let known = look.paid_for(account, holding);
        if known.is_some_and(|known| look.demand_reading(caller, known, holding).is_ok()) {
            return self.bought_in_marketplace(look, account, holding).await;
        }
        Ok(Bought::Nothing)
    }

    /// What a subscription has bought in the marketplace in this month and the one before.
    async fn bought_in_marketplace(
        &self,
        look: &Look,
        account: &BillingAccountId,
        holding: &HoldingId,
    ) -> Result<Bought> {
        let Some(Known::Subscription(subscription, _)) = look.paid_for(account, holding) else {
            return Ok(Bought::Nothing);
        };
        let month = BillingPeriod::of(look.now);
        let (from, until) = (month.previous().start().day(), month.end().day());
        let is = |on, value: &str| ChargeFilter { on, values: vec![value.to_owned()] };
        let query = ChargeQuery {
            billing_account: Some(account.clone()),
            days: from..until,
            group_by: vec![GroupBy::Category],
            filters: vec![
                is(GroupBy::Subscription, subscription.id.as_str()),
                is(GroupBy::Category, ChargeCategory::Marketplace.name()),
            ],
            top: None,
        };
        let charged = self.charges(&Caller::Machine, &query).await?;
        let is_paid = charged.rows.iter().any(|row| !row.cost.major.is_zero());
        Ok(match (charged.rows.is_empty(), is_paid) {
            (true, _) => Bought::Nothing,
            (false, false) => Bought::Free,
            (false, true) => Bought::Paid,
        })
    }
}

impl Look {
    /// A subscription or product that an account pays for now; whoever sees it.
    pub(crate) fn paid_for(
        &self,
        account: &BillingAccountId,
        holding: &HoldingId,
    ) -> Option<Known<'_>> {
        let known = match holding {
            HoldingId::Subscription(id) => {
                let id = SubscriptionId::new(id).ok()?;
                let held = self.company.places.subscriptions.get(&id);
                Known::Subscription(self.company.subscriptions.get(&id)?, held)
            }
            HoldingId::Product(id) => {
                let products = &self.company.places.products;
                let exact = ProductId::new(id).ok().and_then(|id| products.get(&id));
                let other = || products.values().find(|one| is_same(one.id.as_str(), id));
                Known::Product(exact.or_else(other)?)
            }
        };
        let payer = known.placements().iter().find(|one| one.during.contains(self.now))?;
        (payer.billing_account == *account).then_some(known)
    }

    /// Demands that the caller sees a holding where it stands now. Who may not know of it is told
    /// that it is missing.
    pub(crate) fn demand_reading(
        &self,
        caller: &Caller,
        known: Known<'_>,
        asked: &HoldingId,
    ) -> Result<()> {
        let (view, scope) = (self.view(caller), known.scope());
        let (is_seen, action) = match known {
            Known::Subscription(..) => (sees_subscription(&view, &scope), Action::ReadSubscription),
            Known::Product(_) => (view.may(Action::ReadProducts, &scope), Action::ReadProducts),
        };
        if is_seen {
            return Ok(());
        }
        Err(refused(&view, action, &scope).unwrap_or_else(|| asked.missing()))
    }
}

impl<'a> Known<'a> {
    pub(crate) fn placements(self) -> &'a [Placement] {
        match self {
            Known::Subscription(subscription, _) => &subscription.placements,
            Known::Product(product) => &product.placements,
        }
    }

    pub(crate) fn held(self) -> Option<&'a Held> {
        match self {
            Known::Subscription(_, held) => held,
            Known::Product(product) => Some(&product.held),
        }
    }

    pub(crate) fn scope(self) -> Scope {
        match self {
            Known::Subscription(subscription, _) => Scope::Subscription(subscription.id.clone()),
            Known::Product(product) => Scope::Product(product.id.clone()),
        }
    }

    pub(crate) fn billing_frequency(self) -> BillingFrequency {
        match self {
            Known::Subscription(..) => BillingFrequency::UsageBased,
            Known::Product(product) => product.billing_frequency,
        }
    }

    pub(crate) fn state_at(self, look: &Look) -> HoldingState {
        let state = self.held().and_then(|held| held.state.at(look.now));
        let state = state.copied().unwrap_or(HoldingState::Active);
        match self {
            Known::Product(product) => product.state_now(state, look.now),
            Known::Subscription(..) => state,
        }
    }

    pub(crate) fn id(self) -> &'a str {
        match self {
            Known::Subscription(subscription, _) => subscription.id.as_str(),
            Known::Product(product) => product.id.as_str(),
        }
    }
}

impl Asker<'_> {
    /// Decides a move; one that was made already changes nothing.
    pub(crate) fn move_holding(self, asked: &HoldingMove) -> Result<Decided> {
        let Asker { look, caller, account, .. } = self;
        let missing = || asked.holding.missing();
        let known = look.paid_for(account, &asked.holding).ok_or_else(missing)?;
        look.demand_reading(caller, known, &asked.holding)?;
        let Weighed { facts, to } = self.weighed(known, asked);
        if let Some(obstacle) = obstacles(&facts).into_iter().next() {
            let (what, key) = (asked.holding.what(), asked.holding.id().to_owned());
            return Err(Error::CannotMove { what, key, obstacle });
        }
        // Nothing stands against it: so it stands somewhere, and leads somewhere.
        let (Some(to), Some(held)) = (to, known.held()) else { return Err(missing()) };
        let what = asked.holding.what();
        let target = format!("{what} `{}` of `{account}` to {}", known.id(), to.section.key);
        let things = self.moved(known, held, &to);
        Ok(Decided { things, deed: deed("holding.move", target) })
    }

    /// What holds from now on.
    fn moved(self, known: Known<'_>, held: &Held, to: &Spot) -> Vec<Thing> {
        let Asker { look, account, .. } = self;
        let (now, before) = (look.now, &held.standings);
        let Some(standing) = before.at(now).filter(|one| one.place.as_ref() != Some(&to.section))
        else {
            return Vec::new();
        };
        let mut value = standing.clone();
        value.place = Some(to.section.clone());
        let mut after = before.clone();
        for (from, step) in later_steps::steps(Some(before), now, value, of_standing) {
            after.put(from, step);
        }
        let profile = to.profile.key.id.as_str();
        let cut = Cut { now, account, before, after: &after, profile };
        let placements = moved(known.placements(), &cut);
        let held = Held { standings: after, ..held.clone() };
        vec![match known {
            Known::Subscription(subscription, _) => {
                let subscription = Subscription { placements, ..subscription.clone() };
                Thing::Subscription(subscription, Some(held))
            }
            Known::Product(product) => {
                Thing::Product(Product { placements, held, ..product.clone() })
            }
        }]
    }
}
