//! Transfers over HTTP, as who receives one sees them: nothing of who would pay, and what came of
//! each product.

use crate::azure_billing_transfers::{
    ACCOUNTS, HELD, House, Made, PROVIDER, Told, chosen, own, received,
};
use crate::books::{Books, on_each_store};
use axum::http::Method;
use serde_json::Value;

/// What nobody but the payer, and who sees its account, may learn.
const SECRETS: [&str; 2] = ["payer-", "Payer Harbour"];

on_each_store!(who_receives_a_transfer_learns_nothing_of_who_would_pay);
async fn who_receives_a_transfer_learns_nothing_of_who_would_pay(books: Books) {
    let house = House::new(books, &HELD).await;
    let mut states = house.in_each_state().await;
    states.insert("Pending", house.made(ACCOUNTS[0][2]).await);
    let check = |what: &str, told: &Told| {
        for secret in SECRETS {
            let is_told = told.text.contains(secret) || told.headers.contains(secret);
            assert!(!is_told, "{what} tells `{secret}`: {} {}", told.headers, told.text);
        }
    };
    check("the list", &house.ask("dee", (Method::GET, &received_list()), None).await);
    for (state, made) in &states {
        let answer = house.ask("dee", (Method::GET, &received(made, "")), None).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.address, received(made, ""));
        check(state, &answer);
        // The time stands for the name.
        let by_time = Made { name: made.time.clone(), ..made.clone() };
        let again = house.ask("dee", (Method::GET, &received(&by_time, "")), None).await;
        assert_eq!((again.address, again.text), (answer.address, answer.text));
        for tail in ["/validateTransfer", "/acceptTransfer", "/declineTransfer"] {
            let body = if tail == "/declineTransfer" { None } else { chosen(&["x", "barge"]) };
            let path = received(made, tail);
            check(state, &house.ask("dee", (Method::POST, &path), body).await);
        }
    }
    // Nor is it told which places there are.
    let told = house.ask("dee", (Method::GET, &own(&states["Pending"])), None).await;
    let other = own(&states["Pending"]).replace("payer-account", "nobody");
    let missing = house.ask("dee", (Method::GET, &other), None).await;
    assert_eq!((told.status, missing.status), (404, 404));
    assert_eq!(told.text.replace("payer-account", "nobody"), missing.text);
    house.reckoner.close().await.expect("closed");
}

fn received_list() -> String {
    format!("{PROVIDER}/transfers")
}

on_each_store!(each_product_tells_what_came_of_it);
async fn each_product_tells_what_came_of_it(books: Books) {
    let house = House::new(books, &HELD).await;
    let states = house.in_each_state().await;
    let check = async |state: &str, expected: &[&str]| {
        let own = house.ask("ada", (Method::GET, &own(&states[state])), None).await;
        let received = house.ask("dee", (Method::GET, &received(&states[state], "")), None).await;
        for told in [own, received] {
            let detailed = &told.body["properties"]["detailedTransferStatus"];
            let row = |one: &Value| {
                let code = one["errorDetails"]["errorCode"].as_str().unwrap_or_default();
                let told = |member: &str| one[member].as_str().expect("text").to_owned();
                let row = format!("{} {} {code}", told("productId"), told("transferStatus"));
                row.trim_end().to_owned()
            };
            let rows = detailed.as_array().into_iter().flatten().map(row);
            assert_eq!(rows.collect::<Vec<_>>(), expected, "{state}");
        }
    };
    check("Completed", &["ferry Completed"]).await;
    check("CompletedWithErrors", &["tug Completed", "nothing-here Failed SubscriptionNotFound"])
        .await;
    check("Failed", &["barge Failed DestinationNotActive"]).await;
    check("InProgress", &["raft InProgress"]).await;
    for state in ["Canceled", "Declined", "Expired"] {
        check(state, &[]).await;
    }
    // Nothing of it can move: nothing is accepted.
    let made = house.made(ACCOUNTS[0][2]).await;
    let told = house.accepted(&made, &["nothing-here", "ferry"]).await;
    assert_eq!((told.status, told.body["error"]["code"].as_str()), (409, Some("Conflict")));
    assert_eq!(house.answer("dee", "Received", &made).await, "Pending");
    house.reckoner.close().await.expect("closed");
}
