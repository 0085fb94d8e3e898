//! Real files rated by us, by prices that the same file carries: each cost against the file's.

use crate::books::{Books, Schema, on_each_store};
use crate::in_process::{self, declare};
use crate::real_files::real_file;
use calendar::{BillingPeriod, Day, Instant, SetClock};
use domain::access::Caller;
use domain::ids::{BillingAccountId, SourceName};
use domain::rated::RatedRow;
use domain::resolve::Axis;
use importers::{Assumed, Compared, ImportError, ImportedRow, PriceScale, UsageFormat};
use money::{Cost, Currency, Fixed18, Rounding};
use service::{ChargeQuery, GroupBy, ImportOptions, Imported, Reckoner};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

/// One file of usage of one billing period.
struct File {
    name: &'static str,
    format: UsageFormat,
    currency: &'static str,
    period: &'static str,
}

/// A billing account whose price sheet is read from the file, and who pays for all of its rows.
fn company_file(file: &File, path: &Path, rows: &[ImportedRow]) -> String {
    let File { name: _, format, currency, period } = file;
    let mut text = format!(
        r#"
        [[billing_account]]
        id = "acme"
        name = "Acme"
        currency = "{currency}"
        region = "US"

        [[offer]]
        id = "agreed"
        name = "Agreed prices"
        has_rate_card = false

        [[price_list]]
        id = "sheet"
        billing_account = "acme"
        from = "{period}"
        currency = "{currency}"
        import = {{ format = "{}", file = '{}' }}

        [[source]]
        name = "vendor"
        billing_accounts = ["acme"]
        "#,
        format.name(),
        path.display(),
    );
    let subscriptions: BTreeSet<_> = rows.iter().map(|row| row.subscription.as_str()).collect();
    for id in subscriptions {
        text += &format!(
            r#"
            [[subscription]]
            id = "{id}"
            name = "{id}"
            placements = [{{ billing_account = "acme", offer = "agreed" }}]
            "#
        );
    }
    text
}

fn read(format: &UsageFormat, file: &Path, currency: Currency) -> Vec<ImportedRow> {
    let file = std::fs::File::open(file).expect("the file can be read");
    let assumed = Assumed { currency: Some(currency) };
    let rows = importers::read_usage(format.clone(), assumed, std::io::BufReader::new(file));
    rows.expect("the format").collect::<Result<_, ImportError>>().expect("no row is wrong")
}

async fn open(directory: &Path, schema: Option<&Schema>) -> Reckoner {
    let clock = SetClock::at(Instant::parse("2023-12-01T00:00:00Z").expect("a moment"));
    in_process::open(directory, schema, &clock, |_| {}).await
}

async fn import(reckoner: &Reckoner, rows: Vec<ImportedRow>) -> Imported {
    let options = ImportOptions {
        source: SourceName::new("vendor").expect("a name"),
        billing_account: None,
        days: None,
        axis: Axis::Usage,
        file: "usage".to_owned(),
        file_hash: String::new(),
    };
    let caller = Caller::Machine;
    let plans = reckoner.plan_import(&caller, &options, rows).await.expect("a plan");
    reckoner.import(&caller, &options, plans, "test", &|_, _| {}).await.expect("imported")
}

fn period(name: &str) -> Range<Day> {
    let period = BillingPeriod::parse(name).expect("a billing period");
    period.start().day()..period.end().day()
}

/// The rated rows of each record, by the record's id.
async fn rated(reckoner: &Reckoner, days: Range<Day>) -> BTreeMap<String, Vec<RatedRow>> {
    let account = BillingAccountId::new("acme").expect("an id");
    let explained = reckoner
        .explain_total(&Caller::Machine, &account, days, &[], usize::MAX)
        .await
        .expect("an explanation");
    let mut by_record: BTreeMap<String, Vec<RatedRow>> = BTreeMap::new();
    for row in explained.rows {
        let record = row.record.expect("each row stands for a record");
        by_record.entry(record.key.id.to_string()).or_default().push(row.row);
    }
    by_record
}

/// Each row of the file beside what we say.
fn compared(rows: &[ImportedRow], mut rated: BTreeMap<String, Vec<RatedRow>>) -> Vec<Compared> {
    let compare = |row: &ImportedRow| {
        let slices = rated.remove(&row.identity).expect("each row of the file is rated");
        let [slice] = slices.as_slice() else { panic!("line {}: {slices:?}", row.line) };
        Compared {
            line: row.line,
            quantity: slice.quantity,
            unit_price: slice.unit_price,
            stated: row.stated_cost.expect("the file says its costs"),
            ours: slice.cost,
        }
    };
    let compared = rows.iter().map(compare).collect();
    assert!(rated.is_empty(), "rated rows that the file does not have");
    compared
}

