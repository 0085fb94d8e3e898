//! A small invented company for the tests of the rules.

pub mod places;

use crate::catalog::*;
use crate::company::*;
use crate::credits::{Exclusions, Lot, LotKind, OpenLot};
use crate::ids::*;
use crate::invoice::{self, Invoice, InvoiceTerms, LineKey, LineSums};
use crate::tax::{Liability, TaxRule, TaxTable};
use crate::timeline::Timeline;
use crate::usage::*;
use calendar::{BillingPeriod, Instant, Interval};
use money::{Cost, Currency, Fixed18, Money, Rounding};
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

/// Booked dollars: `12.34`.
pub fn dollars(text: &str) -> Money {
    let cost = Cost { major: n(text), currency: usd() };
    let money = cost.book(Rounding::TowardZero).unwrap();
    assert_eq!(money.to_cost().unwrap(), cost, "{text} has parts of a cent");
    money
}

/// Booked dollars from cents.
pub fn cents(minor: i64) -> Money {
    Money::from_minor(minor.into(), usd())
}

pub fn lot_id(text: &str) -> LotId {
    LotId::new(text).unwrap()
}

pub fn document(text: &str) -> DocumentId {
    DocumentId::new(text).unwrap()
}

pub fn payment_id(text: &str) -> PaymentId {
    PaymentId::new(text).unwrap()
}

pub fn tax_category(text: &str) -> TaxCategory {
    TaxCategory::new(text).unwrap()
}

pub fn legal_entity(text: &str) -> LegalEntityId {
    LegalEntityId::new(text).unwrap()
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

/// In dollars, without a name, in the US since always.
pub fn billing_account(id: &str) -> BillingAccount {
    let known = Timeline::from(Instant::MIN, known("", "US"));
    BillingAccount { id: account(id), currency: usd(), known }
}

/// A name and a region.
pub fn known(name: &str, region: &str) -> AccountFacts {
    AccountFacts { name: name.to_owned(), region: region.to_owned() }
}

/// Accounts `a` and `b`, subscription `s` always with `a` on offer `O`, meter `m`, one rate card.
pub fn company(aggregation: Aggregation, prices: Vec<Price>) -> Company {
    let of = |id: &str| (account(id), billing_account(id));
    let card = list("card", card("O"), prices);
    Company {
        version: 1,
        accounts: BTreeMap::from([of("a"), of("b")]),
        subscriptions: BTreeMap::from([subscription(
            "s",
            vec![placement("a", span("2001-01-01", "2101-01-01"))],
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

/// An issued invoice of March over lines of usage, one for each amount, all taxed at one rate.
/// `lots` are credit (`c 4`) or prepayment (`p 4`) that pay what they can.
pub fn invoice_of(id: &str, amounts: &[&str], rate: &str, lots: &[&str]) -> Invoice {
    let mut sums = LineSums::default();
    for (number, amount) in (1_u32..).zip(amounts) {
        let key = LineKey {
            section: None,
            category: ChargeCategory::Usage,
            subscription: None,
            meter: Some(meter_id(&format!("m{number:03}"))),
            item: String::new(),
            service_period: period("2026-03").interval(),
            tax: tax_category("standard"),
            amends: None,
            buys: None,
            rate: None,
        };
        sums.add(key, Cost { major: n(amount), currency: usd() }).unwrap();
    }
    invoice_from(id, &sums, rate, lots)
}

/// See [`invoice_of`]; the lines are given as sums.
pub fn invoice_from(id: &str, sums: &LineSums, rate: &str, lots: &[&str]) -> Invoice {
    let (category, seller) = (tax_category("standard"), legal_entity("us"));
    let buyer = legal_entity("them");
    let (rate, liability) = (n(rate), Liability::Seller);
    let rule =
        TaxRule { category: category.clone(), seller: seller.clone(), buyer, rate, liability };
    let lots: Vec<Lot> = lots.iter().map(|text| march_lot(text)).collect();
    let open: Vec<OpenLot<'_>> =
        lots.iter().map(|lot| OpenLot { lot, left: lot.granted }).collect();
    let terms = InvoiceTerms {
        id: &document(id),
        billing_account: &account("a"),
        seller: &seller,
        period: period("2026-03"),
        currency: usd(),
        rates: &[],
        lots: &open,
        separately: &Exclusions::default(),
        taxes: &TaxTable::from([(category, rule)]),
        rounding: Rounding::default(),
    };
    invoice::draft(&terms, sums).unwrap()
}

/// `c 4`: a lot that holds in March; an id that begins with `p` is prepayment.
pub fn march_lot(text: &str) -> Lot {
    let (id, granted) = text.split_once(' ').unwrap();
    Lot {
        id: lot_id(id),
        kind: if id.starts_with('p') { LotKind::Prepayment } else { LotKind::Credit },
        granted: dollars(granted),
        priority: 0,
        holds: period("2026-03").interval(),
        excluded: Exclusions::default(),
    }
}
