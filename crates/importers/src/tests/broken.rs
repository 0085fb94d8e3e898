use super::us_dollars;
use crate::{Assumed, ImportError, UsageFormat, read_usage};

/// Reads a file; every row as `ok`, `line field: problem` or `file: problem`.
fn outcome(format: UsageFormat, assumed: Assumed, file: &[u8]) -> String {
    let rows = match read_usage(format, assumed, file) {
        Ok(rows) => rows,
        Err(error) => return error.to_string(),
    };
    let outcomes = rows.map(|row| match row {
        Ok(_) => "ok".to_owned(),
        Err(ImportError::Row(error)) => {
            assert!(!error.raw.is_empty(), "{error}");
            format!("{} {}: {}", error.line, error.field, error.problem)
        }
        Err(ImportError::File(error)) => error.to_string(),
    });
    outcomes.collect::<Vec<_>>().join("; ")
}

#[test]
fn a_wrong_export_row_names_field_and_problem_and_the_next_is_read() {
    let check = |row: &str, fact: &str| {
        let head =
            "SubscriptionId,Date,MeterId,Quantity,CostInBillingCurrency,Currency,ChargeType,Tags";
        let file = format!("{head}\n{row}\ns,2026-03-01,m,1,2,USD,Usage,\n");
        let found = outcome(UsageFormat::AzureUsageDetailsCsv, us_dollars(), file.as_bytes());
        assert_eq!(found, format!("2 {fact}; ok"), "{row}");
    };
    check(",2026-03-01,m,1,2,USD,Usage,", "subscription: must not be empty");
    check("s,13/13/2026,m,1,2,USD,Usage,", "date: `13/13/2026` is not a time");
    check("s,1/2,m,1,2,USD,Usage,", "date: `1/2` is not a time");
    check("s,soon,m,1,2,USD,Usage,", "date: `soon` is not a time such as 2026-03-01T00:00:00Z");
    check("s,2026-03-01,,1,2,USD,Usage,", "meter: must not be empty");
    check("s,2026-03-01,m,,2,USD,Usage,", "quantity: is missing");
    check("s,2026-03-01,m,1.2.3,2,USD,Usage,", "quantity: `1.2.3` is not a decimal number");
    check("s,2026-03-01,m,NaN,2,USD,Usage,", "quantity: `NaN` is not a decimal number");
    check("s,2026-03-01,m,1,2,XXQ,Usage,", "currency: `XXQ` is not a currency");
    check("s,2026-03-01,m,1,two,USD,Usage,", "cost: `two` is not a decimal number");
    check("s,2026-03-01,m,1,2,USD,Gift,", "category: charge type `Gift` is unknown");
    check("s,2026-03-01,m,1,2,USD,Usage,red", "tags: `red` is no object");
    check("s,2026-03-01,m,1,2,USD,Usage,,more", "row: has 9 cells; the head has 8");
}

