//! Company files against their problems, round trips, plans and folds.

mod books;
mod roles;

use super::*;
use domain::company::Company;
use domain::ids::PriceListId;
use std::path::Path;
use std::sync::Arc;

/// A company that stands by itself.
const GOOD: &str = r#"
[[tenant]]
id = "6f0c2a4e-0000-4000-8000-000000000001"

[[billing_account]]
id = "acme"
name = "Acme"
currency = "USD"
region = "US"

[[offer]]
id = "MS-AZR-0003P"
name = "Pay-as-you-go"
has_rate_card = true

[[offer]]
id = "MS-AZR-0017P"
name = "Enterprise"
has_rate_card = false

[[meter]]
id = "data-out"
name = "Data Out"
category = "Networking"
unit = "GB"
names.de-DE = { name = "Ausgehend", category = "Netzwerk" }

[[meter]]
id = "seats"
name = "Seats"
category = "Applications"
unit = "Users"
tags = ["Third Party"]
aggregation = { distinct = { dimension = "user" } }

[[meter]]
id = "sessions"
name = "Sessions"
category = "Messaging"
unit = "Sessions"
aggregation = { session = { window_s = 86400, key = ["sender"] } }

[[price_list]]
id = "card"
offer = "ms-azr-0003p"
region = "US"
locales = ["en-US", "de-DE"]
currency = "usd"
prices = [
    { meter = "DATA-OUT", included = 5, model = { graduated = [
        { from = "0", price = 0.09 },
        { from = "10240.0", price = "0.08", flat = 1, spelled = "10240.0" },
    ] } },
    { meter = "data-out", effective_from = 2026-10-01, model = { per_unit = "0.085" } },
    { meter = "seats", base = { commitment_term = { from = "2026-01", periods = 12 } },
      scope = "account", minimum = "10", maximum = 500,
      model = { package = { size = 10, price = "4.5", rounding = "away_from_zero" } } },
    { meter = "sessions", lineage = "de", conditions = { country = "DE" }, counter = "restarts",
      cost_places = 10, rounding = "half_to_even", model = { volume = [
        { from = 0, price = "0.0089" }, { from = 1000, price = "0.0075" } ] } },
    { meter = "sessions", model = { percentage = "2.5" } },
]
terms = [
    { monetary_credit = { credit = "100", excluded = ["seats"] } },
    { monetary_commitment = { discounts = [{ from = "0", discount = "0.05" }] } },
    { recurring_charge = { effective_from = "2026-01-01", amount = "25" } },
]

[[price_list]]
id = "sheet"
billing_account = "acme"
profile = "main"
from = "2026-08"
until = "2026-12"
currency = "USD"
prices = [{ meter = "data-out", model = { per_unit = "0.07" } }]

[[subscription]]
id = "5B0D1E9A-0000-4000-8000-000000000001"
name = "Shop"
placements = [
    { until = 2026-09-15T12:00:00Z, billing_account = "acme", offer = "MS-AZR-0003P" },
    { from = 2026-09-15T12:00:00Z, billing_account = "acme", profile = "main",
      offer = "MS-AZR-0017P" },
]

[[source]]
name = "metering"
billing_accounts = ["acme"]
grace_s = 86400

[[source]]
name = "vendor"
billing_accounts = ["acme"]
costing = "passed_through"

[[name]]
dimension = "campaign"
value = "c-1"
name = "Spring"

[[name]]
dimension = "campaign"
value = "c-1"
from = "2026-10-01"
name = "Autumn"

[[client]]
id = "9d1f0a00-0000-4000-8000-000000000001"
name = "owner"
secret_hashes = ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]

[[role_assignment]]
principal = "9d1f0a00-0000-4000-8000-000000000001"
role = "Owner"
scope = { subscription = "5b0d1e9a-0000-4000-8000-000000000001" }

[[role_assignment]]
principal = "somebody elsewhere"
role = "Billing Reader"
scope = "installation"

[[role_assignment]]
principal = "somebody elsewhere"
role = "Auditor"
scope = { billing_account = "acme" }
"#;

fn dir_of(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }
    dir
}

