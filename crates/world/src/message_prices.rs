//! Meters of messages, and the prices that the messenger agreed.

use crate::cards::{MeterIds, decimal, graduated, list_id, price};
use crate::company::{currency, date};
use crate::ids::{Ids, MESSENGER};
use calendar::{BillingPeriod, MICROS_PER_HOUR};
use domain::catalog::{
    Aggregation, Condition, Meter, Price, PriceList, PriceReach, PricingModel, Tier, TierBase,
    TierScope,
};
use domain::ids::BillingAccountId;
use domain::usage::Dimension;
use money::{Fixed18, Rounding};
use service::company::Thing;
use std::collections::BTreeMap;

/// Keys, names, categories and units.
pub(crate) const METERS: [(&str, [&str; 3]); 8] = [
    ("sms-out", ["Messages Sent", "SMS", "Messages"]),
    ("sms-in", ["Messages Received", "SMS", "Messages"]),
    ("voice", ["Voice Minutes", "Voice", "Minutes"]),
    ("chat", ["Chat Messages", "Chat", "Messages"]),
    ("session", ["Chat Sessions", "Chat", "Sessions"]),
    ("people", ["Active Users", "People", "Users"]),
    ("numbers", ["Numbers Held", "Numbers", "Numbers"]),
    ("mail", ["Mails Sent", "Mail", "1,000 Mails"]),
];

/// Meters of messages and their price sheet.
pub(crate) fn things(ids: &MeterIds, all: &Ids) -> Vec<Thing> {
    let mut things: Vec<Thing> = METERS
        .iter()
        .map(|(key, [name, category, unit])| {
            Thing::Meter(Meter {
                id: ids[key].clone(),
                name: (*name).to_owned(),
                category: (*category).to_owned(),
                subcategory: String::new(),
                region: String::new(),
                unit: (*unit).to_owned(),
                tags: Vec::new(),
                aggregation: aggregation(key),
                names: BTreeMap::new(),
            })
        })
        .collect();
    things.push(Thing::PriceList(sheet(ids, all.account(MESSENGER))));
    things
}

fn aggregation(key: &str) -> Aggregation {
    match key {
        "session" => {
            Aggregation::Session { window_micros: 24 * MICROS_PER_HOUR, key: vec![Dimension::User] }
        }
        "people" => Aggregation::Distinct { dimension: Dimension::User },
        "numbers" => Aggregation::Max,
        _ => Aggregation::Sum,
    }
}

fn sheet(ids: &MeterIds, billing_account: BillingAccountId) -> PriceList {
    let mut prices = BTreeMap::new();
    for (key, _) in METERS {
        let versions = match key {
            "sms-out" => sms(ids),
            _ => vec![agreed(ids, key)],
        };
        prices.insert(ids[key].clone(), versions);
    }
    PriceList {
        id: list_id("brightwire-messages"),
        version: 0,
        reach: PriceReach::Account {
            billing_account,
            profile: None,
            from: BillingPeriod::of(date("2026-07-01")),
            until: None,
        },
        currency: currency("EUR"),
        prices,
        terms: Vec::new(),
    }
}

/// Sent messages by country; codes to Germany have a price of their own.
fn sms(ids: &MeterIds) -> Vec<Price> {
    let to = |lineage: &str, conditions: &[(Dimension, &str)], rates: &[(&str, &str)]| {
        let rates: Vec<_> = rates.iter().map(|(from, rate)| (*from, decimal(rate))).collect();
        let mut price = price(&ids["sms-out"], graduated(&rates));
        price.lineage = lineage.to_owned();
        price.scope = TierScope::Account;
        price.conditions = conditions
            .iter()
            .map(|(dimension, value)| Condition {
                dimension: *dimension,
                value: (*value).to_owned(),
            })
            .collect();
        price
    };
    let (country, traffic) = (Dimension::Country, Dimension::TrafficType);
    let mut cheaper = to("france", &[(country, "FR")], &[("0", "0.0455")]);
    cheaper.effective_from = date("2026-10-01");
    vec![
        to("austria", &[(country, "AT")], &[("0", "0.061")]),
        to("france", &[(country, "FR")], &[("0", "0.048")]),
        cheaper,
        to(
            "germany",
            &[(country, "DE")],
            &[("0", "0.072"), ("10000", "0.069"), ("50000", "0.0655")],
        ),
        to(
            "germany codes",
            &[(traffic, "authentication"), (country, "DE")],
            &[("0", "0.0795"), ("20000", "0.0775")],
        ),
        to("world", &[], &[("0", "0.065")]),
    ]
}

fn agreed(ids: &MeterIds, key: &str) -> Price {
    let per_unit = |text: &str| PricingModel::PerUnit { price: decimal(text) };
    let packages = |size: &str, text: &str| PricingModel::Package {
        size: decimal(size),
        price: decimal(text),
        rounding: Rounding::AwayFromZero,
    };
    let mut price = price(
        &ids[key],
        match key {
            // Calls are charged by begun minutes.
            "voice" => packages("1", "0.0125"),
            "chat" => PricingModel::Volume {
                tiers: [("0", "0.0089"), ("20000", "0.0075"), ("60000", "0.006")]
                    .map(|(from, price)| Tier {
                        from: decimal(from),
                        price: decimal(price),
                        flat: Fixed18::ZERO,
                        spelled: None,
                    })
                    .to_vec(),
            },
            "session" => per_unit("0.021"),
            "people" => packages("50", "4.5"),
            "numbers" => per_unit("9.9"),
            "mail" => per_unit("0.35"),
            _ => per_unit("0"),
        },
    );
    price.scope = TierScope::Account;
    match key {
        "voice" => price.base = TierBase::Record,
        "mail" => {
            price.included = decimal("20");
            price.minimum = Some(decimal("25"));
        }
        _ => {}
    }
    price
}
