//! Price sheets: what they ask times what was used is what was charged; that of an invoice keeps
//! the prices that rated it; and files are fetched by links that hold for what was signed.

use crate::books::{Books, on_each_store};
use crate::closing::{House, account, may};
use crate::contracts::description;
use crate::in_process;
use crate::installation::{FLAT, Installation, shop};
use crate::program::{Server, now};
use crate::rate_card_links::{check_refused, own_signer, url_parameter};
use calendar::{BillingPeriod, Instant};
use domain::access::{Action, Caller, Scope};
use domain::ids::PlaceId;
use domain::numbering::DocumentNumber;
use domain::places::{Level, Place, PlaceKey};
use money::{Fixed18, Rounding};
use reqwest::Response;
use serde_json::{Value, json};
use service::{
    ChargeFilter, ChargeQuery, GroupBy, PriceRow, PriceSheetAsked, Reckoner, SheetPrices,
};
use std::collections::BTreeMap;

/// A profile of `acme` that pays for a ferry and agreed what calls cost; and one that pays nothing.
const PROFILES: &str = r#"
[[agreement]]
billing_account = "acme"
from = 2026-01-01T00:00:00Z
type = "customer agreement"

[[billing_profile]]
billing_account = "acme"
id = "main"
from = 2026-01-01T00:00:00Z
name = "Main"
currency = "USD"

[[billing_profile]]
billing_account = "acme"
id = "spare"
from = 2026-01-01T00:00:00Z
name = "Spare"
currency = "USD"

[[price_list]]
id = "agreed"
billing_account = "acme"
profile = "main"
from = "2026-01"
currency = "USD"

[[price_list.prices]]
meter = "calls"
included = "5"
model = { graduated = [{ from = "0", price = "0.011" }, { from = "10", price = "0.007" }] }

[[subscription]]
id = "ferry"
name = "Ferry"
placements = [
    { from = 2026-04-01T00:00:00Z, billing_account = "acme", profile = "main", offer = "metered" },
]
"#;

/// What hours cost in [`crate::closing`], and something else from the beginning on.
const DEARER: &str = r#"
[[price_list]]
id = "card"
offer = "metered"
region = "US"
locales = ["en-US"]
currency = "USD"
prices = [{ meter = "hours", model = { per_unit = "9" } }]
"#;

/// Two hours of each hour for a year.
const RESERVED: &str = r#"
[[reservation]]
billing_account = "acme"
id = "year"
billed_to = "ferry"
meters = ["hours"]
quantity = "2"
currency = "USD"
price = "100"
from = 2026-05-10T00:00:00Z
until = 2027-05-10T00:00:00Z
"#;

/// A subscription that changes its payer in the middle of May; what calls cost who pays then.
const MOVED: &str = r#"
[[price_list]]
id = "theirs"
billing_account = "globex"
from = "2026-01"
currency = "USD"
prices = [{ meter = "calls", included = "5", model = { per_unit = "0.02" } }]

[[subscription]]
id = "barge"
name = "Barge"

[[subscription.placements]]
from = 2026-04-01T00:00:00Z
until = 2026-05-16T12:00:00Z
billing_account = "acme"
profile = "main"
offer = "metered"

[[subscription.placements]]
from = 2026-05-16T12:00:00Z
billing_account = "globex"
offer = "metered"
"#;

const AGREED: [&str; 3] = [
    "calls 0: 0 list - base 0",
    "calls 5: 0.011 list - base 0.011",
    "calls 15: 0.007 list - base 0.007",
];
const LISTED: [&str; 2] =
    ["hours 0: 0.333 list 0.333 base 0.333", "hours 10: 0.1234567 list 0.1234567 base 0.1234567"];

async fn house(books: Books) -> House {
    let house = House::new(books).await;
    in_process::declare(&house.reckoner, PROFILES).await;
    let usage = [
        "1 acme ferry hours 7.7 2026-05-01",
        "2 acme ferry hours 9.1 2026-05-31T23:59:59Z",
        "3 acme ferry calls 4 2026-05-03",
        "4 acme ferry calls 21.5 2026-05-20",
    ];
    house.send(&usage).await;
    house
}

