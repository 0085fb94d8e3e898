//! Terms of the offers that a payer's subscriptions are on: discount, credit, recurring charge.
//!
//! Only online services agreements have them: there each subscription has a document of its own.
//! The offer of a subscription is that of its last placement with the payer in the billing period.
//!
//! Source: commerce, section 4, step 5.

use super::{Charges, Part, PartKind, Payer, Share, last_moment};
use crate::Result;
use crate::agreements::AgreementType;
use crate::catalog::PriceReach;
use crate::credits::Lot;
use crate::ids::{LotId, MeterId, OfferId, SubscriptionId};
use crate::invoice::LineKey;
use crate::offer_terms::{self, MeterCost, Provider, TermsInForce};
use crate::usage::ChargeCategory;
use money::{Cost, Currency};

/// How rate cards mark meters of other providers. Source: commerce, section 3.2.
const THIRD_PARTY: &str = "Third Party";

/// How the id of a lot begins that an offer grants for a billing period.
const GRANTED: &str = "offer/";

/// Whether an offer grants the lot, for one billing period.
pub fn is_of_offer(lot: &LotId) -> bool {
    lot.as_str().starts_with(GRANTED)
}

/// An offer's terms as a subscription meets them.
struct Offered<'a> {
    offer: &'a OfferId,
    currency: Currency,
    terms: TermsInForce<'a>,
}

impl<'a> Payer<'a> {
    /// Adds discounts on usage, and recurring charges: of subscriptions without usage too.
    pub(super) fn add_terms_of_offers(&self, charges: &mut Charges) -> Result<()> {
        if self.agreement() != Some(AgreementType::OnlineServices) {
            return Ok(());
        }
        for subscription in self.book.placed(&self.account.id) {
            let Some(offered) = self.offered(subscription) else { continue };
            let share = Share::Subscription(subscription.clone());
            let part = Part { share, kind: PartKind::Own };
            for (key, cost) in self.discounts(&offered, charges, &part)? {
                charges.add(part.clone(), key, cost)?;
            }
            if let Some(major) = offered.terms.recurring.filter(|major| !major.is_zero()) {
                let key = self.recurring_key(subscription, offered.offer);
                charges.add(part, key, Cost { major, currency: offered.currency })?;
            }
        }
        Ok(())
    }

    /// The credit that an offer grants for the billing period, which pays this document alone.
    pub(crate) fn lot_of_offer(&self, part: &Part) -> Result<Option<Lot>> {
        match part {
            Part { share: Share::Subscription(subscription), kind: PartKind::Own } => {
                self.credit_of(subscription)
            }
            Part { .. } => Ok(None),
        }
    }

    /// The credits that the offers of all subscriptions grant for the billing period.
    ///
    /// Errors: [`crate::Error::Invalid`] when a lot's id would be too long;
    /// [`crate::Error::Money`].
    pub fn lots_of_offers(&self) -> Result<Vec<Lot>> {
        if self.agreement() != Some(AgreementType::OnlineServices) {
            return Ok(Vec::new());
        }
        let placed = self.book.placed(&self.account.id).iter();
        placed.filter_map(|subscription| self.credit_of(subscription).transpose()).collect()
    }

    fn credit_of(&self, subscription: &SubscriptionId) -> Result<Option<Lot>> {
        let Some(offered) = self.offered(subscription) else { return Ok(None) };
        let id = LotId::new(&format!("{GRANTED}{subscription}/{}", self.period))?;
        let lot = offered.terms.credit_lot(id, self.period, offered.currency)?;
        Ok(lot.filter(|lot| lot.granted.minor() > 0))
    }

    fn offered(&self, subscription: &SubscriptionId) -> Option<Offered<'a>> {
        let company = self.company;
        let placements = &company.subscriptions.get(subscription)?.placements;
        let mut own = placements.iter().rev().filter(|placement| {
            placement.billing_account == self.account.id
                && placement.during.intersection(&self.period.interval()).is_some()
        });
        let placement = own.next()?;
        let mut lists = self.book.lists(placement, last_moment(self.period));
        let card = lists.find(|list| matches!(list.reach, PriceReach::Offer { .. }))?;
        let terms = TermsInForce::of(&card.terms, self.period);
        Some(Offered { offer: &placement.offer, currency: card.currency, terms })
    }

    /// An adjustment for each line of usage that the commitment lowers.
    fn discounts(
        &self,
        offered: &Offered<'_>,
        charges: &Charges,
        part: &Part,
    ) -> Result<Vec<(LineKey, Cost)>> {
        let usage = charges.part(part);
        let is_usage = |(key, cost): &(&LineKey, Cost)| {
            key.category == ChargeCategory::Usage && cost.currency == offered.currency
        };
        let priced = usage.iter().filter(is_usage).filter_map(|(key, cost)| {
            let meter = key.meter.clone()?;
            let provider = self.provider(&meter);
            Some((key, MeterCost { meter, provider, cost: cost.major }))
        });
        let (keys, costs): (Vec<&LineKey>, Vec<MeterCost>) = priced.unzip();
        let applied = offer_terms::apply(&offered.terms, self.terms.committed, &costs)?;
        let lines = keys.into_iter().zip(applied.discounts);
        let lines = lines.filter(|(_, discount)| !discount.is_zero()).map(|(key, major)| {
            let key = LineKey { category: ChargeCategory::Adjustment, ..key.clone() };
            (key, Cost { major, currency: offered.currency })
        });
        Ok(lines.collect())
    }

    fn provider(&self, meter: &MeterId) -> Provider {
        let meter = self.company.meters.get(meter);
        let is_third = meter.is_some_and(|meter| meter.tags.iter().any(|tag| tag == THIRD_PARTY));
        if is_third { Provider::Third } else { Provider::Own }
    }

    fn recurring_key(&self, subscription: &SubscriptionId, offer: &OfferId) -> LineKey {
        LineKey {
            section: None,
            category: ChargeCategory::Purchase,
            subscription: Some(subscription.clone()),
            meter: None,
            item: format!("offer {offer}"),
            service_period: self.period.interval(),
            tax: self.terms.tax_category.clone(),
            amends: None,
            buys: None,
            rate: None,
        }
    }
}