#[test]
fn a_wrong_element_names_field_and_problem_and_the_next_is_read() {
    let good = r#"{"name":"Daily_R_20260303_0000","properties":{"subscriptionId":"s","usageStartTime":"2026-03-02","usageEndTime":"2026-03-03","meterId":"m","quantity":1}}"#;
    let check = |from: &str, to: &str, fact: &str| {
        let bad = good.replace(from, to);
        assert_ne!(good, bad, "{from}");
        let file = format!(r#"{{"value":[{bad},{good}]}}"#);
        let found = outcome(UsageFormat::AzureUsageAggregates, us_dollars(), file.as_bytes());
        assert!(
            found.starts_with(&format!("1 {fact}")) && found.ends_with("; ok"),
            "{to}: {found}"
        );
    };
    check("Daily_R_20260303_0000", "Daily", "name: `Daily` does not end in a time");
    check("20260303_0000", "20261303_0000", "name: `Daily_R_20261303_0000` does not end in a time");
    check(r#""name":"Daily_R_20260303_0000","#, "", "name: is missing");
    check("\"properties\"", "\"p\"", "properties: is missing");
    check("\"quantity\":1", "\"quantity\":null", "quantity: is missing");
    check("\"quantity\":1", "\"quantity\":[]", "quantity: is neither text nor number");
    check("\"quantity\":1", "\"quantity\":1e99", "quantity: number out of range");
    check(
        "2026-03-03\",\"meterId",
        "2026-03-01\",\"meterId",
        "service_period: interval ends at \
        2026-03-01T00:00:00Z, before it starts at 2026-03-02T00:00:00Z",
    );
    check("\"m\"", "\"\"", "meterId: must not be empty");
    check("\"quantity\":1", "\"quantity\":1,\"instanceData\":\"{\"", "instanceData: is not JSON");
    check("\"quantity\":1", "\"quantity\":1,\"instanceData\":{}", "instanceData: is no text");
    check("\"quantity\":1", "\"quantity\" 1", "row: is not JSON: expected `:`");
}

#[test]
fn a_wrong_report_row_names_its_column() {
    let check = |format: UsageFormat, file: &str, fact: &str| {
        assert_eq!(outcome(format, us_dollars(), file.as_bytes()), fact, "{file}");
    };
    let focus = "BilledCost,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,SubAccountId,SkuId,ConsumedQuantity\n";
    let row = |row: &str| format!("{focus}{row}\n");
    check(UsageFormat::Focus, &row("1,Usage,2026-03-01 00:00:00,2026-03-02 00:00:00,s,k,1"), "ok");
    check(
        UsageFormat::Focus,
        &row("1,usage,2026-03-01 00:00:00,2026-03-02 00:00:00,s,k,1"),
        "2 ChargeCategory: `usage` is none of FOCUS",
    );
    check(
        UsageFormat::Focus,
        &row("1,Usage,2026-03-01 00:00:00,2026-03-02 00:00:00,s,k,NULL"),
        "2 ConsumedQuantity: is missing",
    );
    check(
        UsageFormat::Focus,
        &row("NULL,Usage,2026-03-01 00:00:00,2026-03-02 00:00:00,s,k,1"),
        "2 cost: `` is not a decimal number",
    );
    check(
        UsageFormat::Focus,
        &row("1,Credit,2026-03-01 00:00:00,2026-03-02 00:00:00,s,k,NULL"),
        "ok",
    );
    let cur = "lineItem/LineItemType,lineItem/UsageAccountId,lineItem/UsageStartDate,lineItem/UsageEndDate,lineItem/UnblendedCost\n";
    check(
        UsageFormat::AwsCur,
        &format!("{cur}Bonus,a,2026-03-01T00:00:00Z,2026-03-02T00:00:00Z,1\n"),
        "2 lineItem/LineItemType: `Bonus` is unknown",
    );
    check(
        UsageFormat::AwsCur,
        &format!("{cur}Usage,a,2026-03-01T00:00:00Z,2026-03-02T00:00:00Z,1\n"),
        "2 lineItem/UsageAmount: is missing",
    );
}

#[test]
fn a_cost_needs_a_currency() {
    let file = b"SubscriptionId,Date,MeterId,Quantity,Cost\ns,2026-03-01,m,1,2\n";
    assert_eq!(
        outcome(UsageFormat::AzureUsageDetailsCsv, Assumed::default(), file),
        "2 currency: is missing, and none is assumed for the file"
    );
    assert_eq!(outcome(UsageFormat::AzureUsageDetailsCsv, us_dollars(), file), "ok");
}

#[test]
fn a_file_of_the_wrong_shape_is_refused_as_a_whole() {
    let check = |format: UsageFormat, file: &[u8], fact: &str| {
        assert_eq!(outcome(format, us_dollars(), file), fact);
    };
    let json = || UsageFormat::AzureUsageDetailsJson;
    let csv = || UsageFormat::AzureUsageDetailsCsv;
    check(json(), b"", "file: ends in the middle of its JSON");
    check(json(), b"hello", "file: is neither a JSON object nor an array");
    check(json(), b"{}", "file: has no member `value` with an array");
    check(json(), b"{\"value\":{}}", "file: has no member `value` with an array");
    check(json(), b"{\"value\":[]} {}", "file: goes on after the end of its JSON");
    check(csv(), b"", "file: is empty");
    check(
        csv(),
        b"a,b\n1,2\n",
        "file: azure-usage-details-csv: no column `subscriptionguid` or `subscriptionid`",
    );
    check(
        UsageFormat::OciCostReport,
        b"a\n",
        "file: oci-cost-report: no column `lineitemtenantid`",
    );
}

#[test]
fn an_answer_that_is_cut_short_is_no_whole_extract() {
    let row = r#"{"properties":{"subscriptionGuid":"s","usageStart":"2026-03-01","meterId":"m","usageQuantity":1}}"#;
    let file = format!(r#"{{"value":[{row},{row}]}}"#);
    for length in 1..file.len() {
        let found =
            outcome(UsageFormat::AzureUsageDetailsJson, us_dollars(), &file.as_bytes()[..length]);
        assert!(found.ends_with("file: ends in the middle of its JSON"), "{length}: {found}");
    }
}

#[test]
fn a_quote_that_is_never_closed_does_not_fill_the_memory() {
    let mut file = b"SubscriptionId,Date,MeterId,Quantity,Cost\n\"".to_vec();
    file.resize(8 << 20, b'x');
    let found = outcome(UsageFormat::AzureUsageDetailsCsv, us_dollars(), &file);
    assert_eq!(found, "file cannot be read");
    let mut file = b"{\"value\":[\"".to_vec();
    file.resize(8 << 20, b'x');
    let found = outcome(UsageFormat::AzureUsageDetailsJson, us_dollars(), &file);
    assert_eq!(found, "file: holds a value over 1048576 bytes");
}

#[test]
fn bytes_that_are_no_text_refuse_their_row_only() {
    let file =
        b"SubscriptionId,Date,MeterId,Quantity,Cost\ns,2026-03-01,\xff,1,2\ns,2026-03-01,m,1,2\n";
    let rows: Vec<bool> =
        read_usage(UsageFormat::AzureUsageDetailsCsv, us_dollars(), file.as_slice())
            .unwrap()
            .map(|row| row.is_ok())
            .collect();
    assert_eq!(rows, [false, true]);
}

#[test]
fn a_wrong_row_is_named_by_the_line_on_which_it_starts() {
    // `|` ends a line.
    let check = |rows: &str, expected: &[u64]| {
        for end in ["\n", "\r\n"] {
            let text = format!("SubscriptionId,Date,MeterId,Quantity,Cost,Note|{rows}");
            let text = text.replace("good", "s,2026-03-01,m,1,2,").replace("bad", "s,soon,m,1,2,");
            let file = text.replace('|', end);
            let rows = read_usage(UsageFormat::AzureUsageDetailsCsv, us_dollars(), file.as_bytes());
            let line = |row| match row {
                Err(ImportError::Row(error)) => Some(error.line),
                _ => None,
            };
            let found: Vec<u64> = rows.unwrap().filter_map(line).collect();
            assert_eq!(found, expected, "{file:?}");
        }
    };
    check("bad", &[2]);
    check("bad|", &[2]);
    check("good|bad|good|bad|bad", &[3, 5, 6]);
    check("good|||bad|", &[5]);
    check("good\"two|lines\"|bad|", &[4]);
    check("good|bad\"three|more|lines\"|bad|", &[3, 6]);
    check("bad,too,long|bad|", &[2, 3]);
    check(&format!("{}bad|", "good|".repeat(1_000)), &[1_002]);
}

#[test]
fn a_row_of_no_text_is_named_by_its_line_too() {
    for end in ["\n", "\r\n"] {
        let text =
            "SubscriptionId,Date,MeterId,Quantity,Cost|s,2026-03-01,m,1,2|s,2026-03-01,?,1,2";
        let file = text.replace('|', end).into_bytes();
        let file: Vec<u8> = file.into_iter().map(|b| if b == b'?' { 0xff } else { b }).collect();
        let rows = read_usage(UsageFormat::AzureUsageDetailsCsv, us_dollars(), file.as_slice());
        let last = rows.unwrap().last().unwrap().unwrap_err().to_string();
        assert_eq!(last, "row 3: row: is not UTF-8");
    }
}
