//! Rating: units of a small invented company, as tables; then whatever order they come in.

use super::*;
use crate::catalog::{
    Aggregation, Condition, CounterChange, Price, PricingModel, TierBase, TierScope,
};
use crate::company::{Company, Costing, Source};
use crate::encoding::encode_row;
use crate::fixtures::*;
use crate::ids::SourceName;
use crate::rated::RowKind;
use crate::usage::{Billable, Dimension, UsageRecord};
use calendar::{Instant, MICROS_PER_HOUR};
use money::{Fixed18, Rounding};
use proptest::prelude::*;
use std::sync::Arc;

mod moves;
mod order;
mod reservations;
mod windows;

/// Rates records of account `a` in March 2026, nothing carried.
fn rated(company: Company, records: &[LoggedRecord]) -> Rated {
    of(company, "a", "2026-03", records, &Counters::new())
}

fn of(
    company: Company,
    payer: &str,
    of: &str,
    records: &[LoggedRecord],
    carried: &Counters,
) -> Rated {
    let (book, payer) = (PriceBook::new(Arc::new(company)), account(payer));
    // Each record of a reserved meter is there: what a caller of several units sees to.
    let reservations = book.company().reservations_in(&payer, period(of).interval()).unwrap();
    rate(&RatingUnit {
        book: &book,
        billing_account: &payer,
        period: period(of),
        records,
        reservations: &reservations,
        carried,
    })
}

/// Rows in short: `sequence kind tier: quantity = cost`, windows with `*`.
fn shown(rated: &Rated) -> String {
    if let Some(failed) = &rated.failed {
        return failed.to_string();
    }
    let one = |row: &RatedRow| {
        let of = row.position.map_or("*".to_owned(), |position| position.sequence.to_string());
        let (kind, tier) = (row.kind.name(), row.tier);
        format!("{of} {kind} {tier}: {} = {}", row.quantity, row.cost.major)
    };
    let waits = |one: &Quarantined| {
        format!("{} waits: {} {}", one.position.sequence, one.reason.name(), one.field)
    };
    let rows = rated.rows.iter().map(one);
    rows.chain(rated.quarantine.iter().map(waits)).collect::<Vec<_>>().join(", ")
}

/// `01 5`: that March day, that quantity; `01T07 5` an hour of it; `01 5 DE` in that country.
fn usage(story: &str) -> Vec<LoggedRecord> {
    let one = |(place, line): (usize, &str)| {
        let mut words = line.split_whitespace();
        let (day, quantity) = (words.next().unwrap(), words.next().unwrap());
        let (day, hour) = day.split_once('T').unwrap_or((day, "00"));
        let at = format!("2026-03-{day}T{hour}:00:00Z");
        let mut one = record(&format!("{place:04}"), &at, quantity);
        if let Some(country) = words.next() {
            one.dimensions.insert(Dimension::Country, country.to_owned());
        }
        one
    };
    logged(story.split(',').filter(|line| !line.trim().is_empty()).enumerate().map(one))
}

fn check(prices: Vec<Price>, story: &str, expected: &str) {
    let rated = rated(company(Aggregation::Sum, prices), &usage(story));
    assert_eq!(shown(&rated), expected, "{story}");
}

fn with(model: PricingModel, change: impl FnOnce(&mut Price)) -> Price {
    let mut price = price(model);
    change(&mut price);
    price
}

#[test]
fn the_counter_moves_in_the_order_of_time_not_of_arrival() {
    let prices = || vec![price(graduated("0: 3, 10: 2"))];
    check(prices(), "01 8, 02 4", "0 usage 0: 8 = 24, 1 usage 0: 2 = 6, 1 usage 1: 2 = 4");
    check(prices(), "02 4, 01 8", "1 usage 0: 8 = 24, 0 usage 0: 2 = 6, 0 usage 1: 2 = 4");
    check(prices(), "01 8, 01 4", "0 usage 0: 8 = 24, 1 usage 0: 2 = 6, 1 usage 1: 2 = 4");
    check(
        prices(),
        "01 12, 02 -3",
        "0 usage 0: 10 = 30, 0 usage 1: 2 = 4, 1 usage 0: -1 = -3, 1 usage 1: -2 = -4",
    );
}

#[test]
fn a_counter_starts_again_with_each_window_of_its_base() {
    let base = |base| vec![with(graduated("0: 3, 10: 2"), |price| price.base = base)];
    check(base(TierBase::Record), "01 8, 01 8", "0 usage 0: 8 = 24, 1 usage 0: 8 = 24");
    check(
        base(TierBase::Day),
        "01 8, 01T23 2, 02 8",
        "0 usage 0: 8 = 24, 1 usage 0: 2 = 6, 2 usage 0: 8 = 24",
    );
    check(
        base(TierBase::BillingPeriod),
        "01 8, 02 2, 03 8",
        "0 usage 0: 8 = 24, 1 usage 0: 2 = 6, 2 usage 1: 8 = 16",
    );
}

