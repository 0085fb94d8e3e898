use super::{open, read_all, real_file};
use crate::{Axis, Finality, ImportError, ImportedRow, UsageFormat};
use domain::usage::ChargeCategory;
use std::collections::{BTreeMap, BTreeSet};

const AGGREGATES: &str = "azure-commerce/usage-aggregates-201504-201505.json";
const OCTOBER: &str = "azure-consumption/azure-usage-details-201710.dev.json";
const FEBRUARY: &str = "azure-consumption/azure-usage-details-201802.dev.json";
const AWS: &str = "aws/aws-cur-202311.dev.csv";
const OCI: &str = "oci/oci-cost-report-202311.dev.csv";
const FOCUS: &str = "focus/focus-1.0-202409.dev.csv";

/// Every usage file of the folder: its format by detection, rows that are read, rows refused.
const FILES: &[(&str, &str, usize, usize)] = &[
    (AGGREGATES, "azure-usage-aggregates", 109, 0),
    (OCTOBER, "azure-usage-details-json", 1_466, 0),
    (FEBRUARY, "azure-usage-details-json", 172, 0),
    (
        "azure-consumption/usage-details-201703-metered-included.json",
        "azure-usage-details-json",
        10,
        0,
    ),
    ("azure-consumption/usage-details-201704-invoice.json", "azure-usage-details-json", 10, 0),
    ("azure-consumption/marketplaces-201804.json", "azure-usage-details-json", 25, 0),
    ("azure-exports/azure-ea-export-202309.dev.csv", "azure-usage-details-csv", 15, 0),
    // Its one row has a date and nothing else.
    ("azure-exports/headersets/BOM.csv", "azure-usage-details-csv", 0, 1),
    ("azure-exports/headersets/Enterprise.csv", "azure-usage-details-csv", 1, 0),
    ("azure-exports/headersets/EnterpriseCamel.csv", "azure-usage-details-csv", 1, 0),
    ("azure-exports/headersets/German.csv", "azure-usage-details-csv", 1, 0),
    ("azure-exports/headersets/PayAsYouGo.csv", "azure-usage-details-csv", 1, 0),
    ("azure-exports/headersets/YA.csv", "azure-usage-details-csv", 1, 0),
    ("azure-exports/values/MissingBrackets.csv", "azure-usage-details-csv", 1, 0),
    ("azure-exports/values/Template.csv", "azure-usage-details-csv", 87, 0),
    ("azure-exports/values/VirtualMachine.csv", "azure-usage-details-csv", 1, 0),
    (AWS, "aws-cur", 642, 0),
    (OCI, "oci-cost-report", 248, 0),
    (FOCUS, "focus", 508, 0),
];

fn format_of(name: &str, bytes: &[u8]) -> UsageFormat {
    let head = &bytes[..bytes.len().min(8_192)];
    UsageFormat::detect(head, name).unwrap_or_else(|| panic!("{name}: no format"))
}

fn rows(name: &str) -> Option<Vec<ImportedRow>> {
    let bytes = real_file(name)?;
    Some(read_all(format_of(name, &bytes), &bytes))
}

#[test]
fn every_row_of_every_file_comes_out_once() {
    for (name, format, read, refused) in FILES {
        let Some(bytes) = real_file(name) else { continue };
        let found = format_of(name, &bytes);
        assert_eq!(found.name(), *format, "{name}");
        let (mut good, mut bad) = (0, 0);
        for row in open(found, &bytes) {
            match row {
                Ok(_) => good += 1,
                Err(ImportError::Row(error)) => {
                    bad += 1;
                    assert!(bad <= *refused, "{name}: {error} in {}", error.raw);
                }
                Err(ImportError::File(error)) => panic!("{name}: {error}"),
            }
        }
        assert_eq!((good, bad), (*read, *refused), "{name}");
    }
}

#[test]
fn the_same_file_twice_gives_the_same_identities_and_no_identity_twice() {
    for (name, _, read, _) in FILES {
        let Some(bytes) = real_file(name) else { continue };
        let identities = || -> Vec<String> {
            let rows = open(format_of(name, &bytes), &bytes);
            rows.filter_map(Result::ok).map(|row| row.identity).collect()
        };
        let once = identities();
        assert_eq!(once, identities(), "{name}");
        assert_eq!(once.iter().collect::<BTreeSet<_>>().len(), *read, "{name}");
    }
}

