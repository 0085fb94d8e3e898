//! Answers of the usage API beside a slow exact reference over the same rated rows: each column and
//! each filter alone, and random combinations of a seed.
//!
//! `RECKONER_QUERIES` says how many (a tenth of it is asked here), `RECKONER_SEED` which.

use crate::books::{Books, on_each_store};
use crate::described;
use crate::program::{Server, from_environment};
use crate::usage_api_asking::{
    Asking, MEASURES, MISSING, columns, made_key, number, query, rows, with_filter, with_options,
};
use crate::usage_api_company::{
    COMPANY, METERS, NAMES, SETTINGS, account_of, events, installation, months, send,
};
use crate::usage_api_receivers::{Manner, Receiver};
use calendar::{BillingPeriod, Day, Instant};
use money::{Cost, Currency, Fixed18, Rounding};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

/// Events of the company.
const EVENTS: u64 = 700;

/// A column, and what it tells groups apart by: behind `=` stands a dimension of usage.
/// Source: `infobip.md` section 4.
const COLUMNS: [(&str, &str); 23] = [
    ("DAY", "day"),
    ("MONTH", "month"),
    ("APPLICATION_ID", "=application"),
    ("ENTITY_ID", "=entity"),
    ("ACCOUNT_NAME", "account"),
    ("ACCOUNT_KEY", "account"),
    ("CATEGORY_CODE", "category"),
    ("CATEGORY_NAME", "category"),
    ("SUBCATEGORY_CODE", "subcategory"),
    ("SUBCATEGORY_NAME", "subcategory"),
    ("USER_NAME", "=user"),
    ("DIRECTION", "=direction"),
    ("TRAFFIC_TYPE", "=traffic_type"),
    ("SENDER", "=sender"),
    ("SENDER_TYPE", "=sender_type"),
    ("NETWORK_NAME", "=network"),
    ("NORM_NET_CODE", "=network"),
    ("COUNTRY_NAME", "=country"),
    ("COUNTRY_CODE", "=country"),
    ("COUNTRY_PREFIX", "=country"),
    ("CAMPAIGN_ID", "=campaign"),
    ("CAMPAIGN_REFERENCE", "=reference"),
    ("TEMPLATE_ID", "=template"),
];

/// A filter: its name, what it looks at, and values of which some are nowhere.
const FILTERS: [(&str, &str, &[&str]); 11] = [
    ("accountKeys", "account", &["A1B2C3D4E5F60718293A4B5C6D7E8F90", "acme", "nowhere"]),
    ("categories", "category", &["SMS", "WHATSAPP", "EMAIL", "APPLE_MB"]),
    ("subCategories", "subcategory", &["VIBER_BM", "VIBER_BOTS"]),
    ("countryCodes", "=country", &["DE", "US", "CH", "ZZ"]),
    ("directions", "=direction", &["OUTBOUND", "INBOUND"]),
    ("trafficTypes", "=traffic_type", &["A2P", "UTILITY", "RICH"]),
    ("senders", "=sender", &["ACME", "=cmd()", "acme"]),
    ("senderTypes", "=sender_type", &["ALPHANUMERIC", "DOMAIN"]),
    ("campaignReferenceIds", "=reference", &["summer", "winter, \"late\"", "none"]),
    ("campaignIds", "=campaign", &["101", "9007199254740993", "7"]),
    ("templateIds", "=template", &["t-1", "t-9"]),
];

/// A rated row, as far as answers ask for it.
struct Rated {
    at: Instant,
    subscription: String,
    meter: String,
    kind: String,
    dimensions: BTreeMap<String, String>,
    quantity: Fixed18,
    unit_price: Option<Fixed18>,
    tier: u64,
    lineage: String,
    cost: Cost,
}