#[test]
fn a_price_holds_from_its_first_moment_and_its_lineage_says_whether_counting_goes_on() {
    let prices = |counter| {
        let second = with(graduated("0: 30, 10: 20"), |price| {
            price.effective_from = t("2026-03-15");
            price.counter = counter;
        });
        vec![price(graduated("0: 3, 10: 2")), second]
    };
    let story = "14T23 8, 15 8";
    check(
        prices(CounterChange::Continues),
        story,
        "0 usage 0: 8 = 24, 1 usage 0: 2 = 60, 1 usage 1: 6 = 120",
    );
    check(prices(CounterChange::Restarts), story, "0 usage 0: 8 = 24, 1 usage 0: 8 = 240");
}

#[test]
fn conditions_choose_the_price_and_each_lineage_counts_for_itself() {
    let german = with(graduated("0: 30, 10: 20"), |price| {
        price.lineage = "de".to_owned();
        let (dimension, value) = (Dimension::Country, "DE".to_owned());
        price.conditions = vec![Condition { dimension, value }];
    });
    check(
        vec![price(graduated("0: 3, 10: 2")), german],
        "01 8, 02 8 DE, 03 8 FR, 04 1 DE",
        "0 usage 0: 8 = 24, 1 usage 0: 8 = 240, 2 usage 0: 2 = 6, \
         2 usage 1: 6 = 12, 3 usage 0: 1 = 30",
    );
}

#[test]
fn free_by_price_is_shown_at_0_and_included_quantity_too() {
    check(vec![price(per_unit("0"))], "01 8", "0 usage 0: 8 = 0");
    let included = with(per_unit("2"), |price| price.included = n("5"));
    check(
        vec![included],
        "01 3, 02 4, 03 0",
        "0 included 0: 3 = 0, 1 included 0: 2 = 0, 1 usage 0: 2 = 4, 2 usage 0: 0 = 0",
    );
}

#[test]
fn a_volume_price_goes_by_the_total_of_the_window_and_charges_one_fee() {
    check(
        vec![price(volume("0: 10, 16: 5"))],
        "01 10, 02 5",
        "0 usage 0: 10 = 100, 1 usage 0: 5 = 50",
    );
    check(
        vec![price(volume("0: 10, 16: 5"))],
        "01 10, 02 6",
        "0 usage 1: 10 = 50, 1 usage 1: 6 = 30",
    );
    check(
        vec![price(volume("0: 1+7, 10: 1+9"))],
        "02 6, 03 6",
        "* flat 1: 0 = 9, 0 usage 1: 6 = 6, 1 usage 1: 6 = 6",
    );
    check(vec![price(volume("0: 1+7"))], "02 0", "0 usage 0: 0 = 0");
}

#[test]
fn a_record_that_is_its_own_window_has_its_fees_with_it() {
    let each = with(volume("0: 1+7, 10: 1+9"), |price| price.base = TierBase::Record);
    check(
        vec![each],
        "02 6, 03 12",
        "0 usage 0: 6 = 6, 0 flat 0: 0 = 7, 1 usage 1: 12 = 12, 1 flat 1: 0 = 9",
    );
    let least = with(per_unit("1"), |price| {
        (price.base, price.minimum, price.maximum) = (TierBase::Record, Some(n("2")), Some(n("5")));
    });
    check(
        vec![least],
        "02 1, 03 3, 04 9",
        "0 usage 0: 1 = 1, 0 minimum 0: 0 = 1, 1 usage 0: 3 = 3, \
         2 usage 0: 9 = 9, 2 maximum 0: 0 = -4",
    );
}

#[test]
fn packages_and_percentages_go_by_the_counter() {
    let packages = price(package("10", "3", Rounding::AwayFromZero));
    check(
        vec![packages],
        "01 4, 02 6, 03 1",
        "0 usage 0: 4 = 3, 1 usage 0: 6 = 0, 2 usage 0: 1 = 3",
    );
    let percent = price(PricingModel::Percentage { percent: n("2.9") });
    check(vec![percent], "01 19.99", "0 usage 0: 19.99 = 0.57971");
}