fn read(files: &[(&str, &str)]) -> std::result::Result<Declared, Vec<FileProblem>> {
    read_dir(dir_of(files).path(), &Company::default())
}

fn good() -> Declared {
    read(&[("company.toml", GOOD)]).expect("the good company")
}

fn bodies_of(facts: &[NewFact]) -> Bodies {
    facts
        .iter()
        .map(|fact| ((fact.kind.clone(), fact.key.clone()), Arc::from(fact.body.as_str())))
        .collect()
}

fn company_of(declared: &Declared) -> Company {
    declared.over(&Company::default())
}

#[test]
fn every_thing_survives_its_body() {
    for thing in good().things {
        let body = thing.body();
        let again = Thing::read(thing.kind(), &thing.key(), &body).expect("readable");
        assert_eq!(again, thing);
        assert_eq!(again.body(), body);
    }
    let things = books::books().things;
    let kinds: std::collections::BTreeSet<_> = things.iter().map(Thing::kind).collect();
    assert_eq!(kinds.len(), KINDS.len(), "the good company and its books have every kind");
}

#[test]
fn spelling_and_layout_of_files_do_not_matter() {
    let halves = GOOD.split_at(GOOD.find("[[meter]]").expect("a meter"));
    let split = read(&[("z/parties.toml", halves.0), ("a.toml", halves.1)]).expect("readable");
    assert_eq!(split, good());
    let spelled = GOOD.replace("0.09 }", "\"0.0900\" }").replace("2026-10-01,", "\"2026-10-01\",");
    assert_eq!(read(&[("company.toml", &spelled)]).expect("readable"), good());
}

#[test]
fn amounts_in_files_are_exact() {
    let price = "prices = [{ meter = \"data-out\", model = { per_unit = 1.542000000000000299 } }]";
    let text =
        GOOD.replace("prices = [{ meter = \"data-out\", model = { per_unit = \"0.07\" } }]", price);
    let company = company_of(&read(&[("company.toml", &text)]).expect("readable"));
    let sheet = &company.price_lists[&PriceListId::new("sheet").expect("an id")];
    let model = &sheet.prices.values().next().expect("a price")[0].model;
    let expected = money::Fixed18::parse("1.542000000000000299").expect("a decimal");
    assert_eq!(*model, domain::catalog::PricingModel::PerUnit { price: expected });
}

#[test]
fn applying_twice_changes_nothing() {
    let first = plan(&Bodies::new(), &good()).expect("a plan");
    assert_eq!(first.changes.len(), good().things.len());
    assert!(first.changes.iter().all(|change| change.what == What::Added));
    let second = plan(&bodies_of(&first.facts), &good()).expect("a plan");
    assert_eq!((second.changes.len(), second.facts.len()), (0, 0));
    assert_eq!(second.unchanged, good().things.len());
}

#[test]
fn a_plan_names_the_fields_that_change() {
    check_change("name = \"Shop\"", "name = \"Store\"", "name: \"Shop\" -> \"Store\"");
    check_change("\"0.085\"", "0.084", "model.per_unit: \"0.085\" -> \"0.084\"");
    check_change("included = 5,", "", "prices[data-out].included: \"5\" -> -");
    check_change("offer = \"MS-AZR-0017P\" }", "offer = \"MS-AZR-0003P\" }", "].offer:");
    check_change("has_rate_card = false", "has_rate_card = true", "has_rate_card: false -> true");
    check_change("name = \"Autumn\"", "name = \"Fall\"", "~ name `campaign/c-1/2026-10-01T");
    check_change("\nid = \"6f0c", "\nid = \"7f0c", "~ tenant `tenant`");
}

fn check_change(old: &str, new: &str, expected: &str) {
    assert!(GOOD.contains(old), "{old}");
    let current = bodies_of(&plan(&Bodies::new(), &good()).expect("a plan").facts);
    let declared = read(&[("company.toml", &GOOD.replace(old, new))]).expect("readable");
    let plan = plan(&current, &declared).expect("a plan");
    assert_eq!(plan.facts.len(), 1, "{plan}");
    assert!(plan.to_string().contains(expected), "{expected} is not in\n{plan}");
    assert_eq!(plan.to_json()["changes"][0]["what"], "changed");
}

