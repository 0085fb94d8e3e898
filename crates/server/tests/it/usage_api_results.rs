//! Results read again: by whoever asked, as often as they like, in the format that was asked for,
//! with the values that the callback had; and which options change what they say.

use crate::books::{Books, on_each_store};
use crate::program::Server;
use crate::usage_api_asking::{
    Asking, MISSING, QUERY, columns, made_key, number, query, rows, total, with_options, word,
};
use crate::usage_api_company::{SETTINGS, events, installation, months, send};
use crate::usage_api_receivers::{Manner, Receiver};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type};
use calendar::{BillingPeriod, Instant};
use money::Fixed18;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use reqwest::Method;
use serde_json::{Value, json};
use service::guarded;
use std::collections::BTreeSet;

/// What is asked here, of all three months.
const COLUMNS: [&str; 5] = ["MONTH", "SENDER", "CAMPAIGN_REFERENCE", "COUNTRY_NAME", "CAMPAIGN_ID"];

/// The same columns in files, with the measures.
const IN_FILES: [&str; 12] = [
    "account_name",
    "category_code",
    "month",
    "sender",
    "campaign_reference",
    "country_name",
    "campaign_id",
    "unit",
    "unit_price",
    "quantity",
    "total",
    "currency",
];

/// A company with usage of three months, and who asks for it.
struct Company {
    key: String,
    server: Server,
    // Gone last: the server runs on it.
    _installation: crate::installation::Installation,
}

impl Company {
    async fn new(books: Books) -> Company {
        let installation = installation(books);
        let gate = installation.key("gate");
        let server = installation.serve(&SETTINGS);
        send(&server, &gate, &events(11, 400)).await;
        let operator = installation.token(&server).await;
        let key = made_key(&server, &operator, &["charges:read"], &[]).await;
        Company { key, server, _installation: installation }
    }

    fn asking(&self) -> Asking<'_> {
        Asking::with_key(&self.server, &self.key)
    }
}

/// A query of the whole window.
fn whole(url: &str, names: &[&str]) -> Value {
    let [first, _, last] = months();
    let days = (first.start().day().to_string(), last.end().day().to_string());
    query(url, (&days.0, &days.1), names)
}

/// A query of the whole window whose result is picked up.
fn picked_up(names: &[&str], options: Value) -> Value {
    let mut query = with_options(whole("", names), options);
    query.as_object_mut().expect("an object").remove("callbackUrl");
    query
}

/// A row of a file: texts, and nothing where there is no value.
type Row = Vec<Option<String>>;

/// The rows of an answer as files have them: days and months without their first moment.
fn as_in_files(answer: &Value) -> Vec<Row> {
    let dated: Vec<bool> =
        columns(answer).iter().map(|name| matches!(*name, "DAY" | "MONTH")).collect();
    let cell = |(value, is_dated): (&Value, &bool)| match value {
        Value::String(text) if text == MISSING => None,
        Value::String(text) if *is_dated => Some(text[..7].to_owned()),
        Value::String(text) => Some(text.clone()),
        number => Some(self::number(number).to_string()),
    };
    let row = |row: &Value| row.as_array().expect("a row").iter().zip(&dated).map(cell).collect();
    rows(answer).iter().map(row).collect()
}

fn of_csv(bytes: &[u8]) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(bytes);
    assert_eq!(reader.headers().expect("columns").iter().collect::<Vec<_>>(), IN_FILES);
    let cell = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let row = |record: csv::StringRecord| record.iter().map(cell).collect();
    reader.records().map(|record| row(record.expect("a record"))).collect()
}

fn of_parquet(bytes: Vec<u8>) -> Vec<Row> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("result.parquet");
    std::fs::write(&path, bytes).expect("a file");
    let file = std::fs::File::open(path).expect("a file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
    let mut all = Vec::new();
    for batch in reader.build().expect("a reader") {
        let batch = batch.expect("rows");
        let schema = batch.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, IN_FILES);
        for row in 0..batch.num_rows() {
            all.push(batch.columns().iter().map(|column| told(column, row)).collect());
        }
    }
    all
}

fn told(column: &ArrayRef, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Decimal128(_, scale) => {
            let missing = 18 - u32::try_from(*scale).expect("a scale");
            let value = column.as_primitive::<Decimal128Type>().value(row);
            Fixed18::from_atoms(value * 10_i128.pow(missing)).to_string()
        }
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        other => panic!("no column is {other}"),
    })
}

