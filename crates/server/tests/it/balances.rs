//! Balances of billing periods: what lots held, gained and paid, and what was beyond them.

use crate::books::{Books, on_each_store};
use crate::closing::{CALLS, House, account, company, moment};
use crate::installation::Installation;
use crate::notes::step;
use crate::{described, in_process};
use calendar::{BillingPeriod, Interval};
use domain::access::Caller;
use domain::balance_summaries::LotChange;
use domain::credits::{BalanceSummary, DrawTotals};
use domain::usage::ChargeCategory;
use money::{Cost, Currency, Fixed18, Money};
use serde_json::{Value, json};
use service::{BalanceOfPeriod, Incoming};

/// Hours and calls at a dollar each; prepayment cannot pay calls.
pub(crate) const TERMS: &str = r#"
[[price_list]]
id = "card"
offer = "metered"
region = "US"
locales = ["en-US"]
currency = "USD"
prices = [
    { meter = "hours", model = { per_unit = "1" } },
    { meter = "calls", model = { per_unit = "1" } },
]

[[billing_terms]]
billing_account = "acme"
seller = "reck"
currency = "USD"
approval = "by_rule"
separately = { meters = ["calls"] }

[[lot]]
billing_account = "acme"
id = "prepaid"
kind = "prepayment"
currency = "USD"
granted = "100"
from = 2026-05-01T00:00:00Z
until = 2027-05-01T00:00:00Z

[[lot]]
billing_account = "acme"
id = "promo"
kind = "credit"
currency = "USD"
granted = "20"
from = 2026-05-10T00:00:00Z
until = 2026-06-16T00:00:00Z
"#;

async fn asked(house: &House, id: &str, period: &str) -> domain::Result<BalanceOfPeriod> {
    let period = BillingPeriod::parse(period).expect("a period");
    house.reckoner.balance_of_period(&Caller::Machine, &account(id), period).await
}

/// `closed: 0 + 100 + 20 - 75 = 45; 0 + 7 = 7, 82 used, 12 apart; grant promo 20`: the identities
/// of a month with its numbers, and each of its adjustments.
async fn balance(house: &House, id: &str, period: &str) -> String {
    let told = match asked(house, id, period).await {
        Ok(told) => told,
        Err(error) => return error.to_string(),
    };
    let BalanceSummary { beginning, new_purchases, adjustments, totals } = told.balance.summary;
    let DrawTotals { utilized, service_overage, billed_separately, marketplace } = totals;
    let whole = |money: Money| {
        let digits = money.digits();
        digits.strip_suffix(".00").map_or(digits.clone(), str::to_owned)
    };
    let [beginning, bought, adjusted, utilized, ending] = [
        beginning,
        new_purchases,
        adjustments,
        utilized,
        told.balance.summary.ending().expect("a sum"),
    ]
    .map(whole);
    let [overage, separately, apart] = [service_overage, billed_separately, marketplace].map(whole);
    let beyond = whole(totals.total_overage().expect("a sum"));
    let used = whole(totals.total_usage().expect("a sum"));
    let change = |one: &LotChange| {
        let by = one.document.as_ref().map(|document| format!(" by {document}"));
        let (name, lot, by) = (one.kind.name(), &one.lot, by.unwrap_or_default());
        format!("{name} {lot} {}{by}", whole(one.amount))
    };
    let changes: Vec<String> = told.balance.adjustments.iter().map(change).collect();
    let (state, changes) = (if told.is_final { "closed" } else { "open" }, changes.join(", "));
    format!(
        "{state}: {beginning} + {bought} + {adjusted} - {utilized} = {ending}; \
         {overage} + {separately} = {beyond}, {used} used, {apart} apart; {changes}"
    )
}

/// A marketplace charge at its own cost.
async fn buy(house: &House, cost: &str) {
    let mut record = in_process::record("bought", "1");
    record.category = ChargeCategory::Marketplace;
    let major = Fixed18::parse(cost).expect("a number");
    record.stated_cost = Some(Cost { major, currency: Currency::parse("USD").expect("a code") });
    record.service_period = Interval::at(moment("2026-05-03"));
    let record = vec![Incoming::Record(Box::new(record))];
    house.reckoner.take_in(&Caller::Machine, record).await.expect("taken in");
}