#[test]
fn leaving_out_takes_nothing_away() {
    let current = bodies_of(&plan(&Bodies::new(), &good()).expect("a plan").facts);
    let few = Declared::from(good().things[..3].to_vec());
    let plan = plan(&current, &few).expect("a plan");
    assert_eq!((plan.changes.len(), plan.unchanged), (0, 3));
    assert_eq!(plan.elsewhere, current.len() - 3);
    assert!(plan.to_string().contains("not in these files: kept"));
}

#[test]
fn the_newest_fact_of_a_key_holds() {
    let mut folding = Folding::of(Company::default());
    let text = GOOD.replace("name = \"Shop\"", "name = \"Store\"").replace("Spring", "Easter");
    let second = read(&[("company.toml", &text)]).expect("readable");
    let things = good().things.into_iter().chain(second.things);
    for (at, thing) in things.enumerate() {
        let NewFact { kind, key, effective_from: _, body } = thing.fact();
        let read = Thing::read(&kind, &key, &body).expect("a fact of our making");
        folding.put(read, at as u64 + 1);
    }
    let company = folding.company;
    assert_eq!(company.version, 2 * good().things.len() as u64);
    let subscription = company.subscriptions.values().next().expect("a subscription");
    assert_eq!(subscription.name, "Store");
    assert_eq!(company.role_assignments.len(), 3);
    let list = &company.price_lists[&PriceListId::new("card").expect("an id")];
    assert!(list.version > good().things.len() as u64);
    let names = |at: &str| {
        let at = Instant::parse(at).expect("a time");
        company.name_of("campaign", "c-1", at).to_owned()
    };
    assert_eq!((names("2026-09-30"), names("2026-10-01")), ("Easter".into(), "Autumn".into()));
}

/// Replaces a text of the good company and expects one problem: `line: key: problem`.
fn check_problem(old: &str, new: &str, expected: &str) {
    assert!(GOOD.contains(old), "{old} is not in the good company");
    let text = GOOD.replacen(old, new, 1);
    let problems = read(&[("company.toml", &text)]).expect_err(new);
    let shown = problems[0].to_string();
    assert!(shown.starts_with(&format!("company.toml:{expected}")), "{new}\n{shown}");
}

#[test]
fn problems_of_shape_name_file_line_and_key() {
    let check = check_problem;
    check("[[tenant]]", "[[tenant]", "2: unclosed array table");
    check("[[tenant]]", "[tenant]", "2: tenant: must be [[tenant]]");
    check("[[offer]]", "[[offers]]", "11: offers: is not known; known: tenant, ");
    check("has_rate_card = true", "", "11: offer[0]: missing field `has_rate_card`");
    check("has_rate_card = true", "has_rate_card = 1", "14: offer[0].has_rate_card: invalid type");
    check("has_rate_card = true", "has_card = true", "14: offer[0].has_card: unknown field");
    check(
        "price = 0.09",
        "prize = 0.09",
        "51: price_list[0].prices[0].model.graduated[0].prize: unknown field `prize`",
    );
    check("graduated = [", "gradual = [", "50: price_list[0].prices[0].model: unknown variant");
}

