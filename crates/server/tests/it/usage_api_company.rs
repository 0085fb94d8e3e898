//! A company that sends messages, with everything that can be told apart and confused: two accounts
//! of one name, a subscription that moves, usage of the company itself, every way to price, and
//! three months of usage from a seed.

use crate::books::Books;
use crate::installation::Installation;
use crate::program::{Server, now};
use calendar::{BillingPeriod, Instant};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

/// Messaging accounts: key, name, what it lies below.
pub(crate) const ACCOUNTS: [(&str, &str, &str); 4] = [
    ("A1B2C3D4E5F60718293A4B5C6D7E8F90", "Retail", ""),
    ("B1B2C3D4E5F60718293A4B5C6D7E8F90", "Retail", ""),
    ("C1B2C3D4E5F60718293A4B5C6D7E8F90", "Outlet", "B1B2C3D4E5F60718293A4B5C6D7E8F90"),
    ("D1B2C3D4E5F60718293A4B5C6D7E8F90", "Archive", ""),
];

/// The company itself, which has usage of its own.
pub(crate) const COMPANY: (&str, &str) = ("acme", "Acme");

/// Subscriptions and the number of the account where each stands; none stands at the company.
/// `van` moves from its account to the third in the middle of the month before this one.
const SUBSCRIPTIONS: [(&str, Option<usize>); 5] =
    [("shop", Some(0)), ("web", Some(1)), ("kiosk", Some(2)), ("desk", None), ("van", Some(0))];

/// The account where `van` ends up.
const MOVED_TO: usize = 2;

/// Meters: id, category, subcategory, unit, and what else stands there.
pub(crate) const METERS: [(&str, &str, &str, &str, &str); 9] = [
    ("sms", "SMS", "", "message part", ""),
    ("fee", "SMS_OPERATOR_FEE", "", "message part", ""),
    ("whatsapp", "WHATSAPP", "", "message", ""),
    (
        "people",
        "WHATSAPP",
        "",
        "monthly active user",
        "aggregation = { distinct = { dimension = \"user\" } }",
    ),
    (
        "rcs",
        "RCS",
        "",
        "session",
        "aggregation = { session = { window_s = 86400, key = [\"user\"] } }",
    ),
    ("viber", "VIBER", "VIBER_BM", "message", ""),
    ("bots", "VIBER", "VIBER_BOTS", "session", ""),
    ("mail", "EMAIL", "", "mail", ""),
    ("share", "MOBILE_PUSH", "", "amount", ""),
];

/// Graduated and volume tiers with a flat fee, included quantities, packages with a minimum, and a
/// percentage. Sums of these are no whole cents.
const PRICES: &str = r#"
    { meter = "sms", scope = "account", model = { graduated = [
        { from = "0", price = "0.0075" }, { from = "20", price = "0.00613" },
        { from = "45", price = "0.0049" } ] } },
    { meter = "sms", lineage = "germany", conditions = { country = "DE" },
      model = { per_unit = "0.0713" } },
    { meter = "sms", lineage = "austria", conditions = { country = "AT" },
      model = { per_unit = "0.0713" } },
    { meter = "fee", model = { per_unit = "0.0033" } },
    { meter = "whatsapp", scope = "account", model = { volume = [
        { from = "0", price = "0.0089" }, { from = "60", price = "0.0071", flat = "1.255" } ] } },
    { meter = "people", scope = "account", included = "3", model = { per_unit = "0.2137" } },
    { meter = "rcs", model = { per_unit = "0.0244" } },
    { meter = "viber", model = { per_unit = "0.0333" } },
    { meter = "bots", model = { graduated = [
        { from = "0", price = "0.5" }, { from = "10", price = "0.4", flat = "2.125" } ] } },
    { meter = "mail", scope = "account", minimum = "25.5",
      model = { package = { size = "10", price = "0.35", rounding = "away_from_zero" } } },
    { meter = "share", model = { percentage = "2.5" } },
"#;