#[test]
fn order_of_rows_does_not_change_the_set_of_identities() {
    for name in [AWS, OCI, FOCUS] {
        let Some(bytes) = real_file(name) else { continue };
        let text = String::from_utf8(bytes.clone()).unwrap();
        let (head, body) = text.split_once('\n').unwrap();
        let reversed: Vec<&str> = body.lines().rev().collect();
        let reversed = format!("{head}\n{}\n", reversed.join("\n"));
        let set = |bytes: &[u8]| -> BTreeSet<String> {
            read_all(format_of(name, bytes), bytes).into_iter().map(|row| row.identity).collect()
        };
        assert_eq!(set(&bytes), set(reversed.as_bytes()), "{name}");
    }
}

#[test]
fn record_ids_that_repeat_lose_nothing() {
    for (name, repeated) in [(OCTOBER, 7), (FEBRUARY, 9)] {
        let Some(bytes) = real_file(name) else { continue };
        let answer: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let records = answer["value"].as_array().unwrap();
        let mut ids: BTreeMap<&str, u32> = BTreeMap::new();
        for record in records {
            *ids.entry(record["name"].as_str().unwrap()).or_default() += 1;
        }
        assert_eq!(ids.values().filter(|count| **count > 1).count(), repeated, "{name}");
        let rows = read_all(UsageFormat::AzureUsageDetailsJson, &bytes);
        let identities: BTreeSet<&str> = rows.iter().map(|row| row.identity.as_str()).collect();
        assert_eq!(identities.len(), records.len(), "{name}");
    }
}

#[test]
fn estimated_then_final_is_the_same_row() {
    let Some(bytes) = real_file(FEBRUARY) else { return };
    let estimated = read_all(UsageFormat::AzureUsageDetailsJson, &bytes);
    let text = String::from_utf8(bytes).unwrap();
    let closed = text.replace("\"isEstimated\":true", "\"isEstimated\":false");
    let closed = read_all(UsageFormat::AzureUsageDetailsJson, closed.as_bytes());
    assert!(estimated.iter().all(|row| row.finality == Finality::Provisional));
    assert!(closed.iter().all(|row| row.finality == Finality::Final));
    let identities = |rows: &[ImportedRow]| -> Vec<String> {
        rows.iter().map(|row| row.identity.clone()).collect()
    };
    assert_eq!(identities(&estimated), identities(&closed));
}

#[test]
fn aggregates_keep_every_label_as_the_record_has_it() {
    let Some(bytes) = real_file(AGGREGATES) else { return };
    let answer: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let rows = read_all(UsageFormat::AzureUsageAggregates, &bytes);
    assert_eq!(UsageFormat::AzureUsageAggregates.axis(), Axis::Reported);
    for (row, record) in rows.iter().zip(answer["value"].as_array().unwrap()) {
        let mut labels = record["properties"].as_object().unwrap().clone();
        for typed in ["subscriptionId", "meterId", "quantity", "usageStartTime", "usageEndTime"] {
            labels.remove(typed).unwrap();
        }
        let details: serde_json::Value =
            serde_json::from_str(row.details.as_deref().unwrap()).unwrap();
        assert_eq!(details, serde_json::Value::Object(labels));
        assert_eq!(row.quantity.to_string(), plain(&record["properties"]["quantity"]));
        assert_eq!(row.reported_at.unwrap().to_string(), "2015-05-01T00:00:00Z");
        assert_eq!(row.service_period.micros(), calendar::MICROS_PER_DAY);
    }
}

/// A number's digits without zeros at the end.
fn plain(number: &serde_json::Value) -> String {
    super::fixed(&number.to_string()).to_string()
}

