//! For the tests: holdings to be shown by the published descriptions.

use crate::described::{account, during, key, offer, place, reseller, usd};
use calendar::Instant;
use domain::agreements::AgreementType;
use domain::catalog::{Aggregation, Meter};
use domain::holdings::{AutoRenew, BillingFrequency, HoldingState};
use domain::ids::{MeterId, ProductId, ReservationId, SubscriptionId, TenantId};
use domain::places::Level;
use domain::reservations::ReservationState;
use money::{Cost, Fixed18};
use service::{
    HoldingTold, LastCharge, ProductTold, ReservationTold, ReservedFor, SubscriptionCharges,
    SubscriptionTold,
};
use std::collections::BTreeMap;

/// Of a customer agreement.
fn holding() -> HoldingTold {
    let ships = key(Level::BillingProfile, "ships");
    HoldingTold {
        account: account(AgreementType::Customer).id,
        profile: Some(place(Level::BillingProfile, "ships", None)),
        section: Some(place(Level::InvoiceSection, "freight", Some(ships))),
        customer: None,
        reseller: None,
        offer: offer(),
        currency: usd(),
        since: during().start(),
        state: HoldingState::Active,
        tags: BTreeMap::from([("team".to_owned(), "data".to_owned())]),
        cost_center: "42".to_owned(),
    }
}

/// Of a partner agreement.
pub(crate) fn resold() -> HoldingTold {
    let customer = Some(place(Level::Customer, "bakery", None));
    HoldingTold { section: None, customer, reseller: Some(reseller()), ..holding() }
}

fn cost(text: &str) -> Cost {
    Cost { major: Fixed18::parse(text).unwrap(), currency: usd() }
}

pub(crate) fn subscription() -> SubscriptionTold {
    let (month_to_date, last_month) = (Some(cost("600.000001")), Some(cost("5000")));
    SubscriptionTold {
        id: SubscriptionId::new("5b0d1e9a-0000-4000-8000-000000000001").unwrap(),
        name: "Shop".to_owned(),
        held: holding(),
        charges: Some(SubscriptionCharges { month_to_date, last_month }),
    }
}

pub(crate) fn product() -> ProductTold {
    let at = Instant::parse("2026-06-01").unwrap();
    ProductTold {
        id: ProductId::new("support").unwrap(),
        name: "Support".to_owned(),
        held: holding(),
        billing_frequency: BillingFrequency::Monthly,
        auto_renew: AutoRenew::On,
        ends_at: Some(during().end()),
        tenant: Some(TenantId::new("t").unwrap()),
        last_charge: Some(LastCharge { cost: cost("99.5"), at }),
    }
}

pub(crate) fn reservation(id: &str) -> ReservationTold {
    let (billed_to, meter) = (SubscriptionId::new("s").unwrap(), MeterId::new("vm").unwrap());
    let counted = Meter {
        id: meter.clone(),
        name: "Two cores".to_owned(),
        category: "Machines".to_owned(),
        subcategory: String::new(),
        region: "eu".to_owned(),
        unit: "Hours".to_owned(),
        tags: Vec::new(),
        aggregation: Aggregation::Sum,
        names: BTreeMap::new(),
    };
    ReservationTold {
        id: ReservationId::new(id).unwrap(),
        billed_to: billed_to.clone(),
        term: during(),
        ends_at: during().end(),
        state: ReservationState::Active,
        covers: ReservedFor::Subscription(billed_to),
        meter: Some(meter),
        counted: Some(counted),
        location: None,
        quantity: Fixed18::from_int(2),
    }
}
