//! Usage details of an enrollment: in every form they come to its balance; pages lose nothing; what
//! is exported is read by a link, for an hour and by nobody else.

use crate::books::{Books, on_each_store};
use crate::closing::{House, account, moment};
use crate::in_process;
use crate::installation::{FLAT, Installation, shop};
use crate::program::{Server, from_environment, now};
use calendar::{BillingPeriod, MICROS_PER_DAY};
use domain::access::{Caller, EnterpriseGrant, Scope};
use domain::ids::{PlaceId, PrincipalId};
use domain::places::{Level, Place, PlaceKey};
use money::Fixed18;
use reqwest::Response;
use serde_json::{Value, json};
use service::{
    DetailSpan, DetailsAsked, Reckoner, UsageExportFile, UsageExportStanding, UsageExportTold,
    guarded,
};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The columns of the CSV, in the order of the contract.
const COLUMNS: &str = "AccountId,AccountName,AccountOwnerEmail,AdditionalInfo,ConsumedQuantity,\
    ConsumedService,ConsumedServiceId,Cost,CostCenter,Date,DepartmentId,DepartmentName,InstanceId,\
    MeterCategory,MeterId,MeterName,MeterRegion,MeterSubCategory,Product,ProductId,ResourceGroup,\
    ResourceLocation,ResourceLocationId,ResourceRate,ServiceAdministratorId,ServiceInfo1,\
    ServiceInfo2,StoreServiceIdentifier,SubscriptionGuid,SubscriptionId,SubscriptionName,Tags,\
    UnitOfMeasure,PartNumber,ResourceGuid,OfferId,ChargesBilledSeparately,Location,ServiceName,\
    ServiceTier";

async fn get(server: &Server, key: &str, url: &str) -> Response {
    server.client.get(url).bearer_auth(key).send().await.expect("an answer")
}

async fn read(server: &Server, key: &str, url: &str) -> Value {
    let answer = get(server, key, url).await;
    assert_eq!(answer.status(), 200, "{url}");
    answer.json().await.expect("JSON")
}

/// Reads pages to their end; gives the rows and how many pages there were.
async fn walk(server: &Server, key: &str, url: &str) -> (Vec<Value>, u64) {
    let (mut rows, mut pages, mut next) = (Vec::new(), 0, Some(url.to_owned()));
    while let Some(url) = next {
        let page = read(server, key, &url).await;
        assert!(page["id"].is_string(), "{url}");
        rows.extend(page["data"].as_array().expect("rows").iter().cloned());
        pages += 1;
        next = page["nextLink"].as_str().map(str::to_owned);
    }
    (rows, pages)
}

fn number(value: &Value) -> Fixed18 {
    Fixed18::parse(&value.to_string()).unwrap_or_else(|_| panic!("{value} is no number"))
}

fn sum<'a>(numbers: impl IntoIterator<Item = &'a Value>) -> Fixed18 {
    Fixed18::checked_sum(numbers.into_iter().map(number)).expect("small")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// A cell as CSV has the value of a member.
fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => guarded(text),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}

/// The member of a column.
fn member(column: &str) -> String {
    let (first, rest) = column.split_at(1);
    format!("{}{rest}", first.to_ascii_lowercase())
}

/// Reads a file as any reader of CSV does, behind two lines: its cells must be those of the rows.
fn check_csv(bytes: &[u8], title: &str, rows: &[Value]) {
    let file = std::str::from_utf8(bytes).expect("UTF-8");
    let (head, table) = file.split_once("\r\n\r\n").expect("a blank line");
    assert_eq!(head, format!("\u{feff}{title}"));
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let columns = reader.headers().expect("columns").clone();
    assert_eq!(columns.iter().collect::<Vec<_>>().join(","), COLUMNS);
    let records: Vec<csv::StringRecord> =
        reader.records().collect::<Result<_, _>>().expect("records");
    assert_eq!(records.len(), rows.len(), "{title}");
    for (record, row) in records.iter().zip(rows) {
        for (column, found) in columns.iter().zip(record) {
            assert_eq!(found, cell(&row[member(column)]), "{column} of {row}");
        }
    }
}

/// The enrollment of the demo, which opens with a key.
struct Enrollment<'a> {
    server: &'a Server,
    key: String,
    number: String,
}