#[test]
fn problems_of_values_name_file_line_and_key() {
    let check = check_problem;
    check("id = \"data-out\"", "id = true", "22: meter[0].id: invalid type");
    check("id = \"data-out\"", "id = \"\"", "22: meter[0].id: meter: must not be empty");
    check("unit = \"GB\"", "unit = \"\"", "25: meter[0].unit: must not be empty");
    check("region = \"US\"", "region = \"us\"", "9: billing_account[0].region: `us` is not a two");
    check("\"USD\"", "\"USX\"", "8: billing_account[0].currency: `USX` is not a currency");
    check(
        "price = 0.09",
        "price = nan",
        "51: price_list[0].prices[0].model.graduated[0].price: `nan` is not a decimal number",
    );
    check(
        "price = 0.09",
        "price = \"0,09\"",
        "51: price_list[0].prices[0].model.graduated[0].price: `0,09` is not a decimal number",
    );
    check(
        "dimension = \"user\"",
        "dimension = \"usr\"",
        "34: meter[1].aggregation.distinct.dimension: `usr` is not a dimension; known: ",
    );
    check("window_s = 86400", "window_s = 0", "41: meter[2].aggregation.session.window_s: must be");
    check("cost_places = 10", "cost_places = 19", "59: price_list[0].prices[3].cost_places: must");
    check(
        "role = \"Owner\"",
        "role = \"Own\"",
        "115: role_assignment[0].role: `Own` is not a role",
    );
    check("scope = \"installation\"", "scope = \"all\"", "121: role_assignment[1].scope: unknown");
    check("dimension = \"campaign\"", "dimension = \"camp\"", "98: name[0].dimension: `camp` is");
    check("[\"e3b0", "[\"E3b0", "111: client[0].secret_hashes[0]: is not a SHA-256");
    check(
        "secret_hashes = [",
        "secret_hashes = [\"a\", \"b\", ",
        "111: client[0].secret_hashes: at most two secrets may be live",
    );
}

#[test]
fn problems_between_values_name_file_line_and_key() {
    let check = check_problem;
    check("until = \"2026-12\"", "until = \"2026-07\"", "74: price_list[1].until: must not be");
    check(
        "from = \"2026-08\"",
        "region = \"US\"",
        "73: price_list[1].region: belongs to a list of",
    );
    check(
        "from = 2026-09-15T12",
        "from = 2026-09-14T12",
        "83: subscription[0].placements[1].from: must not start before 2026-09-15T12:00:00Z",
    );
    check(
        "profile = \"main\",",
        "profile = \"main\", until = 2026-09-01,",
        "83: subscription[0].placements[1].until: must be after 2026-09-15T12:00:00Z",
    );
    check("10240.0\", price", "0\", price", "50: price_list[0].prices[meter=data-out]: lineage");
}

/// The good company, of whose account something else is known from an instant on.
#[test]
fn names_are_declared_of_dimensions_and_of_three_things_beside() {
    let at = Instant::parse("2026-11-01").expect("a date");
    for dimension in ["network", "meter_category", "meter_subcategory", "country_prefix"] {
        let named = format!("dimension = \"{dimension}\"");
        let text = GOOD.replace("dimension = \"campaign\"", &named);
        let declared = read(&[("company.toml", &text)]).expect(dimension);
        assert_eq!(company_of(&declared).name_of(dimension, "c-1", at), "Autumn");
    }
}

fn later(from: &str, currency: &str, region: &str) -> String {
    format!(
        "{GOOD}\n[[billing_account]]\nid = \"acme\"\n{from}\nname = \"Acme Europe\"\n\
         currency = \"{currency}\"\nregion = \"{region}\"\n"
    )
}

#[test]
fn what_is_known_of_an_account_holds_from_its_instant() {
    let text = later("from = 2026-05-15", "USD", "DE");
    let declared = read(&[("company.toml", &text)]).expect("readable");
    let company = company_of(&declared);
    let account = &company.accounts[&BillingAccountId::new("acme").expect("an id")];
    let check = |at: &str, expected: (&str, &str)| {
        let at = Instant::parse(at).expect("a time");
        let found = (account.name_at(at).expect("a name"), account.region_at(at).expect("one"));
        assert_eq!(found, expected, "{at}");
    };
    check("0001-01-01", ("Acme", "US"));
    check("2026-05-14T23:59:59.999999Z", ("Acme", "US"));
    check("2026-05-15", ("Acme Europe", "DE"));
    check("9999-01-01", ("Acme Europe", "DE"));
    for thing in declared.things {
        let again = Thing::read(thing.kind(), &thing.key(), &thing.body()).expect("readable");
        assert_eq!(again, thing);
    }
}

