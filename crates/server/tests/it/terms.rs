//! Prices whose tiers count over several billing periods: what comes late for one of them changes
//! the closed ones behind it, and each close can be computed again as it saw them all.

use crate::books::{Books, on_each_store};
use crate::closing::{House, moment, month, told};
use crate::in_process;
use money::Fixed18;
use service::CloseMode;

/// Ten hours of May to July together cost more than those behind them.
const TERM: &str = r#"
[[price_list]]
id = "card"
offer = "metered"
region = "US"
locales = ["en-US"]
currency = "USD"

[[price_list.prices]]
meter = "hours"
base = { commitment_term = { from = "2026-05", periods = 3 } }
model = { graduated = [{ from = "0", price = "0.333" }, { from = "10", price = "0.1234567" }] }
"#;

/// What the lines of all invoices come to, by billing period and line, exactly.
async fn charged(house: &House) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for document in house.invoices().await {
        let period = document.invoice.period.to_string();
        let lines = document.invoice.lines.iter();
        all.extend(lines.map(|line| (period.clone(), line.pricing.major.to_string())));
    }
    all
}

async fn late_usage_corrects_the_later_months_of_its_term(books: Books) {
    let house = House::new(books).await;
    in_process::declare(&house.reckoner, TERM).await;
    // Usage of May comes behind that of June, and both before May is closed.
    house.send(&["june acme shop hours 8 2026-06-03", "may acme shop hours 8 2026-05-04"]).await;
    house.close(month("2026-05", CloseMode::Final)).await;
    house.clock.set(moment("2026-07-05T12:00:00Z"));
    house.close(month("2026-06", CloseMode::Final)).await;
    let own = |period: &str, cost: &str| (period.to_owned(), cost.to_owned());
    // Two hours in the first tier, six in the second.
    let closed = [own("2026-05", "2.664"), own("2026-06", "1.4067402")];
    assert_eq!(charged(&house).await, closed);
    assert_eq!(house.verified().await, (vec![], vec![]));

    house.send(&["late acme shop hours 4 2026-05-05"]).await;
    let (problems, notes) = house.verified().await;
    assert_eq!(problems, Vec::<String>::new(), "closed months are as their closes saw them");
    let waits = |period| format!("acme in {period}: 1 corrections wait for the next close");
    assert_eq!(notes, [waits("2026-05"), waits("2026-06")]);
    let house = house.reopened().await;
    assert_eq!(house.verified().await.0, Vec::<String>::new());

    house.clock.set(moment("2026-08-05T12:00:00Z"));
    let july = house.close(month("2026-07", CloseMode::Final)).await;
    assert_eq!(told(&july), ["acme closed reck-00000003", "globex closed"]);
    let all = charged(&house).await;
    // Two late hours in each tier; the two of June that stood in the first move to the second.
    let corrections = [own("2026-07", "0.9129134"), own("2026-07", "-0.4190866")];
    assert_eq!(all, [closed, corrections].concat());
    let costs = all.iter().map(|(_, cost)| Fixed18::parse(cost).expect("a number"));
    let sum = costs.fold(Fixed18::ZERO, |sum, cost| sum.checked_add(cost).expect("small"));
    // Ten hours in each tier.
    assert_eq!(sum, Fixed18::parse("4.564567").expect("a number"));
    assert_eq!(house.verified().await, (vec![], vec![]), "nothing is left to correct");
}

on_each_store!(late_usage_corrects_the_later_months_of_its_term);
