//! Credit, lots and their events say what the ledger and the balances say; charges are what usage
//! details and balances come to; reservations are charged what their transactions say.

use crate::balances::TERMS;
use crate::books::{Books, on_each_store};
use crate::closing::{House, account, moment};
use crate::in_process;
use crate::notes::step;
use crate::program::Server;
use calendar::{BillingPeriod, Interval};
use domain::access::{Caller, Scope};
use domain::ids::BillingAccountId;
use domain::ledger::LedgerAccount;
use domain::reservations::ReservationEvent;
use money::{Cost, Fixed18, Money};
use serde_json::Value;
use service::{
    ChargeSummariesAsked, ChargesBy, CreditEvent, CreditEventsAsked, CreditTold, DetailSpan,
    DetailsAsked, InvoiceLineKind, InvoiceLineType, InvoiceLinesAsked, LedgerAsked, Reckoner,
    ReservationTransactionsAsked,
};
use std::collections::BTreeSet;

/// Two hours in each hour of May and June 2026; given back in the middle of May.
const RESERVED: &str = r#"
[[reservation]]
billing_account = "acme"
id = "machines"
billed_to = "shop"
meters = ["hours"]
quantity = "2"
currency = "USD"
price = "14.64"
from = 2026-05-01T00:00:00Z
until = 2026-07-01T00:00:00Z
cancelled = { at = 2026-05-17T00:00:00Z, fee = "1" }
"#;

fn sum(currency: money::Currency, amounts: impl Iterator<Item = Money>) -> Money {
    Money::checked_sum(currency, amounts).expect("a sum")
}

async fn events(
    reckoner: &Reckoner,
    scope: &Scope,
    credit: &CreditTold,
    lot: Option<usize>,
) -> Vec<CreditEvent> {
    let lot = lot.and_then(|place| credit.lots.get(place)).map(|lot| lot.id.clone());
    let asked = CreditEventsAsked { during: Interval::always(), kind: None, lot };
    reckoner.credit_events(&Caller::Machine, scope, &asked).await.expect("events")
}

/// What lots hold behind the last event that is booked.
fn closed(events: &[CreditEvent], credit: &CreditTold) -> Money {
    let zero = Money::zero(credit.currency);
    let mut before = zero;
    for event in events {
        let expected = before.checked_add(event.event.amount).expect("a sum");
        assert_eq!(event.closed, expected, "{event:?}");
        before = event.closed;
    }
    let booked = events.iter().rfind(|event| event.is_booked);
    booked.map_or(zero, |event| event.closed)
}

/// Credit = lots = closed balances of events = ledger = available balance = balance of the period.
pub(crate) async fn credit_agrees(reckoner: &Reckoner, id: &BillingAccountId) {
    let (caller, scope) = (Caller::Machine, Scope::Account(id.clone()));
    let credit = reckoner.credit(&caller, &scope).await.expect("credit");
    let asked = LedgerAsked { billing_account: id.clone(), period: None };
    let ledger = reckoner.ledger(&caller, &asked, u64::MAX).await.expect("a ledger");
    let is_lot = |account: &LedgerAccount| {
        matches!(account, LedgerAccount::Credit(_) | LedgerAccount::Prepayment(_))
    };
    let held = ledger.balances.iter().filter(|(account, _)| is_lot(account));
    let held = sum(credit.currency, held.map(|(_, held)| *held));
    assert_eq!(credit.summary.current, held, "{id}: the ledger");
    assert_eq!(sum(credit.currency, credit.lots.iter().map(|lot| lot.booked)), held, "{id}: lots");
    let available = reckoner.available_balance(&caller, id).await.expect("a balance").available;
    assert_eq!(credit.summary.estimated, available, "{id}: the available balance");
    let all = events(reckoner, &scope, &credit, None).await;
    assert_eq!(closed(&all, &credit), held, "{id}: booked events");
    let period = BillingPeriod::of(reckoner.now());
    let balance = reckoner.balance_of_period(&caller, id, period).await.expect("a balance");
    let ending = balance.balance.summary.ending().expect("a sum");
    // A history's clock may stand before what was booked: then the period knows nothing of that.
    if all.iter().all(|event| !event.is_booked || event.event.at <= reckoner.now()) {
        let last = all.last().map_or(Money::zero(credit.currency), |event| event.closed);
        assert_eq!(last, ending, "{id}: all events");
    }
    for (place, lot) in credit.lots.iter().enumerate() {
        let own = events(reckoner, &scope, &credit, Some(place)).await;
        assert_eq!(closed(&own, &credit), lot.booked, "{id}: {}", lot.id);
    }
}