#[test]
fn an_accounts_fact_without_an_instant_is_as_it_was() {
    let body = r#"{"id":"acme","name":"Acme","currency":"USD","region":"US"}"#;
    let thing = Thing::read(BILLING_ACCOUNT, "acme", body).expect("a fact of before");
    let fact = thing.fact();
    assert_eq!((fact.key.as_str(), fact.body.as_str()), ("acme", body));
    assert_eq!(fact.effective_from, Instant::MIN);
}

#[test]
fn steps_of_an_account_that_cannot_be_name_file_line_and_key() {
    let check = |text: &str, expected: &str| {
        let problems = read(&[("company.toml", text)]).expect_err(expected);
        assert!(problems.iter().any(|one| one.to_string().contains(expected)), "{problems:?}");
    };
    let other = "billing_account[0].currency: billing account `acme` is billed in EUR: another \
                 currency is another account";
    check(&later("from = 2026-05-15", "EUR", "DE"), other);
    let region = "billing_account[1].region: `de` is not a two-letter country such as US";
    check(&later("from = 2026-05-15", "USD", "de"), region);
    check(&later("from = \"May\"", "USD", "DE"), "billing_account[1].from: ");
    check(&later("", "USD", "DE"), "billing_account[1]: `acme` is declared in company.toml:5");
}

#[test]
fn problems_between_things_name_file_line_and_key() {
    let check = check_problem;
    check("\"sheet\"", "\"card\"", "69: price_list[1]: `card` is declared in company.toml:43");
    check(
        "billing_account = \"acme\", offer",
        "billing_account = \"acm\", offer",
        "82: subscription[0].placements[0].billing_account: billing account `acm` does not exist",
    );
    check(
        "offer = \"MS-AZR-0017P\"",
        "offer = \"none\"",
        "84: subscription[0].placements[1].offer: offer `NONE` does not exist",
    );
    check(
        "\"DATA-OUT\"",
        "\"DATA\"",
        "50: price_list[0].prices[meter=data].meter: meter `data` does not exist",
    );
    check(
        "excluded = [\"seats\"]",
        "excluded = [\"seat\"]",
        "64: price_list[0].terms[0].monetary_credit.excluded[0]: meter `seat` does not exist",
    );
    check(
        "\"ms-azr-0003p\"",
        "\"ms-azr-0017p\"",
        "45: price_list[0].offer: offer `MS-AZR-0017P` publishes no rate card",
    );
    check(
        "profile = \"main\"\nfrom = \"2026-08\"\nuntil = \"2026-12\"\ncurrency = \"USD\"",
        "from = \"2026-08\"\ncurrency = \"EUR\"",
        "73: price_list[1].currency: billing account `acme` is billed in USD",
    );
    check(
        "scope = { billing_account = \"acme\" }",
        "scope = { billing_account = \"a\" }",
        "126: role_assignment[2].scope: billing account `a` does not exist",
    );
    check(
        "billing_accounts = [\"acme\"]\ngrace_s",
        "billing_accounts = []\ngrace_s",
        "89: source[0].billing_accounts: must name at least one",
    );
}

#[test]
fn terms_of_offers_that_cannot_be_meant_name_file_line_and_key() {
    let check = check_problem;
    let (credit, commitment) = ("64: price_list[0].terms[0].monetary_credit", "65: price_list[0]");
    check("credit = \"100\"", "credit = -1", &format!("{credit}.credit: `-1` is less than 0"));
    let amount = "66: price_list[0].terms[2].recurring_charge.amount:";
    check("amount = \"25\"", "amount = 25.5", &format!("{amount} `25.5` has a fraction"));
    check("amount = \"25\"", "amount = -25", &format!("{amount} `-25` is less than 0"));
    let discount = |rest: &str| format!("{commitment}.terms[1].monetary_commitment.{rest}");
    let of = "discount = \"0.05\"";
    let no_fraction = |given: &str| {
        discount(&format!("discounts[0].discount: `{given}` is no fraction between 0 and 1"))
    };
    check(of, "discount = \"5\"", &no_fraction("5"));
    check(of, "discount = \"-0.05\"", &no_fraction("-0.05"));
    let from = "[{ from = \"0\", discount = \"0.05\" }";
    check(
        from,
        "[{ from = -1, discount = 0 }",
        &discount("discounts[0].from: `-1` is less than 0"),
    );
    for second in ["99.5", "100"] {
        check(
            from,
            &format!("[{{ from = 100, discount = 0 }}, {{ from = {second}, discount = 1 }}"),
            &discount(&format!("discounts[1].from: `{second}` must be more than 100, the bound")),
        );
    }
}

