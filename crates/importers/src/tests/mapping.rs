use super::{fixed, us_dollars};
use crate::{
    FileError, ImportedRow, Mapping, PriceMapping, UsageFormat, read_price_list_csv,
    read_price_list_parquet, read_usage, read_usage_parquet,
};
use arrow::array::{
    ArrayRef, MapBuilder, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use domain::usage::{ChargeCategory, Dimension};
use parquet::arrow::ArrowWriter;
use std::sync::Arc;

const MAPPING: &str = r#"
delimiter = ";"
dates = "day_first"
grain = "day"
quantity_scale = "0.001"
mutable = ["Run"]

[columns]
subscription = "Customer"
meter = "Article"
quantity = "Millis"
start = "Day"
category = "Kind"
cost = "Amount"

[constants]
unit = "1 s"
currency = "EUR"

[dimensions]
country = "Land"

[tags]
team = "Team"

[categories]
Verbrauch = "usage"
Gutschrift = "credit"
"#;

fn mapped(text: &str) -> UsageFormat {
    UsageFormat::Mapped(Box::new(Mapping::parse(text).unwrap()))
}

fn rows(mapping: &str, file: &str) -> Vec<ImportedRow> {
    let rows = read_usage(mapped(mapping), us_dollars(), file.as_bytes()).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn a_mapping_reads_any_table() {
    let file = "Customer;Article;Millis;Day;Kind;Amount;Land;Team;Note;Run\n\
                c1;sms;1500;2.3.2026;Verbrauch;0,1;DE;blue;hello;7\n";
    let refused = read_usage(mapped(MAPPING), us_dollars(), file.as_bytes()).unwrap().next();
    assert_eq!(
        refused.unwrap().unwrap_err().to_string(),
        "row 2: cost: `0,1` is not a decimal number"
    );
    let rows = rows(MAPPING, &file.replace("0,1", "0.1"));
    let row = &rows[0];
    assert_eq!(row.quantity, fixed("1.5"));
    assert_eq!(row.stated_cost.unwrap().currency.code(), "EUR");
    assert_eq!(row.service_period.start().to_string(), "2026-03-02T00:00:00Z");
    assert_eq!(row.service_period.end().to_string(), "2026-03-03T00:00:00Z");
    assert_eq!(row.dimensions[&Dimension::Country], "DE");
    assert_eq!(row.tags["team"], "blue");
    assert_eq!(row.meter.unit, "1 s");
    assert_eq!(row.category, ChargeCategory::Usage);
    assert_eq!(row.details.as_deref(), Some(r#"{"Note":"hello"}"#));
}

#[test]
fn dates_are_read_as_the_mapping_says() {
    let check = |dates: &str, text: &str, fact: &str| {
        let mapping = format!(
            "dates = \"{dates}\"\n[columns]\nsubscription = \"s\"\nmeter = \"m\"\nstart = \"t\"\nquantity = \"q\"\n"
        );
        let rows = rows(&mapping, &format!("s,m,t,q\na,b,{text},1\n"));
        assert_eq!(rows[0].service_period.start().to_string(), fact, "{dates} {text}");
        assert_eq!(rows[0].service_period.micros(), 0);
    };
    check("iso", "2026-03-02T10:00:00+01:00", "2026-03-02T09:00:00Z");
    check("month_first", "3/2/2026", "2026-03-02T00:00:00Z");
    check("month_first", "3/2/26", "2026-03-02T00:00:00Z");
    check("day_first", "02.03.2026", "2026-03-02T00:00:00Z");
    check("epoch_seconds", "1772409600", "2026-03-02T00:00:00Z");
    check("epoch_millis", "1772409600500", "2026-03-02T00:00:00.5Z");
}

#[test]
fn a_wrong_mapping_names_the_key() {
    let check = |text: &str, fact: &str| {
        let FileError::Shape { problem } = Mapping::parse(text).unwrap_err() else { panic!() };
        assert!(problem.contains(fact), "{problem}");
    };
    let columns = "[columns]\nsubscription = \"s\"\nmeter = \"m\"\nstart = \"t\"\n";
    check("[columns]\nmeter = \"m\"\n", "`subscription` has no column");
    check(&format!("color = 1\n{columns}"), "color");
    check(&format!("{columns}[dimensions]\nplanet = \"p\"\n"), "no dimension `planet`");
    check(&format!("{columns}[categories]\nx = \"gift\"\n"), "no category `gift`");
    check(&format!("quantity_scale = \"1/2\"\n{columns}"), "quantity_scale");
    check(&format!("delimiter = \"→\"\n{columns}"), "delimiter");
    let missing = read_usage(mapped(columns), us_dollars(), "s,m\n".as_bytes()).err().unwrap();
    assert_eq!(missing.to_string(), "file: mapped: no column `t`");
}

/// A FOCUS table of one row, in the column types that exporters use.
fn focus_parquet() -> std::fs::File {
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let typed = |value: &str, to: DataType| -> ArrayRef { cast(&text(value), &to).unwrap() };
    let moment = |text: &str| -> ArrayRef {
        let micros = calendar::Instant::parse(text).unwrap().micros();
        Arc::new(TimestampMicrosecondArray::from(vec![micros]).with_timezone("UTC"))
    };
    let mut tags = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    tags.keys().append_value("team");
    tags.values().append_value("blue");
    tags.append(true).unwrap();
    let batch = RecordBatch::try_from_iter([
        ("BilledCost", typed("0.000016059900000001", DataType::Decimal128(38, 18))),
        ("BillingCurrency", text("USD")),
        ("ChargeCategory", text("Usage")),
        ("ChargePeriodStart", moment("2026-03-01T00:00:00Z")),
        ("ChargePeriodEnd", moment("2026-03-01T01:00:00Z")),
        ("ConsumedQuantity", typed("0.1", DataType::Float64)),
        ("SubAccountId", typed("43883916739", DataType::Int64)),
        ("SkuId", text("K")),
        ("Tags", Arc::new(tags.finish())),
    ])
    .unwrap();
    let file = tempfile::tempfile().unwrap();
    let mut writer = ArrowWriter::try_new(file.try_clone().unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

#[test]
fn parquet_columns_are_read_as_text_digit_by_digit() {
    let file = focus_parquet();
    let format = UsageFormat::detect_parquet(file.try_clone().unwrap()).unwrap().unwrap();
    assert_eq!(format, UsageFormat::Focus);
    let rows: Vec<ImportedRow> =
        read_usage_parquet(format, us_dollars(), file).unwrap().map(Result::unwrap).collect();
    let [row] = rows.as_slice() else { panic!("{}", rows.len()) };
    assert_eq!(row.line, 1);
    assert_eq!(row.stated_cost.unwrap().major, fixed("0.000016059900000001"));
    assert_eq!(row.quantity, fixed("0.1"));
    assert_eq!(row.subscription.as_str(), "43883916739");
    assert_eq!(row.service_period.end().to_string(), "2026-03-01T01:00:00Z");
    assert_eq!(row.tags["team"], "blue");
    let csv = "BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,\
               ConsumedQuantity,SubAccountId,SkuId,Tags\n0.000016059900000001,USD,Usage,\
               2026-03-01 00:00:00,2026-03-01 01:00:00,0.1,43883916739,K,\"{\"\"team\"\": \"\"blue\"\"}\"\n";
    assert_eq!(super::read_all(UsageFormat::Focus, csv.as_bytes())[0].identity, row.identity);
}

#[test]
fn a_parquet_file_by_a_mapping() {
    let mapping = "[columns]\nsubscription = \"SubAccountId\"\nmeter = \"SkuId\"\n\
                   start = \"ChargePeriodStart\"\nend = \"ChargePeriodEnd\"\n\
                   quantity = \"ConsumedQuantity\"\n";
    let rows = read_usage_parquet(mapped(mapping), us_dollars(), focus_parquet()).unwrap();
    let rows: Vec<ImportedRow> = rows.map(Result::unwrap).collect();
    assert_eq!(rows[0].quantity, fixed("0.1"));
    let error = read_usage_parquet(mapped(mapping), us_dollars(), tempfile::tempfile().unwrap());
    assert_eq!(error.err().unwrap().to_string(), "file is not Parquet that we read");
}

const PRICES: &str = "[columns]\nmeter = \"sku\"\nprice = \"eur\"\ntier_from = \"from\"\n\
                      effective_from = \"since\"\n[constants]\ncurrency = \"EUR\"\nunit = \"GB\"\n";

fn price_list(file: &str) -> Result<String, crate::ImportError> {
    let mapping = PriceMapping::parse(PRICES).unwrap();
    read_price_list_csv(file.as_bytes(), &mapping, None).map(|list| told(&list))
}

fn told(list: &crate::ImportedPrices) -> String {
    let prices = list
        .prices
        .iter()
        .map(|price| format!("{} {} {:?}", price.meter, price.effective_from, price.model));
    prices.collect::<Vec<_>>().join("; ")
}

#[test]
fn a_price_list_of_parquet_is_that_of_csv() {
    let text = |values: [&str; 3]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    let exact = cast(&text(["0.5", "1", "0.000000000000000003"]), &DataType::Decimal128(38, 18));
    let batch = RecordBatch::try_from_iter([
        ("sku", text(["A", "A", "b"])),
        ("eur", exact.unwrap()),
        ("from", cast(&text(["10", "0", "0"]), &DataType::Int64).unwrap()),
        ("since", text(["2026-01-01", "2026-01-01", "2026-03-01"])),
    ]);
    let batch = batch.unwrap();
    let file = tempfile::tempfile().unwrap();
    let mut writer = ArrowWriter::try_new(file.try_clone().unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let mapping = PriceMapping::parse(PRICES).unwrap();
    let list = read_price_list_parquet(file, &mapping, None).unwrap();
    let csv = "sku,eur,from,since\nA,0.5,10,2026-01-01\nA,1,0,2026-01-01\n\
               b,0.000000000000000003,0,2026-03-01\n";
    assert_eq!(told(&list), price_list(csv).unwrap());
    let other = PRICES.replace("sku", "part");
    let file = tempfile::tempfile().unwrap();
    let broken = read_price_list_parquet(file, &PriceMapping::parse(&other).unwrap(), None);
    assert_eq!(broken.err().unwrap().to_string(), "file is not Parquet that we read");
}

#[test]
fn a_price_list_by_a_mapping_has_tiers_and_versions() {
    let list = price_list(
        "sku,eur,from,since\nA,0.5,10,2026-01-01\nA,1,0,2026-01-01\nA,2,0,2026-02-01\nb,3,,\n",
    );
    assert_eq!(
        list.unwrap(),
        "a 2026-01-01T00:00:00Z Graduated { tiers: [\
         Tier { from: 0, price: 1, flat: 0, spelled: None }, \
         Tier { from: 10, price: 0.5, flat: 0, spelled: None }] }; \
         a 2026-02-01T00:00:00Z PerUnit { price: 2 }; \
         b 0001-01-01T00:00:00Z PerUnit { price: 3 }"
    );
}

#[test]
fn a_wrong_price_list_is_refused_and_names_the_line() {
    let check = |rows: &str, fact: &str| {
        let error = price_list(&format!("sku,eur,from,since\n{rows}\n")).unwrap_err();
        assert_eq!(error.to_string(), fact, "{rows}");
    };
    check("a,,0,", "row 2: price: is missing");
    check("a,1,5,", "row 2: tier: the first tier does not start at 0");
    check("a,1,0,\na,2,0.0,", "row 3: tier: `0.0` is there twice");
    check("a,x,0,", "row 2: price: `x` is not a decimal number");
    check(",1,0,", "row 2: meter: must not be empty");
}