on_each_store!(files_say_what_the_callback_says);
async fn files_say_what_the_callback_says(books: Books) {
    let company = Company::new(books).await;
    let (asking, receiver) = (company.asking(), Receiver::new().await);
    for format in ["json", "csv", "parquet"] {
        let url = receiver.url(format, &[Manner::Takes]);
        let query = with_options(whole(&url, &COLUMNS), json!({ "format": format }));
        let id = asking.submit(&query).await;
        let told = asking.settled(&id).await;
        assert_eq!(told["format"], format, "{told}");
        let called = receiver.wait(format, &[Manner::Takes], 1).await.remove(0);
        let answer: Value = serde_json::from_slice(&called.body).expect("JSON");
        let expected = as_in_files(&answer);
        assert!(!expected.is_empty(), "{answer}");
        assert_eq!(told["totalRows"], json!(expected.len()), "{told}");
        let (media, body) = asking.result(&id).await;
        // As often as one likes.
        assert!(asking.result(&id).await.1 == body, "{format}: another result");
        match format {
            "json" => {
                assert!(media.starts_with("application/json"), "{media}");
                assert!(body == called.body, "the callback brought other bytes");
            }
            "csv" => {
                assert!(media.starts_with("text/csv"), "{media}");
                let safe = |cell: Option<String>| cell.map(|text| guarded(&text));
                let is_measure = |place: usize| place >= IN_FILES.len() - 5;
                let row = |row: Row| -> Row {
                    let cells = row.into_iter().enumerate();
                    let safe = |(place, cell)| if is_measure(place) { cell } else { safe(cell) };
                    cells.map(safe).collect()
                };
                let expected: Vec<Row> = expected.into_iter().map(row).collect();
                assert!(expected.iter().flatten().flatten().any(|cell| cell.contains("cmd()")));
                assert_eq!(of_csv(&body), expected);
            }
            _ => {
                assert_eq!(media, "application/vnd.apache.parquet");
                assert_eq!(of_parquet(body), expected);
            }
        }
    }
    company.server.stop();
}

on_each_store!(what_was_asked_is_listed_youngest_first);
async fn what_was_asked_is_listed_youngest_first(books: Books) {
    let company = Company::new(books).await;
    let asking = company.asking();
    let mut ids = Vec::new();
    for _ in 0..5 {
        let id = asking.submit(&picked_up(&["MONTH"], json!({}))).await;
        asking.ended(&id).await;
        ids.insert(0, id);
    }
    let listed = async |query: &str| -> Vec<String> {
        let (status, told) = asking.ask(Method::GET, &format!("{QUERY}{query}"), None).await;
        assert_eq!(status, 200, "{query}: {told}");
        let all = told["queries"].as_array().unwrap_or_else(|| panic!("{told}")).iter();
        all.map(|one| word(one, "/requestId").to_owned()).collect()
    };
    assert_eq!(listed("").await, ids);
    assert_eq!(listed("?limit=2").await, ids[..2]);
    assert_eq!(listed(&format!("?limit=2&before={}", ids[1])).await, ids[2..4]);
    assert_eq!(listed("?status=SUCCESS").await, ids);
    assert_eq!(listed("?status=FAILED").await, [""; 0]);
    let (status, _) = asking.ask(Method::GET, &format!("{QUERY}?status=lost"), None).await;
    assert_eq!(status, 400);
    // Nothing was owed to anybody: there are no tries, and nothing to send again.
    let tail = |tail: &str| format!("{QUERY}/{}/{tail}", ids[0]);
    assert_eq!(asking.ask(Method::GET, &tail("attempts"), None).await.0, 404);
    assert_eq!(asking.ask(Method::POST, &tail("resend"), None).await.0, 409);
    company.server.stop();
}

on_each_store!(unrounded_totals_are_told_with_all_their_digits);
async fn unrounded_totals_are_told_with_all_their_digits(books: Books) {
    let company = Company::new(books).await;
    let asking = company.asking();
    let exact = asking.answer(&picked_up(&["SENDER"], json!({ "exactTotals": true }))).await;
    let rounded = asking.answer(&picked_up(&["SENDER"], json!({ "exactTotals": false }))).await;
    let places = |answer: &Value| {
        let at = columns(answer).iter().position(|name| *name == "TOTAL_PER_UNIT").expect("one");
        let digits = rows(answer).iter().map(|row| row[at].to_string());
        let places = digits.map(|text| text.split_once('.').map_or(0, |(_, part)| part.len()));
        places.max().expect("rows")
    };
    assert!(places(&exact) > 2, "{exact}");
    assert_eq!(places(&rounded), 2, "{rounded}");
    assert_eq!(exact["metadata"], rounded["metadata"]);
    company.server.stop();
}