/// The good company with an end for its second role, `Billing Reader` of the installation.
fn ended(role: &str, end: &str) -> String {
    let scope = "scope = \"installation\"";
    GOOD.replace("role = \"Billing Reader\"", &format!("role = \"{role}\""))
        .replace(scope, &format!("{scope}\n{end}"))
}

#[test]
fn a_role_is_taken_away_by_a_later_fact_and_given_again() {
    let current = bodies_of(&plan(&Bodies::new(), &good()).expect("a plan").facts);
    let check = |end: &str, shown: &str, until: Instant| {
        let declared = read(&[("company.toml", &ended("Billing Reader", end))]).expect("readable");
        let plan = plan(&current, &declared).expect("a plan").to_string();
        let key = "~ role_assignment `somebody elsewhere/Billing Reader/installation`\n    ";
        assert!(plan.contains(&format!("{key}{shown}")), "{plan}");
        let company = declared.over(&company_of(&good()));
        assert_eq!(company.role_assignments.len(), 3);
        let ends = company.role_assignments.iter().any(|given| given.until == until);
        assert!(ends, "{:?}", company.role_assignments);
        let again = good().over(&company);
        assert!(again.role_assignments.iter().all(|given| given.until == Instant::MAX));
        for thing in declared.things {
            assert_eq!(
                Thing::read(thing.kind(), &thing.key(), &thing.body()).expect("ours"),
                thing
            );
        }
    };
    let october = Instant::parse("2026-10-01").expect("a time");
    check("revoked = true", "revoked: - -> true", Instant::MIN);
    check("until = 2026-10-01", "until: - -> \"2026-10-01T00:00:00Z\"", october);
    let both = ended("Billing Reader", "until = 2026-10-01\nrevoked = true");
    let problems = read(&[("company.toml", &both)]).expect_err("two ends");
    let expected = "company.toml:122: role_assignment[1].until: must not stand beside";
    assert!(problems[0].to_string().starts_with(expected), "{}", problems[0]);
}

#[test]
fn the_last_administrator_stays() {
    let check = |end: &str, key: &str| {
        let text = ended("Administrator", end);
        let problems = read(&[("company.toml", &text)]).expect_err(end);
        let expected = format!(
            "company.toml:122: role_assignment[1].{key}: `somebody elsewhere` is the last \
             Administrator of the installation; give another principal that role without an end \
             first"
        );
        assert_eq!(problems[0].to_string(), expected);
        assert_eq!(problems.len(), 1);
        let other = "[[role_assignment]]\nprincipal = \"other\"\nrole = \"Administrator\"\n";
        let of = |scope: &str| format!("{text}\n{other}scope = {scope}\n");
        assert!(read(&[("company.toml", &of("\"installation\""))]).is_ok());
        assert!(read(&[("company.toml", &of("{ billing_account = \"acme\" }"))]).is_err());
        let ends_too = format!("\"installation\"\n{end}");
        assert_eq!(read(&[("company.toml", &of(&ends_too))]).expect_err(end).len(), 2);
    };
    check("revoked = true", "revoked");
    check("until = 2099-01-01", "until");
}

#[test]
fn two_lists_for_the_same_usage_are_refused() {
    let sheet = "id = \"second\"\nbilling_account = \"acme\"\ncurrency = \"USD\"";
    let refused = |more: &str| {
        let text = format!("{GOOD}\n[[price_list]]\n{more}");
        read(&[("company.toml", &text)]).is_err()
    };
    assert!(refused(&format!("{sheet}\nprofile = \"main\"\nfrom = \"2026-12\"")));
    assert!(!refused(&format!("{sheet}\nprofile = \"main\"\nfrom = \"2027-01\"")));
    assert!(!refused(&format!("{sheet}\nfrom = \"2026-12\"")));
    let card = "id = \"second\"\noffer = \"MS-AZR-0003P\"\nlocales = [\"en-US\"]";
    assert!(refused(&format!("{card}\nregion = \"US\"\ncurrency = \"USD\"")));
    assert!(!refused(&format!("{card}\nregion = \"DE\"\ncurrency = \"USD\"")));
    assert!(!refused(&format!("{card}\nregion = \"US\"\ncurrency = \"EUR\"")));
}

