use super::*;
use crate::columns::COLUMNS;
use crate::published::{billing_usage, examples};
use calendar::BillingPeriod;
use domain::usage_queries::UsageColumn;
use money::{Currency, Fixed18};
use serde_json::{Value, json};
use service::AnswerColumn;

const ID: &str = "B61D150B0F6596F68D88D253886432B5";

fn rendered(answer: &UsageAnswer) -> Value {
    let mut text = String::new();
    success(ID, answer, &mut |piece| text.push_str(piece));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn number(value: &Value) -> Fixed18 {
    Fixed18::parse(&value.to_string()).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn is_available(value: &Value) -> bool {
    *value != NOT_AVAILABLE
}

fn span(value: &Value) -> Range<Instant> {
    let [since, until] = ["sentSince", "sentUntil"]
        .map(|name| Instant::parse(value[name].as_str().unwrap()).unwrap());
    since..until
}

fn column(name: &str) -> AnswerColumn {
    let (_, column) = COLUMNS.iter().find(|(one, _)| *one == name).unwrap();
    AnswerColumn { column: *column, is_resolved_name: false }
}

fn row(cells: &[Value]) -> AnswerRow {
    let (keys, measures) = cells.split_at(cells.len() - 5);
    let [unit, unit_price, quantity, total, currency] = measures else { panic!("five measures") };
    AnswerRow {
        keys: keys.iter().map(|key| is_available(key).then(|| text(key))).collect(),
        unit: text(unit),
        unit_price: is_available(unit_price).then(|| number(unit_price)),
        quantity: number(quantity),
        total: number(total),
        currency: Currency::parse(&text(currency)).unwrap(),
    }
}

/// The answer that a published result tells.
fn answer(result: &Value) -> UsageAnswer {
    let response = &result["response"];
    let columns = response["columns"].as_array().unwrap();
    let dimensions = &columns[..columns.len() - 5];
    let months = result["metadata"]["billingPeriods"].as_array().unwrap().iter().map(|month| {
        let period = BillingPeriod::parse(month["month"].as_str().unwrap()).unwrap();
        (period, month["volumeFinalized"].as_bool().unwrap())
    });
    UsageAnswer {
        columns: dimensions.iter().map(|one| column(&text(&one["columnName"]))).collect(),
        rows: response["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| row(one.as_array().unwrap()))
            .collect(),
        requested: span(&response["requestedPeriod"]),
        asked: span(&result["metadata"]["clientRequestedPeriod"]),
        months: months.collect(),
        exact: false,
    }
}

fn sample() -> UsageAnswer {
    let columns = ["MONTH", "ACCOUNT_NAME", "CAMPAIGN_ID"].map(column).to_vec();
    let march = BillingPeriod::parse("2026-03").unwrap();
    let row = AnswerRow {
        keys: vec![Some("2026-03".to_owned()), Some("A \"B\"\n".to_owned()), None],
        unit: "message".to_owned(),
        unit_price: None,
        quantity: Fixed18::parse("0.5").unwrap(),
        total: Fixed18::parse("-0.000000000000000001").unwrap(),
        currency: Currency::parse("JPY").unwrap(),
    };
    UsageAnswer {
        columns,
        rows: vec![row.clone(), row],
        requested: march.start()..march.end(),
        asked: march.start().plus_micros(1_500)..march.end(),
        months: vec![(march, true), (march.next(), false)],
        exact: true,
    }
}

#[test]
fn published_results_are_read_and_written_alike() {
    let Some(whole) = billing_usage() else { return };
    let webhook = &whole["webhooks"]["receive-billing-usage-result"]["post"];
    let mut seen = 0;
    for (title, example) in examples(&webhook["requestBody"]) {
        seen += 1;
        let written = match example["failureMessage"].as_str() {
            Some(why) => serde_json::from_str(&failure(ID, why)).unwrap(),
            None => rendered(&answer(&example)),
        };
        assert_eq!(written, example, "{title}");
    }
    assert_eq!(seen, 3);
}

#[test]
fn what_is_not_available_is_said_so_in_columns_of_every_type() {
    let written = rendered(&sample());
    let row = json!([
        "2026-03-01T00:00:00",
        "A \"B\"\n",
        "N/A",
        "message",
        "N/A",
        0.5,
        serde_json::from_str::<Value>("-0.000000000000000001").unwrap(),
        "JPY",
    ]);
    assert_eq!(written["response"]["rows"], json!([row, row]));
    let types: Vec<&str> = written["response"]["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["columnDataType"].as_str().unwrap())
        .collect();
    let expected =
        ["DATE_TIME", "STRING", "INTEGER", "STRING", "NUMBER", "NUMBER", "NUMBER", "STRING"];
    assert_eq!(types, expected);
}

#[test]
fn measures_stand_behind_the_columns_asked_for_in_one_order() {
    let written = rendered(&sample());
    let names: Vec<&str> = written["response"]["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["columnName"].as_str().unwrap())
        .collect();
    let measures = ["UNIT_TYPE", "UNIT_PRICE", "QUANTITY", "TOTAL_PER_UNIT", "CURRENCY"];
    assert_eq!(names[..3], ["MONTH", "ACCOUNT_NAME", "CAMPAIGN_ID"]);
    assert_eq!(names[3..], measures);
}

#[test]
fn an_answer_without_rows_tells_its_columns_and_period() {
    let asked = sample().asked;
    let none = UsageAnswer {
        rows: Vec::new(),
        requested: asked.start..asked.start,
        months: Vec::new(),
        ..sample()
    };
    let written = rendered(&none);
    assert_eq!(written["status"], "SUCCESS");
    assert_eq!(written["response"]["totalRows"], 0);
    assert_eq!(written["response"]["rows"], json!([]));
    assert_eq!(written["response"]["columns"].as_array().unwrap().len(), 8);
    let period = &written["response"]["requestedPeriod"];
    assert_eq!(period["sentSince"], period["sentUntil"]);
    assert_eq!(written["metadata"]["billingPeriods"], json!([]));
}

#[test]
fn metadata_tell_the_period_as_asked_and_which_months_are_final() {
    let expected = json!({
        "clientRequestedPeriod": {
            "sentSince": "2026-03-01T00:00:00.001+0000",
            "sentUntil": "2026-04-01T00:00:00.000+0000",
        },
        "billingPeriods": [
            { "month": "2026-03", "volumeFinalized": true },
            { "month": "2026-04", "volumeFinalized": false },
        ],
    });
    assert_eq!(rendered(&sample())["metadata"], expected);
}

#[test]
fn a_failure_tells_nothing_but_why() {
    let expected = r#"{"requestId":"A","status":"FAILED","failureMessage":"too \"large\""}"#;
    assert_eq!(failure("A", "too \"large\""), expected);
}

#[test]
fn moments_have_three_digits_and_an_offset_without_a_colon() {
    let check = |text: &str, expected: &str| {
        assert_eq!(moment(Instant::parse(text).unwrap()), expected);
    };
    check("2026-03-01", "2026-03-01T00:00:00.000+0000");
    check("2026-03-01T01:30:00+02:00", "2026-02-28T23:30:00.000+0000");
    check("2026-03-01T12:00:00.0019Z", "2026-03-01T12:00:00.001+0000");
    check("2026-12-31T23:59:59.999999Z", "2026-12-31T23:59:59.999+0000");
    check("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500+0000");
}

#[test]
fn numbers_are_written_with_all_their_digits() {
    let check = |text: &str, expected: &str| {
        let number = Fixed18::parse(text).unwrap();
        let row = AnswerRow { quantity: number, total: number, unit_price: Some(number), ..one() };
        let [_, price, quantity, total, _] = measures(&row);
        assert_eq!([price, quantity, total], [expected, expected, expected]);
    };
    check("0.0075", "0.0075");
    check("1500", "1500");
    check("11.250", "11.25");
    check("-4.01", "-4.01");
    check("0", "0");
    check("123456789012345678.123456789012345678", "123456789012345678.123456789012345678");
}

fn one() -> AnswerRow {
    sample().rows.remove(0)
}

#[test]
fn every_column_can_be_told() {
    for column in UsageColumn::ALL {
        let column = AnswerColumn { column, is_resolved_name: false };
        let keys = vec![Some("2026-03".to_owned())];
        let rows = vec![AnswerRow { keys, ..one() }];
        let written = rendered(&UsageAnswer { columns: vec![column], rows, ..sample() });
        assert_eq!(written["response"]["rows"][0].as_array().unwrap().len(), 6);
    }
}
