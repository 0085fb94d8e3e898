use super::{fixed, read_all, real_file};
use crate::{
    Compared, ImportedRow, PriceScale, Reconciliation, UsageFormat, prices_from_usage, reconcile,
};
use domain::catalog::{Price, PricingModel};
use domain::ids::MeterId;
use money::{Cost, Currency};
use std::collections::BTreeMap;

/// Rates each row by the list made of the rows' own prices; what has no price passes through.
fn rated(rows: &[ImportedRow], scale: PriceScale) -> Reconciliation {
    let list = prices_from_usage(rows, scale).unwrap();
    let by_meter: BTreeMap<&MeterId, &Price> =
        list.prices.iter().map(|price| (&price.meter, price)).collect();
    assert_eq!(by_meter.len(), list.prices.len(), "one price for each meter");
    let compared = rows.iter().map(|row| {
        let stated = row.stated_cost.unwrap();
        let price = row.unit_price.map(|_| by_meter[&row.meter.id]);
        let unit_price = price.map(|price| match price.model {
            PricingModel::PerUnit { price } => price,
            _ => panic!("{}: not per unit", row.meter.id),
        });
        let ours = price.zip(unit_price).map_or(stated, |(price, unit_price)| {
            let major = row.quantity.checked_mul(unit_price, price.cost_places, price.rounding);
            Cost { major: major.unwrap(), currency: list.currency }
        });
        Compared { line: row.line, quantity: row.quantity, unit_price, stated, ours }
    });
    reconcile(compared, scale.cost_places).unwrap()
}

fn stated_total(result: &Reconciliation, currency: &str) -> String {
    result.totals[&Currency::parse(currency).unwrap()].stated.to_string()
}

#[test]
fn oci_costs_are_quantity_times_price_to_the_18th_place() {
    let Some(bytes) = real_file("oci/oci-cost-report-202311.dev.csv") else { return };
    let rows = read_all(UsageFormat::OciCostReport, &bytes);
    let result = rated(&rows, PriceScale::of(&UsageFormat::OciCostReport));
    assert_eq!(result.equal, 248);
    assert_eq!((result.sums_of_parts.len(), result.different.len()), (0, 0));
    assert_eq!(stated_total(&result, "USD"), "1.427379622522897617");
    assert_eq!(result.totals[&Currency::parse("USD").unwrap()].ours, fixed("1.427379622522897617"));
}

#[test]
fn aws_costs_are_quantity_times_rate_to_the_10th_place_or_sums_of_parts() {
    let Some(bytes) = real_file("aws/aws-cur-202311.dev.csv") else { return };
    let rows = read_all(UsageFormat::AwsCur, &bytes);
    let result = rated(&rows, PriceScale::of(&UsageFormat::AwsCur));
    // 585 usage rows and 6 tax rows that pass through.
    assert_eq!(result.equal, 591);
    assert_eq!(result.sums_of_parts.len(), 51);
    assert_eq!(result.different, Vec::<u64>::new());
    assert!(result.sums_of_parts.iter().all(|(_, parts)| (2..=5).contains(parts)));
    assert_eq!(stated_total(&result, "USD"), "0.8212899306");
}

#[test]
fn costs_that_pass_through_add_up_to_the_files_total() {
    let check = |name: &str, format: UsageFormat, currency: &str, total: &str| {
        let Some(bytes) = real_file(name) else { return };
        let rows = read_all(format, &bytes);
        let compared = rows.iter().map(|row| {
            let (stated, line) = (row.stated_cost.unwrap(), row.line);
            Compared { line, quantity: row.quantity, unit_price: None, stated, ours: stated }
        });
        let result = reconcile(compared, 18).unwrap();
        assert_eq!(result.equal, rows.len() as u64, "{name}");
        assert_eq!(stated_total(&result, currency), total, "{name}");
    };
    let json = || UsageFormat::AzureUsageDetailsJson;
    check("focus/focus-1.0-202409.dev.csv", UsageFormat::Focus, "USD", "11.589980429");
    check(
        "azure-consumption/azure-usage-details-201710.dev.json",
        json(),
        "USD",
        "345.959951411489999",
    );
    check(
        "azure-consumption/azure-usage-details-201802.dev.json",
        json(),
        "USD",
        "24.671829745339441",
    );
    check(
        "azure-exports/azure-ea-export-202309.dev.csv",
        UsageFormat::AzureUsageDetailsCsv,
        "CAD",
        "0.7430595617",
    );
}

#[test]
fn sums_of_rounded_parts_are_told_from_other_differences() {
    let check = |quantity: &str, price: &str, stated: &str, fact: &str| {
        let currency = Currency::parse("USD").unwrap();
        let rule = money::Rounding::HalfAwayFromZero;
        let ours = fixed(quantity).checked_mul(fixed(price), 10, rule).unwrap();
        let row = Compared {
            line: 7,
            quantity: fixed(quantity),
            unit_price: Some(fixed(price)),
            stated: Cost { major: fixed(stated), currency },
            ours: Cost { major: ours, currency },
        };
        let result = reconcile([row], 10).unwrap();
        let found = match (result.equal, result.sums_of_parts.as_slice(), result.different.len()) {
            (1, [], 0) => "equal".to_owned(),
            (0, [(7, parts)], 0) => format!("{parts} parts"),
            (0, [], 1) => "different".to_owned(),
            _ => panic!("{result:?}"),
        };
        assert_eq!(found, fact, "{quantity} x {price} = {stated}");
    };
    check("9.052E-7", "0.02", "1.81E-8", "equal");
    check("2.552E-7", "0.02", "5.2E-9", "2 parts"); // 2 x round(1.276E-7 x 0.02)
    check("5.104E-7", "0.02", "1.04E-8", "4 parts");
    check("4.1984819108", "0.0036", "0.015114535", "3 parts");
    check("2.2555E-6", "0.02", "4.53E-8", "4 parts"); // unequal ones: 1.9 units off
    check("1", "0.02", "0.0200000003", "different"); // 3 units off: more than 5 halves
    check("1", "0.02", "0.03", "different");
}