impl Rated {
    fn of(explained: &Value) -> Rated {
        let row = &explained["row"];
        let text = |name: &str| row[name].as_str().unwrap_or_else(|| panic!("{row}")).to_owned();
        let decimal = |text: &str| Fixed18::parse(text).expect("a decimal");
        let dimensions = row["dimensions"].as_object().expect("dimensions").iter();
        let value = |value: &Value| value.as_str().expect("text").to_owned();
        let currency = Currency::parse(&text("currency")).expect("a currency");
        Rated {
            at: Instant::parse(&text("start")).expect("a moment"),
            subscription: text("subscription"),
            meter: text("meter"),
            kind: text("kind"),
            dimensions: dimensions.map(|(name, told)| (name.clone(), value(told))).collect(),
            quantity: decimal(&text("quantity")),
            unit_price: row["unit_price"].as_str().map(decimal),
            tier: row["tier"].as_u64().expect("a number"),
            lineage: row["price"]["lineage"].as_str().unwrap_or_default().to_owned(),
            cost: Cost { major: decimal(&text("cost")), currency },
        }
    }

    /// Whether it was charged: what is included is not.
    fn is_charged(&self) -> bool {
        !matches!(self.kind.as_str(), "included" | "covered" | "unused")
    }

    fn meter(&self) -> (&'static str, &'static str, &'static str) {
        let known = METERS.iter().find(|(id, ..)| *id == self.meter);
        let (_, category, subcategory, unit, _) = *known.expect("a meter of ours");
        (category, subcategory, unit)
    }

    /// What it is by something that tells groups apart.
    fn key(&self, of: &str) -> Option<String> {
        let (category, subcategory, _) = self.meter();
        match of {
            "day" => Some(self.at.day().to_string()),
            "month" => Some(BillingPeriod::of(self.at).to_string()),
            "account" => Some(account_of(&self.subscription, self.at).0.to_owned()),
            "category" => Some(category.to_owned()),
            "subcategory" => Some(subcategory.to_owned()).filter(|code| !code.is_empty()),
            of => {
                let dimension = of.strip_prefix('=').expect("a dimension");
                self.dimensions.get(dimension).cloned()
            }
        }
    }

    /// What a column shows of it.
    fn shown(&self, column: &str, of: &str) -> String {
        let Some(key) = self.key(of) else { return MISSING.to_owned() };
        match column {
            "DAY" => format!("{key}T00:00:00"),
            "MONTH" => format!("{key}-01T00:00:00"),
            "ACCOUNT_NAME" => account_of(&self.subscription, self.at).1.to_owned(),
            "CATEGORY_NAME" => named("meter_category", &key),
            "SUBCATEGORY_NAME" => named("meter_subcategory", &key),
            "NETWORK_NAME" => named("network", &key),
            "COUNTRY_NAME" => named("country", &key),
            "COUNTRY_PREFIX" => {
                name_of("country_prefix", &key).map_or_else(|| MISSING.to_owned(), str::to_owned)
            }
            _ => key,
        }
    }
}

/// What a value is called, or itself.
fn named(dimension: &str, value: &str) -> String {
    name_of(dimension, value).unwrap_or(value).to_owned()
}

fn name_of(dimension: &str, value: &str) -> Option<&'static str> {
    let known = NAMES.iter().find(|(of, known, _)| *of == dimension && *known == value);
    known.map(|(_, _, name)| *name)
}

/// Everything that was rated in the months that can be asked for.
async fn rated(server: &Server, operator: &str) -> Vec<Rated> {
    let [first, _, last] = months();
    let asked = json!({
        "billing_account": COMPANY.0,
        "from": first.start().day().to_string(),
        "until": last.end().day().to_string(),
        "rows": 100_000,
    });
    let url = format!("{}/explain/total", server.told("admin.url"));
    let answer = server.client.post(url).bearer_auth(operator).json(&asked).send().await;
    let (status, told) = described::checked("POST", answer.expect("an answer")).await;
    assert_eq!(status, 200, "{told}");
    let rows = told["rows"].as_array().expect("rows");
    assert_eq!(told["row_count"], json!(rows.len()), "all of them are told");
    assert_eq!(told["left_out"], json!([]), "none waits");
    rows.iter().map(Rated::of).collect()
}