impl Enrollment<'_> {
    fn of(server: &Server) -> Enrollment<'_> {
        let (key, number) =
            (server.told("enterprise.api_key"), server.told("enterprise.enrollment"));
        Enrollment { server, key, number }
    }

    fn url(&self, version: &str, report: &str) -> String {
        let Enrollment { server, number, .. } = self;
        format!("{}/{version}/enrollments/{number}/{report}", server.told("base_url"))
    }

    async fn walk(&self, version: &str, report: &str) -> (Vec<Value>, u64) {
        walk(self.server, &self.key, &self.url(version, report)).await
    }

    async fn file(&self, report: &str) -> Vec<u8> {
        let answer = get(self.server, &self.key, &self.url("v3", report)).await;
        assert_eq!(answer.status(), 200, "{report}");
        assert_eq!(answer.headers()["content-type"], "application/octet-stream");
        assert!(answer.headers().get("content-length").is_none(), "it is made while it is read");
        answer.bytes().await.expect("bytes").to_vec()
    }

    /// Billing periods that have both usage and a balance.
    async fn periods(&self) -> Vec<String> {
        let listed = read(self.server, &self.key, &self.url("v3", "billingperiods")).await;
        let listed = listed.as_array().expect("periods").iter();
        let has = |period: &&Value| {
            period["usageDetails"].is_string() && period["balanceSummary"].is_string()
        };
        listed.filter(has).map(|period| text(period, "billingPeriodId").to_owned()).collect()
    }
}

async fn details_come_to_the_total_usage_in_every_form(books: Books) {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, schema) = (directory.path().join("data"), books.schema());
    let settings = [
        ("RECKONER_LIMITS__PAGE_ROWS", "200"),
        ("RECKONER_LIMITS__REQUEST_BURST", "100000"),
        ("RECKONER_LIMITS__REQUESTS_PER_SECOND", "100000"),
    ];
    let server = Server::demo(&data, schema.as_ref(), &settings);
    let enrollment = Enrollment::of(&server);
    let periods = enrollment.periods().await;
    assert!(periods.len() > 2, "{periods:?}");
    let mut several = 0;
    for period in &periods {
        let of_period = format!("billingPeriods/{period}/usagedetails");
        let balance = enrollment.url("v2", &format!("billingperiods/{period}/balanceSummary"));
        let balance = read(&server, &enrollment.key, &balance).await;
        let mut last = Vec::new();
        for version in ["v1", "v2", "v3"] {
            let (rows, pages) = enrollment.walk(version, &of_period).await;
            several += u64::from(pages > 1);
            let costs = sum(rows.iter().map(|row| &row["cost"]));
            assert_eq!(costs, number(&balance["totalUsage"]), "{version} {period}");
            let is_first = version == "v1";
            for row in &rows {
                assert_eq!(row.get("extendedCost"), is_first.then(|| &row["cost"]), "{row}");
                assert_eq!(row.get("enrollmentNumber").is_some(), is_first, "{row}");
                assert_eq!(row.get("serviceName").is_some(), version == "v3", "{row}");
            }
            last = rows;
        }
        let separate = last.iter().filter(|row| row["chargesBilledSeparately"] == true);
        let separate = sum(separate.map(|row| &row["cost"]));
        assert_eq!(separate, number(&balance["chargesBilledSeparately"]), "{period}");
        let file = enrollment.file(&format!("usagedetails/download?billingPeriod={period}")).await;
        check_csv(&file, &format!("Usage details of billing period {period}"), &last);
    }
    assert!(several > 0, "no walk had several pages");

    // Days of several billing periods are what these have.
    let closed = &server.context["periods"]["closed"];
    let (first, second) = (closed[0].as_str().expect("one"), closed[1].as_str().expect("one"));
    let both: BTreeSet<&str> = [first, second].into();
    let (start, end) = (both.first().expect("one"), both.last().expect("one"));
    let start = BillingPeriod::parse(start).expect("a period").start().day();
    let end = BillingPeriod::parse(end).expect("a period").end().plus_micros(-1).day();
    let days = format!("usagedetailsbycustomdate?startTime={start}&endTime={end}");
    let (rows, _) = enrollment.walk("v3", &days).await;
    let mut one_by_one = Vec::new();
    for period in &both {
        let report = format!("billingperiods/{period}/usagedetails");
        one_by_one.extend(enrollment.walk("v3", &report).await.0);
    }
    assert_eq!(rows, one_by_one);
    server.stop();
}

