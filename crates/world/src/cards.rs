//! Meters, rate cards and the price sheet of the cloud.

use crate::company::{DEV_TEST, PAY_AS_YOU_GO, currency, date, offer};
use crate::draw::Draw;
use crate::ids::{Ids, MILL, PARTNER, RETAILER};
use crate::meters::{GERMAN, METERS, MeterRow, THIRD_PARTY};
use calendar::BillingPeriod;
use domain::catalog::{
    Aggregation, CounterChange, Meter, MeterNames, OfferTerm, Price, PriceList, PriceReach,
    PricingModel, Tier, TierBase, TierScope,
};
use domain::ids::{MeterId, PriceListId};
use money::{Fixed18, Rounding};
use service::company::Thing;
use std::collections::BTreeMap;

/// The ids of meters by the keys of this crate.
pub(crate) type MeterIds = BTreeMap<&'static str, MeterId>;

/// Draws an id for each of some meters.
pub(crate) fn ids(draw: &mut Draw, keys: impl Iterator<Item = &'static str>) -> MeterIds {
    let mut id = || MeterId::new(&draw.guid()).expect("a short plain text");
    keys.map(|key| (key, id())).collect()
}

/// Reads a decimal that stands in this crate.
pub(crate) fn decimal(text: &str) -> Fixed18 {
    Fixed18::parse(text).expect("a decimal in a fixed spelling")
}

/// A price list's id that is known to be well-formed.
pub(crate) fn list_id(text: &str) -> PriceListId {
    PriceListId::new(text).expect("a short plain text")
}

/// A price with the usual habits: graduated, by subscription and billing period.
pub(crate) fn price(meter: &MeterId, model: PricingModel) -> Price {
    Price {
        meter: meter.clone(),
        lineage: meter.as_str().to_owned(),
        effective_from: date("2026-01-01"),
        counter: CounterChange::Continues,
        conditions: Vec::new(),
        model,
        base: TierBase::BillingPeriod,
        scope: TierScope::Subscription,
        included: Fixed18::ZERO,
        minimum: None,
        maximum: None,
        cost_places: Fixed18::PLACES,
        rounding: Rounding::HalfAwayFromZero,
    }
}

/// A graduated model; one rate alone is a price per unit.
pub(crate) fn graduated(rates: &[(&str, Fixed18)]) -> PricingModel {
    if let [(_, price)] = rates {
        return PricingModel::PerUnit { price: *price };
    }
    let tier = |(from, price): &(&str, Fixed18)| Tier {
        from: decimal(from),
        price: *price,
        flat: Fixed18::ZERO,
        spelled: None,
    };
    PricingModel::Graduated { tiers: rates.iter().map(tier).collect() }
}

/// Meters and price lists of the cloud.
pub(crate) fn things(ids: &MeterIds, all: &Ids) -> Vec<Thing> {
    let mut things: Vec<Thing> = METERS.iter().map(|row| Thing::Meter(meter(ids, row))).collect();
    things.extend(
        [
            card(ids, "payg-usd", PAY_AS_YOU_GO, ("USD", "US", &["en-US"]), "1"),
            card(ids, "payg-eur", PAY_AS_YOU_GO, ("EUR", "DE", &["de-DE", "en-US"]), "0.93"),
            card(ids, "devtest-usd", DEV_TEST, ("USD", "US", &["en-US"]), "0.72"),
            sheet(ids, "harbourlight-group-it", (all, RETAILER, Some("group profile")), "0.85"),
            sheet(ids, "palegrove", (all, MILL, None), "0.8"),
            sheet(ids, "tallmast-plan", (all, PARTNER, Some("dollars profile")), "0.82"),
        ]
        .map(Thing::PriceList),
    );
    things
}