/// What is asked, in words that the reference understands too.
#[derive(Debug, Clone)]
struct Asked {
    days: (Day, Day),
    columns: Vec<&'static str>,
    filters: BTreeMap<&'static str, BTreeSet<&'static str>>,
    platforms: BTreeSet<(&'static str, &'static str)>,
}

impl Asked {
    fn of_all(columns: &[&'static str]) -> Asked {
        let [first, _, last] = months();
        Asked {
            days: (first.start().day(), last.end().day()),
            columns: columns.to_vec(),
            filters: BTreeMap::new(),
            platforms: BTreeSet::new(),
        }
    }

    fn random(rng: &mut ChaCha8Rng) -> Asked {
        let mut all: Vec<&'static str> = COLUMNS.iter().map(|(name, _)| *name).collect();
        all.shuffle(rng);
        let count = rng.random_range(1..=7);
        let mut asked = Asked::of_all(&all[..count]);
        let (first, last) = (asked.days.0.number(), asked.days.1.number());
        if rng.random_range(0..3) > 0 {
            let since = rng.random_range(first..last);
            let until = rng.random_range(since + 1..=last);
            asked.days = (Day::from_number(since), Day::from_number(until));
        }
        for (name, _, values) in FILTERS {
            if rng.random_range(0..6) == 0 {
                let count = rng.random_range(1..=values.len());
                let mut values = values.to_vec();
                values.shuffle(rng);
                asked.filters.insert(name, values[..count].iter().copied().collect());
            }
        }
        if rng.random_range(0..8) == 0 {
            let pairs = [("app-a", "ent-a"), ("app-a", "ent-b"), ("app-b", "nowhere")];
            asked.platforms.extend(pairs[..rng.random_range(1..=3)].iter().copied());
        }
        asked
    }

    fn query(&self, url: &str, is_exact: bool) -> Value {
        let (since, until) = (self.days.0.to_string(), self.days.1.to_string());
        let mut query = query(url, (&since, &until), &self.columns);
        for (name, values) in &self.filters {
            let value = |value: &&str| match *name {
                "campaignIds" => json!(value.parse::<i64>().expect("a number")),
                _ => json!(value),
            };
            query = with_filter(query, name, values.iter().map(value).collect());
        }
        if !self.platforms.is_empty() {
            let pair = |(application, entity): &(&str, &str)| {
                json!({
                    "applicationId": application,
                    "entityId": entity,
                })
            };
            query = with_filter(query, "platforms", self.platforms.iter().map(pair).collect());
        }
        with_options(query, json!({ "exactTotals": is_exact }))
    }

    /// The columns of the answer, with the defaults first.
    fn effective(&self) -> Vec<&'static str> {
        let has = |names: [&str; 2]| self.columns.iter().any(|one| names.contains(one));
        let mut columns = Vec::new();
        if !has(["ACCOUNT_NAME", "ACCOUNT_KEY"]) {
            columns.push("ACCOUNT_NAME");
        }
        if !has(["CATEGORY_NAME", "CATEGORY_CODE"]) {
            columns.push("CATEGORY_CODE");
        }
        columns.extend(&self.columns);
        columns
    }

    /// The days that are answered: whole months, if rows are told apart by month only.
    fn answered(&self) -> (Day, Day) {
        if !self.columns.contains(&"MONTH") || self.columns.contains(&"DAY") {
            return self.days;
        }
        let last = self.days.1.start().plus_micros(-1);
        let first = BillingPeriod::of(self.days.0.start()).start();
        (first.day(), BillingPeriod::of(last).end().day())
    }

