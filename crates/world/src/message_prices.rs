//! Meters of messages, and the prices that the messenger agreed.

use crate::cards::{MeterIds, decimal, graduated, list_id, price};
use crate::company::{currency, date};
use crate::ids::{Ids, MESSENGER};
use calendar::{BillingPeriod, MICROS_PER_HOUR};
use domain::catalog::{
    Aggregation, Condition, Meter, Price, PriceList, PriceReach, PricingModel, Tier, TierBase,
    TierScope,
};
use domain::ids::{BillingAccountId, MeterId};
use domain::usage::Dimension;
use money::Rounding;
use service::company::Thing;
use std::collections::BTreeMap;

/// Keys, names, categories, subcategories and units. Source of the categories in capitals:
/// `infobip.md` section 5.
pub(crate) const METERS: [(&str, [&str; 4]); 21] = [
    ("sms-out", ["Messages Sent", "SMS", "", "message part"]),
    ("sms-in", ["Messages Received", "SMS", "", "message"]),
    ("voice", ["Voice Minutes", "Voice", "", "minute"]),
    ("chat", ["Template Messages", "WHATSAPP", "", "message"]),
    ("session", ["Conversations", "RCS", "", "session"]),
    ("people", ["Active Users", "WHATSAPP", "", "monthly active user"]),
    ("numbers", ["Numbers Held", "Numbers", "", "number"]),
    ("mail", ["Emails Sent", "EMAIL", "", "email"]),
    ("sms-fee", ["Carrier Surcharge", "SMS_OPERATOR_FEE", "", "message part"]),
    ("mms", ["Pictures Sent", "MMS", "", "message"]),
    ("mms-fee", ["Carrier Surcharge", "MMS_OPERATOR_FEE", "", "message"]),
    ("rich", ["Rich Messages", "RCS", "", "message"]),
    ("viber", ["Business Messages", "VIBER", "VIBER_BM", "message"]),
    ("bot", ["Bot Conversations", "VIBER", "VIBER_BOTS", "session"]),
    ("apple", ["Business Messages", "APPLE_MB", "", "message"]),
    ("push", ["Notifications", "MOBILE_PUSH", "", "message"]),
    ("lookup", ["Number Lookups", "NUMBER_LOOKUP", "", "request"]),
    ("carrier", ["Carrier Lookups", "CARRIER_LOOKUP", "", "request"]),
    ("mail-check", ["Validations", "EMAIL_VALIDATION", "", "request"]),
    ("agent", ["Sales by Agents", "AGENTOS", "", "euro"]),
    ("tokens", ["Words Read and Written", "AI", "", "thousand tokens"]),
];

/// Meters of messages and their price sheet.
pub(crate) fn things(ids: &MeterIds, all: &Ids) -> Vec<Thing> {
    let mut things: Vec<Thing> = METERS
        .iter()
        .map(|(key, [name, category, subcategory, unit])| {
            Thing::Meter(Meter {
                id: ids[key].clone(),
                name: (*name).to_owned(),
                category: (*category).to_owned(),
                subcategory: (*subcategory).to_owned(),
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
        "session" | "bot" => {
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
            "rich" => rich(ids),
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

/// A price under a lineage, for records with some values; all of the account count together.
fn to(
    meter: &MeterId,
    lineage: &str,
    conditions: &[(Dimension, &str)],
    rates: &[(&str, &str)],
) -> Price {
    let rates: Vec<_> = rates.iter().map(|(from, rate)| (*from, decimal(rate))).collect();
    let condition = |(dimension, value): &(Dimension, &str)| Condition {
        dimension: *dimension,
        value: (*value).to_owned(),
    };
    let mut price = price(meter, graduated(&rates));
    price.lineage = lineage.to_owned();
    price.scope = TierScope::Account;
    price.conditions = conditions.iter().map(condition).collect();
    price
}

/// Rich messages; plain ones cost less.
fn rich(ids: &MeterIds) -> Vec<Price> {
    let of = |lineage: &str, conditions: &[(Dimension, &str)], rate: &str| {
        to(&ids["rich"], lineage, conditions, &[("0", rate)])
    };
    vec![of("basic", &[(Dimension::TrafficType, "BASIC")], "0.018"), of("rich", &[], "0.0244")]
}

/// Sent messages by country; codes to Germany have a price of their own.
fn sms(ids: &MeterIds) -> Vec<Price> {
    let to = |lineage: &str, conditions: &[(Dimension, &str)], rates: &[(&str, &str)]| {
        to(&ids["sms-out"], lineage, conditions, rates)
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
            &[(traffic, "AUTHENTICATION"), (country, "DE")],
            &[("0", "0.0795"), ("20000", "0.0775")],
        ),
        to("world", &[], &[("0", "0.065")]),
    ]
}

fn agreed(ids: &MeterIds, key: &str) -> Price {
    let mut price = price(&ids[key], model(key));
    price.scope = TierScope::Account;
    match key {
        "voice" => price.base = TierBase::Record,
        "mail" => {
            price.included = decimal("20000");
            price.minimum = Some(decimal("25"));
        }
        // A plan with so many users: only those beyond it are charged.
        "people" => price.included = decimal("50"),
        "push" => price.included = decimal("30000"),
        "apple" => price.minimum = Some(decimal("15")),
        "agent" => price.maximum = Some(decimal("70")),
        _ => {}
    }
    price
}

fn model(key: &str) -> PricingModel {
    let per_unit = |text: &str| PricingModel::PerUnit { price: decimal(text) };
    let packages = |size: &str, text: &str| PricingModel::Package {
        size: decimal(size),
        price: decimal(text),
        rounding: Rounding::AwayFromZero,
    };
    match key {
        // Calls are charged by begun minutes.
        "voice" => packages("1", "0.0125"),
        "chat" => PricingModel::Volume {
            tiers: vec![
                tier("0", "0.0089", "0"),
                tier("20000", "0.0075", "0"),
                tier("60000", "0.006", "0"),
            ],
        },
        "session" => per_unit("0.021"),
        "people" => per_unit("0.09"),
        "numbers" => per_unit("9.9"),
        "mail" => per_unit("0.00035"),
        "sms-fee" => per_unit("0.0045"),
        "mms" => per_unit("0.09"),
        "mms-fee" => per_unit("0.01"),
        "viber" => PricingModel::Graduated {
            tiers: vec![tier("0", "0.021", "0"), tier("1500", "0.0185", "0")],
        },
        "bot" => per_unit("0.03"),
        "apple" => per_unit("0.015"),
        "push" => per_unit("0.0004"),
        "lookup" => per_unit("0.004"),
        "carrier" => per_unit("0.006"),
        // Many validations make a list of their own, for a fee.
        "mail-check" => PricingModel::Graduated {
            tiers: vec![tier("0", "0.0008", "0"), tier("3000", "0.0006", "5")],
        },
        "agent" => PricingModel::Percentage { percent: decimal("1.5") },
        "tokens" => packages("1000", "2"),
        _ => per_unit("0"),
    }
}

fn tier(from: &str, price: &str, flat: &str) -> Tier {
    Tier { from: decimal(from), price: decimal(price), flat: decimal(flat), spelled: None }
}
