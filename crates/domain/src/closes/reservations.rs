//! What buying, exchanging and giving back reservations costs a payer.

use super::{Charges, Part, Payer};
use crate::Result;
use crate::ids::SubscriptionId;
use crate::invoice::LineKey;
use crate::reservations::ReservationCharge;
use crate::usage::ChargeCategory;
use calendar::{BillingPeriod, Interval};

impl Payer<'_> {
    /// Adds what buying, exchanging and giving back reservations costs in the period.
    pub(super) fn add_reservations(&self, charges: &mut Charges) -> Result<()> {
        let held = self.company.reservations_of(&self.account.id);
        for one in held {
            let own = one.course(held)?.charges.into_iter();
            let own = own.filter(|charge| !charge.amount.major.is_zero());
            for charge in own.filter(|charge| BillingPeriod::of(charge.at) == self.period) {
                let of = &one.bought.billed_to;
                let key = self.reservation_key(of, &charge);
                let share = self.share(Some(of), charge.at);
                charges.add(Part::of(share, key.category), key, charge.amount)?;
            }
        }
        Ok(())
    }

    fn reservation_key(&self, of: &SubscriptionId, charge: &ReservationCharge) -> LineKey {
        let ReservationCharge { reservation, event, at, quantity: _, amount } = charge;
        let goes_back = amount.major.is_negative();
        LineKey {
            section: self.section(of, *at),
            category: if goes_back { ChargeCategory::Refund } else { ChargeCategory::Purchase },
            subscription: Some(of.clone()),
            meter: None,
            item: format!("{reservation} {}", event.name()),
            service_period: Interval::at(*at),
            tax: self.terms.tax_category.clone(),
            amends: None,
            buys: None,
            rate: None,
        }
    }
}