    fn counts(&self, row: &Rated) -> bool {
        let (since, until) = self.answered();
        let passes = |name: &str, values: &BTreeSet<&str>| {
            let known = FILTERS.iter().find(|(known, ..)| *known == name);
            let (_, of, _) = known.expect("a filter");
            row.key(of).is_some_and(|key| values.contains(key.as_str()))
        };
        let value = |name: &str| row.dimensions.get(name).map(String::as_str);
        let platform = value("application").zip(value("entity"));
        row.is_charged()
            && row.at >= since.start()
            && row.at < until.start()
            && self.filters.iter().all(|(name, values)| passes(name, values))
            && (self.platforms.is_empty()
                || platform.is_some_and(|pair| self.platforms.contains(&pair)))
    }
}

/// A row of an answer, but for its total: what is shown, unit, price, quantity, currency.
type Line = (Vec<String>, String, String, String, String);

/// The lines of an answer with their exact totals, in an order of their own.
type Lines = Vec<(Line, Fixed18)>;

/// What rows of one group have in common beside their keys: price for each unit, tier, and for
/// tiers above the first of which of several prices it is.
type Slice = (Option<Fixed18>, u64, String);

/// What is the same in all rows of one group: keys, unit, slice, currency.
type Group = (Vec<Option<String>>, &'static str, Slice, String);

/// Adds rows up, one by one.
fn expected(asked: &Asked, all: &[Rated]) -> Lines {
    let known = |name: &str| *COLUMNS.iter().find(|(known, _)| *known == name).expect("a column");
    let columns: Vec<(&str, &str)> = asked.effective().into_iter().map(known).collect();
    let mut groups: BTreeMap<Group, Vec<&Rated>> = BTreeMap::new();
    for row in all.iter().filter(|row| asked.counts(row)) {
        let keys = columns.iter().map(|(_, of)| row.key(of)).collect();
        let lineage = if row.tier > 0 { row.lineage.clone() } else { String::new() };
        let slice = (row.unit_price, row.tier, lineage);
        let group = (keys, row.meter().2, slice, row.cost.currency.to_string());
        groups.entry(group).or_default().push(row);
    }
    let mut lines = Lines::new();
    for ((_, unit, (price, ..), currency), rows) in groups {
        let shown = columns.iter().map(|(name, of)| rows[0].shown(name, of)).collect();
        let quantity = Fixed18::checked_sum(rows.iter().map(|row| row.quantity)).expect("a sum");
        let cost = Fixed18::checked_sum(rows.iter().map(|row| row.cost.major)).expect("a sum");
        // Only what was used or charged is told of.
        if quantity.is_zero() && cost.is_zero() {
            continue;
        }
        let price = price.map_or_else(|| MISSING.to_owned(), |price| price.to_string());
        lines.push(((shown, unit.to_owned(), price, quantity.to_string(), currency), cost));
    }
    lines.sort();
    lines
}

/// A cell as the reference has it.
fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        number => self::number(number).to_string(),
    }
}

/// The lines that an answer has, and that its envelope is as it must be.
fn found(asked: &Asked, answer: &Value) -> Lines {
    let effective = asked.effective();
    let measures = MEASURES.iter().map(|(name, _)| *name);
    let names: Vec<&str> = effective.iter().copied().chain(measures).collect();
    assert_eq!(columns(answer), names, "{asked:?}");
    let period = |(since, until): (Day, Day)| {
        let moment = |day: Day| format!("{day}T00:00:00.000+0000");
        json!({ "sentSince": moment(since), "sentUntil": moment(until) })
    };
    assert_eq!(answer["response"]["requestedPeriod"], period(asked.answered()), "{asked:?}");
    assert_eq!(answer["metadata"]["clientRequestedPeriod"], period(asked.days), "{asked:?}");
    let mut lines = Lines::new();
    for row in rows(answer) {
        let row = row.as_array().expect("a row");
        assert_eq!(row.len(), names.len(), "{asked:?}: {row:?}");
        let (shown, measures) = row.split_at(effective.len());
        let [unit, price, quantity, total, currency] = measures else { panic!("{row:?}") };
        let shown = shown.iter().map(cell).collect();
        let line = (shown, cell(unit), cell(price), cell(quantity), cell(currency));
        lines.push((line, number(total)));
    }
    lines.sort();
    lines
}

