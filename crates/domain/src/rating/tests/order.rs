//! Canonical rows: whatever the order of arrival; and every cost accounted for.

use super::*;

const AGGREGATIONS: usize = 7;

fn aggregation(which: usize) -> Aggregation {
    match which {
        0 => Aggregation::Sum,
        1 => Aggregation::Count,
        2 => Aggregation::Max,
        3 => Aggregation::Latest,
        4 => Aggregation::TimeWeightedAverage,
        5 => Aggregation::Distinct { dimension: Dimension::Country },
        _ => Aggregation::Session {
            window_micros: 7 * MICROS_PER_HOUR,
            key: vec![Dimension::Country],
        },
    }
}

fn any_price() -> impl Strategy<Value = Price> {
    let model = prop::sample::select(vec![
        per_unit("0.0089"),
        graduated("0: 0.3+1, 10: 0.2, 20.5: 0.1+0.07"),
        volume("0: 0.3+1, 10: 0.2+2, 20.5: 0.1"),
        package("7", "1.5", Rounding::AwayFromZero),
        PricingModel::Percentage { percent: n("2.9") },
    ]);
    let from = period("2026-02");
    let base = prop::sample::select(vec![
        TierBase::Record,
        TierBase::Day,
        TierBase::BillingPeriod,
        TierBase::CommitmentTerm { from, periods: 2 },
    ]);
    let scope =
        prop::sample::select(vec![TierScope::Subscription, TierScope::Account, TierScope::Profile]);
    let included = prop::sample::select(vec!["0", "6.5"]);
    let limits =
        prop::sample::select(vec![(None, None), (Some("9"), None), (Some("1"), Some("3"))]);
    (model, base, scope, included, limits, 0_u32..=18).prop_map(
        |(model, base, scope, included, (minimum, maximum), cost_places)| Price {
            base,
            scope,
            included: n(included),
            minimum: minimum.map(n),
            maximum: maximum.map(n),
            cost_places,
            ..price(model)
        },
    )
}

fn any_company() -> impl Strategy<Value = Company> {
    (0..AGGREGATIONS, any_price(), any_price(), any_price()).prop_map(
        |(which, first, second, german)| {
            let mut second = Price {
                effective_from: t("2026-03-15"),
                counter: CounterChange::Restarts,
                ..second
            };
            second.conditions.clear();
            let (dimension, value) = (Dimension::Country, "DE".to_owned());
            let conditions = vec![Condition { dimension, value }];
            let german = Price { lineage: "de".to_owned(), conditions, ..german };
            let mut company = company(aggregation(which), vec![first, second, german]);
            let moves = vec![
                placement("a", span("2026-01-01", "2026-03-11")),
                placement("b", span("2026-03-11", "2026-03-21")),
                placement("a", span("2026-03-21", "2027-01-01")),
            ];
            let (id, moving) = subscription("moving", moves);
            company.subscriptions.insert(id, moving);
            company
        },
    )
}

fn any_usage() -> impl Strategy<Value = Vec<LoggedRecord>> {
    let row = (0_i64..744, -50_i64..300, 0_u8..4, any::<bool>(), any::<bool>());
    prop::collection::vec(row, 0..24).prop_map(|rows| {
        logged((0_u32..).zip(rows).map(|(place, (hour, quantity, resource, german, moving))| {
            let at = t("2026-03-01").plus_micros(hour / 6 * 6 * MICROS_PER_HOUR);
            let mut one = record(&place.to_string(), &at.to_string(), "0");
            one.quantity = Fixed18::from_atoms(i128::from(quantity) * 123_456_789_012_345_678);
            one.resource = resource.to_string();
            let country = if german { "DE" } else { "FR" };
            one.dimensions.insert(Dimension::Country, country.to_owned());
            if moving {
                one.subscription = crate::ids::SubscriptionId::new("moving").unwrap();
            }
            one
        }))
    })
}

fn canonical(rated: &Rated) -> Vec<Vec<u8>> {
    assert!(rated.failed.is_none(), "{:?}", rated.failed);
    rated.rows.iter().map(encode_row).collect()
}

proptest! {
    #![proptest_config(crate::fixtures::few())]

    #[test]
    fn arrival_order_never_changes_canonical_rows(
        company in any_company(), records in any_usage(), seed in any::<u64>(),
    ) {
        let straight = rated(company.clone(), &records);
        // Arrive in another order, at another time, at other positions.
        let mut order: Vec<_> = records.iter().map(|one| one.record.clone()).collect();
        order.sort_by_key(|one| {
            let number: u64 = one.key.id.as_str().parse().unwrap();
            number.wrapping_mul(seed | 1).rotate_left(17)
        });
        let mut again = logged(order);
        again.iter_mut().for_each(|one| {
            one.position.shard = 3;
            one.acknowledged_at = t("2026-04-01");
        });
        let again = rated(company, &again);
        prop_assert_eq!(canonical(&straight), canonical(&again));
        prop_assert_eq!(straight.counters, again.counters);
        prop_assert_eq!(straight.quarantine.len(), again.quarantine.len());
    }

    #[test]
    fn every_record_is_accounted_for_and_every_window_within_its_bounds(
        company in any_company(), records in any_usage(),
    ) {
        let rated = rated(company.clone(), &records);
        let with_rows: std::collections::BTreeSet<_> =
            rated.rows.iter().filter_map(|row| row.position).collect();
        let accounted = with_rows.len() + rated.quarantine.len();
        prop_assert_eq!(accounted + usize::try_from(rated.without_row).unwrap(), records.len());
        for row in &rated.rows {
            if let (Some(price), RowKind::Usage | RowKind::Included) = (row.unit_price, row.kind) {
                let lists = company.price_lists.values();
                let mut places = lists.flat_map(|list| list.prices.values().flatten());
                let reference = row.price.as_ref().unwrap();
                let price_of = |one: &&Price| {
                    one.lineage == reference.lineage
                        && one.effective_from == reference.effective_from
                };
                let places = places.find(price_of).unwrap().cost_places;
                let exact = row.quantity.checked_mul(price, places, Rounding::HalfAwayFromZero);
                prop_assert_eq!(exact, Ok(row.cost.major));
            }
        }
    }

    #[test]
    fn with_summed_usage_rows_add_up_to_the_records(
        price in any_price(), records in any_usage(),
    ) {
        let mut records = records;
        let s = crate::ids::SubscriptionId::new("s").unwrap();
        records.iter_mut().for_each(|one| one.record.subscription = s.clone());
        let rated = rated(company(Aggregation::Sum, vec![price]), &records);
        for one in &records {
            let rows = rated.rows.iter().filter(|row| row.position == Some(one.position));
            let sum = Fixed18::checked_sum(rows.map(|row| row.quantity));
            prop_assert_eq!(sum, Ok(one.record.quantity));
        }
    }
}
