//! What is invoiced of a subscription in which billing period, and what waits for an invoice.

use crate::books::{Books, on_each_store};
use crate::closing::{House, account, may, moment, month};
use crate::in_process;
use domain::access::Caller;
use domain::ids::{PlaceId, PrincipalId, SubscriptionId};
use domain::places::{Level, Place, PlaceKey};
use service::{Attached, CloseMode, Reckoner};

/// A profile of `acme` that pays for a subscription from April on, and one that pays for nothing.
const COMPANY: &str = r#"
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

[[subscription]]
id = "ferry"
name = "Ferry"
placements = [
    { from = 2026-04-10T00:00:00Z, billing_account = "acme", profile = "main", offer = "metered" },
]

[[role_assignment]]
principal = "ann"
role = "Reader"
scope = { subscription = "ferry" }

[[role_assignment]]
principal = "ben"
role = "Billing Account Owner"
scope = { billing_account = "acme" }
"#;

fn who(name: &str) -> Caller {
    Caller::Principal(PrincipalId::new(name).expect("an id"))
}

async fn house(books: Books) -> House {
    let house = House::new(books).await;
    in_process::declare(&house.reckoner, COMPANY).await;
    house.send(&["1 acme ferry hours 100 2026-05-02", "2 acme ferry hours 100 2026-06-02"]).await;
    house
}

/// `2026-06, 2026-05 reck-00000001`.
async fn periods(reckoner: &Reckoner, name: &str, of: &str) -> String {
    let (who, of) = (who(name), SubscriptionId::new(of).expect("an id"));
    let all = match reckoner.subscription_periods(&who, &of).await {
        Ok(all) => all,
        Err(error) => return error.to_string(),
    };
    let all = reckoner.invoices_of_periods(&who, &of, &all).await.expect("the same are seen");
    let told = all.iter().map(|one| {
        let invoices = one.invoices.iter().map(|number| format!(" {number}"));
        format!("{}{}", one.period, invoices.collect::<String>())
    });
    told.collect::<Vec<_>>().join(", ")
}

on_each_store!(a_subscription_has_billing_periods_with_its_invoices);
async fn a_subscription_has_billing_periods_with_its_invoices(books: Books) {
    let house = house(books).await;
    let check = async |name: &str, expected: &str| {
        assert_eq!(periods(&house.reckoner, name, "ferry").await, expected, "{name}");
    };
    check("ben", "2026-06, 2026-05, 2026-04").await;
    // Nobody says since when the shop is paid for.
    assert_eq!(periods(&house.reckoner, "ben", "shop").await, "2026-06");
    check("nobody", "subscription `ferry` does not exist").await;
    house.close(may()).await;
    let invoices = house.invoices().await;
    let of = SubscriptionId::new("ferry").expect("an id");
    let own = invoices.iter().find(|one| {
        one.invoice.lines.iter().any(|line| line.key.subscription.as_ref() == Some(&of))
    });
    let number = &own.expect("an invoice").number;
    check("ben", &format!("2026-06, 2026-05 {number}, 2026-04")).await;
    assert_eq!(periods(&house.reckoner, "ben", "shop").await, "2026-06, 2026-05");
    // Who reads no invoices is told of none.
    check("ann", "2026-06, 2026-05, 2026-04").await;
}

on_each_store!(what_no_invoice_has_yet_keeps_a_payment_method);
async fn what_no_invoice_has_yet_keeps_a_payment_method(books: Books) {
    use Attached::{Outstanding, Pending, Subscriptions};
    let house = house(books).await;
    let check = async |id: &str, expected: &[Attached]| {
        let key = PlaceKey { level: Level::BillingProfile, id: PlaceId::new(id).expect("an id") };
        let profile = Place { billing_account: account("acme"), key };
        let found = house.reckoner.attached_to(&who("ben"), &profile).await.expect("reasons");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected, "{id}");
    };
    check("main", &[Subscriptions, Pending]).await;
    check("spare", &[]).await;
    house.close(may()).await;
    check("main", &[Subscriptions, Outstanding, Pending]).await;
    house.clock.set(moment("2026-07-05T12:00:00Z"));
    house.close(month("2026-06", CloseMode::Final)).await;
    check("main", &[Subscriptions, Outstanding]).await;
    check("spare", &[]).await;
}
