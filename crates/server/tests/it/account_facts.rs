//! A billing account's name and region hold from an instant, and what is closed stays.

use crate::books::{Books, on_each_store};
use crate::closing::{House, USAGE, may, moment, month, told};
use crate::in_process;
use domain::Error;
use domain::access::Caller;
use domain::invoice::Invoice;
use service::{ChargeQuery, CloseMode, GroupBy, company};

/// From June on `acme` is in Germany under another name, where hours cost 2 and tax is lower.
const MOVED: &str = r#"
[[billing_account]]
id = "acme"
from = 2026-06-01
name = "Acme Europe"
currency = "USD"
region = "DE"

[[tax_rate]]
seller = "reck"
category = "standard"
country = "DE"
rate = "0.07"

[[price_list]]
id = "card-de"
offer = "metered"
region = "DE"
locales = ["de-DE"]
currency = "USD"
prices = [{ meter = "hours", model = { per_unit = "2" } }]
"#;

async fn invoices(house: &House) -> Vec<(Invoice, String)> {
    let documents = house.invoices().await.into_iter();
    documents.map(|document| (document.invoice, document.owed.to_string())).collect()
}

/// Month and name of `acme`, as charges are labelled.
async fn labels(house: &House) -> Vec<String> {
    let query = ChargeQuery {
        billing_account: Some(crate::closing::account("acme")),
        days: moment("2026-05-01").day()..moment("2026-07-01").day(),
        group_by: vec![GroupBy::Month, GroupBy::BillingAccount],
        filters: Vec::new(),
        top: None,
    };
    let table = house.reckoner.charges(&Caller::Machine, &query).await.expect("charges");
    let text = |value: &Option<String>| value.clone().expect("a value");
    table
        .rows
        .iter()
        .map(|row| format!("{} {}", text(&row.keys[0]), text(&row.labels[1])))
        .collect()
}

async fn a_closed_period_stays_when_its_account_moves(books: Books) {
    let house = House::new(books).await;
    house.send(&USAGE).await;
    house.close(may()).await;
    let before = invoices(&house).await;
    house.clock.set(moment("2026-07-05T12:00:00Z"));
    in_process::declare(&house.reckoner, MOVED).await;
    assert_eq!(house.verified().await, (vec![], vec![]));
    assert_eq!(invoices(&house).await, before);
    assert_eq!(labels(&house).await, ["2026-05 Acme", "2026-06 Acme Europe"]);

    // June has one hour: 2.00 and 7 % tax.
    let closing = house.close(month("2026-06", CloseMode::Final)).await;
    assert_eq!(told(&closing), ["acme closed reck-00000003", "globex closed"]);
    let after = invoices(&house).await;
    assert_eq!(after[..2], before);
    assert_eq!(after[2].1, "2.14 USD");
    let house = house.reopened().await;
    assert_eq!(house.verified().await, (vec![], vec![]), "after a restart");
    assert_eq!(invoices(&house).await, after);
}

on_each_store!(a_closed_period_stays_when_its_account_moves);

/// What a plan of some accounts is told: `id from currency, …`.
async fn planned(house: &House, accounts: &[(&str, &str, &str)]) -> String {
    let table = |(id, from, currency): &(&str, &str, &str)| {
        let from = if from.is_empty() { String::new() } else { format!("from = {from}\n") };
        format!(
            "[[billing_account]]\nid = \"{id}\"\n{from}name = \"Known\"\n\
             currency = \"{currency}\"\nregion = \"US\"\n"
        )
    };
    let text: String = accounts.iter().map(table).collect();
    let known = house.reckoner.company(&Caller::Machine).await.expect("the company");
    let declared = match company::read_texts([("company.toml", text)], &known) {
        Ok(declared) => declared,
        Err(problems) => return problems[0].to_string(),
    };
    let plan = match house.reckoner.plan(&Caller::Machine, &declared).await {
        Ok(plan) => plan,
        Err(Error::Conflict { problem, .. }) => return problem,
        Err(other) => panic!("{other:?}"),
    };
    let applied = house.reckoner.apply(&Caller::Machine, &declared, &plan, "test").await;
    format!("{} changes", applied.expect("applied").changes)
}

async fn another_currency_is_another_account(books: Books) {
    let house = House::new(books).await;
    let other = "another currency is another account";
    let usd = format!("is billed in USD: {other}");
    assert_eq!(planned(&house, &[("solo", "", "USD")]).await, "1 changes");
    // Nothing is booked yet, and all that is known is declared anew.
    assert_eq!(planned(&house, &[("solo", "", "EUR")]).await, "1 changes");
    assert_eq!(planned(&house, &[("solo", "2026-06-01", "USD")]).await, usd.replace("USD", "EUR"));
    assert_eq!(planned(&house, &[("solo", "2026-06-01", "EUR")]).await, "1 changes");
    assert_eq!(planned(&house, &[("solo", "", "USD")]).await, usd.replace("USD", "EUR"));
    let both = [("solo", "", "USD"), ("solo", "2026-06-01", "USD")];
    assert_eq!(planned(&house, &both).await, "2 changes");
    let mixed = [("solo", "", "USD"), ("solo", "2026-06-01", "EUR")];
    let problem = format!("billing account `solo` is billed in EUR: {other}");
    assert!(planned(&house, &mixed).await.ends_with(&problem));

    house.send(&USAGE).await;
    house.close(may()).await;
    assert_eq!(planned(&house, &[("acme", "", "EUR")]).await, usd);
    assert_eq!(planned(&house, &[("acme", "", "USD")]).await, "1 changes");
    assert_eq!(house.verified().await, (vec![], vec![]));
}

on_each_store!(another_currency_is_another_account);
