use super::{fixed, open, read_all};
use crate::{ImportedRow, UsageFormat};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::io::Read;

const HEAD: &str = "SubscriptionId,Date,MeterId,Quantity,CostInBillingCurrency,Currency,Tags";

fn csv(rows: &[&str]) -> Vec<ImportedRow> {
    let file = format!("{HEAD}\n{}\n", rows.join("\n"));
    read_all(UsageFormat::AzureUsageDetailsCsv, file.as_bytes())
}

fn detail(properties: &str) -> ImportedRow {
    let file = format!(
        r#"{{"value":[{{"properties":{{"subscriptionGuid":"s","meterId":"m","currency":"USD",{properties}}}}}]}}"#
    );
    read_all(UsageFormat::AzureUsageDetailsJson, file.as_bytes()).remove(0)
}

fn hash(row: &ImportedRow) -> &str {
    row.identity.split_once('-').unwrap().0
}

#[test]
fn equal_rows_of_one_file_get_ordinals() {
    let rows =
        csv(&["s,2026-03-01,m,1,2,USD,", "s,2026-03-01,m,3,2,USD,", "s,2026-03-01,m,1,2,USD,"]);
    let ordinals: Vec<&str> =
        rows.iter().map(|row| row.identity.split_once('-').unwrap().1).collect();
    assert_eq!(ordinals, ["0", "0", "1"]);
    assert_eq!(hash(&rows[0]), hash(&rows[2]));
    assert_ne!(hash(&rows[0]), hash(&rows[1]));
}

#[test]
fn equal_rows_of_two_files_of_one_extract_get_ordinals() {
    let file = format!("{HEAD}\ns,2026-03-01,m,1,2,USD,\n");
    let format = || UsageFormat::AzureUsageDetailsCsv;
    let mut first = open(format(), file.as_bytes());
    let mut identities = vec![first.next().unwrap().unwrap().identity];
    let second = open(format(), file.as_bytes()).continuing(first.into_ordinals());
    identities.extend(second.map(|row| row.unwrap().identity));
    assert!(identities[0].ends_with("-0") && identities[1].ends_with("-1"), "{identities:?}");
}