#[test]
fn a_row_says_what_the_file_says() {
    let facts = [
        (
            AGGREGATES,
            0,
            "3af18309-a8c8-4865-90d3-56b135f1b1d6 2a8f5aeb-d518-4417-a262-f168e3204a84 0.41667 \
             Days [2015-04-28T00:00:00Z, 2015-04-29T00:00:00Z) usage - - - Final \
             g099cb0nz7 - audittest",
        ),
        (
            "azure-exports/headersets/German.csv",
            0,
            "11111111-12ab-34dc-56ef-123456abcdef 27827eb0-7f60-4928-940b-f5fe15e7a4cb 3 \
             100 Hours [2021-02-02T00:00:00Z, 2021-02-03T00:00:00Z) usage 0.075 USD 0.025 USD - \
             Final kubernetes",
        ),
        (
            "azure-exports/headersets/EnterpriseCamel.csv",
            0,
            "11111111-1111-1111-1111-123456789012 11111111-1111-1111-1111-123456789012 3 1 Hour \
             [2021-02-02T00:00:00Z, 2021-02-03T00:00:00Z) usage 0.012 USD 0.004 USD - Final \
             storename",
        ),
        (
            AWS,
            0,
            "123412340534 tax/awsdatatransfer 1  [2023-11-01T00:00:00Z, 2023-12-01T00:00:00Z) \
             tax 0 USD - 123412340534 Final ",
        ),
        (
            FOCUS,
            0,
            "43883916739 2ety8y426s4237ju 0.00200749 LCU-Hours \
             [2024-09-30T22:00:00Z, 2024-09-30T23:00:00Z) usage 0.0000160599 USD - 1234567890123 \
             Final l365455f461l4e4a",
        ),
    ];
    for (name, place, fact) in facts {
        let Some(rows) = rows(name) else { continue };
        assert_eq!(summary(&rows[place]), fact, "{name}");
    }
}

fn summary(row: &ImportedRow) -> String {
    let dash = || "-".to_owned();
    let cost =
        row.stated_cost.map_or_else(dash, |cost| format!("{} {}", cost.major, cost.currency));
    let price = row.unit_price.map_or_else(dash, |(price, of)| format!("{price} {of}"));
    format!(
        "{} {} {} {} {:?} {} {cost} {price} {} {:?} {}",
        row.subscription,
        row.meter.id,
        row.quantity,
        row.meter.unit,
        row.service_period,
        row.category.name(),
        row.account_hint.clone().unwrap_or_else(dash),
        row.finality,
        row.resource.rsplit('/').next().unwrap_or_default(),
    )
}

#[test]
fn charges_other_than_usage_carry_their_category() {
    let check = |name: &str, category: ChargeCategory, count: usize| {
        let Some(rows) = rows(name) else { return };
        let found = rows.iter().filter(|row| row.category == category).count();
        assert_eq!(found, count, "{name}: {}", category.name());
    };
    check(AWS, ChargeCategory::Tax, 6);
    check(AWS, ChargeCategory::Usage, 636);
    check(FOCUS, ChargeCategory::Adjustment, 2);
    check(FOCUS, ChargeCategory::Credit, 1);
    check("azure-consumption/marketplaces-201804.json", ChargeCategory::Marketplace, 25);
}

#[test]
fn tags_are_read_with_and_without_braces_and_null_is_none() {
    let check = |name: &str, tagged: usize, tag: (&str, &str)| {
        let Some(rows) = rows(name) else { return };
        assert_eq!(rows.iter().filter(|row| !row.tags.is_empty()).count(), tagged, "{name}");
        let has = |row: &ImportedRow| row.tags.get(tag.0).is_some_and(|value| value == tag.1);
        assert!(rows.iter().any(has), "{name}: {tag:?}");
    };
    check("azure-exports/values/MissingBrackets.csv", 1, ("resourceNameSuffix", "12345678"));
    check("azure-exports/azure-ea-export-202309.dev.csv", 15, ("tagB", "valueB"));
    check("azure-exports/values/Template.csv", 77, ("poolName", "nodepool1"));
    check(FOCUS, 360, (" org", "trey"));
}

#[test]
fn negative_quantities_are_kept() {
    let Some(rows) = rows(FOCUS) else { return };
    let negative: Vec<_> = rows.iter().filter(|row| row.quantity.is_negative()).collect();
    assert!(negative.iter().all(|row| row.category == ChargeCategory::Usage));
    assert!(negative.iter().any(|row| row.quantity == super::fixed("-0.001389")));
}
