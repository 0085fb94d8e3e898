//! A small invented company for the tests of the rules.

pub mod places;

use crate::catalog::*;
use crate::company::*;
use crate::ids::*;
use crate::usage::*;
use calendar::{BillingPeriod, Instant, Interval};
use money::{Cost, Currency, Fixed18, Rounding};
use proptest::prelude::*;
use std::collections::BTreeMap;

pub fn n(text: &str) -> Fixed18 {
    Fixed18::parse(text).unwrap()
}

pub fn t(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

pub fn span(from: &str, until: &str) -> Interval {
    Interval::new(t(from), t(until)).unwrap()
}

pub fn period(text: &str) -> BillingPeriod {
    BillingPeriod::parse(text).unwrap()
}

pub fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

pub fn account(text: &str) -> BillingAccountId {
    BillingAccountId::new(text).unwrap()
}

pub fn meter_id(text: &str) -> MeterId {
    MeterId::new(text).unwrap()
}

/// `quantity` of meter `m` by subscription `s` of account `a`, from source `src`.
pub fn record(id: &str, at: &str, quantity: &str) -> UsageRecord {
    UsageRecord {
        key: RecordKey {
            billing_account: account("a"),
            source: SourceName::new("src").unwrap(),
            id: RecordId::new(id).unwrap(),
        },
        act: Act::Use,
        subscription: SubscriptionId::new("s").unwrap(),
        resource: String::new(),
        meter: meter_id("m"),
        quantity: n(quantity),
        service_period: Interval::at(t(at)),
        reported_at: None,
        dimensions: BTreeMap::new(),
        tags: BTreeMap::new(),
        category: ChargeCategory::Usage,
        billable: Billable::Yes,
        stated_cost: None,
        details: None,
        origin: Origin::Event,
    }
}

pub fn position(sequence: u64) -> Position {
    Position { shard: 0, sequence, epoch: 1 }
}

/// Records in the log, in the order given.
pub fn logged(records: impl IntoIterator<Item = UsageRecord>) -> Vec<LoggedRecord> {
    let acknowledged_at = t("2026-05-05");
    (0..)
        .zip(records)
        .map(|(at, record)| LoggedRecord { position: position(at), acknowledged_at, record })
        .collect()
}

/// `0: 0.09, 100: 0.08 + 5`: bound, price, flat fee.
pub fn tiers(text: &str) -> Vec<Tier> {
    let tier = |text: &str| {
        let (from, rest) = text.split_once(':').unwrap();
        let (price, flat) = rest.split_once('+').unwrap_or((rest, "0"));
        Tier { from: n(from.trim()), price: n(price.trim()), flat: n(flat.trim()), spelled: None }
    };
    text.split(',').map(tier).collect()
}

/// A price of meter `m`: lineage `m`, always, counted by subscription and billing period.
pub fn price(model: PricingModel) -> Price {
    Price {
        meter: meter_id("m"),
        lineage: "m".to_owned(),
        effective_from: Instant::MIN,
        counter: CounterChange::Continues,
        conditions: Vec::new(),
        model,
        base: TierBase::BillingPeriod,
        scope: TierScope::Subscription,
        included: Fixed18::ZERO,
        minimum: None,
        maximum: None,
        cost_places: 18,
        rounding: Rounding::HalfAwayFromZero,
    }
}

pub fn per_unit(text: &str) -> PricingModel {
    PricingModel::PerUnit { price: n(text) }
}

pub fn graduated(text: &str) -> PricingModel {
    PricingModel::Graduated { tiers: tiers(text) }
}

pub fn volume(text: &str) -> PricingModel {
    PricingModel::Volume { tiers: tiers(text) }
}

pub fn package(size: &str, cost: &str, rounding: Rounding) -> PricingModel {
    PricingModel::Package { size: n(size), price: n(cost), rounding }
}

/// A list of prices, sorted as lists are.
pub fn list(id: &str, reach: PriceReach, prices: Vec<Price>) -> PriceList {
    let mut by_meter: BTreeMap<MeterId, Vec<Price>> = BTreeMap::new();
    for price in prices {
        by_meter.entry(price.meter.clone()).or_default().push(price);
    }
    for prices in by_meter.values_mut() {
        prices.sort_by(|a, b| (&a.lineage, a.effective_from).cmp(&(&b.lineage, b.effective_from)));
    }
    let id = PriceListId::new(id).unwrap();
    PriceList { id, version: 1, reach, currency: usd(), prices: by_meter, terms: Vec::new() }
}

pub fn card(offer: &str) -> PriceReach {
    let offer = OfferId::new(offer).unwrap();
    PriceReach::Offer { offer, region: "US".to_owned(), locales: vec!["en-US".to_owned()] }
}

pub fn sheet(of: &str, profile: Option<&str>, from: &str, until: Option<&str>) -> PriceReach {
    PriceReach::Account {
        billing_account: account(of),
        profile: profile.map(str::to_owned),
        from: period(from),
        until: until.map(period),
    }
}

pub fn placement(of: &str, during: Interval) -> Placement {
    let offer = OfferId::new("O").unwrap();
    Placement { during, billing_account: account(of), profile: None, offer }
}

pub fn subscription(id: &str, placements: Vec<Placement>) -> (SubscriptionId, Subscription) {
    let id = SubscriptionId::new(id).unwrap();
    (id.clone(), Subscription { id, name: String::new(), placements })
}

pub fn meter(id: &str, aggregation: Aggregation) -> (MeterId, Meter) {
    let id = meter_id(id);
    let empty = String::new;
    let meter = Meter {
        id: id.clone(),
        name: empty(),
        category: empty(),
        subcategory: empty(),
        region: empty(),
        unit: "1".to_owned(),
        tags: Vec::new(),
        aggregation,
        names: BTreeMap::new(),
    };
    (id, meter)
}

/// Accounts `a` and `b`, subscription `s` always with `a` on offer `O`, meter `m`, one rate card.
pub fn company(aggregation: Aggregation, prices: Vec<Price>) -> Company {
    let of = |id: &str| {
        let (name, region) = (String::new(), "US".to_owned());
        (account(id), BillingAccount { id: account(id), name, currency: usd(), region })
    };
    let card = list("card", card("O"), prices);
    Company {
        version: 1,
        accounts: BTreeMap::from([of("a"), of("b")]),
        subscriptions: BTreeMap::from([subscription(
            "s",
            vec![placement("a", Interval::always())],
        )]),
        meters: BTreeMap::from([meter("m", aggregation)]),
        price_lists: BTreeMap::from([(card.id.clone(), card)]),
        ..Company::default()
    }
}

/// Few cases by default; `PROPTEST_CASES` asks for more.
pub fn few() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() {
        config
    } else {
        ProptestConfig { cases: 64, ..config }
    }
}