/// Charges of a billing period = its usage details = its balance, of one moment.
async fn charges_agree(reckoner: &Reckoner, id: &BillingAccountId, month: &str) {
    let (caller, scope) = (Caller::Machine, Scope::Account(id.clone()));
    let period = BillingPeriod::parse(month).expect("a month");
    let span = DetailSpan::Period(period);
    let set = reckoner.data_set(&caller, &scope, period).await.expect("a data set");
    let asked = |by| ChargeSummariesAsked { scope: scope.clone(), span: span.clone(), by };
    let told = reckoner.charge_summaries(&caller, &asked(ChargesBy::Period)).await;
    let told = told.expect("charges");
    let Some(balance) = set.and_then(|set| set.balance) else {
        assert!(told.is_empty(), "{month}: {told:?}");
        return;
    };
    let totals = balance.balance.summary.totals;
    let major = |of: &dyn Fn(&service::ChargeSummary) -> Cost| {
        Fixed18::checked_sum(told.iter().map(|one| of(one).major)).expect("a sum")
    };
    let exact = |money: Money| money.to_cost().expect("a cost").major;
    let used = major(&|one| one.covered).checked_add(major(&|one| one.separate)).expect("a sum");
    assert_eq!(used, exact(totals.total_usage().expect("a sum")), "{month}: total usage");
    assert_eq!(major(&|one| one.marketplace), exact(totals.marketplace), "{month}: marketplace");
    // However they are told apart, they are the same.
    for by in [ChargesBy::Profile, ChargesBy::Section, ChargesBy::Customer] {
        let apart = reckoner.charge_summaries(&caller, &asked(by)).await.expect("charges");
        let apart = Fixed18::checked_sum(
            apart
                .iter()
                .flat_map(|one| [one.covered.major, one.separate.major, one.marketplace.major]),
        );
        let whole = used.checked_add(major(&|one| one.marketplace)).expect("a sum");
        assert_eq!(apart.expect("a sum"), whole, "{month} {by:?}");
    }
    let asked = DetailsAsked { scope: scope.clone(), span, kinds: BTreeSet::new(), filter: None };
    let mut stream = reckoner.details_stream(&caller, &asked).await.expect("details");
    let mut details = Fixed18::ZERO;
    while let Some(page) = stream.next().await.expect("details") {
        for cost in page.into_iter().filter_map(|detail| detail.cost) {
            details = details.checked_add(cost.billing.major).expect("a sum");
        }
    }
    let whole = used.checked_add(major(&|one| one.marketplace)).expect("a sum");
    assert_eq!(details, whole, "{month}: details");
}

/// What transactions say of reservations = the lines of invoices, and of drafts, for them.
async fn reservations_agree(reckoner: &Reckoner, id: &BillingAccountId) {
    let (caller, scope) = (Caller::Machine, Scope::Account(id.clone()));
    let days = moment("2026-05-01").day()..moment("2026-08-01").day();
    let asked = ReservationTransactionsAsked { days: days.clone(), reservation: None };
    let told = reckoner.reservation_transactions(&caller, &scope, &asked).await.expect("a list");
    let asked = InvoiceLinesAsked {
        days,
        kinds: BTreeSet::from([InvoiceLineKind::Reservation]),
        types: BTreeSet::from(InvoiceLineType::ALL),
    };
    let lines = reckoner.all_invoice_lines(&caller, &scope, &asked).await.expect("lines");
    let events: Vec<ReservationEvent> = told.iter().map(|one| one.event).collect();
    let given_back = [ReservationEvent::Purchase, ReservationEvent::Cancel];
    assert!(given_back.iter().all(|event| events.contains(event)), "{events:?}");
    assert!(told.iter().any(|one| one.amount.major.is_negative()), "money goes back");
    let transactions = Fixed18::checked_sum(told.iter().map(|one| one.amount.major));
    let invoiced = Fixed18::checked_sum(lines.iter().map(|line| line.exact.major));
    assert_eq!(transactions.expect("a sum"), invoiced.expect("a sum"));
}