#[test]
fn spelling_of_numbers_dates_and_ids_is_no_difference() {
    let rows = csv(&[
        "s,2026-03-01,m,10,2.5,USD,",
        "s,3/1/2026,m,1e1,2.50,USD,NULL",
        "S,03/01/2026,M,10.0,25E-1,usd,",
    ]);
    assert_eq!(hash(&rows[0]), hash(&rows[1]));
    assert_eq!(hash(&rows[0]), hash(&rows[2]));
    let period = r#""usageStart":"2026-03-01T00:00:00Z","usageEnd":"2026-03-01T23:59:59Z""#;
    let number = detail(&format!(r#"{period},"usageQuantity":24,"pretaxCost":1"#));
    let text = detail(&format!(r#"{period},"usageQuantity":"24.0","pretaxCost":"1.00""#));
    assert_eq!(number.identity, text.identity);
}

#[test]
fn anything_that_becomes_part_of_the_record_is_part_of_the_identity() {
    let base = csv(&["s,2026-03-01,m,1,2,USD,"]).remove(0);
    for other in [
        "t,2026-03-01,m,1,2,USD,",
        "s,2026-03-02,m,1,2,USD,",
        "s,2026-03-01,n,1,2,USD,",
        "s,2026-03-01,m,2,2,USD,",
        "s,2026-03-01,m,1,3,USD,",
        "s,2026-03-01,m,1,2,EUR,",
        "s,2026-03-01,m,1,2,USD,\"\"\"a\"\":\"\"b\"\"\"",
    ] {
        assert_ne!(base.identity, csv(&[other]).remove(0).identity, "{other}");
    }
}

#[test]
fn an_end_in_its_last_second_is_the_next_midnight() {
    let check = |end: &str, fact: &str| {
        let row = detail(&format!(
            r#""usageStart":"2026-03-01T00:00:00Z","usageEnd":"{end}","usageQuantity":1,"pretaxCost":1"#
        ));
        assert_eq!(row.service_period.end().to_string(), fact);
    };
    check("2026-03-01T23:59:59Z", "2026-03-02T00:00:00Z");
    check("2026-03-01T23:59:59.0000000Z", "2026-03-02T00:00:00Z");
    check("2026-03-01T23:59:59.9999999Z", "2026-03-02T00:00:00Z");
    check("2026-03-01T12:59:59Z", "2026-03-01T13:00:00Z");
    check("2026-03-02T00:00:00Z", "2026-03-02T00:00:00Z");
}

#[test]
fn details_keep_what_no_field_takes_and_no_mutable_mark() {
    let row = detail(
        r#""usageStart":"2026-03-01","usageQuantity":1,"pretaxCost":1,"isEstimated":true,
           "invoiceId":"i","costCenter":"","departmentName":"d","billableQuantity":0.50"#,
    );
    assert_eq!(row.details.as_deref(), Some(r#"{"billableQuantity":0.50,"departmentName":"d"}"#));
}

#[test]
fn charges_and_publishers_make_the_category() {
    let check = |charge: &str, publisher: &str, fact: &str| {
        let file = format!(
            "SubscriptionId,Date,MeterId,Quantity,CostInBillingCurrency,Currency,ChargeType,PublisherType\n\
             s,2026-03-01,m,1,2,USD,{charge},{publisher}\n"
        );
        let rows = read_all(UsageFormat::AzureUsageDetailsCsv, file.as_bytes());
        assert_eq!(rows[0].category.name(), fact, "{charge} {publisher}");
    };
    check("Usage", "Azure", "usage");
    check("", "", "usage");
    check("Usage", "Marketplace", "marketplace");
    check("Purchase", "Azure", "purchase");
    check("Purchase", "Marketplace", "marketplace");
    check("Refund", "Azure", "refund");
    check("Tax", "Azure", "tax");
    check("RoundingAdjustment", "Azure", "adjustment");
    check("UnusedReservation", "Azure", "usage");
}

#[test]
fn line_items_make_the_category() {
    let check = |kind: &str, entity: &str, fact: &str| {
        let file = format!(
            "bill/BillingEntity,lineItem/LineItemType,lineItem/UsageAccountId,lineItem/UsageStartDate,\
             lineItem/UsageEndDate,lineItem/UsageAmount,lineItem/UnblendedCost,lineItem/CurrencyCode,\
             lineItem/ProductCode,resourceTags/user:team\n\
             {entity},{kind},a,2026-03-01T00:00:00Z,2026-03-02T00:00:00Z,1,-2,USD,AmazonS3,blue\n"
        );
        let rows = read_all(UsageFormat::AwsCur, file.as_bytes());
        assert_eq!(rows[0].category.name(), fact, "{kind} {entity}");
        assert_eq!(rows[0].stated_cost.unwrap().major, fixed("-2"));
        assert_eq!(rows[0].tags["user:team"], "blue");
        assert_eq!(rows[0].meter.id.as_str(), format!("{fact}/amazons3"));
    };
    check("Usage", "AWS", "usage");
    check("Usage", "AWS Marketplace", "marketplace");
    check("Tax", "AWS", "tax");
    check("Credit", "AWS", "credit");
    check("Refund", "AWS", "refund");
    check("RIFee", "AWS", "fee");
    check("SavingsPlanNegation", "AWS", "adjustment");
}

#[test]
fn instance_data_names_resource_place_and_tags() {
    let check = |labels: &str, fact: &str| {
        let file = format!(
            r#"{{"value":[{{"name":"Hourly_RES_20260303_0500","properties":{{"subscriptionId":"s",
            "usageStartTime":"2026-03-03T03:00:00+00:00","usageEndTime":"2026-03-03T04:00:00+00:00",
            "meterId":"M","quantity":"1.50",{labels}}}}}]}}"#
        );
        let row = read_all(UsageFormat::AzureUsageAggregates, file.as_bytes()).remove(0);
        let said = format!(
            "{} | {:?} | {:?} | {} | {}",
            row.resource,
            row.dimensions,
            row.tags,
            row.reported_at.unwrap(),
            row.details.unwrap()
        );
        assert_eq!(said, fact);
    };
    check(
        r#""meterRegion":"","infoFields":{},"instanceData":"{\"Microsoft.Resources\":{\"resourceUri\":\"/r\",\"location\":\"eastus\",\"tags\":{\"team\":\"a\"}}}""#,
        r#"/r | {Location: "eastus"} | {"team": "a"} | 2026-03-03T05:00:00Z | {"infoFields":{},"instanceData":"{\"Microsoft.Resources\":{\"resourceUri\":\"/r\",\"location\":\"eastus\",\"tags\":{\"team\":\"a\"}}}","meterRegion":""}"#,
    );
    check(
        r#""infoFields":{"project":"p"},"instanceData":"{\"Microsoft.Resources\":{\"tags\":null}}""#,
        r#"p | {} | {} | 2026-03-03T05:00:00Z | {"infoFields":{"project":"p"},"instanceData":"{\"Microsoft.Resources\":{\"tags\":null}}"}"#,
    );
    check(r#""unit":"h""#, r#" | {} | {} | 2026-03-03T05:00:00Z | {"unit":"h"}"#);
}