fn asked(profile: &str, prices: SheetPrices) -> PriceSheetAsked {
    let profile = Some(PlaceId::new(profile).expect("an id"));
    PriceSheetAsked { billing_account: account("acme"), profile, prices }
}

fn of_may() -> SheetPrices {
    SheetPrices::Of(BillingPeriod::parse("2026-05").expect("a billing period"))
}

async fn rows(reckoner: &Reckoner, prices: SheetPrices) -> Vec<PriceRow> {
    rows_of(reckoner, &asked("main", prices)).await
}

async fn rows_of(reckoner: &Reckoner, asked: &PriceSheetAsked) -> Vec<PriceRow> {
    let sheet = reckoner.price_sheet(&Caller::Machine, asked).await;
    sheet.expect("a sheet").collect::<domain::Result<_>>().expect("rows")
}

fn shown(rows: &[PriceRow]) -> Vec<String> {
    let told = |price: Option<Fixed18>| price.map_or("-".to_owned(), |price| price.to_string());
    let one = |row: &PriceRow| {
        let PriceRow { meter, tier, list_price, base_price, .. } = row;
        let (listed, base) = (told(*list_price), told(*base_price));
        format!("{} {}: {} list {listed} base {base}", meter.id, tier.from, tier.price)
    };
    rows.iter().map(one).collect()
}

/// What a quantity of a meter costs by a sheet whose tiers each have their own price.
fn by_sheet(rows: &[PriceRow], meter: &str, quantity: Fixed18) -> Fixed18 {
    let own: Vec<&PriceRow> = rows.iter().filter(|row| row.meter.id.as_str() == meter).collect();
    let ends = own.iter().skip(1).map(|next| next.tier.from.min(quantity)).chain([quantity]);
    let cost = |(row, end): (&&PriceRow, Fixed18)| {
        let used = end.checked_sub(row.tier.from).expect("small").max(Fixed18::ZERO);
        used.checked_mul(row.tier.price, 18, Rounding::HalfAwayFromZero).expect("small")
    };
    Fixed18::checked_sum(own.iter().zip(ends).map(cost)).expect("small")
}

/// Quantity and exact cost of a meter that an account was charged for a subscription in May.
async fn charged(
    house: &House,
    payer: &str,
    subscription: &str,
    meter: &str,
) -> (Fixed18, Fixed18) {
    let month = BillingPeriod::parse("2026-05").expect("a billing period");
    let filter = |on, value: &str| ChargeFilter { on, values: vec![value.to_owned()] };
    let query = ChargeQuery {
        billing_account: Some(account(payer)),
        days: month.start().day()..month.end().day(),
        group_by: vec![GroupBy::Meter],
        filters: vec![filter(GroupBy::Subscription, subscription), filter(GroupBy::Meter, meter)],
        top: None,
    };
    let table = house.reckoner.charges(&Caller::Machine, &query).await.expect("charges");
    let [charged] = table.rows.as_slice() else { panic!("{:?}", table.rows) };
    (charged.quantity.expect("of one meter"), charged.cost.major)
}

async fn what_a_sheet_asks_times_what_was_used_is_what_was_charged(books: Books) {
    let house = house(books).await;
    let sheet = rows(&house.reckoner, of_may()).await;
    assert_eq!(shown(&sheet), [AGREED.as_slice(), &LISTED].concat());
    for meter in ["calls", "hours"] {
        let (quantity, cost) = charged(&house, "acme", "ferry", meter).await;
        assert_eq!(by_sheet(&sheet, meter, quantity), cost, "{meter}");
    }
    in_process::declare(&house.reckoner, RESERVED).await;
    let mut reserved = rows(&house.reckoner, of_may()).await;
    reserved.retain(|row| row.term.is_some());
    let [row] = reserved.as_slice() else { panic!("{reserved:?}") };
    assert_eq!((row.tier.price, row.tier.block), (Fixed18::from_int(100), Fixed18::from_int(2)));
}

on_each_store!(what_a_sheet_asks_times_what_was_used_is_what_was_charged);