on_each_store!(credit_events_charges_and_reservations_say_what_the_books_say);
async fn credit_events_charges_and_reservations_say_what_the_books_say(books: Books) {
    let house = House::new(books).await;
    in_process::declare(&house.reckoner, TERMS).await;
    in_process::declare(&house.reckoner, RESERVED).await;
    house
        .send(&[
            "1 acme shop hours 60 2026-05-02",
            "2 acme shop hours 15 2026-05-20",
            "3 acme shop calls 7 2026-05-02",
        ])
        .await;
    let steps = [
        "",
        "close 2026-05",
        "clock 2026-07-05",
        "late 4 70 2026-06-20",
        "close 2026-06",
        "late 5 2 2026-07-02",
        "void 2 mistake",
        "late 6 3 2026-07-03",
        // What comes back to a lot that has ended ends again.
        "void 1 mistake",
    ];
    let acme = account("acme");
    for text in steps {
        if !text.is_empty() {
            step(&house, text).await;
        }
        credit_agrees(&house.reckoner, &acme).await;
        let newest = BillingPeriod::of(house.reckoner.now());
        for month in ["2026-05", "2026-06", "2026-07"] {
            if BillingPeriod::parse(month).expect("a month") <= newest {
                charges_agree(&house.reckoner, &acme, month).await;
            }
        }
        if !text.starts_with("void") {
            reservations_agree(&house.reckoner, &acme).await;
        }
    }
    // Who never had a lot has nothing.
    let globex = Scope::Account(account("globex"));
    let credit = house.reckoner.credit(&Caller::Machine, &globex).await.expect("credit");
    assert!(credit.lots.is_empty());
    assert_eq!(events(&house.reckoner, &globex, &credit, None).await, []);
}

/// The demo, asked by its owner.
struct Asked {
    server: Server,
    token: String,
}

impl Asked {
    async fn status(&self, path: &str) -> u16 {
        let answer = self.server.get(path, Some(&self.token)).send().await.expect("an answer");
        answer.status().as_u16()
    }

    async fn json(&self, path: &str) -> Value {
        let answer = self.server.get(path, Some(&self.token)).send().await.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.expect("a text"));
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }
}

fn number(value: &Value) -> Fixed18 {
    Fixed18::parse(&value.to_string()).unwrap_or_else(|_| panic!("{value} is no number"))
}

fn added<'a>(items: &'a Value, of: impl Fn(&'a Value) -> &'a Value) -> Fixed18 {
    let items = items["value"].as_array().expect("items").iter();
    Fixed18::checked_sum(items.map(|item| number(of(item)))).expect("a sum")
}