fn text() -> impl Strategy<Value = String> + Clone {
    prop_oneof!["[a-z0-9-]{1,12}", "\\PC{1,8}", Just("é\u{1F600}".to_owned())]
}

fn texts<K: Ord + std::fmt::Debug>(
    keys: impl Strategy<Value = K>,
) -> impl Strategy<Value = BTreeMap<K, String>> {
    prop::collection::btree_map(keys, text(), 0..4)
}

/// Usage records of every kind.
pub fn any_record() -> impl Strategy<Value = UsageRecord> {
    let key = (text(), text(), text()).prop_map(|(account, source, id)| RecordKey {
        billing_account: BillingAccountId::new(&account).unwrap(),
        source: SourceName::new(&source).unwrap(),
        id: RecordId::new(&id).unwrap(),
    });
    let amendment = (text(), text(), text()).prop_map(|(target, actor, reason)| Amendment {
        target: RecordId::new(&target).unwrap(),
        actor,
        reason,
    });
    let act = prop_oneof![
        Just(Act::Use),
        amendment.clone().prop_map(Act::Amend),
        amendment.prop_map(Act::Withdraw),
    ];
    let times = (any::<i64>(), 0_i64..1 << 50).prop_map(|(start, length)| {
        let start = Instant::from_micros(start);
        Interval::new(start, start.plus_micros(length)).unwrap()
    });
    let cost = any::<i128>().prop_map(|atoms| Cost {
        major: Fixed18::from_atoms(atoms),
        currency: Currency::parse("JPY").unwrap(),
    });
    let dimension = prop::sample::select(Dimension::ALL.to_vec());
    let category = prop::sample::select(ChargeCategory::ALL.to_vec());
    let marks = (any::<bool>(), any::<bool>()).prop_map(|(billable, extract)| {
        let billable = if billable { Billable::Yes } else { Billable::No };
        (billable, if extract { Origin::Extract } else { Origin::Event })
    });
    let what = (text(), text(), "[a-z/]{0,200}", any::<i128>(), times);
    let when = prop::option::of(any::<i64>().prop_map(Instant::from_micros));
    let more = (prop::option::of(cost), prop::option::of(text()), marks, category);
    (key, act, what, when, texts(dimension), texts(text()), more).prop_map(
        |(key, act, what, reported_at, dimensions, tags, more)| {
            let (subscription, meter, resource, quantity, service_period) = what;
            let (stated_cost, details, (billable, origin), category) = more;
            UsageRecord {
                key,
                act,
                subscription: SubscriptionId::new(&subscription).unwrap(),
                resource,
                meter: MeterId::new(&meter).unwrap(),
                quantity: Fixed18::from_atoms(quantity),
                service_period,
                reported_at,
                dimensions,
                tags,
                category,
                billable,
                stated_cost,
                details,
                origin,
            }
        },
    )
}