async fn each_month_begins_with_what_the_one_before_left(books: Books) {
    let house = House::new(books).await;
    in_process::declare(&house.reckoner, TERMS).await;
    house
        .send(&[
            "1 acme shop hours 60 2026-05-02",
            "2 acme shop hours 15 2026-05-20",
            "3 acme shop calls 7 2026-05-02",
        ])
        .await;
    buy(&house, "12").await;
    let may = "0 + 100 + 20 - 75 = 45; 0 + 7 = 7, 82 used, 12 apart; grant promo 20";
    let june = "45 + 0 + -5 - 40 = 0; 30 + 0 = 30, 70 used, 0 apart; expiry promo -5";
    let void = "given_back prepaid 40 by acme/void/reck-00000003";
    let july = [
        "open: 0 + 0 + 0 - 0 = 0; 2 + 0 = 2, 2 used, 0 apart; ".to_owned(),
        format!("open: 0 + 0 + 40 - 2 = 38; -30 + 0 = -30, -28 used, 0 apart; {void}"),
        format!("open: 0 + 0 + 40 - 5 = 35; -30 + 0 = -30, -25 used, 0 apart; {void}"),
    ];
    let (open_may, closed_may) = (format!("open: {may}"), format!("closed: {may}"));
    let (open_june, closed_june) = (format!("open: {june}"), format!("closed: {june}"));
    let begun = "open: 45 + 0 + -5 - 0 = 40; 0 + 0 = 0, 0 used, 0 apart; expiry promo -5";
    let early = "period: 2026-07 has not begun; ask for 2026-06 or earlier";
    let steps: &[(&str, &str)] = &[
        ("balance 2026-04", "open: 0 + 0 + 0 - 0 = 0; 0 + 0 = 0, 0 used, 0 apart; "),
        ("balance 2026-05", open_may.as_str()),
        ("balance 2026-06", begun),
        ("balance 2026-07", early),
        ("close 2026-05", "closed reck-00000001 reck-00000002"),
        ("balance 2026-05", closed_may.as_str()),
        ("balance 2026-06", begun),
        ("clock 2026-07-05", ""),
        ("late 4 70 2026-06-20", ""),
        ("balance 2026-06", open_june.as_str()),
        ("close 2026-06", "closed reck-00000003"),
        ("balance 2026-06", closed_june.as_str()),
        ("late 5 2 2026-07-02", ""),
        ("balance 2026-07", july[0].as_str()),
        ("void 3 mistake", "4 -35.70 USD"),
        // What comes back to the prepayment pays, and is current to the last record.
        ("balance 2026-07", july[1].as_str()),
        ("late 6 3 2026-07-03", ""),
        ("balance 2026-07", july[2].as_str()),
        // What comes back to a lot that has ended ends again.
        ("void 1 mistake", "5 -8.33 USD"),
        ("balance 2026-06", closed_june.as_str()),
        ("balance 2026-05", closed_may.as_str()),
    ];
    for (text, expected) in steps {
        let told = match text.split_once(' ') {
            Some(("balance", period)) => balance(&house, "acme", period).await,
            _ => step(&house, text).await,
        };
        assert_eq!(told, *expected, "{text}");
    }
    let both = asked(&house, "acme", "2026-07").await.expect("a balance").balance;
    let sums = both.summary;
    let expected = ["100.00", "5.00", "95.00"];
    let ending = sums.ending().expect("a sum");
    assert_eq!([sums.adjustments, sums.totals.utilized, ending].map(Money::digits), expected);
    let of_promo = both.adjustments.iter().filter(|one| one.lot.as_str() == "promo");
    let of_promo: Vec<_> = of_promo.map(|one| (one.kind.name(), one.amount.digits())).collect();
    let expected = [("given_back", "15.00".to_owned()), ("expiry_again", "-15.00".to_owned())];
    assert_eq!(of_promo, expected);
    assert_eq!(house.verified().await, (vec![], vec![]));
}

on_each_store!(each_month_begins_with_what_the_one_before_left);

async fn check(house: &House, month: &str, expected: &str) {
    let told = balance(house, "globex", month).await;
    assert!(told.starts_with(expected), "{month}: {told}");
}