#[test]
fn an_answer_that_goes_on_says_where() {
    let check = |file: &str, count: usize, next: Option<&str>| {
        let mut rows = open(UsageFormat::AzureUsageDetailsJson, file.as_bytes());
        assert_eq!(rows.by_ref().filter_map(Result::ok).count(), count, "{file}");
        assert_eq!(rows.next_link(), next, "{file}");
    };
    let row = r#"{"id":"a]}\"","properties":{"subscriptionGuid":"s","usageStart":"2026-03-01","meterId":"m","usageQuantity":1}}"#;
    check(&format!(r#"{{"value":[{row},{row}],"nextLink":"https://x/"}}"#), 2, Some("https://x/"));
    check(
        &format!(r#"{{"nextLink":"https://x/","count":2,"value":[{row} , {row}]}}"#),
        2,
        Some("https://x/"),
    );
    check(&format!(r#"{{"value":[{row}],"nextLink":null}}"#), 1, None);
    check(&format!("\u{feff}[ {row}, {row} ]\n"), 2, None);
    check(r#"{"value":[]}"#, 0, None);
}

/// Hands out a few bytes at a time, as networks and pipes do.
struct Dribble<'a>(&'a [u8]);

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(3);
        self.0.read(&mut buffer[..most])
    }
}

#[test]
fn rows_do_not_depend_on_how_bytes_arrive() {
    let row = r#"{"tags":{"ä\\":"\u00fc ]}"},"properties":{"subscriptionGuid":"s","usageStart":"2026-03-01","meterId":"m","usageQuantity":1}}"#;
    let file = format!(r#"{{ "value" : [ {row}, {row} ] }}"#);
    let whole = read_all(UsageFormat::AzureUsageDetailsJson, file.as_bytes());
    let format = UsageFormat::AzureUsageDetailsJson;
    let dribbled =
        crate::read_usage(format, super::us_dollars(), Dribble(file.as_bytes())).unwrap();
    let dribbled: Vec<ImportedRow> = dribbled.map(Result::unwrap).collect();
    assert_eq!(whole, dribbled);
    assert_eq!(whole[0].tags["ä\\"], "ü ]}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn identities_do_not_depend_on_order_and_none_comes_twice(
        (given, shuffled) in prop::collection::vec(0_u8..6, 0..40)
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
    ) {
        let identities = |quantities: &[u8]| -> BTreeSet<String> {
            let rows: Vec<String> =
                quantities.iter().map(|q| format!("s,2026-03-01,m,{q},2,USD,")).collect();
            let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
            csv(&rows).into_iter().map(|row| row.identity).collect()
        };
        let set = identities(&given);
        prop_assert_eq!(set.len(), given.len());
        prop_assert_eq!(set, identities(&shuffled));
    }
}
