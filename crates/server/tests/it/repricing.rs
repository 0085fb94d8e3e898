//! What changes the cost of usage in closed billing periods waits for a second person.

use crate::books::{Books, on_each_store};
use crate::closing::{House, USAGE, may, moment, month, told};
use crate::in_process;
use crate::notes::{principal, request_of, role};
use domain::access::{Action, Caller, SecondPerson};
use domain::{Error, Result};
use service::{CloseMode, company};

/// Declares as somebody: how many things changed.
async fn applied(house: &House, by: &Caller, text: &str) -> Result<usize> {
    let known = house.reckoner.company(&Caller::Machine).await?;
    let declared = company::read_texts([("company.toml", text.to_owned())], &known)
        .unwrap_or_else(|problems| panic!("{}", problems[0]));
    let plan = house.reckoner.plan(by, &declared).await?;
    let applied = house.reckoner.apply(by, &declared, &plan, "test").await?;
    Ok(applied.changes)
}

async fn approved(house: &House, by: &str, id: &str) -> String {
    match house.reckoner.approve_request(&principal(by), id, "test").await {
        Ok(done) => done.outcome,
        Err(error) => error.to_string(),
    }
}

/// The rate card of [`crate::closing`], with more prices.
fn card(prices: &str) -> String {
    format!(
        "[[price_list]]\nid = \"card\"\noffer = \"metered\"\nregion = \"US\"\n\
         locales = [\"en-US\"]\ncurrency = \"USD\"\nprices = [{prices}]\n"
    )
}

/// What hours cost in [`crate::closing`], and something else from an instant on.
fn card_from(from: &str) -> String {
    let before = "{ meter = \"hours\", model = { graduated = [{ from = \"0\", price = \"0.333\" }, \
                  { from = \"10\", price = \"0.1234567\" }] } }";
    card(&format!(
        "{before}, {{ meter = \"hours\", effective_from = {from}, model = {{ per_unit = \"9\" }} }}"
    ))
}

fn sheet(id: &str, from: &str) -> String {
    format!(
        "[[price_list]]\nid = \"{id}\"\nbilling_account = \"globex\"\nfrom = \"{from}\"\n\
         currency = \"USD\"\nprices = [{{ meter = \"calls\", model = {{ per_unit = \"1\" }} }}]\n"
    )
}

fn subscription(id: &str, from: &str) -> String {
    format!(
        "[[subscription]]\nid = \"{id}\"\nname = \"{id}\"\nplacements = [{{ {from} \
         billing_account = \"acme\", offer = \"metered\" }}]\n"
    )
}

fn reservation(from: &str) -> String {
    format!(
        "[[reservation]]\nbilling_account = \"acme\"\nid = \"since-{from}\"\n\
         billed_to = \"shop\"\nmeters = [\"hours\"]\nquantity = \"1\"\ncurrency = \"USD\"\n\
         price = \"1\"\nfrom = {from}T00:00:00Z\nuntil = 2026-12-01T00:00:00Z\n"
    )
}

fn moved(from: &str, name: &str, region: &str) -> String {
    format!(
        "[[billing_account]]\nid = \"acme\"\n{from}\nname = \"{name}\"\ncurrency = \"USD\"\n\
         region = \"{region}\"\n"
    )
}

async fn house(books: Books) -> House {
    let house = House::with(books, |config| {
        let needed = SecondPerson::new([Action::RepriceUsage]);
        config.second_person = needed.expect("an action that can need one");
    })
    .await;
    let roles = [role("boss", "Approver"), role("admin", "Administrator")];
    in_process::declare(&house.reckoner, &roles.concat()).await;
    house.send(&USAGE).await;
    house.close(may()).await;
    house
}