async fn what_is_closed_late_counts_in_its_own_month(books: Books) {
    let house = House::new(books).await;
    let lot = TERMS.rsplit_once("[[lot]]").expect("lots").0.rsplit_once("[[lot]]");
    let lot = format!("[[lot]]{}", lot.expect("a lot").1.replace("acme", "globex"));
    in_process::declare(&house.reckoner, &lot).await;
    house.send(&["1 globex store calls 3 2026-05-04"]).await;
    assert_eq!(step(&house, "close 2026-05").await, "closed");
    house.clock.set(moment("2026-07-05T12:00:00Z"));
    assert_eq!(step(&house, "close 2026-06").await, "closed");
    // Both are parked: the record has no price.
    check(&house, "2026-05", "open: 0 + 100 + 0 - 0 = 100; 0 + 0 = 0").await;
    check(&house, "2026-06", "open: 100 + 0 + 0 - 0 = 100; 0 + 0 = 0").await;
    in_process::declare(&house.reckoner, CALLS).await;
    for month in ["close 2026-05", "close 2026-06"] {
        assert!(step(&house, month).await.starts_with("closed before"), "{month}");
    }
    check(&house, "2026-05", "closed: 0 + 100 + 0 - 0.03 = 99.97; 0 + 0 = 0").await;
    check(&house, "2026-06", "closed: 99.97 + 0 + 0 - 0 = 99.97; 0 + 0 = 0").await;
    check(&house, "2026-07", "open: 99.97 + 0 + 0 - 0 = 99.97; 0 + 0 = 0").await;
    assert_eq!(house.verified().await, (vec![], vec![]));
}

on_each_store!(what_is_closed_late_counts_in_its_own_month);

async fn who_may_not_read_balances_is_refused(books: Books) {
    let house = House::new(books).await;
    let nobody = Caller::Principal(domain::ids::PrincipalId::new("nobody").expect("an id"));
    let period = BillingPeriod::parse("2026-05").expect("a period");
    for id in ["acme", "none"] {
        let told = house.reckoner.balance_of_period(&nobody, &account(id), period).await;
        let told = told.expect_err("refused").to_string();
        assert_eq!(told, format!("billing account `{id}` does not exist"));
    }
}

on_each_store!(who_may_not_read_balances_is_refused);

async fn the_program_tells_the_balance_of_a_month(books: Books) {
    let lot = TERMS.split_once("[[lot]]").expect("lots").1.replace("2026-05-01", "2026-10-01");
    let lot = lot.split_once("[[lot]]").expect("two").0;
    let installation = Installation::new(books, "USD", &format!("{}\n[[lot]]{lot}", company()));
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    let event = json!({
        "id": "1", "source": "gate", "subscription": "shop", "meter": "hours",
        "quantity": "3", "start": "2026-10-02T10:00:00Z",
    });
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let sent = server.client.post(url).bearer_auth(key).json(&event).send().await;
    assert_eq!(sent.expect("an answer").status().as_u16(), 200);
    let token = installation.token(&server).await;
    let url = format!("{}/balance/2026-10?billing_account=acme", server.told("admin.url"));
    let told = server.client.get(url).bearer_auth(&token).send().await.expect("an answer");
    let (status, told) = described::checked("GET", told).await;
    let sums = ["beginning", "new_purchases", "adjustments", "utilized", "ending", "total_overage"];
    let shown = |told: &Value| sums.map(|name| told[name].clone());
    let expected = ["0.00", "100.00", "0.00", "1.00", "99.00", "0.00"].map(|sum| json!(sum));
    assert_eq!((status, shown(&told)), (200, expected.clone()), "{told}");
    let bought = json!([{
        "name": "purchase", "lot": "prepaid", "document": null, "at": "2026-10-01T00:00:00Z",
        "amount": "100.00",
    }]);
    assert_eq!((&told["new_purchases_details"], &told["is_final"]), (&bought, &json!(false)));
    server.stop();

    installation.run(&["close", "2026-10"]);
    let told = installation.run(&["balance", "acme", "--period", "2026-10", "--json"]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((shown(&told), &told["is_final"]), (expected, &json!(true)), "{told}");
    let told = installation.run(&["balance", "acme", "--period", "2026-10"]);
    assert!(told.contains("utilized           1.00 USD"), "{told}");
    let refused = installation.refused(&["balance", "acme", "--period", "2999-01"]);
    assert!(refused.contains("2999-01 has not begun"), "{refused}");
}

on_each_store!(the_program_tells_the_balance_of_a_month);