/// Rows stand in the order of their columns, what is missing first.
fn are_sorted(asked: &Asked, answer: &Value) {
    let count = asked.effective().len();
    let keys = |row: &Value| -> Vec<Option<String>> {
        let cells = row.as_array().expect("a row").iter().take(count).map(cell);
        cells.map(|cell| Some(cell).filter(|cell| cell != MISSING)).collect()
    };
    let keys: Vec<_> = rows(answer).iter().map(keys).collect();
    assert!(keys.is_sorted(), "{asked:?}: {keys:?}");
}

/// Rounded totals are those of the exact ones, no row off by a whole cent, and of each currency
/// they add up to the rounded sum.
fn are_rounded(asked: &Asked, exact: &Lines, rounded: &Lines) {
    let cent = Fixed18::parse("0.01").expect("a number");
    let lines =
        |lines: &Lines| -> Vec<Line> { lines.iter().map(|(line, _)| line.clone()).collect() };
    assert_eq!(lines(exact), lines(rounded), "{asked:?}");
    let mut sums: BTreeMap<&str, (Cost, Cost)> = BTreeMap::new();
    for ((line, exact), (_, rounded)) in exact.iter().zip(rounded) {
        let code = line.4.as_str();
        let currency = Currency::parse(code).expect("a currency");
        let zero = Cost::zero(currency);
        let sum = sums.entry(code).or_insert((zero, zero));
        let add =
            |to: Cost, major: Fixed18| to.checked_add(Cost { major, currency }).expect("small");
        *sum = (add(sum.0, *exact), add(sum.1, *rounded));
        let is_whole = rounded.round(currency.exponent(), Rounding::TowardZero);
        assert_eq!(is_whole.expect("small"), *rounded, "{asked:?}: {line:?}");
    }
    for (exact, rounded) in sums.values() {
        let booked = exact.book(Rounding::HalfAwayFromZero).expect("small");
        assert_eq!(booked.to_cost().expect("small"), *rounded, "{asked:?}");
    }
    // Lines that are alike but for their tier may stand in either order.
    let by_line = |lines: &Lines| -> BTreeMap<Line, (Fixed18, i64)> {
        let mut sums: BTreeMap<Line, (Fixed18, i64)> = BTreeMap::new();
        for (line, total) in lines {
            let (sum, count) = sums.entry(line.clone()).or_default();
            (*sum, *count) = (sum.checked_add(*total).expect("small"), *count + 1);
        }
        sums
    };
    let rounded = by_line(rounded);
    for (line, (exact, count)) in by_line(exact) {
        let off = exact.checked_sub(rounded[&line].0).and_then(Fixed18::checked_abs);
        let off = off.expect("small");
        let most = (0..count).map(|_| cent);
        let most = Fixed18::checked_sum(most).expect("small");
        assert!(off < most, "{asked:?}: {line:?} is off by {off}");
    }
}

/// A company with its usage, and everything that was rated of it.
struct Tried<'a> {
    asking: Asking<'a>,
    receiver: Receiver,
    all: Vec<Rated>,
}

impl Tried<'_> {
    async fn check(&self, asked: &Asked) -> usize {
        let url = self.receiver.url("reference", &[Manner::Takes]);
        let answer = self.asking.answer(&asked.query(&url, true)).await;
        let exact = found(asked, &answer);
        assert_eq!(exact, expected(asked, &self.all), "{asked:?}");
        are_sorted(asked, &answer);
        let answer = self.asking.answer(&asked.query(&url, false)).await;
        are_rounded(asked, &exact, &found(asked, &answer));
        exact.len()
    }
}

