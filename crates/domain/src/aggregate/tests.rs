//! Contributions: each aggregation as a table, and against a slow reference.

use super::*;
use crate::fixtures::{n, record, span, t};
use proptest::prelude::*;

const MARCH: (&str, &str) = ("2026-03-01", "2026-04-01");

/// `01 vm=5`: on that March day, that resource, that quantity; `02 u:x` is a user instead.
fn records(story: &str) -> Vec<UsageRecord> {
    let one = |(place, line): (usize, &str)| {
        let (day, what) = line.trim().split_once(' ').unwrap();
        let (hour, day) = day.split_once('T').map_or(("00", day), |(day, hour)| (hour, day));
        let at = format!("2026-03-{day}T{hour}:00:00Z");
        let (name, quantity) = what.split_once('=').unwrap_or((what, "3"));
        let mut one = record(&place.to_string(), &at, quantity);
        match name.strip_prefix("u:") {
            Some(user) => drop(one.dimensions.insert(Dimension::User, user.to_owned())),
            None => one.resource = name.to_owned(),
        }
        one
    };
    story.split(',').filter(|line| !line.trim().is_empty()).enumerate().map(one).collect()
}

fn march(held_until: &str) -> Span {
    Span { window: span(MARCH.0, MARCH.1), held_until: t(held_until) }
}

fn contributed(
    aggregation: &Aggregation,
    span: Span,
    records: &[UsageRecord],
) -> Vec<Contribution> {
    contributions(aggregation, span, &records.iter().collect::<Vec<_>>()).unwrap()
}

fn check(aggregation: &Aggregation, story: &str, expected: &str) {
    let shown: Vec<_> = contributed(aggregation, march(MARCH.1), &records(story))
        .into_iter()
        .map(|one| match one {
            Contribution::Counted(quantity) => quantity.to_string(),
            Contribution::Covered => "-".to_owned(),
            Contribution::Missing(dimension) => dimension.name().to_owned(),
        })
        .collect();
    assert_eq!(shown.join(" "), expected, "{story}");
}

#[test]
fn sums_and_counts_take_each_record() {
    check(&Aggregation::Sum, "01 a=5, 01 a=0, 02 b=-2", "5 0 -2");
    check(&Aggregation::Count, "01 a=5, 01 a=0, 02 b=-2", "1 1 1");
}

#[test]
fn a_maximum_takes_what_rises_above_the_largest_so_far_by_resource() {
    check(&Aggregation::Max, "01 a=5, 02 a=7, 03 a=6, 04 a=9", "5 2 - 2");
    check(&Aggregation::Max, "01 a=5, 02 b=7, 03 a=5, 04 b=8", "5 7 - 1");
    check(&Aggregation::Max, "01 a=-5, 02 a=-3", "-5 2");
}

#[test]
fn the_latest_reading_of_a_resource_stands() {
    check(&Aggregation::Latest, "01 a=5, 02 b=7, 03 a=6", "- 7 6");
    check(&Aggregation::Latest, "01 a=5, 01 a=4", "- 4");
}

#[test]
fn a_reading_weighs_by_the_time_it_held() {
    let average = Aggregation::TimeWeightedAverage;
    check(&average, "01 a=31", "31");
    check(&average, "02 a=31", "30");
    check(&average, "01 a=31, 11 a=62", "- 52"); // 10 days at 31, 21 days at 62
    check(&average, "01 a=31, 01 a=62", "- 62");
    check(&average, "01 a=31, 02 b=31", "31 30");
    check(&average, "31 a=1", "0.032258064516129032");
    let until_11th = contributed(&average, march("2026-03-11"), &records("01 a=31"));
    assert_eq!(until_11th, [Contribution::Counted(n("10"))]);
}

#[test]
fn a_value_counts_once_and_no_value_waits() {
    let users = Aggregation::Distinct { dimension: Dimension::User };
    check(&users, "01 u:x, 02 u:y, 03 u:x, 04 u:", "1 1 - 1");
    check(&users, "01 u:x, 02 vm=1", "1 user");
}

#[test]
fn a_session_covers_what_falls_inside_it() {
    let sessions =
        |key: Vec<Dimension>| Aggregation::Session { window_micros: calendar::MICROS_PER_DAY, key };
    check(&sessions(vec![]), "01T00 a, 01T23 a, 02T00 a, 02T12 a, 03T00 a", "1 - 1 - 1");
    check(
        &sessions(vec![Dimension::User]),
        "01T00 u:x, 01T01 u:y, 01T02 u:x, 02T00 u:x",
        "1 1 - 1",
    );
}