async fn two_payers_of_a_month_share_by_time_what_each_sheet_tells_whole(books: Books) {
    let house = house(books).await;
    in_process::declare(&house.reckoner, MOVED).await;
    let usage = ["5 acme barge calls 10 2026-05-10", "6 globex barge calls 10 2026-05-20"];
    house.send(&usage).await;
    let check = async |payer: &str, profile: Option<&str>, told: &[&str], costs: [&str; 2]| {
        let profile = profile.map(|id| PlaceId::new(id).expect("an id"));
        let asked = PriceSheetAsked { billing_account: account(payer), profile, prices: of_may() };
        let mut sheet = rows_of(&house.reckoner, &asked).await;
        sheet.retain(|row| row.meter.id.as_str() == "calls");
        assert_eq!(shown(&sheet), told, "{payer}");
        let (quantity, cost) = charged(&house, payer, "barge", "calls").await;
        let costs = costs.map(|digits| Fixed18::parse(digits).expect("a number"));
        assert_eq!([cost, by_sheet(&sheet, "calls", quantity)], costs, "{payer}");
    };
    // Each has half of the month, and so 2.5 of the 5 that are included.
    check("acme", Some("main"), &AGREED, ["0.0825", "0.055"]).await;
    let theirs = ["calls 0: 0 list - base -", "calls 5: 0.02 list - base -"];
    check("globex", None, &theirs, ["0.15", "0.1"]).await;
}

on_each_store!(two_payers_of_a_month_share_by_time_what_each_sheet_tells_whole);

async fn the_sheet_of_an_invoice_keeps_the_prices_that_rated_it(books: Books) {
    let house = house(books).await;
    house.close(may()).await;
    let invoices = house.invoices().await;
    let own = invoices.iter().find(|one| one.invoice.id.as_str() == "acme/2026-05/profile/main");
    let number = own.expect("an invoice of the profile").number.clone();
    in_process::declare(&house.reckoner, DEARER).await;
    let dearer = ["hours 0: 9 list 9 base 9"];
    let now = rows(&house.reckoner, of_may()).await;
    assert_eq!(shown(&now), [AGREED.as_slice(), &dearer].concat());
    let then = rows(&house.reckoner, SheetPrices::Applied(number.clone())).await;
    assert_eq!(shown(&then), [AGREED.as_slice(), &LISTED].concat());
    let house = house.reopened().await;
    let then = rows(&house.reckoner, SheetPrices::Applied(number.clone())).await;
    assert_eq!(shown(&then), [AGREED.as_slice(), &LISTED].concat(), "after a restart");

    // Of another profile it is as missing as one that nobody has.
    let place = |id: &str| {
        let key = PlaceKey { level: Level::BillingProfile, id: PlaceId::new(id).expect("an id") };
        Scope::Place(Place { billing_account: account("acme"), key })
    };
    let link = |id: &str| Caller::Link { action: Action::ReadPriceSheet, scope: place(id) };
    let check = async |caller: &Caller, profile: &str, number: &DocumentNumber, told: &str| {
        let asked = asked(profile, SheetPrices::Applied(number.clone()));
        let found = house.reckoner.price_sheet(caller, &asked).await;
        assert_eq!(found.err().map_or(String::new(), |error| error.to_string()), told);
    };
    let nobodys = DocumentNumber { sequence: 99, ..number.clone() };
    check(&link("main"), "main", &number, "").await;
    for number in [&number, &nobodys] {
        let missing = format!("invoice `{number}` does not exist");
        check(&Caller::Machine, "spare", number, &missing).await;
    }
    let missing = "billing profile `main` does not exist";
    check(&link("spare"), "main", &number, missing).await;
}

on_each_store!(the_sheet_of_an_invoice_keeps_the_prices_that_rated_it);

const VERSION: &str = "api-version=2019-10-01-preview";
/// What links to price sheets are signed for.
const OPERATION: &str = "azure-billing/downloads/pricesheet";

/// A profile of the installation's account, with a price of its own.
const PROFILE: &str = r#"
[[agreement]]
billing_account = "acme"
from = 2020-01-01T00:00:00Z
type = "customer agreement"

