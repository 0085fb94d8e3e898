//! What a transfer changes of charges: exactly what was chosen changes its payer, from an instant
//! on, and nothing is lost.

use crate::azure_billing_transfers::{ACCOUNTS, HELD, House};
use crate::books::{Books, on_each_store};
use crate::closing::{account, moment};
use crate::in_process;
use calendar::Interval;
use domain::access::Caller;
use domain::ids::{RecordId, SubscriptionId};
use domain::usage::{RecordKey, UsageRecord};
use money::Fixed18;
use service::{ChargeQuery, GroupBy, Incoming, Reckoner};

/// Hours of a subscription, used in an hour of May and reported for an account.
fn used(id: &str, (payer, subscription): (&str, &str), quantity: &str, start: &str) -> Incoming {
    let record = in_process::record(id, quantity);
    let start = moment(start);
    let during = Interval::new(start, start.plus_seconds(3_600)).expect("an hour");
    Incoming::Record(Box::new(UsageRecord {
        key: RecordKey {
            billing_account: account(payer),
            id: RecordId::new(id).expect("an id"),
            ..record.key.clone()
        },
        subscription: SubscriptionId::new(subscription).expect("an id"),
        service_period: during,
        ..record
    }))
}

/// What accounts are charged for each of their subscriptions: `account subscription cost`.
async fn charges(reckoner: &Reckoner) -> Vec<String> {
    let query = ChargeQuery {
        billing_account: None,
        days: moment("2026-05-01").day()..moment("2026-07-01").day(),
        group_by: vec![GroupBy::BillingAccount, GroupBy::Subscription],
        filters: Vec::new(),
        top: None,
    };
    let table = reckoner.charges(&Caller::Machine, &query).await.expect("charges");
    let row = |row: &service::ChargeRow| {
        let keys = row.keys.iter().map(|key| key.as_deref().unwrap_or("-"));
        format!("{} {}", keys.collect::<Vec<_>>().join(" "), row.cost.major)
    };
    table.rows.iter().map(row).collect()
}

fn total(charges: &[String]) -> Fixed18 {
    let cost = |row: &String| Fixed18::parse(row.rsplit(' ').next().expect("a cost"));
    let costs = charges.iter().map(|row| cost(row).expect("a number"));
    Fixed18::checked_sum(costs.collect::<Vec<_>>()).expect("a sum")
}

on_each_store!(what_was_chosen_changes_its_payer_from_an_instant_on_and_nothing_is_lost);
async fn what_was_chosen_changes_its_payer_from_an_instant_on_and_nothing_is_lost(books: Books) {
    let house = House::new(books, &HELD).await;
    house.clock.set(moment("2026-05-20T12:00:00Z"));
    let (giver, payer) = ("giver-account", "payer-account");
    let send = async |records: Vec<Incoming>| {
        house.reckoner.take_in(&Caller::Machine, records).await.expect("taken in");
    };
    let before = "2026-05-20T08:00:00Z";
    send(vec![
        used("1", (giver, "ferry"), "3", before),
        used("2", (giver, "tug"), "5", before),
        used("3", (giver, "raft"), "7", before),
    ])
    .await;
    let own = ["giver-account ferry 6", "giver-account raft 14", "giver-account tug 10"];
    assert_eq!(charges(&house.reckoner).await, own);
    let made = house.made(ACCOUNTS[0][2]).await;
    assert_eq!(house.accepted(&made, &["ferry", "tug"]).await.status, 200);
    house.carry_out().await;
    assert_eq!(charges(&house.reckoner).await, own, "a transfer changes no charge");
    house.clock.set(moment("2026-05-21T12:00:00Z"));
    let after = "2026-05-21T08:00:00Z";
    send(vec![
        used("4", (payer, "ferry"), "11", after),
        used("5", (payer, "tug"), "13", after),
        used("6", (giver, "raft"), "17", after),
        // Late, of the time of its first payer.
        used("7", (giver, "ferry"), "19", "2026-05-20T09:00:00Z"),
    ])
    .await;
    let expected = [
        "giver-account ferry 44",
        "giver-account raft 48",
        "giver-account tug 10",
        "payer-account ferry 22",
        "payer-account tug 26",
    ];
    let told = charges(&house.reckoner).await;
    assert_eq!(told, expected);
    // 75 hours at 2.
    assert_eq!(total(&told), Fixed18::parse("150").expect("a number"));
    // What either reports for the other's time waits, and is charged to nobody.
    send(vec![
        used("8", (giver, "ferry"), "1", after),
        used("9", (payer, "ferry"), "1", before),
        used("10", (payer, "raft"), "1", after),
    ])
    .await;
    assert_eq!(charges(&house.reckoner).await, expected);
    house.reckoner.close().await.expect("closed");
}