#[test]
fn an_average_at_the_bound_holds_and_one_beyond_is_an_error() {
    let mut largest = records("01 a=1, 02 a=1");
    largest.iter_mut().for_each(|one| one.quantity = Fixed18::MAX);
    let whole = contributed(&Aggregation::TimeWeightedAverage, march(MARCH.1), &largest);
    assert_eq!(whole.last(), Some(&Contribution::Counted(Fixed18::MAX)));
    largest[0].quantity = Fixed18::MIN;
    let rise: Vec<&UsageRecord> = largest.iter().collect();
    let error = contributions(&Aggregation::Max, march(MARCH.1), &rise);
    assert_eq!(error, Err(MoneyError::Overflow));
}

fn total(contributions: &[Contribution]) -> Fixed18 {
    let counted = contributions.iter().filter_map(|one| match one {
        Contribution::Counted(quantity) => Some(*quantity),
        Contribution::Covered | Contribution::Missing(_) => None,
    });
    Fixed18::checked_sum(counted).unwrap()
}

/// The reference looks at the whole window at once, hour by hour where time counts.
fn slow(aggregation: &Aggregation, records: &[UsageRecord]) -> i128 {
    let resources: std::collections::BTreeSet<&str> =
        records.iter().map(|one| one.resource.as_str()).collect();
    let of = |resource: &str| {
        let resource = resource.to_owned();
        records.iter().filter(move |one| one.resource == resource)
    };
    let atoms = |one: &UsageRecord| one.quantity.atoms();
    match aggregation {
        Aggregation::Sum => records.iter().map(atoms).sum(),
        Aggregation::Count => i128::try_from(records.len()).unwrap() * Fixed18::ONE.atoms(),
        Aggregation::Max => resources.iter().map(|r| of(r).map(atoms).max().unwrap()).sum(),
        Aggregation::Latest => {
            resources.iter().map(|r| of(r).map(atoms).next_back().unwrap()).sum()
        }
        Aggregation::TimeWeightedAverage => {
            let held = |resource: &str| {
                let at = |hour: i64| {
                    let moment = t(MARCH.0).plus_micros(hour * calendar::MICROS_PER_HOUR);
                    of(resource).rfind(|one| one.service_period.start() <= moment).map_or(0, atoms)
                };
                (0..744).map(at).sum::<i128>()
            };
            // Rounded half away from zero, resource by resource.
            let mean = |sum: i128| (2 * sum.abs() + 744) / (2 * 744) * sum.signum();
            resources.iter().map(|resource| mean(held(resource))).sum()
        }
        Aggregation::Distinct { dimension } => {
            let values: std::collections::BTreeSet<_> =
                records.iter().map(|one| one.dimensions.get(dimension)).collect();
            i128::try_from(values.len()).unwrap() * Fixed18::ONE.atoms()
        }
        Aggregation::Session { window_micros, key: _ } => {
            let mut starts: Vec<Instant> = Vec::new();
            for one in records {
                let at = one.service_period.start();
                if starts.iter().all(|start| at.since(*start) >= *window_micros) {
                    starts.push(at);
                }
            }
            i128::try_from(starts.len()).unwrap() * Fixed18::ONE.atoms()
        }
    }
}

fn any_records() -> impl Strategy<Value = Vec<UsageRecord>> {
    let one = (0_i64..744, 0_u8..3, 0_u8..4, -500_i64..2_000);
    prop::collection::vec(one, 0..12).prop_map(|mut rows| {
        rows.sort_unstable_by_key(|(hour, ..)| *hour);
        let one = |(place, (hour, resource, user, quantity)): (usize, (i64, u8, u8, i64))| {
            let at = t(MARCH.0).plus_micros(hour * calendar::MICROS_PER_HOUR);
            let mut one = record(&place.to_string(), &at.to_string(), "0");
            one.quantity = Fixed18::from_atoms(i128::from(quantity) * 7_000_000_000_000_001);
            one.resource = resource.to_string();
            one.dimensions.insert(Dimension::User, user.to_string());
            one
        };
        rows.into_iter().enumerate().map(one).collect()
    })
}

proptest! {
    #![proptest_config(crate::fixtures::few())]

    #[test]
    fn contributions_add_up_to_the_reference(records in any_records(), hours in 1_i64..100) {
        let window_micros = hours * calendar::MICROS_PER_HOUR;
        for aggregation in [
            Aggregation::Sum,
            Aggregation::Count,
            Aggregation::Max,
            Aggregation::Latest,
            Aggregation::TimeWeightedAverage,
            Aggregation::Distinct { dimension: Dimension::User },
            Aggregation::Session { window_micros, key: Vec::new() },
        ] {
            let contributed = contributed(&aggregation, march(MARCH.1), &records);
            prop_assert_eq!(contributed.len(), records.len());
            let (total, slow) = (total(&contributed).atoms(), slow(&aggregation, &records));
            prop_assert_eq!(total, slow, "{:?}", aggregation);
        }
    }
}