/// The total of all charges, as `query` shows it.
async fn queried(reckoner: &Reckoner, days: Range<Day>) -> Vec<Cost> {
    let query = ChargeQuery {
        billing_account: None,
        days,
        group_by: vec![GroupBy::Month],
        filters: Vec::new(),
        top: None,
    };
    let table = reckoner.charges(&Caller::Machine, &query).await.expect("an answer");
    table.rows.into_iter().map(|row| row.cost).collect()
}

/// Declares, imports, rates and reads back: each row beside what we say, and our total.
async fn whole_path(books: Books, file: &File) -> Option<(Vec<Compared>, Cost)> {
    let path = real_file(file.name)?;
    let rows = read(&file.format, &path, Currency::parse(file.currency).expect("a currency"));
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let reckoner = open(directory.path(), schema.as_ref()).await;
    declare(&reckoner, &company_file(file, &path, &rows)).await;
    let imported = import(&reckoner, rows.clone()).await;
    assert_eq!((imported.new, imported.quarantined), (rows.len() as u64, 0), "{}", file.name);
    let days = period(file.period);
    let compared = compared(&rows, rated(&reckoner, days.clone()).await);
    let totals = queried(&reckoner, days).await;
    let [total] = totals.as_slice() else { panic!("{}: {totals:?}", file.name) };
    reckoner.close().await.expect("closed");
    Some((compared, *total))
}

/// Checks how many rows of a file are equal and how many sums of parts, and the file's total.
async fn check(books: Books, file: File, equal: u64, sums_of_parts: usize, stated: &str) {
    let Some((compared, total)) = whole_path(books, &file).await else { return };
    let scale = PriceScale::of(&file.format);
    let result = importers::reconcile(compared, scale.cost_places).expect("totals in range");
    assert_eq!(result.different, Vec::<u64>::new(), "{}", file.name);
    assert_eq!((result.equal, result.sums_of_parts.len()), (equal, sums_of_parts));
    let totals = result.totals[&total.currency];
    assert_eq!(totals.stated, fixed(stated), "{}", file.name);
    assert_eq!(totals.ours, total.major, "{}", file.name);
}

fn fixed(text: &str) -> Fixed18 {
    Fixed18::parse(text).expect("a number")
}

on_each_store!(oci_rows_rated_by_us_cost_what_the_file_says_to_the_18th_place);
async fn oci_rows_rated_by_us_cost_what_the_file_says_to_the_18th_place(books: Books) {
    let file = File {
        name: "oci/oci-cost-report-202311.dev.csv",
        format: UsageFormat::OciCostReport,
        currency: "USD",
        period: "2023-11",
    };
    check(books, file, 248, 0, "1.427379622522897617").await;
}

on_each_store!(aws_rows_rated_by_us_cost_what_the_file_says_to_the_10th_place_or_are_sums_of_parts);
async fn aws_rows_rated_by_us_cost_what_the_file_says_to_the_10th_place_or_are_sums_of_parts(
    books: Books,
) {
    let file = File {
        name: "aws/aws-cur-202311.dev.csv",
        format: UsageFormat::AwsCur,
        currency: "USD",
        period: "2023-11",
    };
    // 585 rows of usage, and 6 of tax, which pass through.
    check(books, file, 591, 51, "0.8212899306").await;
}

on_each_store!(azure_rows_rated_by_us_cost_what_the_export_says_to_the_9th_place_but_two);
/// The export cuts its prices and costs, so its rows are equal to the 9th place at best.
async fn azure_rows_rated_by_us_cost_what_the_export_says_to_the_9th_place_but_two(books: Books) {
    let file = File {
        name: "azure-exports/azure-ea-export-202309.dev.csv",
        format: UsageFormat::AzureUsageDetailsCsv,
        currency: "CAD",
        period: "2023-09",
    };
    let Some((compared, total)) = whole_path(books, &file).await else { return };
    assert_eq!(total.major, fixed("0.743059561883658282"));
    let cut = |cost: Cost| cost.major.round(9, Rounding::HalfAwayFromZero).expect("in range");
    let differing: Vec<(String, String)> = compared
        .iter()
        .filter(|row| cut(row.stated) != cut(row.ours))
        .map(|row| (row.stated.major.to_string(), row.ours.major.to_string()))
        .collect();
    let expected = [("0.122099941", "0.122099945"), ("0.131532691", "0.13153268676256149")];
    assert_eq!(differing, expected.map(|(stated, ours)| (stated.to_owned(), ours.to_owned())));
    assert_eq!(compared.len(), 15);
}