#[test]
fn what_was_declared_before_may_be_referred_to() {
    let known = company_of(&good());
    let text = "[[source]]\nname = \"more\"\nbilling_accounts = [\"acme\"]\n";
    let dir = dir_of(&[("more.toml", text)]);
    assert!(read_dir(dir.path(), &known).is_ok());
    assert!(read_dir(dir.path(), &Company::default()).is_err());
}

#[test]
fn a_directory_without_company_files_is_refused() {
    let check = |dir: &Path, expected: &str| {
        let problems = read_dir(dir, &Company::default()).expect_err("refused");
        assert!(problems[0].to_string().starts_with(expected), "{problems:?}");
    };
    check(dir_of(&[("notes.txt", "")]).path(), ".: holds no company files");
    check(Path::new("no such directory"), ".: cannot be read");
}

/// Where the real files are; without them the tests that need them say so, and fail in CI.
fn data(file: &str) -> Option<std::path::PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let dir = std::env::var("RECKONER_DATA").unwrap_or_else(|_| default.to_owned());
    let path = Path::new(&dir).join(file);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var("CI").is_err(), "{file} is not in {dir}; set RECKONER_DATA");
    println!("LEFT OUT: {file} is not in {dir}; set RECKONER_DATA");
    None
}

const IMPORTING: &str = r#"
[[offer]]
id = "MS-AZR-0062P"
name = "Credit"
has_rate_card = true

[[price_list]]
id = "card"
offer = "MS-AZR-0062P"
region = "US"
locales = ["en-US"]
currency = "USD"
import = { format = "FORMAT", file = "FILE" }
"#;

fn importing(format: &str, file: &Path) -> String {
    let file = file.display().to_string();
    IMPORTING.replace("FORMAT", format).replace("FILE", &file)
}

#[test]
fn the_real_rate_card_brings_its_meters_prices_and_terms() {
    let card = "azure-commerce/ratecard-MS-AZR-0062P-USD-en-US.json";
    let Some(card) = data(card) else { return };
    let text = importing("azure-rate-card", &card);
    let declared = read(&[("company.toml", &text)]).expect("readable");
    let company = company_of(&declared);
    assert_eq!(company.meters.len(), 3_817);
    let list = &company.price_lists[&PriceListId::new("card").expect("an id")];
    assert_eq!(list.prices.values().map(Vec::len).sum::<usize>(), 3_817);
    let tiered = |price: &&domain::catalog::Price| match &price.model {
        domain::catalog::PricingModel::Graduated { tiers } => tiers.len() > 1,
        _ => false,
    };
    assert_eq!(list.prices.values().flatten().filter(tiered).count(), 203);
    assert_eq!(list.terms.len(), 1);
    for thing in &declared.things {
        let again = Thing::read(thing.kind(), &thing.key(), &thing.body()).expect("readable");
        assert_eq!(again, *thing);
    }
    let first = plan(&Bodies::new(), &declared).expect("a plan");
    assert_eq!(first.facts.len(), 3_819);
    let again = plan(&bodies_of(&first.facts), &declared).expect("a plan");
    assert_eq!((again.changes.len(), again.unchanged), (0, 3_819));

    let own_name = "[[meter]]\nid = \"D23B222D-e065-4aa9-8d5e-8c3990b4b0f7\"\nname = \"Ours\"\n\
                    category = \"Ours\"\nunit = \"Hours\"\n";
    let both = read(&[("company.toml", &text), ("z.toml", own_name)]).expect("readable");
    let meters = company_of(&both).meters;
    assert_eq!(meters.len(), 3_817);
    assert_eq!(meters.values().filter(|meter| meter.name == "Ours").count(), 1);
}