/// What values are called.
pub(crate) const NAMES: [(&str, &str, &str); 15] = [
    ("country", "DE", "Germany"),
    ("country", "AT", "Austria"),
    ("country", "US", "United States"),
    ("network", "26201", "Rheinfunk"),
    ("network", "26202", "Havelnetz"),
    ("network", "310260", "Lakecall"),
    ("meter_category", "SMS", "SMS"),
    ("meter_category", "SMS_OPERATOR_FEE", "SMS - Operator Fee"),
    ("meter_category", "WHATSAPP", "WhatsApp"),
    ("meter_category", "VIBER", "Viber"),
    ("meter_subcategory", "VIBER_BM", "Viber BM"),
    ("country_prefix", "DE", "49"),
    ("country_prefix", "US", "1"),
    ("campaign", "101", "Spring"),
    ("template", "t-1", "Welcome"),
];

/// The months that can be asked for, oldest first.
pub(crate) fn months() -> [BillingPeriod; 3] {
    let month = BillingPeriod::of(now());
    [month.previous().previous(), month.previous(), month]
}

/// When `van` moves.
pub(crate) fn moves_at() -> Instant {
    months()[1].start().plus_seconds(14 * 86_400)
}

/// The key of the account where a subscription stands at a moment, and its name.
pub(crate) fn account_of(subscription: &str, at: Instant) -> (&'static str, &'static str) {
    let known = SUBSCRIPTIONS.iter().find(|(id, _)| *id == subscription);
    let (id, stands) = known.unwrap_or_else(|| panic!("{subscription} is none of ours"));
    match stands {
        None => COMPANY,
        Some(_) if *id == "van" && at >= moves_at() => (ACCOUNTS[MOVED_TO].0, ACCOUNTS[MOVED_TO].1),
        Some(nth) => (ACCOUNTS[*nth].0, ACCOUNTS[*nth].1),
    }
}

const BEGINS: &str = "from = 2020-01-01T00:00:00Z";

fn standing(from: &str, account: usize) -> String {
    format!(
        "{{ {from}, place = {{ billing_account = \"acme\", level = \"messaging account\", \
         id = \"{}\" }} }}",
        ACCOUNTS[account].0
    )
}

/// What is declared beside the account `acme`.
pub(crate) fn declared() -> String {
    let mut text = format!(
        "[[agreement]]\nbilling_account = \"acme\"\n{BEGINS}\ntype = \"messaging agreement\"\n\n\
         [[offer]]\nid = \"messages\"\nname = \"Messages\"\nhas_rate_card = false\n\n\
         [[source]]\nname = \"gate\"\nbilling_accounts = [\"acme\"]\n\n"
    );
    for (key, name, below) in ACCOUNTS {
        text += &format!(
            "[[messaging_account]]\nbilling_account = \"acme\"\nid = \"{key}\"\n{BEGINS}\n\
             name = \"{name}\"\n"
        );
        if !below.is_empty() {
            text += &format!("messaging_account = \"{below}\"\n");
        }
        if name == "Archive" {
            text += "generation = \"legacy\"\n";
        }
        text += "\n";
    }
    for (id, stands) in SUBSCRIPTIONS {
        text += &format!(
            "[[subscription]]\nid = \"{id}\"\nname = \"{id}\"\n\
             placements = [{{ {BEGINS}, billing_account = \"acme\", offer = \"messages\" }}]\n"
        );
        let mut standings: Vec<String> =
            stands.iter().map(|account| standing(BEGINS, *account)).collect();
        if id == "van" {
            standings.push(standing(&format!("from = {}", moves_at()), MOVED_TO));
        }
        text += &format!("standings = [{}]\n\n", standings.join(", "));
    }
    for (id, category, subcategory, unit, more) in METERS {
        text += &format!(
            "[[meter]]\nid = \"{id}\"\nname = \"{id}\"\ncategory = \"{category}\"\n\
             subcategory = \"{subcategory}\"\nunit = \"{unit}\"\n{more}\n\n"
        );
    }
    text += &format!(
        "[[price_list]]\nid = \"sheet\"\nbilling_account = \"acme\"\nfrom = \"2020-01\"\n\
         currency = \"USD\"\nprices = [{PRICES}]\n\n"
    );
    for (dimension, value, name) in NAMES {
        text += &format!(
            "[[name]]\ndimension = \"{dimension}\"\nvalue = \"{value}\"\nname = \"{name}\"\n\n"
        );
    }
    text
}