on_each_store!(names_stand_for_ids_where_they_are_asked_for);
async fn names_stand_for_ids_where_they_are_asked_for(books: Books) {
    let company = Company::new(books).await;
    let asking = company.asking();
    let names = ["CAMPAIGN_ID", "TEMPLATE_ID"];
    let plain = asking.answer(&picked_up(&names, json!({}))).await;
    let kinds = |answer: &Value| -> Vec<String> {
        let columns = answer["response"]["columns"].as_array().expect("columns").iter();
        let own = columns.filter(|one| names.contains(&word(one, "/columnName")));
        own.map(|one| word(one, "/columnDataType").to_owned()).collect()
    };
    let cells = |answer: &Value| -> BTreeSet<String> {
        let at = columns(answer).iter().position(|name| *name == names[0]).expect("a column");
        let cells = rows(answer).iter().flat_map(|row| [row[at].clone(), row[at + 1].clone()]);
        cells.map(|cell| cell.to_string()).collect()
    };
    assert_eq!(kinds(&plain), ["INTEGER", "STRING"]);
    let ids = cells(&plain);
    for id in ["101", "102", "9007199254740993", "\"t-1\"", "\"t-2\"", "\"N/A\""] {
        assert!(ids.contains(id), "{id}: {ids:?}");
    }
    for when in ["period", "today"] {
        let named = asking.answer(&picked_up(&names, json!({ "resolveNames": when }))).await;
        assert_eq!(kinds(&named), ["STRING", "STRING"], "{when}");
        let cells = cells(&named);
        assert!(cells.contains("\"Spring\"") && cells.contains("\"Welcome\""), "{cells:?}");
        // What has no name keeps its id.
        assert!(cells.contains("\"102\"") && cells.contains("\"t-2\""), "{cells:?}");
        assert!(!cells.contains("101") && !cells.contains("\"t-1\""), "{cells:?}");
        assert_eq!(total(&named), total(&plain), "{when}");
        assert_eq!(rows(&named).len(), rows(&plain).len(), "{when}: names split nothing");
    }
    company.server.stop();
}

/// Time zones, and the moment at which the day of a moment begins in them. Those of the south and
/// of half hours, and where clocks change.
const ZONES: [&str; 5] =
    ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Chatham", "UTC"];

on_each_store!(days_of_other_time_zones_come_to_the_same_sum);
async fn days_of_other_time_zones_come_to_the_same_sum(books: Books) {
    let company = Company::new(books).await;
    let asking = company.asking();
    let [first, middle, _] = months();
    // A week that lies within what is kept, in any zone.
    let days = (first.start().plus_seconds(20 * 86_400).day(), middle.end().day());
    let days = (days.0.to_string(), days.1.to_string());
    for zone in ZONES {
        let ask = async |names: &[&str]| {
            let mut asked = picked_up(names, json!({ "timeZone": zone, "exactTotals": true }));
            asked["request"]["filterBy"]["dateInterval"] =
                json!({ "sentSince": days.0, "sentUntil": days.1 });
            asking.answer(&asked).await
        };
        let (by_day, whole) = (ask(&["DAY"]).await, ask(&["CATEGORY_CODE"]).await);
        assert_eq!(total(&by_day), total(&whole), "{zone}");
        let period = &by_day["response"]["requestedPeriod"];
        let since = word(period, "/sentSince").replace("+0000", "Z");
        let since = Instant::parse(&since).expect("a moment");
        let is_midnight = since.is_midnight();
        assert_eq!(is_midnight, zone == "UTC", "{zone}: {period}");
        let told: BTreeSet<&str> = {
            let at = columns(&by_day).iter().position(|name| *name == "DAY").expect("days");
            rows(&by_day).iter().map(|row| row[at].as_str().expect("a day")).collect()
        };
        let within = told
            .iter()
            .all(|day| day.ends_with("T00:00:00") && **day >= *days.0 && day[..10] < *days.1);
        assert!(within && told.len() > 20, "{zone}: {told:?}");
    }
    company.server.stop();
}

on_each_store!(months_are_brought_out_to_whole_ones_only_where_days_are_not_asked_for);
async fn months_are_brought_out_to_whole_ones_only_where_days_are_not_asked_for(books: Books) {
    let company = Company::new(books).await;
    let asking = company.asking();
    let [_, middle, _] = months();
    let day = |nth: i64| middle.start().plus_seconds(nth * 86_400).day().to_string();
    let check = async |names: &[&str], asked: (&str, &str), expected: (&str, &str)| {
        let mut query = picked_up(names, json!({}));
        query["request"]["filterBy"]["dateInterval"] =
            json!({ "sentSince": asked.0, "sentUntil": asked.1 });
        let answer = asking.answer(&query).await;
        let period = |days: (&str, &str)| {
            let moment = |day: &str| format!("{day}T00:00:00.000+0000");
            json!({ "sentSince": moment(days.0), "sentUntil": moment(days.1) })
        };
        assert_eq!(answer["response"]["requestedPeriod"], period(expected), "{names:?} {asked:?}");
        assert_eq!(answer["metadata"]["clientRequestedPeriod"], period(asked), "{names:?}");
    };
    let (tenth, twelfth) = (day(9), day(11));
    let (start, end) = (middle.start().day().to_string(), middle.end().day().to_string());
    let last = BillingPeriod::of(middle.end()).end().day().to_string();
    check(&["MONTH"], (&tenth, &twelfth), (&start, &end)).await;
    check(&["MONTH"], (&start, &end), (&start, &end)).await;
    check(&["MONTH"], (&tenth, &end), (&start, &end)).await;
    let beyond = middle.end().plus_seconds(86_400).day().to_string();
    check(&["MONTH"], (&tenth, &beyond), (&start, &last)).await;
    check(&["SENDER"], (&tenth, &twelfth), (&tenth, &twelfth)).await;
    check(&["DAY"], (&tenth, &twelfth), (&tenth, &twelfth)).await;
    check(&["MONTH", "DAY"], (&tenth, &twelfth), (&tenth, &twelfth)).await;
    company.server.stop();
}