#[test]
fn the_real_oci_list_brings_its_meters() {
    let Some(path) = data("oci/price-list-usd.json") else { return };
    let text = importing("oci-price-list", &path);
    let declared = read(&[("company.toml", &text)]).expect("readable");
    assert_eq!(company_of(&declared).meters.len(), 450);
    let first = plan(&Bodies::new(), &declared).expect("a plan");
    let again = plan(&bodies_of(&first.facts), &declared).expect("a plan");
    assert_eq!(again.changes.len(), 0);
}

/// The real sheet prices 19 meters twice, by part number; which holds is the operator's to say.
#[test]
fn a_price_that_ties_is_refused_until_the_company_file_gives_one() {
    let sheet = "azure-consumption/price-sheet-201710-zero-priced.json";
    let Some(path) = data(sheet) else { return };
    let whole = importing("azure-price-sheet", &path);
    let problems = read(&[("company.toml", &whole)]).expect_err("a page only");
    assert!(problems[0].problem.contains("is a page of a longer list"), "{}", problems[0]);

    let text = whole.replace("\" }", "\", is_part = true }");
    let problems = read(&[("company.toml", &text)]).expect_err("refused");
    assert_eq!(problems.len(), 19);
    let meter_of = |problem: &FileProblem| {
        let from = problem.key.split_once("[meter=").expect("a meter").1;
        from.trim_end_matches(']').to_owned()
    };
    let prices: Vec<String> = problems
        .iter()
        .map(|problem| format!("{{ meter = \"{}\", model.per_unit = 1 }}", meter_of(problem)))
        .collect();
    let given = format!("{text}prices = [{}]\n", prices.join(", "));
    let company = company_of(&read(&[("company.toml", &given)]).expect("readable"));
    assert_eq!(company.meters.len(), 981);
}

#[test]
fn a_list_of_any_csv_is_read_through_its_mapping() {
    let import = "import = { format = \"csv\", file = \"rates.csv\", mapping = \"map.txt\" }";
    let text = IMPORTING.replace("import = { format = \"FORMAT\", file = \"FILE\" }", import);
    let map = "[columns]\nmeter = \"sku\"\nprice = \"rate\"\nunit = \"per\"\n";
    let rates = "sku,rate,per\nmail,0.0004,Mails\nfax,0.05,Pages\n";
    let files = [("a/company.toml", text.as_str()), ("a/map.txt", map), ("a/rates.csv", rates)];
    let company = company_of(&read(&files).expect("readable"));
    let units: Vec<_> = company.meters.values().map(|meter| meter.unit.as_str()).collect();
    assert_eq!(units, ["Pages", "Mails"]);
    assert_eq!(company.price_lists.values().next().expect("a list").prices.len(), 2);
}

#[test]
fn what_is_wrong_with_an_import_names_the_company_file() {
    let check = |text: &str, expected: &str| {
        let problems = read(&[("company.toml", text)]).expect_err("refused");
        let shown = problems[0].to_string();
        assert!(shown.starts_with("company.toml:"), "{shown}");
        assert!(shown.contains(expected), "{shown}");
    };
    let text = importing("azure-rate-card", Path::new("none.json"));
    check(&text, ":13: price_list[0].import.file: none.json: ");
    check(&text.replace("azure-rate-card", "azure"), ":13: price_list[0].import.format: unknown");
    check(&text.replace("azure-rate-card", "csv"), ":13: price_list[0].import.file: none.json");
    let card = "azure-commerce/ratecard-MS-AZR-0062P-USD-en-US.json";
    let Some(card) = data(card) else { return };
    let text = importing("azure-rate-card", &card);
    check(&text.replace("\"USD\"", "\"EUR\""), "currency is USD by the card");
    check(&text.replace("\"en-US\"", "\"de-DE\""), "locale is \"en-US\" by the card");
    check(&text.replace("has_rate_card = true", "has_rate_card = false"), "publishes no rate card");
    check(&importing("oci-price-list", &card), "price_list[0].import.file: ");
}