on_each_store!(details_come_to_the_total_usage_in_every_form);

async fn what_has_not_changed_is_not_told_again(books: Books) {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, schema) = (directory.path().join("data"), books.schema());
    let server = Server::demo(&data, schema.as_ref(), &[]);
    let enrollment = Enrollment::of(&server);
    let closed = server.context["periods"]["closed"][0].as_str().expect("a period").to_owned();
    let download = format!("usagedetails/download?billingPeriod={closed}");
    let mut tags = BTreeSet::new();
    for report in [format!("billingperiods/{closed}/usagedetails"), download] {
        let url = enrollment.url("v3", &report);
        let answer = get(&server, &enrollment.key, &url).await;
        let tag = answer.headers()["etag"].to_str().expect("a tag").to_owned();
        let request = server.client.get(&url).bearer_auth(&enrollment.key);
        let again = request.header("If-None-Match", &tag).send().await.expect("an answer");
        assert_eq!(
            (again.status().as_u16(), &again.headers()["etag"]),
            (304, &answer.headers()["etag"])
        );
        assert_eq!(again.bytes().await.expect("bytes").len(), 0, "{report}");
        let request = server.client.get(&url).bearer_auth(&enrollment.key);
        let other = request.header("If-None-Match", "\"other\"").send().await.expect("an answer");
        assert_eq!(other.status(), 200, "{report}");
        tags.insert(tag);
    }
    assert_eq!(tags.len(), 2, "each report has a tag of its own");
    server.stop();
}

on_each_store!(what_has_not_changed_is_not_told_again);

/// The job when it has ended.
async fn ended(server: &Server, key: &str, job: &Value) -> Value {
    for _ in 0..3_000 {
        let told = read(server, key, text(job, "reportUrl")).await;
        match told["status"].as_u64().expect("a number") {
            1 | 2 => tokio::time::sleep(Duration::from_millis(100)).await,
            _ => return told,
        }
    }
    panic!("{job} does not end");
}

async fn an_export_is_submitted_polled_and_read_without_a_key(books: Books) {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, schema) = (directory.path().join("data"), books.schema());
    let server = Server::demo(&data, schema.as_ref(), &[]);
    let enrollment = Enrollment::of(&server);
    let closed = server.context["periods"]["closed"][0].as_str().expect("a period").to_owned();
    let period = BillingPeriod::parse(&closed).expect("a period");
    let submit = enrollment.url("v3", &format!("UsageDetails/Submit?billingPeriod={closed}"));
    let answer = server.client.post(submit).bearer_auth(&enrollment.key).send().await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), 202);
    let job: Value = answer.json().await.expect("JSON");
    assert_eq!((&job["status"], &job["blobPath"]), (&json!(1), &json!("")));

    let told = ended(&server, &enrollment.key, &job).await;
    assert_eq!(told["status"], 3);
    for name in ["id", "enrollmentNumber", "requestedOn", "reportUrl", "startDate", "endDate"] {
        assert_eq!(told[name], job[name], "{name}");
    }
    assert_eq!(text(&told, "enrollmentNumber"), enrollment.number);
    let (first, last) = (period.start().day(), period.end().plus_micros(-1).day());
    assert_eq!(text(&told, "startDate"), format!("{first}T00:00:00"));
    assert_eq!(text(&told, "endDate"), format!("{last}T00:00:00"));
    let (_, fraction) = text(&told, "requestedOn").split_once('.').expect("a fraction");
    assert_eq!((fraction.len(), fraction.ends_with('Z')), (8, true), "{told}");

    let link = text(&told, "blobPath");
    let answer = server.client.get(link).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/octet-stream");
    let exported = answer.bytes().await.expect("bytes").to_vec();
    let download = format!("usagedetails/download?billingPeriod={closed}");
    assert!(exported == enrollment.file(&download).await, "both files are the same");

    // Nobody else is told of it, and no other link opens it.
    let (other, _) = link.split_once("signature=").expect("a signature");
    for other in [other.to_owned(), link.replace("signature=", "signature=00")] {
        let answer = server.client.get(other).send().await.expect("an answer");
        assert_eq!(answer.status(), 403);
    }
    let unknown = text(&told, "reportUrl").replace(text(&told, "id"), &"0".repeat(32));
    let department = server.told("enterprise.department_key");
    let cases = [(&department, text(&told, "reportUrl")), (&enrollment.key, unknown.as_str())];
    for (key, url) in cases {
        let answer = get(&server, key, url).await;
        assert_eq!(answer.status(), 404, "{url}");
        let body: Value = answer.json().await.expect("JSON");
        assert!(text(&body["error"], "message").starts_with("report `"), "{body}");
    }
    server.stop();
}