#[test]
fn an_aggregate_is_priced_record_by_record() {
    let check = |aggregation: Aggregation, story: &str, without_row: u64, expected: &str| {
        let prices = vec![price(graduated("0: 3, 2: 1"))];
        let rated = rated(company(aggregation, prices), &usage(story));
        assert_eq!(shown(&rated), expected, "{story}");
        assert_eq!(rated.without_row, without_row);
    };
    check(
        Aggregation::Count,
        "01 7, 02 7, 03 7",
        0,
        "0 usage 0: 1 = 3, 1 usage 0: 1 = 3, 2 usage 1: 1 = 1",
    );
    check(
        Aggregation::Max,
        "01 1, 02 5, 03 4",
        1,
        "0 usage 0: 1 = 3, 1 usage 0: 1 = 3, 1 usage 1: 3 = 3",
    );
    check(Aggregation::Latest, "01 1, 02 5, 03 4", 2, "2 usage 0: 2 = 6, 2 usage 1: 2 = 2");
    check(
        Aggregation::TimeWeightedAverage,
        "01 1, 02 32",
        1,
        "1 usage 0: 2 = 6, 1 usage 1: 29 = 29",
    );
    let countries = Aggregation::Distinct { dimension: Dimension::Country };
    check(
        countries,
        "01 1 DE, 02 1 FR, 03 1 DE, 04 1",
        1,
        "0 usage 0: 1 = 3, 1 usage 0: 1 = 3, 3 waits: unreadable country",
    );
    let session = Aggregation::Session { window_micros: 24 * MICROS_PER_HOUR, key: Vec::new() };
    check(session, "01 1, 01T23 1, 02 1", 1, "0 usage 0: 1 = 3, 2 usage 0: 1 = 3");
}

#[test]
fn a_daily_base_aggregates_by_day() {
    let daily = with(per_unit("3"), |price| price.base = TierBase::Day);
    let rated = rated(company(Aggregation::Max, vec![daily]), &usage("01 5, 01T07 7, 02 4"));
    assert_eq!(shown(&rated), "0 usage 0: 5 = 15, 1 usage 0: 2 = 6, 2 usage 0: 4 = 12");
}

#[test]
fn what_cannot_be_rated_waits_with_a_reason() {
    let check = |change: fn(&mut UsageRecord), expected: &str| {
        let mut records = usage("01 5");
        change(&mut records[0].record);
        let rated = rated(company(Aggregation::Sum, vec![price(per_unit("3"))]), &records);
        assert_eq!(shown(&rated), expected);
    };
    check(|_| {}, "0 usage 0: 5 = 15");
    check(|one| one.meter = meter_id("unknown"), "0 waits: unknown_meter meter");
    check(
        |one| one.subscription = crate::ids::SubscriptionId::new("u").unwrap(),
        "0 waits: no_subscription subscription",
    );
    check(|one| one.quantity = n("5000000000"), "0 waits: out_of_range quantity");
    check(|one| one.billable = Billable::No, "");
    check(|one| one.category = ChargeCategory::Purchase, "0 usage 0: 5 = 15");
    check(|one| one.category = ChargeCategory::Tax, "0 waits: no_price stated_cost");
    let no_price = rated(company(Aggregation::Sum, Vec::new()), &usage("01 5"));
    assert_eq!(shown(&no_price), "0 waits: no_price meter");
}

#[test]
fn a_record_out_of_range_moves_no_counter() {
    check(
        vec![price(graduated("0: 3, 10: 2"))],
        "01 8, 02 9000000000, 03 4",
        "0 usage 0: 8 = 24, 2 usage 0: 2 = 6, 2 usage 1: 2 = 4, 1 waits: out_of_range quantity",
    );
}

#[test]
fn an_overflow_stops_this_account_with_an_error_that_names_the_counter() {
    let term = || {
        let base = TierBase::CommitmentTerm { from: period("2026-02"), periods: 12 };
        company(Aggregation::Sum, vec![with(per_unit("0"), |price| price.base = base)])
    };
    let february = logged([record("1", "2026-02-01", "1")]);
    let mut carried = of(term(), "a", "2026-02", &february, &Counters::new()).counters;
    assert_eq!(carried.len(), 1);
    carried.values_mut().for_each(|value| *value = Fixed18::MAX);
    let check = |story: &str, expected: &str| {
        let rated = of(term(), "a", "2026-03", &usage(story), &carried);
        assert_eq!(shown(&rated), expected);
    };
    check("01 1", "tier counter of meter `m`");
    check("01 -1", "0 usage 0: -1 = 0");
}

