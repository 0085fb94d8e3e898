//! Changing what happens to a product at its end.

use crate::Reckoner;
use crate::changes::Decided;
use crate::company::Thing;
use crate::holding_moves::{HoldingId, Known};
use crate::later_steps::{self, of_product};
use crate::structure::Look;
use crate::structure_changes::deed;
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::access::{Action, Caller};
use domain::holdings::{AutoRenew, HoldingState, Product, ProductFacts};
use domain::ids::BillingAccountId;
use domain::places::Place;
use domain::{Error, Kind, Result};

/// Whether a product shall be renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalAsked {
    /// The billing account that pays for it.
    pub account: BillingAccountId,
    /// The place where it must stand, if that was said.
    pub place: Option<Place>,
    /// Its id, in any letter case.
    pub product: String,
    /// What shall happen at its end.
    pub auto_renew: AutoRenew,
}

impl Reckoner {
    /// Sets from now on what happens to a product at its end; gives when that is.
    ///
    /// Errors: [`Error::Forbidden`]; [`Error::NotFound`] also for a product that stands elsewhere;
    /// [`Error::Conflict`] for one that has no end, or is not in use any more.
    #[boxed]
    pub async fn set_auto_renew(
        &self,
        caller: &Caller,
        asked: &RenewalAsked,
        request_id: &str,
    ) -> Result<Instant> {
        let decide = |look: &Look| -> Result<Decided> {
            let (known, product, facts) = product(look, caller, asked)?;
            let ends_at = ends_at(look, known, facts)?;
            let value = ProductFacts { auto_renew: asked.auto_renew, ..facts.clone() };
            let things = if value == *facts { vec![] } else { renewed(look, product, value) };
            let how = match asked.auto_renew {
                AutoRenew::On => "is renewed",
                AutoRenew::Off => "ends",
            };
            let target =
                format!("product `{}` of `{}` {how} at {ends_at}", product.id, asked.account);
            Ok(Decided { things, deed: deed("product.renew", target) })
        };
        let look = self.change(caller, request_id, &decide).await?;
        let (_, _, facts) = product(&look, caller, asked)?;
        facts.ends_at.ok_or(Error::Overtaken)
    }
}

/// A product that the caller may manage, and what holds of it now.
fn product<'a>(
    look: &'a Look,
    caller: &Caller,
    asked: &RenewalAsked,
) -> Result<(Known<'a>, &'a Product, &'a ProductFacts)> {
    let RenewalAsked { account, place, product, auto_renew: _ } = asked;
    let id = HoldingId::Product(product.clone());
    let Some(known @ Known::Product(product)) = look.paid_for(account, &id) else {
        return Err(id.missing());
    };
    let standing = product.held.standings.at(look.now).and_then(|one| one.place.as_ref());
    if place.is_some() && place.as_ref() != standing {
        return Err(id.missing());
    }
    let demanded = look.demand(caller, Action::ManageProducts, &known.scope());
    demanded.map_err(|e| if e.kind() == Kind::NotFound { id.missing() } else { e })?;
    let facts = product.facts.at(look.now).ok_or_else(|| id.missing())?;
    Ok((known, product, facts))
}

/// When it ends, or is renewed.
fn ends_at(look: &Look, known: Known<'_>, facts: &ProductFacts) -> Result<Instant> {
    let refused = |problem: &str| {
        let (key, problem) = (known.id().to_owned(), problem.to_owned());
        Error::Conflict { what: "product", key, problem }
    };
    match known.state_at(look) {
        HoldingState::Cancelled | HoldingState::Expired | HoldingState::Deleted => {
            return Err(refused("is not in use any more: it is not renewed"));
        }
        HoldingState::Active | HoldingState::PastDue | HoldingState::Suspended => {}
    }
    facts.ends_at.ok_or_else(|| refused("has no end at which it could be renewed"))
}

/// What holds from now on.
fn renewed(look: &Look, product: &Product, value: ProductFacts) -> Vec<Thing> {
    let mut facts = product.facts.clone();
    for (from, step) in later_steps::steps(Some(&product.facts), look.now, value, of_product) {
        facts.put(from, step);
    }
    vec![Thing::Product(Product { facts, ..product.clone() })]
}