on_each_store!(the_demo_tells_credit_in_each_version_as_its_billing_does);
async fn the_demo_tells_credit_in_each_version_as_its_billing_does(books: Books) {
    let directory = tempfile::tempdir().expect("a directory");
    let schema = books.schema();
    let server = Server::demo(&directory.path().join("data"), schema.as_ref(), &[]);
    let token = server.told("clients.owner.token");
    let account = server.told("accounts.mca.billing_account");
    let profile = server.told("accounts.mca.billing_profile");
    let foreign = server.told("accounts.foreign.billing_account");
    let enterprise = server.told("accounts.ea.billing_account");
    let asked = Asked { server, token };
    let account = format!("/providers/Microsoft.Billing/billingAccounts/{account}");
    let profile = format!("{account}/billingProfiles/{profile}");
    let available = format!("{profile}/availableBalance/default?api-version=2020-05-01");
    let available = asked.json(&available).await["properties"]["amount"]["value"].clone();
    let below = |place: &str, tail: &str, version: &str| {
        format!("{place}/providers/Microsoft.Consumption/{tail}api-version={version}")
    };
    for version in ["2019-10-01", "2021-10-01", "2023-05-01"] {
        let credit = asked.json(&below(&profile, "credits/balanceSummary?", version)).await;
        let told = &credit["properties"];
        let balance = &told["balanceSummary"];
        assert_eq!(number(&balance["estimatedBalance"]["value"]), number(&available), "{version}");
        let lots = asked.json(&below(&profile, "lots?", version)).await;
        let current = number(&balance["currentBalance"]["value"]);
        let closed = added(&lots, |lot| &lot["properties"]["closedBalance"]["value"]);
        assert_eq!(closed, current, "{version}: lots");
        let all = "events?startDate=2000-01-01&endDate=2100-01-01&";
        let events = asked.json(&below(&profile, all, version)).await;
        let events = events["value"].as_array().expect("events").clone();
        let is_booked = |event: &&Value| {
            let word = event["properties"]["eventType"].as_str().expect("a word");
            !word.starts_with("Pending")
        };
        let last = events.iter().rfind(is_booked).expect("an event");
        let last = number(&last["properties"]["closedBalance"]["value"]);
        assert_eq!(last, current, "{version}: events");
        let [added, expired, charged] =
            ["pendingCreditAdjustments", "expiredCredit", "pendingEligibleCharges"]
                .map(|member| number(&told[member]["value"]));
        let sum = current.checked_add(added).and_then(|sum| sum.checked_sub(expired));
        let sum = sum.and_then(|sum| sum.checked_sub(charged)).expect("a sum");
        assert_eq!(sum, number(&available), "{version}: current and what is pending");
    }
    check_refusals(&asked, [&account, &profile, &foreign, &enterprise]).await;
}

/// What is not there, or is not asked so.
async fn check_refusals(asked: &Asked, [account, profile, foreign, enterprise]: [&str; 4]) {
    let foreign = format!("/providers/Microsoft.Billing/billingAccounts/{foreign}-x");
    let enterprise = format!("/providers/Microsoft.Billing/billingAccounts/{enterprise}");
    let groups = "/providers/Microsoft.Management/managementGroups/all";
    let period = "providers/Microsoft.Billing/billingPeriods/202610";
    let table: &[(u16, &str, &str)] = &[
        (404, groups, "aggregatedcost?"),
        (404, &format!("{groups}/{period}"), "aggregatedCost?"),
        (404, &foreign, "lots?"),
        (404, &foreign, "charges?"),
        (200, account, "lots?$filter=status eq 'active'&"),
        (400, account, "lots?$filter=colour eq 'red'&"),
        (200, account, "events?"),
        (400, account, "events?$filter=lotsource eq 'gift'&"),
        (400, profile, "events?"),
        (400, profile, "events?startDate=2026-10-02&endDate=2026-10-01&"),
        (200, account, "charges?"),
        (200, account, "charges?$apply=groupby((properties/billingProfileId))&"),
        (400, account, "charges?$apply=groupby((properties/colour))&"),
        (200, profile, "charges?startDate=2026-09-01&endDate=2026-10-31&"),
        (200, &enterprise, "charges?"),
        (400, &enterprise, "reservationDetails?"),
        (400, &enterprise, "reservationSummaries?"),
        (400, &enterprise, "reservationSummaries?grain=daily&"),
        (200, &enterprise, "reservationSummaries?grain=monthly&"),
        (200, profile, "reservationTransactions?"),
        (200, account, "reservationTransactions?"),
        (400, account, "reservationRecommendationDetails?scope=Single&"),
        (
            404,
            "/providers/Microsoft.Capacity/reservationorders/none",
            "reservationSummaries?grain=monthly&",
        ),
    ];
    for (status, place, tail) in table {
        let path = format!("{place}/providers/Microsoft.Consumption/{tail}api-version=2021-10-01");
        assert_eq!(asked.status(&path).await, *status, "{path}");
    }
}
