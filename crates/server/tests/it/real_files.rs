//! Vendors' real files through the whole program: declared, imported, charged, and served again.

use crate::books::{Books, on_each_store};
use crate::installation::Installation;
use calendar::{BillingPeriod, Instant};
use importers::{Assumed, UsageFormat, read_usage};
use money::{Currency, Fixed18, Rounding};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

const CARD: &str = "azure-commerce/ratecard-MS-AZR-0062P-USD-en-US.json";
const USAGE: &str = "azure-commerce/usage-aggregates-201504-201505.json";
const DETAILS: &str = "azure-consumption/azure-usage-details-201802.dev.json";

/// A file of the data folder: `RECKONER_DATA`, else beside the checkout.
///
/// Where the folder is missing the test says so aloud; under `CI=true` that is a failure.
pub(crate) fn real_file(name: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("RECKONER_DATA").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder.join(name).canonicalize().expect("the folder holds the file"));
    }
    writeln!(std::io::stderr(), "LEFT OUT: {name}: no folder {}", folder.display())
        .expect("standard error takes text");
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "real data is missing under CI");
    None
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("the file")).expect("JSON")
}

fn fixed(number: &Value) -> Fixed18 {
    let text = number.as_str().map_or_else(|| number.to_string(), str::to_owned);
    Fixed18::parse_rounded(&text, Rounding::HalfAwayFromZero).expect("a decimal number")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// The offer of the real card, its meters and rates, and who uses it.
fn azure(books: Books, card: &Path, subscription: &str) -> Installation {
    let declared = format!(
        r#"
        [[offer]]
        id = "MS-AZR-0062P"
        name = "Monetary credit"
        has_rate_card = true

        [[price_list]]
        id = "card"
        offer = "MS-AZR-0062P"
        region = "US"
        locales = ["en-US"]
        currency = "USD"
        import = {{ format = "azure-rate-card", file = '{}' }}

        [[subscription]]
        id = "{subscription}"
        name = "audit"
        placements = [{{ billing_account = "acme", offer = "MS-AZR-0062P" }}]

        [[source]]
        name = "azure"
        billing_accounts = ["acme"]
        "#,
        card.display()
    );
    Installation::new(books, "USD", &declared)
}

/// What a quantity costs by the tiers of the card, each unit at the rate of the tier it falls in.
fn graduated(rates: &Value, quantity: Fixed18) -> Fixed18 {
    let rates = rates.as_object().expect("rates");
    let mut tiers: Vec<(Fixed18, Fixed18)> = rates
        .iter()
        .map(|(from, rate)| (Fixed18::parse(from).expect("a bound"), fixed(rate)))
        .collect();
    tiers.sort();
    let ends = tiers.iter().skip(1).map(|(from, _)| *from).chain([Fixed18::MAX]);
    let slices = tiers.iter().zip(ends).filter(|((from, _), _)| quantity > *from);
    let costs = slices.map(|((from, rate), end)| {
        let part = quantity.min(end).checked_sub(*from).expect("in range");
        part.checked_mul(*rate, 18, Rounding::HalfAwayFromZero).expect("in range")
    });
    Fixed18::checked_sum(costs).expect("in range")
}

/// Quantity and exact cost by month and meter, from the vendor's two files alone.
fn expected(card: &Value, usage: &Value) -> BTreeMap<(String, String), (Fixed18, Fixed18)> {
    let meters = card["Meters"].as_array().expect("meters");
    let rates: BTreeMap<&str, &Value> =
        meters.iter().map(|meter| (text(meter, "MeterId"), &meter["MeterRates"])).collect();
    let mut used: BTreeMap<(String, String), Fixed18> = BTreeMap::new();
    for row in usage["value"].as_array().expect("rows") {
        let properties = &row["properties"];
        let start = Instant::parse(text(properties, "usageStartTime")).expect("a time");
        let key = (BillingPeriod::of(start).to_string(), text(properties, "meterId").to_owned());
        let quantity = used.entry(key).or_insert(Fixed18::ZERO);
        *quantity = quantity.checked_add(fixed(&properties["quantity"])).expect("in range");
    }
    let cost = |meter: &str, quantity| (quantity, graduated(rates[meter], quantity));
    used.into_iter().map(|(key, quantity)| (key.clone(), cost(&key.1, quantity))).collect()
}

fn charged(installation: &Installation) -> BTreeMap<(String, String), (Fixed18, Fixed18)> {
    let rows = installation.query("month,meter");
    let row = |row: &Value| {
        let key = (text(row, "month").to_owned(), text(row, "meter").to_owned());
        (key, (fixed(&row["quantity"]), fixed(&row["cost"])))
    };
    rows.iter().map(row).collect()
}

/// What must be alike: numbers as exact numbers, times as instants, without ids, names and links.
fn alike(value: &Value) -> Value {
    const TIMES: [&str; 3] = ["usageStartTime", "usageEndTime", "EffectiveDate"];
    match value {
        Value::Number(_) => Value::from(format!("number {}", fixed(value))),
        Value::Array(items) => items.iter().map(alike).collect(),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| match value.as_str() {
                Some(time) if TIMES.contains(&name.as_str()) => {
                    (name.clone(), Value::from(Instant::parse(time).expect(name).to_string()))
                }
                _ => (name.clone(), alike(value)),
            };
            let kept = members.iter().filter(|(name, value)| {
                !(["id", "name", "nextLink"].contains(&name.as_str()) && value.is_string())
            });
            Value::Object(kept.map(member).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// Items in an order that does not depend on where they came from.
fn sorted(items: &Value) -> Vec<String> {
    let mut texts: Vec<_> =
        items.as_array().expect("items").iter().map(|item| alike(item).to_string()).collect();
    texts.sort();
    texts
}

on_each_store!(the_real_card_and_its_usage_come_back_as_they_were_and_cost_what_they_must);
async fn the_real_card_and_its_usage_come_back_as_they_were_and_cost_what_they_must(books: Books) {
    let (Some(card_file), Some(usage_file)) = (real_file(CARD), real_file(USAGE)) else { return };
    let (card, usage) = (json_of(&card_file), json_of(&usage_file));
    let subscription = text(&usage["value"][0]["properties"], "subscriptionId");
    let installation = azure(books, &card_file, subscription);
    assert!(installation.apply().starts_with("0 to change"), "declared twice");

    let told = installation.import(&usage_file, &["--source", "azure"]);
    assert!(
        told.contains(": 109 rows, 109 new, 0 known, 0 of earlier extracts left out"),
        "{told}"
    );
    assert_eq!(installation.quarantine(), "");
    assert_eq!(charged(&installation), expected(&card, &usage));
    let before = installation.query("day,meter,resource");
    let told = installation.import(&usage_file, &["--source", "azure"]);
    assert!(told.contains("109 rows, 0 new, 109 known"), "{told}");
    assert!(told.contains("nothing changes"), "{told}");
    assert_eq!(installation.query("day,meter,resource"), before);

    let server = installation.serve(&[]);
    let token = installation.token(&server).await;
    let provider = format!("/subscriptions/{subscription}/providers/Microsoft.Commerce");
    let get = async |path: &str| -> Value {
        let path = format!("{provider}/{path}");
        let answer = server.get(&path, Some(&token)).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.expect("JSON")
    };
    let served = get("UsageAggregates?api-version=2015-06-01-preview\
         &reportedStartTime=2015-05-01T00%3a00%3a00Z&reportedEndTime=2015-05-02T00%3a00%3a00Z")
    .await;
    assert_eq!(served.get("nextLink"), None);
    assert_eq!(sorted(&served["value"]), sorted(&usage["value"]));
    let served =
        get("RateCard?api-version=2015-06-01-preview&$filter=OfferDurableId eq 'MS-AZR-0062P' \
         and Currency eq 'USD' and Locale eq 'en-US' and RegionInfo eq 'US'")
        .await;
    assert_eq!(served["Meters"].as_array().expect("meters").len(), 3_817);
    for list in ["Meters", "OfferTerms"] {
        assert_eq!(sorted(&served[list]), sorted(&card[list]), "{list}");
    }
    for member in ["Currency", "Locale", "IsTaxIncluded"] {
        assert_eq!(served[member], card[member], "{member}");
    }
    server.stop();
}

on_each_store!(graduated_tiers_of_the_real_card_are_crossed_exactly);
async fn graduated_tiers_of_the_real_card_are_crossed_exactly(books: Books) {
    let (Some(card_file), Some(usage_file)) = (real_file(CARD), real_file(USAGE)) else { return };
    let (card, usage) = (json_of(&card_file), json_of(&usage_file));
    let storage = "30ab1dae-8172-4b24-aa5b-3666d3f0fde1";
    let is_storage = |row: &&Value| text(&row["properties"], "meterId") == storage;
    let rows = usage["value"].as_array().expect("rows");
    let mut rows: Vec<Value> = rows.iter().filter(is_storage).take(4).cloned().collect();
    for (row, quantity) in rows.iter_mut().zip(["1023.5", "1", "600000.000001", "5000000"]) {
        row["properties"]["quantity"] = serde_json::from_str(quantity).expect("a number");
    }
    let usage = json!({ "value": rows });
    let subscription = text(&usage["value"][0]["properties"], "subscriptionId");
    let installation = azure(books, &card_file, subscription);
    let file = installation.file("usage.json", &usage.to_string());
    installation.import(&file, &["--source", "azure"]);
    let expected = expected(&card, &usage);
    assert!(expected.values().any(|(quantity, _)| *quantity > Fixed18::from_int(5_000_000)));
    assert_eq!(charged(&installation), expected);
}

/// One file: the days of May 2015 that it covers, if it says so, and its rows: the day at which
/// each was reported, and its quantity.
type Extract<'a> = (&'a [&'a str], &'a [(u8, &'a str)]);

on_each_store!(extracts_of_the_same_rows_and_days_count_as_written);
async fn extracts_of_the_same_rows_and_days_count_as_written(books: Books) {
    let (Some(card_file), Some(usage_file)) = (real_file(CARD), real_file(USAGE)) else { return };
    let row = json_of(&usage_file)["value"][0].clone();
    let subscription = text(&row["properties"], "subscriptionId").to_owned();
    let check = |rule: &str, extracts: &[Extract<'_>], fact: &str| {
        let installation = azure(books, &card_file, &subscription);
        for (nth, (days, rows)) in extracts.iter().enumerate() {
            let rows: Vec<Value> =
                rows.iter().map(|(day, quantity)| reported(&row, *day, quantity)).collect();
            let usage = json!({ "value": rows });
            let file = installation.file(&format!("{nth}.json"), &usage.to_string());
            let own = ["--source", "azure", "--format", "azure-usage-aggregates"];
            installation.import(&file, &[own.as_slice(), days].concat());
        }
        let rows = installation.query("meter");
        let found = match rows.as_slice() {
            [] => "nothing".to_owned(),
            [row] => format!("{} records of {}", text(row, "records"), text(row, "quantity")),
            more => panic!("{rule}: {more:?}"),
        };
        assert_eq!((found.as_str(), installation.quarantine().as_str()), (fact, ""), "{rule}");
    };
    let twice: Extract<'_> = (&[], &[(2, "1"), (2, "1")]);
    check("two equal rows of one file both count", &[twice], "2 records of 2");
    check("the same file twice counts once", &[twice, twice], "2 records of 2");
    check(
        "rows of overlapping days count once",
        &[(&[], &[(1, "1"), (2, "2")]), (&[], &[(2, "2"), (3, "3")])],
        "3 records of 6",
    );
    check(
        "the later extract of a day replaces the earlier",
        &[(&[], &[(1, "1"), (2, "2")]), (&[], &[(2, "5"), (3, "3")])],
        "3 records of 9",
    );
    let whole: &[&str] = &["--from", "2015-05-01", "--until", "2015-05-04"];
    check(
        "what a later extract of the same days leaves out counts no more",
        &[(whole, &[(1, "1"), (2, "2")]), (whole, &[(1, "1")])],
        "1 records of 1",
    );
    let nothing = [whole, &["--billing-account", "acme"]].concat();
    check(
        "an empty extract says that nothing was used",
        &[(whole, &[(1, "1"), (2, "2")]), (&nothing, &[])],
        "nothing",
    );
}

/// The row as if it had been reported on another day, with another quantity.
fn reported(row: &Value, day: u8, quantity: &str) -> Value {
    let mut row = row.clone();
    row["name"] = Value::from(format!("Daily_BRSDT_201505{day:02}_0000"));
    row["properties"]["quantity"] = serde_json::from_str(quantity).expect("a number");
    row
}

on_each_store!(a_final_row_takes_the_place_of_its_estimate);
async fn a_final_row_takes_the_place_of_its_estimate(books: Books) {
    let Some(path) = real_file(DETAILS) else { return };
    let estimated = json_of(&path)["value"][0].clone();
    assert_eq!(estimated["properties"]["isEstimated"], true);
    let subscription = text(&estimated["properties"], "subscriptionGuid");
    let installation = Installation::new(books, "USD", &passed_through(&[subscription]));
    let check = |is_estimated: bool, cost: &str, told: &str| {
        let mut row = estimated.clone();
        row["properties"]["isEstimated"] = Value::from(is_estimated);
        row["properties"]["pretaxCost"] = serde_json::from_str(cost).expect("a number");
        let file = installation.file("details.json", &json!({ "value": [row] }).to_string());
        let said = installation.import(&file, &["--source", "vendor", "--period", "2018-02"]);
        assert!(said.contains(told), "{said}");
        let rows = installation.query("month");
        assert_eq!((rows.len(), text(&rows[0], "cost")), (1, cost));
    };
    check(true, "1.06840616724986", "1 new, 0 known, 0 of earlier extracts left out");
    check(false, "1.06840616724986", "0 new, 1 known, 0 of earlier extracts left out");
    check(false, "1.07", "1 new, 0 known, 1 of earlier extracts left out");
    assert_eq!(installation.quarantine(), "");
}

/// Subscriptions whose vendor's costs are taken as they are.
fn passed_through(subscriptions: &[&str]) -> String {
    let mut declared = r#"
        [[offer]]
        id = "agreed"
        name = "Agreed prices"
        has_rate_card = false

        [[source]]
        name = "vendor"
        billing_accounts = ["acme"]
        costing = "passed_through"
        "#
    .to_owned();
    for id in subscriptions {
        declared += &format!(
            r#"
            [[subscription]]
            id = "{id}"
            name = "{id}"
            placements = [{{ billing_account = "acme", offer = "agreed" }}]
            "#
        );
    }
    declared
}

on_each_store!(costs_that_pass_through_add_up_to_the_files_total);
async fn costs_that_pass_through_add_up_to_the_files_total(books: Books) {
    let check = |name: &str, currency: &str, rows: usize, total: &str| {
        let Some(path) = real_file(name) else { return };
        let file = || BufReader::new(File::open(&path).expect("the file"));
        let head = std::fs::read(&path).expect("the file");
        let head = &head[..head.len().min(64 * 1024)];
        let format = UsageFormat::detect(head, &path.to_string_lossy()).expect("a known format");
        let assumed = Assumed { currency: Some(Currency::parse(currency).expect("a currency")) };
        let read = read_usage(format, assumed, file()).expect("rows");
        let read: Vec<_> = read.collect::<Result<_, _>>().expect("no row is wrong");
        let stated = read.iter().map(|row| row.stated_cost.expect("a cost").major);
        let stated = Fixed18::checked_sum(stated).expect("in range");
        let ids: BTreeSet<&str> = read.iter().map(|row| row.subscription.as_str()).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let installation = Installation::new(books, currency, &passed_through(&ids));
        installation.import(&path, &["--source", "vendor", "--currency", currency]);
        let charged = installation.query("month,category");
        let records: usize =
            charged.iter().map(|row| text(row, "records").parse::<usize>().unwrap()).sum();
        let cost = Fixed18::checked_sum(charged.iter().map(|row| fixed(&row["cost"])));
        assert_eq!(cost.expect("in range"), stated, "{name}");
        assert_eq!((records, stated.to_string().as_str()), (rows, total), "{name}");
        assert_eq!(installation.quarantine(), "", "{name}");
    };
    check("focus/focus-1.0-202409.dev.csv", "USD", 508, "11.589980429");
    check(
        "azure-consumption/azure-usage-details-201710.dev.json",
        "USD",
        1_466,
        "345.959951411489999",
    );
    check(DETAILS, "USD", 172, "24.671829745339441");
    check("azure-exports/azure-ea-export-202309.dev.csv", "CAD", 15, "0.7430595617");
    check("oci/oci-cost-report-202311.dev.csv", "USD", 248, "1.427379622522897617");
    check("aws/aws-cur-202311.dev.csv", "USD", 642, "0.8212899306");
}