[[billing_profile]]
billing_account = "acme"
id = "main"
from = 2020-01-01T00:00:00Z
name = "Main"
currency = "USD"

[[price_list]]
id = "agreed"
billing_account = "acme"
profile = "main"
from = "2020-01"
currency = "USD"
prices = [{ meter = "calls", model = { per_unit = "0.09" } }]
"#;

async fn get(server: &Server, url: &str) -> Response {
    server.client.get(url).send().await.expect("an answer")
}

/// The link to a sheet: what is asked for stands below billing accounts.
async fn link(server: &Server, token: &str, asked: &str) -> Value {
    let base = server.told("base_url");
    let url = format!("{base}/providers/Microsoft.Billing/billingAccounts/{asked}");
    let answer = server.client.post(url).bearer_auth(token).send().await.expect("an answer");
    assert_eq!(answer.status(), 202, "{asked}");
    let headers = answer.headers();
    let place = headers["location"].to_str().expect("an address").to_owned();
    let id = headers["odata-entityid"].to_str().expect("an id");
    assert!(place.contains(&format!("/downloadResults/{id}?api-version=")), "{place}");
    let answer = server.client.get(place).bearer_auth(token).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{asked}");
    answer.json().await.expect("JSON")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

async fn a_link_to_a_sheet_holds_for_what_was_signed_and_for_an_hour(books: Books) {
    let installation = Installation::new(books, "USD", &[shop(FLAT).as_str(), PROFILE].concat());
    let signer = own_signer(&installation);
    let server = installation.serve(&[]);
    let token = installation.token(&server).await;
    let (asked_at, period) = (now(), BillingPeriod::of(now()));
    let sheet = format!("acme/billingProfiles/main/pricesheet/default/download?{VERSION}");
    let told = link(&server, &token, &sheet).await;
    let url = text(&told, "url");

    let (first, last) = (period.start(), period.end().plus_seconds(-1));
    let expected = format!(
        "acme,Acme,main,Main,,Voice - Calls,,,Calls,calls,Calls,,Voice,,,0,{first},{last},\
         0.09,0.09,,USD,USD,,Consumption\r\n"
    );
    let answer = get(&server, url).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    assert!(answer.headers().get("content-length").is_none(), "it is made while it is read");
    let file = answer.text().await.expect("text");
    let (header, lines) = file.split_once("\r\n").expect("lines");
    assert_eq!((header.split(',').count(), lines), (25, expected.as_str()));

    let (place, query) = url.split_once('?').expect("a query");
    let altered = |from: &str, to: &str| {
        let altered = url.replace(from, to);
        assert_ne!(altered, url, "{from}");
        altered
    };
    let altered = [
        altered("profile=main", "profile=spare"),
        altered("account=acme", "account=acm"),
        altered("&format=csv", ""),
        altered("&signature=", "&more=1&signature="),
        altered("/downloads/pricesheet?", "/downloads/pricesheets?"),
    ];
    for url in altered {
        check_refused(&server.client, &url, "the token's signature does not hold").await;
    }
    let (unsigned, _) = url.split_once("&signature=").expect("a signature");
    check_refused(&server.client, unsigned, "no credential was sent").await;

    let expires = url_parameter(query, "expires").parse::<i64>().expect("seconds");
    let held = expires - asked_at.seconds();
    assert!((3_600..3_660).contains(&held), "{held} s");
    let until = Instant::parse(text(&told, "expiryTime")).expect("a time").seconds();
    assert!((0..2).contains(&(expires - until)), "{until}, and not {expires}");
    let period = period.to_string();
    let params = [
        ("kind", "pricesheet"),
        ("account", "acme"),
        ("profile", "main"),
        ("format", "csv"),
        ("period", period.as_str()),
    ];
    let signed = |operation: &str, until: Instant| {
        format!("{place}?{}", signer.sign(operation, &params, until))
    };
    assert_eq!(get(&server, &signed(OPERATION, now().plus_seconds(60))).await.status(), 200);
    let expired = signed(OPERATION, now());
    check_refused(&server.client, &expired, "the credential is expired").await;
    let other = signed("another operation", now().plus_seconds(60));
    check_refused(&server.client, &other, "the token's signature does not hold").await;
    server.stop();
}

on_each_store!(a_link_to_a_sheet_holds_for_what_was_signed_and_for_an_hour);

/// Another profile of that account, with one price.
const SMALL: &str = r#"
[[billing_profile]]
billing_account = "acme"
id = "small"
from = 2020-01-01T00:00:00Z
name = "Small"
currency = "USD"

[[price_list]]
id = "small"
billing_account = "acme"
profile = "small"
from = "2020-01"
currency = "USD"
prices = [{ meter = "calls", model = { per_unit = "0.08" } }]
"#;

/// Meters with a price of a thousand tiers each, agreed with a profile of their own.
fn many(meters: usize) -> String {
    let tiers = (0..1_000).map(|from| format!("{{ from = \"{from}\", price = \"0.{from:04}\" }}"));
    let tiers: Vec<String> = tiers.collect();
    let mut declared = String::new();
    for meter in 0..meters {
        declared += &format!(
            "[[meter]]\nid = \"m{meter}\"\nname = \"M{meter}\"\ncategory = \"Many\"\n\
             unit = \"Hours\"\n"
        );
    }
    declared += "[[billing_profile]]\nbilling_account = \"acme\"\nid = \"large\"\n\
                 from = 2020-01-01T00:00:00Z\nname = \"Large\"\ncurrency = \"USD\"\n";
    declared += "[[price_list]]\nid = \"many\"\nbilling_account = \"acme\"\nprofile = \"large\"\n\
                 from = \"2020-01\"\ncurrency = \"USD\"\n";
    for meter in 0..meters {
        declared += &format!(
            "[[price_list.prices]]\nmeter = \"m{meter}\"\nmodel = {{ graduated = [{}] }}\n",
            tiers.join(", ")
        );
    }
    declared
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sheet_of_a_hundred_thousand_prices_is_never_in_memory_as_a_whole() {
    let declared = [shop(FLAT).as_str(), PROFILE, SMALL, &many(100)].concat();
    let installation = Installation::new(Books::Sqlite, "USD", &declared);
    let server = installation.serve(&[]);
    let token = installation.token(&server).await;
    let link_of = async |profile: &str| {
        let sheet = format!("acme/billingProfiles/{profile}/pricesheet/default/download?{VERSION}");
        link(&server, &token, &sheet).await
    };
    let (told, small) = (link_of("large").await, link_of("small").await);
    // What the first file of a program needs once is not the sheet's.
    let file = get(&server, text(&small, "url")).await.text().await.expect("text");
    assert_eq!(file.lines().count(), 2, "{file}");
    let before = server.most_memory_bytes();
    let file = get(&server, text(&told, "url")).await.text().await.expect("text");
    assert_eq!(file.lines().count(), 100_001, "a header, and the thousands");
    let (grown, size) = (server.most_memory_bytes() - before, file.len() as u64);
    assert!(grown < size, "{grown} bytes more for a file of {size}");
    server.stop();
}

/// A number of a sheet or of an explanation.
fn number(value: &Value) -> Fixed18 {
    let digits = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Fixed18::parse(&digits).unwrap_or_else(|_| panic!("{value} is no number"))
}

/// The sheet's rows that hold for a rated row: of its meter, its moment and its offer, if they are
/// not agreed.
fn rows_for<'a>(sheet: &'a [Value], rated: &Value) -> Vec<&'a Value> {
    let (row, offer) = (&rated["row"], &rated["placement"]["offer"]);
    let at = Instant::parse(text(row, "start")).expect("a time");
    let moment = |row: &Value, name: &str| Instant::parse(text(row, name)).expect("a time");
    let holds = |one: &&Value| {
        let one: &Value = one;
        let until = moment(one, "EffectiveEndDate").plus_seconds(1);
        let is_held = moment(one, "EffectiveStartDate") <= at && at < until;
        let is_sold = one["SkuId"].is_null() || one["SkuId"] == *offer;
        let is_of_usage = one["MeterId"] == row["meter"] && one["PriceType"] == "Consumption";
        is_of_usage && is_held && is_sold
    };
    sheet.iter().filter(holds).collect()
}

