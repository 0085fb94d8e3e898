//! What the books need, as company files: round trips, folds, plans and problems.

use super::*;
use domain::places::PlaceKey;

/// What stands beside the good company.
const BOOKS: &str = include_str!("books.toml");

fn read_books(text: &str) -> std::result::Result<Declared, Vec<FileProblem>> {
    read(&[("books.toml", text), ("company.toml", GOOD)])
}

/// The good company with its books.
pub(super) fn books() -> Declared {
    read_books(BOOKS).expect("the books")
}

fn at(time: &str) -> Instant {
    Instant::parse(time).expect("a time")
}

#[test]
fn what_the_books_need_survives_its_body() {
    for thing in books().things {
        let body = thing.body();
        let again = Thing::read(thing.kind(), &thing.key(), &body).expect("readable");
        assert_eq!(again, thing);
        assert_eq!(again.body(), body);
    }
}

#[test]
fn what_is_declared_is_folded_from_its_facts() {
    let mut folding = Folding::of(Company::default());
    // The second time nothing is there twice.
    for (number, thing) in (1_u64..).zip(books().things.into_iter().chain(books().things)) {
        let NewFact { kind, key, effective_from: _, body } = thing.fact();
        folding.put(Thing::read(&kind, &key, &body).expect("a fact"), number);
    }
    let company = folding.company;
    let expected = company_of(&books());
    assert_eq!(company.places, expected.places);
    assert_eq!(company.legal_entities, expected.legal_entities);
    assert_eq!(company.taxes, expected.taxes);
    assert_eq!(company.exchange_rates, expected.exchange_rates);
    assert_eq!(company.billing_terms, expected.billing_terms);
    assert_eq!(company.lots, expected.lots);
    assert_eq!(company.plans, expected.plans);
    assert_eq!(company.payment_methods, expected.payment_methods);
    assert_eq!(company.accepted_agreements, expected.accepted_agreements);
    assert_eq!(company.instructions, expected.instructions);
    assert_eq!(company.tags, expected.tags);
    assert_eq!(company.reservations, expected.reservations);
    assert_eq!(company.reservations.values().map(Vec::len).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(company.lots.len(), 2);
    assert_eq!(company.exchange_rates.len(), 1);
}

#[test]
fn facts_hold_from_their_instant() {
    let company = company_of(&books());
    let account = |id: &str| BillingAccountId::new(id).expect("an id");
    let entity = LegalEntityId::new("seller").expect("an id");
    let name = |time| company.legal_entity_at(&entity, at(time)).map(|of| of.name.as_str());
    assert_eq!(name("2026-12-31"), Some("Seller Inc."));
    assert_eq!(name("2027-01-01"), Some("Seller Corp."));

    let days = |id, time| company.terms_at(&account(id), at(time)).expect("terms").payment_days;
    assert_eq!(days("mca", "2026-08-31"), 14);
    assert_eq!(days("mca", "2026-09-01"), 30);
    assert_eq!(days("acme", "2026-09-01"), 30); // nothing is declared, and one sells

    let rate = |id, time| {
        let taxes = company.taxes_at(&account(id), at(time)).expect("taxes");
        taxes.values().map(|rule| rule.rate.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(rate("acme", "2026-06-30"), "0.1");
    assert_eq!(rate("acme", "2026-07-01"), "0.07");
    assert_eq!(rate("mca", "2026-06-30"), "0.19");

    let section = Place {
        billing_account: account("mca"),
        key: PlaceKey {
            level: Level::InvoiceSection,
            id: domain::ids::PlaceId::new("web").expect("an id"),
        },
    };
    let below = |time| {
        let facts = company.places.facts_at(&section, at(time))?;
        Some(facts.parent.as_ref().expect("a parent").id.to_string())
    };
    assert_eq!(below("2025-12-31"), None);
    assert_eq!(below("2026-05-31").as_deref(), Some("main"));
    assert_eq!(below("2026-06-01").as_deref(), Some("other"));
}

#[test]
fn facts_of_accounts_hold_from_their_instant() {
    let company = company_of(&books());
    let mca = BillingAccountId::new("mca").expect("an id");
    let profile = domain::ids::PlaceId::new("main").expect("an id");
    let pays = |time| {
        let found = company.default_payment_method_at(&mca, Some(&profile), at(time));
        found.map(|(id, _)| id.to_string())
    };
    assert_eq!(pays("2025-12-31").as_deref(), Some("transfer"));
    assert_eq!(pays("2026-01-01").as_deref(), Some("card"));
    assert_eq!(pays("2026-08-01").as_deref(), Some("transfer"));

    let accepted = company.accepted_agreements_at(&mca, at("2026-03-01"));
    let told =
        accepted.map(|(id, one)| format!("{id} {} {}", one.during.start(), one.participants.len()));
    assert_eq!(
        told.collect::<Vec<_>>(),
        ["affiliates 2026-02-01T00:00:00Z 0", "mca-2026 2026-01-01T00:00:00Z 2"]
    );
    let instructions = company.instructions_at(&mca, at("2026-03-01"));
    let amounts = instructions.map(|(_, one)| one.amount.minor()).collect::<Vec<_>>();
    assert_eq!(amounts, [250_050]);

    let key = PlaceKey { level: Level::BillingProfile, id: profile.clone() };
    let place = access::Scope::Place(Place { billing_account: mca, key });
    let tags = |time| {
        let found = company.tags_at(&place, at(time));
        found.map(|tags| tags.values().values().cloned().collect::<Vec<_>>().join(" "))
    };
    assert_eq!(tags("2025-12-31"), None);
    assert_eq!(tags("2026-06-30").as_deref(), Some("production web"));
    assert_eq!(tags("2026-07-01").as_deref(), Some("shop"));
    let subscription = domain::ids::SubscriptionId::new("in-web").expect("an id");
    let found = company.tags_at(&access::Scope::Subscription(subscription), at("2026-07-01"));
    assert_eq!(found.expect("tags").cost_center(), "4711");
}

#[test]
fn amounts_of_the_books_are_whole_in_minor_units() {
    let company = company_of(&books());
    let lots = company.lots_of(&BillingAccountId::new("mca").expect("an id"));
    assert_eq!(lots.iter().map(|lot| lot.granted.minor()).collect::<Vec<_>>(), [20_000]);
    let check = check_books_problem;
    check("granted = \"200\"", "granted = \"0.001\"", "lot[0].granted: 0.001 USD has more than 2");
    check("quota = \"1000.50\"", "quota = 0.505", "department[0].quota: 0.505 USD has more than 2");
}

#[test]
fn applying_the_books_twice_changes_nothing() {
    let first = plan(&Bodies::new(), &books()).expect("a plan");
    assert_eq!(first.changes.len(), books().things.len());
    let second = plan(&bodies_of(&first.facts), &books()).expect("a plan");
    assert_eq!((second.changes.len(), second.facts.len()), (0, 0));
}

#[test]
fn a_plan_names_the_fields_of_the_books_that_change() {
    let check = |old: &str, new: &str, expected: &str| {
        assert!(BOOKS.contains(old), "{old}");
        let current = bodies_of(&plan(&Bodies::new(), &books()).expect("a plan").facts);
        let declared = read_books(&BOOKS.replacen(old, new, 1)).expect("readable");
        let plan = plan(&current, &declared).expect("a plan");
        assert_eq!(plan.facts.len(), 1, "{plan}");
        assert!(plan.to_string().contains(expected), "{expected} is not in\n{plan}");
    };
    check("payment_days = 14", "payment_days = 30", "    payment_days: 14 -> -");
    check("payment_days = 14", "payment_days = 10", "~ billing_terms `mca/2026-01-01T00:00:00Z`");
    check("\"Floor 2\"", "\"Floor 3\"", "address.lines[0001]: \"Floor 2\" -> \"Floor 3\"");
    check("quota = \"1000.50\"", "quota = 7", "quota: \"1000.5\" -> \"7\"");
    check("amount = \"30\"", "amount = \"31\"", "amounts[2026-07-31].amount: \"30\" -> \"31\"");
    check("state = \"suspended\"", "state = \"cancelled\"", "].state: \"suspended\" -> \"canc");
    // Another instant is another step.
    check("from = \"2026-09-01\"", "from = \"2026-10-01\"", "+ billing_terms `mca/2026-10-01T");
}

#[test]
fn nothing_of_the_books_is_declared_twice_for_one_instant() {
    let check = check_books_problem;
    check(
        "[[billing_terms]]\nbilling_account = \"mca\"\nfrom = \"2026-09-01\"",
        "[[billing_terms]]\nbilling_account = \"mca\"\nfrom = \"2026-01-01\"",
        "billing_terms[1]: `mca/2026-01-01T00:00:00Z` is declared in books.toml:",
    );
    check(
        "[[lot]]\nbilling_account = \"ea\"\nid = \"prepaid\"",
        "[[lot]]\nbilling_account = \"mca\"\nid = \"welcome\"",
        "lot[1]: `mca/welcome` is declared in books.toml:",
    );
    check(
        "[[department]]\nbilling_account = \"ea\"\nid = \"d2\"",
        "[[department]]\nbilling_account = \"ea\"\nid = \"d1\"",
        "department[1]: `ea/d1/0001-01-01T00:00:00Z` is declared in books.toml:",
    );
}

/// Replaces a text of the books and expects one problem, told at the line of that text.
fn check_books_problem(old: &str, new: &str, expected: &str) {
    let start = BOOKS.find(old).unwrap_or_else(|| panic!("{old} is not in the books"));
    let line = BOOKS[..start].matches('\n').count() + 1;
    let problems = read_books(&BOOKS.replacen(old, new, 1)).expect_err(new);
    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let start = format!("books.toml:{line}: {expected}");
    assert!(shown.iter().any(|problem| problem.starts_with(&start)), "{start}\n{shown:#?}");
}

#[test]
fn problems_of_values_of_the_books_name_file_line_and_key() {
    let check = check_books_problem;
    check("country = \"US\"", "country = \"us\"", "legal_entity[0].country: `us` is not a two-");
    check("trade = \"buys\"", "trade = \"both\"", "legal_entity[2].trade: `both` is not a side of");
    check("name = \"Seller Inc.\"", "name = \"\"", "legal_entity[0].name: must not be empty");
    check(
        "address = { company",
        "address = { lies = 1, company",
        "legal_entity[0].address.lies: unknown field `lies`",
    );
    check(
        "type = \"customer agreement\"",
        "type = \"custom\"",
        "agreement[0].type: `custom` is not a type of agreement; known: customer agreement, ",
    );
    check(
        "profile_creation = \"allowed\"",
        "enrollment = { start = 2026-01-01, end = 2027-01-01, currency = 'USD', country = 'US' }",
        "agreement[0].enrollment: belongs to an enterprise agreement, not to a customer",
    );
    check("end = \"2029-01-01\"", "end = \"2026-01-01\"", "agreement[1].enrollment.end: must be");
    check(
        "cost_center = \"42\"",
        "quota = 1",
        "invoice_section[0].quota: is no key of the level invoice section",
    );
    check("state = \"pending\"", "state = \"new\"", "enrollment_account[0].state: `new` is not a");
    check("generation = \"legacy\"", "generation = 1", "messaging_account[1].generation: `1` is");
    check("rate = \"0.1\"", "rate = \"19\"", "tax_rate[0].rate: 19 is not between 0 and 1");
    check(
        "country = \"DE\"\nrate",
        "country = \"DE\"\nbuyer = \"a\"\nrate",
        "tax_rate[1].country:",
    );
    check("rate = \"0.92\"", "rate = 0", "exchange_rate[0].rate: must be above zero");
    check("to = \"EUR\"", "to = \"USD\"", "exchange_rate[0].to: is `from`: USD");
    check("payment_days = 14", "payment_days = -1", "billing_terms[0].payment_days: invalid value");
    check("\"0.50\"", "\"-1\"", "billing_terms[0].not_billed_up_to: must not be below zero");
    check("granted = \"200\"", "granted = 0", "lot[0].granted: must be above zero");
    check("until = \"2027-01-01\"", "until = \"2026-01-01\"", "lot[0].until: must be after 2026");
    check("anchor_day = 31", "anchor_day = 32", "plan[0].anchor_day: 32 is not 1 to 31");
    check(
        "ends = \"2027-01-31\"",
        "ends = \"2026-01-31\"",
        "plan[0].ends: 2026-01-31 is not after",
    );
    check(
        "ends = \"2027-01-31\"",
        "ends = \"2027-01-31T12:00:00Z\"",
        "plan[0].ends: `2027-01-31T12:00:00Z` is a time, not a day",
    );
}

#[test]
fn problems_of_reservations_name_file_line_and_key() {
    let check = check_books_problem;
    check("quantity = \"1.5\"", "quantity = 0", "reservation[0].quantity: must be above 0");
    check("price = \"8760\"", "price = -1", "reservation[0].price: must not be below 0");
    check(
        "price = \"8760\"",
        "price = 10000000000",
        "reservation[0].price: is more than a charge can have",
    );
    check(
        "until = \"2027-01-01\"\nrefunds",
        "until = \"2026-12-31T00:30:00Z\"\nrefunds",
        "reservation[0].until: must begin and end on a whole hour",
    );
    check(
        "until = \"2027-01-01\"\nrefunds",
        "until = \"2025-01-01\"\nrefunds",
        "reservation[0].until: must be after 2026-01-01",
    );
    check(
        "conditions = { location",
        "conditions = { locality",
        "reservation[0].conditions.locality: ",
    );
    check(
        "exchanged_for = \"new\"",
        "exchanged_for = \"new\"\ncancelled = { at = 2026-02-01 }",
        "reservation[1].exchanged_for: must not stand beside `cancelled`",
    );
}

#[test]
fn problems_between_reservations_and_the_rest_name_file_line_and_key() {
    let check = check_books_problem;
    check(
        "exchanged_for = \"new\"",
        "exchanged_for = \"newer\"",
        "reservation[1].exchanged_for: reservation `newer` does not exist",
    );
    let meters = "meters = [\"data-out\"]\ncond";
    check(
        meters,
        "meters = [\"seats\"]\ncond",
        "reservation[0].meters[0]: meter `seats` is not added up",
    );
    check(
        meters,
        "meters = [\"none\"]\ncond",
        "reservation[0].meters[0]: meter `none` does not exist",
    );
    check(
        "id = \"web-2026\"",
        "id = \"old\"",
        "reservation[3].id: billing account `acme` has a reservation `old` already",
    );
    check(
        "currency = \"USD\"\nprice = 731",
        "currency = \"EUR\"\nprice = 731",
        "reservation[3].currency: billing account `mca` is billed in USD",
    );
    check(
        "from = \"2026-07-01\"\nuntil = \"2027-01-01\"\n\n[[role",
        "from = \"2026-03-01\"\nuntil = \"2027-01-01\"\n\n[[role",
        "reservation[3].from: no reservations may be bought there at 2026-03-01",
    );
    check(
        "billed_to = \"in-web\"",
        "billed_to = \"none\"",
        "reservation[3].billed_to: subscription `none` does not exist",
    );
    check(
        "scope = { place = { level = \"invoice section\", id = \"web\" } }",
        "scope = { place = { level = \"invoice section\", id = \"none\" } }",
        "reservation[3].scope: ",
    );
    check(
        "cancelled = { at = \"2026-07-01T06:00:00Z\"",
        "cancelled = { at = \"2026-01-31T06:00:00Z\"",
        "reservation[0].cancelled.at: 2026-01-31T06:00:00Z is no whole hour of",
    );
    check(
        "refunds = [{ at = \"2026-02-01\", amount = \"10\"",
        "refunds = [{ at = \"2026-02-01\", amount = \"9000\"",
        "reservation[0].refunds[0].amount: must be above 0, and at most ",
    );
    check("fee = \"12\"", "fee = \"-1\"", "reservation[0].cancelled.fee: must lie between 0 and");
}

#[test]
fn an_enrollment_says_whether_reservations_may_be_bought() {
    let reserved = "
[[subscription]]
id = \"in-ea\"
name = \"Enrolled\"
placements = [{ billing_account = \"ea\", offer = \"MS-AZR-0017P\" }]

[[reservation]]
billing_account = \"ea\"
id = \"ea-2026\"
billed_to = \"in-ea\"
meters = [\"data-out\"]
quantity = 1
currency = \"USD\"
price = 365
from = \"2026-06-01\"
until = \"2027-06-01\"
";
    let check = |policy: &str, expected: &[&str]| {
        let with = format!("account_owners_view_charges = \"allowed\"\n{policy}");
        let books = BOOKS.replacen("account_owners_view_charges = \"allowed\"", &with, 1);
        let problems = read_books(&[&books, reserved].concat()).err().unwrap_or_default();
        let problems: Vec<String> =
            problems.into_iter().map(|one| format!("{}: {}", one.key, one.problem)).collect();
        assert_eq!(problems, expected, "{policy}");
    };
    check("", &[]);
    check("reservation_purchases = \"allowed\"", &[]);
    let refused = "reservation[4].from: no reservations may be bought there at \
        2026-06-01T00:00:00Z";
    check("reservation_purchases = \"not_allowed\"", &[refused]);
}

#[test]
fn problems_of_facts_of_accounts_name_file_line_and_key() {
    let check = check_books_problem;
    check("\"0042\"", "\"4111111111110042\"", "payment_method[0].last_four: must be the last");
    check(
        "[[payment_method]]\nbilling_account = \"mca\"\nid = \"transfer\"\nmeans = \"invoice\"",
        "[[payment_method]]\nbilling_account = \"mca\"\nid = \"transfer\"\nmeans = \"card\"",
        "payment_method[2].last_four: must be there, for a card",
    );
    check(
        "means = \"check\"",
        "expires = \"2028-05\"\nmeans = \"check\"",
        "payment_method[3].expires: is a card's alone",
    );
    check("\"detached\"", "\"gone\"", "payment_method[1].standing: `gone` is not a standing of");
    check(
        "standing = \"default\"\n\n[[payment_method]]\nbilling_account = \"mca\"\nid = \"paper\"",
        "standing = \"default\"\nbilling_profile = \"main\"\n\n[[payment_method]]\n\
         billing_account = \"mca\"\nid = \"paper\"",
        "payment_method[2].standing: `card` is the default at 2026-01-01T00:00:00Z already",
    );
    check(
        "billing_profile = \"main\"\nmeans = \"check\"",
        "billing_profile = \"mane\"\nmeans = \"check\"",
        "payment_method[3].billing_profile: billing profile `mane` does not exist in `mca`",
    );
    check(
        "ends = \"2029-01-01\"\nlink",
        "ends = \"2025-01-01\"\nlink",
        "accepted_agreement[0].ends",
    );
    check("accepted_by = \"Ada\"", "accepted_by = \"\"", "accepted_agreement[1].accepted_by: must");
    check(
        "answer = \"pending\"",
        "answer = \"no\"",
        "accepted_agreement[0].participants[1].answer",
    );
    check("amount = \"2500.50\"", "amount = \"-1\"", "instruction[0].amount: must not be below");
    check("ends = \"2026-06-01\"", "ends = \"2026-03-01\"", "instruction[0].ends: must be after");
    check(
        "currency = \"USD\"\namount = \"2500.50\"",
        "currency = \"EUR\"\namount = \"2500.50\"",
        "instruction[0].currency: billing profile `main` is billed in USD",
    );
    check(
        "scope = { subscription = \"in-web\" }",
        "scope = { subscription = \"web\" }",
        "tags[2].scope: subscription `web` does not exist",
    );
    check(
        "scope = { subscription = \"in-web\" }",
        "scope = \"installation\"",
        "tags[2].scope: the installation has no tags",
    );
    check(
        "tags = { team = \"shop\" }",
        "cost_center = \"42\"\ntags = { team = \"shop\" }",
        "tags[1].cost_center: is that of subscriptions and products; a place says its own",
    );
    check(
        "email = \"ada@customer.example\"\n",
        "email = \"ada\"\n",
        "client[0].email: `ada` is no",
    );
}

#[test]
fn problems_between_places_and_agreements_name_file_line_and_key() {
    let check = check_books_problem;
    check(
        "billing_account = \"mca\"\nfrom = \"2026-01-01\"\ntype",
        "billing_account = \"acm\"\nfrom = \"2026-01-01\"\ntype",
        "agreement[0].billing_account: billing account `acm` does not exist",
    );
    check(
        "billing_account = \"ea\"\nid = \"d2\"",
        "billing_account = \"acme\"\nid = \"d2\"",
        "department[1].billing_account: billing account `acme` has no agreement",
    );
    check(
        "billing_profile = \"main\"",
        "billing_profile = \"mani\"",
        "invoice_section[0].billing_profile: billing profile `mani` does not exist at 2026-01-01",
    );
    check(
        "currency = \"USD\"\naddress",
        "currency = \"EUR\"\naddress",
        "billing_profile[0].currency: is EUR; must be USD",
    );
    check(
        "id = \"k1\"",
        "id = \"msg\"",
        "messaging_account[0].id: has the id of its billing account, which stands for what is used",
    );
    check(
        "currency = \"EUR\"\n\n[[customer]]",
        "currency = \"USD\"\n\n[[customer]]",
        "billing_profile[3].currency: billing profile `dollars` has USD already",
    );
    check(
        "currency = \"USD\"\ncountry",
        "currency = \"EUR\"\ncountry",
        "agreement[1].enrollment.currency: is EUR; must be USD",
    );
    check("plans = [\"MS", "plans = [\"NO", "customer[0].plans[0]: offer `NO-AZR-0017P` does not");
}

#[test]
fn problems_between_terms_and_what_they_name_name_file_line_and_key() {
    let check = check_books_problem;
    check(
        "seller = \"seller\"\ncategory = \"Standard\"",
        "seller = \"buyer\"\ncategory = \"Standard\"",
        "tax_rate[0].seller: legal entity `buyer` does not sell",
    );
    check(
        "seller = \"seller\"\nbuyer",
        "seller = \"sellers\"\nbuyer",
        "billing_terms[0].seller: legal entity `sellers` does not exist",
    );
    check("buyer = \"buyer\"", "buyer = \"buy\"", "billing_terms[0].buyer: neither a legal entity");
    check(
        "currency = \"USD\"\ntax_category",
        "currency = \"EUR\"\ntax_category",
        "billing_terms[0].currency: billing account `mca` is billed in USD",
    );
    check(
        "{ meters = [\"seats\"], categories = [\"pu",
        "{ meters = [\"seat\"], categories = [\"pu",
        "billing_terms[0].separately.meters: meter `seat` does not exist",
    );
    check("id = \"prepaid\"", "id = \"welcome\"", "lot[1].id: billing account `mca` has a lot");
    check(
        "currency = \"USD\"\ngranted = \"100000\"",
        "currency = \"EUR\"\ngranted = \"100000\"",
        "lot[1].currency: billing account `ea` is billed in USD",
    );
    check(
        "place = { level = \"billing profile\"",
        "place = { level = \"department\"",
        "plan[0].place: department `main` does not exist in `mca`",
    );
    check("subscription = \"in-web\"", "subscription = \"web\"", "plan[0].subscription: subscr");
    check(
        "scope = { place = { billing_account = \"mca\"",
        "scope = { place = { billing_account = \"mpa\"",
        "role_assignment[0].scope: billing profile `main` does not exist",
    );
    check(
        "scope = { place = { billing_account = \"mca\", level = \"billing profile\", id = \"main\"",
        "scope = { place = { billing_account = \"mca\", level = \"invoice section\", id = \"web\"",
        "role_assignment[0].scope: Billing Profile Owner is a role of: billing profile, customer",
    );
}

#[test]
fn problems_of_where_things_stand_name_file_line_and_key() {
    let check = check_books_problem;
    check(
        "level = \"invoice section\", id = \"web\"",
        "level = \"invoice section\", id = \"wep\"",
        "subscription[0].standings[0].place: invoice section `wep` does not exist at 2026",
    );
    check(
        "    { from = \"2026-06-01\", billing_account = \"mca\", profile = \"other\"",
        "    { from = \"2026-06-01\", billing_account = \"mca\", profile = \"main\"",
        "subscription[0].placements[1].profile: is profile `main`; invoice section `web` lies in",
    );
    check("reseller = \"r1\"", "reseller = \"r2\"", "product[0].standings[0].reseller: `r2` is no");
    check(
        "    { from = \"2026-05-01\", name = \"Better support\", ends_at",
        "    { from = \"2026-05-01\", name = \"Better support\", auto_renew = \"on\" }, #",
        "product[0].facts[1].ends_at: must be there, since it is renewed then",
    );
    check("{ from = \"2026-08-01\", state", "{ state", "subscription[0].states[1].from: must be");
}

#[test]
fn a_place_does_not_change_below_what_stands_there() {
    let known = company_of(&books());
    let check = |profile: &str, expected: Option<&str>| {
        let text = format!(
            "[[invoice_section]]\nbilling_account = \"mca\"\nid = \"web\"\nname = \"Web\"\n\
             from = 2026-09-01\nbilling_profile = \"{profile}\"\n"
        );
        let found = read_dir(dir_of(&[("move.toml", &text)]).path(), &known);
        let problems = found.err().unwrap_or_default();
        let shown = problems.first().map(ToString::to_string);
        assert_eq!(shown.as_deref(), expected, "{profile}");
    };
    check("other", None);
    check(
        "main",
        Some(
            "move.toml:1: invoice_section[0]: subscription `in-web`: placements[1].profile: is \
             profile `other`; invoice section `web` lies in profile `main`",
        ),
    );
}