/// Values of each dimension; the last of some has no name.
const VALUES: [(&str, &[&str]); 9] = [
    ("direction", &["OUTBOUND", "INBOUND"]),
    ("traffic_type", &["A2P", "MARKETING", "UTILITY"]),
    ("sender", &["ACME", "72240", "=cmd()"]),
    ("sender_type", &["ALPHANUMERIC", "SHORT_CODE"]),
    ("campaign", &["101", "102", "9007199254740993"]),
    ("reference", &["summer", "winter, \"late\""]),
    ("template", &["t-1", "t-2"]),
    ("application", &["app-a", "app-b"]),
    ("entity", &["ent-a", "ent-b"]),
];

/// Countries with their networks; one country has no name and no network.
const COUNTRIES: [(&str, &[&str]); 4] =
    [("DE", &["26201", "26202"]), ("AT", &[]), ("US", &["310260"]), ("CH", &[])];

/// One event of messages, at a moment of the months that can be asked for and before now.
fn event(nth: u64, rng: &mut ChaCha8Rng) -> Value {
    let [first, ..] = months();
    let span_s = now().seconds() - first.start().seconds() - 3_600;
    let at = first.start().plus_seconds(rng.random_range(0..span_s));
    let mut dimensions = Map::new();
    for (dimension, values) in VALUES {
        // Some say nothing of it.
        if rng.random_range(0..10) < 7 {
            let value = values[rng.random_range(0..values.len())];
            dimensions.insert(dimension.to_owned(), json!(value));
        }
    }
    if rng.random_range(0..10) < 8 {
        let (country, networks) = COUNTRIES[rng.random_range(0..COUNTRIES.len())];
        dimensions.insert("country".to_owned(), json!(country));
        if !networks.is_empty() {
            let network = networks[rng.random_range(0..networks.len())];
            dimensions.insert("network".to_owned(), json!(network));
        }
    }
    let (meter, ..) = METERS[rng.random_range(0..METERS.len())];
    if matches!(meter, "people" | "rcs") || rng.random_range(0..2) == 0 {
        let user = format!("u-{}", rng.random_range(1..8));
        dimensions.insert("user".to_owned(), json!(user));
    }
    let (subscription, _) = SUBSCRIPTIONS[rng.random_range(0..SUBSCRIPTIONS.len())];
    let quantity = match meter {
        "share" => format!("{}.{:03}", rng.random_range(1..400), rng.random_range(0..1_000)),
        _ => rng.random_range(1..9).to_string(),
    };
    json!({
        "id": format!("m-{nth}"),
        "source": "gate",
        "subscription": subscription,
        "resource": "r",
        "meter": meter,
        "quantity": quantity,
        "time": at.to_string(),
        "dimensions": dimensions,
    })
}

/// So many events of a seed.
pub(crate) fn events(seed: u64, count: u64) -> Vec<Value> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|nth| event(nth, &mut rng)).collect()
}

/// The company, with nothing used yet.
pub(crate) fn installation(books: Books) -> Installation {
    Installation::new(books, "USD", &declared())
}

/// What these tests set: much is asked, receivers are on loopback, nothing is closed by itself.
pub(crate) const SETTINGS: [(&str, &str); 4] = [
    ("RECKONER_CLOSE__BY_SCHEDULE", "false"),
    ("RECKONER_LIMITS__REQUESTS_PER_SECOND", "100000"),
    ("RECKONER_LIMITS__REQUEST_BURST", "100000"),
    ("RECKONER_CALLBACKS__ALLOWED_RANGES", "[\"127.0.0.0/8\"]"),
];

/// Sends usage with a key of the installation's source; each record must be taken.
pub(crate) async fn send(server: &Server, key: &str, events: &[Value]) {
    for some in events.chunks(500) {
        let lines: Vec<String> = some.iter().map(Value::to_string).collect();
        let url = format!("{}/intake/v1/events", server.told("base_url"));
        let request = server.client.post(url).bearer_auth(key);
        let request = request.header("content-type", "application/x-ndjson");
        let answer = request.body(lines.join("\n")).send().await.expect("an answer");
        let told: Value = answer.json().await.expect("JSON");
        let verdicts = told["verdicts"].as_array().unwrap_or_else(|| panic!("{told}"));
        assert_eq!(verdicts.len(), some.len(), "{told}");
        assert!(verdicts.iter().all(|one| one["verdict"] == "accepted"), "{told}");
    }
}