on_each_store!(an_export_is_submitted_polled_and_read_without_a_key);

async fn what_cannot_be_asked_is_refused_with_its_field(books: Books) {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, schema) = (directory.path().join("data"), books.schema());
    let server = Server::demo(&data, schema.as_ref(), &[]);
    let enrollment = Enrollment::of(&server);
    let check = async |verb: &str, version: &str, report: &str, status: u16, words: &str| {
        let url = enrollment.url(version, report);
        let request = if verb == "POST" { server.client.post(url) } else { server.client.get(url) };
        let answer = request.bearer_auth(&enrollment.key).send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{verb} {version} {report}");
        let body: Value = answer.json().await.expect("JSON");
        let message = text(&body["error"], "message");
        assert!(message.starts_with(words), "{verb} {version} {report}: {message}");
    };
    let days = "usagedetailsbycustomdate";
    let download = "usagedetails/download";
    let submit = "usagedetails/submit";
    let years = "startTime=2015-01-01&endTime=2018-01-01";
    let more_than_month = "startTime=2026-01-01&endTime=2026-02-01";
    for report in [days, download, submit] {
        let verb = if report == submit { "POST" } else { "GET" };
        let asked = async |query: &str, words: &str| {
            check(verb, "v3", &format!("{report}?{query}"), 400, words).await;
        };
        asked(years, "endTime: must lie within").await;
        asked("startTime=2026-02-02&endTime=2026-02-01", "endTime: must not lie before").await;
        asked("startTime=2014-04-30&endTime=2014-05-01", "startTime: there is no data").await;
        asked("startTime=2026-2-1&endTime=2026-02-02", "startTime: `2026-2-1` is not a day").await;
        asked("startTime=2026-02-01", "endTime: must be given").await;
    }
    let month = format!("{download}?{more_than_month}");
    check("GET", "v3", &month, 400, "endTime: must lie within 1 months").await;
    for (verb, report) in [("GET", download), ("POST", submit)] {
        check(verb, "v1", report, 404, "nothing is served at").await;
        check(verb, "v4", report, 404, "nothing is served at").await;
        let period = format!("{report}?billingPeriod=2026-01");
        check(verb, "v3", &period, 400, "billingPeriod: `2026-01` is not six digits").await;
        let both = format!("{report}?billingPeriod=201501&startTime=2015-01-01&endTime=2015-01-02");
        check(verb, "v2", &both, 400, "billingPeriod: stands for itself").await;
    }
    check("GET", "v3", "usagedetails?$skiptoken=x", 400, "$skiptoken: ").await;
    check("GET", "v4", "usagedetails", 404, "nothing is served at").await;
    check("GET", "v3", "billingperiods/205001/usagedetails", 404, "billing period `205001`").await;
    check("POST", "v3", "usagedetails", 405, "`POST` is not served").await;
    server.stop();
}

on_each_store!(what_cannot_be_asked_is_refused_with_its_field);

const SUBSCRIPTION: &str = "5b0d1e9a-0000-4000-8000-000000000001";
/// Details of a page, where there are many.
const PAGE: u64 = 250;
/// Meters of many machines: the records of one are rated together.
const METERS: u64 = 40;
/// Memory for all that may happen while details are read, however many there are.
const MEMORY_MOST_BYTES: u64 = 64 << 20;

/// An enrollment whose shop stands in a laboratory of a department.
const ENROLLED: &str = r#"
[[legal_entity]]
id = "reck"
name = "Reckoner Example"
trade = "sells"
country = "US"