#[test]
fn a_quantity_beyond_its_bound_waits_alone_wherever_it_stands() {
    let prices = || vec![with(graduated("0: 0.000003, 10: 0.000002"), |p| p.cost_places = 6)];
    let check = |story: &str, expected: &str| check(prices(), story, expected);
    let (most, beyond) = ("1000000000000000", "1000000000000000.000000000000000001");
    check(
        &format!("01 8, 02 4, 03 {most}, 04 -{most}"),
        "0 usage 0: 8 = 0.000024, 1 usage 0: 2 = 0.000006, 1 usage 1: 2 = 0.000004, \
         2 usage 1: 1000000000000000 = 2000000000, 3 usage 1: -1000000000000000 = -2000000000",
    );
    for absurd in [beyond, "-1000000000000001", "170141183460469231731"] {
        let others = "usage 0: 8 = 0.000024";
        check(
            &format!("01 8, 02 {absurd}, 03 4"),
            &format!(
                "0 {others}, 2 usage 0: 2 = 0.000006, 2 usage 1: 2 = 0.000004, \
                 1 waits: out_of_range quantity"
            ),
        );
        check(
            &format!("02 4, 01 8, 03 {absurd}"),
            &format!(
                "1 {others}, 0 usage 0: 2 = 0.000006, 0 usage 1: 2 = 0.000004, \
                 2 waits: out_of_range quantity"
            ),
        );
    }
    let volume = vec![price(volume("0: 2, 20: 1"))];
    let expected = "0 usage 0: 8 = 16, 1 waits: out_of_range quantity";
    self::check(volume, &format!("01 8, 02 {beyond}"), expected);
}

#[test]
fn what_a_source_says_of_the_future_waits() {
    let acknowledged_at = t("2026-05-05"); // see `logged`
    let check = |ahead_micros: i64, expected: &str| {
        let mut records = usage("01 5, 02 1");
        records[0].record.reported_at = Some(acknowledged_at.plus_micros(ahead_micros));
        let rated = rated(company(Aggregation::Sum, vec![price(per_unit("3"))]), &records);
        assert_eq!(shown(&rated), expected);
    };
    check(5 * 60 * 1_000_000, "0 usage 0: 5 = 15, 1 usage 0: 1 = 3");
    check(5 * 60 * 1_000_000 + 1, "1 usage 0: 1 = 3, 0 waits: out_of_range reported_at");
}

#[test]
fn costs_of_sources_that_are_passed_through_and_of_taxes_stand_as_stated() {
    let company = company(Aggregation::Sum, Vec::new());
    let source = Source {
        name: SourceName::new("src").unwrap(),
        billing_accounts: vec![account("a")],
        costing: Costing::PassedThrough,
        grace_micros: 0,
    };
    let mut records = usage("01 5, 02 1, 03 1, 04 1");
    let cost = |text| Some(Cost { major: n(text), currency: Currency::parse("CAD").unwrap() });
    records[0].record.stated_cost = cost("0.000000000000000007");
    records[0].record.meter = meter_id("not in the catalog");
    records[1].record.stated_cost = cost("-3");
    records[1].record.category = ChargeCategory::Credit;
    records[3].record.stated_cost = cost("10000000000");
    let expected = "0 passed_through 0: 5 = 0.000000000000000007, 1 passed_through 0: 1 = -3, \
        2 waits: no_price stated_cost, 3 waits: out_of_range stated_cost";
    let mut sources = company.clone();
    sources.sources.insert(source.name.clone(), source);
    let passed = rated(sources, &records);
    assert_eq!(shown(&passed), expected);
    assert_eq!(passed.rows[0].cost.currency.code(), "CAD");
    assert_eq!(passed.rows[0].price, None);
    let only_credit = rated(company, &records[1..2]);
    assert_eq!(shown(&only_credit), "1 passed_through 0: 1 = -3");
    assert_eq!(only_credit.rows[0].category, ChargeCategory::Credit);
}

#[test]
fn a_record_of_another_account_or_period_is_the_callers_fault() {
    let company = || company(Aggregation::Sum, vec![price(per_unit("1"))]);
    let april = logged([record("1", "2026-04-01", "1")]);
    assert_eq!(shown(&rated(company(), &april)), "record: `1` is not of a 2026-03");
    let other = of(company(), "b", "2026-03", &usage("01 1"), &Counters::new());
    assert_eq!(shown(&other), "record: `0000` is not of b 2026-03");
}

#[test]
fn a_row_names_its_record_and_the_version_of_its_price() {
    let mut records = usage("02 5 DE");
    records[0].record.reported_at = Some(t("2026-03-04"));
    records[0].record.resource = "vm".to_owned();
    let rated = rated(company(Aggregation::Sum, vec![price(per_unit("3"))]), &records);
    let [row] = rated.rows.as_slice() else { panic!("one row") };
    assert_eq!(row.position, Some(position(0)));
    assert_eq!(row.reported_at, t("2026-03-04"));
    assert_eq!((row.resource.as_str(), row.unit_price), ("vm", Some(n("3"))));
    assert_eq!(row.dimensions, records[0].record.dimensions);
    let price = row.price.clone().unwrap();
    assert_eq!((price.list.as_str(), price.version, price.lineage.as_str()), ("card", 1, "m"));
    assert_eq!(price.effective_from, Instant::MIN);
}