/// The rated rows of a subscription in August, each with its price.
async fn rated(server: &Server, account: &str, subscription: &str) -> Vec<Value> {
    let filters = json!([{ "on": "subscription", "values": [subscription] }]);
    let asked = json!({
        "billing_account": account,
        "month": "2026-08",
        "filters": filters,
        "rows": 100_000,
    });
    let url = format!("{}/explain/total", server.told("admin.url"));
    let token = server.told("clients.operator.token");
    let request = server.client.post(url).bearer_auth(token).json(&asked);
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    answer["rows"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
}

/// Quantity and cost of usage by meter and the price that the sheet has where it lies.
fn used(sheet: &[Value], rated: &[Value]) -> BTreeMap<(String, Fixed18), (Fixed18, Fixed18)> {
    let mut used: BTreeMap<_, (Fixed18, Fixed18)> = BTreeMap::new();
    for one in rated {
        let row = &one["row"];
        let is_included = match text(row, "kind") {
            "included" => true,
            "usage" => false,
            _ => continue,
        };
        let tiers = rows_for(sheet, one);
        let tier = usize::try_from(row["tier"].as_u64().expect("a number")).expect("small");
        // What is included lies below the first tier.
        let free = usize::from(number(&one["price"]["included"]) > Fixed18::ZERO);
        let place = if is_included { 0 } else { tier + free };
        let price = tiers.get(place).unwrap_or_else(|| panic!("{one} is not in {tiers:?}"));
        let price = number(&price["UnitPrice"]);
        let sums = used.entry((text(row, "meter").to_owned(), price)).or_default();
        sums.0 = sums.0.checked_add(number(&row["quantity"])).expect("small");
        sums.1 = sums.1.checked_add(number(&row["cost"])).expect("small");
    }
    used
}

async fn sheets_of_the_demo_have_the_published_columns_and_the_prices_of_its_charges(books: Books) {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let server = Server::demo(&directory.path().join("data"), schema.as_ref(), &[]);
    let token = server.told("clients.owner.token");
    for kind in ["mca", "mpa"] {
        let told = |member: &str| server.told(&format!("accounts.{kind}.{member}"));
        let (account, subscription) = (told("billing_account"), told("subscription"));
        let profile = format!("{account}/billingProfiles/{}", told("billing_profile"));
        let sheet = format!("{profile}/invoices/{}/pricesheet/default/download", told("invoice"));
        let csv = link(&server, &token, &format!("{sheet}?{VERSION}")).await;
        let csv = get(&server, text(&csv, "url")).await.text().await.expect("text");
        let layout = "microsoft-billing/price-sheet/pricesheet_2023-05-01_mca.json";
        let Some(layout) = description(layout) else { return };
        let columns = layout["translator"]["mappings"].as_array().expect("columns").iter();
        let columns: Vec<&str> = columns.map(|one| text(&one["source"], "name")).collect();
        assert_eq!(csv.lines().next(), Some(columns.join(",").as_str()), "{kind}");

        let rows = link(&server, &token, &format!("{sheet}?{VERSION}&format=json")).await;
        let rows: Value = get(&server, text(&rows, "url")).await.json().await.expect("JSON");
        let rows = rows.as_array().expect("rows");
        assert_eq!(csv.lines().count(), rows.len() + 1, "{kind}");
        let used = used(rows, &rated(&server, &account, &subscription).await);
        assert!(used.len() > 1, "{kind}: {used:?}");
        for ((meter, price), (quantity, cost)) in used {
            let asked = quantity.checked_mul(price, 18, Rounding::HalfAwayFromZero);
            assert_eq!(asked, Ok(cost), "{kind}: {quantity} of {meter} at {price}");
        }
    }
    server.stop();
}

on_each_store!(sheets_of_the_demo_have_the_published_columns_and_the_prices_of_its_charges);