[[billing_terms]]
billing_account = "acme"
seller = "reck"
currency = "USD"
approval = "by_rule"

[[tax_rate]]
seller = "reck"
category = "standard"
rate = "0.19"

[[agreement]]
billing_account = "acme"
type = "enterprise agreement"

[agreement.enrollment]
start = 2020-01-01T00:00:00Z
end = 2039-01-01T00:00:00Z
currency = "USD"
country = "US"

[[department]]
billing_account = "acme"
id = "d1"
name = "First"

[[department]]
billing_account = "acme"
id = "d2"
name = "Second"

[[enrollment_account]]
billing_account = "acme"
id = "lab"
name = "Laboratory"
department = "d1"
"#;

const PLACED: &str = r#"placements = [{ billing_account = "acme", offer = "metered" }]"#;
const STANDS: &str = r#"standings = [
    { place = { billing_account = "acme", level = "enrollment account", id = "lab" } },
]"#;

/// The meters of many machines, beside the shop's own.
fn many_meters() -> (String, String) {
    let price = |id| format!(r#"{{ meter = "hours-{id}", model = {{ per_unit = "0.1" }} }}"#);
    let meter = |id| {
        format!(
            "\n[[meter]]\nid = \"hours-{id}\"\nname = \"Hours {id}\"\ncategory = \"Calls\"\n\
             unit = \"1 Hour\"\n"
        )
    };
    let prices: Vec<String> = (0..METERS).map(price).collect();
    (prices.join(", "), (0..METERS).map(meter).collect())
}

/// A second's use of one machine: on any day that this month has had, by any meter.
fn event(machine: u64) -> String {
    let month = BillingPeriod::of(now()).start();
    let days = u64::try_from((now().seconds() - month.seconds()) / 86_400).expect("days");
    let day = machine / METERS % (days + 1);
    let start = month.plus_seconds(i64::try_from(day).expect("a day") * 86_400);
    let event = json!({
        "id": format!("e-{machine}"),
        "source": "gate",
        "subscription": SUBSCRIPTION,
        "resource": format!("machine-{machine}"),
        "meter": format!("hours-{}", machine % METERS),
        "quantity": "1",
        "start": start.to_string(),
        "end": start.plus_seconds(1).to_string(),
    });
    event.to_string()
}

async fn send(server: &Server, key: &str, machines: std::ops::Range<u64>) {
    let count = machines.end - machines.start;
    let body = machines.map(event).collect::<Vec<_>>().join("\n");
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let request = server.client.post(url).bearer_auth(key);
    let request = request.header("content-type", "application/x-ndjson").body(body);
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    let verdicts = answer["verdicts"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(verdicts.len() as u64, count);
    assert!(verdicts.iter().all(|verdict| verdict["verdict"] == "accepted"), "{answer}");
}

/// A key of the enrollment.
async fn enterprise_key(installation: &Installation, server: &Server) -> String {
    let token = installation.token(server).await;
    let url = format!("{}/enterprise-keys", server.told("admin.url"));
    let wanted = json!({ "billing_account": "acme", "slot": "primary" });
    let answer = server.client.post(url).bearer_auth(token).json(&wanted).send().await;
    let made: Value = answer.expect("an answer").json().await.expect("JSON");
    text(&made, "key").to_owned()
}

/// Walks over all pages; gives the machines of usage, and how many pages there were.
async fn machines(server: &Server, key: &str, url: &str) -> (Vec<String>, u64) {
    let (mut machines, mut pages, mut next) = (Vec::new(), 0, Some(url.to_owned()));
    while let Some(url) = next {
        let page = read(server, key, &url).await;
        let rows = page["data"].as_array().expect("rows");
        assert!(rows.len() as u64 <= PAGE, "{} rows on a page", rows.len());
        let of_usage = rows.iter().map(|row| text(row, "instanceId")).filter(|one| !one.is_empty());
        machines.extend(of_usage.map(str::to_owned));
        pages += 1;
        next = page["nextLink"].as_str().map(str::to_owned);
    }
    (machines, pages)
}

/// Each of the first machines is there, and none twice.
fn check_machines(machines: &[String], count: u64) {
    let distinct: BTreeSet<&str> = machines.iter().map(String::as_str).collect();
    assert_eq!(distinct.len(), machines.len(), "a detail was told twice");
    let missing = (0..count).find(|at| !distinct.contains(format!("machine-{at}").as_str()));
    assert_eq!(missing, None, "a detail was lost");
}

async fn no_detail_is_lost_or_told_twice_while_usage_arrives(books: Books) {
    let count = from_environment("RECKONER_DETAILS", 3_000);
    let (prices, meters) = many_meters();
    let declared =
        shop(&[FLAT, &prices].join(", ")).replace(PLACED, &format!("{PLACED}\n{STANDS}"));
    let declared = [declared.as_str(), ENROLLED, &meters].concat();
    let installation = Installation::new(books, "USD", &declared);
    let key = installation.key("gate");
    let (page, tail) = (PAGE.to_string(), (count / 50).to_string());
    let server = installation.serve(&[
        ("RECKONER_LIMITS__PAGE_ROWS", page.as_str()),
        ("RECKONER_LIMITS__TAIL_RECORDS", tail.as_str()),
        ("RECKONER_LIMITS__REQUEST_BURST", "1000000"),
        ("RECKONER_LIMITS__REQUESTS_PER_SECOND", "1000000"),
    ]);
    let enterprise = enterprise_key(&installation, &server).await;
    for from in (0..count).step_by(5_000) {
        send(&server, &key, from..(from + 5_000).min(count)).await;
    }
    let url = |report: &str| format!("{}/v3/enrollments/acme/{report}", server.told("base_url"));
    // Makes the data set; what that needs once is not the pages'.
    read(&server, &enterprise, &url("usagedetails")).await;
    let before = server.most_memory_bytes();
    let (walked, sent) = (AtomicBool::new(false), AtomicU64::new(count));
    let writing = async {
        while !walked.load(Ordering::Relaxed) {
            let from = sent.load(Ordering::Relaxed);
            send(&server, &key, from..from + 25).await;
            sent.store(from + 25, Ordering::Relaxed);
        }
    };
    let first = url("usagedetails");
    let walking = async {
        let walk = machines(&server, &enterprise, &first).await;
        walked.store(true, Ordering::Relaxed);
        walk
    };
    let ((found, pages), ()) = tokio::join!(walking, writing);
    check_machines(&found, count);
    assert!(pages >= count / PAGE, "{pages} pages");
    assert!(sent.load(Ordering::Relaxed) > count, "nothing arrived meanwhile");

    let file = get(&server, &enterprise, &url("usagedetails/download")).await;
    let file = file.bytes().await.expect("bytes");
    let file = std::str::from_utf8(&file).expect("UTF-8");
    let (_, table) = file.split_once("\r\n\r\n").expect("a blank line");
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let at = COLUMNS.split(',').position(|column| column == "InstanceId").expect("a column");
    let of_file = reader.records().map(|record| record.expect("a record")[at].to_owned());
    let of_file: Vec<String> = of_file.filter(|machine| !machine.is_empty()).collect();
    check_machines(&of_file, count);
    if count >= 100_000 {
        let grown = server.most_memory_bytes() - before;
        assert!(grown < MEMORY_MOST_BYTES, "{grown} bytes more for {count} details");
    }
    server.stop();
}

on_each_store!(no_detail_is_lost_or_told_twice_while_usage_arrives);

fn holder(key_id: &str, scope: Scope) -> Caller {
    let principal = PrincipalId::new("ida").expect("an id");
    Caller::Enterprise(EnterpriseGrant { key_id: key_id.to_owned(), principal, scope })
}

fn of_enrollment() -> Scope {
    Scope::Account(account("acme"))
}

fn of_place(level: Level, id: &str) -> Scope {
    let key = PlaceKey { level, id: PlaceId::new(id).expect("an id") };
    Scope::Place(Place { billing_account: account("acme"), key })
}

fn of_department(id: &str) -> Scope {
    of_place(Level::Department, id)
}

fn of(period: &str) -> DetailSpan {
    DetailSpan::Period(BillingPeriod::parse(period).expect("a period"))
}

async fn submit(reckoner: &Reckoner, caller: &Caller, period: &str) -> UsageExportTold {
    reckoner.submit_usage_export(caller, of(period), "test").await.expect("submitted")
}

async fn standing(reckoner: &Reckoner, caller: &Caller, id: &str) -> UsageExportStanding {
    reckoner.usage_export(caller, id).await.expect("told").standing
}

/// Quantities of what a link leads to.
async fn quantities(reckoner: &Reckoner, file: UsageExportFile) -> Vec<String> {
    let UsageExportFile { caller, billing_account: _, asked, token } = file;
    let (mut found, mut next) = (Vec::new(), Some(token));
    while let Some(token) = next {
        let page = reckoner.details_page(&caller, &asked, Some(&token), 1).await.expect("a page");
        let usage = page.details.iter().filter(|told| !told.quantity.is_zero());
        found.extend(usage.map(|told| told.quantity.to_string()));
        next = page.next;
    }
    found
}

/// May has usage in the laboratory; it is the fifth of June.
async fn house(books: Books, most: u64) -> House {
    house_with(books, most, "").await
}

/// The same with policies of the enrollment.
async fn house_with(books: Books, most: u64, policies: &str) -> House {
    let house = House::with(books, |config| config.limits.usage_exports = most).await;
    let shop = format!("[[subscription]]\nid = \"shop\"\nname = \"Shop\"\n{PLACED}\n{STANDS}\n");
    let agreement = ENROLLED.find("[[agreement]]").expect("an agreement");
    let enrollment = "[agreement.enrollment]\n";
    let enrolled = ENROLLED[agreement..].replace(enrollment, &format!("{enrollment}{policies}"));
    in_process::declare(&house.reckoner, &[enrolled, shop].concat()).await;
    house.send(&["1 acme shop hours 7.5 2026-05-01", "2 acme shop hours 2 2026-05-20"]).await;
    house
}

async fn an_export_lives_through_a_restart_and_its_link_for_an_hour(books: Books) {
    let house = house(books, 100).await;
    let asked_at = moment("2026-06-05T12:00:00Z");
    let owner = holder("k1", of_enrollment());
    let told = submit(&house.reckoner, &owner, "2026-05").await;
    assert_eq!((told.standing, told.requested_at), (UsageExportStanding::Queued, asked_at));
    let house = house.reopened().await;
    let reckoner = &house.reckoner;
    assert_eq!(standing(reckoner, &owner, &told.id).await, UsageExportStanding::Queued);
    assert_eq!(reckoner.carry_out_usage_exports().await.expect("carried out"), 1);
    assert_eq!(standing(reckoner, &owner, &told.id).await, UsageExportStanding::Completed);
    let link = reckoner.usage_export_link(&told);

    // The hour counts from when it was asked for, and a restart changes nothing.
    let house = house.reopened().await;
    let reckoner = &house.reckoner;
    house.send(&["3 acme shop hours 1 2026-05-21"]).await;
    house.clock.set(asked_at.plus_seconds(3_599));
    assert_eq!(reckoner.usage_export_link(&told), link);
    let file = reckoner.usage_export_file(&told.id, &link).await.expect("a file");
    assert_eq!(quantities(reckoner, file).await, ["7.5", "2"], "as it was made ready");
    house.clock.set(asked_at.plus_seconds(3_600));
    let refused = reckoner.usage_export_file(&told.id, &link).await.expect_err("refused");
    assert_eq!(refused.kind(), domain::Kind::Unauthenticated, "{refused}");
    let refused = reckoner.usage_export_link(&told);
    assert!(reckoner.usage_export_file(&told.id, &refused).await.is_err(), "no new link either");

    // Another key of the same owner is told of it; nobody else, as of what is not there.
    assert_eq!(
        standing(reckoner, &holder("k2", of_enrollment()), &told.id).await,
        UsageExportStanding::Completed
    );
    let missing = format!("report `{}` does not exist", told.id);
    let others = [
        holder("k1", of_department("d1")),
        holder("k1", Scope::Account(account("globex"))),
        Caller::Machine,
    ];
    for other in &others {
        let refused = reckoner.usage_export(other, &told.id).await.expect_err("refused");
        assert_eq!(refused.to_string(), missing);
    }
    // A day later it is forgotten, with the next one that is asked for.
    house.clock.set(asked_at.plus_micros(MICROS_PER_DAY).plus_seconds(1));
    submit(reckoner, &owner, "2026-05").await;
    assert_eq!(
        reckoner.usage_export(&owner, &told.id).await.expect_err("gone").to_string(),
        missing
    );
}

on_each_store!(an_export_lives_through_a_restart_and_its_link_for_an_hour);

async fn an_export_says_what_became_of_it(books: Books) {
    let house = house(books, 100).await;
    let (reckoner, asked_at) = (&house.reckoner, moment("2026-06-05T12:00:00Z"));
    let check = async |scope: Scope, period: &str, expected: UsageExportStanding| {
        let owner = holder("k1", scope);
        let told = submit(reckoner, &owner, period).await;
        assert_eq!(reckoner.carry_out_usage_exports().await.expect("carried out"), 1);
        assert_eq!(standing(reckoner, &owner, &told.id).await, expected, "{period}");
    };
    check(of_enrollment(), "2026-05", UsageExportStanding::Completed).await;
    check(of_department("d1"), "2026-05", UsageExportStanding::Completed).await;
    check(of_department("d2"), "2026-05", UsageExportStanding::Empty).await;
    check(of_enrollment(), "2026-04", UsageExportStanding::Empty).await;
    let owner = holder("k1", of_enrollment());
    let late = submit(reckoner, &owner, "2026-05").await;
    house.clock.set(asked_at.plus_seconds(3_600));
    assert_eq!(standing(reckoner, &owner, &late.id).await, UsageExportStanding::TimedOut);
    assert_eq!(reckoner.carry_out_usage_exports().await.expect("carried out"), 0);
    assert_eq!(standing(reckoner, &owner, &late.id).await, UsageExportStanding::TimedOut);
}

on_each_store!(an_export_says_what_became_of_it);

async fn a_key_asks_for_so_many_exports_within_an_hour(books: Books) {
    let house = house(books, 2).await;
    let (reckoner, owner) = (&house.reckoner, holder("k1", of_enrollment()));
    submit(reckoner, &owner, "2026-05").await;
    house.clock.set(moment("2026-06-05T12:30:00Z"));
    submit(reckoner, &owner, "2026-05").await;
    let refused = reckoner.submit_usage_export(&owner, of("2026-05"), "test").await;
    let refused = refused.expect_err("refused").to_string();
    assert!(refused.contains("`limits.usage_exports`") && refused.contains("1801 s"), "{refused}");
    submit(reckoner, &holder("k2", of_enrollment()), "2026-05").await;
    house.clock.set(moment("2026-06-05T13:00:00Z"));
    submit(reckoner, &owner, "2026-05").await;
}

on_each_store!(a_key_asks_for_so_many_exports_within_an_hour);

async fn costs_of_a_part_are_told_as_its_policy_says(books: Books) {
    let says = |name: &str, shows: bool| {
        let policy = if shows { "allowed" } else { "not_allowed" };
        format!("{name}_view_charges = \"{policy}\"\n")
    };
    for (departments, owners) in [(true, true), (true, false), (false, true), (false, false)] {
        let policies =
            [says("department_administrators", departments), says("account_owners", owners)];
        let house = house_with(books, 100, &policies.concat()).await;
        let readers = [
            (of_enrollment(), true),
            (of_department("d1"), departments),
            (of_place(Level::EnrollmentAccount, "lab"), owners),
        ];
        for (scope, shows) in readers {
            let told = format!("{scope:?}, {departments}, {owners}");
            let asked = DetailsAsked::total_usage(scope.clone(), of("2026-05"));
            let caller = holder("k1", scope);
            let page = house.reckoner.details_page(&caller, &asked, None, 100).await;
            let page = page.expect("a page");
            assert_eq!(page.shows_charges, shows, "{told}");
            let used = page.details.iter().filter(|detail| !detail.quantity.is_zero());
            assert_eq!(used.count(), 2, "{told}: what was used is told in any case");
            assert!(page.details.iter().all(|one| one.cost.is_some() == shows), "{told}");
        }
    }
}

on_each_store!(costs_of_a_part_are_told_as_its_policy_says);