fn meter(ids: &MeterIds, row: &MeterRow) -> Meter {
    let german = GERMAN.iter().find(|(category, _)| *category == row.category);
    let names = german.map(|(_, category)| {
        let names = MeterNames {
            name: row.name.to_owned(),
            category: (*category).to_owned(),
            subcategory: row.subcategory.to_owned(),
        };
        ("de-DE".to_owned(), names)
    });
    let tags = if THIRD_PARTY.contains(&row.key) { vec!["Third Party".to_owned()] } else { vec![] };
    Meter {
        id: ids[row.key].clone(),
        name: row.name.to_owned(),
        category: row.category.to_owned(),
        subcategory: row.subcategory.to_owned(),
        region: row.region.to_owned(),
        unit: row.unit.to_owned(),
        tags,
        aggregation: Aggregation::Sum,
        names: names.into_iter().collect(),
    }
}

fn card(
    ids: &MeterIds,
    id: &str,
    of: &str,
    (code, region, locales): (&str, &str, &[&str]),
    factor: &str,
) -> PriceList {
    let mut prices = BTreeMap::new();
    for row in &METERS {
        let mut versions = vec![published(ids, row, factor)];
        if row.key == "out-z1" {
            versions.push(cheaper(&versions[0]));
        }
        prices.insert(ids[row.key].clone(), versions);
    }
    let effective_from = date("2026-01-01");
    let excluded = THIRD_PARTY.map(|key| ids[key].clone()).to_vec();
    let terms = match of {
        PAY_AS_YOU_GO => {
            let credit = decimal("150").checked_mul(decimal(factor), 0, Rounding::default());
            let credit = credit.expect("a small product");
            vec![OfferTerm::MonetaryCredit { effective_from, credit, excluded }]
        }
        _ => {
            let amount = decimal("25");
            let discounts = vec![
                (decimal("0"), decimal("0")),
                (decimal("6000"), decimal("0.025")),
                (decimal("24000"), decimal("0.05")),
            ];
            vec![
                OfferTerm::RecurringCharge { effective_from, amount },
                OfferTerm::MonetaryCommitment { effective_from, discounts, excluded },
            ]
        }
    };
    let locales = locales.iter().map(|locale| (*locale).to_owned()).collect();
    let reach = PriceReach::Offer { offer: offer(of), region: region.to_owned(), locales };
    PriceList { id: list_id(id), version: 0, reach, currency: currency(code), prices, terms }
}

/// The published price of a meter times a factor; what others sell through us has no factor.
fn published(ids: &MeterIds, row: &MeterRow, factor: &str) -> Price {
    let factor = decimal(if THIRD_PARTY.contains(&row.key) { "1" } else { factor });
    let rates: Vec<_> =
        row.rates.iter().map(|(from, rate)| (*from, scaled(rate, factor))).collect();
    let mut price = price(&ids[row.key], graduated(&rates));
    price.included = decimal(row.included);
    price
}

fn scaled(rate: &str, factor: Fixed18) -> Fixed18 {
    decimal(rate).checked_mul(factor, 9, Rounding::default()).expect("a small product")
}

/// The next version of a price, from October on: each tier a tenth cheaper.
fn cheaper(before: &Price) -> Price {
    let mut after = before.clone();
    after.effective_from = date("2026-10-01");
    if let PricingModel::Graduated { tiers } = &mut after.model {
        for tier in tiers {
            let price = tier.price.checked_mul(decimal("0.9"), 9, Rounding::default());
            tier.price = price.expect("a small product");
        }
    }
    after
}

/// Agreed prices of an account, or of one profile of it: published ones times a factor.
fn sheet(
    ids: &MeterIds,
    id: &str,
    (all, account, profile): (&Ids, &str, Option<&str>),
    factor: &str,
) -> PriceList {
    let prices = METERS
        .iter()
        .map(|row| (ids[row.key].clone(), vec![published(ids, row, factor)]))
        .collect();
    PriceList {
        id: list_id(id),
        version: 0,
        reach: PriceReach::Account {
            billing_account: all.account(account),
            profile: profile.map(|profile| all.of(profile).to_owned()),
            from: BillingPeriod::of(date("2026-07-01")),
            until: None,
        },
        currency: currency("USD"),
        prices,
        terms: Vec::new(),
    }
}