async fn only_what_reaches_closed_periods_waits(books: Books) {
    let house = house(books).await;
    let meter = |name: &str, more: &str| {
        format!(
            "[[meter]]\nid = \"hours\"\nname = \"{name}\"\ncategory = \"Machines\"\n\
             unit = \"Hours\"\n{more}\n"
        )
    };
    let source = "[[source]]\nname = \"gate\"\nbilling_accounts = [\"acme\", \"globex\"]\n";
    let passed_through = format!("{source}costing = \"passed_through\"\n");
    let ends = "[[subscription]]\nid = \"shop\"\nname = \"Shop\"\nplacements = [{ until = UNTIL, \
                billing_account = \"acme\", offer = \"metered\" }]\n";
    let rows = [
        (meter("Machine hours", ""), false),
        (meter("Machine hours", "aggregation = \"max\""), true),
        (card_from("2026-05-31T23:59:59Z"), true),
        (card_from("2026-06-01"), false),
        (sheet("late", "2026-05"), true),
        (sheet("late", "2026-06"), false),
        (subscription("second", ""), true),
        (subscription("second", "from = 2026-05-31,"), true),
        (subscription("second", "from = 2026-06-01,"), false),
        (ends.replace("UNTIL", "2026-05-20"), true),
        (ends.replace("UNTIL", "2026-07-01"), false),
        (passed_through, true),
        (reservation("2026-05-30"), true),
        (reservation("2026-06-01"), false),
        (moved("", "Acme of old", "US"), false),
        (moved("", "Acme of old", "DE"), true),
        (moved("from = 2026-05-31", "Acme Europe", "DE"), true),
        (moved("from = 2026-06-01", "Acme Europe", "DE"), false),
        // Nobody is placed on the offer.
        (
            card_from("2026-01-01").replace("metered", "FREE").replace("\"card\"", "\"free\"")
                + "[[offer]]\nid = \"FREE\"\nname = \"Free\"\nhas_rate_card = true\n",
            false,
        ),
    ];
    for (declared, waits) in rows {
        let told = applied(&house, &principal("admin"), &declared).await;
        match told {
            Err(Error::Conflict { what: "request", .. }) => assert!(waits, "{declared}"),
            Ok(changes) => assert!(!waits && changes > 0, "{declared}: {changes}"),
            Err(other) => panic!("{declared}: {other:?}"),
        }
    }
    assert_eq!(house.verified().await, (vec![], vec![]));
}

on_each_store!(only_what_reaches_closed_periods_waits);

async fn a_second_person_lets_prices_into_closed_periods(books: Books) {
    let house = house(books).await;
    let cheaper = |price: &str| {
        card(&format!("{{ meter = \"hours\", model = {{ per_unit = \"{price}\" }} }}"))
    };
    let waits = async |by: &Caller, text: &str| {
        request_of(applied(&house, by, text).await.expect_err("it waits"))
    };
    // The command line is asked for one as everybody is.
    for by in [principal("admin"), Caller::Machine] {
        let (first, problem) = waits(&by, &cheaper("0.1")).await;
        assert!(problem.starts_with("needs the approval of a second person"), "{problem}");
        assert_eq!(waits(&by, &cheaper("0.1")).await.0, first, "asked twice is asked once");
    }
    let (asked, _) = waits(&principal("admin"), &cheaper("0.1")).await;
    let (other, _) = waits(&principal("admin"), &cheaper("0.2")).await;
    let own = approved(&house, "admin", &asked).await;
    assert!(own.contains("nobody approves what it asks for itself"), "{own}");
    let done = approved(&house, "boss", &asked).await;
    assert!(done.starts_with("1 changes; the newest fact is "), "{done}");
    assert_eq!(approved(&house, "boss", &asked).await, "nothing is left to change");
    let stale = approved(&house, "boss", &other).await;
    assert!(stale.contains("something else was declared meanwhile"), "{stale}");
    let changes = applied(&house, &principal("admin"), &cheaper("0.1")).await;
    assert_eq!(changes.expect("no request is needed"), 0);

    // Invoices of closed periods stay; the next one corrects them.
    house.clock.set(moment("2026-07-05T12:00:00Z"));
    let closing = house.close(month("2026-06", CloseMode::Final)).await;
    let told = told(&closing).remove(0);
    assert!(told.starts_with("acme closed reck-"), "{told}");
    assert_eq!(house.verified().await, (vec![], vec![]));
}

on_each_store!(a_second_person_lets_prices_into_closed_periods);

async fn a_request_keeps_no_secrets_and_not_too_much(books: Books) {
    let house = house(books).await;
    let admin = principal("admin");
    let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let client = format!("[[client]]\nid = \"p\"\nname = \"p\"\nsecret_hashes = [\"{hash}\"]\n");
    let text = card_from("2026-05-31") + &client;
    request_of(applied(&house, &admin, &text).await.expect_err("it waits"));
    let requests = house.reckoner.requests(&principal("boss"), None, 9).await.expect("requests");
    let what = &requests[0].what;
    assert!(what.contains("price_list") && !what.contains(hash), "{what}");
    let id = requests[0].id.clone();
    assert!(approved(&house, "boss", &id).await.starts_with("2 changes"));
    let known = house.reckoner.company(&Caller::Machine).await.expect("the company");
    assert!(known.clients.values().any(|client| client.secret_hashes == [hash]));

    let large = "x".repeat(1 << 20);
    let text =
        card_from("2026-05-30") + &client.replace("name = \"p\"", &format!("name = \"{large}\""));
    let error = applied(&house, &admin, &text).await.expect_err("too large").to_string();
    assert!(error.starts_with("files: what they change has "), "{error}");
    assert!(error.contains("keeps at most 1048576"), "{error}");
}

on_each_store!(a_request_keeps_no_secrets_and_not_too_much);