on_each_store!(answers_are_what_rated_rows_add_up_to);
async fn answers_are_what_rated_rows_add_up_to(books: Books) {
    let queries = from_environment("RECKONER_QUERIES", 200) / 10;
    let seed = from_environment("RECKONER_SEED", 1);
    let installation = installation(books);
    let gate = installation.key("gate");
    let more = [
        ("RECKONER_LIMITS__USAGE_QUERIES", "1000000"),
        ("RECKONER_LIMITS__USAGE_RESULTS", "1000000"),
    ];
    let server = installation.serve(&[SETTINGS.as_slice(), &more].concat());
    let operator = installation.token(&server).await;
    let key = made_key(&server, &operator, &["charges:read"], &[]).await;
    send(&server, &gate, &events(seed, EVENTS)).await;
    let all = rated(&server, &operator).await;
    has_everything(&all);
    let asking = Asking::with_key(&server, &key);
    let tried = Tried { asking, receiver: Receiver::new().await, all };
    for (column, _) in COLUMNS {
        assert!(tried.check(&Asked::of_all(&[column])).await > 0, "{column}");
    }
    for (name, _, values) in FILTERS {
        let mut asked = Asked::of_all(&["CATEGORY_CODE"]);
        asked.filters.insert(name, values[..1].iter().copied().collect());
        assert!(tried.check(&asked).await > 0, "{name}");
    }
    let mut pairs = Asked::of_all(&["APPLICATION_ID", "ENTITY_ID"]);
    pairs.platforms.insert(("app-a", "ent-b"));
    assert!(tried.check(&pairs).await > 0, "platforms");
    // What a pair leaves empty stands for nothing else.
    for pair in [("app-a", ""), ("", "ent-b"), ("", "")] {
        pairs.platforms = BTreeSet::from([pair]);
        assert_eq!(tried.check(&pairs).await, 0, "{pair:?}");
    }
    let (mut rng, mut lines) = (ChaCha8Rng::seed_from_u64(seed), 0);
    for _ in 0..queries {
        lines += tried.check(&Asked::random(&mut rng)).await;
    }
    server.stop();
    let told = format!("{books:?}: {queries} random queries of seed {seed}, {lines} rows");
    writeln!(std::io::stderr(), "{told}").expect("it takes text");
}

/// Without these the reference would show nothing: every kind of row, accounts of one name, an
/// account that moved, usage of the company itself, values that are missing.
fn has_everything(all: &[Rated]) {
    let kinds: BTreeSet<&str> = all.iter().map(|row| row.kind.as_str()).collect();
    for kind in ["usage", "included", "flat", "minimum"] {
        assert!(kinds.contains(kind), "no {kind} in {kinds:?}");
    }
    let has = |is: &dyn Fn(&Rated) -> bool| all.iter().any(is);
    assert!(has(&|row| row.tier > 1), "no third tier");
    assert!(has(&|row| row.kind == "usage" && row.unit_price.is_none()), "all have a unit price");
    assert!(has(&|row| row.key("account").is_some_and(|key| key == COMPANY.0)), "no company");
    for nth in 0..3 {
        let (key, ..) = crate::usage_api_company::ACCOUNTS[nth];
        assert!(has(&|row| row.key("account").is_some_and(|own| own == key)), "nothing of {key}");
    }
    assert!(has(&|row| row.subscription == "van" && row.key("account").is_some()), "no van");
    assert!(has(&|row| row.key("=country").is_none()), "each has a country");
    let has_prefix = |code: &str| name_of("country_prefix", code).is_some();
    let is_bare = |row: &Rated| row.key("=country").is_some_and(|code| !has_prefix(&code));
    assert!(has(&is_bare), "each country has a prefix");
    let has_half = |row: &Rated| row.key("=application").is_some() && row.key("=entity").is_none();
    assert!(has(&has_half), "each application has an entity");
}
